"""PoseCLR: an encoder learns which views show the same moment, before it learns any 3D.

Paper: Cai, M. Liu, H. Liu, Zhou, Li, "NanoHTNet: Nano Human Topology Network for Efficient 3D Human Pose Estimation",
IEEE TIP 2025, arXiv 2501.15763. Its code for PoseCLR was announced and never released: this is a reconstruction.
Known: the aim, a figure (encoder and linear layer, encoders for the other views, memory bank, InfoNCE), the names and
defaults of the options, and the projectors of two lifters. All else is ours, and marked so; docs/poseclr.md has more.
The moving copy follows He et al. 2020, "Momentum Contrast", whose option names the authors use. Licence: MIT.
The paper's equations for PoseCLR are not known: Eq. InfoNCE and Eq. momentum are inferred from the figure and the
options' names.

Shapes: `B` anchors, `V` views of each, `E` width of an embedding (J * F), `N` entries of the bank; `T`, `J`, `C`, `S`,
`D` as in `poselift.lab.models.layers`. Glossary (options of the release, here): feature_dim (F), queue_size (N),
momentum = m, Temperature = `temperature`, lr_pre = `lr` of `poselift.lab.poseclr.pretrain`.
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
    """Options of the contrast. Defaults are the release's unless a docstring says otherwise; see docs/poseclr.md."""

    feature_dim: int = 8
    """Features of a joint in an embedding (F); 3 in the release's older options."""
    queue_size: int = 20480
    """Entries of the memory bank (N); 15360 in the release's older options."""
    momentum: float = 0.999
    """Share of the moving copy that stays at each step (m)."""
    temperature: float = 0.07
    """Divisor of the similarities. 0.07 is in the release's older options; its last ones have 0.5."""
    mix_frames: bool = True
    """Whether the projector mixes the frames into one, as NanoHTNet's does; else they are averaged. Not for S = 1."""
    relu: bool = False
    """Whether the projector ends in a ReLU. Both released projectors do; off is ours."""
    margin_s: float = 0.25
    """Ours: seconds that must lie between two windows of a recording for them to be negatives of each other."""

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
    """Maps features to an embedding; it is dropped after pre-training.

    It is a layer norm, a linear layer, for several frames another norm and a linear layer over the frames, and with
    `relu` a ReLU. With the ReLU it is NanoHTNet's pre-training head for nine frames and HTNet's for one; that it takes
    any number of frames is ours.
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
        """Map features (B, S, J, D) to embeddings (B, J * F) of length 1, or 0 if the ReLU leaves nothing."""
        x = self.mix_norm(self.linear(self.norm(features)))  # (B, S, J, F)
        x = x.mean(1) if self.mix is None else self.mix(x.movedim(1, 3)).squeeze(3)  # (B, J, F)
        return F.normalize((x.relu() if self.relu else x).flatten(1), dim=1)


@dataclass(frozen=True, eq=False)
class Contrast:
    """The result of a batch."""

    loss: Tensor
    """The loss, a scalar."""
    keys: Tensor
    """(B, V - 1, E) embeddings of the other views."""
    measures: dict[str, Tensor]
    """Scalars for the log: those of `diagnostics`, and the bank's fill and age."""


