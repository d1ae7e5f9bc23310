from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from poselift.checks import sides
from poselift.checks.body import Body, agreement
from poselift.read import read_keypoints
from poselift.sequence import Keypoints2D
from poselift.skeleton import HALPE_26


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


def test_arms_agree_with_legs_until_one_is_exchanged(stroll, exchanged):
    for turn_deg in (0, 45, 80, 180):
        keypoints = stroll(turn_deg=turn_deg).keypoints
        assert sides.arms_against_legs(Body(keypoints)) > 0.8
        assert sides.arms_against_legs(Body(exchanged(keypoints))) > 0.8
        assert sides.arms_against_legs(Body(exchanged(keypoints, ("shoulder", "elbow", "wrist")))) < -0.8


def test_feet_tell(demo, exchanged):
    assert sides.feet(Body(demo)) > 0.9
    assert sides.feet(Body(exchanged(demo))) < -0.9
    assert sides.exchanged(Body(demo), sides.SUSPECTED) == []
    toes = ["the toes point away from where the hips face"]
    assert sides.exchanged(Body(exchanged(demo))) == []  # two seconds of one person: suspected, but not clear
    assert sides.exchanged(Body(exchanged(demo)), sides.SUSPECTED) == toes
    frames = np.tile([*range(58), *range(56, 0, -1)], 4)
    assert sides.exchanged(Body(exchanged(demo.with_frames(demo.xy[frames], None, demo.fps)))) == toes


def test_the_foot_whose_heel_is_lower_counts():
    """A person who walks away from the camera lifts one heel above its toes; the other foot gives the answer."""
    xy = np.full((60, len(HALPE_26), 2), np.nan, np.float32)
    places = {
        "left_hip": (-40, 0), "right_hip": (40, 0), "left_shoulder": (-60, -200), "right_shoulder": (60, -200),
        "left_heel": (-40, 400), "left_big_toe": (-40, 392), "right_heel": (40, 340), "right_big_toe": (40, 390),
    }  # fmt: skip
    xy[:, list(HALPE_26.indices(list(places)))] = list(places.values())
    away = Keypoints2D(xy + 500, None, HALPE_26, 30.0)
    assert sides.feet(Body(away)) == pytest.approx(1 / 0.95)


def scored(keypoints: Keypoints2D) -> Keypoints2D:
    """Keypoints with random scores."""
    return replace(keypoints, confidence=np.random.default_rng(1).normal(0.85, 0.06, keypoints.xy.shape[:2]))


def cut(keypoints: Keypoints2D, frames: int, start: int = 0) -> Keypoints2D:
    part, scores = slice(start, start + frames), keypoints.confidence
    return keypoints.with_frames(keypoints.xy[part], None if scores is None else scores[part], keypoints.fps)


@pytest.mark.parametrize("frames", [1, 2, 5, 15])
def test_a_handful_of_frames_raises_no_alarm(stroll, demo, frames):
    """The agreement of one number with another is always 1 or -1."""
    for clip in (demo, scored(stroll(turn_deg=90).keypoints), scored(stroll(turn_deg=0).keypoints)):
        for start in range(0, 50, 5):
            few = Body(cut(clip, frames, start))
            assert np.isnan(sides.arms_against_legs(few))
            assert sides.feet(few) == sides.confidence(few) == 0


def test_how_many_frames_are_enough(stroll, demo, exchanged):
    exchanged_arms = exchanged(stroll().keypoints, ("shoulder", "elbow", "wrist"))
    assert sides.arms_against_legs(Body(cut(exchanged_arms, 20))) < -0.8
    assert np.isnan(sides.arms_against_legs(Body(cut(exchanged_arms, 19))))
    surer = one_side_surer(stroll(turn_deg=90).keypoints, "right")
    assert sides.confidence(Body(cut(surer, 45))) > 0.8 and sides.confidence(Body(cut(surer, 44))) == 0
    xy = demo.xy.copy()
    xy[50:] = np.nan  # of the first 50 frames 47 are clear
    assert sides.feet(Body(replace(demo, xy=xy))) > 0.8 and sides.feet(Body(cut(demo, 44))) == 0


def test_feet_say_nothing_where_there_are_none(stroll, demo):
    assert sides.feet(Body(stroll().keypoints)) == 0
    xy = demo.xy.copy()
    xy[:, [j for j, name in enumerate(demo.skeleton.joints) if name.endswith("heel")]] = np.nan
    assert sides.feet(Body(replace(demo, xy=xy))) == 0


def one_side_surer(keypoints: Keypoints2D, side: str) -> Keypoints2D:
    scores = np.full(keypoints.xy.shape[:2], 0.7, np.float32)
    scores[:, [j for j, name in enumerate(keypoints.skeleton.joints) if name.startswith(side)]] = 0.95
    return replace(keypoints, confidence=scores)


@pytest.mark.parametrize(("turn_deg", "near"), [(90, "right"), (-90, "left")])
def test_detectors_are_surer_of_the_side_that_is_near(stroll, turn_deg, near):
    far = {"left": "right", "right": "left"}[near]
    keypoints = stroll(turn_deg=turn_deg).keypoints
    assert sides.confidence(Body(one_side_surer(keypoints, near))) > 0.8
    assert sides.confidence(Body(one_side_surer(keypoints, far))) < -0.8
    assert sides.confidence(Body(keypoints)) == 0
    assert sides.confidence(Body(replace(keypoints, confidence=np.ones((150, 17))))) == 0
    (reason,) = sides.exchanged(Body(one_side_surer(keypoints, far)))
    assert "less sure" in reason


def test_a_vote_against_silences_the_others(demo, exchanged, monkeypatch):
    monkeypatch.setattr(sides, "confidence", lambda body: 0.3)
    assert sides.exchanged(Body(exchanged(demo))) == []
