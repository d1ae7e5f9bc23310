"""What one stage passes to the next: `Keypoints2D` and `Poses3D`, arrays with their joints, rate, frame and unit.

Both are frozen and checked when made; the arrays inside are plain numpy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

import numpy as np

from poselift.errors import PoseliftError, ShapeError, SkeletonError, check_kind
from poselift.footage import Footage
from poselift.geometry.camera import Camera
from poselift.skeleton import Skeleton, get_skeleton

LOWEST_FPS, HIGHEST_FPS = 0.1, 10_000.0
"""Limits of frame rates in frames per second. Rates beyond them are mistakes: a clip that is resampled would have more
frames than memory holds, or all alike."""


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
    start_s: float = 0.0
    """Time of the first frame in seconds from the beginning of the source."""
    person: int | None = None
    """Number of the person among those of the source, from 1; None for somebody who is alone there."""
    may_continue: tuple[int, ...] = ()
    """Numbers of the people of whom this one may be the continuation: the tracker lost them, and could not decide."""
    footage: Footage | None = None
    """What the video says of its camera; None for keypoints that are from none. Of keypoint files, ours in npz
    keep it."""

    def __post_init__(self) -> None:
        """Check shapes and values; store contiguous float32."""
        object.__setattr__(self, "skeleton", get_skeleton(self.skeleton))
        check_person(self.person, self.may_continue, self.start_s)
        xy = _frames(self.xy, "xy", self.skeleton, 2)
        object.__setattr__(self, "xy", xy)
        if np.isinf(xy).any():
            raise ShapeError(f"keypoints hold {int(np.isinf(xy).sum())} infinite values; write NaN for an unseen joint")
        if self.confidence is not None:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
                confidence = np.ascontiguousarray(self.confidence, np.float32)
            if confidence.shape != xy.shape[:2]:
                raise ShapeError(f"wanted confidence of shape {xy.shape[:2]}, got {confidence.shape}")
            if not ((confidence >= 0) & np.isfinite(confidence) | np.isnan(confidence)).all():
                raise ShapeError(
                    "confidence must be between 0 and 1 (NaN counts as 0); got negative or infinite values"
                )
            object.__setattr__(self, "confidence", np.nan_to_num(confidence, nan=0.0))
        check_fps(self.fps)
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

    def filled(self) -> tuple[np.ndarray, np.ndarray]:
        """Return `xy` (T, J, 2) and scores (T, J) without NaN: float32, and 0 where a joint was not seen.

        Without scores a seen joint has the score 1.
        """
        seen = self.seen
        scores = seen.astype(np.float32) if self.confidence is None else self.confidence * seen
        return np.where(seen[..., None], self.xy, np.float32(0)), scores

    def with_frames(self, xy: np.ndarray, confidence: np.ndarray | None, fps: float) -> "Keypoints2D":
        """Return the same person at other frames: new `xy` (T, J, 2), `confidence` (T, J) and rate."""
        return replace(self, xy=xy, confidence=confidence, fps=fps)


CAMERA, TURNED_CAMERA, WORLD = "camera", "turned_camera", "world"
FRAMES: dict[str, str] = {
    CAMERA: "x right, y down, z away from the camera",
    TURNED_CAMERA: "x right, y down, z away from a camera at the same place, turned to look straight at the person",
    WORLD: "x and y on the ground, z up",
}
"""Coordinate frames of poses by name, with their axes. All are right-handed, in metres."""
_UNIT_LENGTH = 0.01
"""Largest difference of a direction's length from 1; shorter vectors than this have no direction."""
_FROM_CAMERA = np.diag([1.0, -1.0, -1.0])
_Y_UP = {CAMERA: _FROM_CAMERA, TURNED_CAMERA: _FROM_CAMERA, WORLD: np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])}
"""By frame, the rotation of its points into axes with y up."""


CONTACTS = ("left_heel", "left_big_toe", "right_heel", "right_big_toe")
"""Parts of the feet of which poses may say whether they stand still on the ground, in the order of `contact`."""
EXTRAS = ("observed", "gap", "path", "spread", "up", "contact")
"""Fields of `Poses3D` besides `xyz` that hold something for each frame."""


