"""PoseCLR: an encoder learns that views of one moment belong together, before it learns any 3D.

Paper: Cai, M. Liu, H. Liu, Zhou, Li, "NanoHTNet: Nano Human Topology Network for Efficient 3D Human Pose Estimation",
IEEE TIP 2025, arXiv 2501.15763. Its code for PoseCLR was announced and never released: this is a reconstruction.
Known: the aim, a figure (encoder and linear layer, encoders for the other views, memory bank, InfoNCE), the names and
defaults of the options, and the projectors of two lifters. All else is ours, and marked so; docs/poseclr.md tells more.
The moving copy follows He et al. 2020, "Momentum Contrast", whose option names the authors use. Licence: MIT.

Shapes: `B` anchors, `V` views of each, `E` width of an embedding (J * F), `N` places in the bank; `T`, `J`, `C`, `S`,
`D` as in `layers`. Glossary (options of the release, here): feature_dim (F), queue_size (N), momentum = m,
Temperature = `temperature`, lr_pre = `lr` of `poselift.lab.poseclr.pretrain`.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poselift.errors import RecipeError
from poselift.lab.models.lifter import Lifter
from poselift.lab.poseclr.bank import MemoryBank, Moments


@dataclass(frozen=True, kw_only=True, slots=True)
class PoseCLRConfig:
    """Options of the contrast. The defaults are the release's unless another is named; docs/poseclr.md says why."""

    feature_dim: int = 8
    """Features of a joint in an embedding (F); 3 in the release's older options."""
    queue_size: int = 20480
    """Places in the memory bank (N); 15360 in the older options."""
    momentum: float = 0.999
    """How much of the key encoder stays at each step (m)."""
    temperature: float = 0.07
    """What similarities are divided by. The older options' value; the release's last one is 0.5."""
    mix_frames: bool = True
    """Whether the projector mixes the frames into one, as NanoHTNet's does; else they are averaged. Not for S = 1."""
    relu: bool = False
    """Whether the projector ends in a ReLU. Both released ones do; off is ours."""
    margin_s: float = 0.25
    """Ours: seconds by which windows of one recording must be apart to be negatives of each other."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            RecipeError: One is out of range; the message names it.
        """
        for good, name, wanted in (
            (self.feature_dim >= 1, "feature_dim", "1 or more"),
            (self.queue_size >= 1, "queue_size", "1 or more"),
            (0 <= self.momentum < 1, "momentum", "a share in [0, 1)"),
            (self.temperature > 0, "temperature", "more than 0"),
            (self.margin_s >= 0, "margin_s", "0 or more"),
        ):
            if not good:
                raise RecipeError(f"contrast.{name}: wanted {wanted}, got {getattr(self, name)}")


class Projector(nn.Module):
    """Features to an embedding. Thrown away after pre-training.

    LN, linear, and with several frames LN and a product over the frames; ReLU if asked for. With it, for nine frames
    this is NanoHTNet's pre-training head, for one HTNet's; ours is that it takes any number.
    """

    def __init__(self, width: int, frames: int, config: PoseCLRConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, config.feature_dim)
        mixes = config.mix_frames and frames > 1
        self.mix_norm = nn.LayerNorm(config.feature_dim) if mixes else nn.Identity()
        self.mix = nn.Linear(frames, 1) if mixes else None
        self.relu = config.relu

    def forward(self, features: Tensor) -> Tensor:
        """(B, S, J, D) to embeddings (B, J * F) of length 1, or 0 where a ReLU leaves nothing."""
        x = self.mix_norm(self.linear(self.norm(features)))  # (B, S, J, F)
        x = x.mean(1) if self.mix is None else self.mix(x.movedim(1, 3)).squeeze(3)  # (B, J, F)
        return F.normalize((x.relu() if self.relu else x).flatten(1), dim=1)


@dataclass(frozen=True, eq=False)
class Contrast:
    """What a batch gave."""

    loss: Tensor
    """Scalar."""
    keys: Tensor
    """(B, V - 1, E) embeddings of the other views."""
    measures: dict[str, Tensor]
    """Scalars to watch; see `watch`."""


