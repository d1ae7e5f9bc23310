"""The three forms of a lifter: as trained, folded for inference, and in the steps of the authors' code.

Any module may have a method `folded`, which returns a module that computes the same for inference with fewer
operations, and a method `published`, which returns one that computes it in the steps of the authors' code: slower, for
comparison in the efficiency table and in tests. A module's method converts the module as a whole; without one, its
children are converted one by one. Lifters from elsewhere may have these methods too.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from poselift.lab.models.layers import Dropout, DropPath


def fold(model: nn.Module) -> nn.Module:
    """Return a copy for inference that computes the same with fewer operations; the model itself is not changed.

    Args:
        model: Any lifter; modules without `folded` are only put in evaluation mode.

    Returns:
        The copy, in evaluation mode, without gradients.
    """
    return _converted(copy.deepcopy(model).eval().requires_grad_(False), "folded")


def published(model: nn.Module) -> nn.Module:
    """Return a copy that computes the same in the steps of the authors' code; the model itself is not changed.

    Args:
        model: Any lifter; modules without `published` stay as they are.

    Returns:
        The copy, in evaluation mode, without gradients.
    """
    return _converted(copy.deepcopy(model).eval().requires_grad_(False), "published")


def example(model: Any, batch: int) -> Tensor:
    """Return keypoints (batch, T, J, C) in [-1, 1] for a lifter or a form of it; always the same for the same batch."""
    shape = (batch, model.in_frames, len(model.skeleton), model.in_channels)
    generator = torch.Generator()
    generator.manual_seed(batch)
    return torch.rand(shape, generator=generator) * 2 - 1


def _converted(module: nn.Module, form: str) -> nn.Module:
    """Return the module in a form ("folded" or "published"), or with its children in that form."""
    if form == "folded" and isinstance(module, Dropout | DropPath | nn.Dropout):
        return nn.Identity()
    if hasattr(module, form):
        converted = getattr(module, form)()
        assert isinstance(converted, nn.Module)
        return converted.eval().requires_grad_(False)
    for name, child in module.named_children():
        setattr(module, name, _converted(child, form))
    return module
