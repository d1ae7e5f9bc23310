from dataclasses import replace

import numpy as np
import pytest

import poselift as pl
from poselift.errors import ShapeError, SkeletonError
from poselift.refine.bones import bone_lengths, stature
from poselift.refine.known import bones_of, checked_bones, joint_lengths
from poselift.refine.scale import sized
from poselift.skeleton import BODY_27, HALPE_26
from tests.refine.stage import camera_at, seen, walking

POSES = seen(*walking(seconds=1), camera_at(), scale=1.1).poses
"""Lifted a tenth too large: true thighs and shanks have 0.44 m."""


def length_of(poses: pl.Poses3D, joint: str) -> float:
    return float(bone_lengths(poses)[BODY_27.index(joint)])


def test_sides_are_averaged():
    assert checked_bones({"left_thigh": 0.42, "right_thigh": 0.44, "forearm": 0.25}) == pytest.approx(
        {"thigh": 0.43, "forearm": 0.25}
    )
    assert checked_bones(None) is None
    assert checked_bones({}) is None


def test_lengths_are_for_all_or_for_each():
    one, none = {"thigh": 0.4}, None
    assert bones_of(None, 2) == [None, None]
    assert bones_of(one, 2) == [one, one]
    assert bones_of([none, one], 2) == [None, one]
    for wrong in ([one], [one, one, one], "thigh=0.4", 0.4):
        with pytest.raises(ShapeError, match="--bones"):
            bones_of(wrong, 2)


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ({"thihg": 0.4}, "unknown bone 'thihg'.*known: thigh, shank, upper_arm, forearm"),
        ({"left_hip_width": 0.2}, "unknown bone"),
        ({"thigh": 43}, "thigh in metres, from 0.05 to 0.8 .*got 43"),
        ({"thigh": -0.4}, "in metres"),
        ({"thigh": float("nan")}, "in metres"),
        ({"thigh": "0.4"}, "in metres"),
        ({"thigh": True}, "in metres"),
        ({"thigh": 0.4, "left_thigh": 0.4}, "both sides and for one"),
    ],
)
def test_what_cannot_be_is_refused(lengths, said):
    with pytest.raises(ShapeError, match=said):
        checked_bones(lengths)


def test_joints_of_bones_and_what_is_no_bone():
    found = joint_lengths({"shank": 0.4, "hip_width": 0.2}, BODY_27)
    assert {BODY_27.joints[joint]: length for joint, length in found.items()} == {
        "left_ankle": 0.4, "right_ankle": 0.4, "left_hip": 0.1, "right_hip": 0.1,
    }  # fmt: skip
    bare = pl.Skeleton("points", ("left_hip", "right_hip"), (-1, -1))
    with pytest.raises(SkeletonError, match="no bone from left_hip to left_knee"):
        joint_lengths({"thigh": 0.4}, bare)
    assert joint_lengths({"thigh": 0.4}, HALPE_26)


def test_bones_given_have_their_length_and_scale_the_body():
    before = stature(bone_lengths(POSES), BODY_27)
    poses, report = sized(POSES, None, {"thigh": 0.44, "shank": 0.44})
    assert length_of(poses, "left_knee") == pytest.approx(0.44, abs=1e-5)
    assert length_of(poses, "right_ankle") == pytest.approx(0.44, abs=1e-5)
    assert report.values["scale"] == pytest.approx(1 / 1.1, rel=0.01)
    assert stature(bone_lengths(poses), BODY_27) == pytest.approx(before / 1.1, rel=0.01)
    assert length_of(poses, "left_elbow") == pytest.approx(length_of(POSES, "left_elbow") / 1.1, rel=0.01)
    assert not report.warnings
    assert "thigh 0.44 m" in report.says
    every = np.linalg.norm(poses.xyz[:, BODY_27.index("left_knee")] - poses.xyz[:, BODY_27.index("left_hip")], axis=1)
    np.testing.assert_allclose(every, 0.44, atol=1e-5)


def test_a_height_decides_the_other_bones_and_a_contradiction_is_said():
    height = stature(bone_lengths(POSES), BODY_27) / 1.1
    poses, report = sized(POSES, height, {"thigh": 0.46})
    assert length_of(poses, "left_knee") == pytest.approx(0.46, abs=1e-5)
    assert length_of(poses, "left_ankle") == pytest.approx(0.44, rel=0.01)
    assert not report.warnings
    _, report = sized(POSES, height, {"thigh": 0.6})
    assert "--bones and --height" in report.warnings[0]
    _, report = sized(POSES, None, {"thigh": 0.25})
    assert "times what was lifted" in report.warnings[0]


def test_a_scene_has_the_size_that_bones_say():
    """A known thigh brings the distance right, as a height does; somebody of whom nothing is known has an adult's."""
    truth, contact = walking()
    camera = camera_at()
    actor = seen(truth, contact, camera, scale=1.2)
    scene = pl.place([actor.pair], bone_lengths_m={"left_thigh": 0.44, "right_thigh": 0.44})
    found = scene.camera.to_camera(scene.people[0].absolute().astype(np.float64))
    assert np.linalg.norm(found - camera.to_camera(truth), axis=-1).mean() < 0.06
    assert not any("height" in warning for warning in scene.report.warnings)
    two = [(replace(actor.keypoints, person=n), replace(actor.poses, person=n)) for n in (1, 2)]
    scene = pl.place(two, bone_lengths_m=[{"thigh": 0.44}, None])
    assert ["of person 2" in warning for warning in scene.report.warnings if "height" in warning] == [True]
    with pytest.raises(ShapeError, match="unknown bone"):
        pl.place([actor.pair], bone_lengths_m={"leg": 0.9})
