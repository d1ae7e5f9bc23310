"""Convert one skeleton's joints to another's, by the rules in `RULES`.

A joint that both skeletons have is copied. A joint that only the target has is a fixed mixture of others, given in
`RULES`; if a source joint of the first mixture was not seen, the next one is tried. The result has the confidence of
the least confident joint of its mixture, and is unseen when there is no complete mixture.

The arithmetic uses only what numpy arrays and torch tensors share, because training converts simulated detections with
the same code.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from poselift.errors import SkeletonError
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import BODY_27, H36M_17, Skeleton, get_skeleton

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
        {"upper_neck": 1.0},
        {"left_eye": 0.5, "right_eye": 0.5},
        {"left_ear": 0.5, "right_ear": 0.5},
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
    # MediaPipe's foot index is the tip of the big toe.
    **{f"{side}_big_toe": ({f"{side}_foot_index": 1.0},) for side in ("left", "right")},
    **{f"{side}_foot_index": ({f"{side}_big_toe": 1.0},) for side in ("left", "right")},
}
"""By target joint, the mixtures of source joints, best first."""

_FACELESS: dict[str, tuple[dict[str, float], ...]] = {
    "nose": ({"upper_neck": 0.65, "head_top": 0.35}, {"head_top": 0.5, "neck": 0.5}),
}
"""Mixtures that come first for skeletons that never have the joint. Where it can be seen and is hidden, because the
person turns away, networks are trained to go without them."""

_HEAD = ("nose", "head", "head_top", "neck", "upper_neck")
"""Joints of the head, which a lifter of any skeleton can do without."""
_SPARED = {BODY_27: _HEAD + tuple(name for name in BODY_27.joints if name not in H36M_17)}
"""Joints that lifters of a skeleton are trained to go without, because some detectors do not look for them: eyes, ears
and feet. They are then unseen; nothing makes them up from an ankle or a nose."""


@cache
def _mixtures(source: Skeleton, target: Skeleton) -> tuple[tuple[tuple[tuple[int, float], ...], ...], ...]:
    """Return for each target joint the possible mixtures as (source index, weight) pairs, best first."""
    found = []
    for joint in target.joints:
        absent = () if joint in source else _FACELESS.get(joint, ())
        options = ({joint: 1.0}, *absent, *RULES.get(joint, ()))
        usable = [option for option in options if all(name in source for name in option)]
        found.append(tuple(tuple((source.index(n), w) for n, w in option.items()) for option in usable))
    return tuple(found)


def check_convertible(source: Skeleton, target: Skeleton) -> None:
    """Check that a conversion gives enough joints.

    Raises:
        SkeletonError: A target joint that lifters need cannot be made from the source.
    """
    mixtures = _mixtures(source, target)
    missing = [j for j, options in zip(target.joints, mixtures, strict=True) if not options]
    missing = [joint for joint in missing if joint not in _SPARED.get(target, _HEAD)]
    if missing:
        raise SkeletonError(
            f"{source.name} cannot be converted to {target.name}: nothing gives {', '.join(missing)}; "
            "use keypoints with shoulders, elbows, wrists, hips, knees and ankles"
        )


def convert_arrays(xy: Array, confidence: Array, source: Skeleton, target: Skeleton) -> tuple[Array, Array]:
    """Convert arrays of numpy or torch.

    Args:
        xy: (*, J_source, 2 or 3) coordinates, finite everywhere.
        confidence: (*, J_source), 0 where a joint was not seen.
        source: Joint order of the arrays.
        target: Joint order wanted.

    Returns:
        xy (*, J_target, 2 or 3), 0 where unseen, and confidence (*, J_target).
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
    """Return the weighted sum of some joints (*, 2), and the least of their confidences (*)."""
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
    """Convert keypoints to another skeleton's joints.

    Args:
        keypoints: Any skeleton.
        target: Joint order wanted.

    Returns:
        Keypoints with `target`'s joints; unseen joints are NaN with confidence 0. Everything else is as it was.

    Raises:
        SkeletonError: The target's joints cannot be made from the source's.
    """
    if keypoints.skeleton == target:
        return keypoints
    check_convertible(keypoints.skeleton, target)
    xy, confidence = convert_arrays(*keypoints.filled(), keypoints.skeleton, target)
    xy = np.where(confidence[..., None] > 0, xy, np.float32(np.nan))
    return replace(keypoints, xy=xy, confidence=confidence, skeleton=target)


