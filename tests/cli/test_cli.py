import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import resources
from importlib.abc import MetaPathFinder
from pathlib import Path

import numpy as np
import pytest

from poselift import __version__
from poselift.cli import LAB_VERBS, VERBS, lifting, main
from poselift.cli.results import FORMATS
from poselift.datasets.clip import MocapClip
from poselift.errors import install_hint
from poselift.formats import files_of, read_poses, write_keypoints
from poselift.formats.angle_table import read_angles
from poselift.formats.bvh import read_bvh
from poselift.lifters.load import load_lifter, shipped_lifters
from poselift.people import numbered
from poselift.prepare.swaps import put_back
from poselift.read import read_keypoints
from poselift.sequence import Keypoints2D
from poselift.skeleton import BODY_27, H36M_17, HALPE_26

DEMO = Path(str(resources.files("poselift") / "data" / "demo.npz"))


@pytest.fixture(autouse=True)
def default_lifter(monkeypatch, fake_lifter):
    """No weights are opened: every name is the fake lifter."""
    monkeypatch.setattr(lifting, "load_lifter", lambda name="", **_: fake_lifter())


@pytest.fixture
def clip(tmp_path) -> Path:
    """The first frames of the bundled clip."""
    (person,) = read_keypoints(DEMO)
    path = tmp_path / "in" / "clip.npz"
    write_keypoints(person.with_frames(person.xy[:6], person.confidence[:6], person.fps), path)
    return path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


def written(name: str) -> list[str]:
    """Names of all files that are written for a person by default."""
    return sorted(file.name for ending in FORMATS for file in files_of(Path(f"{name}.{ending}")))


def assert_error(capsys, *words: str) -> None:
    """One error on stderr with these words, without a traceback."""
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err + captured.out
    assert all(word in captured.err for word in words), captured.err


def test_lift_writes_every_format_and_says_so(clip, tmp_path, capsys):
    out = tmp_path / "new" / "out"
    assert run("lift", clip, "--out", out) == 0
    assert names(out) == written("clip")
    assert len(read_poses(out / "clip.npz")) == 6
    assert re.fullmatch(
        r"clip\.npz: nanohtnet\.mocap27.*\nclip\.npz: camera: focal length .*--focal or --fov.*\n"
        r"(clip\.npz: \w+: .*\n)+"
        r"clip\.npz: 6 frames at 30 fps, MEDIAPIPE_33, \d+ % of the joints seen\n"
        r"-> .*clip\.\{npz,csv,json,bvh,html\} \(axes of the world\)\n", capsys.readouterr().out,
    )  # fmt: skip
    assert "clip.npz" in (out / "clip.html").read_text()  # the page is titled by what was lifted


def test_shares_of_a_picture_and_numbers_of_every_fifth_frame(clip, tmp_path, capsys):
    """The errors name the flags that help."""
    (person,) = read_keypoints(clip)
    entries = [
        {"image_id": 5 * number, "keypoints": np.c_[xy / person.image_size, scores].ravel().tolist()}
        for number, (xy, scores) in enumerate(zip(*person.filled(), strict=True))
    ]
    file = tmp_path / "in" / "list.json"
    file.write_text(json.dumps(entries))
    flags = ["lift", file, "-o", tmp_path / "out", "--fps", person.fps]
    assert run(*flags) == 1
    assert_error(capsys, "--frame-step 5,")
    assert run(*flags, "--frame-step", 5) == 1
    assert_error(capsys, "--image-size WIDTH HEIGHT")
    assert run(*flags, "--frame-step", 5, "--image-size", *person.image_size) == 0
    assert run("lift", clip, "-o", tmp_path / "out") == 0
    same, wanted = (read_poses(tmp_path / "out" / f"{name}.npz") for name in ("list", "clip"))
    np.testing.assert_allclose(same.xyz, wanted.xyz, atol=1e-3)


def test_formats_can_be_chosen(clip, tmp_path):
    assert run("lift", clip, "-o", tmp_path / "out", "--formats", "npz", "json") == 0
    assert names(tmp_path / "out") == ["clip.json", "clip.npz"]


