"""Join the pieces of a clip's tracks, with what comes before and after every gap.

The tracker that sees one frame after the other starts a new track whenever it is in doubt. In a clip, a person's motion,
pose, size and proportions on both sides of a gap are known, and decide most of these cases.
"""

import numpy as np

from poselift.track.likeness import compare
from poselift.track.match import match
from poselift.track.memory import MEASURED
from poselift.track.piece import End, Piece

LONGEST_GAP_S = 2.0
"""Seconds that a gap may last in which a motion is expected to go on."""
_UNSEEN = 1.0
"""Nats for each second out of sight."""
_STRANGER = 8.0
"""Nats: cost of a piece that continues none."""
_DOUBT = 1.5
"""Nats: a link that is no better than another choice by this much is doubtful; 3 nats are odds of 20 to 1."""
_WEIGHTS = (0.5, 0.3, 0.8, 0.9, 1.6)
_TAIL = 3.0
"""Degrees of freedom of the surprises (Student's t): small as a rule, large when somebody turns round."""
_SHAPE, _SIZE, _SIZE_SPEED = 0.07, 0.06, 0.05
_PROPORTION, _USUAL = 15.0, 0.22


def link(pieces: list[Piece], weights: np.ndarray) -> tuple[list[list[int]], dict[int, tuple[int, ...]]]:
    """Join pieces over gaps of up to `LONGEST_GAP_S`.

    Returns:
        Chains of numbers of pieces; and for pieces that begin a chain in doubt, the pieces that it may continue.
    """
    count = len(pieces)
    cost = np.full((count, count), np.inf)
    for before in range(count):
        for after in range(count):
            gap_s = pieces[after].times_s[0] - pieces[before].times_s[-1]
            if 0 < gap_s <= LONGEST_GAP_S:
                cost[before, after] = link_cost(pieces[before].last, pieces[after].first, gap_s, weights)
    pairs = match(cost, np.zeros(count), _STRANGER, _DOUBT)
    following = {pair.row: pair.column for pair in pairs if pair.margin >= _DOUBT}
    doubts = {pair.column: pair.rivals for pair in pairs if pair.margin < _DOUBT}
    linked = set(following.values()) | set(doubts)
    for after in range(count):
        near = np.flatnonzero(cost[:, after] < _STRANGER + 3 * _DOUBT)
        if after not in linked and len(near):
            doubts[after] = tuple(near[np.argsort(cost[near, after])].tolist())
    chains = []
    for start in sorted(set(range(count)) - set(following.values())):
        chain = [start]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        chains.append(chain)
    return chains, doubts


def link_cost(last: End, first: End, gap_s: float, weights: np.ndarray) -> float:
    """Return the cost in nats of one person going from the end of a piece to the start of another."""
    parts = link_parts(last, first, gap_s, weights)
    return np.inf if parts is None else float(np.dot(_WEIGHTS, (*parts, gap_s)))


def link_parts(last: End, first: End, gap_s: float, weights: np.ndarray) -> tuple[float, float, float, float] | None:
    joints, motion = last.person.expected(-first.person.time_s)
    other = first.person
    size = np.sqrt(last.person.size * other.size)
    away = other.pose - joints
    common = np.isfinite(away[:, 0])
    if common.sum() < 3:
        return None
    moved = np.median(away[common], axis=0)
    turned = -other.motion.velocity - motion.velocity  # its time goes backwards
    a, b, c = (x + y for x, y in zip(motion.variance, _reversed(other.motion.variance), strict=True))
    a += 2 * MEASURED**2
    det = a * c - b * b
    m, v = moved / size, turned / size
    squared = float((c * m @ m - 2 * b * m @ v + a * v @ v) / det)
    motion_cost = np.log(det) + (_TAIL + 4) / 2 * np.log1p(squared / _TAIL) + 4.0
    rest = last.shape - first.shape
    known = np.isfinite(rest[:, 0])
    rest = rest[known] - np.median(rest[known], axis=0) if known.any() else np.zeros((1, 2))
    shape = 2 * np.log1p((np.linalg.norm(rest, axis=-1).mean() / _SHAPE) ** 2 / 3) - 1.0
    change = np.log(first.bones / last.bones)
    seen = np.isfinite(change)
    if seen.sum() < 4:
        return motion_cost, shape, 0.0, 0.0
    ratio = weighted_median(change[seen], weights[seen])
    spread = _SIZE + _SIZE_SPEED * gap_s
    scale = 2 * np.log1p((ratio / spread) ** 2 / 3) + np.log(spread / 0.2)
    unlike = np.average(np.abs(change[seen] - ratio), weights=weights[seen])
    proportion = np.clip(_PROPORTION * (unlike - _USUAL), -1.5, 3.0)
    return motion_cost, shape, scale, float(proportion)


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _reversed(variance: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the variances of a motion whose time goes backwards."""
    place, both, velocity = variance
    return place, -both, velocity


_FITS = 50.0


def fill(chains: list[list[Piece]], rest: list[Piece]) -> list[Piece]:
    """Put pieces into the gaps of the chains into which they fit.

    Args:
        chains: Pieces of each person, in order; pieces are added.
        rest: Pieces that belong to nobody.

    Returns:
        The pieces that fit nowhere.
    """
    left = []
    for piece in sorted(rest, key=lambda piece: -len(piece.frames)):
        best, where = _FITS, None
        for chain in chains:
            cost = _fit(chain, piece)
            if cost < best:
                best, where = cost, chain
        if where is None:
            left.append(piece)
        else:
            where.append(piece)
            where.sort(key=lambda piece: piece.frames[0])
    return left


def _fit(chain: list[Piece], piece: Piece) -> float:
    """Return how badly a piece fits into a gap of a chain, in nats a frame; inf if there is no such gap."""
    costs = []
    before = [p for p in chain if p.frames[-1] < piece.frames[0]]
    after = [p for p in chain if p.frames[0] > piece.frames[-1]]
    if len(before) + len(after) < len(chain):
        return np.inf
    if before and piece.times_s[0] - before[-1].times_s[-1] <= 1.0:
        costs.append(compare([before[-1].last.person], piece.poses[:1], piece.times_s[0]).cost[0, 0])
    if after and after[0].times_s[0] - piece.times_s[-1] <= 1.0:
        costs.append(compare([after[0].first.person], piece.poses[-1:], -piece.times_s[-1]).cost[0, 0])
    return float(np.mean(costs)) if costs else np.inf
