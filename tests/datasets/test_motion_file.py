import re
import shutil

import numpy as np
import pytest

from poselift.datasets.clip import MocapClip
from poselift.datasets.mocap import load_mocap
from poselift.errors import FormatError, MissingData, SkeletonError
from poselift.formats import save_poses
from poselift.formats.bvh import write_bvh
from poselift.sequence import Poses3D
from poselift.skeleton import H36M_17


def joint(clip: MocapClip, name: str) -> np.ndarray:
    """(T, 3) one joint of a clip."""
    return clip.xyz[:, H36M_17.index(name)]


def test_what_was_chosen_is_said(load):
    reading = load().reading
    assert (reading.unit, reading.unit_from) == ("cm", "guessed from the legs")
    assert (reading.up, reading.up_from) == ("y", "rest pose and motion")
    assert (reading.fps_from, reading.joints, reading.notes) == ("file", "MotionBuilder", ())
    assert reading.height_m == pytest.approx(1.64, abs=0.02)


@pytest.mark.parametrize(
    ("name", "unit"), [("m", 1), ("cm", 100), ("mm", 1000), ("inch", 1 / 0.0254), ("cmu", 0.45 / 0.0254)]
)
def test_the_unit_is_told_from_the_legs(load, name, unit):
    clip = load(None, f"0 {0.85 * unit} 0 0 0 0", scale=unit / 100)
    np.testing.assert_allclose(joint(clip, "left_wrist")[0], [0.72, 0, 1.30], atol=1e-5)
    assert clip.reading.unit == name


def test_a_child_is_no_giant(load):
    clip = load(None, "0 52.7 0 0 0 0", scale=0.62)
    np.testing.assert_allclose(joint(clip, "left_hip")[0], [0.062, 0, 0.527], atol=1e-6)
    assert (clip.reading.unit, clip.reading.height_m) == ("cm", pytest.approx(1.02, abs=0.02))
    assert "legs of 0.53 m in cm are a small child's" in clip.reading.notes[0]


@pytest.mark.parametrize(("unit", "name"), [("ft", "ft"), (0.3048, "0.3048 m"), ("0.3048", "0.3048 m")])
def test_a_unit_may_be_given(load, unit, name):
    size = 0.01 / 0.3048
    with pytest.raises(FormatError, match=r"s1_walk\.bvh: legs of 2\.79 fit no unit \(0\.85 m in ft"):
        load(None, f"0 {85 * size} 0 0 0 0", scale=size)
    clip = load(None, f"0 {85 * size} 0 0 0 0", scale=size, unit=unit)
    np.testing.assert_allclose(joint(clip, "left_wrist")[0], [0.72, 0, 1.30], atol=1e-5)
    assert (clip.reading.unit, clip.reading.unit_from, clip.reading.notes) == (name, "given", ())


def test_the_axis_that_points_up_may_be_given(load):
    usual, turned = load(), load(up="z")
    np.testing.assert_allclose(turned.xyz[..., 1], usual.xyz[..., 2], atol=1e-6)
    assert (turned.reading.up, turned.reading.up_from) == ("z", "given")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"unit": "feet"}, r"\(unit, --unit\), got 'feet'"),
        ({"up": "up"}, r"\(up, --up\), got 'up'"),
        ({"fps": 0}, r"--fps.*frame rate.*got 0"),
        ({"fps": float("nan")}, r"--fps.*frame rate.*got nan"),
        ({"joints": "none.json"}, "cannot read none.json"),
    ],
)
def test_wrong_options_are_refused(load, option, message):
    with pytest.raises(FormatError, match=message):
        load(**option)


def test_z_up_files_stay_z_up(load, figures):
    turned = {name: (parent, (x, -z, y)) for name, (parent, (x, y, z)) in figures.figure().items()}
    usual, z_up = load(), load(turned, "0 0 85 0 0 0")
    np.testing.assert_allclose(z_up.xyz, usual.xyz, atol=1e-6)
    assert z_up.reading.up == "z"


def test_up_is_that_of_the_motion_where_the_rest_pose_has_other_axes(load):
    """The rest pose stands along y, and the root turns the person to stand along z."""
    usual, stand = load(), load(None, "0 0 85 0 90 0")
    np.testing.assert_allclose(stand.xyz, usual.xyz, atol=1e-6)
    assert (stand.reading.up, stand.reading.up_from) == ("z", "motion against the rest pose")
    assert "say if it is another (up, --up)" in stand.reading.notes[0]


def test_who_lies_on_the_floor_is_not_put_up(load):
    lying = load(None, "0 12 40 0 -90 0")
    assert lying.reading.up == "y"
    assert np.ptp(lying.xyz[..., 2]) < 0.1


