"""Videos on the command line, with the detector of the package and small videos made here: what a user sees."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from fractions import Fraction
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import poselift
from poselift.cli import main
from poselift.errors import install_hint
from poselift.formats import read_keypoints_file, read_poses

pytest.importorskip("av", reason="needs the video extra")
import av

DATA = Path(str(resources.files("poselift"))) / "data"
SECOND = DATA / "demo_video.mp4"
SOURCE = Path(poselift.__file__).parents[1]


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def pictures() -> list[np.ndarray]:
    with av.open(str(SECOND)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def encode(path: Path, frames: list[np.ndarray], fps: int = 30, codec: str = "libx264") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "18", "preset": "ultrafast"}
        for number, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def audio(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 44100, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def lifted(tmp_path_factory) -> Path:
    """Results of the second of video, with the keypoints of everybody in it."""
    folder = tmp_path_factory.mktemp("lifted")
    assert run("lift", SECOND, "-o", folder / "out", "--keypoints-out", folder / "people.npz") == 0
    return folder


def test_everybody_in_a_video_gets_results_with_their_number(lifted):
    people = read_keypoints_file(lifted / "people.npz")
    assert [person.person for person in people] == [1, 2]
    stems = {Path(name).name.split(".")[0] for name in names(lifted / "out")}
    assert stems == {"demo_video", "demo_video_person1", "demo_video_person2"}
    for number in (1, 2):
        for ending in ("npz", "json", "csv"):
            poses = read_poses(lifted / "out" / f"demo_video_person{number}.{ending}")
            assert (poses.person, poses.start_s, len(poses)) == (number, 0.0, len(people[0]))
    pages = [name for name in names(lifted / "out") if name.endswith(".html")]
    assert pages == ["demo_video.html"]  # one, with both of them and one copy of the video
    page = (lifted / "out" / "demo_video.html").read_text()
    assert "<title>demo_video.mp4</title>" in page
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert [person["number"] for person in data["people"]] == [1, 2]
    assert data["placed"] and data["camera"]["size"] == data["picture"]["box"][2:]


def test_what_was_detected_once_is_lifted_again_to_the_same(lifted, tmp_path):
    assert run("lift", lifted / "people.npz", "-o", tmp_path, "--formats", "npz", "bvh") == 0
    for number in (1, 2):
        first = read_poses(lifted / "out" / f"demo_video_person{number}.npz")
        again = read_poses(tmp_path / f"people_person{number}.npz")
        for name in ("xyz", "observed", "gap"):
            np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
        assert (again.person, again.fps, again.frame) == (first.person, first.fps, first.frame)
        for ending in ("bvh", "bvh.json"):
            old, new = (
                (lifted / "out" / f"demo_video_person{number}.{ending}"),
                tmp_path / f"people_person{number}.{ending}",
            )
            assert old.read_bytes() == new.read_bytes()


@pytest.mark.parametrize("choice", ["1", "2", "largest"])
def test_one_of_the_people_keeps_the_number(lifted, tmp_path, choice, capsys):
    assert run("lift", lifted / "people.npz", "-o", tmp_path, "--formats", "npz", "--people", choice) == 0
    (name,) = names(tmp_path)
    number = int(re.fullmatch(r"people_person(\d)\.npz", name)[1])
    assert read_poses(tmp_path / name).person == number
    assert choice in ("largest", str(number))
    assert f"people.npz, person {number}: " in capsys.readouterr().out


def test_the_person_at_a_pixel(lifted, tmp_path):
    people = read_keypoints_file(lifted / "people.npz")
    for number, person in enumerate(people, 1):
        x, y = np.nanmean(person.xy[10], 0)
        out = tmp_path / str(number)
        place = f"{x:.0f},{y:.0f}@{10.2 / person.fps:.3f}"
        assert run("lift", lifted / "people.npz", "-o", out, "--formats", "npz", "--people", place) == 0
        assert names(out) == [f"people_person{number}.npz"]


@pytest.mark.parametrize("choice", ["9", "bob", "1,2@77"])
def test_somebody_who_is_not_there_is_an_error(lifted, tmp_path, choice, capsys):
    assert run("lift", lifted / "people.npz", "-o", tmp_path / "out", "--people", choice) == 1
    assert "--people" in capsys.readouterr().err
    assert names(tmp_path) == []


def test_a_part_of_a_video_starts_at_its_own_time(tmp_path):
    flags = ("--formats", "npz", "html", "--people", "largest", "--start", "0.4", "--stop", "0.8")
    assert run("lift", SECOND, "-o", tmp_path / "out", *flags, "--keypoints-out", tmp_path / "part.npz") == 0
    (name,) = [name for name in names(tmp_path / "out") if name.endswith(".npz")]
    poses = read_poses(tmp_path / "out" / name)
    assert poses.start_s == pytest.approx(0.4, abs=0.5 / poses.fps)
    assert len(poses) == pytest.approx(0.4 * poses.fps, abs=1)
    assert run("lift", tmp_path / "part.npz", "-o", tmp_path / "again", "--formats", "npz", "--people", "largest") == 0
    (again,) = names(tmp_path / "again")
    assert read_poses(tmp_path / "again" / again).start_s == poses.start_s


def test_somebody_alone_has_the_plain_name(tmp_path):
    """The half of the picture that shows one of the two."""
    frames = pictures()
    width = frames[0].shape[1] // 4 * 2
    sides = [[rgb[:, :width] for rgb in frames], [rgb[:, -width:] for rgb in frames]]
    alone = 0
    for number, side in enumerate(sides):
        path, out = encode(tmp_path / f"side{number}.mp4", side), tmp_path / f"out{number}"
        if run("lift", path, "-o", out, "--formats", "npz") == 0 and names(out) == [f"side{number}.npz"]:
            assert read_poses(out / f"side{number}.npz").person is None
            alone += 1
    assert alone


EMPTY = [np.zeros((120, 160, 3), np.uint8)] * 10


@pytest.fixture
def bad(tmp_path) -> dict[str, Path]:
    """Files that are no video of a person, by what they are."""
    folder = tmp_path / "in"
    folder.mkdir()
    made = {
        "audio": audio(folder / "audio.mp4"),
        "nobody": encode(folder / "nobody.mp4", EMPTY),
        "text": folder / "text.mp4",
        "list": folder / "list.mp4",
        "empty": folder / "empty.mp4",
        "no frames": encode(folder / "frames.mp4", EMPTY),
        "picture": folder / "picture.mp4",
    }
    made["text"].write_text("hello\n" * 99)
    made["list"].write_text("ffconcat version 1.0\nfile nobody.mp4\n")
    made["empty"].touch()
    data = made["no frames"].read_bytes()
    start, end = data.index(b"mdat") + 4, data.index(b"moov")
    made["no frames"].write_bytes(data[:start] + bytes(end - start) + data[end:])
    made["picture"].write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    return made


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("audio", "holds no video, only: audio"),
        ("nobody", "no person was found in any of the 10 frames"),
        ("text", "cannot read"),
        ("list", "cannot read"),
        ("empty", "cannot read"),
        ("no frames", "holds no picture that can be decoded"),
        ("picture", "cannot read"),
    ],
)
def test_what_shows_nobody_is_refused_and_nothing_is_written(bad, tmp_path, capsys, what, words):
    assert run("lift", bad[what], "-o", tmp_path / "out", "--keypoints-out", tmp_path / "people.npz") == 1
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said
    assert names(tmp_path) == names(tmp_path / "in")


def test_tiny_people_are_not_made_up(tmp_path, capsys):
    """Two people of 15 pixels: nobody is found, or it is said how rough they are."""
    small = [rgb[::16, ::16] for rgb in pictures()]
    canvas = [np.full((360, 640, 3), 110, np.uint8) for _ in small]
    for large, rgb in zip(canvas, small, strict=True):
        large[100 : 100 + rgb.shape[0], 300 : 300 + rgb.shape[1]] = rgb
    status = run("lift", encode(tmp_path / "tiny.mp4", canvas), "-o", tmp_path / "out", "--formats", "npz")
    said = " ".join(capsys.readouterr().err.split())
    if status:
        assert "no person was found" in said and "not small in the picture" in said
        assert names(tmp_path) == ["tiny.mp4"]
    else:
        assert "below 64 the joints are rough" in said


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"not a model", "is no network that ONNX Runtime can open"), (None, "is not a file"), ("other", "")],
)
def test_models_that_are_none_are_refused(tmp_path, capsys, content, words):
    model = tmp_path / "model.onnx"
    if content == "other":  # a network, of another kind
        shutil.copy(next((SOURCE / "poselift" / "weights").rglob("*.onnx")), model)
    elif content is not None:
        model.write_bytes(content)
    assert run("lift", SECOND, "-o", tmp_path / "out", "--detector-model", model) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "model.onnx" in said and words in said and "Traceback" not in said
    assert names(tmp_path / "out") == []


def test_without_pyav_the_command_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert run("lift", SECOND, "-o", tmp_path / "out") == 1
    assert install_hint("video") in capsys.readouterr().err
    assert names(tmp_path) == []


def test_keypoints_out_replaces_neither_inputs_nor_results(lifted, tmp_path, capsys):
    people = shutil.copy(lifted / "people.npz", tmp_path / "people.npz")
    before = people.read_bytes()
    flags = ("--formats", "npz", "--force", "--keypoints-out")
    assert run("lift", people, "-o", tmp_path / "out", *flags, people) == 1
    assert "people.npz is an input and is never overwritten" in capsys.readouterr().err
    assert run("lift", people, "-o", tmp_path / "out", *flags, tmp_path / "out" / "people_person2.npz") == 1
    assert "choose another file for --keypoints-out" in capsys.readouterr().err
    assert run("lift", people, "-o", tmp_path / "out", *flags, tmp_path / "people.json") == 1
    assert "wanted --keypoints-out as an .npz file" in capsys.readouterr().err
    assert run("lift", people, SECOND, "-o", tmp_path / "two", *flags, tmp_path / "both.npz") == 1
    assert "takes the keypoints of one input" in capsys.readouterr().err
    assert people.read_bytes() == before
    assert not (tmp_path / "both.npz").exists()


def command(*arguments: object, **how: object) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "poselift", *map(str, arguments)], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, preexec_fn=usual_signals, **how,
    )  # fmt: skip


def usual_signals() -> None:
    """Undo what a shell has set, such as `nohup`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_detected_is_written_when_a_signal_ends_the_work(tmp_path, number):
    """The pictures come through a pipe, which holds none of them: of forty written, some have been looked at."""
    frames = pictures()
    height, width = frames[0].shape[:2]
    kept, out = tmp_path / "people.npz", tmp_path / "out"
    raw = ("--raw", "rgb24", "--image-size", width, height, "--fps", 30)
    process = command("lift", "-", "-o", out, "--keypoints-out", kept, *raw, stdin=subprocess.PIPE)
    for frame in (frames + frames[::-1])[:40]:
        process.stdin.write(frame.tobytes())
    process.send_signal(number)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert b"the work was interrupted" in said
    people = read_keypoints_file(kept)
    assert 1 <= len(people[0]) < 40
    assert names(tmp_path) == ["people.npz"]


