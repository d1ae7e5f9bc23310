"""What a recipe is: everything a training needs but the data's place."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from poselift.errors import RecipeError
from poselift.lab.run.losses import LossConfig
from poselift.lab.run.optim import OptimConfig
from poselift.lab.windows.benchmark import BenchmarkConfig
from poselift.lab.windows.mocap import DataConfig
from poselift.lab.windows.own import OwnConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecipe:
    """What a training and a pre-training need alike, but for the data's place."""

    name: str
    """Name of the weights, `lifter.tag`."""
    lifter: str
    """Key of `poselift.lab.models.LIFTERS`, or `module:Class` for a lifter from elsewhere."""
    model: dict[str, Any] = field(default_factory=dict)
    """Fields of the lifter's config that differ from its defaults."""
    data: DataConfig | BenchmarkConfig | OwnConfig = field(default_factory=DataConfig)
    """How motion capture is drawn and observed, which benchmark is taken, or which of one's own recordings."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """How the weights are moved."""
    steps: int = 12000
    """Batches."""
    batch_size: int = 256
    """Windows in a batch (moments, in pre-training), over all processes."""
    accumulate: int = 1
    """Parts that each process makes of its share of a batch, one after another, to save memory."""
    seed: int = 0
    """Seed of weights, data and dropout."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """bf16 is mixed precision; "auto" takes it on a GPU."""
    device: str = "auto"
    """"cpu", "cuda", or "auto" for a GPU where there is one."""
    log_every: int = 50
    """Steps between log lines."""
    evaluate_every: int = 1000
    """Steps (epochs, for a recipe that goes by them) between scores in the log; 0 for none."""
    checkpoint_every: int = 250
    """Steps between checkpoints."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            RecipeError: One is out of range; the message names it.
        """
        at_least(self, steps=1, batch_size=1, accumulate=1, log_every=1, evaluate_every=0, checkpoint_every=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainRecipe(RunRecipe):
    """Everything a training needs but the data's place."""

    init: str = ""
    """Weights to start from: an encoder of `poselift pretrain`, or those of a lifter with its head; fresh ones when
    empty."""
    loss: LossConfig = field(default_factory=LossConfig)
    """What is minimised."""
    epochs: int = 0
    """Times through all windows, in place of `steps`; 0 to go by `steps`."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            RecipeError: One is out of range; the message names it.
        """
        RunRecipe.__post_init__(self)
        at_least(self, epochs=0)
        if isinstance(self.data, BenchmarkConfig) and self.data.as_published and not self.evaluate_every:
            raise RecipeError("evaluate_every: wanted 1 or more with data.as_published, to find the best epoch; got 0")


def at_least(recipe: RunRecipe, **bounds: int) -> None:
    """Check numbers of a recipe.

    Raises:
        RecipeError: One is below its bound; the message names it.
    """
    for name, bound in bounds.items():
        if getattr(recipe, name) < bound:
            raise RecipeError(f"{name}: wanted {bound} or more, got {getattr(recipe, name)}")


def recipe_json(recipe: RunRecipe) -> dict[str, Any]:
    """The recipe as plain JSON containers."""
    return json.loads(json.dumps(dataclasses.asdict(recipe)))


def is_recipe(stored: Any, recipe: RunRecipe) -> bool:
    """Whether JSON that was stored is this recipe; options that came later had their defaults then."""
    if not isinstance(stored, dict):
        return False
    before = recipe_json(type(recipe)(name="", lifter="", data=type(recipe.data)()))
    groups = [
        field.name for field in dataclasses.fields(recipe) if dataclasses.is_dataclass(getattr(recipe, field.name))
    ]
    parts = {name: before[name] | stored.get(name, {}) for name in groups}
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
