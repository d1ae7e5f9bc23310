import dataclasses
import shutil

import numpy as np
import pytest

from poselift.datasets.mocap import load_mocap
from poselift.errors import DatasetError, FormatError, MissingData, ShapeError
from poselift.skeleton import BODY_27, COCO_17, H36M_17

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
        ({"fps": np.array(0.0)}, "wanted a frame rate"),
        ({"fps": np.array(np.nan)}, "wanted a frame rate"),
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


def test_a_folder_has_no_splits(figures, tmp_path):
    (tmp_path / "a.bvh").write_text(figures.bvh(figures.figure()))
    with pytest.raises(DatasetError, match="has no splits, so no 'dev'"):
        load_mocap(tmp_path, split="dev")


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


def test_a_folder_of_amc_files(shared, tmp_path):
    for name in ("02.asf", "02_01.amc"):
        shutil.copy(shared / "data" / "cmu_samples" / name, tmp_path / name)
    shutil.copy(tmp_path / "02_01.amc", tmp_path / "02_02.AMC")
    first, second = load_mocap(tmp_path, fps=60)
    assert (first.name, second.name, second.subject, second.fps) == ("02_01", "02_02", "02", 60)
    np.testing.assert_array_equal(first.xyz, second.xyz)


def test_one_recording_in_two_formats_is_two_clips(shared):
    clips = load_mocap(shared / "data" / "cmu_samples")
    assert [(clip.name, clip.subject, len(clip)) for clip in clips] == [
        ("02_01.amc", "02", 343),
        ("02_01.bvh", "02", 344),
    ]


