import json

import pytest

from poselift.datasets.joint_names import find_joints, read_joint_map
from poselift.errors import FormatError, SkeletonError
from poselift.skeleton import H36M_17

LIMBS = [f"{side}_{j}" for side in ("left", "right") for j in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")]


def named(pattern: str, *words: str) -> list[str]:
    """Limb joints in the order of `LIMBS`: {side} and {s} of the pattern are the side, {} the word."""
    sides = (("Left", "L"), ("Right", "R"))
    return [pattern.format(word, side=side, s=s, l=s.lower()) for side, s in sides for word in words]


@pytest.mark.parametrize(
    ("limbs", "neck", "head", "convention"),
    [
        (named("{l}{}", "femur", "tibia", "foot", "humerus", "radius", "hand"), "upperneck", "head", "CMU"),
        (named("{side}{}", "UpLeg", "Leg", "Foot", "Arm", "ForeArm", "Hand"), "Neck", "Head", "MotionBuilder"),
        (named("mixamorig:{side}{}", "UpLeg", "Leg", "Foot", "Arm", "ForeArm", "Hand"), "mixamorig:Neck",
         "mixamorig:Head", "MotionBuilder"),
        (named("mixamorig_{side}{}", "UpLeg", "Leg", "Foot", "Arm", "ForeArm", "Hand"), "mixamorig_Neck",
         "mixamorig_Head", "MotionBuilder"),
        (named("{side}{}", "UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand"), "Neck", "Head", "Unity"),
        (named("{}_{s}", "UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand"), "Neck", "Head", "Unity"),
        (named("J_Bip_{s}_{}", "UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand"), "J_Bip_C_Neck",
         "J_Bip_C_Head", "Unity"),
        (named("Bip01 {s} {}", "Thigh", "Calf", "Foot", "UpperArm", "Forearm", "Hand"), "Bip01 Neck", "Bip01 Head",
         "Biped"),
        (named("{}_{l}", "thigh", "calf", "foot", "upperarm", "lowerarm", "hand"), "neck_01", "head",
         "Biped and Unity"),
        (named("{l}{}", "Thigh", "Shin", "Foot", "Shldr", "ForeArm", "Hand"), "neck", "head", "Poser"),
        (named("{}.{s}", "thigh", "shin", "foot", "upper_arm", "forearm", "hand"), "neck", "head", "Poser and Biped"),
        (named("{side}{}", "Thigh", "Shin", "Foot", "Arm", "ForeArm", "Hand"), "Neck", "Head",
         "Poser and MotionBuilder"),
        (named("{s}{}", "Thigh", "Shin", "Foot", "UArm", "FArm", "Hand"), "Neck", "Head", "Poser and Motive"),
        (named("{l}{}", "ThighBend", "Shin", "Foot", "ShldrBend", "ForearmBend", "Hand"), "neckLower", "head", "Daz"),
        (named("{s}_{}", "Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist"), "Neck", "Head", "plain"),
        (named("{}_{s}", "Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist"), "Neck_M", "Head_M", "plain"),
        (named("{}{side}", "Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist"), "Neck", "Head", "plain"),
        (named("{side}{}", "UpLeg", "LowLeg", "Foot", "UpArm", "LowArm", "Hand"), "Neck", "Head", "old BVH"),
    ],
)  # fmt: skip
def test_conventions_are_known(limbs, neck, head, convention):
    names = ["Root", "LeftToe", *limbs, neck, head, "LeftHandIndex1"]
    found = find_joints(names)
    assert found.convention == convention
    assert {joint: names[i] for joint, i in found.index.items()} == dict(zip(LIMBS, limbs, strict=True)) | {
        "neck": neck, "head": head,
    }  # fmt: skip


UNITY = named("{side}{}", "UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand")


def test_our_own_names_are_taken_as_they_are():
    names = ["extra", *H36M_17.joints]
    found = find_joints(names)
    assert found.convention == "H36M_17"
    assert [names[found.index[joint]] for joint in H36M_17.joints] == list(H36M_17.joints)


def test_neck_and_head_may_be_missing():
    assert set(find_joints(UNITY).index) == set(LIMBS)


def test_what_is_missing_is_named_by_the_nearest_convention():
    with pytest.raises(
        SkeletonError, match=r"no joints for left_wrist \('lefthand'\) by Unity names; the file has Left"
    ):
        find_joints([name for name in UNITY if name != "LeftHand"])
    with pytest.raises(SkeletonError, match=r"left_hip, .* by names we know; the file has Body, Tail; .* --joints"):
        find_joints(["Body", "Tail"])
    with pytest.raises(SkeletonError, match="and 40 more"):
        find_joints([f"bone{i}" for i in range(100)])


def test_a_map_names_what_no_convention_knows():
    odd = {"left_hip": "A", "left_knee": "B", "neck": "C", "nose": "D"}
    names = ["A", "B", "C", "D", *UNITY[2:]]
    found = find_joints(names, odd)
    assert found.convention == "a joint map and Unity"
    assert {joint: names[found.index[joint]] for joint in odd} == odd
    assert names[found.index["right_wrist"]] == "RightHand"
    with pytest.raises(SkeletonError, match=r"the file has no joints E, F, which the joint map names; known: A, B"):
        find_joints(names, odd | {"left_hip": "E", "left_knee": "F"})


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"left_hip": "L Hip", "head_top": "Crown"}),
        "left_hip, L Hip\nhead_top, Crown\n",
        "\ufeff# mine\n\n left_hip = L Hip \r\nhead_top\tCrown",
    ],
)
def test_a_map_is_read(tmp_path, text):
    (tmp_path / "map.txt").write_text(text, encoding="utf-8")
    assert read_joint_map(tmp_path / "map.txt") == {"left_hip": "L Hip", "head_top": "Crown"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("left_hp, A", "wanted each of our joints once, got 'left_hp'; did you mean 'left_hip'"),
        ("left_hip, A\nleft_hip, B", "got 'left_hip'; keep one line of it"),
        ("left_hip, A\nleft_knee, A", "each joint once, got 'A' more than once"),
        ("left_hip A", "wanted our joint and the file's, such as 'left_hip, LeftUpLeg'"),
        ("left_hip,", "wanted our joint and the file's"),
        ('{"left_hip": 3}', "wanted our joint and the file's"),
        ('{"left_hip": "A"', "broken JSON"),
        ("", "got no joints"),
        ("{}", "got no joints"),
    ],
)
def test_broken_maps_are_refused(tmp_path, text, message):
    (tmp_path / "map.txt").write_text(text)
    with pytest.raises((FormatError, SkeletonError), match=message) as error:
        read_joint_map(tmp_path / "map.txt")
    assert "map.txt" in str(error.value)


def test_a_map_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FormatError, match="cannot read .*none.json"):
        read_joint_map(tmp_path / "none.json")
