"""The clips of data sets: one person seen by one camera with ground truth, or one person's motion capture."""

from dataclasses import dataclass, field, replace

import numpy as np

from poselift.errors import ShapeError
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton


def as_single(array: np.ndarray) -> np.ndarray:
    """Return numbers as float32; those that are too large for it become infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(array, np.float32)


@dataclass(frozen=True, eq=False)
class BenchmarkClip:
    """One sequence of one subject from one camera."""

    subject: str
    """Name of the person, as in the data set (S9, TS1)."""
    action: str
    """The class of the action (Walking), not the recording; scores are averaged within each class."""
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
    """(T,) bool: the frames that are scored; of the others, only the keypoints are used, in windows."""

    def __post_init__(self) -> None:
        """Check that the parts fit each other."""
        frames = len(self.keypoints)
        if self.xyz.shape != (frames, len(self.skeleton), 3) or self.valid.shape != (frames,):
            raise ShapeError(
                f"{self.subject} {self.sequence} {self.camera}: wanted {frames} frames of {len(self.skeleton)} joints "
                f"and as many valid flags, got {self.xyz.shape} and {self.valid.shape}"
            )
        object.__setattr__(self, "xyz", as_single(self.xyz))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.xyz)


@dataclass(frozen=True, eq=False)
class BenchmarkSet:
    """The clips of a benchmark, or of a part of it, and what was chosen when they were read."""

    name: str
    """The benchmark's name, as papers write it."""
    clips: list[BenchmarkClip]
    """The clips, in the order of the benchmark's own archives."""
    notes: dict[str, str] = field(default_factory=dict)
    """Every choice that changes the scores (keypoints, ground truth), to be kept with each result."""

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.clips)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a motion capture file was read; what the file does not say was guessed, and the caller may override it."""

    unit: str
    """The file's unit of length: a name (cm), or the metres in it (0.025 m)."""
    unit_from: str
    """Source of the unit: file, given (by the caller), or guessed from the length of the legs."""
    up: str
    """The file's axis that points up: y, z, -y, ..."""
    up_from: str
    """Source of the axis: given, or how the person stands and moves."""
    fps_from: str
    """Source of the frame rate: file, given, or assumed."""
    joints: str
    """The convention of the file's joint names, or that a map was given."""
    height_m: float
    """Height of the person in metres, from sole to crown, standing straight."""
    notes: tuple[str, ...] = ()
    """Sentences, each on something doubtful or estimated, with the argument and flag that decides it."""


@dataclass(frozen=True, eq=False)
class MocapClip:
    """One continuous recording of one body."""

    name: str
    """Name of the recording, unique within its data set."""
    subject: str
    """Name of the person; clips of one subject share their limb lengths."""
    xyz: np.ndarray
    """(T, J, 3) float32 metres, world frame: right-handed, x and y on the ground, z up. A joint that the recording does
    not have is NaN in all frames."""
    skeleton: Skeleton
    """Joint order of `xyz`."""
    fps: float
    """Frames per second."""
    reading: Reading | None = None
    """How the file was read; None for archives, in which nothing has to be guessed."""
    trusted: np.ndarray | None = None
    """(J,) bool: the joint is good enough for a truth; None where every joint that there is may be trusted."""
    contact: np.ndarray | None = None
    """(T, 4) int8, in the order of `poselift.sequence.CONTACTS`: 1 the point stands still on the ground, 0 it does not,
    -1 not known; None when nothing is known."""
    source: str = ""
    """Name of the collection that the recording is from; empty where there is only one."""

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.xyz)

    @property
    def known(self) -> np.ndarray:
        """(J,) bool: the joints whose places are known and may be trusted."""
        known = np.isfinite(self.xyz).all((0, 2))
        return known if self.trusted is None else known & self.trusted

    def first(self, frames: int) -> "MocapClip":
        """Return the first frames of the clip."""
        return replace(self, xyz=self.xyz[:frames], contact=None if self.contact is None else self.contact[:frames])

    def in_joints(self, skeleton: Skeleton) -> "MocapClip":
        """Return the clip in the joints of another skeleton, by name; what the clip lacks is NaN.

        Raises:
            ShapeError: The clip lacks the root, a hip or a shoulder, without which nobody can be seen.
        """
        if skeleton == self.skeleton:
            return self
        shared = [joint for joint in skeleton.joints if joint in self.skeleton]
        trunk = [f"{side}_{part}" for part in ("hip", "shoulder") for side in ("left", "right")]
        if lacking := {skeleton.joints[skeleton.root], *trunk} - {*shared}:
            raise ShapeError(
                f"{self.name}: {self.skeleton.name} has no {', '.join(sorted(lacking))} for {skeleton.name}; train a "
                "lifter whose joints the motion capture has"
            )
        there, here = list(skeleton.indices(shared)), list(self.skeleton.indices(shared))
        xyz = np.full((len(self), len(skeleton), 3), np.nan, np.float32)
        xyz[:, there] = self.xyz[:, here]
        trusted = np.zeros(len(skeleton), bool)
        trusted[there] = self.known[here]
        return replace(self, xyz=xyz, skeleton=skeleton, trusted=trusted)
