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


def unwrap_euler(angles: np.ndarray) -> np.ndarray:
    """Return the same rotations in Euler angles that do not jump from frame to frame.

    Every rotation has two sets of three angles, each up to full turns; a frame takes the one nearest the frame before.

    Args:
        angles: (T, *, 3) degrees about three different axes, the middle angle second.

    Returns:
        (T, *, 3) degrees, the first frame as it came.
    """
    smooth = np.array(angles, float)
    for before, now in zip(smooth[:-1], smooth[1:], strict=True):
        other = now * (1, -1, 1) + 180
        candidates = np.stack([now, other])
        candidates -= 360 * np.round((candidates - before) / 360)
        distance = np.abs(candidates - before).sum(-1, keepdims=True)
        now[...] = np.where(distance[1] < distance[0], candidates[1], candidates[0])
    return smooth


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Return unit vectors (*, 3); zero for vectors without length."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > _NOTHING, vectors / np.maximum(length, _NOTHING), 0.0)


def _perpendicular(vectors: np.ndarray) -> np.ndarray:
    """Return a unit vector at right angles to each of (N, 3) unit vectors."""
    smallest = np.eye(3)[np.abs(vectors).argmin(-1)]
    return _unit(np.cross(vectors, smallest))
