"""The verbs that look and measure, on archives in the public layout."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from poselift.cli import main, measuring
from poselift.read import read_keypoints
from poselift.skeleton import H36M_17, HUMANEVA_15

DEMO = Path(measuring.__file__).parents[1] / "data" / "demo.npz"


@pytest.fixture
def lifter(fake_lifter, monkeypatch):
    """A lifter of the benchmarks' normalisation that stands in for every name."""
    made = fake_lifter(in_channels=2)
    made.normalization = "screen"
    monkeypatch.setattr(measuring, "load_lifter", lambda name: made)
    return made


@pytest.fixture
def h36m(archives, tmp_path):
    (tmp_path / "h36m").mkdir()
    archives.write_h36m(tmp_path / "h36m")
    return tmp_path / "h36m"


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_a_benchmark_is_measured_by_its_usual_protocol(lifter, h36m, tmp_path, capsys):
    assert run("evaluate", "any", "--data", h36m, "-o", tmp_path / "scores.json") == 0
    shown = capsys.readouterr().out
    assert "Human3.6M" in shown and "Walking" in shown
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["dataset"] == "Human3.6M" and scores["mean"]["mpjpe"] > 0
    assert scores["choices"]["root"] == "as predicted" and scores["choices"]["data: keypoints"] == "gt"


def test_choices_can_be_changed_one_by_one(lifter, h36m, tmp_path):
    choices = [
        "root=zeroed",
        "flip_average=off",
        "frames=dense",
        "pck_threshold_mm=100",
        "joints=left_knee,nose,pelvis",
    ]
    protocol = ["--protocol", "posessm", "--as-published", "--choose", *choices]
    assert run("evaluate", "any", "--data", h36m, *protocol, "-o", tmp_path / "scores.json") == 0
    made = json.loads((tmp_path / "scores.json").read_text())["choices"]
    assert (made["root"], made["flip_average"], made["frames"]) == ("zeroed", False, "dense")
    assert (made["pck_threshold_mm"], made["joints"]) == (100.0, ["left_knee", "nose", "pelvis"])
    assert made["p_mpjpe"] == "mean of batch"
    assert run("evaluate", "any", "--data", h36m, "--protocol", "humaneva", "--flip", "-o", tmp_path / "flip.json") == 0
    assert json.loads((tmp_path / "flip.json").read_text())["choices"]["flip_average"] is True


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--protocol", "posesm"], "did you mean 'posessm'"),
        (["--choose", "rot=zeroed"], "did you mean 'root'"),
        (["--choose", "root"], "wanted FIELD=VALUE, got 'root'"),
        (["--choose", "flip_average=yes"], "wanted on or off"),
        (["--choose", "batch=many"], "wanted a number"),
        (["--choose", "root=gone"], "root"),
        (["--choose", "drop=S9"], "cannot be given here"),
        (["--as-published"], "videopose3d does nothing quietly"),
        (["--cameras", "2"], "--cameras: not for a benchmark"),
        (["--detector-errors"], "--detector-errors: not for a benchmark"),
        (["--dataset", "h36"], "did you mean 'h36m'"),
        (["--keypoints", "cpn"], "data_2d_h36m_cpn.npz"),
    ],
)
def test_what_makes_no_sense_is_refused(lifter, h36m, capsys, options, words):
    assert run("evaluate", "any", "--data", h36m, *options) == 1
    assert words in " ".join(capsys.readouterr().err.split())


def test_options_of_benchmarks_are_refused_for_motion_capture(capsys):
    assert run("evaluate", "--data", "mocap.npz", "--protocol", "posessm", "--keypoints", "gt") == 1
    assert "--keypoints, --protocol: not for motion capture" in capsys.readouterr().err


def test_a_lifter_of_another_skeleton_is_refused(lifter, archives, tmp_path, capsys):
    (tmp_path / "he").mkdir()
    archives.write_humaneva(tmp_path / "he")
    assert run("evaluate", "any", "--data", tmp_path / "he") == 1
    assert f"wanted 3D joints of {H36M_17.name}, got {HUMANEVA_15.name}" in " ".join(capsys.readouterr().err.split())


