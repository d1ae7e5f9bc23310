"""The training path: windows -> model -> loss -> evaluate -> card, ONNX, whatever the windows come from.

A run is a folder: `recipe.json`, `log.jsonl` (a line every so many steps), `checkpoint.pt` (weights, optimiser, random
states: a stopped run goes on exactly where the last checkpoint was), and at the end NAME.onnx with its card.
"""

import json
import math
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from poselift.errors import CheckpointError, RecipeError
from poselift.lab.data import Batch
from poselift.lab.losses import pose_loss
from poselift.lab.models import build
from poselift.lab.models.lifter import Lifter
from poselift.lab.optim import learning_rate, make_optimizer
from poselift.lab.recipe import TrainRecipe, is_recipe, recipe_json
from poselift.lab.weights import load_encoder
from poselift.normalize import PERSON_SCALE
from poselift.output import written_whole


class Source(Protocol):
    """Where a training's windows come from."""

    normalization: str
    """How the keypoints are normalised, one of `poselift.normalize.NORMALIZATIONS`."""

    @property
    def windows(self) -> int:
        """Windows in an epoch."""

    def batch(self, size: int, generator: torch.Generator, step: int = 0) -> Batch:
        """The windows of a step, at most `size`; the same step and generator state give the same ones."""


class Task(Protocol):
    """What a run is trained on and scored by."""

    def source(self, model: Lifter, device: torch.device) -> Source:
        """The windows for this model."""

    def evaluate(self, lifter: "TorchLifter") -> dict[str, float]:
        """Scores for the log, by name."""


class TorchLifter:
    """A torch lifter with the numpy contract of `poselift.lifter.Lifter`."""

    def __init__(self, model: Lifter, normalization: str = PERSON_SCALE) -> None:
        """Wrap a model that keeps the lab's contract; it is put into evaluation mode."""
        self.model, self.normalization = model.eval(), normalization
        self.skeleton, self.fps, self.in_channels = model.skeleton, model.fps, model.in_channels
        self.in_frames, self.out_frames = model.in_frames, model.out_frames

    @torch.no_grad()
    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """(B, T, J, C) to (B, S, J, 3), both float32."""
        device = next(self.model.parameters()).device
        return self.model(torch.from_numpy(np.ascontiguousarray(windows, np.float32)).to(device)).float().cpu().numpy()


