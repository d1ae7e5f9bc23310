"""What a card claims is measured again, by the protocols on the card."""

import dataclasses
import json

import numpy as np
import pytest

from poselift.datasets.clip import MocapClip
from poselift.errors import DatasetError, install_hint
from poselift.lifters.card import BENCHMARK, Card, Score
from poselift.measure import claims
from poselift.measure.claims import MEASURES, Check, Sources, check_scores, mocap_score
from poselift.measure.mocap import METRICS, MocapProtocol
from poselift.sequence import Keypoints2D
from poselift.skeleton import H36M_17, HUMANEVA_15

RNG = np.random.default_rng(0)
CLIPS = [MocapClip(f"walk {n}", "a", RNG.normal(0, 0.3, (8, 17, 3)).astype(np.float32), H36M_17, 50.0) for n in "abc"]
CARD = Card(name="a.b", skeleton="H36M_17", in_frames=9, out_frames=(4,), fps=50.0, in_channels=3)


class Detector:
    """Moves joints by as much as its errors say."""

    description = "a drawing"

    def __init__(self, errors):
        self.errors = errors

    def __call__(self, joints, fps, seed):
        xy = 500 + 1000 * joints[..., :2] / joints[..., 2:]
        return Keypoints2D(xy + self.errors["shift"] * np.arange(17)[:, None], None, H36M_17, fps)


@pytest.fixture
def card(fake_lifter):
    """With an exact score, one with errors, and one on a benchmark; as it comes from a file."""
    how = MocapProtocol(cameras=2, every=2)
    scores = {
        "exact 2D": mocap_score(fake_lifter(), CLIPS, "a.npz", "dev", how, None),
        "detector errors": mocap_score(fake_lifter(), CLIPS, "a.npz", "dev", how, Detector({"shift": 9.0})),
        "test": Score(kind=BENCHMARK, data="h36m", protocol={}, frames=5, mean={"mpjpe": 50.0}),
    }
    scores = {name: Score(**json.loads(json.dumps(dataclasses.asdict(score)))) for name, score in scores.items()}
    return dataclasses.replace(CARD, scores=scores)


@pytest.fixture
def sources(monkeypatch, tmp_path):
    monkeypatch.setattr(claims, "load_mocap", lambda path, *, split: CLIPS if split == "dev" else [])
    return Sources(tmp_path / "a.npz", (), Detector)


def changed(card, name, **changes):
    return dataclasses.replace(card, scores=card.scores | {name: dataclasses.replace(card.scores[name], **changes)})


def test_what_holds_holds_to_the_digit(card, sources, fake_lifter):
    checks = {check.name: check for check in check_scores(fake_lifter(), card, sources)}
    assert checks["exact 2D: frames"].measured == 2 * 2 * 8
    for name in ("exact 2D", "detector errors"):
        for metric in ("mpjpe", "p_mpjpe", "n_mpjpe", "mpjve"):
            check = checks[f"{name}: {metric}"]
            assert (check.measured, check.holds) == (check.claimed, True)
    assert checks["exact 2D: mpjpe"].measured != checks["detector errors: mpjpe"].measured
    assert checks["test: mpjpe"].measured is None and "not motion capture" in checks["test: mpjpe"].note


@pytest.mark.parametrize(("off", "holds"), [(0.04, True), (-0.04, True), (0.06, False), (-0.06, False)])
def test_a_claim_that_is_off_does_not_hold(card, sources, fake_lifter, off, holds):
    mean = card.scores["exact 2D"].mean
    wrong = changed(card, "exact 2D", mean=mean | {"p_mpjpe": mean["p_mpjpe"] + off})
    failed = [check.name for check in check_scores(fake_lifter(), wrong, sources) if not check.holds]
    assert failed == ([] if holds else ["exact 2D: p_mpjpe"])


def test_another_number_of_frames_or_metric_does_not_hold(card, sources, fake_lifter):
    wrong = changed(card, "exact 2D", frames=33, mean={"pck": 1.0})
    failed = [check.name for check in check_scores(fake_lifter(), wrong, sources) if not check.holds]
    assert failed == ["exact 2D: frames", "exact 2D: pck"]


def test_a_lifter_of_another_skeleton_is_measured_again(sources, fake_lifter):
    lifter = fake_lifter(skeleton=HUMANEVA_15)
    score = mocap_score(lifter, CLIPS, "a.npz", "dev", MocapProtocol(cameras=1), None)
    assert "head of HUMANEVA_15" in score.protocol["joints left out"]
    checks = list(check_scores(lifter, dataclasses.replace(CARD, scores={"exact 2D": score}), sources))
    assert len(checks) == 1 + len(METRICS) and all(check.measured == check.claimed for check in checks)


def test_quick_leaves_out_scores_over_many_frames(card, sources, fake_lifter):
    long = changed(card, "exact 2D", frames=claims.QUICK_FRAMES + 1)
    names = {check.name.split(":")[0] for check in check_scores(fake_lifter(), long, sources, quick=True)}
    assert names == {"detector errors", "test"}


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (Sources(), "name the motion capture"),
    ],
)
def test_what_is_not_at_hand_is_said(card, fake_lifter, sources, words):
    checks = list(check_scores(fake_lifter(), card, sources))
    assert all(check.measured is None and check.holds for check in checks)
    assert words in checks[0].note


def test_without_torch_exact_scores_are_measured(card, sources, fake_lifter):
    sources.detector = None
    checks = list(check_scores(fake_lifter(), card, sources))
    assert [c.measured is not None for c in checks if c.name.startswith("exact")] == [True] * (1 + len(METRICS))
    assert {c.note for c in checks if c.name.startswith("detector")} == {
        f"simulated detector errors need torch; run: {install_hint('lab')}"
    }


def test_a_protocol_of_another_version_is_an_error(card, sources, fake_lifter):
    other = changed(card, "exact 2D", protocol=card.scores["exact 2D"].protocol | {"lens": 3})
    with pytest.raises(DatasetError, match="protocol is of another version"):
        list(check_scores(fake_lifter(), other, sources))


def test_text_and_numbers_are_compared():
    assert Check("a", "x", "x").holds and not Check("a", "x", "y").holds
    assert Check("a", 1, 1).holds and not Check("a", 1, 2).holds
    assert not Check("a", 1.0, "no such metric", 5.0).holds


def test_the_scores_of_a_card_of_ours():
    assert {name for name, (how, _) in MEASURES.items() if how.every > 1} == {
        "quick, exact 2D", "quick, detector errors",
    }  # fmt: skip
