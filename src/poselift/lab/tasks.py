"""The data that recipes train on and are scored by: motion capture with virtual cameras, a benchmark, or your own."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch

from poselift.datasets.clip import BenchmarkSet
from poselift.datasets.mocap import load_mocap
from poselift.errors import CheckpointError
from poselift.files import found_at
from poselift.lab.export.calibrate import calibrate_spread
from poselift.lab.export.card import OTHER_LICENSE, license_of
from poselift.lab.models.lifter import Lifter
from poselift.lab.observe.detector import SimulatedDetector
from poselift.lab.run.folder import save_state
from poselift.lab.run.recipe import TrainRecipe, is_recipe, recipe_json
from poselift.lab.run.torch_file import read_torch_file
from poselift.lab.train import Run, Task, TorchLifter
from poselift.lab.windows.benchmark import BenchmarkConfig, BenchmarkWindows
from poselift.lab.windows.mocap import DataConfig, MocapWindows
from poselift.lab.windows.own import OwnConfig, OwnWindows, at_rate, load_split
from poselift.lab.windows.sources import described, licenses, load_sources
from poselift.lifters.card import BENCHMARK, Score
from poselift.measure.benchmark import evaluate_benchmark
from poselift.measure.claims import MEASURES, mocap_score
from poselift.measure.mocap import MocapProtocol, evaluate_mocap
from poselift.measure.protocols import PROTOCOLS
from poselift.measure.scores import Scores

Told = Callable[..., None]
"""Takes the number of scores done, the number in all, and what is being measured."""


class MeasuredTask(Task, Protocol):
    """A task that can also fill in the card of the trained weights."""

    data: str
    """Description of the data that the weights are trained and measured on."""
    license: str
    """Licence of the weights, which follows from the data."""

    def finish(self, run: Run, progress: Told | None = None) -> dict[str, Score]:
        """Put the weights to keep into `run.average`, and return their scores by how they were measured.

        This takes minutes; `progress` is told how far it is.
        """


class MocapTask:
    """An archive of motion capture with the splits train and dev."""

    def __init__(self, config: DataConfig, archive: Path) -> None:
        """Read the archive.

        Args:
            config: How windows are drawn and observed.
            archive: Path of the archive.

        Raises:
            MissingData: There is no such archive; and everything else that `load_mocap` raises.
        """
        self.config = config
        self.clips, self.dev = load_sources(config.sources, archive, "train"), load_mocap(archive, split="dev")
        self.archive = archive.name
        self.data = f"{described(config.sources, archive)}, split train; scores on split dev"
        self.license = license_of(archive) + licenses(config.sources)

    def source(self, model: Lifter, device: torch.device) -> MocapWindows:
        """Return windows of the split train, which are observed anew each time."""
        clips = [clip.in_joints(model.skeleton) for clip in self.clips]
        return MocapWindows(
            clips, in_frames=model.in_frames, out_frames=model.out_frames,
            in_channels=model.in_channels, fps=model.fps, config=self.config, device=device,
        )  # fmt: skip

    def evaluate(self, lifter: TorchLifter) -> dict[str, float]:
        """Return scores on the split dev, in mm, with one camera for each clip."""
        return {f"dev_{name}": value for name, value in self.measure(lifter, cameras=1).mean.items()}

    def measure(
        self, lifter: TorchLifter, *, cameras: int = 4, noisy: bool = False, flip_average: bool = False
    ) -> Scores:
        """Return scores on the split dev; `noisy` adds the simulated detector's errors."""
        protocol = MocapProtocol(cameras=cameras, flip_average=flip_average)
        observe = SimulatedDetector(self.config.noise) if noisy else None
        return evaluate_mocap(lifter, self.dev, protocol, observe=observe)

    def finish(self, run: Run, progress: Told | None = None) -> dict[str, Score]:
        """Return all scores on the split dev that a card has, for the averaged weights, whose spread is calibrated."""
        tick = progress or (lambda *done: None)
        detector, total = SimulatedDetector(self.config.noise), 1 + len(MEASURES)
        tick(0, total, "spread")
        calibrate_spread(run.lifter.model, run.lifter, self.dev, (detector,))
        scores = {}
        for number, (name, (protocol, noisy)) in enumerate(MEASURES.items(), 1):
            tick(number, total, name)
            scores[name] = mocap_score(run.lifter, self.dev, self.archive, "dev", protocol, detector if noisy else None)
        tick(total, total, None)
        return scores


