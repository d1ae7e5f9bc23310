"""Compute joint positions from joint rotations."""

import numpy as np


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