def test_rig_unit_and_weights_are_passed_on(clip, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("lift", clip, "-o", out, "--formats", "bvh", "glb", "vrma", "--rig", "mixamo", "--unit", "m") == 0
    assert names(out) == ["clip.bvh", "clip.bvh.json", "clip.glb", "clip.vrma"]
    bvh, notes = read_bvh(out / "clip.bvh"), json.loads((out / "clip.bvh.json").read_text())
    assert bvh.joints[0] == "mixamorig:Hips"
    assert 0.3 < bvh.xyz[0, 0, 1] < 3  # metres, of a lifter without a network
    assert (notes["rig"], notes["unit"]) == ("mixamo", "m")
    assert b'"about":{"weights":"' in (out / "clip.glb").read_bytes()
    with pytest.raises(SystemExit):
        run("lift", clip, "-o", out, "--rig", "maya")
    assert "mixamo" in capsys.readouterr().err


def test_joint_angles_are_written_beside_the_poses(clip, tmp_path):
    chosen = ("-o", tmp_path / "out", "--formats", "npz", "mot", "--angles")
    assert run("lift", clip, *chosen) == 0
    assert names(tmp_path / "out") == ["clip.mot", "clip.npz", "clip_angles.csv"]
    angles = read_angles(tmp_path / "out" / "clip_angles.csv")
    assert len(angles) == len(read_poses(tmp_path / "out" / "clip.npz"))
    (tmp_path / "out" / "clip.npz").unlink()
    (tmp_path / "out" / "clip.mot").unlink()
    assert run("lift", clip, *chosen) == 1  # the angles are there
    assert run("lift", clip, *chosen, "--force") == 0


def test_flip_and_lifter_are_passed_on(clip, tmp_path, monkeypatch, fake_lifter):
    opened, lifter = [], fake_lifter()
    monkeypatch.setattr(lifting, "load_lifter", lambda name, **_: opened.append(name) or lifter)
    assert run("lift", clip, "-o", tmp_path, "--formats", "npz", "--lifter", "mine.onnx", "--flip") == 0
    assert opened == ["mine.onnx"]
    assert len(lifter.calls) == 2


def test_skeleton_and_fps_are_passed_on(tmp_path):
    (person,) = read_keypoints(DEMO)
    np.savez(tmp_path / "clip.npz", xy=person.xy)
    assert run("lift", tmp_path / "clip.npz", "-o", tmp_path / "out", "--formats", "npz") == 1
    assert run("lift", tmp_path / "clip.npz", "-o", tmp_path / "out", "--formats", "npz", "--fps", 12) == 0
    assert read_poses(tmp_path / "out" / "clip.npz").fps == 12
    assert run("lift", tmp_path / "clip.npz", "-o", tmp_path / "b", "--fps", 12, "--skeleton", "COCO_17") == 1


def test_existing_results_are_kept_byte_for_byte(clip, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "clip.json").write_bytes(b"precious")
    with monkeypatch.context() as patch:
        patch.setattr(lifting, "read_everyone", lambda *_, **__: pytest.fail("refused only after the work"))
        assert run("lift", clip, "-o", out) == 1
    assert_error(capsys, "clip.json exists and is kept", "--force")
    assert names(out) == ["clip.json"]
    assert (out / "clip.json").read_bytes() == b"precious"
    assert run("lift", clip, "-o", out, "--force") == 0
    assert json.loads((out / "clip.json").read_text())
    assert len(names(out)) == len(written("clip"))


def test_results_are_written_in_the_joints_asked_for(clip, tmp_path, monkeypatch, fake_lifter, capsys):
    monkeypatch.setattr(lifting, "load_lifter", lambda name="", **_: fake_lifter(skeleton=BODY_27))
    assert run("lift", clip, "--out", tmp_path / "out", "--lifter", "x.y", "--skeleton-out", "halpe-26") == 0
    assert read_poses(tmp_path / "out" / "clip.npz").skeleton == HALPE_26
    assert '"left_heel"' in (tmp_path / "out" / "clip.html").read_text()
    capsys.readouterr()
    assert run("lift", clip, "--out", tmp_path / "no", "--lifter", "x.y", "--skeleton-out", "MEDIAPIPE_33") == 1
    assert_error(capsys, "BODY_27 cannot be written as MEDIAPIPE_33", "nothing gives left_eye_inner")
    assert run("lift", "missing.npz", "--out", tmp_path / "no", "--skeleton-out", "HALPE_27") == 1
    assert_error(capsys, "unknown skeleton 'HALPE_27'; did you mean 'HALPE_26'")
    assert names(tmp_path / "no") == []


def test_inputs_whose_results_exist_are_left_out_and_the_others_lifted(clip, tmp_path, capsys):
    other = shutil.copy(clip, clip.with_name("other.npz"))
    out = tmp_path / "out"
    assert run("lift", clip, "-o", out) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    capsys.readouterr()
    assert run("lift", clip, other, "-o", out) == 1
    shown = capsys.readouterr()
    assert shown.err.count("error:") == 1
    assert shown.err.startswith(
        f"error: {clip}: {out / 'clip.npz'} exists and is kept; choose another name, or allow overwriting (--force)\n"
    )
    assert "other.npz: 6 frames" in shown.out and "clip.npz: 6 frames" not in shown.out
    assert {path.name: path.read_bytes() for path in out.glob("clip.*")} == before
    assert len(names(out)) == 2 * len(written("clip"))


def test_results_of_a_second_person_are_looked_for_before_anyone_is_lifted(clip, tmp_path, capsys, monkeypatch):
    people = numbered(read_keypoints(clip) * 2)
    monkeypatch.setattr(lifting, "read_everyone", lambda *_, **__: pytest.fail("refused only after the work"))
    (tmp_path / "clip_person2.csv").write_text("precious")
    for choice in ([], ["--people", "2"]):
        assert run("lift", clip, "-o", tmp_path, "--formats", "npz", "csv", *choice) == 1
        assert_error(capsys, "clip_person2.csv exists and is kept")
    monkeypatch.setattr(lifting, "read_everyone", lambda *_, **__: people[1:])
    assert run("lift", clip, "-o", tmp_path, "--formats", "npz", "csv", "--people", "largest") == 1
    assert_error(capsys, "clip_person2.csv exists and is kept")
    assert names(tmp_path) == ["clip_person2.csv", "in"]


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_an_input_is_never_overwritten(clip, tmp_path, capsys, force):
    before, folder = clip.read_bytes(), clip.parent
    for place in (folder, tmp_path / "link"):
        if place != folder:
            place.symlink_to(folder)
        assert run("lift", clip, "-o", place, *force) == 1
        assert_error(capsys, "clip.npz is an input and is never overwritten", "choose another place (--out)")
        assert names(folder) == ["clip.npz"]
        assert clip.read_bytes() == before


def test_a_file_of_an_input_folder_is_never_overwritten(clip, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(lifting, "read_everyone", lambda *_, **__: pytest.fail("refused only after the work"))
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "frames.json").write_text("{}")
    assert run("lift", folder, "-o", folder, "--force") == 1
    assert_error(capsys, "frames.json is an input and is never overwritten")
    assert names(folder) == ["frames.json"]


def test_names_are_reserved_through_the_whole_call(clip, tmp_path, capsys, monkeypatch):
    """The second person of one input must not be lost to another input of the name that their results have."""
    (person,) = read_keypoints(clip)
    monkeypatch.setattr(lifting, "read_everyone", lambda path, **_: numbered((person,) * (2 if path == clip else 1)))
    second = shutil.copy(clip, clip.with_name("clip_person2.npz"))
    assert run("lift", clip, second, "-o", tmp_path / "out", "--formats", "json", "--force") == 1
    assert_error(capsys, f"a person in {clip} and those of {second} would both be called clip_person2", "one by one")
    assert names(tmp_path / "out") == ["clip_person2.json"]


def test_a_name_of_dots_stays_in_the_folder(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(clip, tmp_path / "..npz")
    assert run("lift", "./..npz", "-o", "out") == 0
    assert names(tmp_path / "out") == written("npz")
    assert names(tmp_path) == ["..npz", "in", "out"]


def test_a_broken_file_does_not_stop_the_others(clip, tmp_path, capsys):
    broken = clip.with_name("broken.npz")
    broken.write_bytes(b"PK not really")
    good = shutil.copy(clip, clip.with_name("other.npz"))
    assert run("lift", broken, clip, "missing.json", good, "-o", tmp_path / "out", "--formats", "npz") == 1
    assert names(tmp_path / "out") == ["clip.npz", "other.npz"]
    errors = capsys.readouterr().err.splitlines()
    assert all(line.startswith("error: ") for line in errors)
    assert [name in line for name, line in zip((str(broken), "missing.json"), errors, strict=True)] == [True, True]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.npz"], ["missing.npz is not there"]),
        (["missing.mp4"], ["missing.mp4"]),
        (["keypoints.xyz"], ["unknown ending '.xyz'", "known: .npz, .npy, .csv"]),
        (["missing.npz", "--formats", "fbx", "npz"], ["unknown formats fbx", "known: npz, csv, json, parquet, bvh, "]),
        (["missing.npz", "--formats"], ["formats"]),
        ([], ["nothing to lift"]),
        (["a/clip.npz", "b/clip.json"], ["several inputs are called clip", "different folders"]),
    ],
)
def test_wrong_inputs_are_refused_with_a_reason(tmp_path, capsys, arguments, words):
    assert run("lift", *arguments, "--out", tmp_path / "out") == 1
    assert_error(capsys, *words)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def gappy(tmp_path) -> Path:
    """Sixty frames at 20 a second, of which nobody is seen in 20 to 39."""
    (person,) = read_keypoints(DEMO)
    xy = np.resize(person.xy, (60, *person.xy.shape[1:]))
    xy[20:40] = np.nan
    write_keypoints(Keypoints2D(xy, None, person.skeleton, 20.0, person.image_size), tmp_path / "in" / "gappy.npz")
    return tmp_path / "in" / "gappy.npz"