@pytest.mark.slow
def test_standard_input_is_lifted_encoded_or_raw(tmp_path, lifted):
    frames = pictures()[:10]
    stream = encode(tmp_path / "a.ts", frames)
    flags = ("--formats", "npz", "html", "--people", "largest")
    with stream.open("rb") as file:
        process = command("lift", "-", "-o", tmp_path / "coded", *flags, stdin=file)
        said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert b"standard input" in said
    (name,) = [name for name in names(tmp_path / "coded") if name.endswith("npz")]
    assert len(read_poses(tmp_path / "coded" / name)) == 10
    height, width = frames[0].shape[:2]
    raw = ("--raw", "rgb24", "--image-size", width, height, "--fps", 30)
    process = command("lift", "-", "-o", tmp_path / "raw", *flags, *raw, stdin=subprocess.PIPE)
    said, errors = process.communicate(b"".join(frame.tobytes() for frame in frames), timeout=300)
    assert process.returncode == 0, errors
    (name,) = [name for name in names(tmp_path / "raw") if name.endswith("npz")]
    assert len(read_poses(tmp_path / "raw" / name)) == 10
    assert re.fullmatch(r"stdin(_person\d)?\.npz", name)


def test_raw_pictures_without_their_size_say_what_is_missing(tmp_path, capsys):
    assert run("lift", "-", "-o", tmp_path, "--raw", "rgb24") == 1
    assert "--image-size WIDTH HEIGHT and --fps" in " ".join(capsys.readouterr().err.split())
