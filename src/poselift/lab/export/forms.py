"""The three forms of a lifter: as trained, folded for inference, and in the steps of the authors' code.

Any module may have a method `folded`, which returns a module that computes the same for inference with fewer
operations, and a method `published`, which returns one that computes it the way the authors' code does: slower, the
yardstick of the efficiency table and a twin for tests. A module's method takes charge of all below it; without one,
its children are turned one by one. Lifters from elsewhere may have them too.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from poselift.lab.models.layers import Dropout, DropPath


def fold(model: nn.Module) -> nn.Module:
    """A copy for inference that computes the same with fewer operations; the model itself is untouched.

    Args:
        model: Any lifter; what has no `folded` is only put in evaluation mode.

    Returns:
        The copy, in evaluation mode, without gradients.
    """
    return _turned(copy.deepcopy(model).eval().requires_grad_(False), "folded")


def published(model: nn.Module) -> nn.Module:
    """A copy that computes the same in the steps of the authors' code; the model itself is untouched.

    Args:
        model: Any lifter; what has no `published` stays as it is.

    Returns:
        The copy, in evaluation mode, without gradients.
    """
    return _turned(copy.deepcopy(model).eval().requires_grad_(False), "published")


def example(model: Any, batch: int) -> Tensor:
    """(batch, T, J, C) keypoints in [-1, 1] for a lifter or any of its forms, always the same."""
    shape = (batch, model.in_frames, len(model.skeleton), model.in_channels)
    generator = torch.Generator()
    generator.manual_seed(batch)
    return torch.rand(shape, generator=generator) * 2 - 1


def _turned(module: nn.Module, form: str) -> nn.Module:
    if form == "folded" and isinstance(module, Dropout | DropPath | nn.Dropout):
        return nn.Identity()
    if hasattr(module, form):
        turned = getattr(module, form)()
        assert isinstance(turned, nn.Module)
        return turned.eval().requires_grad_(False)
    for name, child in module.named_children():
        setattr(module, name, _turned(child, form))
    return module