class PoseCLR(nn.Module):
    """A lifter's encoder with a projector, their slowly moving copies, and the memory bank.

    Ours: one moving copy serves all views. It is in evaluation mode, so that keys know nothing of dropout or of the
    other windows of their batch.
    """

    def __init__(self, lifter: Lifter, config: PoseCLRConfig | None = None) -> None:
        """Wrap any lifter, ours or from elsewhere; it is trained in place."""
        super().__init__()
        self.config = config = config or PoseCLRConfig()
        frames, joints, width = _feature_shape(lifter)
        self.lifter = lifter
        self.projector = Projector(width, frames, config)
        self.key_lifter = copy.deepcopy(lifter).requires_grad_(False)
        self.key_projector = copy.deepcopy(self.projector).requires_grad_(False)
        self.bank = MemoryBank(config.queue_size, joints * config.feature_dim)
        self.train()

    def train(self, mode: bool = True) -> "PoseCLR":
        """As usual, but for the moving copies, which stay in evaluation mode."""
        super().train(mode)
        self.key_lifter.eval()
        self.key_projector.eval()
        return self

    def trained(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Names and parameters that the loss reaches: the encoder's and the projector's, without the lifter's head."""
        for part in ("lifter", "projector"):
            for name, parameter in getattr(self, part).named_parameters():
                if not f"{part}.{name}".startswith("lifter.head."):
                    yield f"{part}.{name}", parameter

    def embed(self, x: Tensor) -> Tensor:
        """Embeddings (B, E) of windows (B, T, J, C), by the encoder that is trained."""
        return _embed(self.lifter, self.projector, x)

    @torch.no_grad()
    def keys(self, x: Tensor) -> Tensor:
        """Embeddings (B, E) of windows (B, T, J, C), by the moving copy."""
        return _embed(self.key_lifter, self.key_projector, x)

    def forward(self, views: Tensor, moments: Moments) -> Contrast:
        """Compare the first view of each moment with the others, and with the bank.

        Args:
            views: (B, V, T, J, C) windows, V of 2 or more; the first are the anchors.
            moments: Of each of the B.

        Returns:
            The loss, averaged over anchors and views; nothing is put into the bank.
        """
        query = self.embed(views[:, 0])
        keys = self.keys(views[:, 1:].flatten(0, 1)).unflatten(0, (len(views), -1))
        usable = self.bank.usable(moments, self.config.margin_s)
        positive, negative = similarities(query, keys, self.bank.embeddings)
        losses = info_nce(positive, negative, usable, self.config.temperature)
        measures = watch(query.detach(), positive.detach(), negative.detach(), usable)
        measures |= {"bank_fill": self.bank.filled.float().mean(), "bank_age": self.bank.age}
        return Contrast(losses.mean(), keys, measures)

    @torch.no_grad()
    def update(self, keys: Tensor, moments: Moments) -> None:
        """After the optimizer's step: move the copies, and put the batch's keys into the bank.

        Ours: one view of each moment goes into the bank, so that it holds more moments. Running statistics, such as
        those of batch normalisation, move with the weights they were gathered from, but faster at first: what they
        start from is arbitrary. Counts are copied.

        Args:
            keys: (B, V - 1, E) of `forward`.
            moments: Of each of the B.
        """
        share = 1 - self.config.momentum
        early = max(share, 9 / (10 + int(self.bank.time)))
        for copied, own in ((self.key_lifter, self.lifter), (self.key_projector, self.projector)):
            torch._foreach_lerp_(list(copied.parameters()), list(own.parameters()), share)
            for key, query in zip(copied.buffers(), own.buffers(), strict=True):
                key.lerp_(query, early) if key.is_floating_point() else key.copy_(query)
        self.bank.push(keys[:, 0], moments)


def similarities(query: Tensor, keys: Tensor, bank: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines of anchors (B, E) with their own keys (B, V, E), as (B, V), and with the bank (N, E), as (B, N)."""
    with torch.autocast(query.device.type, enabled=False):
        return (keys @ query[:, :, None]).squeeze(2), query @ bank.T


def info_nce(positive: Tensor, negative: Tensor, usable: Tensor, temperature: float) -> Tensor:
    """InfoNCE for each positive by itself: how unlikely it is to be picked among the usable negatives.

    Ours: each view is compared with the negatives alone, not with the other views, and the mean is taken.

    Args:
        positive: (B, V) similarities with the same moment in other views.
        negative: (B, N) similarities with the bank.
        usable: (B, N) bool, which of them are negatives.
        temperature: What similarities are divided by.

    Returns:
        (B, V) losses; 0 where no negative is usable.
    """
    lowest = torch.finfo(negative.dtype).min  # not -inf, whose gradient is NaN when all are
    rest = (negative / temperature).masked_fill(~usable, lowest).logsumexp(1, keepdim=True)
    return F.softplus(rest - positive / temperature)


def watch(query: Tensor, positive: Tensor, negative: Tensor, usable: Tensor) -> dict[str, Tensor]:
    """What tells of learning and of collapse.

    Args:
        query: (B, E) embeddings.
        positive: (B, V) similarities.
        negative: (B, N) similarities.
        usable: (B, N) bool.

    Returns:
        spread: Mean over the dimensions of the embeddings' standard deviation, times sqrt(E): 1 when they lie evenly
            on the sphere, 0 when all are the same. positive, negative: Mean similarities. accuracy: Share of positives
            more alike than every negative.
    """
    hardest = negative.masked_fill(~usable, -2).amax(1, keepdim=True)
    return {
        "positive": positive.mean(),
        "negative": (negative * usable).sum() / usable.sum().clip(min=1),
        "accuracy": (positive > hardest).float().mean(),
        "spread": query.std(0, unbiased=False).mean() * math.sqrt(query.shape[1]),
    }


def _embed(lifter: Lifter, projector: Projector, x: Tensor) -> Tensor:
    features = lifter.encode(x).float()
    with torch.autocast(x.device.type, enabled=False):  # similarities want more than bfloat16's three digits
        return projector(features)


@torch.no_grad()
def _feature_shape(lifter: Lifter) -> tuple[int, int, int]:
    """(S, J, D) of the features."""
    device = next(lifter.parameters()).device
    training = lifter.training
    x = torch.zeros(1, lifter.in_frames, len(lifter.skeleton), lifter.in_channels, device=device)
    features = lifter.eval().encode(x)
    lifter.train(training)
    frames, joints, width = features.shape[1:]
    return frames, joints, width
