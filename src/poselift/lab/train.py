"""The training path: windows -> model -> loss -> evaluate -> card and ONNX file, whatever data the windows come from.

A run is a folder: `recipe.json`, `log.jsonl` (a line every `log_every` steps), `checkpoint.pt` (weights, optimizer and
step, from which a stopped run resumes exactly), and at the end NAME.onnx with its card. `poselift.lab.run.engine` holds
what pre-training shares: the loop, accumulation, many processes, stopping.
"""

import copy
import math
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from poselift.errors import CheckpointError
from poselift.files import found_at, sha256_of
from poselift.lab.export.card import card_of
from poselift.lab.export.onnx import export_onnx
from poselift.lab.export.weights import load_initial, save_weights
from poselift.lab.models import build
from poselift.lab.models.lifter import Lifter
from poselift.lab.run.engine import Engine, Progress
from poselift.lab.run.losses import batch_losses, check_taught
from poselift.lab.run.recipe import TrainRecipe, recipe_json
from poselift.lab.windows.batch import WHOLE, Batch, Share
from poselift.lifters.card import Score, Training
from poselift.measure.speed import machine
from poselift.prepare.normalize import PERSON_SCALE


class Source(Protocol):
    """Where a training's windows come from."""

    normalization: str
    """Name of the keypoints' normalisation, one of `poselift.prepare.normalize.NORMALIZATIONS`."""

    @property
    def windows(self) -> int:
        """Number of windows in an epoch."""

    def batch(self, size: int, generator: torch.Generator, step: int = 0, share: Share = WHOLE) -> Batch:
        """Draw a share of the `size` windows of a step; the same step and generator state give the same windows."""


class Task(Protocol):
    """The data that a run trains on, and how the run is scored."""

    def source(self, model: Lifter, device: torch.device) -> Source:
        """Return the windows that this model trains on."""

    def evaluate(self, lifter: "TorchLifter") -> dict[str, float]:
        """Return scores for the log, by name."""