def test_frames_that_show_nobody_are_named_and_marked(gappy, tmp_path, capsys):
    assert run("lift", gappy, "-o", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "gappy.npz: nobody is seen in frames 20-39; they were filled in" in said
    assert "gappy.npz: frames 25-34 are more than 0.25 s away from any that shows the person; they were marked" in said
    for ending in ("npz", "csv", "json"):
        assert read_poses(tmp_path / "out" / f"gappy.{ending}").gaps == [(25, 34)]
    assert json.loads((tmp_path / "out" / "gappy.bvh.json").read_text())["gaps"] == [[25, 34]]
    assert '"gaps":[[25,34]]' in (tmp_path / "out" / "gappy.html").read_text()


def test_gaps_are_filled_or_cut_where_that_is_asked_for(gappy, tmp_path, capsys):
    assert run("lift", gappy, "-o", tmp_path / "filled", "--formats", "npz", "--gaps", "fill") == 0
    poses = read_poses(tmp_path / "filled" / "gappy.npz")
    assert (len(poses), poses.gap, poses.unseen) == (60, None, [(20, 39)])
    assert run("lift", gappy, "-o", tmp_path / "cut", "--formats", "npz", "html", "--gaps", "cut") == 0
    assert (
        "25-34 are more than 0.25 s away from any that shows the person; they were cut out" in capsys.readouterr().out
    )
    parts = [read_poses(tmp_path / "cut" / f"gappy_part{number}.npz") for number in (1, 2)]
    assert [(len(part), part.start_s) for part in parts] == [(25, 0.0), (25, 1.75)]
    assert names(tmp_path / "cut") == sorted(f"gappy_part{n}.{ending}" for n in (1, 2) for ending in ("html", "npz"))


def test_poses_are_turned_into_the_camera_s_frame(clip, tmp_path, capsys):
    assert run("lift", clip, "-o", tmp_path / "a", "--formats", "npz", "--no-world") == 0
    assert read_poses(tmp_path / "a" / "clip.npz").frame == "turned_camera"
    assert run("lift", clip, "-o", tmp_path / "b", "--formats", "npz", "--frame", "camera") == 1
    assert_error(capsys, "to turn that into camera, give the camera", "--focal")
    turn = ["--frame", "camera", "--focal", "1200"]
    assert run("lift", clip, "-o", tmp_path / "b", "--formats", "npz", *turn) == 0
    poses = read_poses(tmp_path / "b" / "clip.npz")
    assert (poses.frame, poses.camera.K[0, 0]) == ("camera", 1200)


def test_people_are_placed_in_the_world(clip, tmp_path, capsys, monkeypatch):
    """By default; the flags say what the clip does not, and files hold path and camera."""
    monkeypatch.setattr(lifting, "load_lifter", load_lifter)
    flags = [
        "--height",
        "1.8",
        "--fov",
        "60",
        "--camera-pitch",
        "10",
        "--camera-roll",
        "-2",
        "--formats",
        "npz",
        "json",
    ]
    assert run("lift", clip, "-o", tmp_path / "a", *flags) == 0
    said = capsys.readouterr().out
    assert "1.8 m" in said
    assert "looks down by 10.0 degrees, is turned by -2.0" in said
    assert "guess" not in said
    poses = read_poses(tmp_path / "a" / "clip.npz")
    assert (poses.frame, poses.skeleton.name) == ("world", "BODY_27")
    width = poses.camera.image_size[0]
    assert poses.camera.K[0, 0] == pytest.approx(width / 2 / np.tan(np.deg2rad(30)))
    np.testing.assert_allclose(read_poses(tmp_path / "a" / "clip.json").absolute(), poses.absolute(), atol=1e-4)
    (person,) = read_keypoints(clip)
    hips = poses.camera.project(poses.absolute()[:, poses.skeleton.indices(("left_hip", "right_hip"))])
    seen = person.xy[:, person.skeleton.indices(("left_hip", "right_hip"))]
    assert np.median(np.linalg.norm(hips - seen, axis=-1)) < 0.05 * width
    assert run("lift", clip, "-o", tmp_path / "b", "--skeleton-out", "HALPE_26", "--formats", "npz") == 0
    assert read_poses(tmp_path / "b" / "clip.npz").skeleton.name == "HALPE_26"
    assert read_poses(tmp_path / "b" / "clip.npz").frame == "world"


def test_without_the_picture_s_size_results_stay_relative_and_the_flag_is_named(clip, tmp_path, capsys):
    (person,) = read_keypoints(clip)
    entries = [{"keypoints": np.c_[xy, scores].ravel().tolist(), "image_id": number} for number, (xy, scores) in
               enumerate(zip(*person.filled(), strict=True))]  # fmt: skip
    file = tmp_path / "in" / "list.json"
    file.write_text(json.dumps(entries))
    assert run("lift", file, "-o", tmp_path / "out", "--fps", person.fps, "--formats", "npz") == 0
    assert "--image-size WIDTH HEIGHT" in capsys.readouterr().out
    assert read_poses(tmp_path / "out" / "list.npz").frame == "turned_camera"
    size = ["--image-size", *person.image_size]
    assert run("lift", file, "-o", tmp_path / "two", "--fps", person.fps, "--formats", "npz", *size) == 0
    assert read_poses(tmp_path / "two" / "list.npz").frame == "world"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--focal", "1000", "--fov", "60"], "--focal and --fov"),
        (["--fov", "200"], "field of view from 1 to 170"),
        (["--height", "180"], "0.5 to 2.6 metres"),
        (["--height", "1.8", "1.7", "1.6"], "one for each of 1 people"),
        (["--bones", "thigh=43"], "thigh in metres"),
        (["--bones", "thigh=0.4", "--no-world"], "--bones: for people who are placed"),
        (["--camera-is", "still", "--frame", "camera"], "--camera-is: for people who are placed"),
        (["--focal", "3"], "--focal"),
        (["--camera-pitch", "400"], "--camera-pitch"),
        (["--height", "1.8", "--no-world"], "--no-world places nobody"),
        (["--camera-roll", "0", "--frame", "turned_camera"], "--frame turned_camera places nobody"),
    ],
)
def test_flags_of_the_world_that_cannot_be(clip, tmp_path, capsys, flags, said):
    assert run("lift", clip, "-o", tmp_path / "out", *flags) == 1
    assert_error(capsys, said)
    assert not (tmp_path / "out").exists()


