"""Choose which piece of a track follows which, and find the choices that are doubtful."""

from dataclasses import dataclass, field

import numpy as np

from poselift.track.match import Matching, cheapest, parts

_TRIES = 4
"""So many next best choices are looked at for one that gives a clear piece to somebody else."""


@dataclass
class Choice:
    """Who follows whom."""

    following: dict[int, int] = field(default_factory=dict)
    """By number of a piece the number of the one that follows it."""
    doubts: dict[int, list[int]] = field(default_factory=dict)
    """By number of a piece whose person is doubtful the pieces that it may follow, the likeliest first."""


def choose(cost: np.ndarray, new: float, doubt: float, clear: np.ndarray) -> Choice:
    """Choose who follows whom so that the sum of costs is smallest.

    A choice is doubtful if another one costs hardly more and gives a clear piece to somebody else. Which of two people
    an unclear piece shows, such as one detection made of both, is no doubt about the people.

    Args:
        cost: (N, N) cost of each piece (rows) being followed by each (columns); inf if it is impossible.
        new: Cost of a piece that follows none.
        doubt: How much more another choice must cost.
        clear: (N,) bool: the pieces that show surely one person.

    Returns:
        The choice, without the links that are doubtful.
    """
    made = Choice()
    for members in parts(cost, new + doubt):
        best = cheapest(cost[np.ix_(members, members)], np.zeros(len(members)), new)
        changed = _changed(best, doubt, clear[members])
        doubtful = {piece for piece, _ in changed}
        for piece, earlier in changed:
            made.doubts.setdefault(int(members[piece]), []).append(int(members[earlier]))
        made.following |= {int(members[i]): int(members[j]) for i, j in best.pairs.items() if j not in doubtful}
    return made


def _changed(best: Matching, doubt: float, clear: np.ndarray) -> list[tuple[int, int]]:
    """Return clear pieces that other choices give to somebody else, each with the clear pieces that it may follow."""
    usual, found = _successors(best.pairs, clear), list[tuple[int, int]]()
    for row, column in best.pairs.items():
        if not best.contested(row, doubt):
            continue
        other = best.without((row, column))
        for _ in range(_TRIES):
            if other.paid.sum() - best.paid.sum() >= doubt:
                break
            differs = {i: j for i, j in _successors(other.pairs, clear).items() if j != usual[i]}
            for piece, instead in differs.items():
                found += [(follower, piece) for follower in (usual[piece], instead) if follower is not None]
            if differs:
                break
            other = other.without(*(other.pairs.items() - best.pairs.items()))
    found.sort(key=lambda pair: usual[pair[1]] != pair[0])  # the cheapest choice first
    return list(dict.fromkeys(found))


def _successors(following: dict[int, int], clear: np.ndarray) -> dict[int, int | None]:
    """Return the next clear piece of the same person for every clear piece, None for the last."""
    found: dict[int, int | None] = {}
    for piece in np.flatnonzero(clear).tolist():
        after = following.get(piece)
        while after is not None and not clear[after]:
            after = following.get(after)
        found[piece] = after
    return found
