"""Inverse kinematics of a limb of two bones, in closed form: an arm or a leg whose end is put somewhere else."""

import numpy as np

from poselift.geometry.rotation import shortest_arc

SURE_BEND_M = 0.02
"""Distance of the middle joint from the line between the ends from which its own direction decides where it bends;
that of a straighter limb is mostly error."""
LEFT_BENT = 0.9995
"""Share of its length to which a limb can be stretched; a straight one would lose the direction in which it bends."""


def put_end(limb: np.ndarray, target: np.ndarray, pole: np.ndarray) -> np.ndarray:
    """Put the end of a limb of two bones somewhere else; the bones keep their lengths, and the first joint its place.

    The middle joint lies on a circle about the line between the ends. It is put where the limb bent before, turned with
    that line by the shortest arc; the pole decides for limbs that were straight.

    Args:
        limb: (T, 3, 3) first, middle and last joint, any unit of length, such as hip, knee and ankle.
        target: (T, 3) wanted place of the last joint.
        pole: (T, 3) direction in which the middle joint of a straight limb goes when it bends.

    Returns:
        (T, 3, 3) the limb. Its end is as near to the target as the bones allow, on the line to it.
    """
    first, middle, last = limb[:, 0], limb[:, 1], limb[:, 2]
    upper, lower = (np.linalg.norm(bone, axis=-1, keepdims=True) for bone in (middle - first, last - middle))
    before, after = last - first, target - first
    wanted = np.linalg.norm(after, axis=-1, keepdims=True)
    reached = np.clip(wanted, np.abs(upper - lower) + 1e-6, LEFT_BENT * (upper + lower))
    turn = shortest_arc(before, after)
    line = _unit(np.where(wanted > 1e-9, after, before))
    bend = _across(middle - first, _unit(before)) + SURE_BEND_M * _across(_unit(pole), _unit(before))
    side = _unit(_across(np.einsum("tij,tj->ti", turn, bend), line))
    along = (upper**2 - lower**2 + reached**2) / (2 * reached)
    height = np.sqrt(np.maximum(upper**2 - along**2, 0))
    return np.stack([first, first + along * line + height * side, first + reached * line], axis=1)


def excess(limb: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return by how much (T,) a target (T, 3) is farther from the limb's first joint than the limb reaches, or 0."""
    bones = np.linalg.norm(np.diff(limb, axis=1), axis=-1).sum(1)
    return np.asarray(np.maximum(np.linalg.norm(target - limb[:, 0], axis=-1) - LEFT_BENT * bones, 0))


def _across(vectors: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Return the part of vectors (T, 3) at right angles to unit vectors (T, 3)."""
    return np.asarray(vectors - (vectors * line).sum(-1, keepdims=True) * line)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))