def test_a_height_is_checked_before_anything_is_read(tmp_path, capsys):
    (tmp_path / "a.json").write_text("no JSON")
    assert run("lift", tmp_path / "a.json", "-o", tmp_path / "out", "--height", "180") == 1
    assert_error(capsys, "0.5 to 2.6 metres")


@pytest.mark.parametrize(
    "arguments",
    [
        ["lfit"],
        [],
        ["lift", "a.npz"],
        ["lift", "a.npz", "-o", "b", "--colour"],
        ["evaluate", "--cameras", "x"],
        ["evaluate"],
    ],
)
def test_what_is_no_command_ends_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    assert ending.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_out_folder_that_is_a_file_is_refused(clip, tmp_path, capsys):
    (tmp_path / "out").write_text("mine")
    assert run("lift", clip, "-o", tmp_path / "out") == 1
    assert_error(capsys, "could not write", "choose another folder")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.fixture
def upside_down(clip, tmp_path) -> Path:
    """The clip with y up."""
    (person,) = read_keypoints(clip)
    path = tmp_path / "in" / "up.npz"
    write_keypoints(dataclasses.replace(person, xy=(0, 1920) + person.xy * (1, -1)), path)
    return path


def test_inputs_with_errors_are_refused_before_anything_is_written(clip, upside_down, tmp_path, capsys):
    assert run("lift", upside_down, clip, "-o", tmp_path / "out", "--formats", "npz") == 1
    shown = capsys.readouterr()
    assert names(tmp_path / "out") == ["clip.npz"]  # the other input goes on
    assert "up.npz: 1 error" in shown.err and "y points up" in shown.err
    assert "xy[..., 1] = height - xy[..., 1]" in " ".join(shown.err.split())
    assert shown.err.endswith(
        f"error: {upside_down}: not lifted, because of the errors above: do what the advice says, or lift it as it is "
        "(--force)\n"
    )
    assert "up.npz" not in shown.out


