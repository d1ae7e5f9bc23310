"""Checks that the lifters share: of a config when it is made, and of the input when the network runs."""

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from poselift.errors import RecipeError, ShapeError, SkeletonError
from poselift.sequence import check_fps
from poselift.skeleton import Skeleton

_COUNTS = (
    "mlp_width", "mlp_ratio", "gcn_width", "num_blocks", "num_spatial_blocks", "num_temporal_blocks", "heads", "width",
    "head_width", "state_dim", "expand",
)  # fmt: skip


def check_input(model: Any, x: Tensor) -> None:
    """Check that a batch of windows has the model's shape (B, T, J, C); nothing is checked while compiling.

    Raises:
        ShapeError: The batch has another shape.
    """
    wanted = (model.in_frames, len(model.skeleton), model.in_channels)
    if not torch.compiler.is_compiling() and (x.ndim != 4 or tuple(x.shape[1:]) != wanted):
        raise ShapeError(f"wanted keypoints (batch, {', '.join(map(str, wanted))}), got {tuple(x.shape)}")


def single_frames(model: Any, x: Tensor) -> Tensor:
    """Return keypoints of single frames, (B, J, C), for a lifter that sees one frame.

    Args:
        model: The lifter.
        x: (B, 1, J, C) keypoints. With T > 1 frames each frame is a window of its own, as in the authors' code of HTNet
            and PoseSSM: (B, T, J, C) counts as (B * T, 1, J, C).

    Raises:
        ShapeError: `x` has another shape.
    """
    if x.ndim == 4 and x.shape[1] > 1:
        x = x.flatten(0, 1).unsqueeze(1)
    check_input(model, x)
    return x.squeeze(1)


def check_common(config: Any, *, chunks: int) -> None:
    """Check the fields that several models' configs have.

    Args:
        config: The config of a model.
        chunks: `width` must be a multiple of `chunks * heads`.

    Raises:
        RecipeError: A field is out of range; the message names it.
    """
    for name in _COUNTS:
        if getattr(config, name, 1) < 1:
            raise RecipeError(f"{name}: wanted 1 or more, got {getattr(config, name)}")
    if config.width % (chunks * config.heads):
        multiple = f"{chunks} * heads = {chunks * config.heads}" if chunks > 1 else f"heads = {config.heads}"
        raise RecipeError(f"width: wanted a multiple of {multiple}, got {config.width}")
    if config.in_channels not in (2, 3):
        raise RecipeError(f"in_channels: wanted 2 (x, y) or 3 (with confidence), got {config.in_channels}")
    check_fps(config.fps, "fps", error=RecipeError)
    rates = {field.name: getattr(config, field.name) for field in fields(config) if "drop" in field.name}
    for name, rate in rates.items():
        if not all(0 <= value < 1 for value in (rate if isinstance(rate, tuple) else (rate,))):
            raise RecipeError(f"{name}: wanted rates in [0, 1), got {rate}")


def check_limbs(skeleton: Skeleton) -> None:
    """Check that a skeleton has both arms and both legs.

    Raises:
        SkeletonError: The skeleton lacks a limb.
    """
    if len(skeleton.limbs) != 4:
        raise SkeletonError(
            f"{skeleton.name}: wanted both arms and both legs, found {len(skeleton.limbs)} of the four limbs; "
            "name the joints left_hip, left_knee, left_ankle, left_shoulder, left_elbow, left_wrist, right_..."
        )
