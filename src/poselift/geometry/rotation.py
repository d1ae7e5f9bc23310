"""Rotations that scipy lacks: from wxyz, by the shortest arc, from two axes, and Euler angles without jumps."""

import numpy as np

_NOTHING = 1e-9


def matrix_from_wxyz(wxyz: np.ndarray) -> np.ndarray:
    """Return rotation matrices (*, 3, 3) of quaternions (*, 4), scalar first, of any length but zero."""
    wxyz = np.asarray(wxyz, float)
    from scipy.spatial.transform import Rotation  # takes 0.1 s to import

    xyzw = np.roll(wxyz.reshape(-1, 4), -1, axis=-1)
    return Rotation.from_quat(xyzw).as_matrix().reshape(*wxyz.shape[:-1], 3, 3)


def shortest_arc(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return rotation matrices that turn one direction into another without twisting about it.

    Args:
        source: (*, 3) vectors of any length.
        target: (*, 3) vectors of any length.

    Returns:
        (*, 3, 3) matrices with `matrix @ source` along `target`. The identity where one of the two has no length;
        a half turn about some perpendicular axis where they are opposite.
    """
    source, target = np.broadcast_arrays(np.asarray(source, float), np.asarray(target, float))
    flat_source, flat_target = _unit(source.reshape(-1, 3)), _unit(target.reshape(-1, 3))
    # the quaternion of twice the angle is (dot, cross): adding 1 to its scalar part halves it
    xyz = np.cross(flat_source, flat_target)
    w = 1 + (flat_source * flat_target).sum(-1)
    opposite = w < _NOTHING
    xyz[opposite] = _perpendicular(flat_source[opposite])
    w[opposite] = 0
    undirected = ~(flat_source.any(-1) & flat_target.any(-1))
    xyz[undirected], w[undirected] = 0, 1
    return matrix_from_wxyz(np.column_stack([w, xyz])).reshape(*source.shape, 3)


def frame_from_axes(x_axis: np.ndarray, near_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return right-handed frames with x along one direction and y as near as possible to another.

    Args:
        x_axis: (N, 3) vectors of any length.
        near_y: (N, 3) vectors of any length.

    Returns:
        (N, 3, 3) matrices whose columns are the axes, and (N,) bool: False where the two directions are parallel or
        have no length, so that there is no such frame (the matrix is the identity there).
    """
    x_unit, near = _unit(x_axis), _unit(near_y)
    z_axis = np.cross(x_unit, near)
    exists = np.linalg.norm(z_axis, axis=-1) > 1e-6
    z_unit = _unit(z_axis)
    frames = np.stack([x_unit, np.cross(z_unit, x_unit), z_unit], axis=-1)
    frames[~exists] = np.eye(3)
    return frames, exists


def euler_degrees(matrices: np.ndarray, order: str) -> np.ndarray:
    """Return Euler angles of rotations about three different axes, each of which turns with the ones before.

    With R = R_i(a) R_j(b) R_k(c) and s = 1 where ijk is xyz, yzx or zxy, else -1: sin b = s R_ik,
    tan a = -s R_jk / R_kk and tan c = -s R_ij / R_ii. Where b is a quarter turn (gimbal lock), c is 0.

    Args:
        matrices: (*, 3, 3) rotations.
        order: The axes, such as "ZXY".

    Returns:
        (*, 3) degrees a, b, c; b from -90 to 90.
    """
    i, j, k = ("XYZ".index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    sine = np.clip(sign * matrices[..., i, k], -1, 1)
    locked = np.abs(sine) > 1 - 1e-12
    first = np.arctan2(
        np.where(locked, sign * matrices[..., k, j], -sign * matrices[..., j, k]),
        np.where(locked, matrices[..., j, j], matrices[..., k, k]),
    )
    last = np.where(locked, 0.0, np.arctan2(-sign * matrices[..., i, j], matrices[..., i, i]))
    return np.degrees(np.stack([first, np.arcsin(sine), last], axis=-1))


def unwrap_euler(angles: np.ndarray) -> np.ndarray:
    """Return the same rotations in Euler angles that do not jump from frame to frame.

    Every rotation has two sets of three angles, (a, b, c) and (a + 180, 180 - b, c + 180), each up to full turns; a
    frame takes the one nearest the frame before. The step between two sets of the same kind is as long as that between
    the two of the other kind, so that whether the kind changes does not depend on the frames before.

    Args:
        angles: (T, *, 3) degrees about three different axes, the middle angle second.

    Returns:
        (T, *, 3) degrees, the first frame as it came.
    """
    angles = np.array(angles, float)
    other = angles * (1, -1, 1) + 180
    same, across = (_turns(kind[1:] - angles[:-1]) for kind in (angles, other))
    changes = np.zeros(angles.shape[:-1], int)
    changes[1:] = across < same
    flipped = np.cumsum(changes, axis=0) % 2 == 1
    return np.asarray(np.unwrap(np.where(flipped[..., None], other, angles), period=360, axis=0))


def xyzw_path(matrices: np.ndarray) -> np.ndarray:
    """Return quaternions (T, 4) of rotations (T, 3, 3), scalar last, each on the same side as the one before.

    A rotation is two quaternions, q and -q; from one frame to the next, half-way values are right only between those
    that are less than half a turn apart.
    """
    from scipy.spatial.transform import Rotation  # takes 0.1 s to import

    xyzw = Rotation.from_matrix(matrices).as_quat()
    turned = (xyzw[1:] * xyzw[:-1]).sum(-1) < 0
    signs = np.concatenate([[1.0 if xyzw[0, 3] >= 0 else -1.0], np.where(turned, -1.0, 1.0)])
    return np.asarray(xyzw * np.cumprod(signs)[:, None])


def _turns(steps: np.ndarray) -> np.ndarray:
    """Return the sum of three angles' steps in degrees, each at most half a turn."""
    return np.asarray(np.abs(steps - 360 * np.round(steps / 360)).sum(-1))


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Return unit vectors (*, 3); zero for vectors without length."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > _NOTHING, vectors / np.maximum(length, _NOTHING), 0.0)


def _perpendicular(vectors: np.ndarray) -> np.ndarray:
    """Return a unit vector at right angles to each of (N, 3) unit vectors."""
    smallest = np.eye(3)[np.abs(vectors).argmin(-1)]
    return _unit(np.cross(vectors, smallest))
