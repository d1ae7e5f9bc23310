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


def choose(cost: np.ndarray, new: float, doubt: float, clear: np.ndarray, vague: float = 0.0) -> Choice:
    """Choose who follows whom so that the sum of costs is smallest.

    A choice is doubtful if another one costs hardly more and gives a clear piece to somebody else. Which of two people
    an unclear piece shows, such as one detection made of both, is no doubt about the people: where that is doubtful,
    the clear pieces around it are joined without it.

    Args:
        cost: (N, N) cost of each piece (rows) being followed by each (columns); inf if it is impossible.
        new: Cost of a piece that follows none.
        doubt: How much more another choice must cost.
        clear: (N,) bool: the pieces that show surely one person.
        vague: How much more a choice must cost that gives an unclear piece to somebody else.

    Returns:
        The choice, without the links that are doubtful.
    """
    made, left_out = Choice(), dict[int, list[int]]()
    for members in parts(cost, new + max(doubt, vague)):
        best = cheapest(cost[np.ix_(members, members)], np.zeros(len(members)), new)
        changed = _changed(best, doubt, clear[members])
        for piece, owners in _vague(best, vague, clear[members]).items():
            left_out[int(members[piece])] = members[owners].tolist()
        doubtful = {piece for piece, _ in changed}
        for piece, earlier in changed:
            made.doubts.setdefault(int(members[piece]), []).append(int(members[earlier]))
        made.following |= {int(members[i]): int(members[j]) for i, j in best.pairs.items() if j not in doubtful}
    for piece, owners in left_out.items():
        _leave_out(made.following, piece)
        made.doubts[piece] = owners + [owner for owner in made.doubts.get(piece, ()) if owner not in owners]
    return made


def _vague(best: Matching, vague: float, clear: np.ndarray) -> dict[int, list[int]]:
    """Return by number of an unclear piece that other choices give to somebody else the clear pieces it may follow."""
    usual, found = _owners(best.pairs, clear), dict[int, list[int]]()
    for row, column in best.pairs.items():
        if clear[column] or not best.contested(row, vague):
            continue
        other = best.without((row, column))
        if other.paid.sum() - best.paid.sum() < vague:
            for piece, owner in _owners(other.pairs, clear).items():
                if owner != usual[piece]:
                    owners = found.setdefault(piece, [])
                    owners += [one for one in (usual[piece], owner) if one is not None and one not in owners]
    return found


def _owners(following: dict[int, int], clear: np.ndarray) -> dict[int, int | None]:
    """Return the last clear piece of the same person before every unclear piece, None for those without."""
    before = {after: piece for piece, after in following.items()}
    found: dict[int, int | None] = {}
    for piece in np.flatnonzero(~clear).tolist():
        owner = before.get(piece)
        while owner is not None and not clear[owner]:
            owner = before.get(owner)
        found[piece] = owner
    return found


def _leave_out(following: dict[int, int], piece: int) -> None:
    """Join what precedes a piece with what follows it, without the piece."""
    after = following.pop(piece, None)
    before = next((one for one, other in following.items() if other == piece), None)
    if before is not None:
        del following[before]
        if after is not None:
            following[before] = after


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
