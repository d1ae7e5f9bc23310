"""Change the frame rate: of keypoints to the rate that a lifter was trained at, and of its poses back."""

from dataclasses import replace
from typing import Any

import numpy as np

from poselift.sequence import EXTRAS, Keypoints2D, Poses3D, unit_vectors

SAME_RATE = 0.01
"""Relative difference up to which two rates count as equal; that of 29.97 and 30 is 0.001."""


def frame_times(num_frames: int, fps: float, new_fps: float) -> np.ndarray:
    """Return the times of the new rate's frames, in frames of the old rate.

    Args:
        num_frames: Frames at the old rate.
        fps: Old rate.
        new_fps: New rate.

    Returns:
        (N,) from 0 up to at most `num_frames - 1`; the first frames coincide.
    """
    count = int(np.floor((num_frames - 1) * new_fps / fps + 1e-6)) + 1
    return np.minimum(np.arange(count) * (fps / new_fps), num_frames - 1)


def same_rate(fps: float, new_fps: float) -> bool:
    """Return whether two rates are too close to resample."""
    return abs(fps - new_fps) <= SAME_RATE * new_fps


def resample_keypoints(keypoints: Keypoints2D, fps: float) -> Keypoints2D:
    """Resample keypoints to another frame rate, linearly in time.

    A joint is seen at a new instant when it was seen in both frames around it, or in the nearer one.

    Args:
        keypoints: Keypoints at any rate.
        fps: The new rate.

    Returns:
        Keypoints at `fps`; the same object when the rates are equal.
    """
    if same_rate(keypoints.fps, fps) or len(keypoints) == 1:
        return keypoints
    times = frame_times(len(keypoints), keypoints.fps, fps)
    before = np.floor(times).astype(int)
    after = np.minimum(before + 1, len(keypoints) - 1)
    share = (times - before).astype(np.float32)[:, None]
    seen, scores = keypoints.seen, keypoints.confidence
    nearer = np.where(share < 0.5, seen[before], seen[after])
    share = np.where(seen[before] & seen[after], share, (share >= 0.5).astype(np.float32))

    def between(array: np.ndarray, weight: np.ndarray) -> np.ndarray:
        array = np.nan_to_num(array)
        return array[before] * (1 - weight) + array[after] * weight

    xy = np.where(nearer[..., None], between(keypoints.xy, share[..., None]), np.float32(np.nan))
    confidence = None if scores is None else np.where(nearer, between(scores * seen, share), np.float32(0))
    return keypoints.with_frames(xy, confidence, fps)


def resample_poses(poses: Poses3D, fps: float, num_frames: int) -> Poses3D:
    """Resample poses to another frame rate, linearly in time; the last pose is held where they run out.

    Args:
        poses: Poses at any rate. `EXTRAS` are interpolated alike; a new frame is a gap if either frame around it is.
        fps: The new rate.
        num_frames: Number of frames to return.

    Returns:
        Poses at `fps`.
    """
    if same_rate(poses.fps, fps) and len(poses) == num_frames:
        return replace(poses, fps=fps)
    times = np.minimum(np.arange(num_frames) * (poses.fps / fps), len(poses) - 1)
    before = np.floor(times).astype(int)
    after = np.minimum(before + 1, len(poses) - 1)

    def between(array: np.ndarray | None) -> np.ndarray | None:
        if array is None:
            return None
        share = (times - before).astype(np.float32).reshape(-1, *(1,) * (array.ndim - 1))
        return array[before] * (1 - share) + array[after] * share

    numbers: dict[str, Any] = {name: between(getattr(poses, name)) for name in ("xyz", *EXTRAS) if name != "gap"}
    if poses.up is not None:
        numbers["up"] = unit_vectors(numbers["up"], poses.up[before])
    gap = None if poses.gap is None else poses.gap[before] | poses.gap[after]
    return replace(poses, **numbers, gap=gap, fps=fps)
