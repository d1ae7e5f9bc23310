"""Smoothing over time without delay, as strong as each joint is uncertain and as weak as it moves fast.

A lifter's errors change from frame to frame, and so shake the joints. How much of a joint's movement is shaking depends
on how uncertain the joint is, and on how abruptly the limb moves: at a punch little of it, at rest nearly all. The
smoother weighs the two against each other, frame by frame.
"""

from dataclasses import replace

import numpy as np

from poselift.refine.curves import banded_path
from poselift.refine.report import StepReport
from poselift.sequence import Poses3D

SHAKING = 0.03
"""Share of a joint's spread that is shaking, and not an error that stays for seconds. Shares from 0.03 to 0.07 shake 23
to 32 times less than what was lifted (motion capture, detector errors); the larger ones flatten fast peaks by 5 %."""
USUAL_SPREAD_M = 0.1
"""Spread of joints of poses that have none: the mean that the shipped weights give on motion capture."""
GUESSED = 3.0
"""Factor of the spread in gaps, and of joints that were not seen where poses have no spread that says so."""
FIRST_HZ = 5.0
"""Frequency at which the first pass halves a movement; from its result, the second takes how abrupt the motion is."""
LOOK_S = 0.1
"""Time in seconds around a frame, a standard deviation, over which the abruptness is averaged."""
SLOWEST_HZ, FASTEST_HZ = 1.0, 12.0
"""The second pass halves movements of a frequency between these two; of resting and of the fastest limbs."""
_SHORTEST = 4
"""Frames that a third difference needs."""
_STIFFEST = 1e10
"""Greatest weight of a squared third difference against a frame; beyond it, equations of many frames get inexact."""


def smooth_joints(poses: Poses3D) -> tuple[Poses3D, StepReport]:
    """Smooth the joints over time, forward and backward alike, so that nothing is delayed.

    For each joint, its places y_t become the x_t that minimize

        sum_t  |x_t - y_t|^2 / r_t  +  sum_t  |x_(t+3) - 3 x_(t+2) + 3 x_(t+1) - x_t|^2 / q_t

    in one banded solve, linear in time and memory. This is the Kalman smoother of a joint whose jerk is white noise.
    r_t = (`SHAKING` spread_t)^2 is the variance of the shaking; q_t, that of the motion's own jerk, is the local mean
    of the squared third differences of a first, plain pass. Poses without spread get `USUAL_SPREAD_M`.

    Args:
        poses: One person; any frame and rate. In the frame "turned_camera" the axes turn with the person's place in the
            picture, and what is smooth is the motion as seen from the turned camera.

    Returns:
        The poses, smoothed, and what changed. Everything but `xyz` stays, so that gaps stay marked. The bones' lengths
        are not kept: `poselift.refine.bones.constant_bones` comes after. Clips of fewer than five frames stay.
    """
    xyz = poses.xyz.astype(np.float64)
    if len(xyz) > _SHORTEST:
        variance = (SHAKING * _uncertainty(poses)) ** 2
        for joint in range(xyz.shape[1]):
            if xyz[:, joint].any():  # the root rests at 0
                xyz[:, joint] = _smooth_path(xyz[:, joint], variance[:, joint], poses.fps)
    moved = np.linalg.norm(xyz - poses.xyz, axis=-1)
    before, after = jitter(poses.xyz, poses.fps), jitter(xyz, poses.fps)
    values = {
        "moved_mm": 1000 * float(moved.mean()),
        "moved_most_mm": 1000 * float(moved.max()),
        "jitter_before_m_s3": before,
        "jitter_m_s3": after,
    }
    said = (
        f"the joints' mean jerk fell from {before:.0f} to {after:.0f} m/s3; they moved by {values['moved_mm']:.1f} mm, "
        f"{values['moved_most_mm']:.0f} mm at most."
    )
    return replace(poses, xyz=xyz.astype(np.float32)), StepReport(name="smooth", says=said, values=values)


def jitter(xyz: np.ndarray, fps: float) -> float:
    """Return the mean length of the jerk of joints (T, J, 3), metres, in m/s3: how much they shake; 0 for short clips.

    Source: GVHMR's evaluation, `compute_jitter`, which gives it in units of 10 m/s3.
    """
    if len(xyz) < _SHORTEST:
        return 0.0
    return float(np.linalg.norm(np.diff(xyz.astype(np.float64), 3, axis=0), axis=-1).mean() * fps**3)


def _uncertainty(poses: Poses3D) -> np.ndarray:
    """Return the spread (T, J) in metres that the smoother works with."""
    if poses.spread is not None:
        spread = poses.spread.astype(np.float64)
    else:
        spread = np.full(poses.xyz.shape[:2], USUAL_SPREAD_M)
        if poses.observed is not None:
            spread[poses.observed <= 0] *= GUESSED
    if poses.gap is not None:
        spread[poses.gap] *= GUESSED
    return np.maximum(spread, 1e-3)


def _smooth_path(places: np.ndarray, variance: np.ndarray, fps: float) -> np.ndarray:
    """Return the smoothed path (T, 3) of a joint, from its places (T, 3) and the variance (T,) of their shaking."""
    from scipy.ndimage import gaussian_filter1d  # slow to import

    weights = np.median(variance) / variance
    first = banded_path(places, weights, {3: np.full(len(places) - 3, _stiffness(FIRST_HZ, fps))})
    jerk = (np.diff(first, 3, axis=0) ** 2).mean(1)
    own = gaussian_filter1d(jerk, LOOK_S * fps, mode="nearest")
    shaking = (variance[1:-2] + variance[2:-1]) / 2
    least, most = _stiffness(FASTEST_HZ, fps), _stiffness(SLOWEST_HZ, fps)
    stiff = np.clip(shaking / np.maximum(own, 1e-30), least, most) * np.median(variance) / shaking
    return banded_path(places, weights, {3: stiff})


def _stiffness(hertz: float, fps: float) -> float:
    """Return the weight of squared third differences that halves movements of a frequency, at a frame's weight of 1.

    The smoother of constant weight w multiplies a frequency f by 1 / (1 + w (2 sin(pi f / fps))^6). Near half the
    rate, where the sine is smaller than its angle, this weight halves less than it says: slow clips stay as they are.
    """
    return float(min((2 * np.pi * hertz / fps) ** -6.0, _STIFFEST))
