from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from poselift.doctor import sides
from poselift.doctor.body import Body, agreement
from poselift.lifters.load import load_lifter, shipped_lifters
from poselift.read import read_keypoints
from poselift.sequence import Keypoints2D


@pytest.fixture(scope="module")
def demo() -> Keypoints2D:
    """Real detections, with feet and scores."""
    (person,) = read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
    return person


def test_agreement_by_hand():
    a = np.array([1.0, -2, np.nan, 3])
    assert agreement(a, 5 * a) == pytest.approx(1)
    assert agreement(a, -a) == pytest.approx(-1)
    assert agreement(np.array([1.0, 1]), np.array([1.0, -1])) == 0
    assert np.isnan(agreement(a, np.full(4, np.nan)))


def test_arms_agree_with_legs_until_one_is_exchanged(walk, exchanged):
    for turn_deg in (0, 45, 80, 180):
        keypoints = walk(turn_deg=turn_deg).keypoints
        assert sides.arms_against_legs(Body(keypoints)) > 0.8
        assert sides.arms_against_legs(Body(exchanged(keypoints))) > 0.8
        assert sides.arms_against_legs(Body(exchanged(keypoints, ("shoulder", "elbow", "wrist")))) < -0.8


def test_feet_tell(demo, exchanged):
    assert sides.feet(Body(demo)) > 0.8
    assert sides.feet(Body(exchanged(demo))) < -0.8
    assert sides.exchanged(Body(demo), None) == []
    assert sides.exchanged(Body(exchanged(demo)), None) == ["the toes point away from where the hips face"]


def test_feet_say_nothing_where_there_are_none(walk, demo):
    assert sides.feet(Body(walk().keypoints)) == 0
    xy = demo.xy.copy()
    xy[:, [j for j, name in enumerate(demo.skeleton.joints) if name.endswith("heel")]] = np.nan
    assert sides.feet(Body(replace(demo, xy=xy))) == 0


def one_side_surer(keypoints: Keypoints2D, side: str) -> Keypoints2D:
    scores = np.full(keypoints.xy.shape[:2], 0.7, np.float32)
    scores[:, [j for j, name in enumerate(keypoints.skeleton.joints) if name.startswith(side)]] = 0.95
    return replace(keypoints, confidence=scores)


@pytest.mark.parametrize(("turn_deg", "near"), [(90, "right"), (-90, "left")])
def test_detectors_are_surer_of_the_side_that_is_near(walk, turn_deg, near):
    far = {"left": "right", "right": "left"}[near]
    keypoints = walk(turn_deg=turn_deg).keypoints
    assert sides.confidence(Body(one_side_surer(keypoints, near))) > 0.8
    assert sides.confidence(Body(one_side_surer(keypoints, far))) < -0.8
    assert sides.confidence(Body(keypoints)) == 0
    assert sides.confidence(Body(replace(keypoints, confidence=np.ones((150, 17))))) == 0
    (reason,) = sides.exchanged(Body(one_side_surer(keypoints, far)), None)
    assert "less sure" in reason


def test_a_vote_against_silences_the_others(demo, exchanged, monkeypatch):
    monkeypatch.setattr(sides, "confidence", lambda body: 0.3)
    assert sides.exchanged(Body(exchanged(demo)), None) == []


@pytest.mark.skipif(not shipped_lifters(), reason="no weights")
@pytest.mark.parametrize("turn_deg", [0, 40, 130, 220, 300])
def test_perspective_tells_what_has_neither_feet_nor_scores(walk, exchanged, turn_deg):
    lifter = load_lifter(threads=1)
    keypoints = walk(turn_deg=turn_deg).keypoints
    features = sides.perspective_features(keypoints, lifter)
    np.testing.assert_allclose(sides.perspective_features(exchanged(keypoints), lifter), -features, atol=1e-5)
    assert sides.perspective(keypoints, lifter) > 0
    assert sides.exchanged(Body(keypoints), lifter) == []
    assert sides.perspective(keypoints.with_frames(keypoints.xy[:5], None, 50.0), lifter) == 0


@pytest.mark.skipif(not shipped_lifters(), reason="no weights")
def test_each_feature_speaks_for_the_true_sides_on_the_whole(walk):
    lifter = load_lifter(threads=1)
    turns = range(0, 360, 30)
    found = [sides.perspective_features(walk(turn_deg=turn, frames=81).keypoints, lifter) for turn in turns]
    assert (np.mean(found, 0) > 0).all()


@pytest.mark.skipif(not shipped_lifters(), reason="no weights")
def test_clear_perspective_is_a_reason(walk, exchanged, monkeypatch):
    lifter = load_lifter(threads=1)
    wrong = Body(exchanged(walk().keypoints))
    monkeypatch.setattr(sides, "perspective", lambda keypoints, lifter: -2.6)
    assert sides.exchanged(wrong, lifter) == ["the parts of the body that should be near look small"]
    monkeypatch.setattr(sides, "perspective", lambda keypoints, lifter: -2.4)
    assert sides.exchanged(wrong, lifter) == []
    assert sides.exchanged(wrong, None) == []
