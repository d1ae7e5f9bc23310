"""C3D files, read back by ezc3d itself and by us."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats import c3d_content, read_poses, save_poses
from poselift.geometry.camera import Camera
from poselift.sequence import Poses3D
from poselift.skeleton import BODY_27, Skeleton

ezc3d = pytest.importorskip("ezc3d")


@pytest.fixture
def walking(person27: np.ndarray) -> Poses3D:
    """Two seconds of a person in camera axes, 27 joints, everything known, with a gap in the middle."""
    rng = np.random.default_rng(0)
    frames = 100
    camera_axes = person27[:, [0, 2, 1]] * (1, -1, 1)  # who looks along the world's y looks away from the camera
    xyz = np.repeat((camera_axes - camera_axes[0])[None], frames, 0) + rng.normal(0, 0.01, (frames, 27, 3))
    xyz[:, 0] = 0
    contact = np.zeros((frames, 4))
    contact[10:30, 0] = contact[20:35, 1] = contact[70:, 3] = 0.9
    return Poses3D(
        xyz, BODY_27, 50.0, "camera", path=np.linspace((0, 0, 3), (0.5, 0, 4), frames),
        observed=rng.uniform(0, 1, (frames, 27)), spread=rng.uniform(0, 0.1, (frames, 27)),
        gap=np.isin(np.arange(frames), np.arange(40, 50)), up=np.tile([0.0, -0.8, -0.6], (frames, 1)),
        contact=contact, camera=Camera.from_focal(900.0, (640, 480)), start_s=3.5, person=2, may_continue=(1,),
        about={"weights": "nanohtnet.mocap27-81", "flip": "averaged with the mirror image"},
    )  # fmt: skip


def test_what_ezc3d_reads(tmp_path: Path, walking: Poses3D) -> None:
    save_poses(walking, tmp_path / "a.c3d")
    file = ezc3d.c3d(str(tmp_path / "a.c3d"))
    groups, data = file["parameters"], file["data"]
    assert groups["POINT"]["LABELS"]["value"] == list(BODY_27.joints)
    assert (groups["POINT"]["UNITS"]["value"], groups["POINT"]["RATE"]["value"].tolist()) == (["mm"], [50.0])
    assert groups["POINT"]["Y_SCREEN"]["value"] == ["+Z"]
    points = data["points"][:3].transpose(2, 1, 0)
    there = ~walking.gap
    wanted = (walking.xyz + walking.path[:, None])[..., [0, 2, 1]] * (1, 1, -1)  # x, depth, height
    np.testing.assert_allclose(points[there], 1000 * wanted[there], atol=1e-2)
    head, heel = BODY_27.index("head_top"), BODY_27.index("left_heel")
    assert (points[there, head, 2] > points[there, heel, 2] + 1500).all()  # z is up
    assert np.isnan(points[walking.gap]).all()
    residuals = data["meta_points"]["residuals"][0].T
    np.testing.assert_allclose(residuals[there], 1000 * walking.spread[there], atol=0.51)
    assert (residuals[walking.gap] == -1).all()
    analogs = dict(zip(groups["ANALOG"]["LABELS"]["value"], data["analogs"][0], strict=True))
    np.testing.assert_allclose(
        analogs["left_knee_observed"], walking.observed[:, BODY_27.index("left_knee")], atol=1e-6
    )
    np.testing.assert_allclose(analogs["right_big_toe_contact"], walking.contact[:, 3], atol=1e-6)
    np.testing.assert_allclose([analogs["up_x"][0], analogs["up_y"][0], analogs["up_z"][0]], [0, -0.6, 0.8], atol=1e-6)
    events = groups["EVENT"]
    assert events["USED"]["value"].tolist() == [3]
    found = zip(
        events["CONTEXTS"]["value"], events["LABELS"]["value"], events["TIMES"]["value"].T.tolist(), strict=True
    )
    assert [(side, label, round(60 * minutes + seconds, 4)) for side, label, (minutes, seconds) in found] == [
        ("Left", "Foot Strike", 0.2), ("Left", "Foot Off", 0.7), ("Right", "Foot Strike", 1.4)
    ]  # fmt: skip
    assert groups["MANUFACTURER"]["SOFTWARE"]["value"] == ["poselift"]


def test_everything_comes_back(tmp_path: Path, walking: Poses3D) -> None:
    save_poses(walking, tmp_path / "a.c3d")
    got, there = read_poses(tmp_path / "a.c3d"), ~walking.gap
    for name, off in {
        "xyz": 1e-5,
        "path": 1e-5,
        "observed": 1e-6,
        "spread": 5.1e-4,
        "up": 1e-6,
        "contact": 1e-6,
    }.items():
        np.testing.assert_allclose(getattr(got, name)[there], getattr(walking, name)[there], atol=off, err_msg=name)
    for name in ("skeleton", "fps", "frame", "gaps", "start_s", "person", "may_continue", "about"):
        assert getattr(got, name) == getattr(walking, name), name
    np.testing.assert_array_equal(got.camera.K, walking.camera.K)
    ends = (got.xyz + got.path[:, None])[[39, 50], 5]
    middle = (got.xyz + got.path[:, None])[39:51, 5]
    np.testing.assert_allclose(middle, np.linspace(*ends, 12), atol=1e-5)  # a line through the gap


def test_what_is_not_known_stays_so(tmp_path: Path) -> None:
    skeleton = Skeleton("mine", ("a", "b"), (-1, 0))
    save_poses(
        Poses3D(np.array([[[0, 0, 0], [0.3, -1, 0.2]]]), skeleton, 30000 / 1001, "turned_camera"), tmp_path / "a.c3d"
    )
    got = read_poses(tmp_path / "a.c3d")
    assert (got.skeleton, got.frame, got.fps) == (skeleton, "turned_camera", 30000 / 1001)
    np.testing.assert_allclose(got.xyz, [[[0, 0, 0], [0.3, -1, 0.2]]], atol=1e-6)
    assert all(getattr(got, name) is None for name in ("path", "observed", "spread", "up", "contact", "gap", "camera"))


def test_a_large_spread_coarsens_the_residuals(tmp_path: Path, walking: Poses3D) -> None:
    spread = walking.spread.copy()
    spread[0, 3] = 0.5
    save_poses(replace(walking, spread=spread), tmp_path / "a.c3d")
    there = ~walking.gap
    np.testing.assert_allclose(read_poses(tmp_path / "a.c3d").spread[there], spread[there], atol=2.1e-3)


def test_many_events_go_on(tmp_path: Path, walking: Poses3D) -> None:
    contact = np.zeros((4000, 4))
    contact[:, 0] = np.arange(4000) // 10 % 2
    long = Poses3D(np.zeros((4000, 27, 3)), BODY_27, 50.0, contact=contact)
    save_poses(long, tmp_path / "a.c3d")
    events = ezc3d.c3d(str(tmp_path / "a.c3d"))["parameters"]["EVENT"]
    assert events["USED"]["value"].tolist() == [399]
    assert len(events["LABELS"]["value"]) == 255 and len(events["LABELS2"]["value"]) == 399 - 255
    assert events["TIMES2"]["value"].shape == (2, 144)


def test_what_c3d_cannot_hold_is_refused(tmp_path: Path, walking: Poses3D) -> None:
    with pytest.raises(FormatError, match="up to 65,535 frames, got 65,536"):
        save_poses(Poses3D(np.zeros((65_536, 2, 3)), Skeleton("s", ("a", "b"), (-1, 0)), 50), tmp_path / "a.c3d")
    with pytest.raises(FormatError, match="all frames are gaps"):
        save_poses(replace(walking, gap=np.ones(100, bool)), tmp_path / "a.c3d")
    assert not list(tmp_path.iterdir())


def test_files_of_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A laboratory's markers, in metres; one is missing for two frames, and two have the same joint's name."""
    file = ezc3d.c3d()
    names = ["LASI", "RASI", "LKNE", "LANK", "C7"]
    points = np.ones((4, 5, 6))
    points[:3] = np.random.default_rng(0).normal(size=(3, 5, 6))
    points[:3, 2, 3:5] = np.nan
    file["parameters"]["POINT"]["LABELS"]["value"] = names
    file["parameters"]["POINT"]["UNITS"]["value"] = ["m"]
    file["parameters"]["POINT"]["RATE"]["value"] = [120.0]
    file["data"]["points"] = points
    file.write(str(tmp_path / "lab.c3d"))
    got = read_poses(tmp_path / "lab.c3d")
    assert got.skeleton.joints == ("LASI", "RASI", "left_knee", "left_ankle", "C7")
    assert (got.frame, got.fps) == ("world", 120)
    np.testing.assert_allclose((got.xyz + got.path[:, None])[:3], points[:3].transpose(2, 1, 0)[:3], atol=1e-5)
    assert np.argwhere(got.observed == 0).tolist() == [[3, 2], [4, 2]]
    assert "markers are missing 2 times" in caplog.text


