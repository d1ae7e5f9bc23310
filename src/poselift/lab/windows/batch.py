"""A batch of training windows, and the part of it that a process makes."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs and targets of a training step."""

    inputs: Tensor
    """(B, T, J, C) normalised keypoints."""
    targets: Tensor
    """(B, S, J, 3) metres, root-relative, in the axes of a camera that looks straight at the person, or of the
    benchmark's camera; any finite numbers where not known."""
    known: Tensor | None = None
    """(B, S, J) bool: the target is known; None where all are."""
    up: Tensor | None = None
    """(B, S, 3) unit vector that points up, in the axes of the targets; None where nothing says it."""
    contact: Tensor | None = None
    """(B, S, 4): 1 where left heel, left toe, right heel and right toe stand still on the ground, 0 where they do not,
    -1 where it is not known; None where nothing is."""


@dataclass(frozen=True)
class Share:
    """One of several equal parts of a batch."""

    index: int = 0
    """Number of the part, from 0."""
    count: int = 1
    """Number of parts."""

    def of(self, size: int) -> slice:
        """Return the part as a slice of `size` things; parts differ by one at most, and together are all of them."""
        return slice(size * self.index // self.count, size * (self.index + 1) // self.count)

    def size(self, size: int) -> int:
        """Return how many of `size` things the part has."""
        part = self.of(size)
        return part.stop - part.start


WHOLE = Share()
"""The whole batch."""
