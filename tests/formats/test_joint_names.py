"""Names that people give joints."""

import logging

import pytest

from poselift.errors import SkeletonError
from poselift.formats.joint_names import joint_name, place_joints
from poselift.skeleton import BODY_25, COCO_17, H36M_17, KINECT_25, MEDIAPIPE_33

NAMES = {
    "left_shoulder": (
        "Left Shoulder|LShoulder|l_shoulder|LEFT_SHOULDER|shoulder_left|ShoulderLeft|leftshoulder|lshoulder|LSho"
    ),
    "right_elbow": "RElbow|right elbow|R_Elb|elbow.R|RIGHT-ELBOW",
    "left_hip": "LHip|HipLeft|left_hip",
    "pelvis": "Hip|MidHip|root|HipCenter|SpineBase|pelvis|Hips",
    "head_top": "HeadTop|top_head|head_top",
    "left_big_toe": "LBigToe|left_big_toe|LEFT_BIGTOE",
    "left_mouth": "mouth_left|MOUTH_LEFT",
    "right_eye_inner": "right_eye_inner|right_inner_eye",
    "thorax": "SpineShoulder|ShoulderCenter|Thorax",
    "nose": "Nose|NOSE|neck/nose",
}


@pytest.mark.parametrize("joint", NAMES)
def test_spellings_of_a_joint(joint: str) -> None:
    names = NAMES[joint].split("|")
    assert {name: joint_name(name) for name in names} == dict.fromkeys(names, joint)


@pytest.mark.parametrize("name", ["tail", "", "left", "left right hip", "leftover", "time", "shoulder"])
def test_what_is_no_joint(name: str) -> None:
    assert joint_name(name) is None


@pytest.mark.parametrize("skeleton", [COCO_17, BODY_25, KINECT_25, MEDIAPIPE_33], ids=lambda s: s.name)
def test_a_skeletons_own_names_in_any_order(skeleton) -> None:
    found, places = place_joints(skeleton.joints[::-1], "clip")
    assert found is skeleton
    assert places == list(range(len(skeleton)))[::-1]


def test_human36ms_own_names() -> None:
    legs, arms = "Hip RHip RKnee RFoot LHip LKnee LFoot", "LShoulder LElbow LWrist RShoulder RElbow RWrist"
    found, places = place_joints(f"{legs} Spine Thorax Neck/Nose Head {arms}".split(), "clip")
    assert found is H36M_17
    assert places == list(range(17))


def test_joints_that_are_missing_or_too_many(caplog: pytest.LogCaptureFixture) -> None:
    names = [name for name in COCO_17.joints if "ear" not in name and "eye" not in name] + ["tail"]
    with caplog.at_level(logging.INFO, logger="poselift"):
        found, places = place_joints(names, "clip")
    assert found is COCO_17
    assert [joint for joint, place in zip(found.joints, places, strict=True) if place < 0] == [
        "left_eye", "right_eye", "left_ear", "right_ear"
    ]  # fmt: skip
    assert "left out: tail" in caplog.text
    assert "not there: left_eye, right_eye, left_ear, right_ear" in caplog.text


def test_too_few_joints_are_nobody() -> None:
    with pytest.raises(SkeletonError, match="of the joints snout, tail, nose, only nose are known"):
        place_joints(["snout", "tail", "nose"], "clip")
