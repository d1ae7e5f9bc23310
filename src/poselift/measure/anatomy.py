"""Angles of bones, joints, head and feet, and errors of head and feet: what distances of joints do not tell.

A distance mixes how a limb is turned with how long the person is thought to be; whoever animates or measures motion
needs the angle. All angles are in degrees.
"""

from collections.abc import Sequence

import numpy as np

from poselift.geometry.align import procrustes
from poselift.measure.metrics import mpjpe, p_mpjpe
from poselift.skeleton import BODY_27, H36M_17, Skeleton

LIMB_METRICS = ("bone_direction", "bone_direction_aligned", "knee_bias", "knee", "elbow_bias", "elbow")
"""Of every lifter with limbs, degrees: the angle between each bone and the true one, as it is and after the best
rotation of each pose; flexion of knees and elbows, mean error and root mean square error about each view's own mean."""
HEAD_METRICS = ("head_mpjpe", "head_p_mpjpe", "head_yaw", "head_yaw_seen", "head_yaw_seen_median")
"""Of lifters with eyes and ears: distance of these, mm, also after aligning the body's 17 joints; angle in the ground
plane between the head's and the true head's front, degrees: of all frames, and of those in which nose and eyes are
seen."""
FEET_METRICS = ("feet_mpjpe", "feet_p_mpjpe", "ankle_p_mpjpe", "toe_direction", "toe_direction_median")
"""Of lifters with feet: distance of toes and heels, mm, also after aligning the body's 17 joints, beside the ankles';
angle between heel to toes and the true one, degrees."""
UNITS = {name: "mm" if "mpjpe" in name else "°" for name in (*LIMB_METRICS, *HEAD_METRICS, *FEET_METRICS)}
"""Units by metric."""

_FACE = list(BODY_27.indices(("nose", "left_eye", "right_eye")))
_HEAD = list(BODY_27.indices(("left_eye", "right_eye", "left_ear", "right_ear")))
_FEET = [joint for joint, name in enumerate(BODY_27.joints) if "toe" in name or "heel" in name]
_ANKLES = list(BODY_27.indices(("left_ankle", "right_ankle")))
_BODY = np.array([name in H36M_17 for name in BODY_27.joints])


class Anatomy:
    """Collects these measures view by view, and averages them over frames."""

    def __init__(self) -> None:
        """Start empty."""
        self._found: dict[str, list[np.ndarray]] = {}

    def add_limbs(self, pred: np.ndarray, truth: np.ndarray, skeleton: Skeleton) -> None:
        """Add a view of root-relative joints (T, J, 3), metres."""
        if skeleton.bones:
            self._add("bone_direction", bone_angles(pred, truth, skeleton.bones).mean(1))
            self._add("bone_direction_aligned", bone_angles(procrustes(pred, truth), truth, skeleton.bones).mean(1))
        for part, first in (("knee", "hip"), ("elbow", "shoulder")):
            limbs = [limb for limb in skeleton.limbs if first in skeleton.joints[limb[0]]]
            if limbs:
                error = np.stack([flexion(pred, limb) - flexion(truth, limb) for limb in limbs], 1)
                self._add(f"{part}_bias", error.mean(1))
                self._add(part, ((error - error.mean(0)) ** 2).mean(1))

    def add_extremities(self, pred: np.ndarray, truth: np.ndarray, up: np.ndarray, seen: np.ndarray) -> None:
        """Add a view of joints of `BODY_27`.

        Args:
            pred: (T, 27, 3) lifted joints, metres, relative to the pelvis.
            truth: (T, 27, 3) true joints, the same axes; NaN where not known.
            up: (3,) direction that is up, in the same axes.
            seen: (T, 27) bool: the joint was seen in the keypoints.
        """
        known = np.isfinite(truth).all((0, 2))
        truth = np.where(known[:, None], truth, 0)
        aligned = 1000 * p_mpjpe(pred, truth, np.broadcast_to(_BODY, pred.shape[:2]))
        plain = 1000 * mpjpe(pred, truth)
        if known[_FEET].all():
            self._add("feet_mpjpe", plain[:, _FEET].mean(1))
            self._add("feet_p_mpjpe", aligned[:, _FEET].mean(1))
            self._add("ankle_p_mpjpe", aligned[:, _ANKLES].mean(1))
            self._add("toe_direction", angle(_toes(pred), _toes(truth)).mean(1))
            self._add("toe_direction_median", angle(_toes(pred), _toes(truth)).ravel())
        if known[_HEAD].all():
            self._add("head_mpjpe", plain[:, _HEAD].mean(1))
            self._add("head_p_mpjpe", aligned[:, _HEAD].mean(1))
            yaw = angle(*(_level(_gaze(xyz), up) for xyz in (pred, truth)))
            face = seen[:, _FACE].all(1)
            self._add("head_yaw", yaw)
            self._add("head_yaw_seen", yaw[face])
            self._add("head_yaw_seen_median", yaw[face])

    def means(self) -> dict[str, float]:
        """Return each measure over all frames that were added; those without any are left out."""
        found = {name: np.concatenate(parts) for name, parts in self._found.items()}
        return {name: _average(name, values) for name in UNITS if len(values := found.get(name, np.empty(0)))}

    def _add(self, name: str, values: np.ndarray) -> None:
        self._found.setdefault(name, []).append(values)


def angle(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the angle (*) between vectors (*, 3), degrees from 0 to 180; 0 for vectors of length 0."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(one, other), axis=-1), (one * other).sum(-1)))


def bone_angles(pred: np.ndarray, truth: np.ndarray, bones: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return the angle (*, bones) in degrees between bones (parent, child) and the true ones, of joints (*, J, 3)."""
    parents, children = map(list, zip(*bones, strict=True))
    return angle(*(xyz[..., children, :] - xyz[..., parents, :] for xyz in (pred, truth)))


def flexion(xyz: np.ndarray, limb: tuple[int, int, int]) -> np.ndarray:
    """Return the flexion (*) at the middle of three joints of (*, J, 3), degrees; 0 where the limb is straight."""
    first, middle, last = (xyz[..., joint, :] for joint in limb)
    return angle(middle - first, last - middle)


def _average(name: str, values: np.ndarray) -> float:
    if name.endswith("_median"):
        return float(np.median(values))
    mean = float(values.mean(dtype=np.float64))
    return mean**0.5 if name in ("knee", "elbow") else mean


def _toes(xyz: np.ndarray) -> np.ndarray:
    """Return the vectors (T, 2, 3) from heel to the middle of the toes."""
    big, small, heel = (
        xyz[:, list(BODY_27.indices((f"left_{part}", f"right_{part}")))] for part in ("big_toe", "small_toe", "heel")
    )
    return (big + small) / 2 - heel


def _gaze(xyz: np.ndarray) -> np.ndarray:
    """Return the vectors (T, 3) from between the ears to between the eyes."""
    left_eye, right_eye, left_ear, right_ear = (xyz[:, joint] for joint in _HEAD)
    return left_eye + right_eye - left_ear - right_ear


def _level(vectors: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Return vectors (T, 3) without their part along `up` (3,)."""
    return vectors - (vectors @ up)[:, None] * up
