"""The training path: clips -> windows -> observe -> normalise -> model -> loss -> evaluate -> card, ONNX.

A run is a folder: `recipe.json`, `log.jsonl` (a line every so many steps), `checkpoint.pt` (weights, optimiser, random
states: a stopped run goes on exactly where the last checkpoint was), and at the end NAME.onnx with its card.
"""

import dataclasses
import json
import math
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from poselift.datasets.mocap import MocapClip
from poselift.errors import CheckpointError, RecipeError
from poselift.evaluate import MocapProtocol, Scores, evaluate_mocap
from poselift.lab.data import DataConfig, MocapWindows
from poselift.lab.losses import LossConfig, pose_loss
from poselift.lab.models import build
from poselift.lab.models.lifter import Lifter
from poselift.lab.observe import SimulatedDetector
from poselift.output import written_whole


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimConfig:
    """How the weights are moved."""

    lr: float = 1e-3
    """Greatest learning rate."""
    warmup_steps: int = 200
    """Steps until it is reached."""
    final_lr: float = 0.01
    """Share of `lr` at the end of the cosine."""
    weight_decay: float = 0.01
    """AdamW's, on matrices only."""
    betas: tuple[float, float] = (0.9, 0.99)
    """AdamW's."""
    clip_norm: float = 1.0
    """Greatest norm of the gradient."""
    ema: float = 0.998
    """Decay of the averaged weights that are evaluated and exported; 0 for none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainRecipe:
    """Everything a training needs but the data's place."""

    name: str
    """Name of the weights, `lifter.tag`."""
    lifter: str
    """Key of `poselift.lab.models.LIFTERS`, or `module:Class` for a lifter from elsewhere."""
    model: dict[str, Any] = field(default_factory=dict)
    """Fields of the lifter's config that differ from its defaults."""
    data: DataConfig = field(default_factory=DataConfig)
    """How windows are drawn and observed."""
    loss: LossConfig = field(default_factory=LossConfig)
    """What is minimised."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """How."""
    steps: int = 12000
    """Batches."""
    batch_size: int = 256
    """Windows in a batch."""
    seed: int = 0
    """Seed of weights, data and dropout."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """bf16 is mixed precision; "auto" takes it on a GPU."""
    device: str = "auto"
    """"cpu", "cuda", or "auto" for a GPU where there is one."""
    log_every: int = 50
    """Steps between log lines."""
    evaluate_every: int = 1000
    """Steps between dev evaluations with one camera for each clip."""
    checkpoint_every: int = 250
    """Steps between checkpoints."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            RecipeError: One is out of range; the message names it.
        """
        for name in ("steps", "batch_size", "log_every", "evaluate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name}: wanted 1 or more, got {getattr(self, name)}")
        for name in ("evaluate_every", "checkpoint_every"):
            if getattr(self, name) % self.log_every:  # a resumed run could not write the line it is in
                raise RecipeError(f"{name}: wanted a multiple of log_every={self.log_every}, got {getattr(self, name)}")
        if not 0 <= self.optim.ema < 1:
            raise RecipeError(f"optim.ema: wanted a decay in [0, 1), got {self.optim.ema}")


class TorchLifter:
    """A torch lifter with the numpy contract of `poselift.lifter.Lifter`."""

    def __init__(self, model: Lifter) -> None:
        """Wrap a model that keeps the lab's contract; it is put into evaluation mode."""
        self.model = model.eval()
        self.skeleton, self.fps, self.in_channels = model.skeleton, model.fps, model.in_channels
        self.in_frames, self.out_frames = model.in_frames, model.out_frames

    @torch.no_grad()
    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """(B, T, J, C) to (B, S, J, 3), both float32."""
        device = next(self.model.parameters()).device
        return self.model(torch.from_numpy(np.ascontiguousarray(windows, np.float32)).to(device)).float().cpu().numpy()