def test_inputs_with_errors_are_lifted_by_force(upside_down, tmp_path, capsys):
    assert run("lift", upside_down, "-o", tmp_path / "out", "--formats", "npz", "--force") == 0
    shown = capsys.readouterr()
    assert names(tmp_path / "out") == ["up.npz"]
    assert "y points up" in shown.err and "not lifted" not in shown.err


def test_an_error_in_one_person_refuses_the_input(clip, upside_down, tmp_path, capsys, monkeypatch):
    people = numbered(read_keypoints(clip) + read_keypoints(upside_down))
    monkeypatch.setattr(lifting, "read_everyone", lambda *_, **__: people)
    assert run("lift", clip, "-o", tmp_path / "out") == 1
    assert "in person 2" in capsys.readouterr().err
    assert names(tmp_path / "out") == []


def test_warnings_are_printed_and_the_input_is_lifted(clip, tmp_path, capsys):
    (person,) = read_keypoints(clip)
    write_keypoints(dataclasses.replace(person, xy=person.xy[..., ::-1], image_size=None), tmp_path / "yx.npz")
    assert run("lift", tmp_path / "yx.npz", "-o", tmp_path / "out", "--formats", "npz") == 0
    shown = " ".join(capsys.readouterr().err.split())
    assert "yx.npz: 1 warning" in shown and "MoveNet and PoseNet write (y, x)" in shown
    assert "xy = xy[..., ::-1]" in shown
    assert names(tmp_path / "out") == ["yx.npz"]


