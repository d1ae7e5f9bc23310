"""Many clips: every one is lifted as by itself, or stands among the failures; shards are whole, or not there."""

import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import poselift as pl
from poselift.bulk import Settings, lift_many
from poselift.bulk import plan as planning
from poselift.cli import main
from poselift.errors import FormatError, MissingExtraError, OutputError, OutputExistsError, ShapeError
from poselift.formats import write_keypoints
from poselift.formats.keypoint_parquet import write_keypoints_parquet
from poselift.lifters.load import load_lifter
from poselift.sequence import EXTRAS

parquet = pytest.importorskip("pyarrow.parquet")
SOURCE = Path(pl.__file__).parents[1]


def clip(frames: int, fps: float, seed: int) -> pl.Keypoints2D:
    """A piece of the bundled clip, played to and fro, with some joints missing, and in three frames nobody."""
    (person,) = pl.read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
    rng, whole = np.random.default_rng(seed), len(person)
    place = (np.arange(frames) + seed) % (2 * whole - 2)
    place = np.where(place < whole, place, 2 * whole - 2 - place)
    confidence = np.where(rng.random((frames, 33)) < 0.03, 0, person.confidence[place])
    confidence[20:23] = 0
    return pl.Keypoints2D(person.xy[place] * 0.9, confidence, person.skeleton, fps, person.image_size)


@pytest.fixture(scope="module")
def clips() -> dict[str, pl.Keypoints2D]:
    """Clips of any length and rate: the shortest has one frame, the longest several batches of windows."""
    lengths = {"a/one.npz": 1, "a/short.json": 7, "b/walk.npz": 58, "b/long.csv": 700, "c.npz": 41}
    return {
        name: clip(length, (30.0, 50.0, 25.0)[seed % 3], seed) for seed, (name, length) in enumerate(lengths.items())
    }


@pytest.fixture
def corpus(tmp_path: Path, clips: dict[str, pl.Keypoints2D]) -> Path:
    folder = tmp_path / "corpus"
    for name, keypoints in clips.items():
        write_keypoints(keypoints, folder / name)
    (folder / "a" / "broken.json").write_text('{"x"')
    (folder / "notes.md").write_text("none")
    return folder


def by_clip(out: Path) -> dict[str, list[pl.Poses3D]]:
    """Everyone in every shard, and that no clip is in two of them."""
    found: dict[str, list[pl.Poses3D]] = {}
    for file in sorted(out.glob("poses-*.parquet")):
        here = pl.read_all_poses(file)
        assert not found.keys() & {poses.about["clip"] for poses in here}, "a clip is there twice"
        for poses in here:
            found.setdefault(poses.about["clip"], []).append(poses)
    return found


def assert_same(got: pl.Poses3D, wanted: pl.Poses3D, within_m: float = 1e-5) -> None:
    assert (got.skeleton, got.frame, got.fps, len(got)) == (wanted.skeleton, wanted.frame, wanted.fps, len(wanted))
    for name in ("xyz", *EXTRAS):
        one, other = getattr(got, name), getattr(wanted, name)
        assert (one is None) == (other is None), name
        if one is not None:
            np.testing.assert_allclose(one.astype(float), other.astype(float), rtol=0, atol=within_m, err_msg=name)
    assert got.start_s == pytest.approx(wanted.start_s)