@dataclass(frozen=True, eq=False)
class Poses3D:
    """One person's 3D joints over time, with what is known about them.

    A field that nothing has filled in is None.
    """

    xyz: np.ndarray
    """(T, J, 3) float32 metres, relative to the root joint, in the axes of `frame`. Where poses were written in a
    skeleton without a pelvis (`poselift.prepare.convert.convert_poses`), relative to the pelvis still."""
    skeleton: Skeleton
    """Joint order of `xyz`; a skeleton's name becomes that skeleton."""
    fps: float
    """Frames per second."""
    frame: str = CAMERA
    """Name of the coordinate frame, one of `FRAMES`."""
    observed: np.ndarray | None = None
    """(T, J) float32 in [0, 1]: the calibrated confidence of the keypoints that each joint was lifted from; 0 where the
    joint was not seen and its position is a guess. `poselift.prepare.normalize.calibrate` defines it."""
    gap: np.ndarray | None = None
    """(T,) bool: frames so far from any sighting of the person that their poses are invented."""
    path: np.ndarray | None = None
    """(T, 3) float32 metres: position of the root joint in the axes of `frame`."""
    camera: Camera | None = None
    """The camera that saw the person, where it is known."""
    spread: np.ndarray | None = None
    """(T, J) float32 metres: expected distance of each joint, relative to the root, from where it truly is; 0 for the
    root. `radius` gives the distance that is not exceeded with a probability."""
    up: np.ndarray | None = None
    """(T, 3) float32 of length 1: the direction away from the ground, in the axes of `frame`."""
    contact: np.ndarray | None = None
    """(T, 4) float32 in [0, 1]: probability that each of `CONTACTS` stands still on the ground."""
    start_s: float = 0.0
    """Time of the first frame in seconds from the beginning of the source."""
    person: int | None = None
    """`Keypoints2D.person` of the keypoints."""
    may_continue: tuple[int, ...] = ()
    """`Keypoints2D.may_continue` of the keypoints."""
    about: Mapping[str, str] = field(default_factory=dict)
    """What made the poses, texts by name: the weights and the options that `poselift.lifting.lift` was given."""

    def __post_init__(self) -> None:
        """Check shapes and values; store contiguous float32."""
        object.__setattr__(self, "skeleton", get_skeleton(self.skeleton))
        check_person(self.person, self.may_continue, self.start_s)
        xyz = _frames(self.xyz, "xyz", self.skeleton, 3)
        if not np.isfinite(xyz).all():
            raise ShapeError(f"poses hold {int((~np.isfinite(xyz)).sum())} NaN or infinite values")
        object.__setattr__(self, "xyz", xyz)
        object.__setattr__(self, "about", {str(name): str(text) for name, text in self.about.items()})
        check_fps(self.fps)
        if self.frame not in FRAMES:
            raise ShapeError(f"wanted the frame of poses as one of {', '.join(FRAMES)}, got {self.frame!r}")
        for name, shape, kind in (
            ("observed", xyz.shape[:2], np.float32),
            ("gap", xyz.shape[:1], bool),
            ("path", (len(xyz), 3), np.float32),
            ("spread", xyz.shape[:2], np.float32),
            ("up", (len(xyz), 3), np.float32),
            ("contact", (len(xyz), len(CONTACTS)), np.float32),
        ):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, _extra(value, name, shape, kind))

    @classmethod
    def trusted(cls, xyz: np.ndarray, skeleton: Skeleton, fps: float, frame: str, **others: Any) -> "Poses3D":
        """Return poses without checks, for streams: of arrays that were checked already, in the types of the fields."""
        made = object.__new__(cls)
        made.__dict__.update(_DEFAULTS, xyz=xyz, skeleton=skeleton, fps=fps, frame=frame, **others)
        return made

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.xyz)

    @property
    def unit(self) -> str:
        """Name of the unit of length."""
        return "m"

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """First and last frame of each gap, counted from 0, both included; empty without any."""
        return [] if self.gap is None else spans(self.gap)

    @property
    def unseen(self) -> list[tuple[int, int]]:
        """First and last frame of each stretch in which no joint was seen, counted from 0, both included."""
        return [] if self.observed is None else spans(np.all(self.observed <= 0, axis=1))

    def radius(self, probability: float) -> np.ndarray | None:
        """Return how far each joint may be from where it truly is, with a probability.

        Args:
            probability: From 0 to 1, such as 0.5 or 0.9.

        Returns:
            (T, J) metres: the joint, relative to the root, lies within this distance of its estimate with this
            probability (`spread_quantile`); None where `spread` is.

        Raises:
            ShapeError: The probability is not from 0 to below 1.
        """
        return None if self.spread is None else self.spread * np.float32(spread_quantile(probability))

    def y_up(self, points: np.ndarray | None = None) -> np.ndarray:
        """Return the joints in right-handed axes with y up, as in animation programs: (T, J, 3) float64 metres.

        They stay relative to the root. A person who faces the camera faces +z.

        Args:
            points: Other points or directions (*, 3) in the axes of `frame` to return in their place.
        """
        return (self.xyz if points is None else points).astype(np.float64) @ _Y_UP[self.frame].T

    def absolute(self) -> np.ndarray:
        """Return the joints where they are: (T, J, 3) float32 metres in the axes of `frame`, the root on its path.

        Raises:
            ShapeError: The poses have no path, as nothing has placed them.
        """
        if self.path is None:
            raise ShapeError(
                "these poses are relative to the root and have no path; place them first: "
                "poselift.place([(keypoints, poses)]), or poselift lift --world"
            )
        return self.xyz + self.path[:, None]

    def part(self, first: int, last: int) -> "Poses3D":
        """Return the frames from `first` to `last`, both included."""
        kept = slice(first, last + 1)
        arrays = {name: getattr(self, name) for name in ("xyz", *EXTRAS)}
        cut: dict[str, Any] = {name: None if array is None else array[kept] for name, array in arrays.items()}
        return replace(self, **cut, start_s=self.start_s + first / self.fps)

    def without_gaps(self) -> tuple["Poses3D", ...]:
        """Return the stretches between gaps, in time order, each with its `start_s`; none when all frames are gaps."""
        if self.gap is None:
            return (self,)
        return tuple(self.part(first, last) for first, last in spans(~self.gap))