@pytest.mark.parametrize("size", [0, 1, 2, 300, 600, -5000])
def test_broken_files_are_named(tmp_path: Path, walking: Poses3D, size: int) -> None:
    save_poses(walking, tmp_path / "a.c3d")
    whole = (tmp_path / "a.c3d").read_bytes()
    (tmp_path / "a.c3d").write_bytes(whole[:size])
    with pytest.raises(FormatError, match=r"a\.c3d"):
        read_poses(tmp_path / "a.c3d")


def test_text_is_no_c3d(tmp_path: Path) -> None:
    (tmp_path / "a.c3d").write_text("frame,time\n")
    with pytest.raises(FormatError, match="no C3D file"):
        read_poses(tmp_path / "a.c3d")


def endless(path: Path) -> None:
    """Cut a file off in the name of ANALOG:DESCRIPTIONS, behind which ezc3d 1.7.2 reads parameters without end."""
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"\x0c\x02DESCRIPTIONS") + 4])


def test_a_file_on_which_ezc3d_never_ends_is_refused_in_time(
    tmp_path: Path, walking: Poses3D, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_poses(walking, tmp_path / "a.c3d")
    endless(tmp_path / "a.c3d")
    monkeypatch.setattr(c3d_content, "START_S", 3.0)
    start = time.monotonic()
    with pytest.raises(FormatError, match=r"a\.c3d was not read within 3 s.*POSELIFT_LIMITS=10"):
        read_poses(tmp_path / "a.c3d")
    assert time.monotonic() - start < 20


def test_more_time_is_given_on_demand(tmp_path: Path, walking: Poses3D, monkeypatch: pytest.MonkeyPatch) -> None:
    save_poses(walking, tmp_path / "a.c3d")
    monkeypatch.setattr(c3d_content, "START_S", 1e-4)
    monkeypatch.setattr(c3d_content, "S_PER_MIB", 1e-4)
    with pytest.raises(FormatError, match="not read within"):
        read_poses(tmp_path / "a.c3d")
    monkeypatch.setenv("POSELIFT_LIMITS", "1000000")
    assert len(read_poses(tmp_path / "a.c3d")) == len(walking)


def test_a_process_that_breaks_down_does_not_take_the_caller_with_it(
    tmp_path: Path, walking: Poses3D, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_poses(walking, tmp_path / "a.c3d")
    (tmp_path / "dies.py").write_text("import os; os.abort()")
    monkeypatch.setattr(c3d_content.c3d_child, "__file__", str(tmp_path / "dies.py"))
    with pytest.raises(FormatError, match="ezc3d broke down on it"):
        read_poses(tmp_path / "a.c3d")


def test_a_program_without_a_python_reads_c3d(
    tmp_path: Path, walking: Poses3D, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_poses(walking, tmp_path / "a.c3d")
    whole = read_poses(tmp_path / "a.c3d")
    monkeypatch.setattr(c3d_content, "_run", c3d_content._run_frozen)
    np.testing.assert_array_equal(read_poses(tmp_path / "a.c3d").xyz, whole.xyz)
    endless(tmp_path / "a.c3d")
    monkeypatch.setattr(c3d_content, "START_S", 3.0)
    with pytest.raises(FormatError, match="not read within"):
        read_poses(tmp_path / "a.c3d")


def test_the_other_process_finds_what_this_one_finds(
    tmp_path: Path, walking: Poses3D, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is isolated: not even a module of the folder that it is started in is imported."""
    save_poses(walking, tmp_path / "ä ω.c3d")
    (tmp_path / "json.py").write_text("raise SystemExit(7)")
    (tmp_path / "numpy.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    assert len(read_poses("ä ω.c3d")) == len(walking)
