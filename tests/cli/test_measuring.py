"""The verbs that look and measure, on archives in the public layout."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from poselift.cli import main, measuring
from poselift.read import read_keypoints
from poselift.skeleton import H36M_17

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
        (["--as-published"], "videopose3d does nothing that its paper leaves out"),
        (["--cameras", "2"], "--cameras: not for a benchmark"),
        (["--detector-errors"], "--detector-errors: not for a benchmark"),
        (["--dataset", "h36"], "did you mean 'h36m'"),
        (["--keypoints", "cpn"], "data_2d_h36m_cpn.npz"),
        (["--truth", "annot3"], "truth: not for h36m"),
        (["--split", "dev"], "unknown split 'dev'; known: train, test, all"),
    ],
)
def test_what_makes_no_sense_is_refused(lifter, h36m, capsys, options, words):
    assert run("evaluate", "any", "--data", h36m, *options) == 1
    assert words in " ".join(capsys.readouterr().err.split())


def test_options_of_benchmarks_are_refused_for_motion_capture(capsys):
    assert run("evaluate", "--data", "mocap.npz", "--protocol", "posessm", "--keypoints", "gt") == 1
    assert "--keypoints, --protocol: not for motion capture" in capsys.readouterr().err


def test_motion_files_have_no_parts(lifter, walk, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(measuring, "load_mocap", lambda path, *, split, skipped: asked.append(split) or [walk(9)])
    for options in ([], ["--split", "all"], ["--split", "dev"]):
        assert run("evaluate", "any", "--data", tmp_path / "walk.bvh", "--cameras", 1, *options) == 0
    assert asked == [None, None, "dev"]  # which the reader refuses


def test_shipped_weights_are_measured_on_a_data_set_of_another_skeleton(archives, tmp_path, capsys):
    (tmp_path / "he").mkdir()
    archives.write_humaneva(tmp_path / "he")
    out = tmp_path / "scores.json"
    assert run("evaluate", "nanohtnet.mocap-81", "--data", tmp_path / "he", "-o", out) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "joints left out head of HUMANEVA_15; spine, nose, head_top of H36M_17" in shown
    scores = json.loads(out.read_text())
    assert (scores["lifter"], scores["dataset"]) == ("nanohtnet.mocap-81", "HumanEva-I")
    assert len(scores["per_joint"]["mpjpe"]) == 14 and scores["counts"]["subjects"] == 3
    assert 20 < scores["mean"]["p_mpjpe"] < scores["mean"]["mpjpe"] < 150  # a person, not noise
    assert run("table", out, out) == 0
    assert "COMPARABLE" not in capsys.readouterr().out


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
    assert run("check-card", "any", "--data", "a.npz", "-o", tmp_path / "checks.json") == 0
    shown = capsys.readouterr().out
    assert "exact 2D: p_mpjpe" in shown and "speed measured here" in shown and "DOES NOT HOLD" not in shown
    assert all(check["holds"] for check in json.loads((tmp_path / "checks.json").read_text()))
    score = carded.card.scores["exact 2D"]
    wrong = dataclasses.replace(score, mean=score.mean | {"mpjpe": score.mean["mpjpe"] + 0.1})
    carded.card = dataclasses.replace(carded.card, scores={"exact 2D": wrong})
    assert run("check-card", "any", "--data", "a.npz") == 1
    assert "DOES NOT HOLD" in " ".join(capsys.readouterr().out.split())


def test_a_check_that_cannot_be_made_or_written_is_refused(carded, tmp_path, capsys):
    assert run("check-card", "any") == 1
    wanted = "none of the scores of tiny.test was measured: name the motion capture (--data)"
    assert wanted in " ".join(capsys.readouterr().err.split())
    (tmp_path / "checks.json").write_text("mine")
    assert run("check-card", "any", "--data", "a.npz", "-o", tmp_path / "checks.json") == 1
    assert "checks.json exists and is kept" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("check-card", "any", "--data", "a.npz", "--cameras", 2)
    assert "--cameras" in capsys.readouterr().err


def test_a_card_does_not_decide_what_is_imported(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from poselift.cli.cards import _check_sizes
    from poselift.lifters.load import shipped_cards

    code = "from pathlib import Path\nfrom poselift.lab.models.htnet import HTNet, HTNetConfig\n"
    code += "Path('RAN').touch()\nclass Net(HTNet):\n"
    code += "    def __init__(self, **options):\n        super().__init__(HTNetConfig(**options))\n"
    (tmp_path / "named_by_a_card.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    card, name = shipped_cards()[0], "named_by_a_card:Net"
    recipe = card.training.recipe | {"lifter": name, "model": {}}
    card = dataclasses.replace(card, training=dataclasses.replace(card.training, recipe=recipe))
    checks = _check_sizes(card, None)
    assert [(check.name, check.measured) for check in checks] == [("parameters", None), ("macs", None)]
    assert "nothing of it was imported" in checks[0].note
    assert not Path("RAN").exists() and "named_by_a_card" not in sys.modules
    try:
        assert all(check.measured > 0 for check in _check_sizes(card, name))  # the user's word does
    finally:
        sys.modules.pop("named_by_a_card", None)


def test_what_has_no_card_is_told(lifter, monkeypatch, capsys):
    monkeypatch.setattr("poselift.cli.cards.load_lifter", lambda name, threads: lifter)
    assert run("check-card", "any", "--data", "a.npz") == 1
    assert "any has no card" in capsys.readouterr().err