def test_joints_by_a_map(load, figures, tmp_path):
    names = {"LeftUpLeg": "Alfa", "LeftLeg": "Bravo", "Head": "Charlie"}
    odd = figures.renamed(figures.figure(), names)
    with pytest.raises(SkeletonError, match=r"s1_walk\.bvh: no joints for left_hip \('leftupleg'\), left_knee"):
        load(odd)
    (tmp_path / "map.csv").write_text("left_hip,Alfa\nleft_knee,Bravo\nhead,Charlie\n")
    clip = load(odd, joints=tmp_path / "map.csv")
    np.testing.assert_array_equal(clip.xyz, load().xyz)
    assert clip.reading.joints == "a joint map and MotionBuilder"
    (tmp_path / "map.csv").write_text("nose,RightHand\n")
    np.testing.assert_array_equal(joint(load(joints=tmp_path / "map.csv"), "nose"), joint(load(), "right_wrist"))


@pytest.mark.parametrize(
    "spell",
    [
        lambda name: f"mixamorig:{name}",
        lambda name: f"mixamorig_{name}",
        lambda name: name.upper().replace("LEFT", "L_").replace("RIGHT", "R_"),
    ],
)
def test_other_spellings_are_the_same_figure(load, figures, spell):
    names = {name: spell(name) for name in figures.figure()}
    np.testing.assert_array_equal(load(figures.renamed(figures.figure(), names)).xyz, load().xyz)


def test_the_frame_rate_is_the_files_or_given(load, tmp_path):
    assert load().fps == 50
    given = load(fps=60)
    assert (given.fps, given.reading.fps_from) == (60, "given")
    text = (tmp_path / "s1_walk.bvh").read_text()
    (tmp_path / "s1_walk.bvh").write_text(text.replace("Frame Time: 0.02", "Frame Time: 2"))
    (slow,) = load_mocap(tmp_path / "s1_walk.bvh")
    assert slow.reading.notes == ("0.5 frames a second are unusual; say how many there are (fps, --fps)",)
    (tmp_path / "s1_walk.bvh").write_text(text.replace("Frame Time: 0.02", "Frame Time: 50"))
    with pytest.raises(FormatError, match=r"s1_walk.bvh: wanted a frame rate from 0\.1 .*got 0\.02; pass --fps"):
        load_mocap(tmp_path / "s1_walk.bvh")


def test_remarks_of_the_reader_are_kept(load, tmp_path):
    load()
    text = (tmp_path / "s1_walk.bvh").read_text()
    (tmp_path / "s1_walk.bvh").write_text(text + text.splitlines()[-1])
    (clip,) = load_mocap(tmp_path / "s1_walk.bvh")
    assert len(clip) == 2
    assert clip.reading.notes == ("Frames: says 1, and there are 2; all are read",)


def test_written_poses_are_read_back(walk, tmp_path):
    clip = walk(20)
    x, y, z = np.moveaxis(clip.xyz, -1, 0)
    write_bvh(Poses3D(np.stack([x, -z, y], axis=-1), H36M_17, 50.0), tmp_path / "poses.bvh")
    (again,) = load_mocap(tmp_path / "poses.bvh")
    np.testing.assert_allclose(again.xyz, clip.xyz, atol=1e-5)
    assert (again.reading.joints, again.reading.unit, again.reading.notes) == ("H36M_17", "cm", ())


@pytest.mark.parametrize("unit", ["cm", "m", "in"])
@pytest.mark.parametrize(
    ("rig", "convention"),
    [
        ("mixamo", "MotionBuilder"), ("vrm", "Unity"), ("unity", "Unity"), ("unreal", "Biped and Unity"),
        ("cmu", "MotionBuilder"), ("rokoko", "Poser and MotionBuilder"),
    ],
)  # fmt: skip
def test_every_rig_is_read_by_its_names(walk, tmp_path, rig, convention, unit):
    """The reader knows names of joints from recordings, the rigs from programs."""
    clip = walk(20)
    x, y, z = np.moveaxis(clip.xyz, -1, 0)
    poses = Poses3D(np.stack([x, -z, y], axis=-1), H36M_17, 50.0)
    save_poses(poses, tmp_path / "poses.bvh", rig=rig, unit=unit)
    (again,) = load_mocap(tmp_path / "poses.bvh")
    assert (again.reading.joints, again.reading.unit) == (convention, {"in": "inch"}.get(unit, unit))
    limbs = [joint for limb in H36M_17.limbs for joint in limb]
    np.testing.assert_allclose(again.xyz[:, limbs], clip.xyz[:, limbs], atol=1e-3)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "02.asf").write_text("")
    with pytest.raises(FormatError, match="name the AMC file"):
        load_mocap(tmp_path / "02.asf")


def test_an_amc_needs_its_skeleton(tmp_path):
    amc = tmp_path / "02_01.amc"
    amc.write_text("")
    with pytest.raises(MissingData, match=r"such as 02\.asf for 02_01\.amc, got no ASF file"):
        load_mocap(amc)
    for name in ("a.asf", "b.asf"):
        (tmp_path / name).write_text("")
    with pytest.raises(MissingData, match=r"got a\.asf, b\.asf"):
        load_mocap(amc)


