"""What crosses a stage border: `Keypoints2D` and `Poses3D`, arrays that know their joints, rate, frame and unit.

Both are frozen and checked when made; the arrays inside are plain numpy.
"""

from dataclasses import dataclass, replace

import numpy as np

from poselift.errors import ShapeError, SkeletonError, check_kind
from poselift.skeleton import Skeleton, get_skeleton


@dataclass(frozen=True, eq=False)
class Keypoints2D:
    """One person's 2D keypoints over time.

    A joint that was not seen has NaN coordinates or confidence 0; either is enough.
    """

    xy: np.ndarray
    """(T, J, 2) float32 pixels, x right, y down; NaN where a joint was not seen."""
    confidence: np.ndarray | None
    """(T, J) float32 in [0, 1], or None when the source has no scores."""
    skeleton: Skeleton
    """Joint order of `xy`; a skeleton's name becomes that skeleton."""
    fps: float
    """Frames per second."""
    image_size: tuple[int, int] | None = None
    """(width, height) of the picture in pixels, for drawing and for weights that want it; None when unknown."""

    def __post_init__(self) -> None:
        """Check shapes and values; store contiguous float32."""
        object.__setattr__(self, "skeleton", get_skeleton(self.skeleton))
        xy = _frames(self.xy, "xy", self.skeleton, 2)
        object.__setattr__(self, "xy", xy)
        if np.isinf(xy).any():
            raise ShapeError(f"keypoints hold {int(np.isinf(xy).sum())} infinite values; write NaN for an unseen joint")
        if self.confidence is not None:
            confidence = np.ascontiguousarray(self.confidence, np.float32)
            if confidence.shape != xy.shape[:2]:
                raise ShapeError(f"wanted confidence of shape {xy.shape[:2]}, got {confidence.shape}")
            if not ((confidence >= 0) & np.isfinite(confidence) | np.isnan(confidence)).all():
                raise ShapeError(
                    "confidence must be between 0 and 1 (NaN counts as 0); got negative or infinite values"
                )
            object.__setattr__(self, "confidence", np.nan_to_num(confidence, nan=0.0))
        _check_fps(self.fps)
        if self.image_size is not None and min(self.image_size) <= 0:
            raise ShapeError(f"wanted a positive image size (width, height), got {self.image_size}")

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.xy)

    @property
    def seen(self) -> np.ndarray:
        """(T, J) bool: the joint has coordinates and, where there are scores, a positive one."""
        finite = np.isfinite(self.xy).all(-1)
        return finite if self.confidence is None else finite & (self.confidence > 0)

    def with_frames(self, xy: np.ndarray, confidence: np.ndarray | None, fps: float) -> "Keypoints2D":
        """The same person at other frames: new `xy` (T, J, 2), `confidence` (T, J) and rate."""
        return replace(self, xy=xy, confidence=confidence, fps=fps)


@dataclass(frozen=True, eq=False)
class Poses3D:
    """One person's 3D joints over time."""

    xyz: np.ndarray
    """(T, J, 3) float32 metres, relative to the root joint; camera axes: x right, y down, z away from the camera."""
    skeleton: Skeleton
    """Joint order of `xyz`; a skeleton's name becomes that skeleton."""
    fps: float
    """Frames per second."""

    def __post_init__(self) -> None:
        """Check shapes and values; store contiguous float32."""
        object.__setattr__(self, "skeleton", get_skeleton(self.skeleton))
        xyz = _frames(self.xyz, "xyz", self.skeleton, 3)
        if not np.isfinite(xyz).all():
            raise ShapeError(f"poses hold {int((~np.isfinite(xyz)).sum())} NaN or infinite values")
        object.__setattr__(self, "xyz", xyz)
        _check_fps(self.fps)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.xyz)

    @property
    def frame(self) -> str:
        """Name of the coordinate frame."""
        return "camera"

    @property
    def unit(self) -> str:
        """Name of the unit of length."""
        return "m"


def _frames(array: np.ndarray, name: str, skeleton: Skeleton, channels: int) -> np.ndarray:
    """`array` as contiguous float32 (T, J, channels), or an error that names what is wrong."""
    array = np.asarray(array)
    if array.ndim != 3 or array.shape[2] != channels:
        raise ShapeError(f"wanted {name} of shape (frames, joints, {channels}), got {array.shape}")
    if array.shape[0] == 0:
        raise ShapeError(f"{name} holds no frames; at least one is needed")
    if array.shape[1] != len(skeleton):
        raise SkeletonError(
            f"{skeleton.name} has {len(skeleton)} joints, {name} has {array.shape[1]}; name the skeleton the data is in"
        )
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise ShapeError(f"wanted numbers in {name}, got dtype {array.dtype}")
    return np.ascontiguousarray(array, np.float32)


def _check_fps(fps: float) -> None:
    if not (np.isfinite(fps) and fps > 0):
        raise ShapeError(f"wanted a positive frame rate, got fps={fps}")


def expect_keypoints(value: object) -> None:
    """Refuse what is not one person's keypoints.

    Raises:
        KindError: `value` is no `Keypoints2D`.
    """
    check_kind(value, Keypoints2D, "take one of read_keypoints(path), or make it: Keypoints2D(xy, None, skeleton, fps)")


def expect_poses(value: object) -> None:
    """Refuse what is not one person's poses.

    Raises:
        KindError: `value` is no `Poses3D`.
    """
    check_kind(value, Poses3D, "take what lift(keypoints) returns, or make it: Poses3D(xyz, skeleton, fps)")
