"""What recipes are trained on and scored by: motion capture seen by virtual cameras, a benchmark, one's own."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch

from poselift.datasets.clip import BenchmarkSet
from poselift.datasets.mocap import load_mocap
from poselift.errors import CheckpointError
from poselift.files import written_whole
from poselift.lab.export.card import OTHER_LICENSE, license_of
from poselift.lab.models.lifter import Lifter
from poselift.lab.observe.detector import SimulatedDetector
from poselift.lab.run.recipe import TrainRecipe, is_recipe, recipe_json
from poselift.lab.train import Run, Task, TorchLifter
from poselift.lab.windows.benchmark import BenchmarkConfig, BenchmarkWindows
from poselift.lab.windows.mocap import DataConfig, MocapWindows
from poselift.lab.windows.own import OwnConfig, OwnWindows, at_rate, load_split
from poselift.lifters.card import BENCHMARK, Score
from poselift.measure.benchmark import evaluate_benchmark
from poselift.measure.claims import MEASURES, mocap_score
from poselift.measure.mocap import MocapProtocol, evaluate_mocap
from poselift.measure.protocols import PROTOCOLS
from poselift.measure.scores import Scores


class MeasuredTask(Task, Protocol):
    """A task that can also say what stands on the card of the weights that came out."""

    data: str
    """What the weights are trained and measured on."""
    license: str
    """Licence that follows from it."""

    def finish(self, run: Run) -> dict[str, Score]:
        """Put the weights that are kept into `run.average`; scores for the card, by how they were measured."""


class MocapTask:
    """An archive of motion capture with the splits train and dev."""

    def __init__(self, config: DataConfig, archive: Path) -> None:
        """Read it.

        Raises:
            MissingData: There is no such archive; and everything else that `load_mocap` raises.
        """
        self.config = config
        self.clips, self.dev = (load_mocap(archive, split=split) for split in ("train", "dev"))
        self.archive = archive.name
        self.data, self.license = f"{archive.name}, split train; scores on split dev", license_of(archive)

    def source(self, model: Lifter, device: torch.device) -> MocapWindows:
        """Windows of the split train, observed anew each time."""
        return MocapWindows(
            self.clips, in_frames=model.in_frames, out_frames=model.out_frames,
            in_channels=model.in_channels, fps=model.fps, config=self.config, device=device,
        )  # fmt: skip

    def evaluate(self, lifter: TorchLifter) -> dict[str, float]:
        """Dev scores with one camera for each clip."""
        return {f"dev_{name}": value for name, value in self.measure(lifter, cameras=1).mean.items()}

    def measure(
        self, lifter: TorchLifter, *, cameras: int = 4, noisy: bool = False, flip_average: bool = False
    ) -> Scores:
        """Dev scores."""
        protocol = MocapProtocol(cameras=cameras, flip_average=flip_average)
        observe = SimulatedDetector(self.config.noise) if noisy else None
        return evaluate_mocap(lifter, self.dev, protocol, observe=observe)

    def finish(self, run: Run) -> dict[str, Score]:
        """Dev scores of the averaged weights, all that stand on a card."""
        detector = SimulatedDetector(self.config.noise)
        return {
            name: mocap_score(run.lifter, self.dev, self.archive, "dev", protocol, detector if noisy else None)
            for name, (protocol, noisy) in MEASURES.items()
        }


class BenchmarkTask:
    """A benchmark's training subjects, and its test subjects."""

    license = OTHER_LICENSE

    def __init__(self, recipe: TrainRecipe, config: BenchmarkConfig, folder: Path, out: Path) -> None:
        """Name the parts; archives are read when they are needed.

        Args:
            recipe: The recipe.
            config: Its `data`.
            folder: Where the archives are.
            out: The run's folder, for the best weights where the recipe asks for them.
        """
        self.recipe, self.config, self.folder, self.out = recipe, config, folder, out
        self.data = f"{config.dataset}, {config.keypoints}: training subjects; scores on the test subjects"

    @cached_property
    def test(self) -> BenchmarkSet:
        """The test subjects."""
        return self.config.load(self.folder, "test")

    def source(self, model: Lifter, device: torch.device) -> BenchmarkWindows:
        """Every window of the training subjects."""
        clips = self.config.load(self.folder, "train").clips
        return BenchmarkWindows(clips, model, mirror=self.config.mirror, seed=self.recipe.seed, device=device)

    def evaluate(self, lifter: TorchLifter) -> dict[str, float]:
        """Test scores; where the recipe does as published, the weights are kept when they are the best so far."""
        mean = self.measure(lifter).mean
        if self.config.as_published and mean["mpjpe"] < self._best().get("mpjpe", float("inf")):
            content = {"recipe": recipe_json(self.recipe), "mpjpe": mean["mpjpe"], "model": lifter.model.state_dict()}
            with written_whole(self.out / "best.pt", overwrite=True) as path:
                torch.save(content, path)
        return {f"test_{name}": value for name, value in mean.items()}

    def measure(self, lifter: TorchLifter, progress: Callable[[int, int], None] | None = None) -> Scores:
        """Test scores by the recipe's protocol."""
        return evaluate_benchmark(lifter, self.test, self.config.choices(), progress=progress)

    def keep(self, run: Run) -> None:
        """Put the weights that are kept into `run.average`: the last ones, or as published those best on the test."""
        best = self._best() if self.config.as_published else {}
        if best:
            run.average.load_state_dict(best["model"])

    def finish(self, run: Run) -> dict[str, Score]:
        """Test scores of the weights that are kept."""
        self.keep(run)
        return as_on_card(self.config.dataset, self.measure(run.lifter))

    def _best(self) -> dict[str, Any]:
        """What `evaluate` has kept for this recipe; empty when nothing."""
        path = self.out / "best.pt"
        if not path.exists():
            return {}
        try:
            best = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
            raise CheckpointError(f"{path} is broken; use a new --out folder") from error
        return best if is_recipe(best["recipe"], self.recipe) else {}


