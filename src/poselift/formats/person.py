"""Read one person's joints in one frame, in any of the ways that JSON files hold them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from poselift.errors import FormatError
from poselift.formats.fields import numbers, person_id
from poselift.formats.order import candidates
from poselift.formats.whole_body import WHOLE_BODIES

_JOINTS = (
    "pose_keypoints_2d", "pose_keypoints", "keypoints", "keypoints_2d", "keypoints2d", "kpts", "joints", "joints2d",
    "landmarks", "poseLandmarks", "pose_landmarks", "pose",
)  # fmt: skip
"""Keys of a person's joints; the first that is there counts."""
_SCORES = (
    "keypoint_scores", "keypoints_scores", "keypoints_score", "kp_score", "scores", "score", "confidence", "conf",
    "visible", "visibility", "likelihood",
)  # fmt: skip
"""Keys of the joints' scores, where they are apart from the coordinates."""
_IDS = ("track_id", "person_id", "idx", "instance_id")


def joints_key(entry: object) -> str | None:
    """Return the key under which an object holds a person's joints; None if it holds none."""
    return next((key for key in _JOINTS if key in entry), None) if isinstance(entry, Mapping) else None


def is_point(content: object) -> bool:
    """Return whether this is one joint as an object, such as ``{"x": 0.5, "y": 0.2, "visibility": 0.9}``."""
    return isinstance(content, Mapping) and {"x", "y"} <= content.keys() and not isinstance(content["x"], list)


def person_of(entry: Any, name: str) -> tuple[np.ndarray, int | None]:
    """Return a person's joints (J, 3) x, y, confidence, and the number that a tracker gave them, if any.

    Args:
        entry: An object with joints under one of the usual names, or the joints themselves.
        name: Name of the data in error messages.

    Raises:
        FormatError: It holds no joints, or not two or three numbers for each.
    """
    if not isinstance(entry, Mapping) or {"x", "y"} <= entry.keys():
        return joints_of(entry, name), None
    key = joints_key(entry)
    if key is None:
        raise FormatError(f"{name}: wanted a person's joints under 'keypoints', got the keys {', '.join(entry)}")
    scores = next((entry[name] for name in _SCORES if isinstance(entry.get(name), list)), None)
    return joints_of(entry[key], f"{name}, '{key}'", scores), person_id(
        next((entry[name] for name in _IDS if entry.get(name) is not None), None)
    )


def joints_of(content: Any, name: str, scores: Any = None) -> np.ndarray:
    """Return joints (J, 3) x, y, confidence; NaN where one was not seen, confidence 1 where the file has no scores.

    Args:
        content: ``[x, y, c, ...]``, ``[[x, y], ...]``, ``[[x, y, c], ...]``, ``[{"x": x, "y": y}, ...]`` or
            ``{"x": [...], "y": [...]}``, the last two with or without a score.
        name: Name of the data in error messages.
        scores: (J,) scores, where they stand apart.

    Raises:
        FormatError: It is something else, or there is not one score for each joint.
    """
    if isinstance(content, Mapping) and {"x", "y"} <= content.keys():
        scores = scores if scores is not None else _score(content)
        xy = _stacked([numbers(content[axis], f"'{axis}'", name) for axis in "xy"], name)
    elif isinstance(content, list) and content and all(map(is_point, content)):
        xy = numbers([[point["x"], point["y"]] for point in content], "'x' and 'y'", name)
        scores = [_score(point) for point in content]
        scores = None if all(score is None for score in scores) else scores
    else:
        xy = _plain(numbers(content, "the joints", name), name, len(scores) if isinstance(scores, list) else 0)
    confidence = xy[:, 2] if xy.shape[1] == 3 else np.ones(len(xy))
    if scores is not None:
        confidence = numbers(scores, "the scores", name).reshape(-1)
        if len(confidence) != len(xy):
            raise FormatError(f"{name}: wanted a score for each of {len(xy)} joints, got {len(confidence)}")
    return np.concatenate([xy[:, :2], confidence[:, None]], axis=1)


def _score(entry: Mapping[str, Any]) -> Any:
    return next((entry[name] for name in _SCORES if entry.get(name) is not None), None)


def _stacked(columns: list[np.ndarray], name: str) -> np.ndarray:
    if columns[0].ndim != 1 or columns[0].shape != columns[1].shape:
        raise FormatError(f"{name}: wanted as many x as y, got {columns[0].shape} and {columns[1].shape}")
    return np.stack(columns, -1)


def _plain(array: np.ndarray, name: str, scores: int) -> np.ndarray:
    """Return (J, 2 or 3) from nested or flat numbers."""
    if array.ndim == 3 and len(array) == 1:
        array = array[0]
    if array.ndim == 2 and array.shape[1] in (2, 3) and len(array):
        return array
    if array.ndim == 1 and array.size:
        return array.reshape(-1, _numbers_a_joint(array.size, scores, name))
    raise FormatError(f"{name}: wanted x, y or x, y, confidence of each joint, got numbers of shape {array.shape}")


def _numbers_a_joint(size: int, scores: int, name: str) -> int:
    """Return how many numbers each joint has in a flat list: 2 or 3."""
    fitting = [each for each in (3, 2) if size % each == 0 and scores in (0, size // each)]
    known = [each for each in fitting if scores or candidates(size // each) or size // each in WHOLE_BODIES]
    if not known and 3 not in fitting:
        raise FormatError(f"{name}: wanted x, y or x, y, confidence of each joint, got {size} numbers")
    return (known or fitting)[0]
