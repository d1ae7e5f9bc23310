"""OpenSim motion files: header, columns, turns of the pelvis, what is not defined, other programs' files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from poselift import BODY_27, Poses3D, joint_angles, save_poses
from poselift.errors import FormatError
from poselift.formats.mot import PELVIS, PLACE, read_mot
from poselift.sequence import WORLD

FPS = 50.0


@pytest.fixture
def poses() -> Poses3D:
    """Somebody who bends and turns at random, but smoothly: 60 frames."""
    rng, time = np.random.default_rng(0), np.arange(60) / FPS
    xyz = rng.normal(size=(27, 3)) * 0.3 + 0.05 * np.sin(6 * time[:, None, None] + rng.uniform(0, 6, (27, 3)))
    xyz[:, BODY_27.index("spine")] = xyz[:, 0] + [0, -0.2, 0.05]
    return Poses3D(xyz - xyz[:, :1], BODY_27, FPS, start_s=2.0)


def test_columns_come_back(tmp_path: Path, poses: Poses3D):
    path = tmp_path / "clip.mot"
    save_poses(poses, path)
    found, angles = read_mot(path), joint_angles(poses)
    assert found.in_degrees
    assert found.times == pytest.approx(2.0 + np.arange(60) / FPS, abs=1e-6)
    assert set(PELVIS) < set(found.names) and "pelvis_heading" not in found.names
    for name in ("knee_angle_r", "hip_flexion_l", "elbow_flex_r", "ankle_angle_l"):
        defined = np.isfinite(angles[name])
        assert defined.any()
        assert np.cos(np.radians(found[name] - angles[name]))[defined] == pytest.approx(1, abs=1e-6)
    lines = path.read_text().splitlines()
    assert lines[1:5] == ["version=1", "nRows=60", f"nColumns={len(found.names) + 1}", "inDegrees=yes"]
    assert "\r" not in path.read_text()


def test_the_pelvis_turns_as_it_does(tmp_path: Path, poses: Poses3D):
    """OpenSim's angles about Z, X, Y and ours about Y, X, Z are the same turns."""
    save_poses(poses, tmp_path / "clip.mot")
    found, angles = read_mot(tmp_path / "clip.mot"), joint_angles(poses)
    theirs = Rotation.from_euler("ZXY", np.stack([found[name] for name in PELVIS], 1), degrees=True)
    own = [angles["pelvis_heading"], -angles["pelvis_obliquity"], -angles["pelvis_anterior_tilt"]]
    ours = Rotation.from_euler("YXZ", np.stack(own, 1), degrees=True)
    assert (theirs.inv() * ours).magnitude() == pytest.approx(0, abs=1e-3)


def test_paths_are_in_ground_axes(tmp_path: Path, poses: Poses3D):
    assert not set(PLACE) & set(_names(poses, tmp_path / "a.mot"))
    path = np.stack([np.full(60, 1.0), np.full(60, 2.0), np.full(60, 0.9)], 1)
    save_poses(replace(poses, frame=WORLD, path=path), tmp_path / "b.mot")
    found = read_mot(tmp_path / "b.mot")
    assert [found[name][0] for name in PLACE] == pytest.approx([-2.0, 0.9, -1.0])  # X is -y, Y is z, Z is -x


def _names(poses: Poses3D, path: Path) -> tuple[str, ...]:
    save_poses(poses, path)
    return read_mot(path).names


def test_what_is_not_defined_is_drawn_from_other_frames_and_said(tmp_path: Path, poses: Poses3D):
    gap = np.zeros(60, bool)
    gap[20:25] = True
    save_poses(replace(poses, gap=gap), tmp_path / "clip.mot")
    found = read_mot(tmp_path / "clip.mot")
    assert np.isfinite(found.values).all()
    knee = found["knee_angle_r"]
    assert np.diff(knee[19:26]) == pytest.approx(np.full(6, (knee[25] - knee[19]) / 6), abs=1e-4)
    text = (tmp_path / "clip.mot").read_text()
    assert "knee_angle_r is drawn from other frames in 5 of 60" in text
    assert "rows 20 to 24 are invented" in text


def test_angles_that_are_nowhere_defined_are_left_out(tmp_path: Path, poses: Poses3D):
    xyz = poses.xyz.copy()
    hip, knee, ankle = BODY_27.indices([f"left_{part}" for part in ("hip", "knee", "ankle")])
    xyz[:, ankle] = 2 * xyz[:, knee] - xyz[:, hip]
    assert "hip_rotation_l" not in _names(replace(poses, xyz=xyz), tmp_path / "clip.mot")


def test_files_of_other_programs_are_read(tmp_path: Path):
    path = tmp_path / "subject.mot"
    path.write_text(
        "Results\nversion=1\nnRows=2\nnColumns=3\ninDegrees=no\n\nendheader\ntime knee_angle_r x\n0 1 2\n0.1 3 4\n"
    )
    found = read_mot(path)
    assert not found.in_degrees
    assert found["x"].tolist() == [2, 4]
    with pytest.raises(FormatError, match="there is no column 'y'"):
        found["y"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time\tx\n0\t1\n", "'endheader' is missing"),
        ("a\nendheader\nframe x\n0 1\n", "begins with 'time'"),
        ("a\nendheader\ntime x\n0 1 2\n", "wanted 2 numbers"),
        ("a\nendheader\ntime x\n0 one\n", "rows of 2 numbers"),
        ("a\nnRows=3\nendheader\ntime x\n0 1\n", "cut short"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, text: str, message: str):
    path = tmp_path / "broken.mot"
    path.write_text(text)
    with pytest.raises(FormatError, match=message):
        read_mot(path)
