"""What training minimises: joint distances over all yielded frames, and how fast the joints move."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from poselift.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of the parts. The defaults are the papers' plain MPJPE."""

    velocity: float = 0.0
    """Weight of the distance between frame-to-frame differences (MixSTE uses 2)."""
    smoothness: float = 0.0
    """Weight of the squared frame-to-frame difference of the prediction alone (NanoHTNet's trial uses 0.5)."""
    joint_weights: bool = False
    """Count knees and ankles 2.5, elbows and wrists 4, shoulders and head 1.5 times, as NanoHTNet's trial does."""
    frames: Literal["all", "centre"] = "all"
    """Score every yielded frame, or only the middle one as single-output papers do."""
    scale_free: float = 0.0
    """Weight of the distance after the best scale of each pose; its size cannot be seen in a picture."""


def joint_weights(skeleton: Skeleton) -> Tensor:
    """(J,) weights by joint name. Source: the commented `attempt == 10` of NanoHTNet's main.py."""
    weights = {"knee": 2.5, "ankle": 2.5, "elbow": 4.0, "wrist": 4.0, "shoulder": 1.5, "head": 1.5}
    return torch.tensor([next((w for part, w in weights.items() if part in j), 1.0) for j in skeleton.joints])


def pose_loss(pred: Tensor, target: Tensor, skeleton: Skeleton, config: LossConfig) -> Tensor:
    """Loss of a batch.

    Args:
        pred: (B, S, J, 3) metres, root-relative.
        target: (B, S, J, 3), the same.
        skeleton: Joint order.
        config: Weights of the parts.

    Returns:
        A scalar in metres (the smoothness part in square metres).
    """
    if config.frames == "centre":
        middle = slice(pred.shape[1] // 2, pred.shape[1] // 2 + 1)
        pred, target = pred[:, middle], target[:, middle]
    weights = joint_weights(skeleton).to(pred) if config.joint_weights else pred.new_ones(len(skeleton))
    loss = (weights * distance(pred, target)).mean()
    if config.scale_free:
        scale = (pred * target).sum((-1, -2), keepdim=True) / (pred**2).sum((-1, -2), keepdim=True).clip(min=1e-6)
        loss = loss + config.scale_free * (weights * distance(scale * pred, target)).mean()
    if pred.shape[1] > 1:
        moved, should = pred.diff(dim=1), target.diff(dim=1)
        if config.velocity:
            loss = loss + config.velocity * distance(moved, should).mean()
        if config.smoothness:
            loss = loss + config.smoothness * (weights[:, None] * moved**2).mean()
    return loss


def distance(a: Tensor, b: Tensor) -> Tensor:
    """(*, 3) twice to (*): Euclidean distance with a finite gradient at zero."""
    return ((a - b) ** 2).sum(-1).add(1e-12).sqrt()
