"""Twist of thighs and upper arms, which joint positions show only where the knee or the elbow below is bent.

Knees and elbows are hinges: their axis is fixed in the bone above, and at right angles to both bones. So a bent limb
shows how its upper bone twists, and a straight one does not; there, the twist goes on as it was.
"""

import numpy as np

from poselift.geometry.rotation import shortest_arc

BENT_DEGREES = 20.0
"""Bend from which a hinge alone decides the twist above it."""
STRAIGHT_DEGREES = 10.0
"""Bend below which a hinge says nothing: there, a joint that is a centimetre off turns the axis by 20 degrees."""
_HINGE = 30.0
_REST = 1e-4
"""Weights of the hinge and of the twist at rest, against 1 for a twist that goes on as it was. The hinge of a bent limb
follows the positions within a degree or two, and a single frame that bends the wrong way turns it less. Of a straight
limb, the twist goes back to rest within about 1 / sqrt(_REST) = 100 frames, so that small turns do not add up."""


def hinge_twist(before: np.ndarray, rest: np.ndarray, axis: np.ndarray, bones: np.ndarray) -> np.ndarray:
    """Return rotations of an upper bone whose twist lets the hinge at its end bend the lower bone.

    Without twist, the upper bone turns from the frame before it by the shortest arc, R_t. With z_t = exp(i phi_t) for
    the twist phi_t about the bone, this finds the z that minimize

        sum_t  b_t |z_t - h_t|^2  +  r_t |z_t - 1|^2  +  |z_(t+1) - exp(i d_t) z_t|^2

    in one banded solve: h_t is the twist that puts `axis` at right angles to both bones; b_t grows from 0 at
    `STRAIGHT_DEGREES` of bend to a large weight at `BENT_DEGREES`; d_t is the twist by which the shortest
    arc from one frame to the next, seen from the frame before, differs from R_(t+1) R_t^-1; and r_t, which is small,
    falls to 0 where the bone points opposite its rest direction, because there the shortest arc turns over.

    Args:
        before: (T, 3, 3) world rotation of the frame that the upper bone hangs from.
        rest: (3,) rest direction of the upper bone, which is that of the lower bone too.
        axis: (3,) axis of the hinge at rest, at right angles to `rest`: positive turns about it bend the limb.
        bones: (T, 2, 3) upper and lower bone in the world, of any length.

    Returns:
        (T, 3, 3) world rotations that turn `rest` along the upper bone.
    """
    along, across = _lower_bone(before, rest, axis, bones)
    bend = np.degrees(np.arctan2(np.abs(across), along))
    ramp = np.clip((np.minimum(bend, 180 - bend) - STRAIGHT_DEGREES) / (BENT_DEGREES - STRAIGHT_DEGREES), 0, 1)
    return _twisted(before, rest, axis, bones[:, 0], across, _HINGE * ramp**2)


def seen_twist(
    before: np.ndarray, rest: np.ndarray, axis: np.ndarray, bones: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Return rotations of a bone whose twist turns `axis` to the right of a direction that is seen, such as a nose's.

    This is `hinge_twist` for a direction that is never as sure as a hinge: the twist follows it within about
    1 / sqrt(weight) frames.

    Args:
        before: (T, 3, 3) world rotation of the frame that the bone hangs from.
        rest: (3,) rest direction of the bone.
        axis: (3,) axis at rest, at right angles to `rest`: positive turns about it bring the bone to the direction.
        bones: (T, 2, 3) the bone and the direction in the world, of any length.
        weight: (T,) weight of the direction, against 1 for a twist that goes on as it was.

    Returns:
        (T, 3, 3) world rotations that turn `rest` along the bone.
    """
    return _twisted(before, rest, axis, bones[:, 0], _lower_bone(before, rest, axis, bones)[1], weight)


def _lower_bone(before: np.ndarray, rest: np.ndarray, axis: np.ndarray, bones: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return (T,) the lower bone along the untwisted upper one, and across it as a complex number."""
    untwisted = before @ shortest_arc(rest, np.einsum("tji,tj->ti", before, bones[:, 0]))
    seen = np.einsum("tji,tj->ti", untwisted, bones[:, 1])
    return seen @ rest, seen @ np.cross(axis, rest) + 1j * (seen @ axis)


def _twisted(
    before: np.ndarray, rest: np.ndarray, axis: np.ndarray, upper: np.ndarray, across: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Return world rotations (T, 3, 3) of an upper bone, twisted towards `across` as far as the weights (T,) say."""
    local = shortest_arc(rest, np.einsum("tji,tj->ti", before, upper))
    shown = np.where(np.abs(across) > 0, across / np.maximum(np.abs(across), 1e-12), 1.0)
    held = 0.5 * (1 + (local @ rest) @ rest)
    twist = _solve(weight, shown, _REST * held**2, _carried(local, rest, axis))
    return before @ local @ _about(rest, axis, twist)


def _carried(local: np.ndarray, rest: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Return exp(i d_t), (T - 1,): how far a bone that does not twist in time twists against its shortest arcs."""
    ends = local @ rest
    moved = np.swapaxes(local[1:], -1, -2) @ shortest_arc(ends[:-1], ends[1:]) @ local[:-1] @ axis
    return np.asarray(moved @ axis + 1j * (moved @ np.cross(rest, axis)))


def _solve(bent: np.ndarray, hinge: np.ndarray, rest: np.ndarray, carried: np.ndarray) -> np.ndarray:
    """Return the unit complex numbers (T,) of the twist; 1 where nothing decides it."""
    from scipy.linalg import solveh_banded  # takes 0.1 s to import

    neighbors = np.zeros(len(bent))
    neighbors[1:] += 1
    neighbors[:-1] += 1
    matrix = np.zeros((2, len(bent)), complex)
    matrix[0] = bent + rest + neighbors + 1e-9
    matrix[1, :-1] = -carried
    wanted = bent * hinge + rest + 1e-9
    z = solveh_banded(matrix, wanted, lower=True) if len(bent) > 1 else wanted / matrix[0]  # LAPACK wants two frames
    size = np.abs(z)
    return np.where(size > 1e-9, z / np.maximum(size, 1e-12), 1.0)


def _about(rest: np.ndarray, axis: np.ndarray, twist: np.ndarray) -> np.ndarray:
    """Return the rotations (T, 3, 3) about `rest` by the angles of unit complex numbers (T,)."""
    third = np.cross(rest, axis)
    home = np.stack([rest, axis, third], axis=-1)
    turned = np.zeros((len(twist), 3, 3))
    turned[:, 0, 0] = 1
    turned[:, 1, 1] = turned[:, 2, 2] = twist.real
    turned[:, 2, 1], turned[:, 1, 2] = twist.imag, -twist.imag
    return home @ turned @ home.T
