"""Skeletons: the names of the joints, their order in arrays, and the parent of each joint.

Only this file holds joint orders. Everything else (left/right pairs, limbs, bones, hops, graphs) is derived from names
and parents, so a new skeleton works wherever it has the joints that the code asks for.

Joint names are shared between skeletons: `left_wrist` is the same point everywhere, and `poselift.prepare.convert`
relies on that. `head_top` is the crown, `head` the middle of the head, `neck` the base of the neck between
the shoulders, `thorax` the same height inside the body, `spine` half-way between pelvis and thorax.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from poselift.errors import SkeletonError, did_you_mean

_LIMBS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))


@dataclass(frozen=True)
class Skeleton:
    """A named joint order with its tree of bones.

    Two skeletons are equal when all three fields are equal.
    """

    name: str
    """Identifier, as in `poselift.skeleton.SKELETONS`."""
    joints: tuple[str, ...]
    """Joint names in array order."""
    parents: tuple[int, ...]
    """Index of each joint's parent; -1 for a root. Detector layouts without a pelvis have several roots."""

    def __post_init__(self) -> None:
        """Check that names are unique and that the parents form a forest."""
        count = len(self.joints)
        if len(set(self.joints)) != count:
            raise SkeletonError(f"{self.name}: joint names repeat: {', '.join(self.joints)}")
        if len(self.parents) != count or not all(-1 <= p < count for p in self.parents):
            raise SkeletonError(f"{self.name}: wanted {count} parents in [-1, {count - 1}], got {self.parents}")
        if any(self._depth(j) < 0 for j in range(count)):
            raise SkeletonError(f"{self.name}: the parents hold a cycle; give each root the parent -1")

    def _depth(self, joint: int) -> int:
        for depth in range(len(self.joints)):
            if self.parents[joint] < 0:
                return depth
            joint = self.parents[joint]
        return -1

    def __len__(self) -> int:
        """Return the number of joints."""
        return len(self.joints)

    def __contains__(self, joint: str) -> bool:
        """Return whether a joint of this name exists."""
        return joint in self._index

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.joints)}

    def index(self, joint: str) -> int:
        """Return the array index of a joint.

        Raises:
            SkeletonError: There is no joint of this name.
        """
        if joint not in self._index:
            raise SkeletonError(f"{self.name} has no joint '{joint}'; {did_you_mean(joint, self.joints)}")
        return self._index[joint]

    def indices(self, joints: Sequence[str]) -> tuple[int, ...]:
        """Return the array indices of several joints, in the order of `joints`.

        Raises:
            SkeletonError: One of them does not exist.
        """
        return tuple(self.index(name) for name in joints)

    @cached_property
    def root(self) -> int:
        """Index of the first joint without a parent."""
        return self.parents.index(-1)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) indices of every bone, ordered by child."""
        return tuple((p, j) for j, p in enumerate(self.parents) if p >= 0)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(left, right) indices of every joint that exists on both sides, ordered by the left index."""
        return tuple(
            (i, self._index["right" + name[4:]])
            for i, name in enumerate(self.joints)
            if name.startswith("left_") and "right" + name[4:] in self._index
        )

    @cached_property
    def flipped(self) -> tuple[int, ...]:
        """Joint order after a mirror: `array[..., flipped, :]` exchanges left and right."""
        order = list(range(len(self)))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return tuple(order)

    @cached_property
    def limbs(self) -> tuple[tuple[int, int, int], ...]:
        """Arms and legs as (proximal, middle, distal) triples, ordered by their first joint.

        For `H36M_17`: right leg, left leg, left arm, right arm.
        """
        found = []
        for side in ("left", "right"):
            for limb in _LIMBS:
                names = [f"{side}_{joint}" for joint in limb]
                if all(name in self._index for name in names):
                    first, middle, last = self.indices(names)
                    found.append((first, middle, last))
        return tuple(sorted(found))

    @cached_property
    def hops(self) -> tuple[int, ...]:
        """Number of bones between each joint and its root."""
        return tuple(self._depth(j) for j in range(len(self)))

    @cached_property
    def topological(self) -> tuple[int, ...]:
        """Joint indices with every parent before its children."""
        return tuple(sorted(range(len(self)), key=lambda j: self.hops[j]))

    @cached_property
    def adjacency(self) -> np.ndarray:
        """(J, J) float32 symmetric matrix: 1 where a bone connects two joints, else 0; the diagonal is 0."""
        matrix = np.zeros((len(self), len(self)), np.float32)
        for parent, child in self.bones:
            matrix[parent, child] = matrix[child, parent] = 1
        return matrix