class PoseCLR(nn.Module):
    """A lifter's encoder with a projector, their slowly moving copies, and the memory bank.

    Ours: one moving copy serves all views. It is in evaluation mode, so that keys do not depend on dropout or on the
    other windows of their batch.
    """

    def __init__(self, lifter: Lifter, config: PoseCLRConfig | None = None) -> None:
        """Wrap any lifter, ours or from elsewhere, which is then trained in place."""
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
        """Set the training mode as usual, except for the moving copies, which stay in evaluation mode."""
        super().train(mode)
        self.key_lifter.eval()
        self.key_projector.eval()
        return self

    def trained(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield names and parameters that receive a gradient: the encoder's and the projector's, not the heads'."""
        for part in ("lifter", "projector"):
            for name, parameter in getattr(self, part).named_parameters():
                if not f"{part}.{name}".startswith(("lifter.head.", "lifter.extras.")):
                    yield f"{part}.{name}", parameter

    def embed(self, x: Tensor) -> Tensor:
        """Return embeddings (B, E) of windows (B, T, J, C) by the encoder that is trained."""
        return _embed(self.lifter, self.projector, x)

    @torch.no_grad()
    def keys(self, x: Tensor) -> Tensor:
        """Return embeddings (B, E) of windows (B, T, J, C) by the moving copy."""
        return _embed(self.key_lifter, self.key_projector, x)

    def forward(self, views: Tensor, moments: Moments) -> Contrast:
        """Compare the first view of each moment with its other views and with the bank.

        Args:
            views: (B, V, T, J, C) windows, V of 2 or more; the first view of each moment is the anchor.
            moments: The B moments.

        Returns:
            The loss, averaged over anchors and views, with keys and measures; the bank is not changed.
        """
        query = self.embed(views[:, 0])
        keys = self.keys(views[:, 1:].flatten(0, 1)).unflatten(0, (len(views), -1))
        usable = self.bank.usable(moments, self.config.margin_s)
        positive, negative = similarities(query, keys, self.bank.embeddings)
        losses = info_nce(positive, negative, usable, self.config.temperature)
        measures = diagnostics(query.detach(), positive.detach(), negative.detach(), usable)
        measures |= {"bank_fill": self.bank.filled.float().mean(), "bank_age": self.bank.age}
        return Contrast(losses.mean(), keys, measures)

    @torch.no_grad()
    def update(self, keys: Tensor, moments: Moments) -> None:
        """Move the copies and put the batch's keys into the bank; call this after the optimizer's step.

        Eq. momentum (inferred, as in MoCo): copy <- m copy + (1 - m) weights.
        Ours: one view of each moment goes into the bank, so that it holds more moments. Running statistics, such as
        those of batch normalisation, move in the same way but faster at first, since their initial values are
        arbitrary. Integer buffers are copied.

        Args:
            keys: (B, V - 1, E) keys that `forward` returned.
            moments: The B moments.
        """
        share = 1 - self.config.momentum
        early = max(share, 9 / (10 + int(self.bank.time)))
        for copied, own in ((self.key_lifter, self.lifter), (self.key_projector, self.projector)):
            torch._foreach_lerp_(list(copied.parameters()), list(own.parameters()), share)  # Eq. momentum
            for key, query in zip(copied.buffers(), own.buffers(), strict=True):
                key.lerp_(query, early) if key.is_floating_point() else key.copy_(query)
        self.bank.push(keys[:, 0], moments)


def similarities(query: Tensor, keys: Tensor, bank: Tensor) -> tuple[Tensor, Tensor]:
    """Return cosines of anchors (B, E) with their own keys (B, V, E), (B, V), and with the bank (N, E), (B, N)."""
    with torch.autocast(query.device.type, enabled=False):
        return (keys @ query[:, :, None]).squeeze(2), query @ bank.T


def info_nce(positive: Tensor, negative: Tensor, usable: Tensor, temperature: float) -> Tensor:
    """Return the InfoNCE loss of each positive by itself, against the usable negatives.

    Eq. InfoNCE (inferred), with positive p, negatives n_i and temperature t:
    -log(exp(p / t) / (exp(p / t) + sum_i exp(n_i / t))).
    Ours: each view is compared with the negatives alone, not with the other views, and the caller takes the mean.

    Args:
        positive: (B, V) similarities with the same moment in other views.
        negative: (B, N) similarities with the bank.
        usable: (B, N) bool, the similarities that count as negatives.
        temperature: Divisor of the similarities.

    Returns:
        (B, V) losses; 0 where no negative is usable.
    """
    lowest = torch.finfo(negative.dtype).min  # with -inf the gradient would be NaN if no negative is usable
    rest = (negative / temperature).masked_fill(~usable, lowest).logsumexp(1, keepdim=True)
    return F.softplus(rest - positive / temperature)  # Eq. InfoNCE


def diagnostics(query: Tensor, positive: Tensor, negative: Tensor, usable: Tensor) -> dict[str, Tensor]:
    """Return measures that show whether the encoder learns, or whether its embeddings collapse.

    Args:
        query: (B, E) embeddings of the anchors.
        positive: (B, V) similarities with the same moment in other views.
        negative: (B, N) similarities with the bank.
        usable: (B, N) bool, the similarities that count as negatives.

    Returns:
        spread: Mean over the dimensions of the embeddings' standard deviation, times sqrt(E): 1 when they lie evenly
            on the sphere, 0 when all are the same. positive, negative: Mean similarities. accuracy: Share of positives
            that are more similar than every negative.
    """
    hardest = negative.masked_fill(~usable, -2).amax(1, keepdim=True)
    return {
        "positive": positive.mean(),
        "negative": (negative * usable).sum() / usable.sum().clip(min=1),
        "accuracy": (positive > hardest).float().mean(),
        "spread": query.std(0, unbiased=False).mean() * math.sqrt(query.shape[1]),
    }


def _embed(lifter: Lifter, projector: Projector, x: Tensor) -> Tensor:
    """Return embeddings (B, E) of windows (B, T, J, C); the projector computes in float32."""
    features = lifter.encode(x).float()
    with torch.autocast(x.device.type, enabled=False):  # similarities need more than bfloat16's three digits
        return projector(features)


@torch.no_grad()
def _feature_shape(lifter: Lifter) -> tuple[int, int, int]:
    """Return the shape (S, J, D) of the encoder's features of a window."""
    device = next(lifter.parameters()).device
    training = lifter.training
    x = torch.zeros(1, lifter.in_frames, len(lifter.skeleton), lifter.in_channels, device=device)
    features = lifter.eval().encode(x)
    lifter.train(training)
    frames, joints, width = features.shape[1:]
    return frames, joints, width
