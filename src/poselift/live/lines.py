"""Keypoints and poses as lines of JSON: one object for each frame."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poselift.errors import FormatError
from poselift.sequence import Poses3D
from poselift.skeleton import Skeleton, get_skeleton

_WANTED = 'wanted {"time_s": 0.02, "skeleton": "COCO_17", "people": [[[x, y, confidence], ...], ...]}'


@dataclass(frozen=True, eq=False)
class People:
    """Everybody's keypoints in one frame."""

    time_s: float
    """Time of the frame in seconds."""
    keypoints: np.ndarray
    """(P, J, 3) pixels and confidence; NaN where a joint was not seen."""
    skeleton: Skeleton
    """Joint order."""
    image_size: tuple[int, int] | None = None
    """(width, height) of the picture in pixels; None where the source does not say."""


def parse_people(line: str | bytes, number: int, skeleton: Skeleton | None) -> People:
    """Read the keypoints of a frame.

    Args:
        line: `{"time_s": seconds, "skeleton": name, "people": [[[x, y, confidence], ...], ...]}`; joints may be null.
        number: Number of the line, for messages.
        skeleton: Joint order of lines that name none.

    Raises:
        FormatError: The line is something else.
        SkeletonError: There is no such skeleton.
    """

    def refused(why: str) -> FormatError:
        return FormatError(f"line {number} of the keypoints: {why}; {_WANTED}")

    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise refused(f"no JSON ({error})") from error
    if not isinstance(found, dict) or not {"time_s", "people"} <= set(found):
        raise refused("no object with time_s and people")
    time_s, name = found["time_s"], found.get("skeleton", skeleton)
    if not isinstance(time_s, int | float) or isinstance(time_s, bool) or not math.isfinite(time_s):
        raise refused(f"time_s is {time_s!r}")
    if name is None:
        raise refused("it names no skeleton, and none was given (--skeleton)")
    joints = get_skeleton(name)
    if not isinstance(found["people"], list):
        raise refused("people is no list")
    try:
        rows = [[[math.nan] * 3 if joint is None else joint for joint in person] for person in found["people"]]
        keypoints = np.array(rows, np.float32).reshape(-1, len(joints), 3) if rows else np.zeros((0, len(joints), 3))
    except (TypeError, ValueError, OverflowError) as error:
        raise refused(f"people are not lists of {len(joints)} joints with three numbers") from error
    if len(keypoints) != len(rows):
        raise refused(f"people do not have the {len(joints)} joints of {joints.name}")
    return People(float(time_s), keypoints, joints)


def poses_line(poses: Sequence[Poses3D], time_s: float, *, settled: bool | None = None) -> str:
    """Return a frame's poses as a line, without the line's end.

    Each person has `time_s` of the pose, `xyz_m`, `observed` and `gap`, `path_m` in the world, and `spread_m`, `up` and
    `contact` where the lifter gives them; see `poselift.sequence.Poses3D`. Lengths have four decimals.

    Args:
        poses: One frame of each person.
        time_s: Time of the newest frame that went in.
        settled: Whether the world's floor holds; None without a world.
    """
    made: dict[str, object] = {"time_s": round(time_s, 6)}
    if poses:
        made |= {"skeleton": poses[0].skeleton.name, "frame": poses[0].frame}
    if settled is not None:
        made["settled"] = settled
    made["people"] = [_person(pose) for pose in poses]
    return json.dumps(made, separators=(",", ":"))


def _person(pose: Poses3D) -> dict[str, object]:
    person: dict[str, object] = {} if pose.person is None else {"person": pose.person}
    if pose.may_continue:
        person["may_continue"] = list(pose.may_continue)
    person |= {"time_s": round(pose.start_s, 6), "xyz_m": _rounded(pose.xyz[0], 4)}
    for name, array, digits in (
        ("path_m", pose.path, 4),
        ("observed", pose.observed, 3),
        ("spread_m", pose.spread, 4),
        ("up", pose.up, 4),
        ("contact", pose.contact, 3),
    ):
        if array is not None:
            person[name] = _rounded(array[0], digits)
    if pose.gap is not None:
        person["gap"] = bool(pose.gap[0])
    return person


def _rounded(array: np.ndarray, digits: int) -> list:
    return np.round(array.astype(float), digits).tolist()
