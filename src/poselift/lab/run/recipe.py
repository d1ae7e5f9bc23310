"""Recipes: everything that a training needs, except the path of the data."""

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
    """The options that a training and a pre-training share."""

    name: str
    """Name of the weights, `lifter.tag`."""
    lifter: str
    """Key of `poselift.lab.models.LIFTERS`, or `module:Class` for a lifter from elsewhere."""
    model: dict[str, Any] = field(default_factory=dict)
    """Fields of the lifter's config that differ from its defaults."""
    data: DataConfig | BenchmarkConfig | OwnConfig = field(default_factory=DataConfig)
    """The data: how motion capture is drawn and observed, which benchmark is used, or which of your own recordings."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """The optimizer and its learning rate."""
    steps: int = 12000
    """Number of steps; each trains on one batch."""
    batch_size: int = 256
    """Windows in a batch (moments, in pre-training), over all processes."""
    accumulate: int = 1
    """Number of parts into which each process splits its share of a batch, to save memory."""
    seed: int = 0
    """Seed of weights, data and dropout."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """"fp32", or "bf16" for mixed precision; "auto" is bf16 on a GPU and fp32 elsewhere."""
    device: str = "auto"
    """"cpu", "cuda", or "auto" for a GPU where there is one."""
    log_every: int = 50
    """Steps between log lines."""
    evaluate_every: int = 1000
    """Steps between scores in the log (epochs, if the recipe sets `epochs`); 0 for no scores."""
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
    """Everything that a training needs, except the path of the data."""

    init: str = ""
    """Weights to start from: an encoder written by `poselift pretrain`, or a lifter written by `poselift train`; fresh
    weights when empty."""
    keep_init: float = 0.0
    """Share of the weights of `init` in those that are exported, which are their mean with what was trained (Wortsman
    et al., CVPR 2022): fine-tuning then loses less of what `init` was good at."""
    loss: LossConfig = field(default_factory=LossConfig)
    """The loss that is minimised."""
    epochs: int = 0
    """Number of passes over all windows, which replaces `steps`; with 0, `steps` counts."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            RecipeError: One is out of range; the message names it.
        """
        RunRecipe.__post_init__(self)
        at_least(self, epochs=0)
        if not 0 <= self.keep_init < 1 or (self.keep_init and not self.init):
            raise RecipeError(
                f"keep_init: wanted a share in [0, 1), and 0 without init, got {self.keep_init} with init={self.init!r}"
            )
        if isinstance(self.data, BenchmarkConfig) and self.data.as_published:
            if not self.evaluate_every:
                raise RecipeError(
                    "evaluate_every: wanted 1 or more with data.as_published, to find the best epoch; got 0"
                )
            if self.keep_init:
                raise RecipeError(
                    "keep_init: wanted 0 with data.as_published, which keeps the weights of the best epoch; got "
                    f"{self.keep_init}"
                )


def at_least(recipe: RunRecipe, **bounds: int) -> None:
    """Check that numbers of a recipe are not below their bounds.

    Args:
        recipe: The recipe.
        **bounds: The least value of each field, by the field's name.

    Raises:
        RecipeError: A number is below its bound; the message names it.
    """
    for name, bound in bounds.items():
        if getattr(recipe, name) < bound:
            raise RecipeError(f"{name}: wanted {bound} or more, got {getattr(recipe, name)}")


def recipe_json(recipe: RunRecipe) -> dict[str, Any]:
    """Return the recipe as dictionaries, lists, strings and numbers, ready for JSON."""
    return json.loads(json.dumps(dataclasses.asdict(recipe)))


def is_recipe(stored: Any, recipe: RunRecipe) -> bool:
    """Return whether stored JSON is this recipe; options that it lacks, because they are newer, count as defaults."""
    if not isinstance(stored, dict):
        return False
    defaults = recipe_json(type(recipe)(name="", lifter="", data=type(recipe.data)()))
    groups = [
        field.name for field in dataclasses.fields(recipe) if dataclasses.is_dataclass(getattr(recipe, field.name))
    ]
    if not all(isinstance(stored.get(name, {}), dict) for name in groups):
        return False
    parts = {name: defaults[name] | stored.get(name, {}) for name in groups}
    return defaults | stored | parts == recipe_json(recipe)


def shortened(recipe: TrainRecipe, *, steps: int | None = None, epochs: int | None = None) -> TrainRecipe:
    """Return the recipe with other steps or epochs, to try it out; unchanged when neither is given.

    Raises:
        RecipeError: Both are given, or one is below 1.
    """
    if steps is not None and epochs is not None:
        raise RecipeError(f"wanted either steps or epochs, got both ({steps} and {epochs}); leave one out")
    if epochs is not None:
        if epochs < 1:
            raise RecipeError(f"epochs: wanted 1 or more, got {epochs}")
        return dataclasses.replace(recipe, epochs=epochs)
    if steps is None:
        return recipe
    every = max(min(recipe.log_every, steps), 1)
    return dataclasses.replace(
        recipe, steps=steps, epochs=0, log_every=every,
        evaluate_every=math.ceil(steps / every) * every if recipe.evaluate_every else 0,  # the last step is evaluated
        checkpoint_every=max(recipe.checkpoint_every // every, 1) * every,
    )  # fmt: skip
