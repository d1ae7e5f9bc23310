"""One foot moved as a whole: onto the places where its points stand, above the floor, and back to its own movement."""

import numpy as np

from poselift.refine.contacts import SOLE_M, firmness
from poselift.refine.curves import let_go

_TILT = 0.1
"""Weight of a point that is raised above the floor, against one that stands: it turns the foot and hardly shifts it."""
_ROUNDS = 3
"""Rounds in which points under the floor are found and raised."""


def move_foot(foot: np.ndarray, planted: np.ndarray, place: np.ndarray, fps: float) -> np.ndarray:
    """Return a foot (T, 4, 3), ankle and sole, moved as a whole onto the places of its points that stand.

    The shift of the foot is the smooth curve through what its standing points need; each point's own part on top of it,
    which turns the foot, is another.
    """
    sole, held = foot[:, 1:], firmness(planted, fps)
    wanted = (place - sole) * planted[..., None]
    count = held.sum(1)
    mean = (held[..., None] * wanted).sum(1) / np.maximum(count, 1e-9)[:, None]
    # what is under the floor is raised: the foot (T,) where none of its points stands, else those points (T, 3)
    deep, weight = np.zeros(len(foot)), np.zeros(len(foot))
    low, low_weight = np.zeros(planted.shape), np.zeros(planted.shape)
    for _ in range(_ROUNDS):
        shift = let_go(mean, count, fps)
        shift[:, 2] = _let_go_height(mean[:, 2], count, deep, weight, fps)
        rest = wanted - shift[:, None] * planted[..., None]
        own = np.stack([let_go(rest[:, p], held[:, p], fps) for p in range(3)], 1)
        for p in range(3):
            own[:, p, 2] = _let_go_height(rest[:, p, 2], held[:, p], low[:, p] - shift[:, 2], low_weight[:, p], fps)
        moved = _as_rigid(foot, sole + shift[:, None] + own, held + _TILT * low_weight)
        under = moved[..., 2] < -1e-3
        flying, tilted = under.any(1) & (count == 0), under[:, 1:] & (count > 0)[:, None] & ~planted
        if not (flying.any() or tilted.any()):
            break
        deep = np.where(flying, shift[:, 2] - moved[..., 2].min(1), deep)
        weight = np.where(flying, 1.0, weight)
        low = np.where(tilted, SOLE_M - sole[..., 2], low)
        low_weight = np.where(tilted, 1.0, low_weight)
    return moved


def _let_go_height(
    wanted: np.ndarray, weight: np.ndarray, raised: np.ndarray, raised_weight: np.ndarray, fps: float
) -> np.ndarray:
    """Return `let_go` of heights (T,) wanted for two reasons, each with its weight."""
    total = weight + raised_weight
    both = (weight * wanted + raised_weight * raised) / np.maximum(total, 1e-9)
    return let_go(both[:, None], total, fps)[:, 0]


def _as_rigid(foot: np.ndarray, sole: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return the foot (T, 4, 3) turned and shifted so that its sole is nearest to (T, 3, 3); standing points first."""
    weights = (held + 1e-2)[..., None]
    weights = weights / weights.sum(1, keepdims=True)
    from_middle, to_middle = ((weights * points).sum(1, keepdims=True) for points in (foot[:, 1:], sole))
    cross = np.einsum("tpi,tpj->tij", weights * (foot[:, 1:] - from_middle), sole - to_middle)
    u, _, vt = np.linalg.svd(cross)
    vt[:, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return (foot - from_middle) @ (u @ vt) + to_middle
