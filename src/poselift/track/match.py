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


def match(cost: np.ndarray, left: np.ndarray, new: float, doubt: float) -> list[Pair]:
    """Find the matching of rows to columns that costs least in total.

    Args:
        cost: (K, P) cost of each pair; inf if it is impossible.
        left: (K,) cost of leaving a row without a column.
        new: Cost of leaving a column without a row.
        doubt: Margins are computed up to this value.

    Returns:
        The pairs, by rows.
    """
    pairs = []
    for rows, columns in _parts(cost, new + float(left.max(initial=0.0)) + doubt):
        for pair in _matched(cost[np.ix_(rows, columns)], left[rows], new, doubt):
            rivals = tuple(int(rows[row]) for row in pair.rivals)
            pairs.append(Pair(int(rows[pair.row]), int(columns[pair.column]), pair.margin, rivals))
    return sorted(pairs, key=lambda pair: pair.row)


def _parts(cost: np.ndarray, most: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Take a large table apart into rows and columns that no pair cheaper than `most` connects with the others."""
    rows, columns = cost.shape
    if rows + columns <= _LARGE:
        yield np.arange(rows), np.arange(columns)
        return
    from scipy.sparse import coo_array  # scipy takes 0.1 s to import
    from scipy.sparse.csgraph import connected_components

    i, j = np.nonzero(cost < most)
    size = rows + columns
    count, label = connected_components(coo_array((np.ones(len(i)), (i, rows + j)), shape=(size, size)), directed=False)
    order = np.argsort(label, kind="stable")
    for members in np.split(order, np.searchsorted(label[order], np.arange(1, count))):
        part = members[members < rows], members[members >= rows] - rows
        if len(part[0]) and len(part[1]):
            yield part


def _matched(cost: np.ndarray, left: np.ndarray, new: float, doubt: float) -> list[Pair]:
    """Match one part of the table; a row or a column for itself is matched to one that stands for nobody."""
    rows, columns = cost.shape
    table = np.full((rows + columns, columns + rows), _NEVER)
    table[:rows, :columns] = np.minimum(cost, _NEVER)
    table[np.arange(rows), columns + np.arange(rows)] = left
    table[rows + np.arange(columns), np.arange(columns)] = new
    table[rows:, columns:] = 0
    chosen = _solved(table)
    own = table[np.arange(len(table)), chosen]
    pairs = []
    for row, column in enumerate(chosen[:rows].tolist()):
        if column >= columns:
            continue
        margin, rivals = np.inf, [row]
        if _contested(table, own, row, column, doubt):
            other = table.copy()
            other[row, column] = _NEVER
            instead = _solved(other)
            extra = float(other[np.arange(len(other)), instead].sum() - own.sum())
            if extra < doubt:
                margin = extra
                rivals += [rival for rival in range(rows) if instead[rival] == column]
        pairs.append(Pair(row, column, margin, tuple(rivals)))
    return pairs


def _contested(table: np.ndarray, own: np.ndarray, row: int, column: int, doubt: float) -> bool:
    """Return whether the matching without a pair can cost so little more that it must be computed.

    The column then goes to another row, which gives up its own column. The total grows by what both rows pay more, less
    what all the others may gain: at most what they pay beyond the cheapest in their rows.
    """
    more = table[:, column] - own
    more[row] = np.inf
    slack = float((own - table.min(1)).sum())
    return float(more.min()) + float(np.delete(table[row], column).min()) - slack < own[row] + doubt


def _solved(table: np.ndarray) -> np.ndarray:
    """Return the column of each row in the cheapest matching of a square table."""
    from scipy.optimize import linear_sum_assignment  # scipy takes 0.1 s to import

    return np.asarray(linear_sum_assignment(table)[1])
