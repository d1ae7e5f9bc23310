"""Read and write npz archives of several people's keypoints exactly, so that a video is looked at once, lifted often.

============ =================================================================================================
xy           (P, T, J, 2) float32 pixels, NaN where a joint was not seen; (T, J, 2) for one person
confidence   (P, T, J) or (T, J) float32, absent without scores
skeleton     name of the joint order, with `joints` and `parents`
fps          frames per second
image_size   (width, height) in pixels, absent when unknown
start_s      time of the first frame in seconds from the beginning of the source
person       (P,) numbers of the people, 0 for somebody who is alone
may_continue (P, N) numbers of the people of whom each may be the continuation, filled up with 0
complete     false where the video was not seen to its end
focal_px     focal length in pixels by the video's metadata, with `focal_source`, absent when unknown
moved        how far the background moved, as `poselift.footage.Footage` says, absent when unknown
============ =================================================================================================
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from poselift.errors import FormatError, ShapeError, SkeletonError
from poselift.footage import Footage
from poselift.formats.clip import Override, Source, frame_rate, picture_size
from poselift.sequence import Keypoints2D

FIELDS = ("start_s", "person", "may_continue", "complete", "focal_px", "focal_source", "moved")
"""Arrays that only archives of this layout have."""
_LOG = logging.getLogger("poselift")


def is_people(arrays: Mapping[str, np.ndarray]) -> bool:
    """Return whether arrays are in this layout, and no others that have to be understood."""
    return {"xy", "person"} <= arrays.keys()


def people_fields(people: Sequence[Keypoints2D], *, complete: bool = True) -> dict[str, np.ndarray]:
    """Return the arrays of people who were seen over the same frames, besides the skeleton.

    Raises:
        ShapeError: There is nobody, or they differ in frames, rate, skeleton, size of the picture, or scores.
    """
    if not people:
        raise ShapeError("wanted the keypoints of at least one person, got none")
    first = people[0]
    for person in people:
        if _common(person) != _common(first):
            raise ShapeError(
                "wanted people of one source: of the same frames, rate, skeleton and picture, all with scores or none; "
                f"got {_common(person)} and {_common(first)}"
            )
    longest = max(len(person.may_continue) for person in people)
    fields = {
        "xy": np.stack([person.xy for person in people]),
        "fps": np.array(first.fps),
        "start_s": np.array(first.start_s),
        "person": np.array([person.person or 0 for person in people]),
        "may_continue": np.array(
            [[*person.may_continue, *[0] * (longest - len(person.may_continue))] for person in people], np.int64
        ).reshape(len(people), longest),
        "complete": np.array(complete),
    }
    if first.confidence is not None:
        fields["confidence"] = np.array([person.confidence for person in people])
    if first.image_size is not None:
        fields["image_size"] = np.array(first.image_size)
    if first.footage is not None and first.footage.focal_px is not None:
        fields |= {"focal_px": np.array(first.footage.focal_px), "focal_source": np.array(first.footage.focal_source)}
    if first.footage is not None and first.footage.moved is not None:
        fields["moved"] = np.array(first.footage.moved)
    return fields


def _common(person: Keypoints2D) -> tuple[object, ...]:
    skeleton = person.skeleton.name, person.skeleton.joints
    scored = person.confidence is not None
    return len(person), person.fps, person.start_s, skeleton, person.image_size, scored, person.footage


def read_people(
    arrays: Mapping[str, np.ndarray], path: Path, source: Source, override: Override
) -> tuple[Keypoints2D, ...]:
    """Return the people of an archive as they were written; nothing is guessed.

    Args:
        arrays: The archive's arrays.
        path: Path of the archive, for messages.
        source: What the archive says about skeleton, rate and picture.
        override: What the user states instead.

    Raises:
        FormatError: The arrays do not fit each other.
        SkeletonError: The skeleton has another number of joints.
    """
    xy, scores = arrays["xy"], arrays.get("confidence")
    if xy.ndim == 3:
        xy, scores = xy[None], None if scores is None else scores[None]
    if xy.ndim != 4 or 0 in xy.shape or (scores is not None and scores.shape != xy.shape[:3]):
        got = "no scores" if scores is None else f"scores {scores.shape}"
        raise FormatError(f"{path}: wanted 'xy' (people, frames, joints, 2) and scores alike, got {xy.shape}, {got}")
    skeleton = override.skeleton or source.skeleton
    if skeleton is None:
        raise FormatError(f"{path} names no skeleton; name it with --skeleton (skeleton=...)")
    numbers = _whole(arrays["person"], (len(xy),), f"{path}: 'person'")
    before = _whole(arrays.get("may_continue", np.zeros((len(xy), 0), int)), (len(xy), -1), f"{path}: 'may_continue'")
    if not bool(arrays.get("complete", np.array(True)).all()):
        _LOG.warning("%s: the video was not seen to its end, and holds its first %d frames", path, xy.shape[1])
    start = np.asarray(arrays.get("start_s", 0.0))
    if start.shape != () or start.dtype.kind not in "iuf":
        raise FormatError(f"{path}: wanted one number 'start_s', got {start.dtype} {start.shape}")
    fps, size = frame_rate(xy.shape[1], source, override), picture_size(source, override)
    footage = _footage(arrays, path)
    try:
        return tuple(
            Keypoints2D(
                xy[place], None if scores is None else scores[place], skeleton, fps, size, float(start),
                int(numbers[place]) or None, tuple(int(number) for number in before[place] if number), footage,
            )
            for place in range(len(xy))
        )  # fmt: skip
    except (SkeletonError, ShapeError) as error:
        raise type(error)(f"{path}: {error}") from error


def _footage(arrays: Mapping[str, np.ndarray], path: Path) -> Footage | None:
    """Return what an archive says of the camera; None where it says nothing.

    Raises:
        FormatError: It is no positive number, or no text.
    """
    numbers = {name: np.asarray(arrays[name]) for name in ("focal_px", "moved") if name in arrays}
    for name, number in numbers.items():
        if number.shape != () or number.dtype.kind not in "iuf" or not 0 <= number < np.inf:
            raise FormatError(f"{path}: wanted one number {name!r} from 0 on, got {number.dtype} {number.shape}")
    if not numbers:
        return None
    source = np.asarray(arrays.get("focal_source", ""))
    if source.shape != () or source.dtype.kind != "U":
        raise FormatError(f"{path}: wanted one text 'focal_source', got {source.dtype} {source.shape}")
    focal_px, moved = (float(numbers[name]) if name in numbers else None for name in ("focal_px", "moved"))
    return Footage(focal_px, str(source), moved)


def _whole(array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Return whole numbers of people of this shape, in which -1 stands for any length.

    Raises:
        FormatError: They are something else.
    """
    fits = array.ndim == len(shape) and all(want in (-1, got) for want, got in zip(shape, array.shape, strict=True))
    if array.dtype.kind not in "iu" or not fits or (array < 0).any():
        raise FormatError(f"{name}: wanted whole numbers from 0 on of shape {shape}, got {array.dtype} {array.shape}")
    return array
