import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.errors import FormatError, SkeletonError
from poselift.formats import save_poses
from poselift.formats.bvh import read_bvh, write_bvh
from poselift.formats.motion import Motion
from poselift.formats.options import UNITS
from poselift.formats.rigs import RIGS
from poselift.formats.rigs.figure import pose_rig
from poselift.sequence import Poses3D
from poselift.skeleton import BODY_27, COCO_17, H36M_17, Skeleton

ARM = """HIERARCHY
ROOT Hips
{
  OFFSET 9 9 9
  CHANNELS 6 Zposition Yposition Xposition Zrotation Xrotation Yrotation
  JOINT Arm
  {
    OFFSET 2 0 0
    CHANNELS 2 Zrotation Xrotation
    End Site
    {
      OFFSET 0 3 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.033333
1 2 3 0 0 0 0 0
1 2 3 90 0 0 90 90
"""


@pytest.fixture
def arm(tmp_path):
    path = tmp_path / "arm.bvh"
    path.write_text(ARM)
    return path


def joints_of(motion: Motion, skeleton: Skeleton) -> np.ndarray:
    """(T, J, 3) the skeleton's joints, y up."""
    return motion.xyz[:, [motion.joints.index(name) for name in skeleton.joints]]


def channels(path: Path) -> np.ndarray:
    """(T, channels) the numbers of the MOTION section."""
    return np.array([line.split() for line in path.read_text().splitlines() if line[0] in "-0123456789"], float)


def test_positions_pinned(arm):
    motion = read_bvh(arm)
    assert motion.joints == ("Hips", "Arm", "Arm_end")
    assert motion.parents == (-1, 0, 1)
    assert (motion.fps, motion.unit_m, motion.remarks) == (30.0, None, ())
    # position channels replace the root's offset; at rest the arm goes along x, its end up
    np.testing.assert_allclose(motion.xyz[0], [[3, 2, 1], [5, 2, 1], [5, 5, 1]], atol=1e-9)
    # the body turned by 90 about z; against it the arm turns 90 about x first, then 90 about z
    np.testing.assert_allclose(motion.xyz[1], [[3, 2, 1], [3, 4, 1], [3, 4, 4]], atol=1e-9)
    np.testing.assert_allclose(motion.rotations[0], np.broadcast_to(np.eye(3), (3, 3, 3)))


def test_scale_is_for_lengths_only(arm):
    np.testing.assert_allclose(read_bvh(arm, scale=0.01).xyz, read_bvh(arm).xyz / 100, atol=1e-12)
    np.testing.assert_allclose(read_bvh(arm, scale=0.01).offsets[0], [0.09, 0.09, 0.09])


def test_loose_layout_is_read(arm):
    wanted = read_bvh(arm).xyz
    loose = ARM.replace("\n{", " {").replace("\n  ", "\n\t").replace("ROOT", "root").replace("End Site", "END SITE")
    loose = loose.replace("Xrotation", "XROTATION").replace("Frame Time:", "frame time:").replace("\n", "\r\n\r\n")
    arm.write_text("\ufeff" + loose, encoding="utf-8")
    np.testing.assert_array_equal(read_bvh(arm).xyz, wanted)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("End Site", "End Site Tip"),
        ("Frames: 2", "Frames : 2"),
        ("Frames: 2", "FRAMES:2"),
        ("Frame Time: 0", "Frame Time:0"),
        ("MOTION\n", "# a note\nMOTION\n  # another\n"),
    ],
)
def test_harmless_spelling_is_read(arm, old, new):
    wanted = read_bvh(arm)
    assert old in ARM
    arm.write_text(ARM.replace(old, new))
    again = read_bvh(arm)
    assert (again.joints, again.fps) == (wanted.joints, wanted.fps)
    np.testing.assert_array_equal(again.xyz, wanted.xyz)


def test_joints_of_one_name_are_told_apart(arm):
    wanted = read_bvh(arm).xyz
    arm.write_text(ARM.replace("JOINT Arm", "JOINT Hips"))
    again = read_bvh(arm)
    assert again.joints == ("Hips", "Hips.001", "Hips.001_end")
    np.testing.assert_array_equal(again.xyz, wanted)


