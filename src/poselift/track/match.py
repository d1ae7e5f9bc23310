"""Match the rows of a table of costs to its columns, and say how much better each pair is than the next best."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_NEVER = 1e6
_LARGE = 24
"""Rows and columns from which on the table is taken apart first: the time grows with the third power of the size."""


@dataclass(frozen=True)
class Pair:
    """A row and its column in the cheapest matching."""

    row: int
    column: int
    margin: float
    """By how much the whole matching would cost more without this pair; inf where that is more than `doubt`."""
    rivals: tuple[int, ...]
    """Rows that the column may belong to, the likeliest first: this one, and the one of the next best matching."""


@dataclass(frozen=True)
class Matching:
    """The cheapest matching of a table."""

    table: np.ndarray
    """(K + P, P + K) the table, with rows and columns that stand for nobody."""
    chosen: np.ndarray
    """(K + P,) column of each row."""
    rows: int
    columns: int

    @property
    def paid(self) -> np.ndarray:
        """(K + P,) cost of each row."""
        return np.asarray(self.table[np.arange(len(self.table)), self.chosen])

    @property
    def pairs(self) -> dict[int, int]:
        """Column of each row that has one."""
        return {row: column for row, column in enumerate(self.chosen[: self.rows].tolist()) if column < self.columns}

    def without(self, *pairs: tuple[int, int]) -> "Matching":
        """Return the cheapest matching that has none of these pairs."""
        table = self.table.copy()
        for pair in pairs:
            table[pair] = _NEVER
        return Matching(table, _solved(table), self.rows, self.columns)

    def contested(self, row: int, doubt: float) -> bool:
        """Return whether a matching without this row's pair may cost less than `doubt` more; False is certain.

        The column then goes to another row, which gives up its own column. The total grows by what both rows pay more,
        less what all the others may gain: at most what they pay beyond the cheapest in their rows.
        """
        paid, column = self.paid, self.chosen[row]
        more = self.table[:, column] - paid
        more[row] = np.inf
        gain = float((paid - self.table.min(1)).sum())
        return float(more.min() + np.delete(self.table[row], column).min()) - gain < paid[row] + doubt


def cheapest(cost: np.ndarray, left: np.ndarray, new: float) -> Matching:
    """Find the matching of rows to columns that costs least in total.

    Args:
        cost: (K, P) cost of each pair; inf if it is impossible.
        left: (K,) cost of leaving a row without a column.
        new: Cost of leaving a column without a row.
    """
    rows, columns = cost.shape
    table = np.full((rows + columns, columns + rows), _NEVER)
    table[:rows, :columns] = np.minimum(cost, _NEVER)
    table[np.arange(rows), columns + np.arange(rows)] = left
    table[rows + np.arange(columns), np.arange(columns)] = new
    table[rows:, columns:] = 0
    return Matching(table, _solved(table), rows, columns)


def match(cost: np.ndarray, left: np.ndarray, new: float, doubt: float) -> list[Pair]:
    """Find the matching that costs least, and how sure each of its pairs is.

    Args:
        cost: As for `cheapest`, as are `left` and `new`.
        left: Of each row.
        new: Of each column.
        doubt: Margins are computed up to this value.

    Returns:
        The pairs, by rows.
    """
    pairs = []
    best = cheapest(cost, left, new)
    for row, column in best.pairs.items():
        margin, rivals = np.inf, [row]
        if best.contested(row, doubt):
            other = best.without((row, column))
            extra = float(other.paid.sum() - best.paid.sum())
            if extra < doubt:
                margin = extra
                rivals += [rival for rival, taken in other.pairs.items() if taken == column]
        pairs.append(Pair(row, column, margin, tuple(rivals)))
    return pairs


def parts(cost: np.ndarray, most: float) -> Iterator[np.ndarray]:
    """Take a square table, whose rows and columns are the same things, apart.

    Args:
        cost: (N, N) costs.
        most: Pairs that cost this or more do not count.

    Yields:
        Numbers of things, increasing, that no pair connects with the others.
    """
    if len(cost) <= _LARGE:
        yield np.arange(len(cost))
        return
    from scipy.sparse import coo_array  # scipy takes 0.1 s to import
    from scipy.sparse.csgraph import connected_components

    i, j = np.nonzero(cost < most)
    count, label = connected_components(coo_array((np.ones(len(i)), (i, j)), shape=cost.shape), directed=False)
    order = np.argsort(label, kind="stable")
    yield from np.split(order, np.searchsorted(label[order], np.arange(1, count)))


def _solved(table: np.ndarray) -> np.ndarray:
    """Return the column of each row in the cheapest matching of a square table."""
    from scipy.optimize import linear_sum_assignment  # scipy takes 0.1 s to import

    return np.asarray(linear_sum_assignment(table)[1])
