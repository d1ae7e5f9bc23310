from dataclasses import replace

import numpy as np
import pytest

from poselift.checks import pace
from poselift.checks.body import Body


@pytest.mark.parametrize("turn_deg", [0, 50, 90, 200])
@pytest.mark.parametrize(("fps", "strides_hz"), [(50, 0.9), (30, 1.1), (120, 0.75), (50, 1.4)])
def test_the_rhythm_of_a_walk(stroll, fps, strides_hz, turn_deg):
    found = pace.gait(Body(stroll(frames=int(4 * fps), fps=fps, strides_hz=strides_hz, turn_deg=turn_deg).keypoints))
    assert found.strides_hz == pytest.approx(strides_hz, rel=0.04)
    assert found.likeness > 0.9


def test_gaps_do_not_hide_it(stroll):
    keypoints = stroll(frames=200).keypoints
    xy = keypoints.xy.copy()
    xy[np.random.default_rng(0).random(xy.shape[:2]) < 0.1] = np.nan
    assert pace.gait(Body(replace(keypoints, xy=xy))).strides_hz == pytest.approx(0.9, rel=0.04)


def test_no_rhythm(stroll):
    still = stroll(strides_hz=0).keypoints
    assert pace.gait(Body(still)) is None
    assert pace.gait(Body(stroll(frames=40).keypoints)) is None  # less than a second
    wandering = np.cumsum(np.random.default_rng(0).normal(0, 3, (200, 17, 2)), 0)
    assert pace.gait(Body(stroll(frames=200).keypoints.with_frames(still.xy[:1] + wandering, None, 50.0))) is None
    unseen = replace(stroll().keypoints, xy=np.full((150, 17, 2), np.nan))
    assert pace.gait(Body(unseen)) is None and pace.limb_features(Body(unseen)) is None


@pytest.mark.parametrize(
    ("strides_hz", "swing", "too_quick"),
    [(1.6, 0.2, False), (1.7, 0.2, True), (1.7, 0.4, False), (1.85, 0.4, False), (1.95, 0.4, True)],
)
def test_runners_may_be_quicker_than_walkers(strides_hz, swing, too_quick):
    assert pace.Gait(strides_hz, 0.9, swing).too_quick == too_quick


@pytest.mark.parametrize(("frames", "found"), [(74, False), (75, True)])
def test_steps_are_not_told_from_a_moment(stroll, frames, found):
    assert (pace.gait(Body(stroll(frames=frames, strides_hz=1.4).keypoints)) is not None) == found


def legs_only(stroll, moves: np.ndarray):
    """Return a person who stands still but for the left leg, moved sideways by (T,) pixels."""
    still = stroll(frames=1, strides_hz=0, noise=0).keypoints
    xy = np.repeat(still.xy, len(moves), 0)
    xy[:, still.skeleton.index("left_ankle"), 0] += moves
    return Body(still.with_frames(xy, None, 50.0))


def test_kicks_and_trembling_are_no_steps(stroll):
    time = np.arange(300) / 50
    assert pace.gait(legs_only(stroll, 200 * np.sin(2 * np.pi * time))) is not None
    assert pace.gait(legs_only(stroll, 400 * np.exp(-(((time % 1.0) - 0.5) ** 2) / 0.005))) is None
    assert pace.gait(legs_only(stroll, np.random.default_rng(0).normal(0, 200, 300))) is None


@pytest.mark.parametrize("fps", [50.0, 48.0, 30.0])
def test_limb_features_by_hand(stroll, fps):
    """A wrist that moves by a hundredth of the person a frame, the rest still."""
    still = stroll(frames=150, strides_hz=0, noise=0).keypoints
    xy = np.repeat(still.xy[:1], 150, 0).astype(np.float64)
    size = Body(still).size_px
    wrist = still.skeleton.index("left_wrist")
    xy[:, wrist] = xy[:, still.skeleton.index("pelvis")]
    xy[:, wrist, 0] += 0.001 * size * np.arange(150)
    moved = Body(still.with_frames(xy, None, fps))
    features = pace.limb_features(moved)
    share = size / moved.size_px * np.sqrt(1 / 8)
    far = np.exp(features[:2])
    np.testing.assert_allclose(far, [0.0001 * fps * share, 0.0004 * fps * share], rtol=1e-3)
    np.testing.assert_allclose(np.exp(features[2]), 0.001 * share * np.sqrt((150**2 - 1) / 12), rtol=1e-3)


def test_a_rate_twice_too_high_is_likelier_in_fast_limbs(stroll):
    keypoints = stroll(frames=300, strides_hz=1.2).keypoints
    assert pace.log_odds(Body(replace(keypoints, fps=100.0))) > pace.log_odds(Body(keypoints))
    assert pace.limb_features(Body(stroll(frames=124).keypoints)) is None  # less than two and a half seconds
    assert pace.limb_features(Body(stroll(frames=125).keypoints)) is not None
    assert pace.log_odds(Body(stroll(frames=124).keypoints)) == 0


def test_features_do_not_depend_on_the_number_of_pixels(stroll):
    keypoints = stroll(frames=150).keypoints
    larger = replace(keypoints, xy=3 * keypoints.xy + 40)
    np.testing.assert_allclose(pace.limb_features(Body(larger)), pace.limb_features(Body(keypoints)), atol=1e-4)
