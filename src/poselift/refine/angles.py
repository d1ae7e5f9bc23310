"""Joint angles as biomechanists name them, from the positions of joints.

Axes of a segment are those of the International Society of Biomechanics (ISB): X forward, Y up along the segment, Z to
the right. Angles between segments are Cardan angles about Z, then X, then Y (flexion, adduction, rotation; ISB 2002,
Grood and Suntay 1983). Names and signs are those of OpenSim's Rajagopal model where they mean the same. Those of the
left side mirror the right. `poselift.refine.angle_names.FORMULAS` has each; docs/angles.md says how far they are off.
"""

from dataclasses import dataclass

import numpy as np

from poselift.errors import SkeletonError, did_you_mean
from poselift.geometry.hinges import BENT_DEGREES
from poselift.geometry.rotation import shortest_arc
from poselift.refine.angle_names import RANGES, general
from poselift.sequence import WORLD, Poses3D, unit_vectors
from poselift.skeleton import Skeleton

SIDES = {"r": ("right", 1.0), "l": ("left", -1.0)}
"""Endings of the names of angles: the side of the body, and the sign that mirrors it."""
POLE_DEGREES = 10.0
"""Angle from the pole, a segment along the axis of flexion, within which flexion and rotation mean nothing."""


@dataclass(frozen=True, eq=False)
class JointAngles:
    """Joint angles of one person over time."""

    names: tuple[str, ...]
    """Names of the angles, such as ``hip_flexion_r``."""
    degrees: np.ndarray
    """(T, A) float32; NaN where an angle is not defined: in gaps, rotations of straight limbs, at poles."""
    observed: np.ndarray
    """(T, A) float32 in [0, 1]: the least confidence of the joints that the angle is made from; 0 where one of them was
    not seen and is a guess. 1 where poses do not say."""
    plausible: np.ndarray
    """(T, A) bool: the angle is within `RANGES`, or not defined."""
    fps: float
    """Frames per second."""
    start_s: float = 0.0
    """Time of the first frame in seconds from the beginning of the source."""

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.degrees)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return one angle over time, (T,) degrees.

        Raises:
            SkeletonError: There is no angle of this name.
        """
        if name not in self.names:
            raise SkeletonError(f"there is no angle '{name}'; {did_you_mean(name, self.names)}")
        return np.asarray(self.degrees[:, self.names.index(name)])


def joint_angles(poses: Poses3D) -> JointAngles:
    """Return the joint angles of poses: those of `angle_names.FORMULAS` for which the skeleton has the joints.

    Positions do not show how a straight limb twists: rotations of hips and shoulders are NaN where the knee or elbow is
    bent by less than 20 degrees. Flexion and rotation are NaN where the limb points along the axis of flexion, and all
    is NaN in gaps. Angles of joints that were not seen stay, with `observed` 0. The pelvis is the segment from the hips
    to the joint `spine`, whose tilt is that of the lower trunk.

    Args:
        poses: One person; any frame. In the axes of a camera, the vertical is the mean of `up`, and without it the
            camera is taken to be level.

    Raises:
        SkeletonError: The skeleton has neither arms nor legs.
    """
    if not poses.skeleton.limbs:
        raise SkeletonError(f"{poses.skeleton.name} has neither arms nor legs, and so no joint angles")
    finder = _Finder(to_ground(poses), poses.skeleton)
    finder.find_trunk()
    for letter in SIDES:
        finder.find_leg(letter)
        finder.find_arm(letter)
    names = tuple(finder.found)
    degrees = np.stack([finder.found[name] for name in names], axis=1)
    observed = np.ones_like(degrees)
    if poses.observed is not None:
        observed = np.stack([poses.observed[:, list(finder.made_from[name])].min(1) for name in names], axis=1)
    if poses.gap is not None:
        degrees[poses.gap] = np.nan
    limits = [RANGES.get(general(name), (-np.inf, np.inf)) for name in names]
    low, high = np.array(limits, float).T
    plausible = np.isnan(degrees) | ((degrees >= low) & (degrees <= high))
    kept = (degrees.astype(np.float32), observed.astype(np.float32), plausible)
    return JointAngles(names, *kept, poses.fps, poses.start_s)


def to_ground(poses: Poses3D, points: np.ndarray | None = None) -> np.ndarray:
    """Return joints (T, J, 3) in ground axes: X to the camera, or to -y of the world; Y up; Z to the camera's left.

    Args:
        poses: In any frame; `joint_angles` says what is vertical.
        points: (*, 3) other points in the axes of `poses.frame` to return in their place.
    """
    xyz = poses.y_up(points)
    if poses.frame != WORLD and poses.up is not None:
        up = unit_vectors(poses.y_up(poses.up).mean(0), np.array([0.0, 1.0, 0.0]))
        xyz = xyz @ shortest_arc(up, np.array([0.0, 1.0, 0.0])).T
    return np.stack([xyz[..., 2], xyz[..., 1], -xyz[..., 0]], axis=-1)


class _Finder:
    """Finds the angles of one person part by part."""

    def __init__(self, xyz: np.ndarray, skeleton: Skeleton) -> None:
        """Take the joints (T, J, 3) in ground axes."""
        self.xyz, self.skeleton = xyz, skeleton
        self.found: dict[str, np.ndarray] = {}
        self.made_from: dict[str, tuple[int, ...]] = {}

    def has(self, *joints: str) -> bool:
        return all(joint in self.skeleton for joint in joints)

    def at(self, *joints: str) -> np.ndarray:
        """Return the middle (T, 3) of joints."""
        return np.asarray(self.xyz[:, list(self.skeleton.indices(joints))].mean(1))

    def add(self, values: dict[str, np.ndarray], *joints: str) -> None:
        """Add angles (T,) in degrees, and the joints that they are made from."""
        self.found |= values
        self.made_from |= dict.fromkeys(values, self.skeleton.indices(joints))

    def segment(self, right: str, left: str, low: tuple[str, ...], high: str) -> np.ndarray:
        """Return the axes (T, 3, 3), in columns, of a segment with Z from left to right and Y nearest low to high."""
        return _axes(self.at(right) - self.at(left), self.at(high) - self.at(*low))

    def pelvis(self) -> tuple[np.ndarray, tuple[str, ...]] | None:
        """Return the pelvis' axes and the joints that they are made from."""
        hips = ("right_hip", "left_hip")
        for above in ("spine", "thorax", "neck"):
            if self.has(*hips, above):
                return self.segment(*hips, hips, above), (*hips, above)
        shoulders = ("right_shoulder", "left_shoulder")
        if self.has(*hips, *shoulders):
            return _axes(self.at(hips[0]) - self.at(hips[1]), self.at(*shoulders) - self.at(*hips)), (*hips, *shoulders)
        return None

    def chest(self) -> tuple[np.ndarray, tuple[str, ...]] | None:
        """Return the chest's axes and the joints that they are made from."""
        shoulders, hips = ("right_shoulder", "left_shoulder"), ("right_hip", "left_hip")
        below = ("spine",) if self.has("spine") else hips
        above = ("thorax",) if self.has("thorax") else shoulders
        if not self.has(*shoulders, *below, *above):
            return None
        return _axes(self.at(shoulders[0]) - self.at(shoulders[1]), self.at(*above) - self.at(*below)), (
            *shoulders, *below, *above,
        )  # fmt: skip

    def find_trunk(self) -> None:
        """Find the angles of pelvis, chest and head."""
        pelvis, chest = self.pelvis(), self.chest()
        if pelvis:
            axes, joints = pelvis
            level = np.hypot(axes[:, 1, 0], axes[:, 1, 1])
            turned = np.degrees(np.unwrap(np.arctan2(axes[:, 0, 2], axes[:, 2, 2])))
            self.add(
                {
                    "pelvis_anterior_tilt": -_atan2(axes[:, 1, 0], axes[:, 1, 1], level),
                    "pelvis_obliquity": np.degrees(np.arcsin(axes[:, 1, 2].clip(-1, 1))),
                    "pelvis_heading": np.where(level > np.sin(np.radians(POLE_DEGREES)), turned, np.nan),
                },
                *joints,
            )
        if pelvis and chest:
            z, x, y = cardan_zxy(pelvis[0].swapaxes(1, 2) @ chest[0])
            self.add({"lumbar_extension": z, "lumbar_bending": x, "lumbar_rotation": y}, *pelvis[1], *chest[1])
            trunk = self.at(*_part(chest[1], "thorax", "shoulder")) - self.at("right_hip", "left_hip")
            self.add({"trunk_lean": _between(trunk, np.array([0.0, 1.0, 0.0]))}, *pelvis[1], *chest[1])
        ears, eyes = ("right_ear", "left_ear"), ("right_eye", "left_eye")
        if chest and self.has(*ears, *eyes):
            right, ahead = self.at(ears[0]) - self.at(ears[1]), self.at(*eyes) - self.at(*ears)
            z, x, y = cardan_zxy(chest[0].swapaxes(1, 2) @ _axes(right, np.cross(right, ahead)))
            self.add({"neck_flexion": -z, "neck_bending": x, "neck_rotation": y}, *chest[1], *ears, *eyes)

    def find_leg(self, letter: str) -> None:
        """Find the angles of one leg."""
        side, sign = SIDES[letter]
        leg = [f"{side}_{part}" for part in ("hip", "knee", "ankle")]
        if not self.has(*leg):
            return
        hip, knee, ankle = (self.at(joint) for joint in leg)
        if pelvis := self.pelvis():
            z, x, y = _limb(pelvis[0], hip - knee, knee - ankle, sign, forward=1.0)
            self.add({f"hip_flexion_{letter}": z, f"hip_adduction_{letter}": x}, *pelvis[1], *leg[:2])
            self.add({f"hip_rotation_{letter}": y}, *pelvis[1], *leg)
        self.add({f"knee_angle_{letter}": _between(hip - knee, knee - ankle)}, *leg)
        toes, heel = self._toes(side), f"{side}_heel"
        if not toes or not self.has(heel):
            return
        foot, shank = self.at(*toes) - self.at(heel), knee - ankle
        self.add({f"ankle_angle_{letter}": 90 - _between(foot, shank)}, *leg[1:], heel, *toes)
        if len(toes) == 2:
            outward = self.at(toes[1]) - self.at(toes[0])
            rise, across = _across(shank, foot), _across(outward, foot)
            dip = _between(rise, across) - 90
            self.add({f"ankle_inversion_{letter}": dip}, *leg[1:], heel, *toes)

    def _toes(self, side: str) -> tuple[str, ...]:
        toes = (f"{side}_big_toe", f"{side}_small_toe")
        if self.has(*toes):
            return toes
        return (f"{side}_foot_index",) if self.has(f"{side}_foot_index") else ()

    def find_arm(self, letter: str) -> None:
        """Find the angles of one arm."""
        side, sign = SIDES[letter]
        arm = [f"{side}_{part}" for part in ("shoulder", "elbow", "wrist")]
        if not self.has(*arm):
            return
        shoulder, elbow, wrist = (self.at(joint) for joint in arm)
        if chest := self.chest():
            axes, joints = chest
            z, x, y = _limb(axes, shoulder - elbow, elbow - wrist, sign, forward=-1.0)
            self.add({f"arm_flex_{letter}": z, f"arm_add_{letter}": x}, *joints, *arm[:2])
            self.add({f"arm_rot_{letter}": y}, *joints, *arm)
            raised = unit_vectors(np.einsum("tji,tj->ti", axes, elbow - shoulder), np.full(3, np.nan))
            plane = _atan2(raised[:, 0], sign * raised[:, 2], np.hypot(raised[:, 0], raised[:, 2]))
            elevation = np.degrees(np.arccos((-raised[:, 1]).clip(-1, 1)))
            self.add({f"shoulder_elevation_{letter}": elevation, f"shoulder_plane_{letter}": plane}, *joints, *arm[:2])
        self.add({f"elbow_flex_{letter}": _between(shoulder - elbow, elbow - wrist)}, *arm)