class Run:
    """One training, in one folder."""

    def __init__(self, recipe: TrainRecipe, train: Sequence[MocapClip], dev: Sequence[MocapClip], out: Path) -> None:
        """Build everything, and go on from the folder's checkpoint when there is one.

        Raises:
            CheckpointError: The folder holds a run of another recipe, or a broken checkpoint.
        """
        self.recipe, self.dev, self.out = recipe, dev, out
        self.device = _device(recipe.device)
        torch.manual_seed(recipe.seed)
        self.model = build(recipe.lifter, **recipe.model).to(self.device)
        self.average = build(recipe.lifter, **recipe.model).to(self.device)
        self.average.load_state_dict(self.model.state_dict())
        self.optimizer = torch.optim.AdamW(
            _groups(self.model, recipe.optim.weight_decay), recipe.optim.lr, recipe.optim.betas
        )
        self.generator = torch.Generator(self.device).manual_seed(recipe.seed)
        self.data = MocapWindows(
            train, in_frames=self.model.in_frames, out_frames=self.model.out_frames,
            in_channels=self.model.in_channels, fps=self.model.fps, config=recipe.data, device=self.device,
        )  # fmt: skip
        self.step, self.seconds = 0, 0.0
        out.mkdir(parents=True, exist_ok=True)
        self._resume()

    def train(self, progress: Callable[[int, int, dict], None] | None = None) -> None:
        """Train to the last step.

        Args:
            progress: Called with (step, steps, log line) at every log line.
        """
        recipe, losses, began = self.recipe, [], time.monotonic()
        self.model.train()
        while self.step < recipe.steps:
            losses.append(self._one_step())
            self.step += 1
            last = self.step == recipe.steps
            if self.step % recipe.log_every == 0 or last:
                self.seconds += time.monotonic() - began
                began = time.monotonic()
                line = self._line(torch.stack(losses))
                losses.clear()
                if self.step % recipe.evaluate_every == 0 or last:
                    line |= {f"dev_{name}": value for name, value in self.evaluate(cameras=1).mean.items()}
                self._log(line)
                if progress:
                    progress(self.step, recipe.steps, line)
            if self.step % recipe.checkpoint_every == 0 or last:
                self._save()

    def evaluate(self, *, cameras: int = 4, noisy: bool = False, flip_average: bool = False) -> Scores:
        """Dev scores of the averaged weights."""
        protocol = MocapProtocol(cameras=cameras, flip_average=flip_average)
        return evaluate_mocap(
            TorchLifter(self.average), self.dev, protocol,
            observe=SimulatedDetector(self.recipe.data.noise) if noisy else None,
        )  # fmt: skip

    def _one_step(self) -> Tensor:
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, recipe.steps, recipe.optim)
        batch = self.data.batch(recipe.batch_size, self.generator)
        bf16 = recipe.precision == "bf16" or (recipe.precision == "auto" and self.device.type == "cuda")
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            features = self.model.encode(batch.inputs)
        pred = self.model.head(features.float())  # bfloat16 would round a metre to 4 mm
        loss = pose_loss(pred, batch.targets, self.model.skeleton, recipe.loss)
        self.optimizer.zero_grad()
        loss.backward()
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
        if not isinstance(state, dict) or json.loads(state.get("recipe", "0")) != recipe_json(self.recipe):
            raise CheckpointError(f"{path} belongs to another recipe (see recipe.json); use a new --out folder")
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
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


def learning_rate(step: int, steps: int, optim: OptimConfig) -> float:
    """Linear rise, then half a cosine down to `final_lr`."""
    if step < optim.warmup_steps:
        return optim.lr * (step + 1) / optim.warmup_steps
    done = (step - optim.warmup_steps) / max(steps - optim.warmup_steps, 1)
    return optim.lr * (optim.final_lr + (1 - optim.final_lr) * 0.5 * (1 + math.cos(math.pi * done)))


@torch.no_grad()
def _move_average(average: nn.Module, model: nn.Module, share: float) -> None:
    """Move averaged weights and running statistics towards the model's by a share of the way; counts are copied."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), share)
    for mean, now in zip(average.buffers(), model.buffers(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(now, share)
        else:
            mean.copy_(now)


def recipe_json(recipe: TrainRecipe) -> dict[str, Any]:
    """The recipe as plain JSON containers."""
    return json.loads(json.dumps(dataclasses.asdict(recipe)))


def _groups(model: nn.Module, weight_decay: float) -> Iterator[dict[str, Any]]:
    """Parameters with and without weight decay: biases, norms and position codes go without."""
    for decayed in (True, False):
        chosen = [p for n, p in model.named_parameters() if (p.ndim >= 2 and "position" not in n) == decayed]
        yield {"params": chosen, "weight_decay": weight_decay if decayed else 0.0}


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise RecipeError("device: wanted a GPU, but torch sees none; use --device cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise RecipeError(f"device: wanted cpu, cuda or auto, got '{name}'") from error