@pytest.mark.parametrize(
    ("old", "new", "frames", "said"),
    [
        ("1 2 3 90 0 0 90 90\n", "", 1, "says 2, and there are 1"),
        ("90 0 0 90 90\n", "90 0 0 90 90\n1 2 3 0 0 0 0 0\n", 3, "says 2, and there are 3"),
        ("Frames: 2", "Frames: 0", 2, "says 0, and there are 2"),
    ],
)
def test_another_number_of_complete_frames_is_read_and_remarked_on(arm, old, new, frames, said):
    wanted = read_bvh(arm).xyz
    arm.write_text(ARM.replace(old, new, 1))
    again = read_bvh(arm)
    assert len(again.xyz) == frames
    np.testing.assert_array_equal(again.xyz[0], wanted[0])
    assert said in again.remarks[0]


def test_any_joint_may_have_position_channels(arm):
    text = ARM.replace("CHANNELS 2 Zrotation Xrotation", "CHANNELS 1 Yposition").replace("0 0 0 0 0", "0 0 0 7")
    arm.write_text(text.replace("90 0 0 90 90", "0 0 0 8"))
    np.testing.assert_allclose(read_bvh(arm).xyz[:, 1], [[5, 9, 1], [5, 10, 1]], atol=1e-9)


@pytest.mark.parametrize(
    ("frame_time", "fps"),
    [("0.0083333", 120.0), ("0.008333", 120.0), ("0.0333667", 29.97), ("0.016683", 59.94), ("2", 0.5)],
)
def test_frame_rate(arm, frame_time, fps):
    arm.write_text(ARM.replace("0.033333", frame_time))
    assert read_bvh(arm).fps == pytest.approx(fps, rel=1e-4)
    assert fps != 120.0 or read_bvh(arm).fps == 120.0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (ARM, "", "arm.bvh:0: wanted HIERARCHY, got the end of the file"),
        (ARM, "\x00\x01PNG", "arm.bvh:1: wanted HIERARCHY"),
        (ARM[ARM.index("JOINT") :], "", "arm.bvh:6: wanted JOINT, End Site or }, got the end"),
        (ARM[ARM.index("ROOT") : ARM.index("MOTION")], "", "arm.bvh:2: wanted ROOT, got 'MOTION'"),
        ("1 2 3 0 0 0 0 0\n1 2 3 90 0 0 90 90\n", "", "arm.bvh:18: wanted at least one frame"),
        ("90 0 0 90 90\n", "90 0", "arm.bvh:20: wanted 8 finite numbers for the 8 channels"),
        ("90 0 0 90 90\n", "90 0 nan 90 90\n", "arm.bvh:20: wanted 8 finite numbers"),
        ("90 0 0 90 90\n", "90 0 zero 90 90\n", "arm.bvh:20: wanted 8 finite numbers"),
        ("90 0 0 90 90\n", "90 0\n0 90 90\n", "arm.bvh:20: wanted 8 finite numbers"),
        ("OFFSET 2 0 0", "OFFSET 2 0", "arm.bvh:8: wanted 3 finite numbers for OFFSET"),
        ("OFFSET 2 0 0", "OFFSET 2 1e300 0", "arm.bvh:8: wanted 3 finite numbers for OFFSET"),
        ("OFFSET 2 0 0", "OFFSET 2 inf 0", "arm.bvh:8: wanted 3 finite numbers for OFFSET"),
        ("2 Zrotation Xrotation", "2 Zrotation Wrotation", "arm.bvh:9: wanted channels such as .* got 'wrotation'"),
        ("2 Zrotation Xrotation", "3 Zrotation Xrotation", "arm.bvh:9: wanted CHANNELS"),
        ("2 Zrotation Xrotation", "2 Zrotation Zrotation", "arm.bvh:9: wanted CHANNELS"),
        (" 2 Zrotation Xrotation", "", "arm.bvh:9: wanted CHANNELS"),
        ("JOINT Arm", "JOINT", "arm.bvh:6: wanted a joint with a name"),
        ("JOINT Arm", "BONE Arm", "arm.bvh:6: wanted JOINT, End Site or }, got 'BONE Arm'"),
        ("Frames: 2", "Frames: two", "arm.bvh:17: wanted 1 finite numbers for Frames"),
        ("Frames: 2", "Frames 2", "arm.bvh:17: wanted Frames:, got 'Frames 2'"),
        ("Frames: 2", "Frames: -2", "arm.bvh:18: wanted a positive"),
        ("0.033333", "-1", "arm.bvh:18: wanted a positive"),
        ("}\nMOTION", "}\nROOT b\n{\n}\nMOTION", "arm.bvh:16: wanted MOTION, got 'ROOT b'"),
    ],
)
def test_broken_files_are_named_with_their_line(arm, old, new, message):
    assert old in ARM
    arm.write_text(ARM.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        read_bvh(arm)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"cannot read .*none\.bvh"):
        read_bvh(tmp_path / "none.bvh")
    os.mkfifo(tmp_path / "endless.bvh")
    for path in (tmp_path / "endless.bvh", tmp_path):
        with pytest.raises(FormatError, match="it is a folder; name a file|it is no file but a pipe or device"):
            read_bvh(path)


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10**6), frames=st.sampled_from([1, 2, 15]), skeleton=st.sampled_from([H36M_17, BODY_27]),
    rig=st.sampled_from(list(RIGS)), unit=st.sampled_from(list(UNITS)),
)  # fmt: skip
def test_figures_come_back_exactly(acrobat, tmp_path_factory, seed, frames, skeleton, rig, unit):
    poses, _ = acrobat(seed, frames, skeleton, path=np.random.default_rng(seed).normal(size=(frames, 3)))
    path = tmp_path_factory.mktemp("bvh") / "poses.bvh"
    write_bvh(poses, path, rig=rig, unit=unit)
    again, figure = read_bvh(path, scale=1 / UNITS[unit]), pose_rig(poses, RIGS[rig])
    assert again.fps == poses.fps
    for joint in figure.joints:
        index = again.joints.index(joint.name)
        np.testing.assert_allclose(again.xyz[:, index], joint.place, atol=2e-5)
        np.testing.assert_allclose(again.rotations[:, index], joint.world, atol=1e-4)


