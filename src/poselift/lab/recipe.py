"""What a recipe is: everything a training needs but the data's place."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from poselift.errors import RecipeError
from poselift.lab.benchmark_data import BenchmarkConfig
from poselift.lab.data import DataConfig
from poselift.lab.losses import LossConfig
from poselift.lab.optim import OptimConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainRecipe:
    """Everything a training needs but the data's place."""

    name: str
    """Name of the weights, `lifter.tag`."""
    lifter: str
    """Key of `poselift.lab.models.LIFTERS`, or `module:Class` for a lifter from elsewhere."""
    model: dict[str, Any] = field(default_factory=dict)
    """Fields of the lifter's config that differ from its defaults."""
    init: str = ""
    """Weights to take the encoder from, such as `poselift pretrain` writes; a fresh one when empty."""
    data: DataConfig | BenchmarkConfig = field(default_factory=DataConfig)
    """How windows of motion capture are drawn and observed, or which benchmark is trained on."""
    loss: LossConfig = field(default_factory=LossConfig)
    """What is minimised."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """How."""
    steps: int = 12000
    """Batches."""
    epochs: int = 0
    """Times through all windows, in place of `steps`; 0 to go by `steps`."""
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
    """Steps (epochs, for a recipe that goes by them) between evaluations while training; 0 for none."""
    checkpoint_every: int = 250
    """Steps between checkpoints."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            RecipeError: One is out of range; the message names it.
        """
        least = {"steps": 1, "epochs": 0, "batch_size": 1, "log_every": 1, "evaluate_every": 0, "checkpoint_every": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise RecipeError(f"{name}: wanted {bound} or more, got {getattr(self, name)}")
        for name in ("checkpoint_every",) if self.epochs else ("evaluate_every", "checkpoint_every"):
            if getattr(self, name) % self.log_every:  # a resumed run could not write the line it is in
                raise RecipeError(f"{name}: wanted a multiple of log_every={self.log_every}, got {getattr(self, name)}")
        if isinstance(self.data, BenchmarkConfig) and self.data.as_published and not self.evaluate_every:
            raise RecipeError("evaluate_every: wanted 1 or more with data.as_published, to find the best epoch; got 0")


def recipe_json(recipe: TrainRecipe) -> dict[str, Any]:
    """The recipe as plain JSON containers."""
    return json.loads(json.dumps(dataclasses.asdict(recipe)))


def is_recipe(stored: Any, recipe: TrainRecipe) -> bool:
    """Whether JSON that was stored is this recipe; options that came later had their defaults then."""
    if not isinstance(stored, dict):
        return False
    before = recipe_json(TrainRecipe(name="", lifter="", data=type(recipe.data)()))
    parts = {name: before[name] | stored.get(name, {}) for name in ("optim", "data")}
    return before | stored | parts == recipe_json(recipe)


def shortened(recipe: TrainRecipe, *, steps: int | None = None, epochs: int | None = None) -> TrainRecipe:
    """The recipe for a try-out: fewer steps or epochs, the rest alike. Unchanged when neither is given.

    Raises:
        RecipeError: Both are given, or one is below 1.
    """
    if steps is not None and epochs is not None:
        raise RecipeError(f"wanted steps or epochs, got both ({steps} and {epochs})")
    if epochs is not None:
        if epochs < 1:
            raise RecipeError(f"epochs: wanted 1 or more, got {epochs}")
        return dataclasses.replace(recipe, epochs=epochs)
    if steps is None:
        return recipe
    every = max(min(recipe.log_every, steps), 1)
    return dataclasses.replace(
        recipe, steps=steps, epochs=0, log_every=every,
        evaluate_every=math.ceil(steps / every) * every if recipe.evaluate_every else 0,  # the last step always is
        checkpoint_every=max(recipe.checkpoint_every // every, 1) * every,
    )  # fmt: skip
