"""Make checked `Keypoints2D` from the content of a keypoint file: the last step of every reader."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poselift.errors import FormatError, MissingRate, ShapeError, SkeletonError
from poselift.formats.order import candidates, check_order, identify_skeleton
from poselift.sequence import Keypoints2D
from poselift.skeleton import SKELETONS, Skeleton

ONE_FRAME_FPS = 30.0
"""Frame rate of a clip of one frame, where a rate means nothing."""
_LARGEST_PX = 1e5
_LARGEST_CONFIDENCE = 2.0
_NORMALIZED = 2.0
_log = logging.getLogger("poselift")


@dataclass(frozen=True)
class Source:
    """What a keypoint file says about itself; None where it says nothing."""

    name: str
    """Name of the file in error messages."""
    skeleton: Skeleton | None = None
    """The joint order that the file names."""
    fps: float | None = None
    """Frames per second."""
    image_size: tuple[int, int] | None = None
    """(width, height) in pixels."""


@dataclass(frozen=True)
class Override:
    """What the user states about a file, which counts more than what the file says; None where nothing is stated."""

    skeleton: Skeleton | None = None
    """The joint order."""
    fps: float | None = None
    """Frames per second."""


def finish(people: Sequence[np.ndarray], source: Source, override: Override) -> tuple[Keypoints2D, ...]:
    """Check what was read, and decide on skeleton and frame rate.

    Args:
        people: (T, J, 2) x, y or (T, J, 3) x, y, confidence of each person; NaN where a joint was not seen.
        source: What the file says.
        override: What the user states.

    Raises:
        FormatError: There are no frames, no joint is seen, or numbers are infinite or out of range.
        MissingRate: Neither the file nor the user says the frame rate.
        ShapeError: The user's frame rate is not positive.
        SkeletonError: The joints fit no skeleton, could be of several, or contradict the skeleton that the file names.
    """
    checked = [_checked(np.asarray(person), source.name) for person in people]
    fps, image_size = frame_rate(len(checked[0]), source, override), _image_size(source)
    skeleton = _skeleton(checked, source, override)
    clips = tuple(
        Keypoints2D(person[..., :2], person[..., 2] if person.shape[2] == 3 else None, skeleton, fps, image_size)
        for person in checked
    )
    _check_claim(clips[0], source, override)
    return clips


def _checked(person: np.ndarray, name: str) -> np.ndarray:
    """Return one person's array with its numbers checked and unseen joints as NaN."""
    if person.ndim != 3 or person.shape[2] not in (2, 3) or 0 in person.shape:
        raise FormatError(f"{name}: wanted keypoints (frames, joints, 2 or 3), at least one frame; got {person.shape}")
    if np.isinf(person).any():
        raise FormatError(
            f"{name}: {np.isinf(person).sum()} numbers are infinite; write NaN where a joint was not seen"
        )
    person = person.astype(np.float64)
    seen = np.isfinite(person[..., :2]).all(-1)
    if person.shape[2] == 3:
        person[..., 2] = _confidence(person[..., 2], name)
        seen &= person[..., 2] > 0
    if not seen.any():
        raise FormatError(f"{name}: no joint is seen in any of {len(person)} frames (all missing or of confidence 0)")
    person[~seen, :2] = np.nan
    largest = np.nanmax(np.abs(person[..., :2]))
    if largest > _LARGEST_PX:
        raise FormatError(f"{name}: wanted pixels, got coordinates up to {largest:.3g}; the file is damaged")
    if largest <= _NORMALIZED:
        _log.warning(
            "%s: coordinates up to %.3g look normalized; multiply x by the picture's width and y by its height, "
            "or poses come out stretched unless the picture was square",
            name,
            largest,
        )
    return person


def _confidence(confidence: np.ndarray, name: str) -> np.ndarray:
    confidence = np.nan_to_num(confidence, nan=0.0)
    low, high = confidence.min(), confidence.max()
    if low < 0 or high > _LARGEST_CONFIDENCE:
        raise FormatError(f"{name}: wanted confidence between 0 and 1, got {low:.3g} to {high:.3g}; scale it")
    if high > 1:
        _log.warning("%s: confidence up to %.3g is cut to 1", name, high)
    return np.minimum(confidence, 1.0)


def _skeleton(people: list[np.ndarray], source: Source, override: Override) -> Skeleton:
    joints = people[0].shape[1]
    skeleton = override.skeleton or source.skeleton
    if skeleton is not None:
        if len(skeleton) != joints:
            raise SkeletonError(
                f"{source.name}: {skeleton.name} has {len(skeleton)} joints, the keypoints have {joints}; "
                "name the skeleton they are in with --skeleton (skeleton=...)"
            )
        return skeleton
    among = candidates(joints)
    if not among:
        sizes = ", ".join(f"{s.name} ({len(s)})" for s in SKELETONS.values())
        raise SkeletonError(f"{source.name}: {joints} joints fit no skeleton; known with --skeleton: {sizes}")
    skeleton = identify_skeleton(np.concatenate([person[..., :2] for person in people]), source.name, among)
    _log.info("%s: the %d joints are taken to be %s (--skeleton overrides)", source.name, joints, skeleton.name)
    return skeleton


def frame_rate(frames: int, source: Source, override: Override) -> float:
    """Return the frames per second of a clip of `frames` frames: what the user states, else what the file says.

    Raises:
        ShapeError: The user's rate is not positive.
        FormatError: The file's rate is not positive.
        MissingRate: Neither gives a rate.
    """
    if override.fps is not None:
        if not (np.isfinite(override.fps) and override.fps > 0):
            raise ShapeError(f"wanted a positive frame rate, got fps={override.fps}")
        return override.fps
    if source.fps is not None:
        if not (np.isfinite(source.fps) and source.fps > 0):
            raise FormatError(f"{source.name}: wanted a positive frame rate, got {source.fps}; pass --fps (fps=...)")
        return source.fps
    if frames == 1:
        return ONE_FRAME_FPS
    raise MissingRate(f"{source.name} does not say its frame rate; pass --fps (fps=...), frames per second")


def _image_size(source: Source) -> tuple[int, int] | None:
    size = source.image_size
    if size is not None and not all(0 < side <= _LARGEST_PX for side in size):
        raise FormatError(f"{source.name}: wanted image_size (width, height) in pixels, got {size}")
    return size


def _check_claim(clip: Keypoints2D, source: Source, override: Override) -> None:
    """Warn of a joint order from the user that cannot be right; refuse such an order from the file."""
    if override.skeleton is None and source.skeleton is None:
        return
    message = check_order(clip)
    if message is None:
        return
    if override.skeleton is None:
        raise SkeletonError(f"{source.name}: {message}; name the right skeleton with --skeleton (skeleton=...)")
    _log.warning("%s: %s; it is read as asked", source.name, message)