def test_what_constant_bones_cost_is_said(acrobat, tmp_path, caplog):
    poses, _ = acrobat(5, 40, path=np.zeros((40, 3)))
    stretched = poses.xyz.copy()
    knee, ankle = (poses.skeleton.index(f"right_{joint}") for joint in ("knee", "ankle"))
    thigh = stretched[7, knee] - stretched[7, poses.skeleton.index("right_hip")]
    stretched[7, [knee, ankle]] += 0.3 * thigh
    stretched[9, ankle] = stretched[9, knee]
    poses = replace(poses, xyz=stretched)
    with caplog.at_level("INFO", "poselift"):
        save_poses(poses, tmp_path / "clip.bvh")
    said = json.loads((tmp_path / "clip.bvh.json").read_text())["constant_bones"]
    written = read_bvh(tmp_path / "clip.bvh", scale=0.01)
    off = 1000 * np.linalg.norm(joints_of(written, poses.skeleton) - poses.y_up(), axis=-1)
    assert said["mean_mm"] == pytest.approx(off.mean(), abs=0.06)
    assert said["max_mm"] == pytest.approx(off.max(), abs=0.06)
    assert off[said["frame"], poses.skeleton.index(said["joint"])] == off.max() > 100
    assert off[7, knee] == pytest.approx(300 * np.linalg.norm(thigh), abs=10)
    assert said["collapsed"] == [[9, 9]]
    assert f"{off.max():.0f} mm at most ({said['joint']} in frame {said['frame']})" in caplog.text


def test_axes_unit_and_path_pinned(acrobat, tmp_path):
    """y up; a person who faces the camera faces +z, their left at +x."""
    poses, _ = acrobat(0, 2, path=np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 4.0]]))
    for unit, per_m in (("cm", 100), ("m", 1), ("mm", 1000), ("in", 39.3701)):
        save_poses(poses, tmp_path / "poses.bvh", unit=unit, overwrite=True)
        motion = read_bvh(tmp_path / "poses.bvh")
        np.testing.assert_allclose(motion.xyz[1, 0], per_m * np.array([1, -2, -4]), rtol=1e-5)
        assert json.loads((tmp_path / "poses.bvh.json").read_text())["unit"] == unit
        ends = [number for number, name in enumerate(motion.joints) if name.endswith("_end")]
        lengths = np.linalg.norm(motion.offsets[ends], axis=1) / per_m
        assert len(ends) >= 5 and (lengths > 0.01).all() and (lengths < 0.4).all()  # a toe, a hand, a head
    save_poses(poses, tmp_path / "poses.bvh", overwrite=True)
    left_hip = read_bvh(tmp_path / "poses.bvh").offsets[1:][list(motion.joints[1:]).index("left_hip")]
    assert 8 < left_hip[0] < 12
    np.testing.assert_allclose(left_hip[1:], [0, 0], atol=1e-3)


