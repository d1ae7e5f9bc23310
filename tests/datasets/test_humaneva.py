import numpy as np
import pytest

from poselift.datasets.humaneva import load_humaneva, valid_runs
from poselift.errors import DatasetError, MissingData
from poselift.formats.archive import read_archive
from poselift.geometry.studio import studio_cameras
from poselift.skeleton import COCO_17, HUMANEVA_15


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("humaneva")


@pytest.fixture(scope="module")
def world(folder, archives):
    return archives.write_humaneva(folder)


def test_joints_are_in_camera_axes_and_back_in_the_world_where_they_were(folder, world):
    data = load_humaneva(folder)
    cameras = studio_cameras("humaneva")
    assert data.name == "HumanEva-I" and len(data) == 6 * 4 * 3
    for clip in data.clips:
        (camera,) = [c for c in cameras[clip.subject.split("/")[1]] if c.name == clip.camera]
        np.testing.assert_allclose(camera.to_world(clip.xyz), world[clip.subject][clip.sequence], atol=1e-5)
        assert clip.skeleton == clip.keypoints.skeleton == HUMANEVA_15
        assert (clip.keypoints.fps, clip.keypoints.image_size) == (60, (640, 480))
        assert clip.valid.all() and clip.xyz.dtype == np.float32
        points = clip.xyz.astype(float)
        assert (points[..., 2] > 1).all()
        np.testing.assert_allclose(700 * points[..., 0] / points[..., 2] + 320, clip.keypoints.xy[..., 0], atol=1e-2)


def test_the_order_of_the_joints_is_that_of_the_public_archive():
    assert [HUMANEVA_15.joints[joint] for joint in (2, 3, 4, 8, 9, 10)] == [
        "left_shoulder", "left_elbow", "left_wrist", "left_hip", "left_knee", "left_ankle",
    ]  # fmt: skip
    assert HUMANEVA_15.parents == (-1, 0, 1, 2, 3, 1, 5, 6, 0, 8, 9, 0, 11, 12, 1)


def test_splits_chunks_and_actions(folder, world):
    train, test = (load_humaneva(folder, subjects=split) for split in ("train", "test"))
    assert {clip.subject for clip in train.clips} == {"Train/S1", "Train/S2", "Train/S3"}
    assert {clip.subject for clip in test.clips} == {"Validate/S1", "Validate/S2", "Validate/S3"}
    assert [clip.camera for clip in test.clips[:3]] == ["C1", "C2", "C3"]
    labels = [(clip.sequence, clip.action, len(clip)) for clip in test.clips[:12:3]]
    assert labels == [
        ("Walking 1 chunk0", "Walking", 8),
        ("Walking 1 chunk2", "Walking", 5),
        ("Jog 1 chunk1", "Jog", 6),
        ("Box 1 chunk0", "Box", 2),  # two frames are the shortest there are
    ]
    every = load_humaneva(folder, subjects="test", actions=None)
    assert {clip.subject for clip in every.clips if clip.action == "ThrowCatch"} == {"Validate/S1", "Validate/S2"}
    assert test.notes["actions"] == "Walking, Jog, Box" and test.notes["left out, not detected"] == "none"
    with pytest.raises(DatasetError, match="unknown action of HumanEva 'Walk'; did you mean 'Walking'"):
        load_humaneva(folder, actions="Walk")
    with pytest.raises(DatasetError, match="unknown subject of HumanEva with 3D 'S1'"):
        load_humaneva(folder, subjects="S1")


def test_detections_in_another_order_with_cameras_that_saw_nothing(tmp_path, archives):
    archives.write_humaneva(tmp_path)
    path = tmp_path / "data_2d_humaneva15_detectron_pt_coco.npz"
    content = read_archive(path)
    content["positions_2d"]["Validate/S2"]["Jog 1 chunk1"][1] = None
    archives.save(path, **content)
    data = load_humaneva(tmp_path, keypoints="detectron_pt_coco", subjects="test")
    assert len(data) == 3 * 4 * 3 - 1
    assert {(clip.keypoints.skeleton, clip.skeleton) for clip in data.clips} == {(COCO_17, HUMANEVA_15)}
    assert data.notes["left out, not detected"] == "Validate/S2 Jog 1 chunk1 C2"


