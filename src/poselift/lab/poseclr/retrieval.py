"""Does an encoder know a moment again from another camera? Nearest neighbours across views."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from poselift.lab.models.lifter import Lifter
from poselift.lab.poseclr.views import ViewSource

Embed = Callable[[Tensor], Tensor]
"""Windows (B, T, J, C) to anything (B, ...)."""


@dataclass(frozen=True)
class Retrieval:
    """How well moments were found among `candidates`."""

    top1: float
    """Share of moments whose nearest candidate is themselves, seen by the other camera."""
    top5: float
    """Share that are among the five nearest."""
    median_rank: float
    """Median place of the right candidate; 1 is the best."""
    candidates: int
    """Moments that were to be told apart; by chance, `top1` is 1 / candidates."""


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
    """Look for each moment's second view among the second views of all, by the cosine of centred embeddings.

    Args:
        embed: What is measured.
        source: Two views of each moment.
        candidates: Moments.
        margin_s: Windows of one recording that overlap or are nearer than this do not count against each other.
        seed: Seed of the moments and cameras; the same for whatever is compared.
        device: Where the source makes its views.

    Returns:
        The scores; embeddings that are all the same give chance, not success.
    """
    generator = torch.Generator(device).manual_seed(seed)
    views = source.batch(candidates, generator)
    one, other = (_centred(embed, views.inputs[:, view]) for view in (0, 1))
    ranks = ranks_of_own(one @ other.T, views.moments.overlap(views.moments, margin_s))
    top1, top5 = ((ranks <= place).float().mean().item() for place in (1, 5))
    return Retrieval(top1, top5, ranks.median().item(), candidates)


def ranks_of_own(similarity: Tensor, same: Tensor) -> Tensor:
    """Place of each row's own column (N, N), from 1; ties are counted half, and `same` ones (N, N) not at all."""
    own = similarity.diagonal()[:, None]
    others = ~(same | torch.eye(len(same), dtype=torch.bool, device=same.device))
    ahead = ((similarity > own) & others).sum(1)
    level = ((similarity == own) & others).sum(1)
    return 1 + ahead + 0.5 * level


def features_of(model: Lifter) -> Embed:
    """The encoder's features, flattened: what fine-tuning starts from."""
    return lambda x: model.encode(x).float().flatten(1)


def keypoints_themselves(x: Tensor) -> Tensor:
    """No encoder at all, as a floor: the windows, flattened."""
    return x.flatten(1)


def _centred(embed: Embed, x: Tensor) -> Tensor:
    """(B, E) embeddings without what all have in common, of length 1."""
    found = torch.cat([embed(part) for part in x.split(128)]).flatten(1).double()
    return F.normalize(found - found.mean(0), dim=1, eps=1e-6)
