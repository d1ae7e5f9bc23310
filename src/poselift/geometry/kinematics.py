"""Compute joint positions from joint rotations, and back."""

from dataclasses import dataclass

import numpy as np

from poselift.errors import SkeletonError
from poselift.geometry.hinges import hinge_twist
from poselift.geometry.rotation import frame_from_axes, shortest_arc
from poselift.skeleton import Skeleton

_LEFT, _UP, _FORWARD = np.eye(3)
_DOWN = -_UP
_LEG = ("knee", "ankle", "heel")
_SIDEWAYS = ("hip", "shoulder", "elbow", "wrist")
_FEET = ("big_toe", "small_toe", "foot_index")
_HINGES = {"left_elbow": -_UP, "right_elbow": _UP, "left_knee": _LEFT, "right_knee": _LEFT}
"""Axis about which each hinge bends, in the rest pose: elbows bring the hands forward, knees the feet back."""


def forward_kinematics(
    parents: tuple[int, ...], translations: np.ndarray, rotations: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute world positions and rotations of a tree of joints.

    Args:
        parents: Index of each joint's parent, before the joint itself; -1 for a root.
        translations: (T, J, 3) or (1, J, 3) position of each joint in its parent's frame (a root's: in the world).
        rotations: (T, J, 3, 3) rotation of each joint against its parent.

    Returns:
        (T, J, 3) positions in the unit of `translations`, and (T, J, 3, 3) rotations, both in the world.
    """
    xyz = np.broadcast_to(translations, rotations.shape[:-1]).copy()
    world = rotations.copy()
    for joint, parent in enumerate(parents):
        if parent >= 0:
            xyz[:, joint] = xyz[:, parent] + np.einsum("tij,tj->ti", world[:, parent], xyz[:, joint])
            world[:, joint] = world[:, parent] @ world[:, joint]
    return xyz, world


@dataclass(frozen=True, eq=False)
class FittedRotations:
    """Poses as joint rotations of a figure whose bones have constant lengths.

    The figure's rest pose is a T: x to its left, y up, z forward.
    """

    lengths: np.ndarray
    """(J,) length of the bone that ends in each joint; 0 for the root."""
    rest: np.ndarray
    """(J, 3) rest direction of the bone that ends in each joint; zero for the root."""
    joint: np.ndarray
    """(T, J, 3, 3) world rotation of each joint. A leaf's is that of the bone that ends in it."""
    bone: np.ndarray
    """(T, J, 3, 3) world rotation of the bone that ends in each joint; the root's own for the root."""

    def positions(self, root: np.ndarray, skeleton: Skeleton) -> np.ndarray:
        """Return the joints (T, J, 3) of the figure with constant bones whose root is at `root` (T, 3)."""
        bones = self.bone @ (self.rest * self.lengths[:, None])[:, :, None]
        xyz = np.repeat(root[:, None], len(skeleton), axis=1)
        for index in skeleton.topological:
            if (parent := skeleton.parents[index]) >= 0:
                xyz[:, index] = xyz[:, parent] + bones[:, index, :, 0]
        return xyz


def fit_rotations(xyz: np.ndarray, skeleton: Skeleton) -> FittedRotations:
    """Fit the rotations that put a figure with constant bones into given poses.

    Every bone points as in the pose, so positions come back exactly when the bones are of constant length, left and
    right alike. Twist, which positions do not show, follows one rule: the frame of the root comes from the hips and the
    spine, that of the joint between the shoulders from the shoulders and the spine, and every other bone turns from the
    frame before it by the shortest arc.

    Args:
        xyz: (T, J, 3) joints, y up, right-handed, any unit.
        skeleton: Joint order, with one root that both hips hang from.

    Returns:
        Bone lengths (median over the frames, left and right averaged), rest directions and rotations.

    Raises:
        SkeletonError: The skeleton has several roots, or its hips do not hang from the root.
    """
    hips = [skeleton.parents[skeleton.index(f"{side}_hip")] for side in ("left", "right")]
    if skeleton.parents.count(-1) != 1 or set(hips) != {skeleton.root}:
        raise SkeletonError(f"{skeleton.name} has no single root that both hips hang from; convert to H36M_17 first")
    rest = np.array([_rest_direction(name) for name in skeleton.joints])
    rest[skeleton.root] = 0
    bones = xyz - xyz[:, [max(parent, 0) for parent in skeleton.parents]]
    bones[:, skeleton.root] = 0
    hinges = {middle: last for _, middle, last in skeleton.limbs if skeleton.parents[last] == middle}
    joint = np.broadcast_to(np.eye(3), (*xyz.shape, 3)).copy()
    bone = joint.copy()
    for index in skeleton.topological:
        parent = skeleton.parents[index]
        if index in hinges:
            axis = _HINGES[skeleton.joints[index]]
            bone[:, index] = hinge_twist(joint[:, parent], rest[index], axis, bones[:, [index, hinges[index]]])
        elif parent >= 0:
            before = joint[:, parent]
            bone[:, index] = shortest_arc(before @ rest[index], bones[:, index]) @ before
        joint[:, index] = _joint_frames(bones, skeleton, index, bone[:, index])
        if parent < 0:
            bone[:, index] = joint[:, index]
    lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)
    return FittedRotations((lengths + lengths[list(skeleton.flipped)]) / 2, rest, joint, bone)


def _joint_frames(bones: np.ndarray, skeleton: Skeleton, index: int, bone: np.ndarray) -> np.ndarray:
    """Return the world rotation (T, 3, 3) of a joint: its bone's, or that of hips or shoulders branching off it."""
    children = {skeleton.joints[child]: child for parent, child in skeleton.bones if parent == index}
    for part in ("hip", "shoulder"):
        if {f"left_{part}", f"right_{part}"} <= set(children):
            above = [child for name, child in children.items() if (_rest_direction(name) == _UP).all()]
            up = bones[:, above[0] if index == skeleton.root and above else index]
            frames, exists = frame_from_axes(
                bones[:, children[f"left_{part}"]] - bones[:, children[f"right_{part}"]], up
            )
            return np.where(exists[:, None, None], frames, bone)
    return bone


def _rest_direction(joint: str) -> np.ndarray:
    """Return the direction of the bone that ends in a joint, in the T pose."""
    side, _, part = joint.partition("_")
    if part in _SIDEWAYS:
        return _LEFT if side == "left" else -_LEFT
    if part in _LEG:
        return _DOWN
    return _FORWARD if part in _FEET else _UP
