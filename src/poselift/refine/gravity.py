"""Which way is up, and where the floor is: one answer for the camera, from everyone in the clip.

The directions that the network gives frame by frame have errors of 4 to 6 degrees that stay for seconds; their median
over the clip is within 2 to 3. Where feet are planted, the places of the feet must lie in one plane, which tells the
tilt along the way that people walk. Both are weighed against each other, robustly.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from poselift.sequence import CONTACTS, Poses3D, unit_vectors
from poselift.skeleton import Skeleton

UP_ERROR_DEG = 4.0
"""Ordinary error of the median over a clip of the network's directions."""
GUESSED_UP_ERROR_DEG = 8.0
"""Ordinary error of the direction in which people stand, for networks that give none."""
FOOT_ERROR_M = 0.1
"""Ordinary error of the height of a planted foot, seen from the camera: most of it is an error of depth."""
STANDS_A_SECOND = 0.5
"""Number of independent measurements that a second with a planted foot counts as: errors of a pose last for seconds."""
PLANTED = 0.5
"""Probability of contact from which a point counts as planted."""
ANKLE_HEIGHT_M = 0.08
"""Height of the ankle joint above the floor, for bodies without feet (of 35 bodies of motion capture, 0.07 to 0.09)."""
LEVEL_M, LEVEL_SHARE = 0.4, 0.25
"""Heights in metres that are one level, seen from the camera, and the share of planted moments that the floor has."""
_NARROWEST_RAD = 0.02
"""Angle from which on the weight of a direction falls, in the median of directions."""
_STEPS = 20


@dataclass(frozen=True, eq=False)
class Ground:
    """The floor, in the axes of a camera."""

    up: np.ndarray
    """(3,) of length 1: away from the floor."""
    height: float
    """Height of the floor along `up`, from the camera, metres: a point q is on it where up . q = height."""
    error_deg: float
    """Expected error of `up` in degrees, from what it was found by."""
    source: str
    """What it was found from, in words."""

    def above(self, points: np.ndarray) -> np.ndarray:
        """Return the heights (*,) above the floor of points (*, 3), metres."""
        return points @ self.up - self.height


@dataclass(frozen=True, eq=False)
class Feet:
    """One person's points of the feet, and when they stand."""

    points: np.ndarray
    """(T, P, 3) metres, relative to the root, camera axes."""
    contact: np.ndarray
    """(T, P) probability of standing still on the ground; 0 in all frames where nothing is known of it."""
    heights: np.ndarray
    """(P,) metres: height above the floor of each point when it stands."""
    known: bool
    """Whether contacts are known."""

    def unused(self) -> "Feet":
        """Return the same feet, of whose contacts nothing is known."""
        return replace(self, contact=np.zeros_like(self.contact))


def feet_of(poses: Poses3D, xyz: np.ndarray) -> Feet:
    """Return the feet of a person: heels and big toes with their contacts, or the ankles of bodies without feet.

    Args:
        poses: The person, for the joints and contacts.
        xyz: (T, J, 3) metres, relative to the root, camera axes.
    """
    skeleton = poses.skeleton
    joints = foot_joints(skeleton)
    if len(joints) == 4:
        contact = np.zeros((len(poses), 4)) if poses.contact is None else poses.contact.astype(np.float64)
        if poses.gap is not None:
            contact = contact * ~poses.gap[:, None]
        return Feet(xyz[:, joints], contact, np.zeros(4), poses.contact is not None)
    if poses.contact is not None and len(joints) == 2:
        contact = np.stack([poses.contact[:, :2].max(1), poses.contact[:, 2:].max(1)], 1).astype(np.float64)
        return Feet(xyz[:, joints], contact, np.full(2, ANKLE_HEIGHT_M), True)
    return Feet(xyz[:, joints], np.zeros((len(poses), len(joints))), np.full(len(joints), ANKLE_HEIGHT_M), False)


def foot_joints(skeleton: Skeleton) -> list[int]:
    """Return the joints of `poselift.sequence.CONTACTS`, or the ankles where there are no feet."""
    names: tuple[str, ...] = CONTACTS
    if not set(names) <= {*skeleton.joints}:
        names = tuple(name for name in ("left_ankle", "right_ankle") if name in skeleton)
    return [skeleton.index(name) for name in names]