class OwnTask:
    """One's own recordings: some to train on, some to score."""

    license = OTHER_LICENSE

    def __init__(self, recipe: TrainRecipe, config: OwnConfig, folder: Path) -> None:
        """Read them.

        Raises:
            DatasetError: There is nothing to train on or to score; and everything else that `load_own` raises.
        """
        self.recipe, self.config = recipe, config
        self.train, self.test = (load_split(config, folder, split) for split in ("train", "test"))
        self.data = f"{self.train.name}: {len(self.train)} clips; scores on {self.test.notes['test']}"

    def source(self, model: Lifter, device: torch.device) -> OwnWindows:
        """Every window of what is trained on."""
        return OwnWindows(self.train.clips, model, mirror=self.config.mirror, seed=self.recipe.seed, device=device)

    def evaluate(self, lifter: TorchLifter) -> dict[str, float]:
        """Test scores."""
        return {f"test_{name}": value for name, value in self.measure(lifter).mean.items()}

    def measure(self, lifter: TorchLifter) -> Scores:
        """Test scores, at the lifter's frame rate."""
        clips = [at_rate(clip, lifter.fps) for clip in self.test.clips]
        return evaluate_benchmark(lifter, replace(self.test, clips=clips), PROTOCOLS[self.config.protocol]())

    def finish(self, run: Run) -> dict[str, Score]:
        """Test scores of the averaged weights."""
        return as_on_card(self.train.name, self.measure(run.lifter))


def as_on_card(data: str, scores: Scores) -> dict[str, Score]:
    """Test scores on a data set as they stand on a card."""
    frames = scores.counts["frames"]
    return {"test": Score(kind=BENCHMARK, data=data, protocol=scores.choices, frames=frames, mean=scores.mean)}


def make_task(recipe: TrainRecipe, data: Path, out: Path) -> MeasuredTask:
    """What a recipe is trained on.

    Args:
        recipe: The recipe.
        data: The archive of motion capture, or the folder of the benchmark's archives or of one's own recordings.
        out: The run's folder.

    Raises:
        MissingData: A file is not there; and everything else that the loaders raise.
    """
    if isinstance(recipe.data, BenchmarkConfig):
        return BenchmarkTask(recipe, recipe.data, data, out)
    if isinstance(recipe.data, OwnConfig):
        return OwnTask(recipe, recipe.data, data)
    return MocapTask(recipe.data, data)
