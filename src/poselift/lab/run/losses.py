"""The loss: distances of joints in all frames that the lifter returns, their movement, and what else the lifter gives.

Unknown targets add nothing, and means are over all targets, so that each known one counts the same in every batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from poselift.errors import RecipeError
from poselift.lab.windows.batch import Batch
from poselift.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of the loss's terms. The defaults give the papers' plain MPJPE (ConvFormer's Eq. 2) of the joints."""

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
    spread: float = 0.01
    """Weight of `spread_loss`, for a lifter that gives `spread`."""
    up: float = 0.03
    """Weight of `up_loss`, for a lifter that gives `up`."""
    contact: float = 0.01
    """Weight of `contact_loss`, for a lifter that gives `contact`."""


def joint_weights(skeleton: Skeleton) -> Tensor:
    """Return weights (J,) by joint name. Source: NanoHTNet main.py, in comments, `attempt == 10`; PoseSSM's loss."""
    weights = {"knee": 2.5, "ankle": 2.5, "elbow": 4.0, "wrist": 4.0, "shoulder": 1.5, "head": 1.5}
    return torch.tensor([next((w for part, w in weights.items() if part in j), 1.0) for j in skeleton.joints])


def batch_losses(
    pred: Tensor, extras: Mapping[str, Tensor], batch: Batch, skeleton: Skeleton, config: LossConfig
) -> dict[str, Tensor]:
    """Return the loss of a batch, and its parts.

    Args:
        pred: (B, S, J, 3) lifted joints, metres, root-relative.
        extras: What `poselift.lab.models.extras.ExtraHeads` returns; empty without such heads.
        batch: The targets.
        skeleton: Joint order.
        config: Weights of the terms.

    Returns:
        "loss", their weighted sum; "joints" (`pose_loss`); and for each of `extras` its loss by name, 0 where the batch
        knows nothing of it.
    """
    parts = {"joints": pose_loss(pred, batch.targets, skeleton, config, known=batch.known)}
    for name, found in extras.items():
        if name == "spread":
            parts[name] = spread_loss(found, pred, batch.targets, skeleton, known=batch.known)
        elif name == "up":
            parts[name] = pred.new_zeros(()) if batch.up is None else up_loss(found, batch.up)
        else:
            parts[name] = pred.new_zeros(()) if batch.contact is None else contact_loss(found, batch.contact)
    weighted = [getattr(config, name) * parts[name] for name in extras]
    return {"loss": sum(weighted, start=parts["joints"])} | parts


def check_taught(extras: Mapping[str, Tensor], batch: Batch) -> None:
    """Refuse to train heads of which the data says nothing.

    Args:
        extras: What the heads return, by name.
        batch: The first batch of the data, which is large enough to show what it knows.

    Raises:
        RecipeError: There are such heads; the message names them.
    """
    taught = {"up": batch.up is not None, "contact": batch.contact is not None and bool((batch.contact >= 0).any())}
    if untaught := [name for name, known in taught.items() if name in extras and not known]:
        raise RecipeError(
            f"wanted data that knows {' and '.join(untaught)}, to train a lifter that gives it; this data does not: "
            f"switch it off ({', '.join(f'--model.{name} False' for name in untaught)}), or start from weights that "
            "were trained on it (--init)"
        )


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


def spread_loss(
    log_spread: Tensor, pred: Tensor, target: Tensor, skeleton: Skeleton, *, known: Tensor | None = None
) -> Tensor:
    """Return how badly spreads s describe the distances r of lifted joints from the truth: the mean of log s + r / s.

    If r follows a Gamma distribution of any shape k whose mean is s, this is the negative logarithm of its likelihood
    over k, up to a constant. With k = 3 it is a Laplace distribution alike in all directions of space; a smaller k has
    heavier tails (`poselift.sequence.SPREAD_SHAPE`). The tails are heavier than a Gaussian's: a joint that is ten times
    as far off as expected costs ten times as much, not a hundred times. For any distribution of r, s is best where it
    is the mean of r that is expected from the keypoints (Patton 2011, "QLIKE"), so the spread is right on average even
    where errors follow another law.

    The joints have no gradient from here. With one, the likelihood would count the joints that are hard to see less
    than the sure ones and never learn them (Seitzer et al. 2022, "On the pitfalls of heteroscedastic uncertainty
    estimation"); `pose_loss` is the likelihood of k = 3 with one spread for all.

    Args:
        log_spread: (B, S, J) logarithms of the spread in metres.
        pred: (B, S, J, 3) lifted joints, metres, moved to their root here as `poselift.lift` does.
        target: (B, S, J, 3) true joints, metres, root-relative; any numbers where not known.
        skeleton: Joint order; the root, which has no error, does not count.
        known: (B, S, J) bool: the joints that count; all when None.
    """
    root = slice(skeleton.root, skeleton.root + 1)
    error = pred.detach() - pred[:, :, root].detach() - target
    counts = torch.ones_like(log_spread, dtype=torch.bool) if known is None else known.clone()
    counts[:, :, root] = False
    far = error.where(counts[..., None], error.new_zeros(())).norm(dim=3)
    return (counts * (log_spread + far * (-log_spread).exp())).mean()


def up_loss(found: Tensor, up: Tensor) -> Tensor:
    """Return the mean distance between directions of length 1, the square root of 2 - 2 cos(angle).

    Near 0 it is the angle in radians. Its gradient does not fade as the angle gets small, as that of the cosine does.

    Args:
        found: (B, S, 3) directions of any length.
        up: (B, S, 3) true directions of length 1, in the same axes.
    """
    return distance(F.normalize(found, dim=2), up).mean()


def contact_loss(odds: Tensor, contact: Tensor) -> Tensor:
    """Return the mean cross-entropy of contacts.

    Args:
        odds: (B, S, 4) logarithms of the odds.
        contact: (B, S, 4) true ones: 1 for contact, 0 for none, or between them where the data is not sure; negative or
            NaN where unknown.
    """
    known = contact >= 0  # NaN is not
    truth = contact.where(known, contact.new_zeros(())).clamp(max=1)
    return (known * F.binary_cross_entropy_with_logits(odds, truth, reduction="none")).mean()


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the Euclidean distance (*) of points a and b, (*, 3) each, with a finite gradient at zero."""
    return ((a - b) ** 2).sum(-1).add(1e-12).sqrt()
