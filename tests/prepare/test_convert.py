import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.errors import SkeletonError
from poselift.formats.order import _FIGURE
from poselift.prepare.convert import RULES, FrameConverter, check_convertible, convert, convert_arrays, convert_poses
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import (
    BODY_25,
    BODY_25B,
    BODY_27,
    COCO_17,
    H36M_17,
    HALPE_26,
    HUMANEVA_15,
    MEDIAPIPE_33,
    MPI_INF_3DHP_17,
    MPII_16,
    SKELETONS,
    Skeleton,
)

every_skeleton = pytest.mark.parametrize("source", SKELETONS.values(), ids=SKELETONS)
LIFTABLE = (H36M_17, HUMANEVA_15, MPI_INF_3DHP_17)


def detections(skeleton: Skeleton, frames: int = 3, seed: int = 0) -> Keypoints2D:
    rng = np.random.default_rng(seed)
    shape = (frames, len(skeleton))
    return Keypoints2D(rng.uniform(0, 500, (*shape, 2)), rng.uniform(0.1, 1, shape), skeleton, 30, (640, 480))


def unseen(keypoints: Keypoints2D, *joints: str) -> Keypoints2D:
    confidence = keypoints.confidence.copy()
    confidence[:, keypoints.skeleton.indices(joints)] = 0
    return keypoints.with_frames(keypoints.xy, confidence, keypoints.fps)


def joint(keypoints: Keypoints2D, name: str) -> np.ndarray:
    return keypoints.xy[:, keypoints.skeleton.index(name)].astype(float)


def score(keypoints: Keypoints2D, name: str) -> np.ndarray:
    return keypoints.confidence[:, keypoints.skeleton.index(name)]


def assert_from(result: Keypoints2D, target: str, source: Keypoints2D, mixture: dict[str, float]) -> None:
    """`target` is the mixture, as confident as its least confident part."""
    expected = sum(weight * joint(source, name) for name, weight in mixture.items())
    np.testing.assert_allclose(joint(result, target), expected, atol=1e-3)
    np.testing.assert_array_equal(score(result, target), np.min([score(source, n) for n in mixture], 0))


def test_the_check_of_mixtures_can_fail():
    source = detections(COCO_17)
    with pytest.raises(AssertionError):
        assert_from(convert(source, H36M_17), "pelvis", source, {"left_hip": 0.6, "right_hip": 0.4})


@every_skeleton
@pytest.mark.parametrize("target", LIFTABLE, ids=lambda s: s.name)
def test_joints_of_the_same_name_are_copied_and_the_rest_made(source, target):
    keypoints = detections(source)
    result = convert(keypoints, target)
    assert (result.skeleton, result.fps, result.image_size) == (target, 30, (640, 480))
    assert result.seen.all()
    for name in set(source.joints) & set(target.joints):
        np.testing.assert_array_equal(joint(result, name), joint(keypoints, name))
        np.testing.assert_array_equal(score(result, name), score(keypoints, name))


@every_skeleton
def test_a_standing_figure_stays_one(source):
    """Made-up joints lie near where the joint of this name is in a standing person (height 1, y up)."""
    figure = np.array([_FIGURE[name] for name in source.joints])[None] * 100
    result = convert(Keypoints2D(figure, None, source, 30), H36M_17)
    for name in H36M_17.joints:
        np.testing.assert_allclose(joint(result, name)[0], np.multiply(_FIGURE[name], 100), atol=8, err_msg=name)


def test_the_same_skeleton_is_left_alone():
    keypoints = detections(H36M_17)
    assert convert(keypoints, H36M_17) is keypoints


def test_coco_to_h36m_by_hand():
    source = detections(COCO_17)
    result = convert(source, H36M_17)
    hips, shoulders = {"left_hip": 0.5, "right_hip": 0.5}, {"left_shoulder": 0.5, "right_shoulder": 0.5}
    assert_from(result, "pelvis", source, hips)
    assert_from(result, "thorax", source, shoulders)
    assert_from(result, "spine", source, dict.fromkeys((*hips, *shoulders), 0.25))
    assert_from(result, "nose", source, {"nose": 1})
    crown = {"left_ear": 0.8, "right_ear": 0.8, "left_shoulder": -0.3, "right_shoulder": -0.3}
    assert_from(result, "head_top", source, crown)


