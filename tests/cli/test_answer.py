"""`--json`: every verb answers a program in one line of JSON with the keys that docs/json.md names."""

import importlib.util
import io
import json
import os
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import poselift
from poselift import errors
from poselift.cli import LAB_VERBS, VERBS, answer, cards, lifting, main, measuring
from poselift.formats import save_poses, write_people
from poselift.people import numbered
from poselift.read import read_keypoints
from poselift.sequence import Poses3D
from poselift.skeleton import H36M_17

DEMO = Path(str(resources.files("poselift") / "data" / "demo.npz"))
PAGE = Path(__file__).resolve().parents[2] / "docs" / "json.md"
EVERY = [*VERBS, *LAB_VERBS]


def ask(capsys, *arguments):
    """The exit status and the answer; standard output holds nothing else."""
    status = main([str(argument) for argument in arguments] + ["--json"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1, lines
    found = json.loads(lines[0])
    assert list(found) == ["poselift", "verb", "status", "result", "errors", "messages"]
    assert found["status"] == status
    return status, found


@pytest.fixture
def poses(tmp_path) -> Path:
    xyz = np.random.default_rng(0).normal(0, 0.3, (6, 17, 3)).astype(np.float32)
    save_poses(Poses3D(xyz - xyz[:, :1], H36M_17, 50.0), tmp_path / "clip.npz")
    return tmp_path / "clip.npz"


def two_people(tmp_path: Path) -> Path:
    (person,) = read_keypoints(DEMO)
    person = person.with_frames(person.xy[:8], person.confidence[:8], person.fps)
    write_people(numbered((person, person)), tmp_path / "two.npz")
    return tmp_path / "two.npz"


def lift_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    monkeypatch.setattr(lifting, "load_lifter", lambda name="", **_: fake_lifter())
    kept = tmp_path / "kept.npz"
    return ["lift", two_people(tmp_path), "-o", tmp_path / "out", "--formats", "npz", "html", "--keypoints-out", kept]


def many_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    pytest.importorskip("pyarrow")
    two_people(tmp_path)
    (tmp_path / "list.txt").write_text("two.npz\nmissing.npz\n")
    return ["lift-many", tmp_path / "list.txt", "-o", tmp_path / "out", "--workers", "1", "--no-check"]


def convert_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    return ["convert", poses, tmp_path / "clip.bvh"]


def render_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    pytest.importorskip("PIL")
    return ["render", poses, "-o", tmp_path / "still.png"]


def doctor_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    return ["doctor", DEMO, "-o", tmp_path / "drawn"]


def measured(tmp_path, monkeypatch, fake_lifter):
    made = fake_lifter(in_channels=2)
    made.normalization = "screen"
    monkeypatch.setattr(measuring, "load_lifter", lambda name: made)
    spec = importlib.util.spec_from_file_location("archives", Path(__file__).parents[1] / "datasets" / "archives.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "h36m").mkdir()
    module.write_h36m(tmp_path / "h36m")
    return ["evaluate", "any", "--data", tmp_path / "h36m", "-o", tmp_path / "scores.json"]


def evaluate_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    return measured(tmp_path, monkeypatch, fake_lifter)


def table_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    made = measured(tmp_path, monkeypatch, fake_lifter)
    assert main([str(word) for word in made]) == 0
    assert main([str(word) for word in [*made[:-1], tmp_path / "flip.json", "--flip"]]) == 0
    return ["table", tmp_path / "scores.json", tmp_path / "flip.json"]


def lifters_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    return ["lifters"]


def check_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    check = cards.Check("exact 2D: mpjpe", 40.0, 40.0)
    monkeypatch.setattr(cards, "check_scores", lambda *_, **__: [check])
    monkeypatch.setattr(cards, "_check_sizes", lambda *_: [])
    monkeypatch.setattr(cards, "measure_speed", lambda lifter: None)
    return ["check-card", "htnet.mocap27", "-o", tmp_path / "checks.json"]


def lab(monkeypatch):
    pytest.importorskip("torch")
    from poselift.cli import training

    run = SimpleNamespace(
        ranks=SimpleNamespace(first=True), train=lambda *_, **__: True, pretrain=lambda *_, **__: True
    )
    task = SimpleNamespace(finish=lambda run, progress: {}, data="", license="")
    monkeypatch.setattr(training, "Run", lambda *_: run)
    monkeypatch.setattr(training, "make_task", lambda *_: task)
    monkeypatch.setattr(training, "Pretraining", lambda *_: run)
    monkeypatch.setattr(training, "make_view_task", lambda *_: None)
    monkeypatch.setattr(training, "write_weights", lambda *_, **__: Path("run/x.onnx"))
    return training


def train_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    lab(monkeypatch)
    return ["train", "nanohtnet_mocap", "--data", "x.npz", "--out", tmp_path / "run"]


def pretrain_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    lab(monkeypatch)
    return ["pretrain", "htnet", "--data", "x.npz", "--out", tmp_path / "run"]


def reproduce_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    training = lab(monkeypatch)
    monkeypatch.setattr(training, "reproduce_row", lambda *_, **__: training.Outcome(error="no data"))
    return ["reproduce", "h36m_htnet", "--data", tmp_path, "--out", tmp_path / "out"]


def import_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    training = lab(monkeypatch)
    monkeypatch.setattr(training.card, "import_weights", lambda *_, **__: tmp_path / "htnet.onnx")
    return ["import-weights", "htnet", tmp_path / "best.pth", "-o", tmp_path]


def benchmark_arguments(tmp_path, monkeypatch, fake_lifter, poses):
    training = lab(monkeypatch)
    from poselift.lab.export.efficiency import FORMS, Row

    times = dict.fromkeys(FORMS, 1.0)
    row = Row(
        lifter="htnet", parameters=1, out_frames=1, macs=1, folded_macs=1,
        latency_ms=times, bulk_ms=times, train_ms=1.0, difference=0.0,
        onnx_ms={"p5": 1.0, "p95": 2.0, "p99": 3.0}, whole_ms=1.0, matmul_ms=1.0, file_bytes=1,
    )  # fmt: skip
    monkeypatch.setattr(training, "measure", lambda *_: row)
    return ["benchmark", "htnet", "-o", tmp_path, "--pushes", 0]


EXAMPLES = {
    "lift": (lift_arguments, 0, {"findings"}),
    "lift-many": (many_arguments, 1, set()),
    "convert": (convert_arguments, 0, set()),
    "render": (render_arguments, 0, set()),
    "doctor": (doctor_arguments, 0, set()),
    "evaluate": (evaluate_arguments, 0, set()),
    "table": (table_arguments, 0, set()),
    "lifters": (lifters_arguments, 0, set()),
    "check-card": (check_arguments, 0, set()),
    "train": (train_arguments, 0, set()),
    "pretrain": (pretrain_arguments, 0, set()),
    "reproduce": (reproduce_arguments, 1, set()),
    "import-weights": (import_arguments, 0, set()),
    "benchmark": (benchmark_arguments, 0, {"streams"}),
}
"""By verb: what makes an example, the status that it ends with, and the keys that stay empty in it."""


def test_every_verb_has_a_result_and_an_example():
    assert set(answer.RESULTS) == set(EVERY)
    assert set(EXAMPLES) | set(answer.LINES) == set(EVERY)


@pytest.mark.parametrize("verb", EXAMPLES)
def test_a_verb_answers(verb, tmp_path, monkeypatch, fake_lifter, poses, capsys):
    make, status, empty = EXAMPLES[verb]
    arguments = make(tmp_path, monkeypatch, fake_lifter, poses)
    capsys.readouterr()
    ended, found = ask(capsys, *arguments)
    assert (ended, found["verb"], found["poselift"]) == (status, verb, poselift.__version__), found
    assert list(found["result"]) == list(answer.RESULTS[verb])
    unset = {key for key, value in found["result"].items() if value is None or value == []}
    assert unset == empty
    for files in [found["result"].get("files", [])]:
        assert all(isinstance(name, str) for name in files)


def test_what_was_lifted_is_said(tmp_path, monkeypatch, fake_lifter, poses, capsys):
    _, found = ask(capsys, *lift_arguments(tmp_path, monkeypatch, fake_lifter, poses))
    first, second = found["result"]["people"]
    assert (first["person"], second["person"]) == (1, 2)
    assert (first["frames"], first["skeleton"], first["axes"]) == (8, "H36M_17", "world")
    assert [Path(name).name for name in first["files"]] == ["two_person1.npz"]
    assert all(Path(name).is_file() for person in (first, second) for name in person["files"])
    assert [Path(name).name for name in found["result"]["pages"]] == ["two.html"]
    assert any("--focal" in line for line in found["messages"])  # what was guessed


def test_an_answer_is_the_last_line_of_a_stream():
    (person,) = read_keypoints(DEMO)
    lines = [
        json.dumps({"time_s": i / 30, "skeleton": person.skeleton.name, "people": [np.c_[xy, scores].tolist()]})
        for i, (xy, scores) in enumerate(zip(person.xy[:4], person.confidence[:4], strict=True))
    ]
    places = [str(Path(poselift.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "poselift", "live", "--input", "-", "--json"], input="\n".join(lines), text=True,
        capture_output=True, timeout=300, env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
    )  # fmt: skip
    *frames, last = map(json.loads, done.stdout.splitlines())
    assert len(frames) == 4 and all("people" in frame for frame in frames)
    assert (last["verb"], last["status"], list(last["result"])) == ("live", 0, list(answer.RESULTS["live"]))
    assert (last["result"]["frames"], last["result"]["people"]) == (4, 1)


@pytest.mark.parametrize("verb", EVERY)
def test_a_verb_answers_when_it_is_called_wrongly_or_asked_for_help(verb, capsys):
    if verb in LAB_VERBS:
        pytest.importorskip("torch")
    status, found = ask(capsys, verb, "--no-such-flag")
    assert (status, found["verb"]) == (2, verb)
    assert list(found["result"]) == list(answer.RESULTS[verb])
    (error,) = found["errors"]
    assert error["kind"] == "UsageError" and error["what_to_do"]
    assert "--no-such-flag" in error["message"] or "Missing" in error["message"]  # an argument, which comes first
    assert "----" not in error["message"]
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert "--json" in capsys.readouterr().out


def test_errors_name_their_kind_what_to_do_and_the_flag(tmp_path, poses, capsys):
    before = poses.read_bytes()
    status, found = ask(capsys, "convert", poses, poses)
    (error,) = found["errors"]
    assert (status, error["kind"]) == (1, "OutputExistsError")
    assert "never overwritten" in error["message"] and error["what_to_do"] == "name another target"
    (tmp_path / "clip.csv").write_text("mine")
    (error,) = ask(capsys, "convert", poses, tmp_path / "clip.csv")[1]["errors"]
    assert error["flags"] == ["--force"]
    assert poses.read_bytes() == before
    status, found = ask(capsys, "lift", "a.npz", "b.npz", "-o", tmp_path / "out")
    assert [error["input"] for error in found["errors"]] == ["a.npz", "b.npz"]


def test_without_a_verb_there_is_an_answer_too(capsys):
    assert ask(capsys)[1]["errors"][0]["kind"] == "UsageError"
    assert ask(capsys, "lfit")[1]["verb"] is None
    status, found = ask(capsys, "--version")
    assert (status, found["messages"]) == (0, [f"poselift {poselift.__version__}"])


def test_an_error_that_nobody_expected_is_answered_and_raised(monkeypatch, capsys):
    def broken() -> int:
        return [][0]

    monkeypatch.setitem(VERBS, "lifters", broken)
    with pytest.raises(IndexError):
        main(["lifters", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["errors"][0]["kind"]) == (1, "InternalError")


def test_an_interrupted_verb_answers(monkeypatch, capsys):
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(VERBS, "lifters", interrupted)
    status, found = ask(capsys, "lifters")
    assert (status, found["errors"][0]["kind"]) == (130, "Interrupted")


def test_without_the_flag_nothing_changes(capsys):
    assert main(["lifters"]) == 0
    assert "nanohtnet" in capsys.readouterr().out
    assert answer._current.get() is None


def test_standard_streams_are_put_back(capsys):
    before = sys.stdout, sys.stderr
    ask(capsys, "lifters")
    assert (sys.stdout, sys.stderr) == before


def test_values_become_json():
    made = answer.plain({"a": Path("x"), 1: np.float32(2), "n": float("nan"), "t": (np.arange(2), {"s"}), "b": True})
    assert made == {"a": "x", "1": 2.0, "n": None, "t": [[0, 1], ["s"]], "b": True}


def test_a_key_that_is_not_declared_is_refused(capsys):
    with answer.Answering("lifters", True, io.StringIO()), pytest.raises(AssertionError, match="has no key"):
        answer.record(other=1)


def test_messages_do_not_grow_without_end(monkeypatch):
    monkeypatch.setattr(answer, "MOST_MESSAGES", 3)
    with answer.Answering("live", True, io.StringIO()) as asked:
        for number in range(9):
            answer.note_message(str(number))
        assert asked._answer.messages == ["0", "1", "2"]


def test_the_page_names_every_key_every_kind_and_every_status():
    page = PAGE.read_text("utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| `(\w+)` \| \S", page, re.MULTILINE)
    assert rows == [(verb, key) for verb, keys in answer.RESULTS.items() for key in keys]
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type)} - {"Path", "Iterable"}
    kinds -= {"PoseliftError"}
    assert set(answer.ADVICE) == kinds | {"UsageError", "Interrupted", "InternalError"}
    assert all(f"`{kind}`" in page for kind in answer.ADVICE)
    assert all(f"| {status} |" in page for status in ("0", "1", "2", "130"))
