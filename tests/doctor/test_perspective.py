from dataclasses import replace

import numpy as np
import pytest

from poselift.doctor import perspective
from poselift.lifters.load import load_lifter, shipped_lifters
from poselift.skeleton import COCO_17


@pytest.mark.skipif(not shipped_lifters(), reason="no weights")
@pytest.mark.parametrize("turn_deg", [0, 40, 130, 220, 300])
def test_perspective_tells_what_has_neither_feet_nor_scores(stroll, exchanged, turn_deg):
    lifter = load_lifter(threads=1)
    keypoints = stroll(turn_deg=turn_deg).keypoints
    features = perspective.features(keypoints, lifter)
    np.testing.assert_allclose(perspective.features(exchanged(keypoints), lifter), -features, atol=1e-5)
    assert perspective.log_odds(keypoints, lifter) > 0
    assert perspective.exchanged(keypoints, lifter) == []
    assert perspective.log_odds(keypoints.with_frames(keypoints.xy[:29], None, 50.0), lifter) == 0


@pytest.mark.skipif(not shipped_lifters(), reason="no weights")
def test_each_feature_speaks_for_the_true_sides_on_the_whole(stroll):
    lifter = load_lifter(threads=1)
    turns = range(0, 360, 30)
    found = [perspective.features(stroll(turn_deg=turn, frames=81).keypoints, lifter) for turn in turns]
    assert (np.mean(found, 0) > 0).all()


@pytest.mark.skipif(not shipped_lifters(), reason="no weights")
def test_clear_perspective_is_a_reason(stroll, exchanged, monkeypatch):
    lifter = load_lifter(threads=1)
    wrong = exchanged(stroll().keypoints)
    monkeypatch.setattr(perspective, "log_odds", lambda keypoints, lifter: -3.6)
    assert perspective.exchanged(wrong, lifter) == ["the parts of the body that should be near look small"]
    assert perspective.exchanged(replace(wrong, skeleton=COCO_17), lifter) == []
    assert perspective.exchanged(wrong, None) == []
    monkeypatch.setattr(perspective, "log_odds", lambda keypoints, lifter: -3.4)
    assert perspective.exchanged(wrong, lifter) == []


@pytest.mark.skipif(not shipped_lifters(), reason="no weights")
def test_frames_before_anyone_is_seen_are_passed_over(stroll):
    lifter = load_lifter(threads=1)
    keypoints = stroll().keypoints
    nobody = np.full((500, 17, 2), np.nan)
    late = keypoints.with_frames(np.concatenate([nobody, keypoints.xy]), None, keypoints.fps)
    assert perspective.log_odds(late, lifter) == perspective.log_odds(keypoints, lifter)
    brief = keypoints.with_frames(np.concatenate([keypoints.xy[:29], nobody]), None, keypoints.fps)
    assert perspective.log_odds(brief, lifter) == 0
    assert perspective.log_odds(keypoints.with_frames(nobody, None, 50.0), lifter) == 0