def _skeleton(name: str, tree: dict[str, str]) -> Skeleton:
    """Build a skeleton from `{joint: parent name, or ""}` in array order."""
    joints = tuple(tree)
    return Skeleton(name, joints, tuple(joints.index(parent) if parent else -1 for parent in tree.values()))


_BOTH = ("left", "right")
_FACE = {"nose": "", "left_eye": "nose", "right_eye": "nose", "left_ear": "left_eye", "right_ear": "right_eye"}
_COCO_BODY = {
    "left_shoulder": "nose",
    "right_shoulder": "nose",
    "left_elbow": "left_shoulder",
    "right_elbow": "right_shoulder",
    "left_wrist": "left_elbow",
    "right_wrist": "right_elbow",
    "left_hip": "left_shoulder",
    "right_hip": "right_shoulder",
    "left_knee": "left_hip",
    "right_knee": "right_hip",
    "left_ankle": "left_knee",
    "right_ankle": "right_knee",
}


def _leg(side: str, parent: str) -> dict[str, str]:
    return {f"{side}_hip": parent, f"{side}_knee": f"{side}_hip", f"{side}_ankle": f"{side}_knee"}


def _arm(side: str, parent: str) -> dict[str, str]:
    return {f"{side}_shoulder": parent, f"{side}_elbow": f"{side}_shoulder", f"{side}_wrist": f"{side}_elbow"}


def _foot(side: str) -> dict[str, str]:
    return {f"{side}_{part}": f"{side}_ankle" for part in ("big_toe", "small_toe", "heel")}


H36M_17 = _skeleton(
    "H36M_17",
    {"pelvis": ""}
    | _leg("right", "pelvis")
    | _leg("left", "pelvis")
    | {"spine": "pelvis", "thorax": "spine", "nose": "thorax", "head_top": "nose"}
    | _arm("left", "thorax")
    | _arm("right", "thorax"),
)
"""Human3.6M's 17 joints in VideoPose3D's order; every lifter here uses this order. `nose` is its "Neck/Nose"."""

COCO_17 = _skeleton("COCO_17", _FACE | _COCO_BODY)
"""COCO's 17 keypoints, which most 2D detectors give."""

HALPE_26 = _skeleton(
    "HALPE_26",
    _FACE
    | {"nose": "neck"}
    | _COCO_BODY
    | {"left_shoulder": "neck", "right_shoulder": "neck", "left_hip": "pelvis", "right_hip": "pelvis"}
    | {"head_top": "nose", "neck": "pelvis", "pelvis": ""}
    | {f"{side}_{part}": f"{side}_ankle" for part in ("big_toe", "small_toe", "heel") for side in _BOTH},
)
"""Halpe / AlphaPose / RTMPose body with feet: COCO, then head top, neck, pelvis and feet."""

BODY_25 = _skeleton(
    "BODY_25",
    {"nose": "neck", "neck": "pelvis"}
    | _arm("right", "neck")
    | _arm("left", "neck")
    | {"pelvis": ""}
    | _leg("right", "pelvis")
    | _leg("left", "pelvis")
    | {"right_eye": "nose", "left_eye": "nose", "right_ear": "right_eye", "left_ear": "left_eye"}
    | _foot("left")
    | _foot("right"),
)
"""OpenPose's default model."""

BODY_25B = _skeleton(
    "BODY_25B",
    _FACE
    | _COCO_BODY
    | {"left_shoulder": "upper_neck", "right_shoulder": "upper_neck", "nose": "upper_neck"}
    | {"upper_neck": "", "head_top": "nose"}
    | _foot("left")
    | _foot("right"),
)
"""OpenPose's more accurate model: COCO, then upper neck, head top and feet. It has as many joints as BODY_25."""


