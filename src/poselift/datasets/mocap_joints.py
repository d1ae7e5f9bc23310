"""Place the joints of `H36M_17` in a motion capture file's own skeleton."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from poselift.datasets.joint_names import find_joints
from poselift.datasets.upright import AXES, standing_axis
from poselift.formats.motion import Motion
from poselift.geometry.rotation import frame_from_axes
from poselift.skeleton import H36M_17

_SPINE_HEIGHT = 0.45
"""The spine is the joint nearest to this share of the way from pelvis to thorax; CMU's skeletons have it at 0.42."""
_FACE = {"nose": np.array([0.0, 0.0895, 0.0413]), "head_top": np.array([0.0, 0.2780, -0.0685])}
"""Positions left, up and forward of the base of the head, in trunk lengths (hips to spine to thorax)."""
_HEAD_ABOVE_NECK, _HEAD_ABOVE_SHOULDERS = 0.17, 0.25
"""Height of the base of the head above the base of the neck, and above the shoulders, in trunk lengths (CMU 02)."""


@dataclass(frozen=True, eq=False)
class Body:
    """The person of a motion, in the axes and the unit of the file."""

    xyz: np.ndarray
    """(T, 17, 3) float64 joints of `H36M_17`."""
    rest: np.ndarray
    """(17, 3) the same joints in the rest pose."""
    convention: str
    """The naming convention, or the joint map, by which the joints were found."""
    estimated: str
    """Names of joints that the file lacks, and how they are estimated; empty when there are none."""


def h36m_joints(motion: Motion, joint_map: Mapping[str, str] | None = None) -> Body:
    """Return the joints of `H36M_17` in a motion.

    Limb joints are the file's own. The pelvis is half-way between the hips; the thorax half-way between the base of the
    neck and the middle of the shoulders; the spine is the file's joint nearest to the middle between pelvis and thorax.
    Nose and head top, which motion capture does not mark, have fixed places in the head, forward of and above its base,
    in proportion to the trunk. `mocap17.npz` was made by these rules, measured on CMU 02_01. The head looks forward in
    a standing rest pose; if the rest pose does not stand, it looks where the trunk faces in the mean over the frames.

    If a file has no joint at the base of the head, the base is placed above the neck, in proportion to the trunk, and
    turns with the neck. If there is no neck either, it is placed above the shoulders and turns with the joint that both
    hang from, and the thorax is the middle of the shoulders.

    Args:
        motion: Motion of any figure.
        joint_map: poselift's name of a joint to the file's, for names that no convention has (`joint_names`).

    Raises:
        SkeletonError: Joints of the limbs are missing, or the map does not fit.
    """
    found = find_joints(motion.joints, joint_map)
    at, rest = found.index, motion.at_rest()
    if set(H36M_17.joints) <= set(at):
        xyz, at_rest = (figure.xyz[:, [at[name] for name in H36M_17.joints]] for figure in (motion, rest))
        return Body(xyz, at_rest[0], found.convention, "")
    anatomy = _Anatomy.of(motion, at)
    trunk = float(np.median(_length(*anatomy.trunk(motion.xyz))))
    axes = _upright_axes(anatomy, motion, rest)
    face = {name: axes @ (place + (0, anatomy.rise, 0)) * trunk for name, place in _FACE.items()}
    missing = [joint for joint in ("head", "neck") if joint not in at]
    below = "neck" if "neck" in at else "shoulders"
    estimated = f"no joint for {' or '.join(missing)}: estimated from the {below}" if missing else ""
    return Body(anatomy.place(motion, face), anatomy.place(rest, face)[0], found.convention, estimated)


