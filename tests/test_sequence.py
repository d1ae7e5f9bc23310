from dataclasses import replace

import numpy as np
import pytest

from poselift.errors import KindError, ShapeError, SkeletonError
from poselift.geometry.camera import Camera
from poselift.sequence import (
    FRAMES,
    SPREAD_SHAPE,
    Keypoints2D,
    Poses3D,
    expect_keypoints,
    expect_poses,
    from_y_up,
    spans,
    spread_quantile,
)
from poselift.skeleton import COCO_17, H36M_17

XY = np.ones((3, 17, 2))
XYZ = np.ones((3, 17, 3))


def test_arrays_are_stored_as_contiguous_float32():
    keypoints = Keypoints2D(np.ones((17, 3, 2)).swapaxes(0, 1).astype(int), np.ones((3, 17)), COCO_17, 30)
    poses = Poses3D(XYZ[:, :, ::-1], H36M_17, 50)
    for array in (keypoints.xy, keypoints.confidence, poses.xyz):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
    assert (len(keypoints), len(poses)) == (3, 3)
    assert (poses.frame, poses.unit) == ("camera", "m")


def test_seen_needs_coordinates_and_a_positive_score():
    xy, confidence = XY.copy(), np.ones((3, 17))
    xy[0, 0], xy[0, 1, 0], confidence[0, 2], confidence[0, 3] = np.nan, np.nan, 0, np.nan
    keypoints = Keypoints2D(xy, confidence, COCO_17, 30)
    assert keypoints.seen[0].tolist() == [False] * 4 + [True] * 13
    assert keypoints.confidence[0, 3] == 0
    assert Keypoints2D(xy, None, COCO_17, 30).seen[0].tolist() == [False] * 2 + [True] * 15


def test_what_is_given_is_not_changed():
    confidence = np.full((3, 17), np.nan, np.float32)
    Keypoints2D(XY, confidence, COCO_17, 30)
    assert np.isnan(confidence).all()


def test_with_frames_keeps_the_person():
    keypoints = Keypoints2D(XY, None, COCO_17, 30, (640, 480)).with_frames(XY[:1], np.ones((1, 17)), 60)
    assert (len(keypoints), keypoints.fps, keypoints.image_size, keypoints.skeleton) == (1, 60, (640, 480), COCO_17)


@pytest.mark.parametrize(
    ("xy", "error", "message"),
    [
        (np.ones((17, 2)), ShapeError, r"wanted xy of shape \(frames, joints, 2\), got \(17, 2\)"),
        (np.ones((3, 17, 3)), ShapeError, "got .3, 17, 3"),
        (np.ones((0, 17, 2)), ShapeError, "no frames"),
        (np.ones((3, 18, 2)), SkeletonError, "COCO_17 has 17 joints, xy has 18"),
        (np.full((3, 17, 2), np.inf), ShapeError, "102 infinite"),
        (np.full((3, 17, 2), "1"), ShapeError, "wanted numbers"),
        (np.ones((3, 17, 2), complex), ShapeError, "wanted numbers"),
        (np.full((3, 17, 2), None), ShapeError, "wanted numbers"),
    ],
)
def test_wrong_keypoints_are_refused(xy, error, message):
    with pytest.raises(error, match=message):
        Keypoints2D(xy, None, COCO_17, 30)


@pytest.mark.parametrize(
    ("confidence", "message"),
    [
        (np.ones((3, 16)), r"shape \(3, 17\), got \(3, 16\)"),
        (np.full((3, 17), -0.1), "between 0 and 1"),
        (np.full((3, 17), np.inf), "between 0 and 1"),
    ],
)
def test_wrong_confidence_is_refused(confidence, message):
    with pytest.raises(ShapeError, match=message):
        Keypoints2D(XY, confidence, COCO_17, 30)


@pytest.mark.parametrize("fps", [0, -1, np.nan, np.inf, 1e-4, 0.099, 10_001, 1e308])
def test_wrong_rates_are_refused(fps):
    with pytest.raises(ShapeError, match="frame rate from"):
        Keypoints2D(XY, None, COCO_17, fps)
    with pytest.raises(ShapeError, match="frame rate from"):
        Poses3D(XYZ, H36M_17, fps)


