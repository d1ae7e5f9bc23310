"""From one skeleton's joints to another's, by named rule.

A joint that both skeletons have is copied. A joint that only the target has is a fixed mixture of others, named in
`RULES`; where a source joint of the first mixture was not seen, the next is tried. The result is as confident as the
least confident joint it came from, and unseen when no mixture can be formed.

The arithmetic uses only what numpy arrays and torch tensors share, because training converts simulated detections with
this very code.
"""

from functools import cache
from typing import Any

import numpy as np

from poselift.errors import SkeletonError
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton

Array = Any  # numpy.ndarray or torch.Tensor

_HIPS = {"left_hip": 0.5, "right_hip": 0.5}
_SHOULDERS = {"left_shoulder": 0.5, "right_shoulder": 0.5}

RULES: dict[str, tuple[dict[str, float], ...]] = {
    "pelvis": (_HIPS,),
    "thorax": (_SHOULDERS, {"neck": 1.0}),
    "neck": (_SHOULDERS, {"thorax": 1.0}),
    "spine": (
        dict.fromkeys((*_HIPS, *_SHOULDERS), 0.25),
        {"pelvis": 0.5, "thorax": 0.5},
        {"pelvis": 0.5, "neck": 0.5},
    ),
    "nose": (
        {"head": 1.0},
        {"upper_neck": 0.65, "head_top": 0.35},
        {"upper_neck": 1.0},
        {"left_eye": 0.5, "right_eye": 0.5},
        {"left_ear": 0.5, "right_ear": 0.5},
        {"head_top": 0.5, "neck": 0.5},
    ),
    # Beyond the ears by 0.6 of their height over the shoulders: the mean over adults of crown height above the ears.
    "head_top": (
        {"left_ear": 0.8, "right_ear": 0.8, "left_shoulder": -0.3, "right_shoulder": -0.3},
        {"left_eye": 0.75, "right_eye": 0.75, "left_shoulder": -0.25, "right_shoulder": -0.25},
        {"nose": 1.6, "left_shoulder": -0.3, "right_shoulder": -0.3},
        {"head": 1.6, "neck": -0.6},
        {"head": 1.6, "thorax": -0.6},
    ),
    "head": (
        {"left_ear": 0.5, "right_ear": 0.5},
        {"left_eye": 0.5, "right_eye": 0.5},
        {"nose": 0.5, "head_top": 0.5},
        {"nose": 1.0},
        {"upper_neck": 0.5, "head_top": 0.5},
        {"head_top": 0.6, "neck": 0.4},
    ),
    "upper_neck": ({"nose": 0.5, "left_shoulder": 0.25, "right_shoulder": 0.25},),
}
"""Target joint: mixtures of source joints, best first."""


@cache
def _mixtures(source: Skeleton, target: Skeleton) -> tuple[tuple[tuple[tuple[int, float], ...], ...], ...]:
    """For each target joint the possible mixtures as (source index, weight) pairs, best first."""
    found = []
    for joint in target.joints:
        options = ({joint: 1.0}, *RULES.get(joint, ()))
        usable = [option for option in options if all(name in source for name in option)]
        found.append(tuple(tuple((source.index(n), w) for n, w in option.items()) for option in usable))
    return tuple(found)


def check_convertible(source: Skeleton, target: Skeleton) -> None:
    """Say early that a conversion cannot give enough joints.

    Raises:
        SkeletonError: A target joint other than those of the head cannot be made from the source.
    """
    mixtures = _mixtures(source, target)
    missing = [j for j, options in zip(target.joints, mixtures, strict=True) if not options]
    missing = [joint for joint in missing if joint not in ("nose", "head", "head_top", "neck", "upper_neck")]
    if missing:
        raise SkeletonError(
            f"{source.name} cannot be converted to {target.name}: nothing gives {', '.join(missing)}; "
            "use keypoints with shoulders, elbows, wrists, hips, knees and ankles"
        )


def convert_arrays(xy: Array, confidence: Array, source: Skeleton, target: Skeleton) -> tuple[Array, Array]:
    """Convert plain arrays, numpy or torch.

    Args:
        xy: (*, J_source, 2) coordinates, finite everywhere.
        confidence: (*, J_source), 0 where a joint was not seen.
        source: Joint order of the arrays.
        target: Joint order wanted.

    Returns:
        xy (*, J_target, 2), 0 where unseen, and confidence (*, J_target).
    """
    if source == target:
        return xy, confidence
    stack = np.stack if isinstance(xy, np.ndarray) else _torch_stack
    points, scores = [], []
    for options in _mixtures(source, target):
        point, score = xy[..., 0, :] * 0, confidence[..., 0] * 0
        for option in options:
            mixed, least = _mix(xy, confidence, option)
            use = (score <= 0) * (least > 0)
            point, score = point + use[..., None] * mixed, score + use * least
        points.append(point)
        scores.append(score)
    return stack(points, -2), stack(scores, -1)


def _mix(xy: Array, confidence: Array, option: tuple[tuple[int, float], ...]) -> tuple[Array, Array]:
    """Weighted sum of some joints (*, 2), and the least of their confidences (*)."""
    point = sum(xy[..., joint, :] * weight for joint, weight in option)
    least = confidence[..., option[0][0]]
    for joint, _ in option[1:]:
        other = confidence[..., joint]
        least = least * (least <= other) + other * (least > other)
    return point, least


def _torch_stack(arrays: list, axis: int) -> Array:
    import torch  # only reached with torch tensors

    return torch.stack(arrays, axis)


def convert(keypoints: Keypoints2D, target: Skeleton) -> Keypoints2D:
    """The same person with another skeleton's joints.

    Args:
        keypoints: Any skeleton.
        target: Joint order wanted.

    Returns:
        Keypoints with `target`'s joints; unseen joints are NaN with confidence 0.

    Raises:
        SkeletonError: The target's joints cannot be made from the source's.
    """
    if keypoints.skeleton == target:
        return keypoints
    check_convertible(keypoints.skeleton, target)
    seen = keypoints.seen
    scores = seen.astype(np.float32) if keypoints.confidence is None else keypoints.confidence * seen
    xy, confidence = convert_arrays(
        np.where(seen[..., None], keypoints.xy, np.float32(0)), scores, keypoints.skeleton, target
    )
    xy = np.where(confidence[..., None] > 0, xy, np.float32(np.nan))
    return Keypoints2D(xy, confidence, target, keypoints.fps, keypoints.image_size)
