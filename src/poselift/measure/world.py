"""Metrics of motion in the world: position after little alignment, drift, sliding feet, jitter, and the floor.

They follow the evaluation of GVHMR (and WHAM before it), which works at 30 frames per second in pieces of 100 frames.
All functions take metres; `at_30_fps` brings other rates there. None of these numbers is comparable with one measured
on RICH or EMDB unless it was measured there.
"""

import numpy as np

from poselift.errors import ShapeError

FPS = 30.0
"""Frames per second at which these metrics are defined."""
PIECE = 100
"""Frames in a piece."""
PLANTED_M = 0.01
"""A point of a foot is planted where its true place moves less than so many metres in a frame at `FPS`."""
_ALIGNED = 2
"""Frames at the beginning of a piece that W-MPJPE aligns."""


def at_30_fps(points: np.ndarray, fps: float) -> np.ndarray:
    """Return points (T, ...) at `FPS`, on a cubic spline through time; NaN stays NaN.

    Args:
        points: Any points, T frames.
        fps: Their frames per second.
    """
    from scipy.interpolate import CubicSpline  # slow to import

    points = np.asarray(points, np.float64)
    if abs(fps - FPS) < 0.01 * FPS or len(points) < 2:
        return points
    times = np.arange(0, (len(points) - 1) / fps + 1e-9, 1 / FPS)
    there = np.isfinite(points)
    found = CubicSpline(np.arange(len(points)) / fps, np.where(there, points, 0))(times)
    return np.where(there[np.clip(np.round(times * fps).astype(int), 0, len(points) - 1)], found, np.nan)


def w_mpjpe(pred: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the joint errors in pieces, each aligned by a similarity of its first two frames.

    Args:
        pred: (T, J, 3) joints in one frame of reference, metres, at `FPS`.
        truth: (T, J, 3) true joints, in any other frame of reference.

    Returns:
        (N, J) metres, N the frames of all pieces.

    Source: WHAM lib/eval/eval_utils.py `first_align_joints`, which GVHMR uses. Differs: a clip shorter than a piece is
    one piece.
    """
    return _in_pieces(pred, truth, _ALIGNED)


def wa_mpjpe(pred: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the joint errors in pieces, each aligned by a similarity of all its frames; otherwise as `w_mpjpe`."""
    return _in_pieces(pred, truth, PIECE)


def _in_pieces(pred: np.ndarray, truth: np.ndarray, aligned: int) -> np.ndarray:
    pred, truth = _alike(pred, truth)
    errors = []
    for start in range(0, len(pred), PIECE):
        first = max(min(start, len(pred) - PIECE), 0)
        piece, true = pred[first : first + PIECE], truth[first : first + PIECE]
        scale, turn, shift = similarity(piece[:aligned].reshape(-1, 3), true[:aligned].reshape(-1, 3))
        errors.append(np.linalg.norm(scale * piece @ turn + shift - true, axis=-1))
    return np.concatenate(errors)


def rte(pred: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the root's error after a rigid alignment of the whole path, as a share of the way that it truly goes.

    Args:
        pred: (T, 3) metres, at `FPS`.
        truth: (T, 3) metres.

    Returns:
        (T,) shares; empty for a path without length.

    Source: WHAM lib/eval/eval_utils.py `compute_rte`.
    """
    pred, truth = _alike(pred, truth)
    way = np.linalg.norm(np.diff(truth, axis=0), axis=-1).sum()
    if way <= 0:
        return np.zeros(0)
    _, turn, shift = similarity(pred, truth, scaled=False)
    return np.linalg.norm(pred @ turn + shift - truth, axis=-1) / way


def foot_slide(pred: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return how far points of the feet move in each frame in which they truly are planted.

    Args:
        pred: (T, P, 3) metres in a frame at rest, at `FPS`.
        truth: (T, P, 3) metres; NaN where not known.

    Returns:
        (N,) metres a frame.

    Source: GVHMR hmr4d/utils/eval/eval_utils.py `compute_foot_sliding`. Differs: on the points of the skeleton, where
    GVHMR takes vertices of a body's surface.
    """
    pred, truth = _alike(pred, truth)
    moves, still = (np.linalg.norm(np.diff(points, axis=0), axis=-1) for points in (pred, truth))
    return moves[still < PLANTED_M]


def jitter(joints: np.ndarray) -> np.ndarray:
    """Return the size of the third derivative of joints (T, J, 3), metres at `FPS`: (T - 3, J), 10 m/s³.

    Source: GVHMR hmr4d/utils/eval/eval_utils.py `compute_jitter`.
    """
    return np.linalg.norm(np.diff(np.asarray(joints, np.float64), 3, axis=0), axis=-1) * FPS**3 / 10


def acceleration_error(pred: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the difference of accelerations of joints (T, J, 3), metres at `FPS`: (T - 2, J), m/s²."""
    pred, truth = _alike(pred, truth)
    return np.linalg.norm(np.diff(pred - truth, 2, axis=0), axis=-1) * FPS**2


def along_and_across(pred: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split the error of points seen from a camera into that along the ray to the true point, and that across it.

    Args:
        pred: (T, 3) metres, in the camera's axes.
        truth: (T, 3) metres.

    Returns:
        (T,) metres along the ray, positive for points too far away, and (T,) metres across it.
    """
    pred, truth = _alike(pred, truth)
    ray = truth / np.linalg.norm(truth, axis=-1, keepdims=True)
    along = ((pred - truth) * ray).sum(-1)
    return along, np.linalg.norm(pred - truth - along[:, None] * ray, axis=-1)


def similarity(source: np.ndarray, target: np.ndarray, *, scaled: bool = True) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the similarity `scale * points @ turn + shift` that brings (N, 3) points closest to others.

    Args:
        source: (N, 3) points.
        target: (N, 3) points.
        scaled: Whether the scale may differ from 1.

    Source: Umeyama 1991, equations 34-42.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    mean_source, mean_target = source.mean(0), target.mean(0)
    u, s, vt = np.linalg.svd((source - mean_source).T @ (target - mean_target))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    turn = (u * sign) @ vt
    scale = float((s * sign).sum() / max(((source - mean_source) ** 2).sum(), 1e-12)) if scaled else 1.0
    return scale, turn, mean_target - scale * mean_source @ turn


def _alike(pred: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays as float64 after checking that they have one shape."""
    pred, truth = np.asarray(pred, np.float64), np.asarray(truth, np.float64)
    if pred.shape != truth.shape or pred.shape[-1] != 3 or not len(pred):
        raise ShapeError(f"wanted two arrays of one shape (frames, ..., 3), got {pred.shape} and {truth.shape}")
    return pred, truth