class FrameConverter:
    """Converts the keypoints of one frame after the other, as `convert_arrays` does, but by matrices.

    The mixtures of all target joints are one product, which takes an eighth of the time for a single frame.
    """

    def __init__(self, source: Skeleton, target: Skeleton) -> None:
        """Prepare the matrices.

        Raises:
            SkeletonError: The target's joints cannot be made from the source's.
        """
        self._same = source == target
        if self._same:
            return
        check_convertible(source, target)
        mixtures = _mixtures(source, target)
        self._shape = (max(map(len, mixtures)), len(target))
        self._weights = np.zeros((*self._shape, len(source)), np.float32)
        self._needs = np.zeros(self._weights.shape, bool)
        for joint, options in enumerate(mixtures):
            for rank, mixture in enumerate(options):
                for place, weight in mixture:
                    self._weights[rank, joint, place], self._needs[rank, joint, place] = weight, True
        self._any = self._needs.any(-1)
        self._joints = np.arange(len(target))
        first = [np.flatnonzero(needs) for needs in self._needs[0]]
        self._possible = np.flatnonzero([len(joints) for joints in first])  # some joints no mixture gives
        self._sources = np.concatenate(first)
        self._starts = np.cumsum([0, *(len(first[joint]) for joint in self._possible[:-1])])

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Convert one frame.

        Args:
            frame: (J_source, 3) float32 x, y, confidence; finite, and not positive confidence where unseen.

        Returns:
            (J_target, 3) float32, all 0 where a joint was not seen.
        """
        if self._same:
            found = frame.copy()
            found[found[:, 2] <= 0] = 0
            return found
        scores = np.minimum.reduceat(frame[:, 2].take(self._sources), self._starts)
        if np.minimum.reduce(scores) > 0:  # every joint that there is is its first mixture, as is usual
            found = np.zeros((self._shape[1], 3), np.float32)
            np.matmul(self._weights[0], frame[:, :2], out=found[:, :2])
            found[self._possible, 2] = scores
            return found
        least = np.where(self._any, np.where(self._needs, frame[:, 2], np.float32(np.inf)).min(-1), 0)
        rank = (least > 0).argmax(0)
        found = np.empty((self._shape[1], 3), np.float32)
        found[:, :2] = self._weights[rank, self._joints] @ frame[:, :2]
        found[:, 2] = least[rank, self._joints]
        found[found[:, 2] <= 0] = 0
        return found


def missing_joints(source: Skeleton, target: Skeleton) -> tuple[str, ...]:
    """Return the joints of a target skeleton that cannot be made from poses of a source skeleton."""
    options = _mixtures(source, target) if source != target else target.joints
    return tuple(joint for joint, found in zip(target.joints, options, strict=True) if not found)


def convert_poses(poses: Poses3D, target: Skeleton | str) -> Poses3D:
    """Write poses in the joints of another skeleton: `HALPE_26`, `BODY_25` or `COCO_17` from the lifted `BODY_27`.

    Joints of the same name are copied, others are mixtures by the first of `RULES` that the source allows. The origin
    stays where it is, at the pelvis, also for a skeleton that has none.

    Args:
        poses: Poses of any skeleton.
        target: Joint order wanted, or its name.

    Returns:
        Poses of `target`; a mixture is observed as well as its least observed joint, and its spread is the most that
        those of its joints can add up to. Everything else is as it was.

    Raises:
        SkeletonError: Joints of the target cannot be made from the source's. None is made up: poses without feet have
            none in `HALPE_26` either.
    """
    target = get_skeleton(target)
    if poses.skeleton == target:
        return poses
    if missing := missing_joints(poses.skeleton, target):
        raise SkeletonError(
            f"poses of {poses.skeleton.name} cannot be written as {target.name}: nothing gives {', '.join(missing)}; "
            "lift with weights that have these joints, or ask for another skeleton"
        )
    options = _mixtures(poses.skeleton, target)
    weights = np.zeros((len(target), len(poses.skeleton)), np.float32)
    for row, found in enumerate(options):
        for joint, weight in found[0]:
            weights[row, joint] = weight
    observed, spread = poses.observed, poses.spread
    if observed is not None:
        observed = np.stack([observed[:, [joint for joint, _ in found[0]]].min(1) for found in options], 1)
    if spread is not None:
        spread = spread @ np.abs(weights).T
    return replace(poses, xyz=weights @ poses.xyz, skeleton=target, observed=observed, spread=spread)