class BenchmarkTask:
    """A benchmark, with its training subjects and its test subjects."""

    license = OTHER_LICENSE

    def __init__(self, recipe: TrainRecipe, config: BenchmarkConfig, folder: Path, out: Path) -> None:
        """Store the arguments; archives are read when they are needed.

        Args:
            recipe: The recipe.
            config: The recipe's `data`.
            folder: Folder of the archives.
            out: Folder of the run, where the best weights are kept if the recipe asks for them.
        """
        self.recipe, self.config, self.folder, self.out = recipe, config, folder, out
        self.data = f"{config.dataset}, {config.keypoints}: training subjects; scores on the test subjects"

    @cached_property
    def test(self) -> BenchmarkSet:
        """The clips of the test subjects."""
        return self.config.load(self.folder, "test")

    def source(self, model: Lifter, device: torch.device) -> BenchmarkWindows:
        """Return every window of the training subjects."""
        clips = self.config.load(self.folder, "train").clips
        return BenchmarkWindows(clips, model, mirror=self.config.mirror, seed=self.recipe.seed, device=device)

    def evaluate(self, lifter: TorchLifter) -> dict[str, float]:
        """Return test scores, in mm; with `as_published`, also keep the weights if their MPJPE is the best so far."""
        mean = self.measure(lifter).mean
        if self.config.as_published and mean["mpjpe"] < self._best().get("mpjpe", float("inf")):
            content = {"recipe": recipe_json(self.recipe), "mpjpe": mean["mpjpe"], "model": lifter.model.state_dict()}
            save_state(self.out / "best.pt", content)
        return {f"test_{name}": value for name, value in mean.items()}

    def measure(self, lifter: TorchLifter, progress: Callable[[int, int], None] | None = None) -> Scores:
        """Return test scores by the recipe's protocol."""
        return evaluate_benchmark(lifter, self.test, self.config.choices(), progress=progress)

    def keep(self, run: Run) -> None:
        """Put the weights to keep into `run.average`: the last ones, or with `as_published` the best on the test."""
        best = self._best() if self.config.as_published else {}
        if best:
            run.average.load_state_dict(best["model"])

    def finish(self, run: Run, progress: Told | None = None) -> dict[str, Score]:
        """Return the test scores of the weights to keep."""
        self.keep(run)
        return as_on_card(self.config.dataset, self.measure(run.lifter, progress))

    def _best(self) -> dict[str, Any]:
        """Return what `evaluate` has kept for this recipe; empty when there is nothing."""
        path = self.out / "best.pt"
        if not found_at(path, CheckpointError):
            return {}
        try:
            best = read_torch_file(path)
        except CheckpointError as error:
            raise CheckpointError(f"{path} is broken; use a new --out folder ({error})") from error
        known = isinstance(best, dict) and is_recipe(best.get("recipe"), self.recipe)
        return best if known and isinstance(best.get("mpjpe"), float) and isinstance(best.get("model"), dict) else {}


class OwnTask:
    """Recordings of your own, some to train on and some to score by."""

    license = OTHER_LICENSE

    def __init__(self, recipe: TrainRecipe, config: OwnConfig, folder: Path) -> None:
        """Read the recordings of a folder.

        Raises:
            DatasetError: There is nothing to train on or to score; and everything else that `load_own` raises.
        """
        self.recipe, self.config = recipe, config
        self.train, self.test = (load_split(config, folder, split) for split in ("train", "test"))
        self.data = f"{self.train.name}: {len(self.train)} clips; scores on {self.test.notes['test']}"

    def source(self, model: Lifter, device: torch.device) -> OwnWindows:
        """Return every window of the recordings to train on."""
        return OwnWindows(self.train.clips, model, mirror=self.config.mirror, seed=self.recipe.seed, device=device)

    def evaluate(self, lifter: TorchLifter) -> dict[str, float]:
        """Return test scores, in mm, for the log."""
        return {f"test_{name}": value for name, value in self.measure(lifter).mean.items()}

    def measure(self, lifter: TorchLifter) -> Scores:
        """Return test scores at the lifter's frame rate."""
        clips = [at_rate(clip, lifter.fps) for clip in self.test.clips]
        return evaluate_benchmark(lifter, replace(self.test, clips=clips), PROTOCOLS[self.config.protocol]())

    def finish(self, run: Run, progress: Told | None = None) -> dict[str, Score]:
        """Return test scores of the averaged weights."""
        return as_on_card(self.train.name, self.measure(run.lifter))


def as_on_card(data: str, scores: Scores) -> dict[str, Score]:
    """Return test scores on a data set in the form that a card has."""
    frames = scores.counts["frames"]
    return {"test": Score(kind=BENCHMARK, data=data, protocol=scores.choices, frames=frames, mean=scores.mean)}


def make_task(recipe: TrainRecipe, data: Path, out: Path) -> MeasuredTask:
    """Return the task of a recipe.

    Args:
        recipe: The recipe.
        data: Path of the motion capture archive, or folder of the benchmark's archives or of your own recordings.
        out: Folder of the run.

    Raises:
        MissingData: A file is missing; and everything else that the loaders raise.
    """
    if isinstance(recipe.data, BenchmarkConfig):
        return BenchmarkTask(recipe, recipe.data, data, out)
    if isinstance(recipe.data, OwnConfig):
        return OwnTask(recipe, recipe.data, data)
    return MocapTask(recipe.data, data)
