"""What a lifter costs, counted: parameters, and multiply-accumulate operations."""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_macs(model: nn.Module, window: Tensor) -> int:
    """Multiply-accumulates of one pass: those of matrix products and convolutions, as papers count.

    Sums, norms, activations and Fourier transforms are left out.

    Args:
        model: A lifter, or a form of one; `poselift.lab.export.forms.published(model)` counts what the authors' code
            does.
        window: (1, T, J, C) keypoints, of any values (`poselift.lab.export.forms.example`).
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(window)
    return counter.get_total_flops() // 2
