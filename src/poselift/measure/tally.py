"""Sum errors by recording, and take the averages that papers take."""

from collections.abc import Callable, Hashable
from typing import NamedTuple

import numpy as np

from poselift.errors import RecipeError


class Cell(NamedTuple):
    """One recording of one subject, from all cameras: errors are first summed over it."""

    subject: str
    """Name of the person."""
    action: str
    """Name of the action."""
    sequence: str
    """Name of the recording."""


AVERAGES: dict[str, Callable[[Cell], Hashable]] = {
    "frames": lambda cell: None,
    "actions": lambda cell: cell.action,
    "sequences": lambda cell: (cell.subject, cell.sequence),
    "subjects x actions": lambda cell: (cell.subject, cell.action),
}
"""By name of the average, the key of a cell's pool. Frames are averaged in each pool, then pools without weights."""


class Tally:
    """Errors of each metric, summed by cell and joint."""

    def __init__(self, columns: dict[str, tuple[str, ...]], average: str) -> None:
        """Start empty.

        Args:
            columns: Names of each metric's joints (or bones).
            average: One of `AVERAGES`.

        Raises:
            RecipeError: There is no such average.
        """
        if average not in AVERAGES:
            raise RecipeError(f"wanted average as one of {', '.join(AVERAGES)}, got {average!r}")
        self._columns, self._pool = columns, AVERAGES[average]
        self._sums: dict[str, dict[Cell, np.ndarray]] = {name: {} for name in columns}
        self._weights: dict[str, dict[Cell, float]] = {name: {} for name in columns}

    def add(self, cell: Cell, metric: str, errors: np.ndarray, weight: float | None = None) -> None:
        """Add errors (N, J), with weight 1 for each row or `weight` for all; an empty array adds nothing."""
        if not len(errors):
            return
        weight = len(errors) if weight is None else weight
        sums, weights = self._sums[metric], self._weights[metric]
        sums[cell] = sums.get(cell, 0) + errors.mean(0, dtype=np.float64) * weight
        weights[cell] = weights.get(cell, 0.0) + weight

    def means(self) -> dict[str, float]:
        """Return the average of each metric over everything. Metrics without errors are left out."""
        return {name: float(self._average(name, list(cells)).mean()) for name, cells in self._sums.items() if cells}

    def per_joint(self) -> dict[str, dict[str, float]]:
        """Return the average of each metric at each joint."""
        return {
            name: dict(zip(self._columns[name], self._average(name, list(cells)).tolist(), strict=True))
            for name, cells in self._sums.items()
            if cells
        }

    def table(self, part: Callable[[Cell], str]) -> dict[str, dict[str, float]]:
        """Return the average of each metric over each part of the data, in the order in which the parts came."""
        found: dict[str, dict[str, float]] = {}
        for name, sums in self._sums.items():
            parts: dict[str, list[Cell]] = {}
            for cell in sums:
                parts.setdefault(part(cell), []).append(cell)
            if parts:
                found[name] = {key: float(self._average(name, cells).mean()) for key, cells in parts.items()}
        return found

    def _average(self, metric: str, cells: list[Cell]) -> np.ndarray:
        """Return the mean of the pools' means (J,)."""
        pools: dict[Hashable, list[Cell]] = {}
        for cell in cells:
            pools.setdefault(self._pool(cell), []).append(cell)
        sums, weights = self._sums[metric], self._weights[metric]
        means = [
            np.sum([sums[cell] for cell in pool], 0) / sum(weights[cell] for cell in pool) for pool in pools.values()
        ]
        return np.mean(means, 0)


class BatchMeans:
    """Replaces errors by their batch's mean before they reach a tally, in batches of differently named recordings.

    The MHFormer line's evaluation does this: its Procrustes routine returns one mean for the whole batch, which is
    right only when all its frames count for the same action.
    """

    def __init__(self, tally: Tally, metric: str, size: int) -> None:
        """Start with an empty batch of `size` frames, for one metric of a tally."""
        self._tally, self._metric, self._size = tally, metric, size
        self._held: list[tuple[Cell, np.ndarray]] = []
        self._room = size

    def add(self, cell: Cell, errors: np.ndarray) -> None:
        """Add errors (N, J) of the next frames."""
        while len(errors):
            part, errors = errors[: self._room], errors[self._room :]
            self._held.append((cell, part))
            self._room -= len(part)
            if not self._room:
                self.close()

    def close(self) -> None:
        """Add the batch to the tally as it is; the last one may be short."""
        if len({cell.sequence for cell, _ in self._held}) > 1:
            mean = np.concatenate([part for _, part in self._held]).mean(0, keepdims=True)
            self._held = [(cell, np.repeat(mean, len(part), 0)) for cell, part in self._held]
        for cell, part in self._held:
            self._tally.add(cell, self._metric, part)
        self._held, self._room = [], self._size
