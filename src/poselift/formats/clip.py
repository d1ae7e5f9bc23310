"""Make checked `Keypoints2D` from the content of a keypoint file: the last step of every reader."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from poselift.errors import FormatError, MissingRate, ShapeError, SkeletonError
from poselift.formats.clean import LARGEST_PX, clean
from poselift.formats.order import candidates, check_order, identify_skeleton
from poselift.formats.whole_body import take_body
from poselift.people import only
from poselift.sequence import Keypoints2D, check_fps
from poselift.skeleton import SKELETONS, Skeleton

ONE_FRAME_FPS = 30.0
"""Frame rate of a clip of one frame, where a rate means nothing."""
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
    image_size: tuple[int, int] | None = None
    """(width, height) in pixels."""
    frame_step: float | None = None
    """By how much the frame numbers grow from one frame to the next; None if they count frames."""


def finish(people: Sequence[np.ndarray], source: Source, override: Override) -> tuple[Keypoints2D, ...]:
    """Clean what was read, and decide on skeleton and frame rate.

    Args:
        people: (T, J, 2) x, y or (T, J, 3) x, y, score of each person, as `poselift.formats.clean.clean` takes them.
        source: What the file says.
        override: What the user states.

    Raises:
        FormatError: There are no frames, no joint is seen, or the numbers are no keypoints.
        MissingRate: Neither the file nor the user says the frame rate.
        ShapeError: The user's frame rate or size of the picture is out of range.
        SkeletonError: The joints fit no skeleton, could be of several, or contradict the skeleton that the file names.
    """
    return settle(clean(people, source.name, picture_size(source, override)), source, override)


def settle(
    people: Sequence[np.ndarray],
    source: Source,
    override: Override,
    doubts: Sequence[tuple[int, ...]] | None = None,
) -> tuple[Keypoints2D, ...]:
    """Decide on skeleton and frame rate of keypoints that `clean` returned; people who are never seen are left out.

    The arguments and errors are those of `finish`, and `doubts` are the places from 1 of the people whom each person
    may continue; nobody continues anybody when it is None.
    """
    people, body = take_body(people, source.name, override.skeleton)
    if body is not None and override.skeleton is None:
        source = replace(source, skeleton=body)
    seen = [bool(np.isfinite(person[..., :2]).all(-1).any()) for person in people]
    shown = [person for person, is_seen in zip(people, seen, strict=True) if is_seen]
    if not shown:
        raise FormatError(f"{source.name}: no joint is seen in any of {len(people[0])} frames (all missing or score 0)")
    if len(shown) < len(people):
        _log.warning("%s: %d of %d people are never seen", source.name, len(people) - len(shown), len(people))
    fps, image_size = frame_rate(len(shown[0]), source, override), picture_size(source, override)
    skeleton = _skeleton(shown, source, override)
    clips = only(
        [
            Keypoints2D(
                person[..., :2], person[..., 2] if person.shape[2] == 3 else None, skeleton, fps, image_size,
                may_continue=doubt,
            )
            for person, doubt in zip(people, doubts or [()] * len(people), strict=True)
        ],
        seen,
    )  # fmt: skip
    _check_claim(clips[0], source, override)
    return clips


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
        check_fps(override.fps, "--fps (fps=...)")
        return override.fps
    if source.fps is not None:
        check_fps(source.fps, source.name, advice="pass --fps (fps=...)", error=FormatError)
        return source.fps
    if frames == 1:
        return ONE_FRAME_FPS
    raise MissingRate(f"{source.name} does not say its frame rate; pass --fps (fps=...), frames per second")


def picture_size(source: Source, override: Override) -> tuple[int, int] | None:
    """Return (width, height) of the picture in pixels: what the user states, else what the file says, else None.

    Raises:
        ShapeError: The user's size is out of range.
        FormatError: The file's size is out of range.
    """
    for size, name, error in (
        (override.image_size, "--image-size (image_size=...)", ShapeError),
        (source.image_size, f"{source.name}, image_size", FormatError),
    ):
        if size is not None:
            if not all(0 < side <= LARGEST_PX for side in size):
                raise error(f"{name}: wanted width and height in pixels, got {size}")
            return size
    return None


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