def find_up(people: Sequence[tuple[Poses3D, np.ndarray]]) -> Ground:
    """Return the direction up, from the network's own or else from how people stand; the floor is not found yet.

    Args:
        people: Poses, and their joints (T, J, 3) in camera axes. `up` of the poses is in the same axes.
    """
    told = [(poses.up[there], trust_of(poses)[there]) for poses, _ in people if poses.up is not None
            for there in (_there(poses),)]  # fmt: skip
    if told:
        ups, trust = (np.concatenate(parts).astype(np.float64) for parts in zip(*told, strict=True))
        return Ground(median_direction(ups, trust), np.nan, UP_ERROR_DEG, "the network's directions")
    standing = np.concatenate([_standing(poses, xyz)[_there(poses)] for poses, xyz in people])
    # cameras are level more often than not: it counts as much as everybody together
    up = unit_vectors(
        median_direction(standing, np.ones(len(standing))) + np.array([0.0, -1.0, 0.0]), np.array([0.0, -1.0, 0.0])
    )
    return Ground(up, np.nan, GUESSED_UP_ERROR_DEG, "how people stand, and a camera that is nearly level")


def find_ground(before: Ground, feet: Sequence[tuple[Feet, np.ndarray, float]], *, fixed: bool = False) -> Ground:
    """Return the floor under planted feet.

    The tilt and the height minimize, over the planted points q of the feet,

        |up - before|² / UP_ERROR² + sum_q w_q rho((up . q - height - h_q) / FOOT_ERROR)

    where rho(e) = e² / (1 + e²/4) (Geman and McClure), so that what stands on another level counts for nothing, and the
    weights w of all points add up to the number of seconds with planted feet times `STANDS_A_SECOND`. Without
    contacts, the floor lies under the lowest foot of each frame, in the median.

    Args:
        before: The direction up that is known so far.
        feet: Of each person: the feet, the root's path (T, 3) and the frames per second.
        fixed: Keep the direction; only the height is found.
    """
    points, heights, weights, seconds = _planted(feet)
    if not len(points):
        lowest = np.concatenate(
            [((path[:, None] + each.points) @ before.up - each.heights).min(1) for each, path, _ in feet]
        )
        return Ground(before.up, float(np.median(lowest)), before.error_deg, before.source + ", and the lowest feet")
    up, weights = before.up, weights / weights.sum() * max(seconds * STANDS_A_SECOND, 1e-3)
    height = _lowest_level(points @ up - heights, weights)
    information = np.eye(2) / np.deg2rad(max(before.error_deg, 0.01)) ** 2
    for _ in range(_STEPS):
        axes = across(up)
        error = (points @ up - heights - height) / FOOT_ERROR_M
        robust = weights / (1 + error**2 / 4) ** 2
        rows = np.concatenate([points @ axes.T, -np.ones((len(points), 1))], 1) / FOOT_ERROR_M  # by tilt and height
        matrix, slope = (rows * robust[:, None]).T @ rows, (rows * robust[:, None]).T @ error
        if fixed:
            matrix[:2], matrix[:, :2], slope[:2] = 0, 0, 0
            matrix[:2, :2] = np.eye(2)
        else:
            prior = 1 / np.deg2rad(before.error_deg) ** 2
            matrix[:2, :2] += np.eye(2) * prior
            slope[:2] += axes @ (up - before.up) * prior
            information = matrix[:2, :2] - np.outer(matrix[:2, 2], matrix[2, :2]) / matrix[2, 2]
        step = np.linalg.solve(matrix, -slope)
        up, height = unit_vectors(up + step[:2] @ axes, up), height + step[2]
        if np.abs(step).max() < 1e-6:
            break
    error_deg = before.error_deg if fixed else float(np.rad2deg(np.sqrt(np.trace(np.linalg.inv(information)) / 2)))
    return Ground(up, float(height), error_deg, before.source + ", and planted feet")


def _lowest_level(above: np.ndarray, weights: np.ndarray) -> float:
    """Return the height of the lowest level on which people stand for some time, of planted points (N,).

    Somebody may stand on a wall or a chair for longer than on the floor, but nobody stands below it.
    """
    order = np.argsort(above)
    above, total = above[order], np.cumsum(weights[order])
    within = total[np.searchsorted(above, above + LEVEL_M, side="right") - 1] - total + weights[order]
    first = int(np.argmax(within >= min(LEVEL_SHARE * total[-1], within.max())))
    inside = (above >= above[first]) & (above <= above[first] + LEVEL_M)
    return _weighted_median(above[inside], weights[order][inside])