def test_a_healthy_clip_is_lifted_without_a_word_on_stderr(clip, tmp_path, capsys):
    assert run("lift", clip, "-o", tmp_path / "out", "--formats", "npz") == 0
    assert capsys.readouterr().err == ""


def test_a_clip_that_shows_nobody_is_refused(clip, tmp_path, capsys, monkeypatch):
    empty = Keypoints2D(np.full((3, 17, 2), np.nan), None, H36M_17, 30.0)
    monkeypatch.setattr(lifting, "read_everyone", lambda *_, **__: (empty,))
    assert run("lift", clip, "-o", tmp_path / "out") == 1
    assert "no joint is seen in any frame" in capsys.readouterr().err
    assert names(tmp_path / "out") == []


def test_several_people_get_files_of_their_own(clip, tmp_path, monkeypatch):
    people = numbered(read_keypoints(clip) * 3)
    monkeypatch.setattr(lifting, "read_everyone", lambda *_, **__: people)
    assert run("lift", clip, "-o", tmp_path / "out", "--formats", "npz") == 0
    assert names(tmp_path / "out") == [f"clip_person{number}.npz" for number in (1, 2, 3)]


def page_data(page):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.DOTALL)[1]
    )


def test_several_people_are_on_one_page_that_no_person_of_their_own_keeps_away(clip, tmp_path, capsys, monkeypatch):
    people = numbered(read_keypoints(clip) * 2)
    monkeypatch.setattr(lifting, "read_everyone", lambda *_, **__: people)
    out = tmp_path / "out"
    assert run("lift", clip, "-o", out, "--formats", "html", "--people", "2") == 0
    assert [person["number"] for person in page_data(out / "clip_person2.html")["people"]] == [2]
    alone = (out / "clip_person2.html").read_bytes()
    assert run("lift", clip, "-o", out, "--formats", "html") == 0
    assert names(out) == ["clip.html", "clip_person2.html"]
    data = page_data(out / "clip.html")
    assert [(person["number"], len(person["joints"])) for person in data["people"]] == [(1, 17), (2, 17)]
    assert (out / "clip_person2.html").read_bytes() == alone
    capsys.readouterr()
    assert run("lift", clip, "-o", out, "--formats", "html") == 1
    assert_error(capsys, "clip.html exists and is kept")


def test_stretches_of_several_people_have_files_of_their_own_and_one_page(gappy, tmp_path, monkeypatch):
    people = numbered(read_keypoints(gappy) * 2)
    monkeypatch.setattr(lifting, "read_everyone", lambda *_, **__: people)
    assert run("lift", gappy, "-o", tmp_path / "cut", "--formats", "npz", "html", "--gaps", "cut") == 0
    parts = [f"gappy_person{number}_part{part}.npz" for number in (1, 2) for part in (1, 2)]
    assert names(tmp_path / "cut") == sorted(["gappy.html", *parts])
    assert [person["gaps"] for person in page_data(tmp_path / "cut" / "gappy.html")["people"]] == [[[25, 34]]] * 2


