"""Optimizers, and the learning rate of each step."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from poselift.errors import RecipeError

_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.modules.batchnorm._NormBase)


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimConfig:
    """The optimizer and its learning rate."""

    method: Literal["adamw", "adam"] = "adamw"
    """"adamw", or "adam" for Adam with amsgrad (it keeps the greatest second moment so far), as in the papers."""
    lr: float = 1e-3
    """Greatest learning rate."""
    warmup_steps: int = 200
    """Steps over which the learning rate rises to `lr`."""
    schedule: Literal["cosine", "epochs"] = "cosine"
    """"cosine": half a cosine down to `final_lr`. "epochs": a factor after every epoch."""
    final_lr: float = 0.01
    """Share of `lr` at the end of the cosine."""
    epoch_factor: float = 0.95
    """Factor after every epoch, for the schedule by epochs."""
    halve_every: int = 0
    """Halve the rate after every so many epochs; 0 for never."""
    halving: Literal["instead", "besides"] = "instead"
    """In epochs with halving, use it "instead" of `epoch_factor`, or "besides" it."""
    weight_decay: float = 0.01
    """Weight decay of the matrices; AdamW only."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Decay of Adam's first and second moments."""
    clip_norm: float = 1.0
    """Greatest norm of the gradient, to which longer ones are clipped; 0 for no clipping."""
    ema: float = 0.998
    """Decay of the averaged weights, which are evaluated and exported; 0 for no averaging."""
    only: tuple[str, ...] = ()
    """Parts of the network that are trained, such as `extras` or `head`; the rest stays as it is. All if empty."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            RecipeError: One is out of range; the message names it.
        """
        if not 0 <= self.ema < 1:
            raise RecipeError(f"optim.ema: wanted a decay in [0, 1), got {self.ema}")
        if self.halve_every < 0 or self.clip_norm < 0 or not 0 < self.epoch_factor <= 1:
            raise RecipeError(
                "optim: wanted halve_every and clip_norm of 0 or more and epoch_factor in (0, 1], got "
                f"{self.halve_every}, {self.clip_norm} and {self.epoch_factor}"
            )
        if self.method == "adam" and self.weight_decay:
            raise RecipeError(f"optim.weight_decay: wanted 0 for Adam, got {self.weight_decay}; or use adamw")


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """Return the optimizer of a model's weights, or of those of `config.only`; only matrices decay."""
    if config.method == "adam":
        parameters = (parameter for parameter in model.parameters() if parameter.requires_grad or not config.only)
        return torch.optim.Adam(parameters, config.lr, config.betas, amsgrad=True)
    return torch.optim.AdamW(_groups(model, config), config.lr, config.betas)


def freeze_all_but(model: nn.Module, parts: Sequence[str]) -> None:
    """Let only some parts of a model be trained; with no parts named, all of it.

    Args:
        model: The network.
        parts: Names of modules or parameters, as in `named_modules`.

    Raises:
        RecipeError: The network has no part of a name, or one without parameters.
    """
    if not parts:
        return
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    for part in parts:
        if not any(_is_in(name, part) for name in own):
            inner = next((".".join(name.split(".")[:2]) for name in own if name.count(".") > 1), "")
            raise RecipeError(
                f"optim.only: this network has no part '{part}' with weights; its parts are "
                f"{', '.join(sorted({name.split('.')[0] for name in own}))}"
                f"{f', and parts of these, as in {inner}' if inner else ''}"
            )
    for name, parameter in own.items():
        parameter.requires_grad_(any(_is_in(name, part) for part in parts))


def rest_in_use(model: nn.Module) -> None:
    """Put the modules of which nothing is trained into evaluation mode, so that they give what they give in use."""
    for module in model.modules():
        weights = list(module.parameters())
        if weights and not any(weight.requires_grad for weight in weights):
            module.eval()


def _is_in(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def learning_rate(step: int, steps: int, epoch_steps: int, config: OptimConfig) -> float:
    """Return the learning rate of a step.

    Args:
        step: Number of the step, from 0.
        steps: Number of steps of the whole training.
        epoch_steps: Number of steps of an epoch; only the schedule by epochs uses it.
        config: The schedule.

    Source of "epochs": PoseSSM main.py and HTNet main.py, where every fifth epoch's factor is 0.5 and not 0.95.
    """
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    if config.schedule == "epochs":
        return config.lr * _epoch_share(step // epoch_steps, config)
    done = (step - config.warmup_steps) / max(steps - config.warmup_steps, 1)
    return config.lr * (config.final_lr + (1 - config.final_lr) * 0.5 * (1 + math.cos(math.pi * done)))


def _epoch_share(epochs: int, config: OptimConfig) -> float:
    """Return the share of the learning rate that is left after so many whole epochs."""
    halvings = epochs // config.halve_every if config.halve_every else 0
    others = epochs - halvings if config.halving == "instead" else epochs
    return 0.5**halvings * config.epoch_factor**others


def _groups(model: nn.Module, config: OptimConfig) -> Iterator[dict[str, Any]]:
    """Return the parameters with weight decay, then those without.

    Parameters that multiply features decay: matrices called `weight` of linear layers, convolutions and the like. All
    others do not, as zero has no special meaning for them: biases, norms, embeddings and positions, a graph's edges,
    the constants of a state space.
    """
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for owner in model.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            if config.only and not parameter.requires_grad:
                continue
            matrix = parameter.ndim >= 2 and "weight" in name and not isinstance(owner, (*_NORMS, nn.Embedding))
            (decayed if matrix else free).append(parameter)
    yield {"params": decayed, "weight_decay": config.weight_decay}
    yield {"params": free, "weight_decay": 0.0}
