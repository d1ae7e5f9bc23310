"""Measure whether an encoder recognizes a moment from another camera, by nearest neighbours across views."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from poselift.lab.models.lifter import Lifter
from poselift.lab.poseclr.views import ViewSource

Embed = Callable[[Tensor], Tensor]
"""Maps windows (B, T, J, C) to embeddings (B, ...)."""


@dataclass(frozen=True)
class Retrieval:
    """How well moments were found among a number of candidates."""

    top1: float
    """Share of moments whose nearest candidate is the same moment, seen by the other camera."""
    top5: float
    """Share of moments whose five nearest candidates include the same moment."""
    median_rank: float
    """Median rank of the right candidate; 1 is the best."""
    candidates: int
    """Number of candidates; by chance, `top1` is 1 / candidates."""


@torch.no_grad()
def retrieve(
    embed: Embed,
    source: ViewSource,
    *,
    candidates: int = 500,
    margin_s: float = 0.25,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Retrieval:
    """Search for each moment's second view among the second views of all moments, by cosines of centred embeddings.

    Args:
        embed: The embedding to measure.
        source: Source of two views of each moment.
        candidates: Number of moments.
        margin_s: Windows of a recording that overlap, or are nearer than so many seconds, are no candidates for each
            other.
        seed: Seed of the moments and cameras; use the same one for embeddings that are compared.
        device: The device that the source makes its views on.

    Returns:
        The scores; embeddings that are all the same score as chance does.
    """
    generator = torch.Generator(device).manual_seed(seed)
    views = source.batch(candidates, generator)
    one, other = (_centred(embed, views.inputs[:, view]) for view in (0, 1))
    ranks = match_ranks(one @ other.T, views.moments.overlap(views.moments, margin_s))
    top1, top5 = ((ranks <= place).float().mean().item() for place in (1, 5))
    return Retrieval(top1, top5, ranks.median().item(), candidates)


def match_ranks(similarity: Tensor, same: Tensor) -> Tensor:
    """Return the rank of the diagonal in each row of similarities, from 1; columns as similar as it count half.

    Args:
        similarity: (N, N) similarities of N moments in one view (rows) with the same N in another (columns).
        same: (N, N) bool, columns that do not count for a row.

    Returns:
        (N,) ranks.
    """
    own = similarity.diagonal()[:, None]
    others = ~(same | torch.eye(len(same), dtype=torch.bool, device=same.device))
    ahead = ((similarity > own) & others).sum(1)
    level = ((similarity == own) & others).sum(1)
    return 1 + ahead + 0.5 * level


def features_of(model: Lifter) -> Embed:
    """Return an embedding by the encoder's flattened features, from which fine-tuning starts."""
    return lambda x: model.encode(x).float().flatten(1)


def raw_keypoints(x: Tensor) -> Tensor:
    """Return the flattened windows themselves, which an encoder should beat."""
    return x.flatten(1)


def _centred(embed: Embed, x: Tensor) -> Tensor:
    """Return embeddings (B, E) minus their mean, of length 1."""
    found = torch.cat([embed(part) for part in x.split(128)]).flatten(1).double()
    return F.normalize(found - found.mean(0), dim=1, eps=1e-6)
