"""Pose errors, per joint and unreduced: the caller chooses what to average over.

Arrays are (*, J, 3) in any unit; results are in the same unit. Named by what they measure: `mpjpe` is what papers call
Protocol 1, `p_mpjpe` Protocol 2, `n_mpjpe` VideoPose3D's Protocol 3.
"""

import numpy as np

from poselift.errors import ShapeError
from poselift.geometry.align import procrustes


def _same_shape(pred: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pred, target = np.asarray(pred), np.asarray(target)
    if pred.shape != target.shape or pred.ndim < 2 or pred.shape[-1] != 3:
        raise ShapeError(f"wanted two arrays (*, joints, 3) of one shape, got {pred.shape} and {target.shape}")
    floating = np.result_type(pred.dtype, target.dtype, np.float32)  # whole millimetres would wrap around or be cut
    return pred.astype(floating), target.astype(floating)


def mpjpe(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Distance between prediction and target, joint by joint (Protocol 1).

    Args:
        pred: (*, J, 3) predicted joints, root-relative if the protocol says so.
        target: (*, J, 3) reference joints, same unit and frame.

    Returns:
        (*, J) distances. Not averaged.

    Raises:
        ShapeError: The arrays differ in shape.

    Source: VideoPose3D common/loss.py `mpjpe`. Differs: returns each joint's error, not the mean.
    """
    pred, target = _same_shape(pred, target)
    return np.linalg.norm(pred - target, axis=-1)


def p_mpjpe(pred: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Joint position error after the best similarity transform of each pose (Protocol 2).

    Args:
        pred: (*, J, 3) predicted joints; any unit, any common frame.
        target: (*, J, 3) reference joints, same unit and frame.
        weights: (*, J) weight of each joint in the alignment, 0 for joints that do not count; all equal when None.

    Returns:
        (*, J) distances. Not averaged.

    Raises:
        ShapeError: The arrays differ in shape, or there are fewer than three joints.

    Source: Martinez et al. 2017, protocol 2. Differs: returns each joint's error, not the mean.
    """
    pred, target = _same_shape(pred, target)
    return np.linalg.norm(procrustes(pred, target, weights) - target, axis=-1)


def n_mpjpe(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Joint position error after the best scale of each pose.

    Args:
        pred: (*, J, 3) predicted joints, root-relative.
        target: (*, J, 3) reference joints, root-relative, same unit and frame.

    Returns:
        (*, J) distances. Not averaged.

    Raises:
        ShapeError: The arrays differ in shape.

    Source: Rhodin et al. 2018; VideoPose3D common/loss.py `n_mpjpe`.
    """
    pred, target = _same_shape(pred, target)
    scale = (pred * target).sum((-1, -2), keepdims=True) / np.maximum((pred**2).sum((-1, -2), keepdims=True), 1e-12)
    return np.linalg.norm(scale * pred - target, axis=-1)


def mpjve(pred: np.ndarray, target: np.ndarray, fps: float | None = None) -> np.ndarray:
    """Velocity error of each joint: the distance between frame-to-frame differences.

    Args:
        pred: (*, T, J, 3) predicted joints in time order.
        target: (*, T, J, 3) reference joints, same unit and frame.
        fps: Give unit per second when set; unit per frame (as the papers do at 50 fps) when None.

    Returns:
        (*, T - 1, J). Not averaged. Empty for a single frame.

    Raises:
        ShapeError: The arrays differ in shape or have no time axis.

    Source: VideoPose3D common/loss.py `mean_velocity_error`.
    """
    pred, target = _same_shape(pred, target)
    if pred.ndim < 3:
        raise ShapeError(f"wanted arrays (*, frames, joints, 3), got {pred.shape}")
    return np.linalg.norm(np.diff(pred - target, axis=-3), axis=-1) * (1.0 if fps is None else fps)