class Run:
    """One training, in one folder."""

    def __init__(self, recipe: TrainRecipe, task: Task, out: Path) -> None:
        """Build everything, and go on from the folder's checkpoint when there is one.

        Raises:
            CheckpointError: The folder holds a run of another recipe, or a broken checkpoint.
        """
        self.recipe, self.task, self.out = recipe, task, out
        self.device = pick_device(recipe.device)
        torch.manual_seed(recipe.seed)
        self.model = build(recipe.lifter, **recipe.model).to(self.device)
        if recipe.init and not (out / "checkpoint.pt").exists():
            load_encoder(self.model, recipe.init)
        self.average = build(recipe.lifter, **recipe.model).to(self.device)
        self.average.load_state_dict(self.model.state_dict())
        self.optimizer = make_optimizer(self.model, recipe.optim)
        self.generator = torch.Generator(self.device).manual_seed(recipe.seed)
        self.source = task.source(self.model, self.device)
        self.epoch_steps = math.ceil(self.source.windows / recipe.batch_size)
        self.steps = recipe.epochs * self.epoch_steps or recipe.steps
        self.step, self.seconds = 0, 0.0
        out.mkdir(parents=True, exist_ok=True)
        self._resume()

    @property
    def lifter(self) -> TorchLifter:
        """The averaged weights, for evaluation."""
        return TorchLifter(self.average, self.source.normalization)

    def train(self, progress: Callable[[int, int, dict], None] | None = None) -> None:
        """Train to the last step.

        Args:
            progress: Called with (step, steps, log line) at every log line.
        """
        recipe, losses, began = self.recipe, [], time.monotonic()
        every = recipe.evaluate_every * (self.epoch_steps if recipe.epochs else 1)
        self.model.train()
        while self.step < self.steps:
            losses.append(self._one_step())
            self.step += 1
            last = self.step == self.steps
            evaluate = every and (self.step % every == 0 or last)
            if self.step % recipe.log_every == 0 or evaluate or last:
                self.seconds += time.monotonic() - began
                began = time.monotonic()
                line = self._line(torch.stack(losses))
                losses.clear()
                if evaluate:
                    line |= self.task.evaluate(self.lifter)
                self._log(line)
                if progress:
                    progress(self.step, self.steps, line)
            if self.step % recipe.checkpoint_every == 0 or last:
                self._save()

    def _one_step(self) -> Tensor:
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.steps, self.epoch_steps, recipe.optim)
        batch = self.source.batch(recipe.batch_size, self.generator, self.step)
        bf16 = recipe.precision == "bf16" or (recipe.precision == "auto" and self.device.type == "cuda")
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            features = self.model.encode(batch.inputs)
        pred = self.model.head(features.float())  # bfloat16 would round a metre to 4 mm
        loss = pose_loss(pred, batch.targets, self.model.skeleton, recipe.loss)
        self.optimizer.zero_grad()
        loss.backward()
        if recipe.optim.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), recipe.optim.clip_norm)
        self.optimizer.step()
        decay = min(recipe.optim.ema, (1 + self.step) / (10 + self.step))
        _move_average(self.average, self.model, 1 - decay)
        return loss.detach()

    def _line(self, losses: Tensor) -> dict[str, Any]:
        if not losses.isfinite().all():
            raise RecipeError(f"the loss is no longer finite at step {self.step}; lower optim.lr")
        speed = self.step * self.recipe.batch_size / max(self.seconds, 1e-9)
        lr = self.optimizer.param_groups[0]["lr"]
        return {
            "step": self.step,
            "loss_mm": round(1000 * losses.mean().item(), 3),
            "lr": round(lr, 7),
            "seconds": round(self.seconds, 1),
            "windows_per_s": round(speed, 1),
        }

    def _log(self, line: dict[str, Any]) -> None:
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def _save(self) -> None:
        state = {
            "recipe": json.dumps(recipe_json(self.recipe)),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "data_rng": self.generator.get_state(),
            "torch_rng": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            state["cuda_rng"] = torch.cuda.get_rng_state(self.device)
        with written_whole(self.out / "checkpoint.pt", overwrite=True) as path:
            torch.save(state, path)

    def _resume(self) -> None:
        path = self.out / "checkpoint.pt"
        if not path.exists():
            (self.out / "log.jsonl").unlink(missing_ok=True)
            with written_whole(self.out / "recipe.json", overwrite=True) as temporary:
                temporary.write_text(json.dumps(recipe_json(self.recipe), indent=2) + "\n", encoding="utf-8")
            return
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
        except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
            raise CheckpointError(f"{path} is no checkpoint of ours or is broken; use a new --out folder") from error
        if not isinstance(state, dict) or not is_recipe(json.loads(state.get("recipe", "0")), self.recipe):
            raise CheckpointError(f"{path} belongs to another recipe (see recipe.json); use a new --out folder")
        try:
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(f"{path} is of an older version of this lifter; use a new --out folder") from error
        self.step, self.seconds = state["step"], state["seconds"]
        self.generator.set_state(state["data_rng"].cpu())
        torch.set_rng_state(state["torch_rng"].cpu())
        if "cuda_rng" in state:
            torch.cuda.set_rng_state(state["cuda_rng"].cpu(), self.device)
        self._forget_after(self.step)

    def _forget_after(self, step: int) -> None:
        """Drop the log's lines that the checkpoint does not know of."""
        path = self.out / "log.jsonl"
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
            with written_whole(path, overwrite=True) as temporary:
                temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


@torch.no_grad()
def _move_average(average: nn.Module, model: nn.Module, share: float) -> None:
    """Move averaged weights and running statistics towards the model's by a share of the way; counts are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), share)
    for mean, now in zip(average.buffers(), model.buffers(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(now, share)
        else:
            mean.copy_(now)


def pick_device(name: str) -> torch.device:
    """The device of this name; "auto" is a GPU where there is one.

    Raises:
        RecipeError: There is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise RecipeError("device: wanted a GPU, but torch sees none; use --device cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise RecipeError(f"device: wanted cpu, cuda or auto, got '{name}'") from error