def test_wrong_pictures_are_refused():
    with pytest.raises(ShapeError, match="image size"):
        Keypoints2D(XY, None, COCO_17, 30, (0, 480))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_poses_are_finite(value):
    xyz = XYZ.copy()
    xyz[1, 2, 0] = value
    with pytest.raises(ShapeError, match="1 NaN or infinite"):
        Poses3D(xyz, H36M_17, 50)


def test_wrong_poses_are_refused():
    with pytest.raises(ShapeError, match="wanted xyz"):
        Poses3D(XY, H36M_17, 50)
    with pytest.raises(SkeletonError, match="H36M_17 has 17 joints"):
        Poses3D(np.ones((3, 15, 3)), H36M_17, 50)


def test_keypoints_are_filled_in_one_place():
    xy = XY.copy()
    xy[0, 3] = np.nan
    scores = np.full((3, 17), 0.5)
    scores[1, 4] = 0
    filled, known = Keypoints2D(xy, scores, COCO_17, 30).filled()
    assert np.isfinite(filled).all() and (filled.dtype, known.dtype) == (np.float32, np.float32)
    assert (filled[0, 3] == 0).all() and (filled[1, 4] == 0).all()
    wanted = scores.copy()
    wanted[0, 3] = 0
    np.testing.assert_array_equal(known, wanted.astype(np.float32))
    assert set(np.unique(Keypoints2D(xy, None, COCO_17, 30).filled()[1])) == {0, 1}


def known_poses(frames=9):
    """Poses that know everything: frames 3 to 5 show nobody, and 4 is a gap."""
    rng = np.random.default_rng(0)
    observed = rng.uniform(0.1, 1, (frames, 17)).astype(np.float32)
    observed[3:6] = 0
    observed[0, 2] = 0
    return Poses3D(
        rng.normal(size=(frames, 17, 3)), H36M_17, 10, "turned_camera", observed=observed, gap=np.arange(frames) == 4,
        path=rng.normal(size=(frames, 3)), camera=Camera.from_focal(900, (640, 480)),
        spread=rng.uniform(0.01, 0.1, (frames, 17)), start_s=1.5,
    )  # fmt: skip


def test_spans_of_poses_are_named():
    poses = known_poses()
    assert (poses.unseen, poses.gaps) == ([(3, 5)], [(4, 4)])
    assert Poses3D(XYZ, H36M_17, 50).gaps == Poses3D(XYZ, H36M_17, 50).unseen == []
    assert spans(np.array([True, True, False, True])) == [(0, 1), (3, 3)]
    assert spans(np.zeros(4, bool)) == []


def test_poses_without_gaps_are_the_stretches_between():
    poses = known_poses()
    first, second = poses.without_gaps()
    assert (len(first), first.start_s, len(second), second.start_s) == (4, 1.5, 4, 2.0)
    np.testing.assert_array_equal(second.xyz, poses.xyz[5:])
    np.testing.assert_array_equal(second.observed, poses.observed[5:])
    assert not second.gap.any() and second.frame == "turned_camera"
    assert replace(poses, gap=np.ones(9, bool)).without_gaps() == ()
    assert Poses3D(XYZ, H36M_17, 50).without_gaps()[0].fps == 50


def test_y_is_up_for_animation_in_every_frame():
    """A point right of, below and beyond a camera; and the same point in a world whose y is where the camera looks."""
    xyz = np.zeros((1, 17, 3), np.float32)
    xyz[0, 1] = (1, 2, 3)
    for frame in ("camera", "turned_camera"):
        np.testing.assert_array_equal(Poses3D(xyz, H36M_17, 50, frame).y_up()[0, 1], (1, -2, -3))
    xyz[0, 1] = (1, 3, -2)
    np.testing.assert_array_equal(Poses3D(xyz, H36M_17, 50, "world").y_up()[0, 1], (1, -2, -3))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"frame": "room"}, "wanted the frame of poses as one of camera, turned_camera, world, got 'room'"),
        ({"observed": np.ones((3, 16))}, r"wanted observed of shape \(3, 17\)"),
        ({"observed": np.full((3, 17), np.nan)}, "in observed of poses"),
        ({"observed": np.full((3, 17), -1.0)}, "in observed of poses"),
        ({"gap": np.ones(2, bool)}, r"wanted gap of shape \(3,\)"),
        ({"path": np.ones((3, 2))}, r"wanted path of shape \(3, 3\)"),
        ({"spread": np.full((3, 17), np.inf)}, "in spread of poses"),
        ({"up": np.ones((3, 3))}, "wanted directions of length 1 in up of poses"),
        ({"up": np.ones((3, 2))}, r"wanted up of shape \(3, 3\)"),
        ({"contact": np.full((3, 4), 1.2)}, "wanted probabilities from 0 to 1 in contact of poses, got 1.2"),
        ({"contact": np.full((3, 4), -1)}, "positive numbers in contact of poses"),
    ],
)
def test_what_poses_cannot_know_is_refused(fields, message):
    with pytest.raises(ShapeError, match=message):
        Poses3D(np.zeros((3, 17, 3)), H36M_17, 50, **fields)