def test_without_ears_the_crown_comes_from_the_eyes_then_the_nose():
    source = unseen(detections(COCO_17), "left_ear")
    eyes = {"left_eye": 0.75, "right_eye": 0.75, "left_shoulder": -0.25, "right_shoulder": -0.25}
    assert_from(convert(source, H36M_17), "head_top", source, eyes)
    source = unseen(source, "right_eye")
    nose = {"nose": 1.6, "left_shoulder": -0.3, "right_shoulder": -0.3}
    assert_from(convert(source, H36M_17), "head_top", source, nose)


def test_without_a_nose_it_comes_from_the_eyes_then_the_ears():
    source = unseen(detections(COCO_17), "nose")
    assert_from(convert(source, H36M_17), "nose", source, {"left_eye": 0.5, "right_eye": 0.5})
    source = unseen(source, "left_eye")
    assert_from(convert(source, H36M_17), "nose", source, {"left_ear": 0.5, "right_ear": 0.5})


def test_a_nose_that_is_hidden_is_no_nose_that_never_is():
    head = {"upper_neck": 0.65, "head_top": 0.35}
    assert_from(convert(source := detections(MPII_16), H36M_17), "nose", source, head)
    source = unseen(detections(BODY_25B), "nose")
    assert_from(convert(source, H36M_17), "nose", source, {"upper_neck": 1})


def test_fallbacks_are_chosen_frame_by_frame():
    source = detections(COCO_17)
    source.confidence[1, COCO_17.index("right_ear")] = 0
    result = joint(convert(source, H36M_17), "head_top")
    crowns = [joint(convert(s, H36M_17), "head_top") for s in (detections(COCO_17), unseen(source, "left_ear"))]
    np.testing.assert_array_equal(result, [crowns[0][0], crowns[1][1], crowns[0][2]])


def test_a_joint_of_its_own_is_preferred_and_made_up_where_unseen():
    source = detections(BODY_25)
    assert_from(convert(source, H36M_17), "pelvis", source, {"pelvis": 1})
    source = unseen(source, "pelvis")
    assert_from(convert(source, H36M_17), "pelvis", source, {"left_hip": 0.5, "right_hip": 0.5})


def test_what_cannot_be_made_is_unseen():
    source = unseen(detections(COCO_17), "left_hip", "left_wrist")
    result = convert(source, H36M_17)
    missing = {"pelvis", "left_hip", "left_wrist", "spine"}
    assert {H36M_17.joints[j] for j in np.flatnonzero(~result.seen[0])} == missing
    assert np.isnan(result.xy[~result.seen]).all()
    assert (result.confidence[~result.seen] == 0).all()


def test_unseen_places_do_not_leak_into_the_result():
    source = detections(COCO_17)
    nan, wild = source.xy.copy(), source.xy.copy()
    nan[:, 3], wild[:, 3] = np.nan, 1e6
    blank = unseen(source, "left_ear").confidence
    results = [convert(source.with_frames(xy, blank, 30), H36M_17) for xy in (source.xy, nan, wild)]
    for result in results[1:]:
        np.testing.assert_array_equal(result.xy, results[0].xy)


def test_without_scores_what_is_seen_is_sure():
    xy = detections(COCO_17).xy.copy()
    xy[0, COCO_17.index("left_hip")] = np.nan
    result = convert(Keypoints2D(xy, None, COCO_17, 30), H36M_17)
    assert set(np.unique(result.confidence)) == {0, 1}
    assert not result.seen[0, H36M_17.root]
    assert result.seen[1:].all()