def from_y_up(points: np.ndarray, frame: str) -> np.ndarray:
    """Return points or directions (*, 3) with y up in the axes of a frame of `FRAMES`: what `Poses3D.y_up` undoes.

    Raises:
        ShapeError: There is no frame of this name.
    """
    if frame not in FRAMES:
        raise ShapeError(f"wanted the frame of poses as one of {', '.join(FRAMES)}, got {frame!r}")
    return points @ _Y_UP[frame]


_DEFAULTS = {one.name: one.default for one in fields(Poses3D) if one.default is not MISSING} | {"about": {}}


def spans(chosen: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and last index, both included, of each run of True in (T,) bool."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    return [(int(first), int(after) - 1) for first, after in edges.reshape(-1, 2)]


def say_spans(found: Sequence[tuple[int, int]], most: int = 6) -> str:
    """Return runs of frames in words, such as "3, 7-9 and 2 more"; of many only the first ones."""
    words = [str(first) if first == last else f"{first}-{last}" for first, last in found[:most]]
    return ", ".join(words) + (f" and {len(found) - most} more" if len(found) > most else "")


def _extra(array: np.ndarray, name: str, shape: tuple[int, ...], kind: type) -> np.ndarray:
    """Return a field of poses besides `xyz` after checking its shape and values."""
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        array = np.ascontiguousarray(array, kind)
    if array.shape != shape:
        raise ShapeError(f"wanted {name} of shape {shape} for these poses, got {array.shape}")
    if not np.isfinite(array).all() or (name in ("observed", "spread", "contact") and (array < 0).any()):
        signed = name in ("path", "up")
        raise ShapeError(f"wanted finite{'' if signed else ' positive'} numbers in {name} of poses")
    if name == "up" and (np.abs(np.linalg.norm(array, axis=1) - 1) > _UNIT_LENGTH).any():
        raise ShapeError("wanted directions of length 1 in up of poses; divide each by its length")
    if name == "contact" and (array > 1).any():
        raise ShapeError(f"wanted probabilities from 0 to 1 in contact of poses, got {array.max():g}")
    return array


SPREAD_SHAPE = 2.5
"""Shape of the Gamma distribution of distances from the truth, for a given spread. It was measured: on motion capture
that was held back the radius of 90 % is 1.8 to 2.2 times that of 50 % with detector errors, and 2.1 to 3.0 times with
exact 2D joints; the shapes 2, 2.5 and 3 have 2.3, 2.1 and 2.0. A Laplace distribution in space has the shape 3."""


def spread_quantile(probability: float) -> float:
    """Return the distance, in spreads, within which a joint lies with a probability: 0.87 for 50 %, 1.85 for 90 %.

    Distances from the truth are taken to follow a Gamma distribution whose mean is the spread and whose shape is
    `SPREAD_SHAPE`. The tails of such errors are much heavier than a Gaussian's, whose radius of 90 % would be 1.6 times
    that of 50 %, where it is 2.1 times here.

    Raises:
        ShapeError: The probability is not from 0 to below 1.
    """
    from scipy.special import gammaincinv  # slow to import

    if not 0 <= probability < 1:
        raise ShapeError(f"wanted a probability from 0 to below 1, got {probability:g}; 90 % is 0.9")
    return float(gammaincinv(SPREAD_SHAPE, probability)) / SPREAD_SHAPE


def unit_vectors(vectors: np.ndarray, instead: np.ndarray) -> np.ndarray:
    """Return vectors (*, 3) at length 1, and `instead` of those without length, such as means of opposites."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > _UNIT_LENGTH, vectors / np.maximum(length, _UNIT_LENGTH), instead)


def _frames(array: np.ndarray, name: str, skeleton: Skeleton, channels: int) -> np.ndarray:
    """Return `array` as contiguous float32 (T, J, channels); raise an error that says what is wrong with it."""
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
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        return np.ascontiguousarray(array, np.float32)


def check_fps(fps: float, source: str = "", *, advice: str = "", error: type[PoseliftError] = ShapeError) -> None:
    """Refuse a frame rate that is no number between `LOWEST_FPS` and `HIGHEST_FPS`.

    Args:
        fps: Frames per second.
        source: Name of the file that says it, for the message.
        advice: What to do, for the end of the message.
        error: Class of the error.

    Raises:
        PoseliftError: The rate is outside of these limits, or NaN; of the class `error`.
    """
    if not LOWEST_FPS <= fps <= HIGHEST_FPS:
        raise error(
            f"{source}{': ' * bool(source)}wanted a frame rate from {LOWEST_FPS:g} to {HIGHEST_FPS:,g} frames per "
            f"second, got {fps:g}{'; ' * bool(advice)}{advice}"
        )


def check_person(person: int | None, may_continue: tuple[int, ...], start_s: float) -> None:
    """Refuse numbers of people below 1, and a start that is no time.

    Raises:
        ShapeError: One of them is out of range.
    """
    if not all(isinstance(number, int) and number >= 1 for number in (1 if person is None else person, *may_continue)):
        raise ShapeError(f"wanted numbers of people from 1 on, got {person} and {may_continue}")
    if not np.isfinite(start_s):
        raise ShapeError(f"wanted the start in seconds, got {start_s}")


def expect_keypoints(value: object) -> None:
    """Check that a value is one person's keypoints.

    Raises:
        KindError: `value` is no `Keypoints2D`.
    """
    check_kind(value, Keypoints2D, "take one of read_keypoints(path), or make it: Keypoints2D(xy, None, skeleton, fps)")


def expect_poses(value: object) -> None:
    """Check that a value is one person's poses.

    Raises:
        KindError: `value` is no `Poses3D`.
    """
    check_kind(value, Poses3D, "take what lift(keypoints) returns, or make it: Poses3D(xyz, skeleton, fps)")
