"""Which joints of two skeletons are compared, by hand."""

import numpy as np
import pytest

from poselift.errors import SkeletonError
from poselift.measure.comparison import MIDPOINTS, compare_joints
from poselift.prepare.convert import RULES
from poselift.skeleton import BODY_25B, COCO_17, H36M_17, HUMANEVA_15, MPI_INF_3DHP_17, SKELETONS, Skeleton

LIMBS = {H36M_17.joints[joint] for limb in H36M_17.limbs for joint in limb}


def points(skeleton: Skeleton, seed: int = 0) -> np.ndarray:
    """(5, J, 3) random joints."""
    return np.random.default_rng(seed).normal(size=(5, len(skeleton), 3))


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_one_skeleton_is_compared_as_it_is(skeleton):
    comparison = compare_joints(skeleton, skeleton)
    assert comparison.skeleton == skeleton
    assert (comparison.rules, comparison.moves_root, comparison.choices) == ({}, False, {})
    given = points(skeleton)
    assert comparison.of_lifter(given) is given and comparison.of_truth(given) is given


def test_human36m_on_humaneva():
    comparison = compare_joints(H36M_17, HUMANEVA_15)
    skeleton = comparison.skeleton
    assert set(skeleton.joints) == {"pelvis", "thorax"} | LIMBS and len(skeleton) == 14
    assert skeleton.joints[skeleton.root] == "pelvis"
    assert not comparison.moves_root and not comparison.rules
    bones = {(skeleton.joints[parent], skeleton.joints[child]) for parent, child in skeleton.bones}
    assert ("pelvis", "thorax") in bones and ("thorax", "left_shoulder") in bones and len(bones) == 13
    assert comparison.choices == {
        "joints compared": "pelvis, thorax, left_shoulder, left_elbow, left_wrist, right_shoulder, right_elbow, "
        "right_wrist, left_hip, left_knee, left_ankle, right_hip, right_knee, right_ankle by name",
        "joints left out": "head of HUMANEVA_15; spine, nose, head_top of H36M_17",
    }
    lifted, true = points(H36M_17), points(HUMANEVA_15)
    for joint in skeleton.joints:
        row = skeleton.index(joint)
        np.testing.assert_array_equal(comparison.of_lifter(lifted)[:, row], lifted[:, H36M_17.index(joint)])
        np.testing.assert_array_equal(comparison.of_truth(true)[:, row], true[:, HUMANEVA_15.index(joint)])


def test_a_mid_point_is_made_in_the_same_way_on_both_sides():
    """The truth has pelvis, thorax and spine, the lifter none of them: all come from hips and shoulders."""
    comparison = compare_joints(COCO_17, H36M_17)
    hips, shoulders = {"left_hip": 0.5, "right_hip": 0.5}, {"left_shoulder": 0.5, "right_shoulder": 0.5}
    spine = dict.fromkeys((*hips, *shoulders), 0.25)
    assert comparison.rules == {"pelvis": hips, "thorax": shoulders, "spine": spine}
    assert comparison.moves_root
    assert "pelvis as 0.5 left_hip + 0.5 right_hip on both sides" in comparison.choices["joints compared"]
    assert (
        comparison.choices["joints left out"]
        == "head_top of H36M_17; left_eye, right_eye, left_ear, right_ear of COCO_17"
    )
    lifted, true = points(COCO_17), points(H36M_17)
    found, wanted = comparison.of_lifter(lifted), comparison.of_truth(true)
    middle = {
        source.name: (given[:, source.index("left_hip")] + given[:, source.index("right_hip")]) / 2
        for source, given in ((COCO_17, lifted), (H36M_17, true))
    }
    np.testing.assert_allclose(wanted[:, 0], middle["H36M_17"])
    np.testing.assert_allclose(found[:, 0], 0, atol=1e-12)  # moved to the root that both have
    knee = comparison.skeleton.index("left_knee")
    np.testing.assert_allclose(found[:, knee], lifted[:, COCO_17.index("left_knee")] - middle["COCO_17"])
    np.testing.assert_allclose(wanted[:, knee], true[:, H36M_17.index("left_knee")])


def test_a_truth_without_a_pelvis_gets_one_as_its_root():
    comparison = compare_joints(H36M_17, COCO_17)
    skeleton = comparison.skeleton
    assert skeleton.joints == ("pelvis", "nose", *[joint for joint in COCO_17.joints if joint in LIMBS])
    assert skeleton.root == 0 and comparison.moves_root
    assert list(comparison.rules) == ["pelvis"]
    assert "spine, thorax, head_top of H36M_17" in comparison.choices["joints left out"]


def test_bones_have_both_their_ends_compared():
    skeleton = compare_joints(H36M_17, MPI_INF_3DHP_17).skeleton
    assert "head" not in skeleton and "head_top" in skeleton and "neck" in skeleton
    children = {skeleton.joints[child] for _, child in skeleton.bones}
    assert "head_top" not in children  # it hangs from the head
    assert {"neck", "spine", "left_hip"} <= children


def test_lifters_and_truths_of_all_skeletons_compare_what_is_the_same_point():
    for lifter in SKELETONS.values():
        for truth in SKELETONS.values():
            comparison = compare_joints(lifter, truth)
            joints = set(comparison.skeleton.joints)
            assert LIMBS | {"pelvis"} <= joints or lifter == truth
            for joint in joints - {"pelvis"}:
                assert joint in truth
                assert joint in lifter or joint in MIDPOINTS
            assert set(comparison.rules) <= joints & set(MIDPOINTS)


def test_the_rules_of_mid_points_are_those_of_the_conversion():
    for joint in MIDPOINTS:
        assert sum(RULES[joint][0].values()) == 1 and min(RULES[joint][0].values()) > 0
    for lifter in (COCO_17, BODY_25B):
        for joint, rule in compare_joints(lifter, H36M_17).rules.items():
            assert rule == RULES[joint][0]


def test_too_little_in_common_is_refused():
    arm = Skeleton("ARM", ("left_shoulder", "left_elbow", "left_wrist"), (-1, 0, 1))
    with pytest.raises(SkeletonError, match="ARM cannot be measured on H36M_17: .* got left_shoulder, left_elbow"):
        compare_joints(arm, H36M_17)
    assert compare_joints(H36M_17, arm).skeleton.joints == arm.joints  # the truth's own root
    with pytest.raises(SkeletonError, match="got none"):
        compare_joints(H36M_17, Skeleton("TAIL", ("tip",), (-1,)))
