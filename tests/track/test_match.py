"""The cheapest matching is found, and how much cheaper it is than without each pair."""

from itertools import permutations

import numpy as np
import pytest

from poselift.track.match import cheapest, match, parts

NEW = 9.0


def by_hand(cost: np.ndarray, left: np.ndarray, without: tuple[int, int] | None = None) -> tuple[float, dict[int, int]]:
    """Try all matchings; cost and pairs of the cheapest one that does not have a certain pair."""
    rows, columns = cost.shape
    best = (np.inf, dict[int, int]())
    for chosen in permutations([*range(columns), *[-1] * rows], rows):
        pairs = {row: column for row, column in enumerate(chosen) if column >= 0}
        if without in pairs.items():
            continue
        total = sum(cost[pair] for pair in pairs.items()) + NEW * (columns - len(pairs))
        total += sum(left[row] for row in range(rows) if row not in pairs)
        if total < best[0]:
            best = (total, pairs)
    return best


@pytest.mark.parametrize("seed", range(25))
def test_margins_are_those_of_trying_everything(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cost = rng.uniform(0, 12, rng.integers(1, 4, 2))
    cost[rng.random(cost.shape) < 0.2] = np.inf
    left = rng.uniform(0, 3, len(cost))
    total, pairs = by_hand(cost, left)
    found = match(cost, left, NEW, 4.0)
    assert {pair.row: pair.column for pair in found} == pairs
    for pair in found:
        other, instead = by_hand(cost, left, (pair.row, pair.column))
        if other - total < 4:
            assert pair.margin == pytest.approx(other - total)
            assert pair.rivals == (pair.row, *[row for row, column in instead.items() if column == pair.column])
        else:
            assert (pair.margin, pair.rivals) == (np.inf, (pair.row,))


def test_large_tables_are_taken_apart() -> None:
    cost = np.full((40, 40), np.inf)
    order = np.random.default_rng(0).permutation(40)
    for members in order.reshape(10, 4):
        cost[members[:-1], members[1:]] = 1.0
    cost[order[0], order[39]] = NEW
    assert sorted(map(tuple, parts(cost, NEW))) == sorted(tuple(sorted(members)) for members in order.reshape(10, 4))
    assert [part.tolist() for part in parts(cost[:5, :5], NEW)] == [[0, 1, 2, 3, 4]]


def test_nothing_is_matched_with_nothing() -> None:
    assert match(np.empty((0, 0)), np.empty(0), NEW, 1.0) == []
    assert match(np.empty((0, 3)), np.empty(0), NEW, 1.0) == []
    assert match(np.full((30, 30), np.inf), np.zeros(30), NEW, 1.0) == []
    assert cheapest(np.full((3, 2), np.inf), np.zeros(3), NEW).pairs == {}
