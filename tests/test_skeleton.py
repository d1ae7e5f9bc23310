import numpy as np
import pytest

from poselift import skeleton as module
from poselift.errors import SkeletonError
from poselift.skeleton import (
    BODY_25,
    BODY_25B,
    COCO_17,
    H36M_17,
    HALPE_26,
    HUMANEVA_15,
    MEDIAPIPE_33,
    MPI_INF_3DHP_17,
    SKELETONS,
    Skeleton,
    get_skeleton,
)

every_skeleton = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)

# The published orders; (index, joint).
PLACES = {
    "COCO_17": (
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
        "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
    ),
    "H36M_17": (
        "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax nose head_top "
        "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist"
    ),
    "BODY_27": (
        "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax nose head_top "
        "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist left_eye right_eye left_ear "
        "right_ear left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel"
    ),
    "BODY_25": (
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist pelvis right_hip "
        "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe "
        "left_small_toe left_heel right_big_toe right_small_toe right_heel"
    ),
    "BODY_25B": (
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
        "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle upper_neck head_top left_big_toe "
        "left_small_toe left_heel right_big_toe right_small_toe right_heel"
    ),
    "HALPE_26": (
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
        "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle head_top neck pelvis left_big_toe "
        "right_big_toe left_small_toe right_small_toe left_heel right_heel"
    ),
    "MEDIAPIPE_33": (
        "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
        "left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
        "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle "
        "right_ankle left_heel right_heel left_foot_index right_foot_index"
    ),
    "MPI_INF_3DHP_17": (
        "head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
        "right_ankle left_hip left_knee left_ankle pelvis spine head"
    ),
    "HUMANEVA_15": (
        "pelvis thorax left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist left_hip left_knee "
        "left_ankle right_hip right_knee right_ankle head"
    ),
    "COCO_18": (
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
        "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
    ),
    "COCO_23": (
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
        "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle left_big_toe left_small_toe "
        "left_heel right_big_toe right_small_toe right_heel"
    ),
    "COCO_24": (
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
        "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe left_small_toe "
        "left_heel right_big_toe right_small_toe right_heel"
    ),
    "MPII_16": (
        "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top right_wrist "
        "right_elbow right_shoulder left_shoulder left_elbow left_wrist"
    ),
    "MPI_15": (
        "head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
        "right_ankle left_hip left_knee left_ankle spine"
    ),
    "JHMDB_15": (
        "neck spine head right_shoulder left_shoulder right_hip left_hip right_elbow left_elbow right_knee left_knee "
        "right_wrist left_wrist right_ankle left_ankle"
    ),
    "PANOPTIC_19": (
        "neck nose pelvis left_shoulder left_elbow left_wrist left_hip left_knee left_ankle right_shoulder right_elbow "
        "right_wrist right_hip right_knee right_ankle left_eye left_ear right_eye right_ear"
    ),
    "KINECT_20": (
        "pelvis spine thorax head left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow right_wrist "
        "right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot"
    ),
    "KINECT_25": (
        "pelvis spine upper_neck head left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow "
        "right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot "
        "thorax left_hand_tip left_thumb right_hand_tip right_thumb"
    ),
    "KINECT_32": (
        "pelvis navel chest neck left_clavicle left_shoulder left_elbow left_wrist left_hand left_hand_tip left_thumb "
        "right_clavicle right_shoulder right_elbow right_wrist right_hand right_hand_tip right_thumb left_hip "
        "left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot head nose left_eye left_ear "
        "right_eye right_ear"
    ),
}


@every_skeleton
def test_joint_order_is_the_published_one(skeleton):
    assert skeleton.joints == tuple(PLACES[skeleton.name].split())


def test_every_skeleton_is_pinned_and_carries_its_name():
    assert set(PLACES) == set(SKELETONS)
    assert all(name == skeleton.name for name, skeleton in SKELETONS.items())
    in_module = [value for value in vars(module).values() if isinstance(value, Skeleton)]
    assert {s.name for s in in_module} == set(SKELETONS)


@pytest.mark.parametrize(
    ("skeleton", "joint", "index"),
    [
        (COCO_17, "nose", 0),
        (COCO_17, "left_hip", 11),
        (COCO_17, "right_ankle", 16),
        (H36M_17, "pelvis", 0),
        (H36M_17, "right_hip", 1),
        (H36M_17, "thorax", 8),
        (H36M_17, "right_wrist", 16),
        (BODY_25, "neck", 1),
        (BODY_25, "pelvis", 8),
        (BODY_25, "right_heel", 24),
        (BODY_25B, "upper_neck", 17),
        (HALPE_26, "pelvis", 19),
        (MEDIAPIPE_33, "left_hip", 23),
        (MEDIAPIPE_33, "right_foot_index", 32),
        (MPI_INF_3DHP_17, "pelvis", 14),
        (HUMANEVA_15, "head", 14),
    ],
)
def test_places_by_number(skeleton, joint, index):
    assert skeleton.index(joint) == index
    assert skeleton.joints[index] == joint


