"""Convert fields of keypoint and pose files: numbers, frame numbers, names of skeletons."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from poselift.errors import FormatError, ShapeError, SkeletonError
from poselift.skeleton import SKELETONS, Skeleton, get_skeleton

LARGEST_NUMBER = 2**53
"""Largest frame number or id; floating-point numbers hold no larger ones exactly."""
LONGEST_GAP = 1000
"""More missing frame numbers than this in a row are taken for a naming error."""
MOST_FRAMES_FOR_ONE = 20
"""Frames that a clip may have for each one that is given, besides one gap. A person seen less often cannot be tracked,
and a small file must not become a huge clip."""
_FEWEST_STEPS = 2
_MOSTLY = 0.8
_UNEVEN_STEP = 0.15
"""Numbers grow evenly if this share of the steps between them differs from the median step by 15 % at most."""
_UNITS_A_SECOND = {"milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
_USUAL_FPS = (5, 300)
_STEP_ADVICE = "by how much the numbers grow from one frame to the next (--frame-step, frame_step=...)"


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


def frame_rows(frame_numbers: Sequence[int], source: str, frame_step: float | None = None) -> tuple[np.ndarray, int]:
    """Return the row of each frame when the missing numbers between the first and the last get rows too.

    Args:
        frame_numbers: Frame numbers, in any order.
        source: Name of the data in error messages.
        frame_step: By how much the numbers grow from one frame to the next; None if by 1, which the numbers must not
            contradict.

    Returns:
        (N,) rows, and the number of rows in all.

    Raises:
        FormatError: A number is too large, comes twice, or the numbers jump or are no frame numbers.
        ShapeError: `frame_step` is not positive.
    """
    if frame_step is not None and not 0 < frame_step <= LARGEST_NUMBER:
        raise ShapeError(f"--frame-step (frame_step=...): wanted a positive number, got {frame_step}")
    if largest := [number for number in frame_numbers if abs(number) > LARGEST_NUMBER]:
        raise FormatError(f"{source}: wanted frame numbers up to {LARGEST_NUMBER}, got {largest[0]}")
    found, place, counts = np.unique(np.asarray(frame_numbers, np.int64), return_inverse=True, return_counts=True)
    if counts.max() > 1:
        raise FormatError(
            f"{source}: frame {found[counts.argmax()]} comes {counts.max()} times; wanted each frame once"
        )
    if frame_step is None:
        _check_steps(found, source)
    steps = np.rint(np.diff(found) / (frame_step or 1)).astype(np.int64)
    length = int(steps.sum()) + 1
    if steps.size and not 0 < steps.min() <= steps.max() <= LONGEST_GAP:
        before = steps.argmin() if steps.min() < 1 else steps.argmax()
        raise FormatError(
            f"{source}: frame numbers jump from {found[before]} to {found[before + 1]}, by {steps[before]} frames; at "
            f"most {LONGEST_GAP} may be missing in a row: number the frames one by one, or give {_STEP_ADVICE}"
        )
    if length > LONGEST_GAP + MOST_FRAMES_FOR_ONE * len(found):
        raise FormatError(
            f"{source}: {len(found)} frames with numbers from {found[0]} to {found[-1]} would be a clip of {length} "
            f"frames, most of them empty; number the frames of one clip one by one, or give {_STEP_ADVICE}"
        )
    return np.concatenate([[0], steps.cumsum()])[place], length


def _check_steps(found: np.ndarray, source: str) -> None:
    """Refuse increasing numbers that all grow by about the same amount above 1: they number something else."""
    steps = np.diff(found)
    if len(steps) < _FEWEST_STEPS or steps.min() < 2:
        return
    even = np.abs(steps - np.median(steps)) <= _UNEVEN_STEP * np.median(steps)
    if even.mean() < _MOSTLY:
        return
    step = steps[even].mean()
    may_be = [
        f"times in {unit} ({count / step:.4g} frames per second)"
        for unit, count in _UNITS_A_SECOND.items()
        if _USUAL_FPS[0] <= count / step <= _USUAL_FPS[1]
    ]
    if np.ptp(steps[even]) == 0:
        may_be.append(f"the numbers of one frame in {step:.0f} of a video")
    raise FormatError(
        f"{source}: frame numbers grow by about {step:.4g} from one frame to the next; they may be "
        f"{' or '.join(may_be) or 'no frame numbers'}. Give {_STEP_ADVICE}: here --frame-step {step:.4g}, with the "
        "rate of the frames that are there as --fps; or --frame-step 1 if the frames in between are truly missing"
    )


def person_id(content: object) -> int | None:
    """Return the number that a tracker gave a person, from a number or from one in lists, such as ``[[3.0], [3.0]]``.

    Returns:
        The number; None for other content, and for numbers below 0, which mean that there was no tracker.
    """
    try:
        found = np.unique(np.asarray(content, np.float64))
    except (ValueError, TypeError, OverflowError):
        return None
    known = len(found) == 1 and found[0] >= 0 and found[0] == found[0].round() and found[0] < LARGEST_NUMBER
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
