"""What every benchmark is made of: one person's sequence, seen by one camera, with the truth."""

from dataclasses import dataclass

import numpy as np

from poselift.errors import ShapeError
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class BenchmarkClip:
    """One sequence of one subject from one camera."""

    subject: str
    """Who moves, as the data set names them (S9, TS1)."""
    action: str
    """What is averaged over: the class of the action (Walking), not the recording."""
    sequence: str
    """The recording, as the archive names it (Walking 1); with subject and camera it is unique."""
    camera: str
    """The camera's name."""
    keypoints: Keypoints2D
    """2D keypoints in pixels, with `image_size`; T frames."""
    xyz: np.ndarray
    """(T, J, 3) float32 metres, camera axes (x right, y down, z forward), from the camera's centre."""
    skeleton: Skeleton
    """Joint order of `xyz`; `keypoints` may have another."""
    valid: np.ndarray
    """(T,) bool: the frames that are scored; the others only lend their keypoints to windows."""

    def __post_init__(self) -> None:
        """Check that the parts fit each other."""
        frames = len(self.keypoints)
        if self.xyz.shape != (frames, len(self.skeleton), 3) or self.valid.shape != (frames,):
            raise ShapeError(
                f"{self.subject} {self.sequence} {self.camera}: wanted {frames} frames of {len(self.skeleton)} joints "
                f"and as many valid flags, got {self.xyz.shape} and {self.valid.shape}"
            )

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.xyz)


@dataclass(frozen=True, eq=False)
class BenchmarkSet:
    """The clips of a benchmark, and what must be said of them beside any result."""

    name: str
    """What the data set is called."""
    clips: list[BenchmarkClip]
    """Every sequence from every camera, in the order in which the archives give them."""
    notes: dict[str, str]
    """What moves the numbers and is not the protocol's: where the 2D keypoints come from, which ground truth, ..."""
