"""Join the pieces of a clip's tracks, with what comes before and after every gap.

The tracker that sees one frame after the other starts a new track whenever it is in doubt. In a clip, a person's
motion, pose, size and proportions on both sides of a gap are known, and decide most of these cases.

Costs are negative logarithms of ratios of probabilities (nats): that of what is seen if both pieces show one person, to
that if they show two. The weights of the parts were fitted on the scenes of benchmarks/tracking.py, seeds 0 to 29, and
`_VAGUE` on seeds 1025 to 1089.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from poselift.track.body import unlike
from poselift.track.choose import choose
from poselift.track.likeness import compare
from poselift.track.memory import FEWEST_JOINTS, MEASURED, displacement
from poselift.track.piece import End, Piece

LONGEST_GAP_S = 2.0
"""Seconds out of sight after which somebody is still expected to go on as before."""
_MOTION, _SHAPE, _SIZE, _PROPORTION, _GAP = 0.5, 0.3, 0.8, 0.9, 1.6
"""Weights of the parts; the last one is for each second out of sight."""
_NEW, _DOUBT, _MAY = 8.0, 0.6, 4.0
"""Nats: cost of a piece that continues none; what another choice must cost more (the true choice is rarely the second);
a piece that continues none may continue those that cost up to so much more than this."""
_VAGUE = 0.7
"""Nats: what giving an unclear piece to somebody else must cost more; else it belongs to nobody surely."""
_CLEAR_S = 0.1
"""Seconds from which on a piece shows who somebody is."""
_TAIL = 3.0
"""Degrees of freedom of Student's distribution of surprises: small as a rule, large when somebody turns round."""
_SHAPE_SPREAD, _SIZE_SPREAD, _SIZE_SPEED = 0.07, 0.06, 0.05
"""Usual differences of mean poses, in sizes; of logarithms of sizes, at once and for each second."""
_UNLIKE, _UNLIKE_RATE = 0.3, 11.0
"""Proportions over a second that differ by 0.3 speak neither for one person nor for two; nats per difference."""

LONGEST_AWAY_S = 30.0
"""Seconds after which somebody who returns is not recognised."""
_AWAY_S, _LEAST_S = 0.8, 0.3
"""Seconds that somebody must have been away to have returned, and must have been seen before and after."""
_BODY, _BODY_RATE = 0.2, 50.0
"""As `_UNLIKE`, for the proportions over all frames."""
_BODY_MOST = 4.0
_DISTANCE = 0.4
"""Sizes: somebody who returns nearer to where they left than this speaks for one person."""
_RETURNS, _RETURN_DOUBT = 2.0, 1.5
"""Nats in favour of one person from which on they are taken for one, and by which others must be less likely."""
_MAY_RETURN = -2.0
"""Nats in favour of one person from which on they may be one."""

_FITS, _MAY_FIT, _FIT_S = 40.0, 60.0, 1.0
"""Nats up to which a piece belongs, or may belong, to the person seen up to a second before or after it."""


@dataclass(frozen=True)
class _Rule:
    """What decides whether a piece continues another one, in nats."""

    new: float
    """Cost of a piece that continues none."""
    doubt: float
    """A choice is doubtful if another one costs less than this more."""
    may: float
    """A piece that continues none may continue those at this cost or less."""
    clear_s: float
    """Seconds from which on a piece shows who somebody is."""
    vague: float = 0.0
    """A choice of an unclear piece's person is doubtful if another one costs less than this more."""


@dataclass
class Chains:
    """Pieces that were joined."""

    members: list[list[int]]
    """Numbers of the pieces of each person, in the order of time."""
    doubts: dict[int, tuple[int, ...]]
    """By number of a chain that starts in doubt the chains that it may continue, the likeliest first."""


