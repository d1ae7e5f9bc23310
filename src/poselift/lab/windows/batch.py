"""A batch of training windows, and which part of it a process makes."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """What a lifter is trained on."""

    inputs: Tensor
    """(B, T, J, C) normalised keypoints."""
    targets: Tensor
    """(B, S, J, 3) metres, root-relative; axes of a camera that looks straight at the person, or of the
    benchmark's."""


@dataclass(frozen=True)
class Share:
    """One of so many equal parts of a batch."""

    index: int = 0
    """Which, from 0."""
    count: int = 1
    """Of how many."""

    def of(self, size: int) -> slice:
        """The part of `size` things; parts differ by one at most, and together they are all."""
        return slice(size * self.index // self.count, size * (self.index + 1) // self.count)

    def size(self, size: int) -> int:
        """How many of `size` things it has."""
        part = self.of(size)
        return part.stop - part.start


WHOLE = Share()
"""The whole batch."""
