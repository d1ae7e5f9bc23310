"""Pose errors of each joint, not averaged: the caller chooses what to average over.

Arrays are (*, J, 3) in any unit; results are in the same unit. Functions are named by what they measure: `mpjpe` is
what papers call Protocol 1, `p_mpjpe` Protocol 2, `n_mpjpe` VideoPose3D's Protocol 3.
"""

import numpy as np

from poselift.errors import ShapeError
from poselift.geometry.align import procrustes
from poselift.skeleton import Skeleton


def _same_shape(pred: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pred, target = np.asarray(pred), np.asarray(target)
    if pred.shape != target.shape or pred.ndim < 2 or pred.shape[-1] != 3:
        raise ShapeError(f"wanted two arrays (*, joints, 3) of one shape, got {pred.shape} and {target.shape}")
    floating = np.result_type(pred.dtype, target.dtype, np.float32)  # whole millimetres would wrap around or be cut
    return pred.astype(floating), target.astype(floating)


def mpjpe(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Measure the distance between prediction and target, joint by joint (Protocol 1).

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
    """Measure the distance of each joint after the best similarity transform of each pose (Protocol 2).

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
    """Measure the distance of each joint after the best scale of each pose.

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
    """Measure the velocity error of each joint: the distance between frame-to-frame differences.

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


def acceleration_error(pred: np.ndarray, target: np.ndarray, fps: float | None = None) -> np.ndarray:
    """Measure the acceleration error of each joint: the distance between second differences in time.

    Args:
        pred: (*, T, J, 3) predicted joints in time order.
        target: (*, T, J, 3) reference joints, same unit and frame.
        fps: Give unit per second squared when set; unit per frame squared (as papers do, whatever they call it) when
            None.

    Returns:
        (*, T - 2, J). Not averaged. Empty for fewer than three frames.

    Raises:
        ShapeError: The arrays differ in shape or have no time axis.

    Source: Kanazawa et al. 2019, HMMR; MotionAGFormer loss/pose3d.py `acc_error`.
    """
    pred, target = _same_shape(pred, target)
    if pred.ndim < 3:
        raise ShapeError(f"wanted arrays (*, frames, joints, 3), got {pred.shape}")
    error = pred - target
    second = error[..., 2:, :, :] - 2 * error[..., 1:-1, :, :] + error[..., :-2, :, :]
    return np.linalg.norm(second, axis=-1) * (1.0 if fps is None else fps**2)


def bone_length_error(pred: np.ndarray, target: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Measure how much longer or shorter each bone is than it should be.

    Args:
        pred: (*, J, 3) predicted joints.
        target: (*, J, 3) reference joints, same unit.
        skeleton: Joint order of both.

    Returns:
        (*, B) absolute differences of length, in the order of `skeleton.bones`. Not averaged.

    Raises:
        ShapeError: The arrays differ in shape, or have not the skeleton's number of joints.
    """
    pred, target = _same_shape(pred, target)
    if pred.shape[-2] != len(skeleton):
        raise ShapeError(f"wanted {len(skeleton)} joints of {skeleton.name}, got {pred.shape[-2]}")
    parents, children = map(list, zip(*skeleton.bones, strict=True))
    lengths = (np.linalg.norm(xyz[..., children, :] - xyz[..., parents, :], axis=-1) for xyz in (pred, target))
    return np.abs(np.subtract(*lengths))


def pck(pred: np.ndarray, target: np.ndarray, threshold: float) -> np.ndarray:
    """Find the correct joints: those strictly nearer to their target than a threshold.

    Args:
        pred: (*, J, 3) predicted joints.
        target: (*, J, 3) reference joints, same unit and frame.
        threshold: Distance in the arrays' unit; 150 mm in MPI-INF-3DHP's protocol.

    Returns:
        (*, J) float64, 1 where correct and 0 elsewhere; their mean is the percentage of correct keypoints over 100.

    Raises:
        ShapeError: The arrays differ in shape.

    Source: Mehta et al. 2017; MPI-INF-3DHP's `mpii_compute_3d_pck.m`, which also counts strictly.
    """
    return (mpjpe(pred, target) < threshold).astype(np.float64)


AUC_THRESHOLDS_MM = {
    "31: 0, 5 .. 150 mm": np.arange(0.0, 151.0, 5.0),
    "150: 0, 1 .. 149 mm": np.arange(0.0, 150.0, 1.0),
}
"""Thresholds of the area under the curve, by name: those of MPI-INF-3DHP's own script, which nearly everyone uses, and
those of a helper in some repositories, which give other numbers. Both begin at 0, where no joint is correct."""


def auc(pred: np.ndarray, target: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Measure the area under the curve of correct joints: the share of thresholds that an error is strictly below.

    Args:
        pred: (*, J, 3) predicted joints.
        target: (*, J, 3) reference joints, same unit and frame.
        thresholds: (N,) distances in the arrays' unit, such as one of `AUC_THRESHOLDS_MM`.

    Returns:
        (*, J) float64 in [0, 1]; their mean is the mean of `pck` over the thresholds. A perfect joint has 30/31 at the
        usual thresholds.

    Raises:
        ShapeError: The arrays differ in shape.

    Source: Mehta et al. 2017; MPI-INF-3DHP's `mpii_compute_3d_pck.m`.
    """
    above = np.searchsorted(np.sort(thresholds), mpjpe(pred, target), side="right")
    return 1 - above / len(thresholds)
