"""How large files may be: larger files are refused before they are read.

A file of a few kilobytes can ask for gigabytes of memory. The limits are far above the files that people have, and the
error says which limit was met. `POSELIFT_LIMITS=10` in the environment makes all of them ten times as large.
"""

import contextlib
import math
import os
from dataclasses import dataclass

from poselift.errors import FormatError

VARIABLE = "POSELIFT_LIMITS"
"""Environment variable: a number that every limit is multiplied by."""


def limits_factor() -> float:
    """Return the number that the environment multiplies every limit by; 1 where it says nothing.

    Raises:
        FormatError: The environment holds no positive number.
    """
    said = os.environ.get(VARIABLE, "1")
    with contextlib.suppress(ValueError):
        if (factor := float(said)) > 0:
            return factor
    raise FormatError(f"wanted {VARIABLE} as a number above 0, by which limits are multiplied, got {said!r}")


@dataclass(frozen=True)
class Limit:
    """The largest size of one kind of file."""

    what: str
    """Name of the kind, in the plural."""
    mib: int
    """The limit in MiB."""

    @property
    def bytes(self) -> float:
        """The limit in bytes, as the environment sets it.

        Raises:
            FormatError: The environment holds no positive number.
        """
        return self.mib * limits_factor() * 2**20

    def check(self, size: float, name: str) -> None:
        """Check a size.

        Args:
            size: The size in bytes.
            name: Name of the file, for the error.

        Raises:
            FormatError: The size is above the limit; the message says what the limit is and how to raise it.
        """
        if size > self.bytes:
            raise FormatError(
                f"{name} has {size / 2**20:,.0f} MiB; the limit for {self.what} is {self.bytes / 2**20:,.0f} MiB. If "
                f"you trust the file and have the memory, set {VARIABLE}={math.floor(size / 2**20 / self.mib) + 1}"
            )


DOCUMENT = Limit("text and JSON files", 512)
"""The largest ground truth of COCO has 450 MB, an hour of one person's keypoints 50. It takes ten times the memory."""
MOTION = Limit("motion files", 1024)
"""An hour of 70 joints at 120 frames a second has 900 MB as BVH."""
ARRAY = Limit("arrays of npz files", 1024)
"""Two days of 17 joints with confidence at 30 frames a second."""
BENCHMARK = Limit("arrays of benchmarks' archives", 4096)
"""MPI-INF-3DHP's training set, a million frames in 2D and 3D, has 0.7 GB."""
NETWORK = Limit("networks, weights and checkpoints", 2048)
"""A hundred times the largest lifter with its optimizer."""
INFLATION = 200
"""Arrays of people are compressed to a half or a twentieth, and to a hundredth where most of them is NaN."""
INFLATED = Limit(f"arrays that are compressed to less than a {INFLATION}th", 64)
"""Smaller ones may be: someone who stands still is."""