def test_recordings_of_a_folder_are_called_after_their_path(figures, tmp_path):
    for name in ("a/walk", "a/zz", "b/c/walk", "s3_run", "walk1_subject1", "jump"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.bvh").write_text(figures.bvh(figures.figure()))
    found = {clip.name: clip.subject for clip in load_mocap(tmp_path)}
    assert found == {
        "a/walk": "a", "a/zz": "a", "b/c/walk": "b/c", "jump": "jump", "s3_run": "s3", "walk1_subject1": "subject1",
    }  # fmt: skip


def test_files_of_a_folder_that_cannot_be_read_are_skipped_on_request(figures, tmp_path):
    (tmp_path / "good.bvh").write_text(figures.bvh(figures.figure()))
    (tmp_path / "cut.bvh").write_text(figures.bvh(figures.figure())[:500])
    (tmp_path / "prop.bvh").write_text(figures.bvh({"Prop": ("", (0, 0, 0))}))
    (tmp_path / "away.bvh").symlink_to(tmp_path / "nowhere.bvh")
    (tmp_path / "lone.amc").write_text("")
    with pytest.raises(FormatError, match="away"):
        load_mocap(tmp_path)
    skipped = []
    (clip,) = load_mocap(tmp_path, skipped=lambda path, error: skipped.append((path.name, str(error))))
    assert clip.name == "good"
    assert [name for name, _ in skipped] == ["away.bvh", "cut.bvh", "lone.amc", "prop.bvh"]
    for (_, error), wanted in zip(skipped, ("No such file", "wanted", "no ASF file", "by names we know"), strict=True):
        assert wanted in error
    (tmp_path / "good.bvh").unlink()
    with pytest.raises(DatasetError, match="none of the 4 BVH and AMC files in"):
        load_mocap(tmp_path, skipped=lambda path, error: None)


@pytest.mark.parametrize("option", [{"unit": "cm"}, {"up": "y"}, {"fps": 50}])
def test_an_archive_says_all_itself(tmp_path, option):
    np.savez(tmp_path / "m.npz", **archive())
    with pytest.raises(DatasetError, match="says its unit, axes, rate and joints itself"):
        load_mocap(tmp_path / "m.npz", **option)


FEET = "LEye REye LEar REar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"


def archive_27() -> dict[str, np.ndarray]:
    """Two clips: of the second the face is not known and the feet are weak."""
    data = archive()
    pose = np.random.default_rng(1).normal(size=(5, 27, 3)).astype(np.float16)
    pose[:, :17] = data["pose"]
    pose[2:, 17:21] = np.nan
    contact = np.int8([[1, 1, 0, 0], [1, 0, -1, -1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1]])
    names = {"joints": np.array(f"{NPZ_JOINTS} {FEET}".split()), "parents": np.int8(BODY_27.parents)}
    return data | names | {"pose": pose, "contact": contact, "feet_quality": np.int8([2, 0])}


def test_an_archive_with_feet_and_face_says_what_is_known(tmp_path):
    data = archive_27()
    np.savez(tmp_path / "feet.npz", **data)
    whole, weak = load_mocap(tmp_path / "feet.npz")
    assert (whole.skeleton, whole.source) == (BODY_27, "feet")
    np.testing.assert_array_equal(whole.contact, data["contact"][:2])
    assert whole.known.all() and whole.first(1).contact.shape == (1, 4)
    assert weak.contact is None  # contacts of feet that may not be trusted are not either
    assert weak.known.tolist() == [True] * 17 + [False] * 10
    assert np.isnan(weak.xyz[:, 17:21]).all() and np.isfinite(weak.xyz[:, 21:]).all()
    x, y, z = (data["pose"][0].astype(np.float32) + data["root"][0]).T
    np.testing.assert_array_equal(whole.xyz[0], np.stack([x, -z, y], axis=-1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contact": np.zeros((4, 4), np.int8)}, "wanted 'contact' of shape"),
        ({"contact": np.full((5, 4), 2, np.int8)}, "wanted contacts of -1"),
        ({"contact": np.zeros((5, 4))}, "wanted 'contact' as numbers of 2 dimensions"),
        ({"feet_quality": np.int8([2])}, "wanted 'feet_quality' of shape"),
        ({"parents": np.int8(range(-1, 26))}, "wanted the joints of BODY_27"),
    ],
)
def test_a_broken_archive_with_feet_is_refused(tmp_path, change, message):
    np.savez(tmp_path / "m.npz", **(archive_27() | change))
    with pytest.raises(DatasetError, match=message):
        load_mocap(tmp_path / "m.npz")


@pytest.mark.parametrize(("joint", "value"), [(20, np.nan), (25, np.inf), (3, np.nan)])
def test_a_joint_that_comes_and_goes_is_refused(tmp_path, joint, value):
    data = archive_27()
    data["pose"][0, joint, 1] = value
    np.savez(tmp_path / "m.npz", **data)
    with pytest.raises(DatasetError, match="NaN or infinite"):
        load_mocap(tmp_path / "m.npz")


def test_clips_are_written_in_more_joints_or_fewer(tmp_path):
    np.savez(tmp_path / "m.npz", **archive_27())
    np.savez(tmp_path / "small.npz", **archive())
    whole, small = load_mocap(tmp_path / "m.npz")[0], load_mocap(tmp_path / "small.npz")[0]
    less, more = whole.in_joints(H36M_17), small.in_joints(BODY_27)
    np.testing.assert_array_equal(less.xyz, small.xyz)
    assert less.known.all() and less.contact is whole.contact
    np.testing.assert_array_equal(more.xyz[:, :17], small.xyz)
    assert np.isnan(more.xyz[:, 17:]).all()
    assert more.known.tolist() == [True] * 17 + [False] * 10
    assert small.in_joints(H36M_17) is small
    with pytest.raises(ShapeError, match="COCO_17 has no pelvis for BODY_27"):
        dataclasses.replace(small, skeleton=COCO_17).in_joints(BODY_27)


def test_the_real_archives_are_read_and_agree(shared):
    dev = load_mocap(shared / "data" / "mocap27.npz", split="dev")
    old = load_mocap(shared / "data" / "mocap17.npz", split="dev")
    for new, before in zip(dev, old, strict=True):
        np.testing.assert_array_equal(new.xyz[:, :17], before.xyz)
        assert new.known[21:].all()