def with_angles(ground: Ground, pitch_deg: float | None, roll_deg: float | None) -> Ground:
    """Return the ground with the camera's pitch and roll where they are given.

    Args:
        ground: What was found.
        pitch_deg: Degrees by which the camera looks down, negative for up.
        roll_deg: Degrees by which the camera is turned clockwise about its optical axis.
    """
    if pitch_deg is None and roll_deg is None:
        return ground
    pitch = np.arcsin(-ground.up[2].clip(-1, 1)) if pitch_deg is None else np.deg2rad(pitch_deg)
    roll = np.arctan2(-ground.up[0], -ground.up[1]) if roll_deg is None else np.deg2rad(roll_deg)
    up = np.array([-np.sin(roll) * np.cos(pitch), -np.cos(roll) * np.cos(pitch), -np.sin(pitch)])
    both = pitch_deg is not None and roll_deg is not None
    said = "the pitch and roll given" if both else f"the {'pitch' if roll_deg is None else 'roll'} given"
    if not both:
        said = ground.source if said in ground.source else f"{said}, {ground.source}"
    return Ground(up, ground.height, 0.0 if both else ground.error_deg, said)


def angles(up: np.ndarray) -> tuple[float, float]:
    """Return the camera's pitch and roll in degrees, as `with_angles` takes them, for an up (3,) in its axes."""
    return float(np.rad2deg(np.arcsin(-up[2]))), float(np.rad2deg(np.arctan2(-up[0], -up[1])))


def _planted(
    feet: Sequence[tuple[Feet, np.ndarray, float]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Return the planted points (N, 3), the heights (N,) at which they stand, their weights (N,), and the seconds."""
    points, heights, weights, seconds = [np.zeros((0, 3))], [np.zeros(0)], [np.zeros(0)], 0.0
    for each, path, fps in feet:
        stands = each.contact > PLANTED
        points.append((path[:, None] + each.points)[stands])
        heights.append(np.broadcast_to(each.heights, stands.shape)[stands])
        weights.append(each.contact[stands])
        seconds += float(stands.any(1).sum()) / fps
    return np.concatenate(points), np.concatenate(heights), np.concatenate(weights), seconds


def _there(poses: Poses3D) -> np.ndarray:
    """Return the frames (T,) that are no gaps, or all if there are none."""
    return np.ones(len(poses), bool) if poses.gap is None or poses.gap.all() else ~poses.gap


def _standing(poses: Poses3D, xyz: np.ndarray) -> np.ndarray:
    """Return the directions (T, 3) from between the ankles to between the shoulders."""
    skeleton = poses.skeleton
    ankles = [skeleton.index(name) for name in ("left_ankle", "right_ankle") if name in skeleton]
    shoulders = [skeleton.index(name) for name in ("left_shoulder", "right_shoulder")]
    return unit_vectors(xyz[:, shoulders].mean(1) - xyz[:, ankles].mean(1), np.array([0.0, -1.0, 0.0]))


def trust_of(poses: Poses3D) -> np.ndarray:
    """Return the weights (T,) of the directions in each frame: more where both feet stand and the pose is certain."""
    trust = np.ones(len(poses))
    if poses.contact is not None:
        trust *= 0.02 + np.minimum(poses.contact[:, :2].max(1), poses.contact[:, 2:].max(1))
    return trust if poses.spread is None else trust / np.maximum(poses.spread.mean(1), 1e-3) ** 2


def median_direction(directions: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Return the direction (3,) with the least sum of distances from (N, 3) others, weighted by (N,)."""
    found = unit_vectors((directions * trust[:, None]).sum(0) / trust.sum(), np.array([0.0, -1.0, 0.0]))
    for _ in range(_STEPS):
        weight = trust / np.maximum(np.linalg.norm(directions - found, axis=1), _NARROWEST_RAD)
        found = unit_vectors((directions * weight[:, None]).sum(0) / weight.sum(), found)
    return found


def across(up: np.ndarray) -> np.ndarray:
    """Return two unit vectors (2, 3) at right angles to a direction (3,) and each other."""
    first = np.cross(up, np.eye(3)[np.abs(up).argmin()])
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(up, first)])


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][min(int(np.searchsorted(total, total[-1] / 2)), len(values) - 1)])