@pytest.mark.parametrize(("source", "target"), [(COCO_17, HALPE_26), (H36M_17, MEDIAPIPE_33)])
def test_joints_that_nothing_gives_are_an_error(source, target):
    with pytest.raises(SkeletonError, match=f"{source.name} cannot be converted to {target.name}: nothing gives"):
        convert(detections(source), target)


def test_missing_limbs_are_an_error_and_a_missing_head_is_not():
    body = Skeleton("BODY", tuple(j for limb in COCO_17.limbs for j in (COCO_17.joints[i] for i in limb)), (-1,) * 12)
    check_convertible(body, H36M_17)
    result = convert(detections(body), H36M_17)
    assert {H36M_17.joints[j] for j in np.flatnonzero(~result.seen[0])} == {"nose", "head_top"}
    arms = Skeleton("ARMS", body.joints[:6], (-1,) * 6)
    with pytest.raises(SkeletonError, match="nothing gives pelvis, right_hip.*use keypoints with"):
        check_convertible(arms, H36M_17)


def test_rules_name_joints_that_exist_and_mixtures_are_affine():
    joints = {name for skeleton in SKELETONS.values() for name in skeleton.joints}
    for target, options in RULES.items():
        assert target in joints
        for option in options:
            assert set(option) <= joints
            assert sum(option.values()) == pytest.approx(1)


