"""`poselift live`: keypoints on standard input and a video, to lines, avatars and sockets, until it is ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import poselift as pl
from poselift.cli import main

SOURCE = Path(pl.__file__).parents[1]
DATA = Path(str(resources.files("poselift"))) / "data"


@pytest.fixture(scope="module")
def lines():
    """Half a second of the bundled clip, as a stream delivers it."""
    (person,) = pl.read_keypoints(str(DATA / "demo.npz"))
    frames = np.concatenate([person.xy, person.confidence[..., None]], -1)[:15].round(3)
    head = {"skeleton": person.skeleton.name}
    return [json.dumps({"time_s": i / 30, **head, "people": [frame.tolist()]}) for i, frame in enumerate(frames)]


def started(*arguments):
    paths = [str(SOURCE), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return subprocess.Popen(
        [sys.executable, "-m", "poselift", "live", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_keypoints_on_standard_input_come_out_as_poses(lines):
    process = started("--input", "-")
    out, said = process.communicate("\n".join([*lines[:5], "", *lines[3:]]), timeout=120)
    assert process.returncode == 0, said
    frames = [json.loads(line) for line in out.splitlines()]
    assert len(frames) == 5 + 2 + 10  # two come again, late
    assert (
        "live: 15 frames lifted, 0 dropped because they came too fast, 1 late and 1 repeated ones ignored; 1 people"
        in said
    )
    assert "relative to the pelvis, as the picture's size is not known" in said and "settled" not in frames[0]
    shown = [frame for frame in frames if frame["people"]]
    assert len(shown) == 15
    assert np.array(shown[-1]["people"][0]["xyz_m"]).shape == (27, 3)
    assert shown[-1]["people"][0]["time_s"] == pytest.approx(14 / 30, abs=1e-5)


@pytest.mark.parametrize(("given", "count"), [([], 3), (["--no-repair"], 0)])
def test_frames_to_which_a_body_jumps_are_left_out_and_counted(lines, given, count):
    frames = [json.loads(line) for line in lines]
    for number in (10, 11, 12):  # the detector doubles the person
        pose = np.array(frames[number]["people"][0])
        pose[:, :2] += pose[:, :2] - pose[:, :2].mean(0)
        frames[number]["people"] = [pose.tolist()]
    process = started("--input", "-", "--json", *given)
    out, said = process.communicate("\n".join(map(json.dumps, frames)), timeout=120)
    assert process.returncode == 0, said
    *poses, answer = map(json.loads, out.splitlines())
    assert answer["result"]["left_out"] == count and answer["result"]["people"] == 1
    assert ("left out in which a body jumped" in said) == bool(count)
    assert [any(pose["people"][0]["observed"]) for pose in poses] == [
        not count or n not in (10, 11, 12) for n in range(15)
    ]


@pytest.mark.parametrize("given", [[], ["--people", "largest"]])
def test_one_person_or_everybody_is_lifted(lines, given):
    frames = [json.loads(line) for line in lines]
    alone = [frame["people"][0] for frame in frames]
    for number, frame in enumerate(frames):
        child = np.array(frame["people"][0])
        child[:, :2] = child[:, :2] / 2 + (500, 0)
        frame["people"] = [child.tolist(), *frame["people"]] if number != 7 else []
    process = started("--input", "-", "--json", *given)
    out, said = process.communicate("\n".join(map(json.dumps, frames)), timeout=120)
    assert process.returncode == 0, said
    *poses, answer = map(json.loads, out.splitlines())
    assert {len(pose["people"]) for pose in poses} == ({1} if given else {2})
    assert answer["result"]["people"] == (1 if given else 2)
    assert [person["person"] for person in poses[-1]["people"]] == ([1] if given else [1, 2])
    if given:
        live = pl.LiveLifter()
        for number, (pose, person) in enumerate(zip(poses, alone, strict=True)):
            person = np.array(person) if number != 7 else np.zeros((len(person), 3))
            wanted = live.push(person, frames[0]["skeleton"], number / 30)
            np.testing.assert_allclose(pose["people"][0]["xyz_m"], wanted.xyz[0], atol=1e-4)


def test_with_the_size_of_the_picture_people_are_in_the_world(lines):
    process = started("--input", "-", "--image-size", "1280", "720", "--height", "1.8", "--fov", "60")
    out, said = process.communicate("\n".join(lines), timeout=120)
    assert process.returncode == 0, said
    assert "in the world, whose floor converges" in said and "guess" not in said
    last = json.loads(out.splitlines()[-1])
    assert (last["frame"], last["settled"]) == ("world", False)
    (person,) = last["people"]
    assert person["up"] == [0, 0, 1] and len(person["path_m"]) == 3
    low, high = (op(joint[2] for joint in person["xyz_m"]) for op in (min, max))
    assert 1.3 < high - low < 2.1


@pytest.mark.parametrize(
    "given", [["--no-world", "--height", "1.8"], ["--fov", "60", "--focal", "900"], ["--camera-pitch", "500"]]
)
def test_contradictions_about_the_world_are_refused(given, capsys):
    assert main(["live", "--input", "-", *given]) == 1
    said = capsys.readouterr().err
    assert ("pitch_deg" if "--camera-pitch" in given else given[-2]) in said


def test_each_line_is_answered_at_once(lines):
    process = started("--input", "-")
    try:
        for line in lines[:3]:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["people"]
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
def test_a_signal_ends_it_with_the_report(lines, number):
    before = signal.signal(number, signal.SIG_DFL)  # a shell ignores Ctrl-C for what it runs in the background
    process = started("--input", "-")
    signal.signal(number, before)
    process.stdin.write(lines[0] + "\n")
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(number)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert out == ""
    assert "live: 1 frames lifted" in said
    assert "Traceback" not in said


def test_avatars_get_packets(lines):
    pytest.importorskip("pythonosc", reason="needs the live extra")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(60)
        process = started("--input", "-", "--no-lines", "--vmc", str(receiver.getsockname()[1]))
        out, said = process.communicate("\n".join(lines[:3]), timeout=120)
        packets = [receiver.recv(65536) for _ in range(3)]
    assert process.returncode == 0, said
    assert out == ""
    assert all(packet.startswith(b"#bundle") and b"/VMC/Ext/Bone/Pos" in packet for packet in packets)


def test_a_video_is_lifted_at_its_pace():
    pytest.importorskip("av", reason="needs the video extra")
    begun = time.monotonic()
    process = started("--input", str(DATA / "demo_video.mp4"))
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert time.monotonic() - begun >= 0.9  # it is a second long
    frames = [json.loads(line) for line in out.splitlines()]
    assert frames
    assert any(frame["people"] for frame in frames)
    assert "milliseconds, median (95 %): detection" in said


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--input", "-", "--no-lines"), "nowhere to send poses to"),
        (("--input", "-", "--delay", "-1"), "wanted a delay"),
        (("--input", "-", "--vmc", "here:there"), "wanted HOST:PORT"),
        (("--input", "-", "--skeleton", "COCO_99"), "unknown skeleton"),
        (("--input", "-", "--lifter", "nanohtnet.mocap-81"), "give delay_s=0.72 (--delay 0.72)"),
        (("--input", "nothing.mp4"), "does not exist"),
    ],
)
def test_what_is_wrong_is_said(arguments, why, capsys):
    if arguments[1].endswith("mp4"):
        pytest.importorskip("av", reason="needs the video extra")
    assert main(["live", *arguments]) == 1
    assert why in " ".join(capsys.readouterr().err.split())


def test_a_broken_line_is_named(lines):
    process = started("--input", "-")
    out, said = process.communicate("\n".join([lines[0], "{"]), timeout=60)
    assert process.returncode == 1
    assert len(out.splitlines()) == 1
    assert "line 2 of the keypoints: no JSON" in " ".join(said.split())