def test_without_a_path_the_figure_stands_on_the_ground(acrobat, tmp_path):
    poses, _ = acrobat(0, 3, BODY_27)
    write_bvh(poses, tmp_path / "poses.bvh", unit="m")
    motion = read_bvh(tmp_path / "poses.bvh")
    height = motion.xyz[0, 0, 1]
    for place in ("left_heel", "left_big_toe", "right_heel"):
        sole = motion.at_rest().xyz[0, motion.joints.index(place), 1]
        assert sole == pytest.approx(-height, abs=0.015)
    np.testing.assert_array_equal(motion.xyz[:, 0], motion.xyz[:1, 0].repeat(3, axis=0))


def test_the_text_is_what_animation_programs_expect(acrobat, tmp_path):
    write_bvh(acrobat(1, 3, fps=30.0)[0], tmp_path / "poses.bvh")
    raw = (tmp_path / "poses.bvh").read_bytes()
    lines = raw.decode("ascii").split("\n")
    assert b"\r" not in raw
    assert lines[:4] == ["HIERARCHY", "ROOT pelvis", "{", "\tOFFSET 0.0000 0.0000 0.0000"]
    assert lines[4] == "\tCHANNELS 6 Xposition Yposition Zposition Yrotation Zrotation Xrotation"
    motion = lines.index("MOTION")
    assert lines[motion + 1 : motion + 3] == ["Frames: 3", "Frame Time: 0.03333333"]
    assert len(lines) == motion + 7
    assert lines[-1] == ""
    assert sum("{" in line for line in lines) == sum("}" in line for line in lines)
    ends = [joint for joint in read_bvh(tmp_path / "poses.bvh").joints if joint.endswith("_end")]
    assert ends == [
        f"{leaf}_end" for leaf in ("nose", "head_top", "left_wrist", "right_wrist", "left_ankle", "right_ankle")
    ]


def test_names_that_bvh_cannot_hold_come_back(acrobat, tmp_path):
    """A line break in a name would end its line, and braces would open and close joints."""
    odd = ["left  hat", "x\n}\n}\nMOTION", "{feather}", "шляпа", "100%25", "mixamorig:#Left'Foot\"", "skull", "\ud800"]
    poses, _ = acrobat(3, 4)
    xyz = np.concatenate([poses.xyz, poses.xyz[:, [10] * len(odd)] + np.float32(0.02)], axis=1)
    joints, parents = (*H36M_17.joints, *odd), (*H36M_17.parents, *[10] * len(odd))
    write_bvh(Poses3D(xyz, Skeleton("odd", joints, parents), 50.0), tmp_path / "odd.bvh")
    motion = read_bvh(tmp_path / "odd.bvh")
    names = {*odd[:-1], "\\ud800", "skull_"}  # what UTF-8 lacks stays an escape, and one name is the rig's own
    assert names < set(motion.joints)
    assert len(set(motion.joints)) == len(motion.joints)
    text = (tmp_path / "odd.bvh").read_text(encoding="ascii")
    assert "JOINT left%20%20hat\n" in text and "JOINT mixamorig:#Left'Foot\"\n" in text


def test_turning_round_and_round_has_no_jumps(acrobat, tmp_path):
    pose = acrobat(5, 1)[0].xyz
    turns = np.radians(np.arange(0, 1080, 5.0))
    zero, one = np.zeros_like(turns), np.ones_like(turns)
    about_y = np.array([[np.cos(turns), zero, np.sin(turns)], [zero, one, zero], [-np.sin(turns), zero, np.cos(turns)]])
    xyz = np.einsum("ijt,kj->tki", about_y, pose[0])
    write_bvh(Poses3D(xyz, H36M_17, 50.0), tmp_path / "turning.bvh")
    values = channels(tmp_path / "turning.bvh")
    assert np.abs(np.diff(values[:, 3:], axis=0)).max() < 10
    assert np.ptp(values[:, 3]) == pytest.approx(1075, abs=0.1)


def test_a_still_point_is_written(tmp_path):
    write_bvh(Poses3D(np.zeros((2, 17, 3)), H36M_17, 50.0), tmp_path / "point.bvh")
    assert np.isfinite(read_bvh(tmp_path / "point.bvh").xyz).all()
    assert "-0.0000 " not in (tmp_path / "point.bvh").read_text()