def _mediapipe() -> dict[str, str]:
    face = {"nose": ""}
    for side in _BOTH:
        face |= {f"{side}_eye_inner": "nose", f"{side}_eye": f"{side}_eye_inner", f"{side}_eye_outer": f"{side}_eye"}
    face |= {f"{side}_ear": f"{side}_eye_outer" for side in _BOTH} | {f"{side}_mouth": "nose" for side in _BOTH}
    arms = {joint: parent for joint, parent in _COCO_BODY.items() if "hip" not in joint and "hip" not in parent}
    arms = {joint: parent for joint, parent in arms.items() if "knee" not in joint and "ankle" not in joint}
    hands = {f"{side}_{finger}": f"{side}_wrist" for finger in ("pinky", "index", "thumb") for side in _BOTH}
    legs = {joint: parent for joint, parent in _COCO_BODY.items() if joint not in arms}
    feet = {f"{side}_{part}": f"{side}_ankle" for part in ("heel", "foot_index") for side in _BOTH}
    return face | arms | hands | legs | feet


MEDIAPIPE_33 = _skeleton("MEDIAPIPE_33", _mediapipe())
"""MediaPipe Pose (BlazePose) landmarks."""

MPI_INF_3DHP_17 = _skeleton(
    "MPI_INF_3DHP_17",
    {"head_top": "head", "neck": "spine"}
    | _arm("right", "neck")
    | _arm("left", "neck")
    | _leg("right", "pelvis")
    | _leg("left", "pelvis")
    | {"pelvis": "", "spine": "pelvis", "head": "neck"},
)
"""MPI-INF-3DHP's 17 "relevant" joints."""

HUMANEVA_15 = _skeleton(
    "HUMANEVA_15",
    {"pelvis": "", "thorax": "pelvis"}
    | _arm("left", "thorax")
    | _arm("right", "thorax")
    | _leg("left", "pelvis")
    | _leg("right", "pelvis")
    | {"head": "thorax"},
)
"""HumanEva-I's 15 joints in VideoPose3D's order."""

JHMDB_15 = _skeleton(
    "JHMDB_15",
    {"neck": "spine", "spine": "", "head": "neck", "right_shoulder": "neck", "left_shoulder": "neck"}
    | {"right_hip": "spine", "left_hip": "spine"}
    | {
        f"{side}_{joint}": f"{side}_{parent}"
        for joint, parent in (("elbow", "shoulder"), ("knee", "hip"), ("wrist", "elbow"), ("ankle", "knee"))
        for side in ("right", "left")
    },
)
"""JHMDB's 15 joints of the puppet: neck, belly (`spine`), face (`head`), then the limbs."""

MPI_15 = _skeleton(
    "MPI_15",
    {"head_top": "neck", "neck": "spine"}
    | _arm("right", "neck")
    | _arm("left", "neck")
    | _leg("right", "spine")
    | _leg("left", "spine")
    | {"spine": ""},
)
"""OpenPose's MPI model: head top and neck, limbs, and the middle of the trunk."""

MPII_16 = _skeleton(
    "MPII_16",
    {"right_ankle": "right_knee", "right_knee": "right_hip", "right_hip": "pelvis"}
    | _leg("left", "pelvis")
    | {"pelvis": "", "thorax": "pelvis", "upper_neck": "thorax", "head_top": "upper_neck"}
    | {"right_wrist": "right_elbow", "right_elbow": "right_shoulder", "right_shoulder": "thorax"}
    | _arm("left", "thorax"),
)
"""MPII Human Pose: its right limbs run from their ends to the trunk."""

COCO_18 = _skeleton(
    "COCO_18",
    {"nose": "neck", "neck": ""}
    | _arm("right", "neck")
    | _arm("left", "neck")
    | _leg("right", "neck")
    | _leg("left", "neck")
    | {"right_eye": "nose", "left_eye": "nose", "right_ear": "right_eye", "left_ear": "left_eye"},
)
"""OpenPose's COCO model: COCO with a neck, the right side first. Kinetics-Skeleton and AlphaPose write it too."""

