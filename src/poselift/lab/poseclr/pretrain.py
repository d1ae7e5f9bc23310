"""The pre-training path: views of moments -> encode -> projector -> InfoNCE -> encoder weights for `poselift train`.

A run is a folder: `recipe.json`, `log.jsonl`, `checkpoint.pt` (which includes the memory bank, so that a stopped run
resumes exactly), `curves.svg`, and at the end NAME.safetensors with the encoder.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from poselift.errors import RecipeError
from poselift.lab.export.weights import save_weights
from poselift.lab.models import build
from poselift.lab.poseclr.bank import Moments
from poselift.lab.poseclr.network import PoseCLR, PoseCLRConfig
from poselift.lab.poseclr.retrieval import features_of, retrieve
from poselift.lab.poseclr.views import Views, ViewTask
from poselift.lab.run.curves import curves_svg
from poselift.lab.run.engine import Engine, Progress
from poselift.lab.run.optim import OptimConfig
from poselift.lab.run.recipe import RunRecipe, at_least
from poselift.lab.windows.batch import Share

_PANELS = (
    ("loss",),
    ("accuracy", "retrieval_top1", "retrieval_top5"),
    ("positive", "negative"),
    ("spread",),
    ("bank_fill",),
    ("bank_age",),
)


def _optim() -> OptimConfig:
    """Return Adam at 1e-3, as released (`lr_pre`); the warm-up, the cosine and the clipping are ours."""
    return OptimConfig(method="adam", lr=1e-3, warmup_steps=100, betas=(0.9, 0.999), weight_decay=0.0, ema=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainRecipe(RunRecipe):
    """Everything that a pre-training needs, except the path of the data."""

    contrast: PoseCLRConfig = field(default_factory=PoseCLRConfig)
    """The embedding and the loss."""
    views: int = 2
    """Views of each moment, one of them the anchor: 2 for one positive (ours), 4 for three as in the paper's figure."""
    optim: OptimConfig = field(default_factory=_optim)
    """The optimizer and its learning rate."""
    steps: int = 10000
    """Number of steps; each trains on one batch."""
    candidates: int = 500
    """Moments of unseen people among which retrieval, the score in the log, must find the right one."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            RecipeError: One is out of range; the message names it.
        """
        RunRecipe.__post_init__(self)
        at_least(self, views=2, candidates=2)
        if self.optim.schedule != "cosine" or self.optim.ema:
            raise RecipeError(
                f"optim: wanted the schedule cosine and no ema, got {self.optim.schedule} and {self.optim.ema}; the "
                "moving copy has its decay in contrast.momentum"
            )


class Pretraining(Engine[Views]):
    """One pre-training in one folder.

    The bank is the same in all processes, because each receives the keys of all.
    """

    recipe: PretrainRecipe
    model: PoseCLR
    unit = "moments"
    measures = ("loss", "positive", "negative", "accuracy", "spread", "bank_fill", "bank_age")

    def __init__(self, recipe: PretrainRecipe, task: ViewTask, out: Path) -> None:
        """Build everything, and resume from the folder's checkpoint if there is one.

        Args:
            recipe: The options of the pre-training.
            task: The views to train on and to score by.
            out: Path of the folder.

        Raises:
            CheckpointError: The folder holds a run of another recipe, or a broken checkpoint.
            RecipeError: There is no such lifter or device, or the batch is too small for so many processes.
        """
        super().__init__(recipe, out, lambda: PoseCLR(build(recipe.lifter, **recipe.model), recipe.contrast))
        self.task, self.source = task, task.views(self.model.lifter, recipe.views, self.device)
        self.unseen = task.unseen(self.model.lifter, self.device) if recipe.evaluate_every else None
        self.evaluate_steps = recipe.evaluate_every
        self._keys: list[tuple[Tensor, Moments]] = []
        if not self._resume():
            self.folder.remove(self.weights.name)

    @property
    def weights(self) -> Path:
        """Path of the encoder's weights, which exist once the run is at its last step."""
        return self.folder.path / f"{self.recipe.name}.safetensors"

    def pretrain(
        self, progress: Progress | None = None, *, max_minutes: float | None = None, signals: bool = False
    ) -> bool:
        """Pre-train up to the last step, and write the encoder.

        Args:
            progress: Called with (step, steps, log line) at every log line.
            max_minutes: Stop with a checkpoint after so many minutes; the next call resumes.
            signals: Stop with a checkpoint on SIGTERM, SIGINT and SIGHUP too, instead of ending at once.

        Returns:
            Whether the last step was reached.
        """
        if not self.step and self.unseen and self.ranks.first:
            self._log({"step": 0} | self.retrieve())
        done = self._run(progress, max_minutes, signals)
        if done and self.ranks.first and not self.weights.exists():
            self._write_encoder()
        return done

    def retrieve(self) -> dict[str, float]:
        """Return how well the encoder's features find the moments of unseen people again from another camera."""
        assert self.unseen is not None
        found = retrieve(
            features_of(self.model.lifter.eval()), self.unseen, candidates=self.recipe.candidates,
            margin_s=self.recipe.contrast.margin_s, device=self.device,
        )  # fmt: skip
        self._train_mode()
        return {
            "retrieval_top1": round(found.top1, 4),
            "retrieval_top5": round(found.top5, 4),
            "retrieval_rank": found.median_rank,
        }

    def _trainable(self) -> list[nn.Parameter]:
        """Return the parameters of the encoder and the projector."""
        return [parameter for _, parameter in self.model.trained() if parameter.requires_grad]

    def _draw(self, share: Share) -> Views:
        """Draw the views of a share of the step's moments."""
        return self.source.batch(share.size(self.recipe.batch_size), self.generator)

    def _forward(self, drawn: Views) -> dict[str, Tensor]:
        """Return the loss and the measures of a share, and keep its keys for `_after_step`."""
        with self._autocast():
            contrast = self.model(drawn.inputs, drawn.moments)
        self._keys.append((contrast.keys, drawn.moments))
        return {"loss": contrast.loss} | contrast.measures

    def _after_step(self) -> None:
        """Move the copies, and put the keys of all processes into the bank."""
        size = self.recipe.batch_size
        place = slice(self._shares[0].of(size).start, self._shares[-1].of(size).stop)
        keys, clips, spans = (
            self.ranks.gather(torch.cat(own), place, size)
            for own in zip(*((keys, moments.clip, moments.span_s) for keys, moments in self._keys), strict=True)
        )
        self._keys.clear()
        self.model.update(keys, Moments(clips, spans))

    def _describe(self, means: dict[str, float]) -> dict[str, Any]:
        """Return the means, rounded."""
        return {name: round(value, 5) for name, value in means.items()}

    def _scores(self) -> dict[str, float]:
        """Return the scores of the retrieval."""
        return self.retrieve()

    def _after_checkpoint(self) -> None:
        """Draw the curves of the log."""
        self.folder.write("curves.svg", curves_svg(self.recipe.name, self.folder.lines(), _PANELS))

    def _write_encoder(self) -> None:
        """Write the lifter's weights, marked as those of an encoder."""
        recipe = self.recipe
        save_weights(
            self.model.lifter, self.weights, lifter=recipe.lifter, config=recipe.model, part="encoder", overwrite=True
        )