def test_radii_hold_the_joints_as_often_as_they_say():
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.02, 0.3, (400, 17))
    poses = Poses3D(np.zeros((400, 17, 3)), H36M_17, 50, spread=spread)
    far = rng.gamma(SPREAD_SHAPE, spread[..., None].repeat(50, -1) / SPREAD_SHAPE)
    for probability in (0.5, 0.9):
        inside = far <= poses.radius(probability)[..., None]
        assert inside.mean() == pytest.approx(probability, abs=0.002)
    assert far.mean() == pytest.approx(spread.mean(), rel=0.005)
    assert poses.radius(0.0).max() == 0 and poses.radius(0.5).shape == (400, 17)
    assert [round(spread_quantile(p), 2) for p in (0.5, 0.9)] == [0.87, 1.85]
    for odd in (1.0, -0.1, float("nan"), 90):
        with pytest.raises(ShapeError, match="from 0 to below 1"):
            poses.radius(odd)


def test_a_skeleton_s_name_becomes_the_skeleton():
    assert Keypoints2D(np.zeros((2, 17, 2)), None, "coco_17", 30.0).skeleton is COCO_17
    assert Poses3D(np.zeros((2, 17, 3)), "H36M_17", 30.0).skeleton is H36M_17
    with pytest.raises(SkeletonError, match="unknown skeleton 'COCO_16'; did you mean 'COCO_18'"):
        Keypoints2D(np.zeros((2, 17, 2)), None, "COCO_16", 30.0)
    with pytest.raises(SkeletonError, match="wanted a skeleton or its name, got list"):
        Poses3D(np.zeros((2, 17, 3)), [0, 1], 30.0)


@pytest.mark.parametrize(("value", "name"), [(np.zeros((2, 17, 2)), "ndarray"), ((1, 2), "tuple"), ("a.npz", "str")])
def test_what_is_neither_keypoints_nor_poses_is_told_apart(value, name):
    with pytest.raises(KindError, match=f"wanted Keypoints2D, got {name}; take one of read_keypoints"):
        expect_keypoints(value)
    with pytest.raises(KindError, match=f"wanted Poses3D, got {name}; take what lift"):
        expect_poses(value)
    keypoints, poses = Keypoints2D(np.zeros((2, 17, 2)), None, COCO_17, 30), Poses3D(np.zeros((2, 17, 3)), H36M_17, 30)
    expect_keypoints(keypoints)
    expect_poses(poses)
    with pytest.raises(KindError, match="wanted Poses3D, got Keypoints2D"):
        expect_poses(keypoints)


def test_trusted_poses_have_every_field_of_checked_ones():
    xyz = np.random.default_rng(0).normal(size=(1, 17, 3)).astype(np.float32)
    trusted = Poses3D.trusted(xyz, H36M_17, 50.0, "turned_camera", start_s=1.5)
    checked = Poses3D(xyz, H36M_17, 50.0, "turned_camera", start_s=1.5)
    assert vars(trusted).keys() == vars(checked).keys()
    assert all(
        vars(trusted)[name] is value or vars(trusted)[name] == value
        for name, value in vars(checked).items()
        if name != "xyz"
    )
    np.testing.assert_array_equal(trusted.xyz, checked.xyz)


@pytest.mark.parametrize("frame", FRAMES)
def test_axes_with_y_up_and_back(frame):
    xyz = np.random.default_rng(0).normal(size=(3, 17, 3)).astype(np.float32)
    np.testing.assert_allclose(from_y_up(Poses3D(xyz, H36M_17, 50, frame).y_up(), frame), xyz, atol=1e-6)
