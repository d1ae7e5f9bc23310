"""Make the recipes of rows of the papers' tables from what the rows have in common."""

from collections.abc import Callable
from typing import Any

from poselift.lab.run.losses import LossConfig
from poselift.lab.run.optim import OptimConfig
from poselift.lab.run.recipe import TrainRecipe
from poselift.lab.windows.benchmark import BenchmarkConfig

Recipe = Callable[[], TrainRecipe]

H36M = {"cpn": "cpn_ft_h36m_dbb", "gt": "gt"}
"""Human3.6M's keypoints: the papers' name, and the name in the archive's file name."""
WINDOWS = {"h36m": 2 * 1_559_752, "3dhp": 2 * 1_052_736, "humaneva": 2 * 10_041}
"""Windows in an epoch, with the mirrored ones: two for each frame of the training subjects."""


def by_epochs(*, lr: float, factor: float, halve_every: int = 0) -> OptimConfig:
    """Return Adam (amsgrad) with a factor after each epoch, without warm-up, decay, clipping or averaging."""
    return OptimConfig(
        method="adam", lr=lr, warmup_steps=0, schedule="epochs", epoch_factor=factor, halve_every=halve_every,
        weight_decay=0, betas=(0.9, 0.999), clip_norm=0, ema=0,
    )  # fmt: skip


def row(
    name: str,
    title: str,
    *,
    data: BenchmarkConfig,
    optim: OptimConfig,
    epochs: int,
    batch_size: int,
    model: dict[str, Any] | None = None,
    loss: LossConfig | None = None,
    hardware: str,
    paper: str,
    ours: str = "not measured: data not at hand",
    says: str = "",
) -> Recipe:
    """Return the recipe of one result.

    Args:
        name: The recipe's name, which begins with the lifter's.
        title: Title of the result.
        data: The benchmark.
        optim: The optimizer and its learning rate.
        epochs: Number of passes over the data.
        batch_size: Windows in a batch.
        model: Fields of the lifter's config that differ from its defaults.
        loss: The loss; the plain mean distance when None.
        hardware: The hardware that the paper trained on.
        paper: The published number.
        ours: Our number.
        says: Further text for the docstring.

    Returns:
        The recipe, a function called `name` whose docstring holds the command, the cost and the numbers.
    """
    lifter, tag = name.split("_", 1)
    seen = epochs * WINDOWS[data.dataset]
    small = data.dataset == "humaneva"  # an epoch has twenty steps

    def recipe() -> TrainRecipe:
        return TrainRecipe(
            name=f"{lifter}.{tag.replace('_', '-')}", lifter=lifter, model=model or {}, data=data,
            loss=loss or LossConfig(), optim=optim, epochs=epochs, batch_size=batch_size, seed=1, precision="fp32",
            log_every=20 if small else 100, evaluate_every=0, checkpoint_every=100 if small else 1000,
        )  # fmt: skip

    recipe.__name__ = recipe.__qualname__ = name
    recipe.__doc__ = (
        f"{title}.\n\n"
        f"Command: `poselift train {name} --data DIR --out DIR`.\n"
        f"Cost: {seen / 1e6:.1f} million windows, {epochs} epochs; {hardware}.\n"
        f"Paper: {paper}.\n"
        f"Ours: {ours}.\n" + (f"\n{says}\n" if says else "")
    )
    return recipe
