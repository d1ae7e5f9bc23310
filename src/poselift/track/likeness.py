"""How likely detections are to show people whom the tracker remembers.

Costs are negative logarithms of probabilities (nats), against a detection at the expected place with the expected
pose. A cost has two parts: the body's displacement from its expected place, and each joint's displacement against the
body's. Both are in units of the person's size, and are expected to grow with the time since the joints were last seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poselift.track.memory import FEWEST_JOINTS, MEASURED, Person, box

_JITTER = 0.02
_JOINT_SPEED, _JOINT_REACH = 0.8, 0.13
"""A joint moves against the body by 0.02 + 0.8 t sizes in t seconds, by 0.15 at most (standard deviations)."""
_INDEPENDENT = 6.0
"""A pose counts as this many joints at most, since neighbouring joints have the same errors."""
_WILD = 9.0
"""Squared displacement, in standard deviations, beyond which a joint is wrong, and says no more than that."""
_BLIND = 0.5
"""Sizes: standard deviation of the displacement of a body that has too few joints in common with what is remembered."""
_SLACK, _SPEED, _LONGEST_S = 0.5, 6.0, 0.25
"""After t seconds a body is within 0.5 + 6 t sizes of where it was expected, about a sprint; for t up to 0.25 s."""
_NEAR, _SAME = 0.05, 0.75
"""A detection repeats another if 75 % of their common joints are nearer to each other than 0.05 sizes."""


@dataclass
class Likeness:
    """Comparison of K remembered people with P detections."""

    cost: np.ndarray
    """(K, P) nats."""
    moved: np.ndarray
    """(K, P, 2) pixels: displacement of the body against its expected place; 0 where that cannot be measured."""


def compare(people: Sequence[Person], poses: np.ndarray, time_s: float) -> Likeness:
    """Compare remembered people with the detections of a frame.

    Args:
        people: K people.
        poses: (P, J, 3) keypoints, NaN where a joint was not seen.
        time_s: Time of the frame.
    """
    expected, motions = zip(*(person.expected(time_s) for person in people), strict=True)
    joints = np.stack(expected)
    size = np.array([person.size for person in people])[:, None]
    away = poses[None, :, :, :2] - joints[:, None]  # (K, P, J, 2)
    common = np.isfinite(away[..., 0])
    count = common.sum(-1)
    few = count < FEWEST_JOINTS
    moved = np.where(few[..., None], 0.0, _median(away, count))
    far = np.linalg.norm(moved, axis=-1) / size
    if few.any():
        centers = np.nanmean(poses[None, ..., :2], axis=2) - np.nanmean(joints, axis=1)[:, None]
        far = np.where(few, np.linalg.norm(centers, axis=-1) / size, far)
    variance = np.array([motion.variance[0] for motion in motions])[:, None] + MEASURED**2 + few * _BLIND**2
    surprise = far / np.sqrt(variance)
    # Huber's loss: beyond three standard deviations the cost grows in proportion
    place = np.log(variance / MEASURED**2) + np.where(surprise < 3, surprise**2 / 2, 3 * surprise - 4.5)
    gap_s = time_s - np.stack([person.seen_s for person in people])  # (K, J)
    spread = _JITTER + np.minimum(_JOINT_SPEED * gap_s, _JOINT_REACH)
    rest = ((away - moved[:, :, None]) ** 2).sum(-1) / (spread[:, None] * size[..., None]) ** 2
    each = np.minimum(rest, _WILD) / 2 + 2 * np.log(spread / _JITTER)[:, None]
    mean = np.where(common, each, 0).sum(-1) / count.clip(min=1)
    unknown = 1 + 2 * np.log((_JITTER + _JOINT_REACH) / _JITTER)
    since_s = np.array([time_s - person.time_s for person in people])[:, None]
    reached = far <= _SLACK + _SPEED * since_s.clip(0, _LONGEST_S)
    return Likeness(np.where(reached, place + _INDEPENDENT * np.where(few, unknown, mean), np.inf), moved)


def _median(away: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the median over the `count` (K, P) finite joints of (K, P, J, 2); NaN where there are none."""
    ordered = np.sort(away, axis=2)  # NaN last
    low = ((count - 1) // 2).clip(min=0)[..., None, None]
    high = (count // 2).clip(max=away.shape[2] - 1)[..., None, None]
    return np.asarray((np.take_along_axis(ordered, low, 2) + np.take_along_axis(ordered, high, 2))[:, :, 0] / 2)


def doubles(poses: np.ndarray) -> set[int]:
    """Return the places of detections (P, J, 3) that repeat another one of the same frame, surer of its joints.

    A detector that looks at a crop of the picture around each person finds one person twice when a crop jumps.
    """
    found: set[int] = set()
    if len(poses) < 2:
        return found
    size = np.array([box(pose) for pose in poses])
    apart = np.linalg.norm(poses[:, None, :, :2] - poses[None, ..., :2], axis=-1)
    common = np.isfinite(apart).sum(-1)
    near = (apart < _NEAR * np.maximum(size[:, None], size)[..., None]).sum(-1)
    same = (near >= _SAME * common) & (common >= FEWEST_JOINTS)
    weight = poses[..., 2].sum(-1)
    for one, other in np.argwhere(np.triu(same, 1)).tolist():
        if one not in found and other not in found:
            found.add(other if weight[one] >= weight[other] else one)
    return found
