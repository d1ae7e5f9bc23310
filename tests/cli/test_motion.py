"""Motion files on the command line: no flag is needed, what was chosen is printed, and a broken file does not stop."""

import json
import shutil

import pytest

from poselift.cli import main, measuring
from poselift.lifters.load import load_lifter


@pytest.fixture(autouse=True)
def lifter(fake_lifter, monkeypatch):
    """A lifter that stands in for every name."""
    made = fake_lifter()
    monkeypatch.setattr(measuring, "load_lifter", lambda name: made)
    return made


FRAMES = ["0 85 0 0 0 0", "0 85 1 0 0 0", "0 85 2 0 0 0"]


@pytest.fixture
def write(figures, tmp_path):
    """Writes a figure as BVH below the folder of the test."""

    def write(name, frames=FRAMES, scale=1.0):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(figures.bvh(figures.figure(), frames, scale=scale))
        return path

    return write


def evaluate(*arguments):
    return main(["evaluate", "any", *map(str, arguments)])


def test_a_bvh_needs_no_flag(write, tmp_path, capsys):
    assert evaluate("--data", write("walk.bvh"), "-o", tmp_path / "scores.json") == 0
    shown = capsys.readouterr().out
    assert "walk: unit cm (guessed from the legs), up y (rest pose and motion), 1.65 m tall, 50 fps (file)" in shown
    assert "joints by MotionBuilder" in shown and "give --unit, --up, --fps or --joints" in shown
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert (scores["choices"]["data: split"], scores["counts"]["frames"]) == ("all", 12)
    assert any(remark.startswith("walk: unit cm") and "1.65 m tall" in remark for remark in scores["remarks"])


def test_an_amc_needs_no_flag(shared, capsys):
    assert evaluate("--data", shared / "data" / "cmu_samples" / "02_01.amc", "--cameras", 1) == 0
    assert (
        "02_01: unit cmu (file), up y (rest pose and motion), 1.68 m tall, 120 fps (assumed)" in capsys.readouterr().out
    )


def test_flags_overrule_what_is_guessed(write, tmp_path, capsys):
    (tmp_path / "map.csv").write_text("head,Head\n")
    path = write("child.bvh", ["0 52.7 0 0 0 0"] * 2, scale=0.62)
    flags = ["--unit", "0.02", "--up", "z", "--fps", "25", "--joints", tmp_path / "map.csv"]
    assert evaluate("--data", path, *flags) == 0
    shown = capsys.readouterr().out
    assert "unit 0.02 m (given), up z (given), 2.04 m tall, 25 fps (given), joints by a joint map and Motion" in shown


def test_files_read_alike_are_named_together(write, capsys):
    for name in ("a/walk", "b/walk", "b/run", "c/run"):
        write(f"{name}.bvh")
    write("small.bvh", ["0 50 0 0 0 0"] * 2, scale=0.59)
    data = write("feet.bvh", scale=1.05).parent
    assert evaluate("--data", data) == 0
    shown = capsys.readouterr().out
    assert "a/walk, b/run, b/walk and 3 more: unit cm (guessed from the legs)" in shown
    assert "0.97 to 1.73 m tall" in shown
    assert "note, small: legs of 0.50 m in cm are a small child's" in shown


def test_broken_files_are_skipped_and_the_status_says_so(write, figures, capsys):
    data = write("good.bvh").parent
    write("still.bvh", FRAMES[:1])
    (data / "prop.bvh").write_text(figures.bvh({"Prop": ("", (0, 0, 0))}, FRAMES))
    assert evaluate("--data", data) == 1
    shown = capsys.readouterr()
    assert "1 sequences, 1 subjects, 12 frames" in shown.out
    assert "prop.bvh: no joints for left_hip" in shown.err
    assert "still: wanted two frames or more, got one" in shown.err
    (data / "good.bvh").unlink()
    (data / "still.bvh").unlink()
    assert evaluate("--data", data) == 1
    assert "none of the 1 BVH and AMC files in" in capsys.readouterr().err


def test_endings_in_capitals_are_motion_files(write, shared, tmp_path, capsys):
    folder = tmp_path / "cmu"
    folder.mkdir()
    shutil.copy(shared / "data" / "cmu_samples" / "02.asf", folder / "02.ASF")
    shutil.copy(shared / "data" / "cmu_samples" / "02_01.amc", folder / "02_01.AMC")
    shutil.copy(write("walk.bvh"), folder / "WALK.BVH")
    assert evaluate("--data", folder, "--cameras", 1) == 0
    assert "02_01: unit cmu" in (shown := capsys.readouterr().out) and "WALK: unit cm" in shown


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--split", "dev"], "has no splits, so no 'dev'"),
        (["--unit", "feet"], "(unit, --unit), got 'feet'"),
        (["--up", "w"], "(up, --up), got 'w'"),
        (["--joints", "none.json"], "cannot read none.json"),
    ],
)
def test_wrong_options_are_refused(write, capsys, options, words):
    assert evaluate("--data", write("walk.bvh"), *options) == 1
    assert words in capsys.readouterr().err


def test_archives_and_benchmarks_take_none_of_these_flags(archive, tmp_path, capsys):
    assert evaluate("--data", archive, "--unit", "cm") == 1
    assert "says its unit, axes, rate and joints itself" in capsys.readouterr().err
    assert evaluate("--data", tmp_path, "--dataset", "h36m", "--up", "y") == 1
    assert "--up: not for a benchmark" in capsys.readouterr().err


def test_flags_of_the_world_say_when_they_mean_nothing(write, capsys):
    path = write("walk.bvh")
    assert evaluate("--data", path, "--noise", 4) == 1
    assert "--noise and --unknown are for --world" in capsys.readouterr().err
    assert evaluate("--data", path, "--world", "--noise", 4, "--detector-errors") == 1
    assert "give one of them" in capsys.readouterr().err


def test_a_lifter_is_measured_in_the_world(write, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(measuring, "load_lifter", lambda name: load_lifter("htnet.mocap27"))
    flags = ["--world", "--noise", 2, "--unknown", "focal", "--cameras", 1]
    assert evaluate("--data", write("walk.bvh"), *flags, "-o", tmp_path / "scores.json") == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["choices"]["focal"] == "unknown"
    assert scores["choices"]["keypoints"] == "exact 2D, 2 px noise"
    assert scores["mean"]["w_mpjpe"] > 0
    assert scores["units"]["root_bias"] == "%"
    assert "w MPJPE" in capsys.readouterr().out
