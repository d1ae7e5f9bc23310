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
    benchmark's camera."""
    known: Tensor | None = None
    """(B, S, J) bool: the target is known; any number, also NaN, stands where it is not. None where all are known."""
    up: Tensor | None = None
    """(B, S, 3) of length 1: the direction away from the ground in the axes of the targets. None where unknown."""
    contact: Tensor | None = None
    """(B, S, 4) from 0 to 1: whether each of `poselift.sequence.CONTACTS` stands still on the ground; negative
    or NaN where that is unknown. None where all is unknown."""


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