def test_poses_that_differ_are_told_apart() -> None:
    poses = pl.Poses3D(np.zeros((2, 17, 3)), "H36M_17", 30.0)
    with pytest.raises(AssertionError, match="xyz"):
        assert_same(poses, pl.Poses3D(np.full((2, 17, 3), 2e-5), "H36M_17", 30.0))


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(flip=True, lifter="nanohtnet.mocap27-81", repair=False),
        Settings(lifter="posessm.mocap27"),
    ],
)
def test_each_clip_is_lifted_as_by_itself(tmp_path: Path, corpus: Path, clips, settings: Settings) -> None:
    summary = lift_many([corpus], tmp_path / "out", settings, workers=1)
    found = by_clip(tmp_path / "out")
    assert set(found) == set(clips)
    for name in clips:
        (keypoints,) = pl.read_keypoints(corpus / name)
        lifter = None if settings.lifter == "auto" else load_lifter(settings.lifter, threads=1)
        wanted = pl.lift(keypoints, lifter, flip_average=settings.flip, repair=settings.repair, check=False)
        (got,) = found[name]
        assert_same(got, wanted)
        assert dict(got.about) == {**wanted.about, "clip": name}
    assert (summary.clips, summary.lifted, summary.others) == (6, 5, {".md": 1})
    (failed,) = summary.failed
    assert failed["clip"] == "a/broken.json"
    lines = [json.loads(line) for line in (tmp_path / "out" / "failed.jsonl").read_text().splitlines()]
    assert lines == [failed]
    assert failed["error"] == "FormatError"
    assert "broken JSON" in failed["message"]


def test_shards_are_plain_tables(tmp_path: Path, corpus: Path) -> None:
    lift_many([corpus / "b"], tmp_path / "out", Settings(lifter="nanohtnet.mocap27-81"), workers=1)
    table = parquet.read_table(tmp_path / "out" / "poses-00000.parquet")
    assert table.column_names[:5] == ["clip", "frame", "time_s", "gap", "pelvis_x_m"]
    assert {"nose_observed", "nose_spread_m", "up_x", "left_heel_contact", "axes", "person"} <= set(table.column_names)
    rows = table.select(["clip", "frame", "time_s", "person"]).to_pylist()
    assert rows[0] == {"clip": "long.csv", "frame": 0, "time_s": 0.0, "person": None}
    assert rows[-1]["clip"] == "walk.npz"
    assert len(rows) == 758


def test_parquet_in_gives_what_files_give(tmp_path: Path, corpus: Path, clips) -> None:
    """Two people of one clip come at different times, and one clip has no person twice."""
    first, second = clip(90, 30.0, 3), clip(40, 30.0, 4)
    pair = (replace(first, person=1, start_s=2.0), replace(second, person=2, start_s=3.0))
    tables = {name: (keypoints,) for name, keypoints in clips.items()} | {"two": pair}
    write_keypoints_parquet(tables, tmp_path / "in.parquet")
    summary = lift_many([tmp_path / "in.parquet"], tmp_path / "out", workers=1)
    found = by_clip(tmp_path / "out")
    assert summary.failed == []
    assert list(found) == list(tables)
    for name, people in tables.items():
        for got, keypoints in zip(found[name], people, strict=True):
            assert_same(got, pl.lift(keypoints, check=False))
            assert got.person == keypoints.person
    rows = parquet.read_table(tmp_path / "out" / "poses-00000.parquet").to_pylist()
    assert [row["frame"] for row in rows if row["clip"] == "two" and row["person"] == 2][:2] == [90, 91]


def test_a_list_names_clips_relative_to_itself(tmp_path: Path, corpus: Path) -> None:
    (corpus / "some.txt").write_text("# two of them, and one that is not there\nb/walk.npz\n\nc.npz\ngone.npz\n")
    summary = lift_many([corpus / "some.txt"], tmp_path / "out", workers=1)
    assert set(by_clip(tmp_path / "out")) == {"b/walk.npz", "c.npz"}
    assert [line["clip"] for line in summary.failed] == ["gone.npz"]


def test_one_person_that_fails_fails_the_clip_and_no_other(tmp_path: Path, clips) -> None:
    """A network that gives NaN for one clip does not spoil the batch that the clip is in."""
    huge = clip(30, 50.0, 9)
    bad = pl.Keypoints2D(huge.xy * 30, huge.confidence, huge.skeleton, 50.0, huge.image_size)
    write_keypoints_parquet({"good": (clips["c.npz"],), "bad": (bad,), "fine": (huge,)}, tmp_path / "in.parquet")
    summary = lift_many([tmp_path / "in.parquet"], tmp_path / "out", Settings(lifter="bulk_lifter:Picky"), workers=1)
    assert [line["clip"] for line in summary.failed] == ["bad"]
    assert "NaN" in summary.failed[0]["message"]
    assert set(by_clip(tmp_path / "out")) == {"good", "fine"}