@dataclass(frozen=True)
class _Anatomy:
    """The joints of a file from which the joints of `H36M_17` are made."""

    at: Mapping[str, int]
    """Index of each joint that is found by name."""
    spine: int | None
    """Index of the joint in the middle of the trunk; None where there is none."""
    carrier: int
    """Index of the joint that the head turns with."""
    rise: float
    """Height of the head's base above the joint that it is placed from (head, neck or shoulders), in trunk lengths."""

    @classmethod
    def of(cls, motion: Motion, at: Mapping[str, int]) -> "_Anatomy":
        """Choose the joints of a motion."""
        chest = next(
            joint for joint in _chain(motion.parents, at["left_shoulder"])
            if joint in _chain(motion.parents, at["right_shoulder"])
        )  # fmt: skip
        carrier = at.get("head", at.get("neck", chest))
        rise = 0.0 if "head" in at else _HEAD_ABOVE_NECK if "neck" in at else _HEAD_ABOVE_SHOULDERS
        bare = cls(at, at.get("spine"), carrier, rise)
        return bare if "spine" in at else replace(bare, spine=_spine_joint(bare, motion))

    def middle(self, xyz: np.ndarray, part: str) -> np.ndarray:
        """Return the points (T, 3) half-way between the left and right joints of a kind."""
        return (xyz[:, self.at[f"left_{part}"]] + xyz[:, self.at[f"right_{part}"]]) / 2

    def trunk(self, xyz: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return pelvis, spine and thorax (T, 3)."""
        at, shoulders = self.at, self.middle(xyz, "shoulder")
        pelvis = xyz[:, at["pelvis"]] if "pelvis" in at else self.middle(xyz, "hip")
        thorax = (shoulders + xyz[:, at["neck"]]) / 2 if "neck" in at else shoulders
        thorax = xyz[:, at["thorax"]] if "thorax" in at else thorax
        return pelvis, (pelvis + thorax) / 2 if self.spine is None else xyz[:, self.spine], thorax

    def place(self, motion: Motion, face: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return (T, 17, 3) joints; `face` has the offsets (3,) of nose and head top from where the head is placed."""
        xyz, at = motion.xyz, self.at
        points = dict(zip(("pelvis", "spine", "thorax"), self.trunk(xyz), strict=True))
        below = xyz[:, self.carrier] if "head" in at or "neck" in at else self.middle(xyz, "shoulder")
        points |= {name: below + motion.rotations[:, self.carrier] @ offset for name, offset in face.items()}
        points |= {name: xyz[:, joint] for name, joint in at.items()}
        return np.stack([points[name] for name in H36M_17.joints], axis=1)


def _chain(parents: Sequence[int], joint: int) -> list[int]:
    """Return a joint, its parent, and so on to the root."""
    chain = [joint]
    while parents[chain[-1]] >= 0:
        chain.append(parents[chain[-1]])
    return chain


def _length(pelvis: np.ndarray, spine: np.ndarray, thorax: np.ndarray) -> np.ndarray:
    """Return the length (T,) from pelvis over spine to thorax."""
    return np.linalg.norm(spine - pelvis, axis=-1) + np.linalg.norm(thorax - spine, axis=-1)


def _spine_joint(anatomy: _Anatomy, motion: Motion) -> int | None:
    """Return the joint below neck or head that is nearest to the middle of the trunk; None if all are near its ends."""
    best, nearest = None, 0.25
    pelvis, _, thorax = anatomy.trunk(motion.xyz)
    for joint in _chain(motion.parents, anatomy.at.get("neck", anatomy.carrier))[1:]:
        to_ends = (np.linalg.norm(motion.xyz[:, joint] - end, axis=-1) for end in (pelvis, thorax))
        below, above = (float(np.median(distance)) for distance in to_ends)
        distance = abs(below / max(below + above, 1e-9) - _SPINE_HEIGHT)
        if distance < nearest:
            best, nearest = joint, distance
    return best


def _upright_axes(anatomy: _Anatomy, motion: Motion, rest: Motion) -> np.ndarray:
    """Return (3, 3) columns left, up and forward of the upright head, in the frame of the joint that it turns with."""
    pelvis, _, thorax = anatomy.trunk(rest.xyz)
    hips = rest.xyz[:, anatomy.at["left_hip"]] - rest.xyz[:, anatomy.at["right_hip"]]
    standing = standing_axis((thorax - pelvis)[0], (pelvis - anatomy.middle(rest.xyz, "ankle"))[0])
    if standing is not None:
        upward = AXES[standing]
        frames, exists = frame_from_axes(hips - hips @ upward[:, None] * upward, upward[None])
        if exists[0]:
            return frames[0]
    pelvis, _, thorax = anatomy.trunk(motion.xyz)
    hips, shoulders = (
        motion.xyz[:, anatomy.at[f"left_{part}"]] - motion.xyz[:, anatomy.at[f"right_{part}"]]
        for part in ("hip", "shoulder")
    )
    frames, exists = frame_from_axes(hips + shoulders, thorax - pelvis)
    if not exists.any():
        return np.eye(3)
    turned = np.swapaxes(motion.rotations[exists, anatomy.carrier], -1, -2) @ frames[exists]
    return Rotation.from_matrix(turned).mean().as_matrix()
