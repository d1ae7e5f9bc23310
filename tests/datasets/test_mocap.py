import shutil

import numpy as np
import pytest

from poselift.datasets.clip import MocapClip
from poselift.datasets.mocap import load_mocap, z_up_from_y_up
from poselift.errors import DatasetError, FormatError, MissingData, SkeletonError
from poselift.formats.bvh import write_bvh
from poselift.sequence import Poses3D
from poselift.skeleton import H36M_17

NPZ_JOINTS = (
    "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow LWrist RShoulder RElbow RWrist"
)


def archive() -> dict[str, np.ndarray]:
    pose = np.random.default_rng(0).normal(size=(5, 17, 3)).astype(np.float16)
    pose[:, 0] = 0
    return {
        "pose": pose,
        "root": np.arange(15, dtype=np.float32).reshape(5, 3),
        "offsets": np.int32([0, 2, 5]),
        "names": np.array(["a_01", "b_01"]),
        "subjects": np.array(["a", "b"]),
        "split": np.array(["train", "dev"]),
        "parents": np.int8(H36M_17.parents),
        "joints": np.array(NPZ_JOINTS.split()),
        "fps": np.float32(50),
        "up": np.array("y"),
        "units": np.array("m"),
    }


def figure(order: str = "ZXY") -> dict[str, tuple[str, tuple[float, float, float]]]:
    """Joints of a standing figure in cm: {name: (parent, offset)}, MotionBuilder names."""
    joints = {"Hips": ("", (0, 0, 0)), "Spine": ("Hips", (0, 20, 0)), "Neck": ("Spine", (0, 30, 0))}
    joints |= {"Head": ("Neck", (0, 10, 0))}
    for side, sign in (("Left", 1), ("Right", -1)):
        joints |= {f"{side}UpLeg": ("Hips", (sign * 10, 0, 0)), f"{side}Leg": (f"{side}UpLeg", (0, -45, 0))}
        joints |= {f"{side}Foot": (f"{side}Leg", (0, -40, 0)), f"{side}Shoulder": ("Spine", (sign * 2, 25, 0))}
        joints |= {f"{side}Arm": (f"{side}Shoulder", (sign * 15, 0, 0))}
        joints |= {
            f"{side}ForeArm": (f"{side}Arm", (sign * 30, 0, 0)),
            f"{side}Hand": (f"{side}ForeArm", (sign * 25, 0, 0)),
        }
    return joints


def bvh_text(joints, root_values: str = "0 85 0 0 0 0", scale: float = 1.0, z_up: bool = False) -> str:
    """A BVH of one frame in which only the root moves."""

    def lines(name, depth):
        parent, (x, y, z) = joints[name]
        x, y, z = (x, -z, y) if z_up else (x, y, z)
        yield f"{'JOINT' if parent else 'ROOT'} {name}\n{{\nOFFSET {x * scale} {y * scale} {z * scale}"
        yield f"CHANNELS {'3' if parent else '6 Xposition Yposition Zposition'} Zrotation Xrotation Yrotation"
        for child, (above, _) in joints.items():
            if above == name:
                yield from lines(child, depth + 1)
        yield "}"

    values = root_values + " 0" * 3 * (len(joints) - 1)
    return "\n".join(["HIERARCHY", *lines("Hips", 0), "MOTION", "Frames: 1", "Frame Time: 0.02", values, ""])


def joint(clip: MocapClip, name: str) -> np.ndarray:
    """(T, 3) one joint of a clip."""
    return clip.xyz[:, H36M_17.index(name)]