@every_skeleton
@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_torch_gives_the_same(source, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    xy = rng.normal(size=(2, 3, len(source), 2)).astype(np.float32)
    confidence = (rng.random((2, 3, len(source))) * (rng.random((2, 3, len(source))) > 0.4)).astype(np.float32)
    ours = convert_arrays(xy, confidence, source, H36M_17)
    theirs = convert_arrays(torch.from_numpy(xy), torch.from_numpy(confidence), source, H36M_17)
    for a, b in zip(ours, theirs, strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(b.numpy(), a, atol=1e-6)


def test_body_25b_has_no_pelvis_of_its_own():
    source = detections(BODY_25B)
    assert_from(convert(source, H36M_17), "pelvis", source, {"left_hip": 0.5, "right_hip": 0.5})
    assert_from(convert(source, H36M_17), "head_top", source, {"head_top": 1})


FEET = {f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")}
FACE = {f"{side}_{part}" for side in ("left", "right") for part in ("eye", "ear")}


@every_skeleton
def test_a_body_of_27_joints_is_made_of_every_detector_s_and_nothing_is_invented(source):
    """Feet and face are copied where the detector has them, and unseen where it has not."""
    keypoints = detections(source)
    result = convert(keypoints, BODY_27)
    body = convert(keypoints, H36M_17)
    np.testing.assert_array_equal(result.xy[:, :17], body.xy)
    np.testing.assert_array_equal(result.confidence[:, :17], body.confidence)
    has = {f"{side}_big_toe" for side in ("left", "right") if f"{side}_foot_index" in source}
    has |= (FEET | FACE) & set(source.joints)
    assert {name for name in FEET | FACE if score(result, name).all()} == has
    assert {name for name in FEET | FACE if score(result, name).any()} == has
    for name in has & set(source.joints):
        np.testing.assert_array_equal(joint(result, name), joint(keypoints, name))


def test_the_tip_of_mediapipe_s_foot_is_a_big_toe():
    source = detections(MEDIAPIPE_33)
    assert_from(convert(source, BODY_27), "left_big_toe", source, {"left_foot_index": 1})
    assert not score(convert(source, BODY_27), "left_small_toe").any()


def poses_of(skeleton: Skeleton, seed: int = 0) -> Poses3D:
    rng = np.random.default_rng(seed)
    shape = (4, len(skeleton))
    xyz = rng.normal(size=(*shape, 3)).astype(np.float32)
    xyz -= xyz[:, skeleton.root, None]
    return Poses3D(xyz, skeleton, 50, observed=rng.random(shape), spread=rng.random(shape), path=xyz[:, 1])


@pytest.mark.parametrize("target", [HALPE_26, BODY_25, COCO_17, H36M_17], ids=lambda s: s.name)
def test_lifted_poses_are_written_in_the_joints_of_others(target):
    poses = poses_of(BODY_27)
    result = convert_poses(poses, target.name)
    assert (result.skeleton, result.fps, result.frame) == (target, 50, poses.frame)
    for name in set(target.joints) & set(BODY_27.joints):
        there, here = target.index(name), BODY_27.index(name)
        np.testing.assert_array_equal(result.xyz[:, there], poses.xyz[:, here])
        np.testing.assert_array_equal(result.observed[:, there], poses.observed[:, here])
        np.testing.assert_array_equal(result.spread[:, there], poses.spread[:, here])
    np.testing.assert_array_equal(result.path, poses.path)


def test_a_neck_of_poses_lies_between_the_shoulders():
    poses = poses_of(BODY_27)
    result = convert_poses(poses, BODY_25)
    left, right = BODY_27.indices(("left_shoulder", "right_shoulder"))
    neck = BODY_25.index("neck")
    np.testing.assert_allclose(result.xyz[:, neck], (poses.xyz[:, left] + poses.xyz[:, right]) / 2, atol=1e-6)
    np.testing.assert_array_equal(result.observed[:, neck], poses.observed[:, [left, right]].min(1))
    np.testing.assert_allclose(result.spread[:, neck], poses.spread[:, [left, right]].mean(1), atol=1e-6)


def test_poses_without_feet_have_none_in_other_joints_either():
    with pytest.raises(SkeletonError, match="H36M_17 cannot be written as HALPE_26: nothing gives left_eye, .*heel"):
        convert_poses(poses_of(H36M_17), HALPE_26)
    assert convert_poses(poses := poses_of(BODY_27), BODY_27) is poses


def test_converting_poses_there_and_back_keeps_every_joint_of_both():
    poses = poses_of(BODY_27)
    back = convert_poses(convert_poses(poses, HALPE_26), BODY_27)
    for name in set(HALPE_26.joints) & set(BODY_27.joints):
        np.testing.assert_array_equal(back.xyz[:, BODY_27.index(name)], poses.xyz[:, BODY_27.index(name)])


@every_skeleton
@pytest.mark.parametrize("target", [H36M_17, BODY_27], ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_single_frames_are_converted_as_clips_are(source, target, missing):
    try:
        converter = FrameConverter(source, target)
    except SkeletonError as error:
        with pytest.raises(SkeletonError, match="cannot be converted"):
            check_convertible(source, target)
        assert "cannot be converted" in str(error)
        return
    keypoints = detections(source, frames=20)
    scores = keypoints.confidence * (np.random.default_rng(1).random(keypoints.confidence.shape) >= missing)
    keypoints = keypoints.with_frames(keypoints.xy, scores, 30)
    xy, confidence = convert_arrays(*keypoints.filled(), source, target)
    frames = np.concatenate([*keypoints.filled()[:1], keypoints.filled()[1][..., None]], -1)
    found = np.stack([converter(frame) for frame in frames])
    np.testing.assert_array_equal(found[..., 2], confidence)
    np.testing.assert_allclose(found[..., :2], np.where(confidence[..., None] > 0, xy, 0), atol=2e-4)


def test_whose_keypoints_they_are_and_when_they_begin_is_kept():
    xy = np.random.default_rng(0).normal(500, 50, (5, 33, 2))
    xy[2, MEDIAPIPE_33.index("left_shoulder")] = np.nan
    keypoints = Keypoints2D(xy, None, MEDIAPIPE_33, 30.0, (1000, 1000), start_s=2.0, person=3, may_continue=(1,))
    made = convert(keypoints, H36M_17)
    assert (made.start_s, made.person, made.may_continue, made.image_size) == (2.0, 3, (1,), (1000, 1000))
    unseen = np.isnan(made.xy).any(-1)
    assert not unseen[[0, 1, 3, 4]].any()
    assert {H36M_17.joints[joint] for joint in np.flatnonzero(unseen[2])} >= {"left_shoulder", "thorax"}
    assert (made.confidence[unseen] == 0).all() and not unseen[2].all()
