"""Convert fields of keypoint and pose files: numbers, frame numbers, names of skeletons."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from poselift.errors import FormatError, SkeletonError
from poselift.skeleton import SKELETONS, Skeleton, get_skeleton

LONGEST_GAP = 1000
"""More missing frame numbers than this in a row are taken for a naming error."""


def numbers(content: Any, what: str, source: str) -> np.ndarray:
    """Return nested lists as a float64 array; None becomes NaN.

    Raises:
        FormatError: The content is no regular array of numbers.
    """
    try:
        if np.asarray(content).dtype.kind in "USb":
            raise ValueError("text or truth values among the numbers")
        return np.asarray(content, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"{source}: wanted numbers in {what}, as lists of equal length; got {error}") from error


def frame_rows(frame_numbers: Sequence[int], source: str) -> tuple[np.ndarray, int]:
    """Return the row of each frame in an array that also has rows for missing numbers between the first and the last.

    Args:
        frame_numbers: Frame numbers, in any order.
        source: Name of the data in error messages.

    Returns:
        The rows (N,), and the number of rows in all.

    Raises:
        FormatError: A number comes twice, or more than `LONGEST_GAP` numbers are missing in a row.
    """
    found, counts = np.unique(np.asarray(frame_numbers, np.int64), return_counts=True)
    if counts.max() > 1:
        raise FormatError(
            f"{source}: frame {found[counts.argmax()]} comes {counts.max()} times; wanted each frame once"
        )
    gaps = np.diff(found)
    if gaps.size and gaps.max() > LONGEST_GAP:
        before = gaps.argmax()
        raise FormatError(
            f"{source}: frame numbers jump from {found[before]} to {found[before + 1]}; "
            f"at most {LONGEST_GAP} may be missing in a row: number the frames of one clip one by one"
        )
    return np.asarray(frame_numbers, np.int64) - found[0], int(found[-1] - found[0]) + 1


def person_id(content: object) -> int | None:
    """Return the number that a tracker gave a person, from a number or from one in lists, such as ``[[3.0], [3.0]]``.

    Returns:
        The number; None for other content, and for numbers below 0, which mean that there was no tracker.
    """
    try:
        found = np.unique(np.asarray(content, np.float64))
    except (ValueError, TypeError, OverflowError):
        return None
    known = len(found) == 1 and found[0] >= 0 and found[0] == found[0].round() and found[0] < 2**53
    return int(found[0]) if known else None


def named_skeleton(name: object, joints: object, parents: object, source: str) -> Skeleton:
    """Return the skeleton that a file names, or describes by joint names and parents.

    Raises:
        SkeletonError: The skeleton is unknown and not described, or its joints contradict its name.
    """
    known = SKELETONS.get(str(name).upper().replace("-", "_"))
    described = isinstance(joints, list) and isinstance(parents, list)
    if known is not None:
        if isinstance(joints, list) and tuple(joints) != known.joints:
            raise SkeletonError(f"{source} says {known.name}, but its joints are {', '.join(map(str, joints))}")
        return known
    if not described:
        return get_skeleton(str(name))
    if not all(isinstance(parent, int) for parent in parents):  # type: ignore[attr-defined]
        raise SkeletonError(f"{source}: wanted the index of a joint as each parent, got {parents}")
    return Skeleton(str(name), tuple(map(str, joints)), tuple(parents))  # type: ignore[arg-type, call-overload]