def link(pieces: list[Piece], weights: np.ndarray) -> Chains:
    """Join pieces over gaps of up to `LONGEST_GAP_S`.

    Args:
        pieces: The pieces.
        weights: (B,) weights of the bones.
    """

    def cost(before: Piece, after: Piece) -> float:
        return link_cost(before.last, after.first, float(after.times_s[0] - before.times_s[-1]), weights)

    table = _table(pieces, cost, 0.0, LONGEST_GAP_S)
    return _chained(pieces, table, _Rule(_NEW, _DOUBT, _NEW + _MAY, _CLEAR_S, _VAGUE))


def returned(pieces: list[Piece], weights: np.ndarray) -> Chains:
    """Join pieces of people who left and returned; arguments as `link`, the pieces being whole tracks."""

    def cost(before: Piece, after: Piece) -> float:
        if min(before.seconds, after.seconds) < _LEAST_S:
            return np.inf
        return -_in_favour(before, after, weights)

    table = _table(pieces, cost, _AWAY_S, LONGEST_AWAY_S)
    return _chained(pieces, table, _Rule(-_RETURNS, _RETURN_DOUBT, -_MAY_RETURN, 0.0))


def _table(
    pieces: list[Piece], cost: Callable[[Piece, Piece], float], shortest_s: float, longest_s: float
) -> np.ndarray:
    """Return the cost of each piece (rows) being followed by each (columns); inf where the gap is too short or long."""
    first = np.array([piece.times_s[0] for piece in pieces])
    last = np.array([piece.times_s[-1] for piece in pieces])
    gap_s = first[None] - last[:, None]
    table = np.full(gap_s.shape, np.inf)
    for i, j in np.argwhere((gap_s > shortest_s) & (gap_s <= longest_s)):
        table[i, j] = cost(pieces[i], pieces[j])
    return table


def _chained(pieces: list[Piece], cost: np.ndarray, rule: _Rule) -> Chains:
    """Choose who follows whom, and name what is doubtful."""
    clear = np.array([not piece.unclear and piece.seconds >= rule.clear_s for piece in pieces], bool)
    choice = choose(cost, rule.new, rule.doubt, clear, rule.vague)
    followers = set(choice.following.values())
    chains = []
    for start in sorted(set(range(len(pieces))) - followers, key=lambda i: pieces[i].frames[0]):
        chain = [start]
        while chain[-1] in choice.following:
            chain.append(choice.following[chain[-1]])
        chains.append(chain)
    number = {piece: place for place, chain in enumerate(chains) for piece in chain}
    doubts = {}
    for place, (start, *_) in enumerate(chains):
        near = np.flatnonzero(cost[:, start] < rule.may)
        earlier = choice.doubts.get(start, []) + near[np.argsort(cost[near, start])].tolist()
        others = tuple(dict.fromkeys(number[piece] for piece in earlier if number[piece] != place))
        if others:
            doubts[place] = others
    return Chains(chains, doubts)


def link_cost(last: End, first: End, gap_s: float, weights: np.ndarray) -> float:
    """Return the cost in nats of one person going from the end of a piece to the start of another.

    Args:
        last: The person at the end of a piece.
        first: The person at the start of the other piece.
        gap_s: Seconds between the pieces.
        weights: (B,) weights of the bones.

    Returns:
        The cost; inf if the poses have too few joints in common.
    """
    motion = _motion_cost(last, first)
    if not np.isfinite(motion):
        return np.inf
    rest = last.shape - first.shape
    known = np.isfinite(rest[:, 0])
    shape = 0.0
    if known.any():
        away = np.linalg.norm(rest[known] - np.median(rest[known], axis=0), axis=-1).mean()
        shape = 2 * np.log1p((away / _SHAPE_SPREAD) ** 2 / 3) - 1
    cost = _MOTION * motion + _SHAPE * shape + _GAP * gap_s
    compared = unlike(last.bones, first.bones, weights)
    if compared is not None:
        larger, proportions = compared
        spread = _SIZE_SPREAD + _SIZE_SPEED * gap_s
        cost += _SIZE * (2 * np.log1p((larger / spread) ** 2 / 3) + np.log(spread / 0.2))
        cost += _PROPORTION * float(np.clip(_UNLIKE_RATE * (proportions - _UNLIKE), -1.5, 3.0))
    return float(cost)