@pytest.fixture(autouse=True)
def own_lifter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module with a lifter that gives NaN for windows of people who are far apart, and one that ends its process."""
    (tmp_path / "bulk_lifter.py").write_text(
        "import os, signal\nimport numpy as np\nimport poselift as pl\n\n"
        "class Picky:\n"
        "    skeleton, in_frames, out_frames, fps, in_channels = pl.H36M_17, 1, (0,), 50.0, 2\n"
        "    normalization = 'screen'\n"
        "    def __call__(self, windows):\n"
        "        flat = np.concatenate([windows, np.zeros_like(windows[..., :1])], -1)\n"
        "        return np.where(np.abs(windows).max() > 9, np.nan, 1.0).astype(np.float32) * flat\n\n"
        "class Deadly(Picky):\n"
        "    def __call__(self, windows):\n"
        "        if np.abs(windows).max() > 9:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().__call__(windows)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("bulk_lifter", None)


def shards_of(files: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MOST_CLIPS", files)


def test_a_run_goes_on_where_it_was(tmp_path: Path, corpus: Path, monkeypatch) -> None:
    shards_of(2, monkeypatch)
    out = tmp_path / "out"
    lift_many([corpus], out, workers=1)
    whole = {file.name: file.read_bytes() for file in out.glob("[pmf]*")}
    assert sorted(whole) == ["failed.jsonl", "manifest.json", *(f"poses-0000{n}.parquet" for n in range(3))]
    (out / "poses-00001.parquet").unlink()
    (out / "failed.jsonl").unlink()
    times = {file: file.stat().st_mtime_ns for file in out.glob("poses-*")}
    monkeypatch.setattr(planning, "MOST_CLIPS", 100)  # the manifest has fixed what goes where
    again = lift_many([corpus], out, workers=1)
    assert (again.kept, again.lifted, len(again.failed)) == (2, 5, 1)
    assert {file.name: file.read_bytes() for file in out.glob("[pmf]*")} == whole
    assert {file: file.stat().st_mtime_ns for file in times} == times
    (corpus / "a" / "broken.json").write_bytes((corpus / "a" / "short.json").read_bytes())
    mended = lift_many([corpus], out, workers=1)
    assert (mended.kept, mended.lifted, mended.failed) == (2, 6, [])
    assert not (out / "failed.jsonl").exists()


def test_another_run_is_kept_out_of_the_folder(tmp_path: Path, corpus: Path) -> None:
    out = tmp_path / "out"
    lift_many([corpus / "a"], out, workers=1)
    with pytest.raises(OutputExistsError, match="over 3 clips that are not these 2"):
        lift_many([corpus / "b"], out, workers=1)
    with pytest.raises(OutputExistsError, match="holds a run with flip=False, this one has True"):
        lift_many([corpus / "a"], out, Settings(flip=True), workers=1)
    lift_many([corpus / "b"], out, workers=1, force=True)
    assert set(by_clip(out)) == {"walk.npz", "long.csv"}
    (out / "manifest.json").unlink()
    with pytest.raises(OutputExistsError, match="results of something else"):
        lift_many([corpus / "b"], out, workers=1)
    fcntl = pytest.importorskip("fcntl")
    with (out / ".lift-many.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another run writes into"):
            lift_many([corpus / "b"], out, workers=1, force=True)


def test_what_cannot_be_begun_says_why(tmp_path: Path, corpus: Path, monkeypatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FormatError, match="no keypoint files are there"):
        lift_many([empty], tmp_path / "out", workers=1)
    with pytest.raises(FormatError, match="is not there"):
        lift_many([tmp_path / "gone"], tmp_path / "out", workers=1)
    with pytest.raises(FormatError, match="c.npz' .* name of its own"):
        lift_many([corpus, corpus / "c.npz"], tmp_path / "out", workers=1)
    with pytest.raises(ShapeError, match="1 or more workers"):
        lift_many([corpus], tmp_path / "out", workers=0)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"\[bulk\]"):
        lift_many([corpus], tmp_path / "out", workers=1)


def test_a_clip_that_ends_its_process_is_left_out(tmp_path: Path, clips, monkeypatch) -> None:
    good = clips["c.npz"]
    bad = pl.Keypoints2D(good.xy * 30, good.confidence, good.skeleton, 50.0, good.image_size)
    people = {f"clip{number}": (bad if number == 3 else good,) for number in range(6)}
    write_keypoints_parquet(people, tmp_path / "in.parquet")
    shards_of(2, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(SOURCE), str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    settings = Settings(lifter="bulk_lifter:Deadly")
    summary = lift_many([tmp_path / "in.parquet"], tmp_path / "out", settings, workers=2)
    failed = {line["clip"] for line in summary.failed}
    assert "clip3" in failed
    assert all("2 processes ended by signal 9 at this clip" in line["message"] for line in summary.failed)
    assert set(by_clip(tmp_path / "out")) == {f"clip{number}" for number in range(6)} - failed
    assert failed <= {"clip2", "clip3"}  # windows of both are in one batch


def test_the_verb_reports_and_fails_at_the_end(tmp_path: Path, corpus: Path, capsys) -> None:
    assert main(["lift-many", str(corpus), "-o", str(tmp_path / "out"), "--workers", "1"]) == 1
    told = capsys.readouterr()
    assert "left out, as keypoints have other endings: 1 .md" in told.out
    assert "5 of 6 clips lifted: 807 poses of 5 people" in told.out
    assert "a second with 1 worker;" in told.out
    assert "% of it in the network" in told.out
    assert "a/broken.json" in told.err
    assert "failed.jsonl says why" in told.err
    (corpus / "a" / "broken.json").unlink()
    assert main(["lift-many", str(corpus), "-o", str(tmp_path / "out2"), "--workers", "1"]) == 0
    assert main(["lift-many", "-o", str(tmp_path / "out3")]) == 1
    assert logging.getLogger("poselift").handlers, "the log is as it was"


def started(corpus: Path, out: Path) -> subprocess.Popen:
    paths = [str(SOURCE), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return subprocess.Popen(
        [sys.executable, "-m", "poselift", "lift-many", str(corpus), "-o", str(out), "--workers", "2",
         "--lifter", "nanohtnet.mocap27-27"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.mark.slow  # six processes start, one after the other
@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_killed_or_ended_runs_lose_and_double_nothing(tmp_path: Path, clips) -> None:
    """Killed with its workers, killed alone, ended by Ctrl-C: the next run makes the files of an undisturbed one."""
    count, folder = planning.MOST_CLIPS * 2 + 1, tmp_path / "in"
    folder.mkdir()
    piece = clip(5, 50.0, 0)
    people = {f"clip{number:03d}": (replace(piece, xy=piece.xy + number),) for number in range(count)}
    write_keypoints_parquet(people, folder / "all.parquet")
    lift_many([folder], tmp_path / "whole", Settings(lifter="nanohtnet.mocap27-27"), workers=1)
    whole = {file.name: file.read_bytes() for file in (tmp_path / "whole").glob("poses-*")}
    out, drawn = tmp_path / "out", random.Random(0)
    for way in ("all", "parent", "interrupt"):
        process = started(folder, out)
        deadline = time.monotonic() + 60
        while not (out / "manifest.json").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(drawn.uniform(0.5, 2))
        if way == "all":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            os.kill(process.pid, signal.SIGKILL if way == "parent" else signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode in (-signal.SIGKILL, -signal.SIGINT, 130, 0)  # -2: before it was ready
    last = started(folder, out)
    told = last.communicate(timeout=120)
    assert last.returncode == 0, told
    assert {file.name: file.read_bytes() for file in out.glob("poses-*")} == whole
    assert len(whole) == 3
    assert set(by_clip(out)) == set(people)
    assert [file.name for file in out.glob(".*")] == [".lift-many.lock"]
