"""Whether near parts of the body look large in the picture, as they must if left and right are as they should be.

It takes a lifter, and lifts the clip twice. That is why `lift` leaves it to the doctor.
"""

from dataclasses import replace

import numpy as np

from poselift.lifters.contract import Lifter
from poselift.lifting import lift
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton

FEWEST_FRAMES = 30
"""Fewest frames with a joint that are judged: of 20, more than 1 in 100 true ones would be called exchanged."""
CLEAR_LOG_ODDS = 3.5
"""Log odds that are enough to call the sides exchanged: of true clips of 30, 60 and 100 frames 0.7, 0.5 and 0 % are, of
exchanged ones 79, 77 and 80 %; at 2.5 it would be 1.8, 1.0 and 0.5 %, and 86, 84 and 87 %."""
WEIGHTS = (49.25, 3.03, 12.67)
"""Log odds for each unit of `features`, fitted to motion capture (benchmarks/doctor.py)."""

_MOST_FRAMES = 405


def exchanged(keypoints: Keypoints2D, lifter: Lifter | None) -> list[str]:
    """Return the reason to believe that left and right are exchanged; none without a lifter of the same skeleton."""
    if lifter is None or keypoints.skeleton != lifter.skeleton or log_odds(keypoints, lifter) > -CLEAR_LOG_ODDS:
        return []
    return ["the parts of the body that should be near look small"]


def log_odds(keypoints: Keypoints2D, lifter: Lifter) -> float:
    """Return the log odds that left and right are correct, from lifting the clip as it is and with sides exchanged.

    They are 0 where fewer than `FEWEST_FRAMES` of the frames that are lifted show a joint.
    """
    if not keypoints.seen.any() or _first(keypoints).seen.any(1).sum() < FEWEST_FRAMES:
        return 0.0
    return float(np.dot(WEIGHTS, features(keypoints, lifter)))


def features(keypoints: Keypoints2D, lifter: Lifter) -> np.ndarray:
    """Return evidence for the sides as they are against exchanged ones; it changes sign when they are exchanged.

    Returns:
        (3,): by how much more the lifted near parts are enlarged in the picture (1/m), by how much less the body
        leans away from the picture plane as if seen from below, and the logarithm of how much smaller the misfit is.
    """
    first = _first(keypoints)
    other = replace(first, xy=first.xy[:, list(first.skeleton.flipped)])
    (near, lean, misfit), (other_near, other_lean, other_misfit) = (_explained(k, lifter) for k in (first, other))
    return np.array([near - other_near, other_lean - lean, np.log(other_misfit / misfit)])


def _first(keypoints: Keypoints2D) -> Keypoints2D:
    """Return the first frames, from the first that shows a joint."""
    start, scores = int(keypoints.seen.any(1).argmax()), keypoints.confidence
    frames = slice(start, start + _MOST_FRAMES)
    return keypoints.with_frames(keypoints.xy[frames], None if scores is None else scores[frames], keypoints.fps)


def _explained(keypoints: Keypoints2D, lifter: Lifter) -> tuple[float, float, float]:
    """Return how the lifted poses explain the picture: enlargement with nearness, lean, and mean squared misfit."""
    poses = lift(keypoints, lifter, repair=False, check=False).xyz.astype(np.float64)
    seen = keypoints.seen[..., None]
    picture = _centred(np.where(seen, keypoints.xy, 0), seen)
    flat = _centred(poses[..., :2], seen)
    square = np.maximum((flat**2).sum((1, 2)), 1e-9)
    scale = (flat * picture).sum((1, 2)) / square
    scale = np.where(np.abs(scale) > 1e-9, scale, np.nan)[:, None, None]
    rest = picture / scale - flat
    near = _centred(-poses[..., :2] * poses[..., 2:], seen)
    near = near - flat * ((near * flat).sum((1, 2)) / square)[:, None, None]
    fitted = np.isfinite(rest).all((1, 2))
    rest, near = rest[fitted], near[fitted]
    enlarged = (near * rest).sum() / max((near**2).sum(), 1e-9)
    misfit = max((rest**2).sum() - enlarged * (near * rest).sum(), 1e-9) / max(fitted.sum(), 1)
    return float(enlarged), _lean(poses, keypoints.skeleton), float(misfit)


def _lean(poses: np.ndarray, skeleton: Skeleton) -> float:
    """Return the mean depth of the unit vector from the feet to the thorax; negative where the camera is above."""
    feet = poses[:, list(skeleton.indices(["left_ankle", "right_ankle"]))].mean(1)
    up = poses[:, skeleton.index("thorax")] - feet
    return float((up / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-9))[:, 2].mean())


def _centred(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return points (T, J, 2) relative to the mean of the frame's seen joints; 0 where unseen."""
    mean = (points * seen).sum(1, keepdims=True) / np.maximum(seen.sum(1, keepdims=True), 1)
    return (points - mean) * seen
