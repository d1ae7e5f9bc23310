"""Count a lifter's parameters and multiply-accumulate operations."""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module, window: Tensor) -> int:
    """Return the multiply-accumulates of one pass: those of matrix products and convolutions, as papers count them.

    Sums, norms, activations and Fourier transforms are left out.

    Args:
        model: A lifter or a form of one; with `poselift.lab.export.forms.published(model)` the count is that of the
            authors' code.
        window: (1, T, J, C) keypoints of any values (`poselift.lab.export.forms.example`).
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(window)
    return counter.get_total_flops() // 2
