"""The pre-training path: views of moments -> encode -> projector -> InfoNCE -> encoder weights for `poselift train`.

A run is a folder: `recipe.json`, `log.jsonl`, `checkpoint.pt` (with the memory bank: a stopped run goes on exactly
where the last checkpoint was), `curves.svg`, and at the end NAME.safetensors with the encoder.
"""

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from poselift.errors import CheckpointError, RecipeError
from poselift.lab.benchmark_data import BenchmarkConfig
from poselift.lab.curves import curves_svg
from poselift.lab.data import DataConfig
from poselift.lab.folder import RunFolder, random_state, restore_random_state
from poselift.lab.models import build
from poselift.lab.models.poseclr import PoseCLR, PoseCLRConfig
from poselift.lab.optim import OptimConfig, learning_rate, make_optimizer
from poselift.lab.retrieval import features_of, retrieve
from poselift.lab.train import pick_device
from poselift.lab.views import ViewTask
from poselift.lab.weights import save_weights

_PANELS = (
    ("loss",),
    ("accuracy", "retrieval_top1", "retrieval_top5"),
    ("positive", "negative"),
    ("spread",),
    ("bank_fill",),
    ("bank_age",),
)


def _optim() -> OptimConfig:
    """Adam at 1e-3 as released (`lr_pre`); the warm-up, the cosine and the clipping are ours."""
    return OptimConfig(method="adam", lr=1e-3, warmup_steps=100, betas=(0.9, 0.999), weight_decay=0.0, ema=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainRecipe:
    """Everything a pre-training needs but the data's place."""

    name: str
    """Name of the weights, `lifter.tag`."""
    lifter: str
    """Key of `poselift.lab.models.LIFTERS`, or `module:Class` for a lifter from elsewhere."""
    model: dict[str, Any] = field(default_factory=dict)
    """Fields of the lifter's config that differ from its defaults."""
    data: DataConfig | BenchmarkConfig = field(default_factory=DataConfig)
    """How moments of motion capture are drawn and observed, or which benchmark's cameras are taken."""
    contrast: PoseCLRConfig = field(default_factory=PoseCLRConfig)
    """The embedding and the loss."""
    views: int = 2
    """Views of each moment, one of them the anchor: 2 for one positive (ours), 4 for three as the paper draws it."""
    optim: OptimConfig = field(default_factory=_optim)
    """How the weights are moved."""
    steps: int = 10000
    """Batches."""
    batch_size: int = 256
    """Moments in a batch."""
    seed: int = 0
    """Seed of weights, data and dropout."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """bf16 is mixed precision; "auto" takes it on a GPU."""
    device: str = "auto"
    """"cpu", "cuda", or "auto" for a GPU where there is one."""
    log_every: int = 50
    """Steps between log lines."""
    evaluate_every: int = 1000
    """Steps between retrievals among unseen people, before the first and after the last step too; 0 for none."""
    candidates: int = 500
    """Moments that are told apart in those retrievals."""
    checkpoint_every: int = 250
    """Steps between checkpoints."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            RecipeError: One is out of range; the message names it.
        """
        least = {"views": 2, "steps": 1, "batch_size": 1, "log_every": 1, "evaluate_every": 0, "checkpoint_every": 1}
        least |= {"candidates": 2}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise RecipeError(f"{name}: wanted {bound} or more, got {getattr(self, name)}")
        for name in ("evaluate_every", "checkpoint_every"):
            if getattr(self, name) % self.log_every:  # a resumed run could not write the line it is in
                raise RecipeError(f"{name}: wanted a multiple of log_every={self.log_every}, got {getattr(self, name)}")
        if self.optim.schedule != "cosine" or self.optim.ema:
            raise RecipeError(
                f"optim: wanted the schedule cosine and no ema, got {self.optim.schedule} and {self.optim.ema}; the "
                "moving copy has its decay in contrast.momentum"
            )


class Pretraining:
    """One pre-training, in one folder."""

    def __init__(self, recipe: PretrainRecipe, task: ViewTask, out: Path) -> None:
        """Build everything, and go on from the folder's checkpoint when there is one.

        Raises:
            CheckpointError: The folder holds a run of another recipe, or a broken checkpoint.
        """
        self.recipe, self.task = recipe, task
        self.device = pick_device(recipe.device)
        torch.manual_seed(recipe.seed)
        self.model = PoseCLR(build(recipe.lifter, **recipe.model), recipe.contrast).to(self.device)
        self.optimizer = make_optimizer(self.model, recipe.optim)
        self.generator = torch.Generator(self.device).manual_seed(recipe.seed)
        self.source = task.views(self.model.lifter, recipe.views, self.device)
        self.unseen = task.unseen(self.model.lifter, self.device) if recipe.evaluate_every else None
        self.step, self.seconds = 0, 0.0
        self.folder = RunFolder(out, _as_json(recipe))
        self._resume()

    @property
    def weights(self) -> Path:
        """Where the encoder's weights are, once the run is at its last step."""
        return self.folder.path / f"{self.recipe.name}.safetensors"

    def pretrain(
        self, progress: Callable[[int, int, dict[str, Any]], None] | None = None, *, max_minutes: float | None = None
    ) -> bool:
        """Pre-train to the last step, and write the encoder.

        Args:
            progress: Called with (step, steps, log line) at every log line.
            max_minutes: Stop with a checkpoint at the first log line after so long; the next call goes on.

        Returns:
            Whether the last step was reached.
        """
        recipe, began, start = self.recipe, time.monotonic(), time.monotonic()
        seen: list[dict[str, Tensor]] = []
        if not self.step and self.unseen:
            self.folder.log({"step": 0} | self.retrieve())
        self.model.train()
        while self.step < recipe.steps:
            seen.append(self._one_step())
            self.step += 1
            last = self.step == recipe.steps
            late = False
            if self.step % recipe.log_every == 0 or last:
                self.seconds += time.monotonic() - began
                line = self._line(seen)
                seen.clear()
                self.folder.log(line)
                began = time.monotonic()
                late = max_minutes is not None and began - start > 60 * max_minutes
                if progress:
                    progress(self.step, recipe.steps, line)
            if self.step % recipe.checkpoint_every == 0 or last or late:
                self._save()
            if late and not last:
                return False
        if not self.weights.exists():
            self._write_encoder()
        return True

    def retrieve(self) -> dict[str, float]:
        """How well the encoder's features find unseen moments from another camera."""
        assert self.unseen is not None
        found = retrieve(
            features_of(self.model.lifter.eval()), self.unseen, candidates=self.recipe.candidates,
            margin_s=self.recipe.contrast.margin_s, device=self.device,
        )  # fmt: skip
        self.model.train()
        return {
            "retrieval_top1": round(found.top1, 4),
            "retrieval_top5": round(found.top5, 4),
            "retrieval_rank": found.median_rank,
        }

    def _one_step(self) -> dict[str, Tensor]:
        recipe, model = self.recipe, self.model
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, recipe.steps, 1, recipe.optim)
        views = self.source.batch(recipe.batch_size, self.generator)
        bf16 = recipe.precision == "bf16" or (recipe.precision == "auto" and self.device.type == "cuda")
        with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            contrast = model(views.inputs, views.moments)
        self.optimizer.zero_grad()
        contrast.loss.backward()
        if recipe.optim.clip_norm:
            nn.utils.clip_grad_norm_([parameter for _, parameter in model.trained()], recipe.optim.clip_norm)
        self.optimizer.step()
        model.update(contrast.keys, views.moments)
        return {"loss": contrast.loss.detach()} | contrast.measures

    def _line(self, seen: list[dict[str, Tensor]]) -> dict[str, Any]:
        means = {name: torch.stack([measures[name] for measures in seen]).mean().item() for name in seen[0]}
        if not means["loss"] < float("inf"):
            raise RecipeError(f"the loss is no longer finite at step {self.step}; lower optim.lr")
        line = {"step": self.step} | {name: round(value, 5) for name, value in means.items()}
        line |= {
            "lr": round(self.optimizer.param_groups[0]["lr"], 7),
            "seconds": round(self.seconds, 1),
            "moments_per_s": round(self.step * self.recipe.batch_size / max(self.seconds, 1e-9), 1),
        }
        every, last = self.recipe.evaluate_every, self.step == self.recipe.steps
        return line | self.retrieve() if every and (self.step % every == 0 or last) else line

    def _save(self) -> None:
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        self.folder.save(state | {"step": self.step, "seconds": self.seconds} | random_state(self.generator))
        self.folder.write("curves.svg", curves_svg(self.recipe.name, self.folder.lines(), _PANELS))

    def _resume(self) -> None:
        state = self.folder.open(self.device, lambda stored: _is_recipe(stored, self.recipe))
        if state is None:
            self.weights.unlink(missing_ok=True)
            return
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            path = self.folder.path
            raise CheckpointError(f"{path} is of an older version of this lifter; use a new --out folder") from error
        self.step, self.seconds = state["step"], state["seconds"]
        restore_random_state(self.generator, state)
        self.folder.forget_after(self.step)

    def _write_encoder(self) -> None:
        recipe = self.recipe
        save_weights(self.model.lifter, self.weights, lifter=recipe.lifter, config=recipe.model, overwrite=True)


def _as_json(recipe: PretrainRecipe) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(recipe)))


def _is_recipe(stored: Any, recipe: PretrainRecipe) -> bool:
    """Whether JSON that was stored is this recipe; options that came later had their defaults then."""
    if not isinstance(stored, dict):
        return False
    before = _as_json(dataclasses.replace(PretrainRecipe(name="", lifter=""), data=type(recipe.data)()))
    parts = {name: before[name] | stored.get(name, {}) for name in ("data", "contrast", "optim")}
    return before | stored | parts == _as_json(recipe)
