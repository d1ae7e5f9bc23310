"""The one-euro filter."""

import numpy as np

import poselift as pl
from poselift.live.smooth import USUAL_SPREAD_M, OneEuro


def test_it_takes_the_noise_of_joints_at_rest():
    noise = np.random.default_rng(0).normal(0, 0.01, (200, 17, 3))
    smooth = OneEuro()
    out = np.stack([smooth(frame, i / 50) for i, frame in enumerate(noise)])
    assert out[50:].std() < 0.7 * noise[50:].std()
    assert np.diff(out[50:], axis=0).std() < 0.5 * np.diff(noise[50:], axis=0).std()


def test_a_constant_stays_and_comes_out_at_once_after_a_pause():
    smooth, pose = OneEuro(), np.ones((17, 3))
    assert np.array_equal(smooth(pose, 0.0), pose)
    assert np.array_equal(smooth(pose, 0.02), pose)
    assert np.array_equal(smooth(5 * pose, 9.0), 5 * pose)
    assert smooth.delay_s == 0


def test_its_delay_is_that_of_steady_motion():
    smooth = OneEuro()
    speed, out = 0.7, None
    for i in range(400):
        joints = np.zeros((17, 3))
        joints[:, 0] = speed * i / 50
        out = smooth(joints, i / 50)
    np.testing.assert_allclose((joints - out)[:, 0] / speed, smooth.delay_s, rtol=1e-3)
    assert 0 < smooth.delay_s < 0.1


def test_uncertain_joints_are_smoothed_more():
    noise = np.random.default_rng(0).normal(0, 0.01, (200, 17, 3))
    spread = np.full(17, USUAL_SPREAD_M)
    spread[5] *= 4
    smooth = OneEuro()
    out = np.stack([smooth(frame, i / 50, spread) for i, frame in enumerate(noise)])
    jitter = np.diff(out[50:], axis=0).std((0, 2))
    assert jitter[5] < 0.6 * np.delete(jitter, 5).min()


def test_the_live_lifter_states_it(stroll):
    person = stroll(frames=80, fps=50.0).keypoints
    frames = np.concatenate([person.xy, np.ones((*person.xy.shape[:2], 1))], -1)
    rough, smooth = pl.LiveLifter(), pl.LiveLifter(smooth=True)
    pairs = [
        (rough.push(f, person.skeleton, i / 50), smooth.push(f, person.skeleton, i / 50)) for i, f in enumerate(frames)
    ]
    jitter = [
        np.linalg.norm(np.diff(np.concatenate([pair[k].xyz for pair in pairs[20:]]), 2, axis=0), axis=-1).mean()
        for k in (0, 1)
    ]
    assert jitter[1] < jitter[0]
    assert rough.smoothing_delay_s == 0 < smooth.smoothing_delay_s < 0.15