def test_invalid_segments_are_cut_out_and_counted(tmp_path, archives):
    raw = archives.motion(12, 5, HUMANEVA_15)
    raw[:2, 3] = np.nan  # 0: invalid
    raw[6:8] = np.nan  # 1: four frames; 2: invalid
    raw[11, 0, 2] = np.nan  # 3: three frames; 4: invalid
    archives.write_humaneva(tmp_path, recordings={"Jog 1 chunk1": 4}, raw=raw)
    clips = load_humaneva(tmp_path, subjects=["Validate/S1"], actions="Walking").clips
    assert [(c.sequence, len(c)) for c in clips[::3]] == [("Walking 1 chunk1", 4), ("Walking 1 chunk3", 3)]
    pixels = read_archive(tmp_path / "data_2d_humaneva15_gt.npz")["positions_2d"]["Validate/S1"]["Walking 1"]
    for clip, view in zip(clips, pixels + pixels, strict=True):
        frames = slice(2, 6) if clip.sequence.endswith("1") else slice(8, 11)
        assert np.isfinite(clip.xyz).all()
        np.testing.assert_array_equal(clip.keypoints.xy, view[frames])


def test_runs_are_numbered_over_valid_and_invalid_ones():
    xyz = np.zeros((6, 2, 3))
    assert valid_runs(xyz) == {0: slice(0, 6)}
    xyz[2] = np.nan
    assert valid_runs(xyz) == {0: slice(0, 2), 2: slice(3, 6)}
    xyz[0, 1, 1] = np.inf
    assert valid_runs(xyz) == {1: slice(1, 2), 3: slice(3, 6)}
    assert valid_runs(xyz * np.nan) == {}


def test_missing_parts_are_named(tmp_path, archives):
    with pytest.raises(MissingData, match=r"data_3d_humaneva15\.npz; get it from .*humaneva\.is\.tue\.mpg\.de"):
        load_humaneva(tmp_path)
    archives.write_humaneva(tmp_path)
    with pytest.raises(MissingData, match="keypoints that are there: detectron_pt_coco, gt"):
        load_humaneva(tmp_path, keypoints="mine")
    path = tmp_path / "data_2d_humaneva15_gt.npz"
    content = read_archive(path)
    del content["positions_2d"]["Validate/S3"]["Box 1 chunk0"]
    archives.save(path, **content)
    with pytest.raises(MissingData, match="no recording 'Box 1 chunk0' of Validate/S3"):
        load_humaneva(tmp_path)
    del content["positions_2d"]["Train/S2"]
    archives.save(path, **content)
    with pytest.raises(MissingData, match="no recording|no subject Train/S2"):
        load_humaneva(tmp_path, subjects="train")


def test_2d_shorter_than_3d_and_unknown_recordings(tmp_path, archives):
    archives.write_humaneva(tmp_path)
    path = tmp_path / "data_2d_humaneva15_gt.npz"
    content = read_archive(path)
    views = content["positions_2d"]["Train/S1"]["Jog 1 chunk1"]
    views[2] = views[2][:-1]
    archives.save(path, **content)
    with pytest.raises(DatasetError, match="Train/S1 'Jog 1 chunk1' .*camera C3: 5 frames of 2D keypoints for 6"):
        load_humaneva(tmp_path)
    archives.write_humaneva(tmp_path)
    content = read_archive(tmp_path / "data_3d_humaneva15.npz")
    content["positions_3d"]["Train/S1"]["Run 1"] = views[0]
    archives.save(tmp_path / "data_3d_humaneva15.npz", **content)
    with pytest.raises(DatasetError, match="recording 'Run 1' is of no action of HumanEva"):
        load_humaneva(tmp_path, subjects="train", actions="Jog")


def test_loading_twice_gives_equal_results_in_arrays_of_ones_own(folder, world):
    first = load_humaneva(folder, subjects="test").clips
    kept = [clip.xyz.copy() for clip in first]
    for clip in first:
        clip.xyz[:] = 0
        clip.keypoints.xy[:] = 0
    for xyz, clip in zip(kept, load_humaneva(folder, subjects="test").clips, strict=True):
        np.testing.assert_array_equal(clip.xyz, xyz)
        assert clip.keypoints.xy.any()
