"""Smoothing: less shaking, no delay, peaks kept, the axioms of a zero-phase filter."""

from dataclasses import replace

import numpy as np
import pytest

from poselift import H36M_17, Poses3D
from poselift.refine.smooth import USUAL_SPREAD_M, jitter, smooth_joints
from poselift.sequence import spans

FPS = 50.0


def motion(seconds: float = 8.0, fps: float = FPS) -> np.ndarray:
    """Joints (T, 17, 3) that swing at 0.5 to 1.5 Hz, with a wrist that punches at 3 s, 0.5 m in 0.15 s and back."""
    rng, time = np.random.default_rng(0), np.arange(round(seconds * fps)) / fps
    phase, size = rng.uniform(0, 2 * np.pi, (17, 3)), rng.uniform(0.02, 0.2, (17, 3))
    rate = rng.uniform(0.5, 1.5, (17, 1))
    xyz = size * np.sin(2 * np.pi * rate * time[:, None, None] + phase)
    xyz[:, H36M_17.index("right_wrist"), 0] += 0.5 * np.exp(-(((time - 3) / 0.09) ** 2))
    xyz[:, H36M_17.root] = 0
    return np.asarray(xyz)


def shaken(xyz: np.ndarray, error_m: float = 0.004, **known: np.ndarray) -> Poses3D:
    errors = np.random.default_rng(1).normal(scale=error_m, size=xyz.shape)
    errors[:, H36M_17.root] = 0
    return Poses3D(xyz + errors, H36M_17, FPS, **known)


def acceleration_off(xyz: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(xyz - truth, 2, axis=0), axis=-1).mean())


@pytest.mark.parametrize("with_spread", [True, False])
def test_shaking_falls_and_the_truth_comes_nearer(with_spread: bool):
    truth = motion()
    poses = shaken(truth, **({"spread": np.full(truth.shape[:2], USUAL_SPREAD_M)} if with_spread else {}))
    found, report = smooth_joints(poses)
    assert jitter(found.xyz, FPS) < jitter(poses.xyz, FPS) / 5
    assert np.abs(found.xyz - truth).mean() < np.abs(poses.xyz - truth).mean()
    assert acceleration_off(found.xyz, truth) < acceleration_off(poses.xyz, truth) / 3
    assert report.values["jitter_m_s3"] == pytest.approx(jitter(found.xyz, FPS), rel=1e-3)
    assert (found.xyz[:, H36M_17.root] == 0).all()


def test_a_punch_keeps_its_peak_and_its_time():
    truth = motion()
    wrist = H36M_17.index("right_wrist")
    found, _ = smooth_joints(shaken(truth, error_m=0.002))
    speed, true_speed = (np.linalg.norm(np.gradient(xyz[:, wrist], axis=0), axis=-1) for xyz in (found.xyz, truth))
    fast = true_speed >= np.quantile(true_speed, 0.99)
    assert speed[fast].mean() == pytest.approx(true_speed[fast].mean(), rel=0.05)
    assert abs(int(found.xyz[:, wrist, 0].argmax()) - int(truth[:, wrist, 0].argmax())) <= 1


def test_nothing_is_delayed():
    """A clip that runs backwards is smoothed to the same poses."""
    poses = shaken(motion())
    backwards = replace(poses, xyz=poses.xyz[::-1])
    assert np.allclose(smooth_joints(backwards)[0].xyz[::-1], smooth_joints(poses)[0].xyz, atol=1e-5)


def test_axes_do_not_matter():
    poses = shaken(motion())
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    turned = smooth_joints(replace(poses, xyz=poses.xyz @ turn))[0].xyz
    assert np.allclose(turned, smooth_joints(poses)[0].xyz @ turn, atol=1e-5)


@pytest.mark.parametrize("frames", [200, 5])
def test_movement_of_constant_jerk_stays(frames: int):
    """A smoother that penalizes third differences leaves parabolas as they are."""
    time = np.arange(frames)[:, None, None] / 100
    xyz = np.random.default_rng(0).normal(size=(3, 17, 3))
    xyz = xyz[0] + xyz[1] * time + xyz[2] * time**2
    found, _ = smooth_joints(Poses3D(xyz - xyz[:, :1], H36M_17, FPS))
    assert np.allclose(found.xyz, xyz - xyz[:, :1], atol=2e-5)


def test_uncertain_joints_are_smoothed_more():
    truth = motion()
    spread = np.full(truth.shape[:2], 0.05)
    spread[:, 12] = 0.4
    plain = smooth_joints(shaken(truth, spread=np.full_like(spread, 0.05)))[0]
    doubtful = smooth_joints(shaken(truth, spread=spread))[0]
    assert jitter(doubtful.xyz[:, [12]], FPS) < 0.9 * jitter(plain.xyz[:, [12]], FPS)
    assert np.allclose(np.delete(doubtful.xyz, 12, 1), np.delete(plain.xyz, 12, 1), atol=1e-6)
    unseen = np.where(spread > 0.1, 0, 1)
    guessed = smooth_joints(shaken(truth, observed=unseen))[0]
    seen = smooth_joints(shaken(truth, observed=np.ones_like(unseen)))[0]
    assert jitter(guessed.xyz[:, [12]], FPS) < jitter(seen.xyz[:, [12]], FPS)


def test_gaps_stay_marked_and_do_not_pull_at_their_ends():
    truth = motion()
    gap = np.zeros(len(truth), bool)
    gap[150:200] = True
    jumped = truth.copy()
    jumped[gap, 3] += 0.5
    found, _ = smooth_joints(shaken(jumped, gap=gap, error_m=0))
    assert found.gaps == spans(gap)
    far = np.abs(found.xyz - truth)[~gap][:, 3]
    unmarked = np.abs(smooth_joints(shaken(jumped, error_m=0))[0].xyz - truth)[~gap][:, 3]
    assert far.max() < unmarked.max()


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_short_clips_stay(frames: int):
    poses = shaken(motion()[:frames])
    found, report = smooth_joints(poses)
    assert (found.xyz == poses.xyz).all()
    assert report.values["moved_mm"] == 0


@pytest.mark.parametrize("fps", [5.0, 24.0, 120.0, 1000.0])
def test_any_rate(fps: float):
    truth = motion(4.0, fps)
    errors = np.random.default_rng(3).normal(scale=0.004, size=truth.shape)
    poses = Poses3D(truth + errors, H36M_17, fps)
    found, _ = smooth_joints(poses)
    assert np.isfinite(found.xyz).all()
    assert np.abs(found.xyz - truth).mean() <= 1.02 * np.abs(poses.xyz - truth).mean()


def test_long_clips_stay_exact():
    """10,000 resting frames at a high rate: the stiffest equations."""
    rest = np.tile(motion()[:1], (10_000, 1, 1))
    found, _ = smooth_joints(Poses3D(rest, H36M_17, 1000.0))
    assert np.allclose(found.xyz, rest, atol=1e-5)