def _axes(right: np.ndarray, near_y: np.ndarray) -> np.ndarray:
    """Return the axes X, Y, Z (T, 3, 3), in columns, with Z along `right`; NaN where the two are parallel."""
    nothing = np.full(3, np.nan)
    z = unit_vectors(right, nothing)
    x = unit_vectors(np.cross(unit_vectors(near_y, nothing), z), nothing)
    return np.stack([x, np.cross(z, x), z], axis=-1)


def cardan_zxy(turn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the angles (T,) about Z, X and Y, in degrees, of rotations Rz Rx Ry (T, 3, 3)."""
    level = np.hypot(turn[:, 0, 1], turn[:, 1, 1])
    z = _atan2(-turn[:, 0, 1], turn[:, 1, 1], level)
    return z, np.degrees(np.arcsin(turn[:, 2, 1].clip(-1, 1))), _atan2(-turn[:, 2, 0], turn[:, 2, 2], level)


def _limb(
    axes: np.ndarray, upper: np.ndarray, lower: np.ndarray, sign: float, *, forward: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return flexion, adduction and rotation (T,) in degrees of a limb's upper bone in a segment.

    Args:
        axes: (T, 3, 3) axes of the segment, in columns.
        upper: (T, 3) from the middle joint to the first, as Y of an upright bone points up.
        lower: (T, 3) from the last joint to the middle one.
        sign: 1 for the right side, -1 for the left.
        forward: 1 where the hinge bends the lower bone backward, as knees do, -1 where it bends it forward.
    """
    y = unit_vectors(np.einsum("tji,tj->ti", axes, upper), np.full(3, np.nan))
    level = np.hypot(y[:, 0], y[:, 1])
    flexion = _atan2(-y[:, 0], y[:, 1], level)
    adduction = np.degrees(np.arcsin(y[:, 2].clip(-1, 1)))
    # X of the bone is where the hinge bends the lower bone to; in the axes of a bone that is flexed, but not rotated:
    x = forward * _across(np.einsum("tji,tj->ti", axes, lower), y)
    flat = np.stack([y[:, 1], -y[:, 0], np.zeros(len(y))], axis=-1) / np.maximum(level, 1e-9)[:, None]
    rotation = np.degrees(np.arctan2(-(x * np.cross(flat, y)).sum(1), (x * flat).sum(1)))
    shown = (_between(upper, lower) >= BENT_DEGREES) & (level > np.sin(np.radians(POLE_DEGREES)))
    return flexion, sign * adduction, np.where(shown, sign * rotation, np.nan)


def _atan2(rise: np.ndarray, run: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return an angle (T,) in degrees; NaN where both parts are so small that it means nothing."""
    return np.where(size > np.sin(np.radians(POLE_DEGREES)), np.degrees(np.arctan2(rise, run)), np.nan)


def _between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the angle (T,) between vectors (T, 3), degrees from 0 to 180."""
    return np.asarray(np.degrees(np.arctan2(np.linalg.norm(np.cross(one, other), axis=-1), (one * other).sum(-1))))


def _across(vectors: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Return the part of vectors (T, 3) at right angles to others (T, 3)."""
    line = unit_vectors(line, np.zeros(3))
    return np.asarray(vectors - (vectors * line).sum(-1, keepdims=True) * line)


def _part(joints: tuple[str, ...], *parts: str) -> tuple[str, ...]:
    """Return the joints whose names hold the first of `parts` that any has."""
    found = ([joint for joint in joints if part in joint] for part in parts)
    return tuple(next(names for names in found if names))