@pytest.fixture
def cmu(shared, tmp_path):
    """A copy of the CMU sample, its skeleton changed by (pattern, replacement), read."""

    def load(pattern: str, replacement: str, **options) -> MocapClip:
        folder = shared / "data" / "cmu_samples"
        shutil.copy(folder / "02_01.amc", tmp_path)
        text = (folder / "02.asf").read_text()
        assert re.search(pattern, text)
        (tmp_path / "02.asf").write_text(re.sub(pattern, replacement, text))
        (clip,) = load_mocap(tmp_path / "02_01.amc", **options)
        return clip

    return load


def test_an_amc_is_read_by_its_own_unit(cmu):
    clip = cmu("#", "#")
    assert (clip.fps, clip.reading.fps_from, clip.reading.unit, clip.reading.unit_from) == (
        120,
        "assumed",
        "cmu",
        "file",
    )
    assert clip.reading.height_m == pytest.approx(1.68, abs=0.01)
    assert clip.reading.notes == ()
    assert cmu("#", "#", fps=60).fps == 60


@pytest.mark.parametrize("line", ["length 1.0", "length 100", ""])
def test_a_unit_that_makes_no_person_is_not_believed(cmu, line):
    """The sample's numbers are in 1/0.45 inch, whatever a file says of its unit."""
    wrong = cmu("length 0.45", line)
    np.testing.assert_allclose(wrong.xyz, cmu("#", "#").xyz, atol=1e-5)
    assert (wrong.reading.unit, wrong.reading.unit_from) == ("cmu", "guessed from the legs")
    assert len(wrong.reading.notes) == bool(line)
    assert not line or "read in cmu instead; say if it is another (unit, --unit)" in wrong.reading.notes[0]


def with_lengths(xyz: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Root-relative joints (T, 17, 3) with the median bone lengths of another body."""
    moved = np.zeros_like(xyz)
    for i in H36M_17.topological:
        parent = H36M_17.parents[i]
        if parent >= 0:
            bone = xyz[:, i] - xyz[:, parent]
            length = np.median(np.linalg.norm(like[:, i] - like[:, parent], axis=-1))
            moved[:, i] = moved[:, parent] + bone / np.linalg.norm(bone, axis=-1, keepdims=True) * length
    return moved


def test_amc_agrees_with_the_archive(shared):
    """The archive holds the same walk: every bone's direction agrees; it gives the body other bone lengths."""
    (ours,) = load_mocap(shared / "data" / "cmu_samples" / "02_01.amc")
    archived = load_mocap(shared / "data" / "mocap17.npz", split="dev")
    (theirs,) = (clip for clip in archived if clip.name == "cmua_02_01")
    times = 3 + np.arange(len(theirs)) * ours.fps / theirs.fps  # the archive leaves out the first three frames
    times = times[times < len(ours) - 1]
    before, part = times.astype(int), (times % 1)[:, None, None]
    resampled = ours.xyz[before] * (1 - part) + ours.xyz[before + 1] * part
    wanted = theirs.xyz[: len(times)] - theirs.xyz[: len(times), :1]
    error = np.linalg.norm(with_lengths(resampled, theirs.xyz) - wanted, axis=-1)
    assert error.mean() < 0.0003
    assert error.max() < 0.002
    path = resampled[:, 0] - theirs.xyz[: len(times), 0]
    assert np.ptp(path, axis=0).max() < 0.002  # the pelvis moves alike; the archive starts above the origin
    own_lengths = np.linalg.norm(resampled - resampled[:, :1] - wanted, axis=-1)
    assert 0.04 < own_lengths.mean() < 0.055


def test_bvh_against_amc_of_the_same_walk(shared):
    """The BVH's figure rests with bent knees and elbows and has limbs of its own: right motion, biased joints."""
    folder = shared / "data" / "cmu_samples"
    (amc,) = load_mocap(folder / "02_01.amc")
    (bvh,) = load_mocap(folder / "02_01.bvh")
    bvh_xyz = bvh.xyz[1:]  # its first frame is a rest pose
    assert len(bvh_xyz) == len(amc)
    assert bvh.fps == amc.fps == 120

    def angle(parent: str, child: str) -> float:
        a, b = H36M_17.indices((parent, child))
        bones = [xyz[:, b] - xyz[:, a] for xyz in (amc.xyz, bvh_xyz)]
        bones = [bone / np.linalg.norm(bone, axis=-1, keepdims=True) for bone in bones]
        return float(np.degrees(np.arccos(np.clip((bones[0] * bones[1]).sum(-1), -1, 1))).mean())

    for side in ("left", "right"):
        assert angle("pelvis", f"{side}_hip") < 0.1
        assert 6 < angle(f"{side}_hip", f"{side}_knee") < 9
        assert 2 < angle(f"{side}_knee", f"{side}_ankle") < 5
        assert angle(f"{side}_shoulder", f"{side}_elbow") < 6
        assert 17 < angle(f"{side}_elbow", f"{side}_wrist") < 22
    error = np.linalg.norm(bvh_xyz - bvh_xyz[:, :1] - amc.xyz + amc.xyz[:, :1], axis=-1)
    assert 0.05 < error.mean() < 0.07
