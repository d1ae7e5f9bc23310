"""Align two sets of points by the best similarity transform (Procrustes)."""

import numpy as np

from poselift.errors import ShapeError


def procrustes(source: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Move `source` as close to `target` as a similarity transform (rotation, scale, translation) can.

    Args:
        source: (*, N, 3) points, any unit.
        target: (*, N, 3) points, any unit; the result is in its unit and frame.
        weights: (*, N) weight of each point, 0 for points that do not count; all equal when None. Points of weight 0
            are transformed too.

    Returns:
        (*, N, 3) transformed source. Reflections are not allowed. Computed in float64, returned in `source`'s type,
        whole numbers as floating point.

    Raises:
        ShapeError: The arrays differ in shape, or there are fewer than three points.

    Source: Umeyama 1991, equations 34-42, weighted.
    """
    source, target = np.asarray(source), np.asarray(target)
    if source.shape != target.shape or source.ndim < 2 or source.shape[-1] != 3 or source.shape[-2] < 3:
        raise ShapeError(f"wanted two arrays (*, 3 or more points, 3), got {source.shape} and {target.shape}")
    a, b = source.astype(np.float64), target.astype(np.float64)
    w = np.ones(a.shape[:-1]) if weights is None else np.broadcast_to(weights, a.shape[:-1]).astype(np.float64)
    w = (w / np.maximum(w.sum(-1, keepdims=True), 1e-12))[..., None]
    mean_a, mean_b = (w * a).sum(-2, keepdims=True), (w * b).sum(-2, keepdims=True)
    a0, b0 = a - mean_a, b - mean_b
    u, s, vt = np.linalg.svd(np.swapaxes(w * a0, -1, -2) @ b0)
    sign = np.ones(s.shape)
    sign[..., -1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[..., None, :]) @ vt
    scale = (s * sign).sum(-1) / np.maximum((w * a0**2).sum((-1, -2)), 1e-12)
    return (scale[..., None, None] * (a0 @ rotation) + mean_b).astype(np.result_type(source.dtype, np.float32))
