"""The loss: distances of joints in all frames that the lifter returns, and terms for their movement."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from poselift.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of the loss's terms. The defaults give the papers' plain MPJPE (ConvFormer's Eq. 2)."""

    velocity: float = 0.0
    """Weight of the distance between frame-to-frame differences (MixSTE uses 2)."""
    smoothness: float = 0.0
    """Weight of the squared frame-to-frame difference of the prediction alone (NanoHTNet's unused code has 0.5)."""
    joint_weights: bool = False
    """Count knees and ankles 2.5, elbows and wrists 4, shoulders and head 1.5 times, as the code of PoseSSM does."""
    frames: Literal["all", "centre"] = "all"
    """Train every frame that the lifter returns, or only the middle one as papers with one output frame do."""
    scale_free: float = 0.0
    """Weight of the distance after the best scale of each pose, since a picture does not show a person's size."""


def joint_weights(skeleton: Skeleton) -> Tensor:
    """Return weights (J,) by joint name. Source: NanoHTNet main.py, in comments, `attempt == 10`; PoseSSM's loss."""
    weights = {"knee": 2.5, "ankle": 2.5, "elbow": 4.0, "wrist": 4.0, "shoulder": 1.5, "head": 1.5}
    return torch.tensor([next((w for part, w in weights.items() if part in j), 1.0) for j in skeleton.joints])


def pose_loss(
    pred: Tensor, target: Tensor, skeleton: Skeleton, config: LossConfig, *, known: Tensor | None = None
) -> Tensor:
    """Return the loss of the joints of a batch.

    Args:
        pred: (B, S, J, 3) lifted joints, metres, root-relative.
        target: (B, S, J, 3) true joints, metres, root-relative, same axes; any numbers where not known.
        skeleton: Joint order.
        config: Weights of the terms.
        known: (B, S, J) bool: the joints that count; all when None.

    Returns:
        A scalar in metres (the smoothness term is in square metres).
    """
    if known is not None:  # both are put to zero, where no term has a gradient
        pred, target = (x.where(known[..., None], x.new_zeros(())) for x in (pred, target))
    if config.frames == "centre":
        middle = slice(pred.shape[1] // 2, pred.shape[1] // 2 + 1)
        pred, target = pred[:, middle], target[:, middle]
    weights = joint_weights(skeleton).to(pred) if config.joint_weights else pred.new_ones(len(skeleton))
    loss = (weights * distance(pred, target)).mean()  # ConvFormer's Eq. 2, when all weights are 1
    if config.scale_free:
        scale = (pred * target).sum((-1, -2), keepdim=True) / (pred**2).sum((-1, -2), keepdim=True).clip(min=1e-6)
        loss = loss + config.scale_free * (weights * distance(scale * pred, target)).mean()
    if pred.shape[1] > 1:
        velocity, true_velocity = pred.diff(dim=1), target.diff(dim=1)
        if config.velocity:
            loss = loss + config.velocity * distance(velocity, true_velocity).mean()
        if config.smoothness:
            loss = loss + config.smoothness * (weights[:, None] * velocity**2).mean()
    return loss


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the Euclidean distance (*) of points a and b, (*, 3) each, with a finite gradient at zero."""
    return ((a - b) ** 2).sum(-1).add(1e-12).sqrt()