def test_results_stand_side_by_side_and_say_what_differs(lifter, h36m, tmp_path, capsys):
    for name, options in (("a", []), ("b", ["--choose", "root=zeroed"])):
        assert run("evaluate", "any", "--data", h36m, *options, "-o", tmp_path / f"{name}.json") == 0
    capsys.readouterr()
    assert run("table", tmp_path / "a.json", tmp_path / "a.json") == 0
    assert "NOT COMPARABLE" not in capsys.readouterr().out
    assert run("table", tmp_path / "a.json", tmp_path / "b.json", "--actions") == 0
    shown = capsys.readouterr().out
    assert "COMPARABLE" in shown and "zeroed" in shown
    (tmp_path / "odd.json").write_text("[1]")
    assert run("table", tmp_path / "odd.json") == 1
    (tmp_path / "odd.json").write_text("{")
    assert run("table", tmp_path / "odd.json") == 1
    assert "no result of poselift evaluate" in capsys.readouterr().err


def test_the_doctor_looks_at_files_and_data_sets(h36m, tmp_path, capsys):
    (person,) = read_keypoints(DEMO)
    small = person.xy / 1000 - 0.5  # normalised coordinates where pixels are wanted
    np.savez(tmp_path / "small.npz", xy=small, skeleton=person.skeleton.name, fps=person.fps)
    assert run("doctor", DEMO) == 0
    assert run("doctor", tmp_path / "small.npz", "-o", tmp_path / "drawn") == 1
    assert "error" in capsys.readouterr().out
    assert [path.suffix for path in (tmp_path / "drawn").iterdir()] == [".svg"]
    run("doctor", h36m)
    assert "Human3.6M" in capsys.readouterr().out
    assert run("doctor", h36m, "--dataset", "h36") == 1
    assert "did you mean 'h36m'" in capsys.readouterr().err


@pytest.fixture
def carded(fake_lifter, monkeypatch, tmp_path):
    """Weights with a card of one score, which stand in for every name."""
    from poselift.cli import cards
    from poselift.datasets.clip import MocapClip
    from poselift.lifters.card import Card
    from poselift.measure.claims import mocap_score
    from poselift.measure.mocap import MocapProtocol

    xyz = np.random.default_rng(0).normal(0, 0.3, (8, 17, 3)).astype(np.float32)
    clips = [MocapClip("walk", "a", xyz, H36M_17, 50.0)]
    monkeypatch.setattr("poselift.measure.claims.load_mocap", lambda path, *, split: clips)

    class Carded(fake_lifter):
        path = tmp_path / "tiny.onnx"
        card = Card(name="tiny.test", skeleton="H36M_17", in_frames=9, out_frames=(4,), fps=50.0, in_channels=3)

    made = Carded()
    score = mocap_score(made, clips, "a.npz", "dev", MocapProtocol(), None)
    Carded.card = dataclasses.replace(Carded.card, scores={"exact 2D": score})
    monkeypatch.setattr(cards, "OnnxLifter", Carded)
    monkeypatch.setattr(cards, "load_lifter", lambda name, threads: made)
    return Carded


def test_a_card_that_holds_and_one_that_does_not(carded, tmp_path, capsys):
    assert run("evaluate", "--card", "any", "--data", "a.npz", "-o", tmp_path / "checks.json") == 0
    shown = capsys.readouterr().out
    assert "exact 2D: p_mpjpe" in shown and "speed, here" in shown and "DOES NOT HOLD" not in shown
    assert all(check["holds"] for check in json.loads((tmp_path / "checks.json").read_text()))
    score = carded.card.scores["exact 2D"]
    wrong = dataclasses.replace(score, mean=score.mean | {"mpjpe": score.mean["mpjpe"] + 0.1})
    carded.card = dataclasses.replace(carded.card, scores={"exact 2D": wrong})
    assert run("evaluate", "any", "--card", "--data", "a.npz") == 1
    assert "DOES NOT HOLD" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--card"], "none of the scores of tiny.test was measured: name the motion capture (--data)"),
        (["--card", "--data", "a.npz", "--cameras", "2", "--flip"], "--flip, --cameras: not for a card"),
        (["--data", "a.npz", "--quick"], "--quick: not for a measurement without --card"),
        ([], "wanted what to measure on: name it (--data)"),
    ],
)
def test_what_makes_no_sense_of_a_card_is_refused(carded, capsys, options, words):
    assert run("evaluate", "any", *options) == 1
    assert words in " ".join(capsys.readouterr().err.split())


def test_what_has_no_card_is_told(lifter, monkeypatch, capsys):
    monkeypatch.setattr("poselift.cli.cards.load_lifter", lambda name, threads: lifter)
    assert run("evaluate", "any", "--card", "--data", "a.npz") == 1
    assert "any has no card" in capsys.readouterr().err