def test_y_up_to_z_up_is_a_rotation():
    np.testing.assert_array_equal(z_up_from_y_up(np.eye(3)), [[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    assert np.linalg.det(z_up_from_y_up(np.eye(3))) == 1


def test_archive_is_read_as_world_joints(tmp_path):
    data = archive()
    np.savez(tmp_path / "m.npz", **data)
    clips = load_mocap(tmp_path / "m.npz")
    assert [(c.name, c.subject, c.fps, len(c)) for c in clips] == [("a_01", "a", 50.0, 2), ("b_01", "b", 50.0, 3)]
    assert clips[0].xyz.dtype == np.float32
    assert clips[0].skeleton is H36M_17
    x, y, z = (data["pose"][2].astype(np.float32) + data["root"][2]).T
    np.testing.assert_array_equal(clips[1].xyz[0], np.stack([x, -z, y], axis=-1))
    assert [c.name for c in load_mocap(tmp_path / "m.npz", split="dev")] == ["b_01"]


def test_an_unknown_split_is_named(tmp_path):
    np.savez(tmp_path / "m.npz", **archive())
    with pytest.raises(DatasetError, match="no split 'trian'; did you mean 'train'"):
        load_mocap(tmp_path / "m.npz", split="trian")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pose": None}, "lacks the arrays pose"),
        ({"joints": np.array(NPZ_JOINTS.split()[::-1])}, "wanted the joints of H36M_17"),
        ({"up": np.array("z")}, "wanted metres with y up"),
        ({"units": np.array("mm")}, "wanted metres with y up"),
        ({"offsets": np.int32([0, 2, 6])}, "do not fit together"),
        ({"offsets": np.int32([0, 0, 5])}, "do not fit together"),
        ({"offsets": np.int32([0, 5])}, "do not fit together"),
        ({"root": np.zeros((4, 3))}, "do not fit together"),
        ({"root": np.full((5, 3), np.nan)}, "NaN"),
        ({"names": np.array(["a", None], dtype=object)}, r"wanted 'names' as text of 1 dimensions, got O\(2,\)"),
        ({"pose": np.zeros((5, 17, 3), np.int16)}, "wanted 'pose' as numbers of 3 dimensions"),
        ({"pose": np.zeros((5, 51))}, "wanted 'pose' as numbers of 3 dimensions"),
        ({"root": np.array("far")}, "wanted 'root' as numbers"),
        ({"split": np.array("dev")}, "wanted 'split' as text of 1 dimensions"),
        ({"offsets": np.float32([0, 2, 5])}, "wanted 'offsets' as numbers"),
        ({"offsets": np.uint8([0, 9, 5])}, "do not fit together"),
        ({"fps": np.array(0.0)}, "a positive frame rate"),
        ({"fps": np.array(np.nan)}, "a positive frame rate"),
        ({"fps": np.array([50.0])}, "wanted 'fps' as numbers of 0 dimensions"),
        ({"joints": np.array({"a": 1}, dtype=object)}, "wanted 'joints' as text"),
    ],
)
def test_a_broken_archive_is_refused(tmp_path, change, message):
    data = {name: array for name, array in (archive() | change).items() if array is not None}
    np.savez(tmp_path / "m.npz", **data)
    with pytest.raises(DatasetError, match=message):
        load_mocap(tmp_path / "m.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "m.npz").write_bytes(content)
    with pytest.raises(DatasetError, match="damaged or no npz archive"):
        load_mocap(tmp_path / "m.npz")


def test_what_is_not_used_is_not_read(tmp_path):
    np.savez(tmp_path / "m.npz", other=np.array(print, dtype=object), **archive())
    assert len(load_mocap(tmp_path / "m.npz")) == 2


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_are_refused_or_harmless(tmp_path, seed):
    """Bytes changed here and there, headers too: an error of ours or the same shapes, never another exception."""
    rng = np.random.default_rng(seed)
    np.savez(tmp_path / "m.npz", **archive())
    content = np.frombuffer((tmp_path / "m.npz").read_bytes(), np.uint8).copy()
    content[rng.integers(0, len(content), 8)] = rng.integers(0, 256, 8)
    (tmp_path / "m.npz").write_bytes(content.tobytes())
    try:
        clips = load_mocap(tmp_path / "m.npz")
    except DatasetError as error:
        assert str(tmp_path) in str(error)
    else:
        assert [clip.xyz.shape for clip in clips] == [(2, 17, 3), (3, 17, 3)]


def test_a_truncated_archive_is_refused(tmp_path):
    np.savez(tmp_path / "m.npz", **archive())
    whole = (tmp_path / "m.npz").read_bytes()
    (tmp_path / "m.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DatasetError, match="damaged or no npz archive"):
        load_mocap(tmp_path / "m.npz")


def test_nothing_there_is_missing_data(tmp_path):
    with pytest.raises(MissingData, match="no motion capture at"):
        load_mocap(tmp_path / "none.npz")
    with pytest.raises(MissingData, match="no BVH or AMC files in"):
        load_mocap(tmp_path)


def test_bvh_joints_pinned(tmp_path):
    (tmp_path / "s1_walk.bvh").write_text(bvh_text(figure()))
    (clip,) = load_mocap(tmp_path)
    assert (clip.name, clip.subject, clip.fps, len(clip)) == ("s1_walk", "s1", 50.0, 1)
    np.testing.assert_allclose(joint(clip, "pelvis")[0], [0, 0, 0.85], atol=1e-6)
    np.testing.assert_allclose(joint(clip, "left_hip")[0], [0.10, 0, 0.85], atol=1e-6)
    np.testing.assert_allclose(joint(clip, "right_ankle")[0], [-0.10, 0, 0], atol=1e-6)
    np.testing.assert_allclose(joint(clip, "left_wrist")[0], [0.72, 0, 1.30], atol=1e-6)
    np.testing.assert_allclose(joint(clip, "spine")[0], [0, 0, 1.05], atol=1e-6)
    np.testing.assert_allclose(joint(clip, "thorax")[0], [0, 0, (1.30 + 1.35) / 2], atol=1e-6)
    nose, top = joint(clip, "nose")[0], joint(clip, "head_top")[0]
    assert -0.04 < nose[1] < -0.01  # this figure faces -y
    assert 1.45 < nose[2] < 1.55 < top[2] < 1.65


def test_the_head_turns_with_the_body(tmp_path):
    (tmp_path / "turned.bvh").write_text(bvh_text(figure(), "0 85 0 0 0 90"))
    (clip,) = load_mocap(tmp_path)
    np.testing.assert_allclose(joint(clip, "left_hip")[0], [0, 0.10, 0.85], atol=1e-6)
    assert joint(clip, "nose")[0, 0] > 0.01


@pytest.mark.parametrize("unit", [1, 100, 1000, 1 / 0.0254, 0.45 / 0.0254])
def test_the_unit_is_told_from_the_legs(tmp_path, unit):
    values = f"0 {0.85 * unit} 0 0 0 0"
    (tmp_path / "a.bvh").write_text(bvh_text(figure(), values, scale=unit / 100))
    (clip,) = load_mocap(tmp_path / "a.bvh")
    np.testing.assert_allclose(joint(clip, "left_wrist")[0], [0.72, 0, 1.30], atol=1e-5)


def test_a_unit_may_be_given(tmp_path):
    (tmp_path / "child.bvh").write_text(bvh_text(figure(), "0 45 0 0 0 0", scale=0.5))
    np.testing.assert_allclose(
        joint(load_mocap(tmp_path, bvh_unit_m=0.01)[0], "left_hip")[0], [0.05, 0, 0.45], atol=1e-6
    )
    (tmp_path / "child.bvh").write_text(bvh_text(figure(), scale=100))
    with pytest.raises(FormatError, match=r"child\.bvh: legs 8.5e\+03 long .* give bvh_unit_m"):
        load_mocap(tmp_path)


def test_z_up_files_stay_z_up(tmp_path):
    (tmp_path / "blender.bvh").write_text(bvh_text(figure(), "0 0 85 0 0 0", z_up=True))
    (tmp_path / "usual.bvh").write_text(bvh_text(figure()))
    blender, usual = load_mocap(tmp_path)
    np.testing.assert_allclose(blender.xyz, usual.xyz, atol=1e-6)


def test_a_lying_rest_pose_is_refused(tmp_path):
    lying = {name: (parent, (y, -x, z)) for name, (parent, (x, y, z)) in figure().items()}
    (tmp_path / "lying.bvh").write_text(bvh_text(lying))
    with pytest.raises(FormatError, match=r"lying\.bvh: wanted a rest pose that stands"):
        load_mocap(tmp_path)


@pytest.mark.parametrize(
    "spell",
    [
        lambda name: f"mixamorig:{name}",
        lambda name: name.upper().replace("LEFT", "L_").replace("RIGHT", "R_"),
        lambda name: name.replace("UpLeg", "Thigh").replace("Leg", "Shin").replace("Arm", "Shldr")
        .replace("ForeShldr", "ForeArm").replace("Left", "l").replace("Right", "r"),
        lambda name: (name.replace("Left", "") + {"L": ".L", "R": ".R"}.get(name[0], "")).replace("Right", "")
        .replace("UpLeg", "thigh").replace("Leg", "shin").replace("ForeArm", "fore").replace("Arm", "upper_arm")
        .replace("fore", "forearm"),
    ],
)  # fmt: skip
def test_common_joint_names_are_found(tmp_path, spell):
    joints = {spell(name): (parent and spell(parent), offset) for name, (parent, offset) in figure().items()}
    text = bvh_text(
        {"Hips": joints.pop(spell("Hips"))}
        | {n: ("Hips" if p == spell("Hips") else p, o) for n, (p, o) in joints.items()}
    )
    (tmp_path / "a.bvh").write_text(text)
    (tmp_path / "b.bvh").write_text(bvh_text(figure()))
    spelt, plain = load_mocap(tmp_path)
    np.testing.assert_array_equal(spelt.xyz, plain.xyz)


def test_a_trunk_without_a_middle_joint_gets_one(tmp_path):
    joints = figure()
    joints["Spine"], joints["Neck"] = ("Hips", (0, 0, 0)), ("Spine", (0, 50, 0))
    (tmp_path / "a.bvh").write_text(bvh_text(joints))
    (clip,) = load_mocap(tmp_path)
    np.testing.assert_allclose(joint(clip, "spine"), (joint(clip, "pelvis") + joint(clip, "thorax")) / 2, atol=1e-6)


def test_missing_joints_are_named(tmp_path):
    joints = {name: value for name, value in figure().items() if name not in ("LeftHand", "Head")}
    (tmp_path / "a.bvh").write_text(bvh_text(joints))
    with pytest.raises(
        SkeletonError, match=r"a\.bvh: no joints for left_wrist \('lefthand'\), head \('head'\) by MotionB"
    ):
        load_mocap(tmp_path)


def test_written_bvh_is_read_back(tmp_path):
    xyz = np.random.default_rng(0).normal(size=(1, 17, 3))
    legs = H36M_17.indices(("left_knee", "left_ankle", "right_knee", "right_ankle"))
    xyz[:, 0] = 0
    xyz = (xyz + xyz[:, H36M_17.flipped] * (-1, 1, 1)) / 2
    xyz[:, legs] = xyz[:, H36M_17.indices(("left_hip", "left_hip", "right_hip", "right_hip"))]
    xyz[:, legs, 1] += [0.4, 0.8, 0.4, 0.8]
    write_bvh(Poses3D(xyz, H36M_17, 50.0), tmp_path / "poses.bvh")
    (clip,) = load_mocap(tmp_path)
    x, y, z = np.moveaxis(xyz, -1, 0)
    np.testing.assert_allclose(clip.xyz, np.stack([x, z, -y], axis=-1), atol=1e-5)


def test_a_folder_has_no_splits(tmp_path):
    (tmp_path / "a.bvh").write_text(bvh_text(figure()))
    with pytest.raises(DatasetError, match="has no splits, so no 'dev'"):
        load_mocap(tmp_path, split="dev")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "02.asf").write_text("")
    with pytest.raises(FormatError, match="name the AMC file"):
        load_mocap(tmp_path / "02.asf")


def test_an_amc_needs_its_skeleton(tmp_path):
    (tmp_path / "02_01.amc").write_text("")
    with pytest.raises(MissingData, match=r"such as 02\.asf for 02_01\.amc, got no ASF file"):
        load_mocap(tmp_path)
    for name in ("a.asf", "b.asf"):
        (tmp_path / name).write_text("")
    with pytest.raises(MissingData, match=r"got a\.asf, b\.asf|got b\.asf, a\.asf"):
        load_mocap(tmp_path)


def test_a_recording_in_two_formats_is_refused(shared):
    with pytest.raises(DatasetError, match="holds 02_01 more than once"):
        load_mocap(shared / "data" / "cmu_samples")


def test_bodies_are_not_mirrored(shared):
    """Knees bend forward: a mirror, or left and right exchanged, would bend them back."""
    clips = load_mocap(shared / "data" / "mocap17.npz", split="dev")
    assert len(clips) == 27
    xyz = np.concatenate([clip.xyz for clip in clips])
    at = {name: xyz[:, i] for i, name in enumerate(H36M_17.joints)}
    assert np.median(at["thorax"][:, 2] - at["pelvis"][:, 2]) > 0.4
    forward = np.cross(at["left_hip"] - at["right_hip"], at["thorax"] - at["pelvis"])
    for side in ("left", "right"):
        bend = at[f"{side}_knee"] - (at[f"{side}_hip"] + at[f"{side}_ankle"]) / 2
        assert ((bend * forward).sum(-1) > -1e-3).mean() > 0.97


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


def test_a_folder_of_amc_files(shared, tmp_path):
    for name in ("02.asf", "02_01.amc"):
        shutil.copy(shared / "data" / "cmu_samples" / name, tmp_path / name)
    shutil.copy(tmp_path / "02_01.amc", tmp_path / "02_02.AMC")
    first, second = load_mocap(tmp_path, amc_fps=60)
    assert (first.name, second.name, second.subject, second.fps) == ("02_01", "02_02", "02", 60)
    np.testing.assert_array_equal(first.xyz, second.xyz)
