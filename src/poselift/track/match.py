"""Match the rows of a table of costs to its columns, and say how much better each pair is than the next best."""

from dataclasses import dataclass

import numpy as np

_NEVER = 1e6


@dataclass(frozen=True)
class Pair:
    """A row and its column in the cheapest matching."""

    row: int
    column: int
    margin: float
    """By how much the whole matching would cost more without this pair."""
    rivals: tuple[int, ...]
    """Rows that the column may belong to, the likeliest first: this one, and those that cost little more."""


def match(cost: np.ndarray, left: np.ndarray, new: float | np.ndarray, doubt: float) -> list[Pair]:
    """Find the matching of rows to columns that costs least in total.

    Args:
        cost: (K, P) cost of each pair; inf if it is impossible.
        left: (K,) cost of leaving a row without a column.
        new: Cost of leaving a column without a row, one for all or (P,).
        doubt: Margins from this value on are not computed further; they are given as inf.

    Returns:
        The pairs, by rows.
    """
    rows, columns = cost.shape
    table = np.full((rows + columns, columns + rows), _NEVER)
    table[:rows, :columns] = np.minimum(cost, _NEVER)
    table[np.arange(rows), columns + np.arange(rows)] = left
    table[rows + np.arange(columns), np.arange(columns)] = new
    table[rows:, columns:] = 0
    chosen, total = _solved(table)
    pairs = []
    for row in range(rows):
        column = int(chosen[row])
        if column < columns:
            margin, rival = _margin(table, row, column, total, doubt, rows, columns)
            pairs.append(Pair(row, column, margin, (row, *rival)))
    return pairs


def _margin(
    table: np.ndarray, row: int, column: int, total: float, doubt: float, rows: int, columns: int
) -> tuple[float, list[int]]:
    """Return what the matching costs more without a pair, and the row that the column then belongs to."""
    own, across = table[row, column], np.delete(table[:, column], row)
    if across.min() > own + doubt + 60 and np.delete(table[row], column).min() > own + doubt + 60:
        return np.inf, []
    without = table.copy()
    without[row, column] = _NEVER
    chosen, other = _solved(without)
    margin = other - total
    taken = np.flatnonzero(chosen[:rows] == column)
    return (margin, taken.tolist()) if margin < doubt else (np.inf, [])


def _solved(table: np.ndarray) -> tuple[np.ndarray, float]:
    from scipy.optimize import linear_sum_assignment  # takes 0.1 s to import

    rows, columns = linear_sum_assignment(table)
    return columns, float(table[rows, columns].sum())