def test_h36m_17_tree_limbs_pairs_and_hops():
    assert H36M_17.parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
    assert H36M_17.limbs == ((1, 2, 3), (4, 5, 6), (11, 12, 13), (14, 15, 16))  # right, left leg; left, right arm
    assert H36M_17.pairs == ((4, 1), (5, 2), (6, 3), (11, 14), (12, 15), (13, 16))
    assert H36M_17.flipped == (0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13)
    assert H36M_17.hops == (0, 1, 2, 3, 1, 2, 3, 1, 2, 3, 4, 3, 4, 5, 3, 4, 5)
    assert H36M_17.root == 0


@pytest.mark.parametrize(
    ("skeleton", "root"),
    [(H36M_17, "pelvis"), (HUMANEVA_15, "pelvis"), (MPI_INF_3DHP_17, "pelvis"), (BODY_25, "pelvis"),
     (HALPE_26, "pelvis"), (COCO_17, "nose"), (MEDIAPIPE_33, "nose"), (BODY_25B, "upper_neck")],
)  # fmt: skip
def test_root(skeleton, root):
    assert skeleton.joints[skeleton.root] == root


@every_skeleton
def test_flipped_exchanges_left_and_right_and_twice_is_the_identity(skeleton):
    names = [skeleton.joints[i] for i in skeleton.flipped]
    other = {"left": "right", "right": "left"}
    expected = [other[n.split("_")[0]] + n[n.index("_") :] if n.split("_")[0] in other else n for n in skeleton.joints]
    assert names == expected
    assert [skeleton.flipped[i] for i in skeleton.flipped] == list(range(len(skeleton)))
    assert all(a.removeprefix("left") == b.removeprefix("right") for a, b in _names(skeleton, skeleton.pairs))


def _names(skeleton: Skeleton, indices) -> list[tuple[str, ...]]:
    return [tuple(skeleton.joints[i] for i in group) for group in indices]


@every_skeleton
def test_the_tree_is_the_same_on_both_sides(skeleton):
    mirrored = {(skeleton.flipped[p], skeleton.flipped[c]) for p, c in skeleton.bones}
    assert mirrored == set(skeleton.bones)


@every_skeleton
def test_limbs_hang_together(skeleton):
    assert len(skeleton.limbs) == 4
    assert list(skeleton.limbs) == sorted(skeleton.limbs)
    for first, middle, last in skeleton.limbs:
        assert skeleton.parents[middle] == first
        assert skeleton.parents[last] == middle


@every_skeleton
def test_bones_hops_topology_and_adjacency_agree(skeleton):
    assert len(skeleton.bones) == len(skeleton) - skeleton.parents.count(-1)
    assert [child for _, child in skeleton.bones] == sorted(child for _, child in skeleton.bones)
    assert all(skeleton.hops[child] == skeleton.hops[parent] + 1 for parent, child in skeleton.bones)
    place = {joint: i for i, joint in enumerate(skeleton.topological)}
    assert sorted(place) == list(range(len(skeleton)))
    assert all(place[parent] < place[child] for parent, child in skeleton.bones)
    matrix = skeleton.adjacency
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, matrix.T)
    assert {tuple(pair) for pair in np.argwhere(matrix)} == set(skeleton.bones) | {(c, p) for p, c in skeleton.bones}


def test_equality_is_by_content():
    assert Skeleton("H36M_17", H36M_17.joints, H36M_17.parents) == H36M_17
    assert Skeleton("mine", H36M_17.joints, H36M_17.parents) != H36M_17
    assert hash(Skeleton("H36M_17", H36M_17.joints, H36M_17.parents)) == hash(H36M_17)


def test_indices_keep_the_order_asked_for():
    assert COCO_17.indices(["right_ankle", "nose"]) == (16, 0)
    assert "nose" in COCO_17
    assert "pelvis" not in COCO_17


def test_a_joint_that_is_not_there_is_named_with_a_suggestion():
    with pytest.raises(SkeletonError, match="COCO_17 has no joint 'left_wirst'; did you mean 'left_wrist'?"):
        COCO_17.index("left_wirst")


@pytest.mark.parametrize("name", ["H36M_17", "h36m_17", "h36m-17"])
def test_skeletons_are_found_in_either_case(name):
    assert get_skeleton(name) is H36M_17
    assert get_skeleton(get_skeleton(name)) is H36M_17


def test_an_unknown_skeleton_is_refused_with_a_suggestion():
    with pytest.raises(SkeletonError, match="unknown skeleton 'coco'; name one of COCO_17, COCO_18"):
        get_skeleton("coco")
    with pytest.raises(SkeletonError, match="wanted a skeleton or its name, got int; known: H36M_17, COCO_17"):
        get_skeleton(17)


@pytest.mark.parametrize(
    ("joints", "parents", "message"),
    [
        (("a", "a"), (-1, 0), "repeat"),
        (("a", "b"), (-1,), "wanted 2 parents"),
        (("a", "b"), (-1, 2), r"in \[-1, 1\]"),
        (("a", "b"), (-2, 0), "parents"),
        (("a", "b", "c"), (-1, 2, 1), "cycle"),
        (("a",), (0,), "cycle"),
    ],
)
def test_a_broken_tree_is_refused(joints, parents, message):
    with pytest.raises(SkeletonError, match=message):
        Skeleton("mine", joints, parents)
