"""What data sets are made of: sequences of one person, seen by one camera with the truth, or motion capture."""

from dataclasses import dataclass, field

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
    """The clips of a benchmark, or of a part of it, and what was chosen when they were read."""

    name: str
    """The benchmark's name, as papers write it."""
    clips: list[BenchmarkClip]
    """The clips, in the order of the benchmark's own archives."""
    notes: dict[str, str] = field(default_factory=dict)
    """Every choice that moves the numbers (which keypoints, which ground truth), to be kept with each result."""

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a motion capture file was read: what it does not say was guessed, and may be overruled."""

    unit: str
    """The file's unit of length: a name (cm), or the metres in it (0.025 m)."""
    unit_from: str
    """What told it: the file, given (by the caller), or guessed from the length of the legs."""
    up: str
    """The file's axis that points up: y, z, -y, ..."""
    up_from: str
    """What told it: given, or how the person stands and moves."""
    fps_from: str
    """What told the frame rate: the file, given, or assumed."""
    joints: str
    """The convention of the file's joint names, or that a map was given."""
    height_m: float
    """Height of the person in metres, from sole to crown, standing straight."""
    notes: tuple[str, ...] = ()
    """What is doubtful or was estimated, a sentence each, with the argument and flag that decides it."""


@dataclass(frozen=True, eq=False)
class MocapClip:
    """One continuous recording of one body."""

    name: str
    """Name of the recording, unique within its data set."""
    subject: str
    """Who moves; clips of one subject share their limb lengths."""
    xyz: np.ndarray
    """(T, J, 3) float32 metres, world frame: right-handed, x and y on the ground, z up."""
    skeleton: Skeleton
    """Joint order of `xyz`."""
    fps: float
    """Frames per second."""
    reading: Reading | None = None
    """How the file was read; None for archives, which say all of it."""

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.xyz)
