"""How likely detections are to show people whom the tracker remembers.

Costs are negative logarithms of probabilities (nats), against a detection at the expected place with the expected
pose. A cost has two parts: the body's displacement from its expected place, and each joint's displacement against the
body's. Both are in units of the person's size, and are expected to grow with the time since the joints were last seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poselift.track.memory import MEASURED, Person

_JITTER = 0.02
_JOINT_SPEED, _JOINT_REACH = 0.8, 0.13
"""A joint moves against the body by 0.02 + 0.8 t sizes in t seconds, by 0.15 at most (standard deviations)."""
_INDEPENDENT = 6.0
"""A pose counts as this many joints at most, since neighbouring joints have the same errors."""
_WILD = 9.0
"""Squared displacement, in standard deviations, beyond which a joint is wrong, and says no more than that."""
_BLIND = 0.5
"""Sizes: standard deviation of the displacement of a body that has too few joints in common with what is remembered."""
FEWEST_JOINTS = 3
"""A displacement is measured with this many common joints, or else between the means of the joints."""


@dataclass
class Likeness:
    """Comparison of K remembered people with P detections."""

    cost: np.ndarray
    """(K, P) nats."""
    moved: np.ndarray
    """(K, P, 2) pixels: displacement of the body against its expected place."""


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
    moved = _median(away, count)
    if few.any():
        centres = np.nanmean(poses[None, ..., :2], axis=2) - np.nanmean(joints, axis=1)[:, None]
        moved = np.where(few[..., None], centres, moved)
    variance = np.array([motion.variance[0] for motion in motions])[:, None] + MEASURED**2 + few * _BLIND**2
    surprise = np.linalg.norm(moved, axis=-1) / (size * np.sqrt(variance))
    place = np.log(variance / MEASURED**2) + np.where(surprise < 3, surprise**2 / 2, 3 * surprise - 4.5)
    gap_s = time_s - np.stack([person.seen_s for person in people])  # (K, J)
    spread = _JITTER + np.minimum(_JOINT_SPEED * gap_s, _JOINT_REACH)
    rest = ((away - moved[:, :, None]) ** 2).sum(-1) / (spread[:, None] * size[..., None]) ** 2
    each = np.minimum(rest, _WILD) / 2 + 2 * np.log(spread / _JITTER)[:, None]
    mean = np.where(common, each, 0).sum(-1) / count.clip(min=1)
    blind = 2 * np.log((_JITTER + _JOINT_REACH) / _JITTER)
    shape = np.where(few, blind + 1, mean) * _INDEPENDENT
    return Likeness(place + shape, moved)


def _median(away: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the median over the `count` (K, P) finite joints of (K, P, J, 2); NaN where there are none."""
    ordered = np.sort(away, axis=2)  # NaN last
    low = ((count - 1) // 2).clip(min=0)[..., None, None]
    high = (count // 2).clip(max=away.shape[2] - 1)[..., None, None]
    return (np.take_along_axis(ordered, low, 2) + np.take_along_axis(ordered, high, 2))[:, :, 0] / 2


def doubles(poses: np.ndarray) -> set[int]:
    """Return the places of detections (P, J, 3) that repeat another one of the same frame, which has more joints."""
    found: set[int] = set()
    if len(poses) < 2:
        return found
    sizes = np.nanmax(poses[..., :2], axis=1) - np.nanmin(poses[..., :2], axis=1)
    apart = np.linalg.norm(poses[:, None, :, :2] - poses[None, ..., :2], axis=-1)
    common = np.isfinite(apart).sum(-1)
    scale = np.maximum(sizes.max(-1)[:, None], sizes.max(-1)[None])[..., None]
    near = (apart < _NEAR * scale).sum(-1)
    same = (near >= _SAME * common) & (common >= FEWEST_JOINTS)
    weight = np.nan_to_num(poses[..., 2]).sum(-1)
    for one, other in np.argwhere(np.triu(same, 1)):
        if one not in found and other not in found:
            found.add(int(other if weight[one] >= weight[other] else one))
    return found


_NEAR, _SAME = 0.05, 0.75
"""A detection repeats another if 75 % of their common joints are nearer to each other than 0.05 sizes."""