PANOPTIC_19 = _skeleton(
    "PANOPTIC_19",
    {"neck": "pelvis", "nose": "neck", "pelvis": ""}
    | _arm("left", "neck")
    | _leg("left", "pelvis")
    | _arm("right", "neck")
    | _leg("right", "pelvis")
    | {"left_eye": "nose", "left_ear": "left_eye", "right_eye": "nose", "right_ear": "right_eye"},
)
"""CMU Panoptic's 19 joints."""


def _kinect_limbs(hands: tuple[str, ...], shoulder: str, hip: str) -> dict[str, str]:
    """Limbs of the first two Kinects: the left arm, the right one, then the legs, each with its hand or foot."""
    arms: dict[str, str] = {}
    for side in _BOTH:
        arms |= _arm(side, shoulder) | {f"{side}_{part}": f"{side}_wrist" for part in hands}
    legs: dict[str, str] = {}
    for side in _BOTH:
        legs |= _leg(side, hip) | {f"{side}_foot": f"{side}_ankle"}
    return arms | legs


KINECT_20 = _skeleton(
    "KINECT_20",
    {"pelvis": "", "spine": "pelvis", "thorax": "spine", "head": "thorax"}
    | _kinect_limbs(("hand",), "thorax", "pelvis"),
)
"""Kinect for Windows, SDK 1: its hip, shoulder and head centres are pelvis, thorax and head here."""

KINECT_25 = _skeleton(
    "KINECT_25",
    {"pelvis": "", "spine": "pelvis", "upper_neck": "thorax", "head": "upper_neck"}
    | _kinect_limbs(("hand",), "thorax", "pelvis")
    | {"thorax": "spine"}
    | {f"{side}_{part}": f"{side}_hand" for side in _BOTH for part in ("hand_tip", "thumb")},
)
"""Kinect for Windows, SDK 2: its SpineBase, SpineMid, SpineShoulder and Neck are pelvis, spine, thorax, upper neck."""


def _azure_arm(side: str) -> dict[str, str]:
    hand = {f"{side}_hand_tip": f"{side}_hand", f"{side}_thumb": f"{side}_wrist"}
    return {f"{side}_clavicle": "chest"} | _arm(side, "chest") | {f"{side}_hand": f"{side}_wrist"} | hand


KINECT_32 = _skeleton(
    "KINECT_32",
    {"pelvis": "", "navel": "pelvis", "chest": "navel", "neck": "chest"}
    | _azure_arm("left")
    | _azure_arm("right")
    | _leg("left", "pelvis")
    | {"left_foot": "left_ankle"}
    | _leg("right", "pelvis")
    | {"right_foot": "right_ankle", "head": "neck", "nose": "head"}
    | {"left_eye": "nose", "left_ear": "left_eye", "right_eye": "nose", "right_ear": "right_eye"},
)
"""Azure Kinect's body tracking. Its shoulders hang from the chest here, as the clavicles do; `navel` and `chest` are
other points than `spine` and `thorax`."""

SKELETONS: dict[str, Skeleton] = {
    skeleton.name: skeleton
    for skeleton in (
        *(H36M_17, COCO_17, HALPE_26, BODY_25, BODY_25B, MEDIAPIPE_33, MPI_INF_3DHP_17, HUMANEVA_15),
        *(COCO_18, MPII_16, MPI_15, JHMDB_15, PANOPTIC_19, KINECT_20, KINECT_25, KINECT_32),
    )
}
"""Every skeleton by name."""


def get_skeleton(name: Skeleton | str) -> Skeleton:
    """Return the skeleton of this name, in upper or lower case, with `-` or `_`; return a `Skeleton` as it is.

    Raises:
        SkeletonError: No skeleton has this name, or `name` is neither a string nor a skeleton.
    """
    if isinstance(name, Skeleton):
        return name
    if not isinstance(name, str):
        raise SkeletonError(f"wanted a skeleton or its name, got {type(name).__name__}; known: {', '.join(SKELETONS)}")
    key = name.upper().replace("-", "_")
    if key not in SKELETONS:
        if len(near := [known for known in SKELETONS if known.startswith(key)]) > 1:
            raise SkeletonError(f"unknown skeleton '{name}'; name one of {', '.join(near)}")
        raise SkeletonError(f"unknown skeleton '{name}'; {did_you_mean(key, SKELETONS)}")
    return SKELETONS[key]