class TorchLifter:
    """A torch lifter that fulfils the numpy contract of `poselift.lifters.contract.Lifter`."""

    def __init__(self, model: Lifter, normalization: str = PERSON_SCALE) -> None:
        """Wrap a model that fulfils the lab's contract, and put it into evaluation mode."""
        self.model, self.normalization = model.eval(), normalization
        self.skeleton, self.fps, self.in_channels = model.skeleton, model.fps, model.in_channels
        self.in_frames, self.out_frames = model.in_frames, model.out_frames

    @torch.no_grad()
    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Map keypoints (B, T, J, C) to joints (B, S, J, 3), root-relative metres, both float32."""
        device = next(self.model.parameters()).device
        return self.model(torch.from_numpy(np.ascontiguousarray(windows, np.float32)).to(device)).float().cpu().numpy()

    @torch.no_grad()
    def answer(self, windows: np.ndarray) -> dict[str, np.ndarray]:
        """Map keypoints (B, T, J, C) to everything that the model gives by name, float32."""
        if not hasattr(self.model, "answer"):
            return {"joints": self(windows)}
        device = next(self.model.parameters()).device
        found = self.model.answer(torch.from_numpy(np.ascontiguousarray(windows, np.float32)).to(device))
        return {name: value.float().cpu().numpy() for name, value in found.items()}


class Run(Engine[Batch]):
    """One training in one folder."""

    recipe: TrainRecipe
    model: Lifter
    average: Lifter

    def __init__(self, recipe: TrainRecipe, task: Task, out: Path) -> None:
        """Build everything, and resume from the folder's checkpoint if there is one.

        Args:
            recipe: The options of the training.
            task: The data to train on and to score by.
            out: Path of the folder.

        Raises:
            CheckpointError: The folder holds a run of another recipe, or a broken checkpoint; or the weights of
                `recipe.init` do not fit.
            RecipeError: There is no such lifter or device, or the batch is too small for so many processes.
        """
        super().__init__(recipe, out, lambda: build(recipe.lifter, **recipe.model))
        if recipe.init and not found_at(out / "checkpoint.pt", CheckpointError):
            load_initial(self.model, recipe.init)
        heads = getattr(self.model, "extras", None)
        self.measures = ("loss", "joints", *(heads.sizes if heads is not None else ()))
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self._mixed = False
        self.task, self.source = task, task.source(self.model, self.device)
        self.epoch_steps = math.ceil(self.source.windows / recipe.batch_size)
        self.steps = recipe.epochs * self.epoch_steps or recipe.steps
        self.evaluate_steps = recipe.evaluate_every * (self.epoch_steps if recipe.epochs else 1)
        self._resume()

    @property
    def lifter(self) -> TorchLifter:
        """The lifter with the averaged weights, for evaluation."""
        return TorchLifter(self.average, self.source.normalization)

    def train(
        self, progress: Progress | None = None, *, max_minutes: float | None = None, signals: bool = False
    ) -> bool:
        """Train up to the last step.

        Args:
            progress: Called with (step, steps, log line) at every log line.
            max_minutes: Stop with a checkpoint after so many minutes; the next call resumes.
            signals: Stop with a checkpoint on SIGTERM, SIGINT and SIGHUP too, instead of ending at once.

        Returns:
            Whether the last step was reached.
        """
        done = self._run(progress, max_minutes, signals)
        if done and self.recipe.keep_init and not self._mixed:
            start = copy.deepcopy(self.average)
            load_initial(start, self.recipe.init)
            _move_average(self.average, start, self.recipe.keep_init)
            self._mixed = True
        return done

    def _draw(self, share: Share) -> Batch:
        """Draw a share of the step's windows."""
        return self.source.batch(self.recipe.batch_size, self.generator, self.step, share)

    def _forward(self, drawn: Batch) -> dict[str, Tensor]:
        """Return the loss of a share, in metres, and its parts."""
        with self._autocast():
            features = self.model.encode(drawn.inputs)
        features = features.float()  # bfloat16 would round a metre to 4 mm
        heads = getattr(self.model, "extras", None)
        extras = {} if heads is None else heads(features)
        if self.step == 0 and not self.recipe.init:
            check_taught(extras, drawn)
        return batch_losses(self.model.head(features), extras, drawn, self.model.skeleton, self.recipe.loss)

    def _after_step(self) -> None:
        """Move the averaged weights; the first steps move them faster than `optim.ema` says."""
        decay = min(self.recipe.optim.ema, (1 + self.step) / (10 + self.step))
        _move_average(self.average, self.model, 1 - decay)

    def _describe(self, means: dict[str, float]) -> dict[str, Any]:
        """Return the joints' loss in millimetres, and the parts of what else the lifter gives in their own units."""
        parts = {f"{name}_loss": round(value, 4) for name, value in means.items() if name not in ("loss", "joints")}
        return {"loss_mm": round(1000 * means["joints"], 3)} | parts

    def _scores(self) -> dict[str, float]:
        """Return the task's scores of the averaged weights."""
        return self.task.evaluate(self.lifter)


@torch.no_grad()
def _move_average(average: nn.Module, model: nn.Module, share: float) -> None:
    """Move averaged weights and running statistics by a share of the way to the model's; integer buffers are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), share)
    for mean, now in zip(average.buffers(), model.buffers(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(now, share)
        else:
            mean.copy_(now)


def write_weights(run: Run, *, scores: dict[str, Score], data: str, license: str, commit: str, date: str) -> Path:
    """Write `NAME.onnx`, `NAME.json` and `NAME.safetensors` of a finished run into its folder.

    Args:
        run: A run at its last step.
        scores: Measured errors for the card, by how they were measured.
        data: Description of the training data, for the card.
        license: Licence of the weights.
        commit: Commit of the code.
        date: Day of the export.

    Returns:
        Path of the ONNX file; files of an earlier export are replaced.

    Raises:
        OutputError: ONNX Runtime does not agree with torch, or a file cannot be written.
    """
    recipe = run.recipe
    stem = run.out / recipe.name
    save_weights(run.average, f"{stem}.safetensors", lifter=recipe.lifter, config=recipe.model, overwrite=True)
    export_onnx(run.average, f"{stem}.onnx", overwrite=True)
    windows = recipe.epochs * run.source.windows if recipe.epochs else run.step * recipe.batch_size
    card = card_of(
        run.average,
        recipe.name,
        normalization=run.source.normalization,
        data=data,
        license=license,
        scores=scores,
        sha256=sha256_of(Path(f"{stem}.onnx")),
        training=Training(
            recipe=recipe_json(recipe),
            init=Path(recipe.init).name or None,
            commit=commit,
            date=date,
            steps=run.step,
            windows=windows,
            hours=round(run.seconds / 3600, 2),
            machine=f"{machine()}, {run.device}",
            threads=torch.get_num_threads(),
            note="",
        ),
    )
    card.write(Path(f"{stem}.json"), overwrite=True)
    return Path(f"{stem}.onnx")
