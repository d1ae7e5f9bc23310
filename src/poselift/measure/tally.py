"""Sums of errors by recording, and the averages that papers take of them."""

from collections.abc import Callable, Hashable
from typing import NamedTuple

import numpy as np

from poselift.errors import RecipeError


class Cell(NamedTuple):
    """What errors are summed over first: one recording of one subject, from all cameras."""

    subject: str
    """Who moves."""
    action: str
    """The class of the recording."""
    sequence: str
    """The recording."""


AVERAGES: dict[str, Callable[[Cell], Hashable]] = {
    "frames": lambda cell: None,
    "actions": lambda cell: cell.action,
    "sequences": lambda cell: (cell.subject, cell.sequence),
    "subjects x actions": lambda cell: (cell.subject, cell.action),
}
"""Kinds of averages: what cells have in common that are pooled, frame by frame; the pools are averaged alike."""


class Tally:
    """Errors of each metric, summed by cell and joint."""

    def __init__(self, columns: dict[str, tuple[str, ...]], average: str) -> None:
        """Start empty.

        Args:
            columns: Metric: names of the joints (or bones) that its errors are of.
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
        """Count errors (N, J), each alike, or all together as `weight`; none for an empty array."""
        if not len(errors):
            return
        weight = len(errors) if weight is None else weight
        sums, weights = self._sums[metric], self._weights[metric]
        sums[cell] = sums.get(cell, 0) + errors.mean(0, dtype=np.float64) * weight
        weights[cell] = weights.get(cell, 0.0) + weight

    def means(self) -> dict[str, float]:
        """Metric: average over everything. Metrics without any error are left out."""
        return {name: float(self._average(name, list(cells)).mean()) for name, cells in self._sums.items() if cells}

    def per_joint(self) -> dict[str, dict[str, float]]:
        """Metric: joint: average over everything else."""
        return {
            name: dict(zip(self._columns[name], self._average(name, list(cells)).tolist(), strict=True))
            for name, cells in self._sums.items()
            if cells
        }

    def table(self, part: Callable[[Cell], str]) -> dict[str, dict[str, float]]:
        """Metric: part of the data: average over that part, parts in the order in which they came."""
        found: dict[str, dict[str, float]] = {}
        for name, sums in self._sums.items():
            parts: dict[str, list[Cell]] = {}
            for cell in sums:
                parts.setdefault(part(cell), []).append(cell)
            if parts:
                found[name] = {key: float(self._average(name, cells).mean()) for key, cells in parts.items()}
        return found

    def _average(self, metric: str, cells: list[Cell]) -> np.ndarray:
        """(J,) mean of the pools' means."""
        pools: dict[Hashable, list[Cell]] = {}
        for cell in cells:
            pools.setdefault(self._pool(cell), []).append(cell)
        sums, weights = self._sums[metric], self._weights[metric]
        means = [
            np.sum([sums[cell] for cell in pool], 0) / sum(weights[cell] for cell in pool) for pool in pools.values()
        ]
        return np.mean(means, 0)


class BatchMeans:
    """Errors that reach a tally as means of batches, where a batch straddles recordings of different names.

    A habit of the MHFormer line's evaluation: the Procrustes routine gives one mean for the whole batch, which is right
    only when all its frames count for the same action.
    """

    def __init__(self, tally: Tally, metric: str, size: int) -> None:
        """Start with an empty batch of `size` frames, of one metric of a tally."""
        self._tally, self._metric, self._size = tally, metric, size
        self._held: list[tuple[Cell, np.ndarray]] = []
        self._room = size

    def add(self, cell: Cell, errors: np.ndarray) -> None:
        """Errors (N, J) of the frames that follow."""
        while len(errors):
            part, errors = errors[: self._room], errors[self._room :]
            self._held.append((cell, part))
            self._room -= len(part)
            if not self._room:
                self.close()

    def close(self) -> None:
        """Count the batch as it is; the last one may be short."""
        if len({cell.sequence for cell, _ in self._held}) > 1:
            mean = np.concatenate([part for _, part in self._held]).mean(0, keepdims=True)
            self._held = [(cell, np.repeat(mean, len(part), 0)) for cell, part in self._held]
        for cell, part in self._held:
            self._tally.add(cell, self._metric, part)
        self._held, self._room = [], self._size