def test_interrupting_leaves_whole_files_only(clip, tmp_path, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("poselift.formats.json_file.decimal_rows", interrupt)
        assert run("lift", clip, "-o", tmp_path / "out", "--no-world") == 130
    captured = capsys.readouterr()
    assert "interrupted" in captured.err
    assert "Traceback" not in captured.err
    assert names(tmp_path / "out") == ["clip.csv", "clip.npz"]
    assert len(read_poses(tmp_path / "out" / "clip.csv")) == 6


def test_names_that_look_like_markup_are_printed_as_they_are(clip, tmp_path, capsys):
    odd = clip.rename(clip.with_name("[bold]a[b].npz"))
    assert run("lift", odd, "-o", tmp_path / "out", "--formats", "npz") == 0
    assert "[bold]a[b].npz: 6 frames" in capsys.readouterr().out
    assert run("lift", "x[/b].npz", odd, "-o", tmp_path / "two", "--formats", "npz") == 1
    assert_error(capsys, "x[/b].npz")


def test_the_folder_one_is_in_has_a_name(tmp_path, monkeypatch):
    folder = tmp_path / "walking"
    folder.mkdir()
    (person,) = read_keypoints(DEMO)
    monkeypatch.setattr(lifting, "read_everyone", lambda *_, **__: (person,))
    monkeypatch.chdir(folder)
    assert run("lift", ".", "-o", tmp_path / "out", "--formats", "npz") == 0
    assert names(tmp_path / "out") == ["walking.npz"]
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    assert run("lift", "..", "-o", tmp_path / "up", "--formats", "npz") == 0
    assert names(tmp_path / "up") == ["walking.npz"]


@pytest.mark.parametrize("verb", sorted(LAB_VERBS))
def test_every_verb_of_the_lab_explains_itself(verb, capsys):
    pytest.importorskip("torch")
    with pytest.raises(SystemExit) as ending:
        main([verb, "--help"])
    assert ending.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: poselift {verb}" in shown and "--out" in shown
    assert " ".join(LAB_VERBS[verb].split()[:3]) in " ".join(shown.split())


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as ending:
        main([verb, "--help"])
    assert ending.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: poselift {verb}" in shown
    assert VERBS[verb].__doc__.splitlines()[0].split(";")[0][:40] in " ".join(shown.split())


def test_the_verbs_are_these():
    verbs = ["lift", "lift-many", "live", "convert", "render", "serve", "doctor", "evaluate", "table", "lifters"]
    assert list(VERBS) == [*verbs, "check-card"]
    assert list(LAB_VERBS) == ["pretrain", "train", "reproduce", "import-weights", "benchmark"]


def test_the_version_is_printed_and_the_help_says_how(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"poselift {__version__}\n"
    with pytest.raises(SystemExit):
        run("--help")
    assert "poselift --version" in capsys.readouterr().out


def test_python_m_poselift_runs_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "poselift", "lift", "nothing.npz", "-o", "nowhere", "--lifter", "nothing.onnx"],
        capture_output=True, text=True, timeout=1800, env=os.environ | {"COLUMNS": "80"},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip() == "error: no weights at nothing.onnx"
    assert done.stdout == ""


def test_lifters_lists_the_shipped_weights(capsys, monkeypatch):
    monkeypatch.undo()
    assert main(["lifters"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("name", *shipped_lifters()))
    licenses = [line for line in shown.splitlines() if line.startswith("Licence of")]
    assert all(any(name in line for line in licenses) for name in shipped_lifters())
    assert all(": MIT; trained on the CMU motion capture data" in line for line in licenses)


@pytest.fixture
def mocap(monkeypatch) -> list[tuple]:
    """The paths and splits that the reader was asked for; it returns one clip without a file."""
    asked = []
    xyz = np.random.default_rng(0).normal(0, 0.3, (8, 17, 3)).astype(np.float32)

    def load(path, *, split):
        asked.append((path, split))
        return [MocapClip("walk", "a", xyz, H36M_17, 50.0)]

    monkeypatch.setattr("poselift.cli.measuring.load_mocap", load)
    return asked


def test_evaluate_prints_a_table_and_writes_json(mocap, tmp_path, capsys):
    out = tmp_path / "scores.json"
    assert run("evaluate", "--data", "mocap.npz", "--cameras", 2, "--seed", 3, "--out", out) == 0
    assert mocap == [(Path("mocap.npz"), "dev")]
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("left_wrist", "walk", "p_mpjpe", "mm/frame", "at 50 fps", "16 frames"))
    scores = json.loads(out.read_text())
    assert (scores["dataset"], scores["counts"]["frames"]) == ("mocap.npz", 16)
    assert (scores["choices"]["cameras"], scores["choices"]["seed"]) == (2, 3)
    assert scores["choices"]["data: split"] == "dev"
    assert run("evaluate", "--data", "mocap.npz", "--out", out) == 1
    assert_error(capsys, "scores.json exists and is kept")
    assert run("evaluate", "--data", "mocap.npz", "--out", out, "--force", "--split", "all") == 0
    assert mocap[-1] == (Path("mocap.npz"), None)
    assert run("evaluate", "--data", out, "--out", out, "--force") == 1
    assert_error(capsys, "scores.json is an input and is never overwritten")
    assert json.loads(out.read_text())["counts"]["frames"] == 32
    other = tmp_path / "other.json"
    assert run("evaluate", "--data", "mocap.npz", "--cameras", 2, "--seed", 3, "--out", other) == 0
    capsys.readouterr()
    assert run("table", out, other) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "NOT COMPARABLE" in shown and "all" in shown and "dev" in shown
    assert run("table", other, "--actions") == 1
    assert_error(capsys, "no mpjpe by action")


def test_evaluate_refuses_what_is_not_there(capsys):
    assert run("evaluate", "--data", "missing.npz") == 1
    assert_error(capsys, "no motion capture at missing.npz")


@pytest.mark.parametrize("wrong", [["--cameras", 0], ["--seed", -1]])
def test_evaluate_refuses_impossible_protocols(mocap, capsys, wrong):
    assert run("evaluate", "--data", "mocap.npz", *wrong) == 1
    assert_error(capsys, "cameras >= 1 and seed >= 0")


@pytest.mark.parametrize(
    "arguments",
    [["train", "nanohtnet_mocap"], ["evaluate", "--data", "x.npz", "--detector-errors"], ["pretrain", "htnet"]],
)
def test_without_the_lab_its_verbs_say_how_to_get_it(mocap, monkeypatch, capsys, arguments):
    class NoTorch(MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name == "torch":
                raise ModuleNotFoundError("No module named 'torch'", name="torch")

    for name in [name for name in sys.modules if name.startswith(("poselift.lab", "poselift.cli.training"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoTorch(), *sys.meta_path])
    assert main(arguments) == 1
    assert_error(capsys, f"this needs torch; run: {install_hint('lab')}")


def test_our_own_faults_are_not_hidden(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(lifting, "read_everyone", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("lift", clip, "-o", tmp_path)


def test_the_check_of_errors_can_fail(capsys):
    print("error: x\nTraceback", file=sys.stderr)
    with pytest.raises(AssertionError):
        assert_error(capsys, "x")


def test_auto_chooses_for_each_clip_and_says_so(clip, tmp_path, monkeypatch, capsys, fake_lifter):
    """Clips of one and of many frames get other weights, each opened once."""
    from poselift.lifters.card import Card
    from poselift.lifters.choose import choose

    cards = [
        Card(name=name, skeleton="H36M_17", in_frames=window, out_frames=(window // 2,), fps=50.0, in_channels=3)
        for name, window in (("still.1", 1), ("short.27", 27))
    ]
    opened = []
    monkeypatch.setattr(lifting, "choose_shipped", lambda **given: choose(cards, **given))
    monkeypatch.setattr(lifting, "load_lifter", lambda name, **_: opened.append(name) or fake_lifter())
    (person,) = read_keypoints(clip)
    still = person.with_frames(person.xy[:1], person.confidence[:1], person.fps)
    monkeypatch.setattr(lifting, "read_everyone", lambda *_, **__: numbered((person, still, person)))
    assert run("lift", clip, "-o", tmp_path / "out", "--formats", "npz") == 0
    assert opened == ["short.27", "still.1"]
    shown = capsys.readouterr().out
    assert (
        "clip.npz, person 1: short.27 (window of 27, the longest that is good for a clip of 10 frames at 50 fps)"
        in shown
    )
    assert "clip.npz, person 2: still.1 (window of 1," in shown
    assert "clip.npz, person 3: 6 frames at 30 fps" in shown


def test_frames_of_something_else_are_left_out_and_said(tmp_path, capfd):
    (person,) = read_keypoints(DEMO)
    small = [20, 21, 40]
    xy = person.xy.copy()
    xy[small] = 300 + 0.2 * (xy[small] - np.nanmean(xy[small], 1, keepdims=True))
    write_keypoints(dataclasses.replace(person, xy=xy), tmp_path / "clip.npz")
    unseen, shown = {}, {}
    for flag in ("--repair", "--no-repair"):
        capfd.readouterr()
        out = tmp_path / flag
        assert run("lift", tmp_path / "clip.npz", "-o", out, "--formats", "npz", "html", "--no-world", flag) == 0
        said = " ".join("".join(capfd.readouterr()).split())
        assert ("frames 20-21, 40: the keypoints collapse" in said) == (flag == "--repair")
        poses = read_poses(out / "clip.npz")
        unseen[flag] = poses.unseen
        shown[flag] = page_data(out / "clip.html")["people"][0]["keypoints"]
    assert unseen == {"--repair": [(20, 21), (40, 40)], "--no-repair": []}
    assert shown["--repair"] != shown["--no-repair"]


def test_the_page_shows_the_keypoints_that_were_lifted(tmp_path):
    """Sides that the detector exchanged for four frames are put back in the picture, too."""
    (person,) = read_keypoints(DEMO)
    for_a_moment = np.isin(np.arange(len(person)), range(30, 34))
    wrong = put_back(person, {"arms": for_a_moment, "legs": for_a_moment})
    assert not np.array_equal(wrong.xy, person.xy)
    shown = []
    for name, keypoints in (("right", person), ("wrong", wrong)):
        write_keypoints(keypoints, tmp_path / f"{name}.npz")
        assert run("lift", tmp_path / f"{name}.npz", "-o", tmp_path / "out", "--formats", "html") == 0
        shown.append(page_data(tmp_path / "out" / f"{name}.html")["people"][0]["keypoints"])
    assert shown[0] == shown[1]