def test_a_skeleton_without_a_pelvis_is_written(acrobat, tmp_path):
    poses, _ = acrobat(3, 10, COCO_17)
    save_poses(poses, tmp_path / "coco.bvh", unit="m")
    motion = read_bvh(tmp_path / "coco.bvh")
    assert motion.joints[0] == "pelvis"
    height = motion.xyz[0, 0]
    for joint in ("left_knee", "right_wrist", "left_ankle"):
        found = motion.xyz[:, motion.joints.index(joint)] - height
        np.testing.assert_allclose(found, poses.y_up()[:, COCO_17.index(joint)], atol=1e-3)


def test_a_skeleton_without_arms_is_refused(tmp_path):
    legs = Skeleton("LEGS", H36M_17.joints[:7], H36M_17.parents[:7])
    with pytest.raises(SkeletonError, match="LEGS has no joint left_shoulder, .*convert to H36M_17"):
        write_bvh(Poses3D(np.zeros((1, 7, 3)), legs, 50.0), tmp_path / "legs.bvh")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rig", RIGS)
def test_another_program_reads_the_same_positions(acrobat, tmp_path, rig):
    bvh = pytest.importorskip("pymotion.io.bvh", reason="upc-pymotion is not installed")
    fk = pytest.importorskip("pymotion.ops.skeleton").fk
    poses, _ = acrobat(7, 20, BODY_27, path=np.linspace((0, 0, 4), (1, 0, 4), 20))
    write_bvh(poses, tmp_path / "poses.bvh", rig=rig)
    theirs = bvh.BVH()
    theirs.load(str(tmp_path / "poses.bvh"))
    rotations, local, parents, offsets, _, _ = theirs.get_data()
    xyz, _ = fk(rotations, local[:, 0], offsets, parents)
    names = theirs.data["names"].tolist()
    for joint in pose_rig(poses, RIGS[rig]).joints:
        np.testing.assert_allclose(xyz[:, names.index(joint.name)] / 100, joint.place, atol=5e-5)


@pytest.mark.parametrize("rig", RIGS)
def test_pybvh_reads_the_same_positions(acrobat, tmp_path, rig):
    pybvh = pytest.importorskip("pybvh", reason="pybvh is not installed")
    poses, _ = acrobat(7, 20, BODY_27, path=np.linspace((0, 0, 4), (1, 0, 4), 20))
    write_bvh(poses, tmp_path / "poses.bvh", rig=rig)
    theirs = pybvh.read_bvh_file(tmp_path / "poses.bvh")
    xyz, names = theirs.joint_positions(), list(theirs.joint_names)
    for joint in pose_rig(poses, RIGS[rig]).joints:
        np.testing.assert_allclose(xyz[:, names.index(joint.name)] / 100, joint.place, atol=5e-5)


def test_another_program_agrees_on_a_real_file(shared):
    bvh = pytest.importorskip("pymotion.io.bvh", reason="upc-pymotion is not installed")
    fk = pytest.importorskip("pymotion.ops.skeleton").fk
    path: Path = shared / "data" / "cmu_samples" / "02_01.bvh"
    theirs = bvh.BVH()
    theirs.load(str(path))
    rotations, local, parents, offsets, _, _ = theirs.get_data()
    xyz, _ = fk(rotations, local[:, 0], offsets, parents)
    ours = read_bvh(path)
    assert len(ours.xyz) == 344
    order = [ours.joints.index(name) for name in theirs.data["names"].tolist()]
    np.testing.assert_allclose(ours.xyz[:, order], xyz, atol=1e-3)


def test_a_figure_of_a_million_joints_is_refused_at_once(tmp_path):
    joint = "JOINT a\n{\nOFFSET 0 0 0\nCHANNELS 0\n}\n"
    (tmp_path / "a.bvh").write_text("HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 0\n" + joint * 30_000)
    started = time.process_time()
    with pytest.raises(FormatError, match=r"a\.bvh:10004: wanted up to 2000 joints, got more"):
        read_bvh(tmp_path / "a.bvh")
    assert time.process_time() - started < 5  # 0.2 s; 38 s where every joint's name was searched for in a list


def test_a_frame_time_of_next_to_nothing(arm):
    arm.write_text(ARM.replace("0.033333", "1e-320"))
    with pytest.raises(FormatError, match="wanted a positive frame time"):
        read_bvh(arm)
