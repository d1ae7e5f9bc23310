"""Where the joints of `H36M_17` are in a motion capture file's own skeleton."""

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
"""Where the spine is looked for on the way from pelvis to thorax; in CMU's skeletons it is at 0.42."""
_FACE = {"nose": np.array([0.0, 0.0895, 0.0413]), "head_top": np.array([0.0, 0.2780, -0.0685])}
"""Left, up and forward of the base of the head, in trunk lengths (hips to spine to thorax)."""
_HEAD_ABOVE_NECK, _HEAD_ABOVE_SHOULDERS = 0.17, 0.25
"""Height of the base of the head above the base of the neck, and above the shoulders, in trunk lengths (CMU 02)."""


@dataclass(frozen=True, eq=False)
class Body:
    """The person of a motion, in the axes and the unit of the file."""

    xyz: np.ndarray
    """(T, 17, 3) float64 joints of `H36M_17`."""
    rest: np.ndarray
    """(17, 3) the same in the rest pose."""
    convention: str
    """What told which joint is which."""
    estimated: str
    """What the file has no joint for, and how it is estimated; empty when nothing."""


def h36m_joints(motion: Motion, joint_map: Mapping[str, str] | None = None) -> Body:
    """The joints of `H36M_17` in a motion.

    Limb joints are the file's own. The pelvis is half-way between the hips; the thorax half-way between the base of the
    neck and the middle of the shoulders; the spine the file's joint nearest to the middle of the two. Nose and head
    top, which motion capture does not mark, keep their place in the head: ahead of and above its base, in proportion to
    the trunk. These are the rules that `mocap17.npz` was made by, measured on CMU 02_01. The head looks ahead in a rest
    pose that stands; where none does, it looks where the trunk faces, on the mean over the frames.

    A file without a joint at the base of the head has it in proportion to the trunk above the neck, turning with it;
    one without a neck either, above the shoulders, turning with the joint that both hang from. Without a neck, the
    thorax is the middle of the shoulders.

    Args:
        motion: Any figure.
        joint_map: Our name of a joint to the file's, for names that no convention knows (`joint_names`).

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
    """Which joints of a file the joints of `H36M_17` are made of."""

    at: Mapping[str, int]
    """Index of the joints that are found by name."""
    spine: int | None
    """The joint in the middle of the trunk, where there is one."""
    carrier: int
    """The joint that the head turns with."""
    rise: float
    """Height of the base of the head above what it is placed by: head, neck or shoulders; in trunk lengths."""

    @classmethod
    def of(cls, motion: Motion, at: Mapping[str, int]) -> "_Anatomy":
        """What a motion's joints are good for."""
        chest = next(
            joint for joint in _chain(motion.parents, at["left_shoulder"])
            if joint in _chain(motion.parents, at["right_shoulder"])
        )  # fmt: skip
        carrier = at.get("head", at.get("neck", chest))
        rise = 0.0 if "head" in at else _HEAD_ABOVE_NECK if "neck" in at else _HEAD_ABOVE_SHOULDERS
        bare = cls(at, at.get("spine"), carrier, rise)
        return bare if "spine" in at else replace(bare, spine=_spine_joint(bare, motion))

    def middle(self, xyz: np.ndarray, part: str) -> np.ndarray:
        """Half-way (T, 3) between the left and right joints of a kind."""
        return (xyz[:, self.at[f"left_{part}"]] + xyz[:, self.at[f"right_{part}"]]) / 2

    def trunk(self, xyz: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pelvis, spine and thorax (T, 3)."""
        at, shoulders = self.at, self.middle(xyz, "shoulder")
        pelvis = xyz[:, at["pelvis"]] if "pelvis" in at else self.middle(xyz, "hip")
        thorax = (shoulders + xyz[:, at["neck"]]) / 2 if "neck" in at else shoulders
        thorax = xyz[:, at["thorax"]] if "thorax" in at else thorax
        return pelvis, (pelvis + thorax) / 2 if self.spine is None else xyz[:, self.spine], thorax

    def place(self, motion: Motion, face: Mapping[str, np.ndarray]) -> np.ndarray:
        """(T, 17, 3) joints; `face` holds the offsets (3,) of nose and head top from what the head is placed by."""
        xyz, at = motion.xyz, self.at
        points = dict(zip(("pelvis", "spine", "thorax"), self.trunk(xyz), strict=True))
        below = xyz[:, self.carrier] if "head" in at or "neck" in at else self.middle(xyz, "shoulder")
        points |= {name: below + motion.rotations[:, self.carrier] @ offset for name, offset in face.items()}
        points |= {name: xyz[:, joint] for name, joint in at.items()}
        return np.stack([points[name] for name in H36M_17.joints], axis=1)


def _chain(parents: Sequence[int], joint: int) -> list[int]:
    """A joint, its parent, and so on to the root."""
    chain = [joint]
    while parents[chain[-1]] >= 0:
        chain.append(parents[chain[-1]])
    return chain


def _length(pelvis: np.ndarray, spine: np.ndarray, thorax: np.ndarray) -> np.ndarray:
    """(T,) from pelvis over spine to thorax."""
    return np.linalg.norm(spine - pelvis, axis=-1) + np.linalg.norm(thorax - spine, axis=-1)


def _spine_joint(anatomy: _Anatomy, motion: Motion) -> int | None:
    """The joint below neck or head that is nearest to the middle of the trunk; None when all are near its ends."""
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
    """(3, 3) columns left, up and forward of the upright head, in the frame of the joint that it turns with."""
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