def _motion_cost(last: End, first: End) -> float:
    """Return the cost of the places and velocities on both sides of a gap."""
    before, after = last.person, first.person
    joints, motion = before.expected(-after.time_s)  # the time of `after` goes backwards
    if np.isfinite(joints[:, 0] + after.pose[:, 0]).sum() < FEWEST_JOINTS:
        return np.inf
    size = np.sqrt(before.size * after.size)
    place = displacement(joints, after.pose) / size
    velocity = (-after.motion.velocity - motion.velocity) / size
    a, b, c = motion.variance
    a, b, c = a + after.motion.variance[0] + 2 * MEASURED**2, b - after.motion.variance[1], c + after.motion.variance[2]
    determinant = a * c - b * b
    squared = (c * place @ place - 2 * b * place @ velocity + a * velocity @ velocity) / determinant
    return float(np.log(determinant) + (_TAIL + 4) / 2 * np.log1p(squared / _TAIL) + 4)


def _in_favour(before: Piece, after: Piece, weights: np.ndarray) -> float:
    """Return how much proportions and place speak for one person who left and returned, in nats."""
    compared = unlike(before.lengths, after.lengths, weights)
    if compared is None:
        return -np.inf
    body = float(np.clip(_BODY_RATE * (_BODY - compared[1]), -2 * _BODY_MOST, _BODY_MOST))
    left, back = before.last.person, after.first.person
    common = np.isfinite(left.pose[:, 0] + back.pose[:, 0])
    if not common.any():
        return -np.inf
    distance = np.linalg.norm(np.median((back.pose - left.pose)[common], axis=0)) / np.sqrt(left.size * back.size)
    return body + 1 - float(np.log1p((distance / _DISTANCE) ** 2))


def fill(chains: list[list[Piece]], rest: list[Piece]) -> dict[int, tuple[int, ...]]:
    """Put pieces into the gaps, and at the ends, of the chains that they fit.

    Args:
        chains: Pieces of each person, in order. Pieces are added; those that fit nowhere are chains of their own.
        rest: Pieces that belong to nobody yet.

    Returns:
        By number of a new chain the chains that it may continue, the likeliest first.
    """
    doubts: dict[int, tuple[int, ...]] = {}
    for piece in sorted(rest, key=lambda piece: -len(piece.frames)):
        costs = np.array([_fit(chain, piece) for chain in chains])
        order = np.argsort(costs)
        if len(order) and costs[order[0]] < _FITS:
            chain = chains[order[0]]
            chain.append(piece)
            chain.sort(key=lambda piece: piece.frames[0])
            continue
        before = [i for i in order if costs[i] < _MAY_FIT and chains[i][0].frames[0] < piece.frames[0]]
        if before:
            doubts[len(chains)] = tuple(int(i) for i in before)
        chains.append([piece])
    return doubts


def _fit(chain: list[Piece], piece: Piece) -> float:
    """Return how badly a piece fits into a gap of a chain, in nats; inf if there is no such gap near it."""
    place = sum(other.frames[-1] < piece.frames[0] for other in chain)
    if place < len(chain) and chain[place].frames[0] <= piece.frames[-1]:
        return np.inf
    costs = []
    if place and piece.times_s[0] - chain[place - 1].times_s[-1] <= _FIT_S:
        costs.append(compare([chain[place - 1].last.person], piece.poses[:1], piece.times_s[0]).cost[0, 0])
    if place < len(chain) and chain[place].times_s[0] - piece.times_s[-1] <= _FIT_S:
        costs.append(compare([chain[place].first.person], piece.poses[-1:], -piece.times_s[-1]).cost[0, 0])
    return float(np.mean(costs)) if costs else np.inf
