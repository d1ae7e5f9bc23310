from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from poselift.errors import SkeletonError
from poselift.geometry.body import body_of
from poselift.sequence import Poses3D
from poselift.skeleton import (
    BODY_25,
    BODY_27,
    COCO_17,
    COCO_18,
    H36M_17,
    HALPE_26,
    HUMANEVA_15,
    MEDIAPIPE_33,
    MPI_15,
    MPI_INF_3DHP_17,
    Skeleton,
)  # fmt: skip

LIMBS = [
    f"{side}_{part}" for side in ("left", "right") for part in ("upper_arm", "lower_arm", "upper_leg", "lower_leg")
]


def angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(Rotation.from_matrix(a.swapaxes(-1, -2) @ b).magnitude())


def t_pose(skeleton: Skeleton) -> np.ndarray:
    """(1, J, 3) a figure with arms out, y up, facing +z; bones of one length, and none forward."""
    step = {"hip": [1, 0, 0], "shoulder": [1, 0, 0], "elbow": [1, 0, 0], "wrist": [1, 0, 0]}
    step |= {"knee": [0, -1, 0], "ankle": [0, -1, 0]}
    xyz = np.zeros((1, len(skeleton), 3))
    for joint in skeleton.topological:
        side, _, part = skeleton.joints[joint].partition("_")
        bone = np.array(step.get(part, [0, 1, 0])) * [-1 if side == "right" else 1, 1, 1]
        xyz[:, joint] = xyz[:, skeleton.parents[joint]] + (bone if skeleton.parents[joint] >= 0 else 0)
    return xyz


@pytest.mark.parametrize("skeleton", [MPI_INF_3DHP_17, HUMANEVA_15])
def test_a_t_pose_is_at_rest_and_turning_it_turns_every_segment(skeleton):
    turn = Rotation.from_euler("y", 70, degrees=True).as_matrix()
    for rotation in (np.eye(3), turn):
        body = body_of(t_pose(skeleton) @ rotation.T, skeleton)
        for name, frames in body.frames.items():
            np.testing.assert_allclose(frames, rotation[None], atol=1e-6, err_msg=name)
        assert {"head", "left_foot", "right_foot"} == set(body.assumed)


@pytest.mark.parametrize("seed", range(4))
def test_known_rotations_come_back(acrobat, seed):
    poses, truth = acrobat(seed, 120, BODY_27)
    body = body_of(poses.y_up(), BODY_27)
    assert body.assumed == ()
    for name in ("pelvis", "chest", "head"):
        assert angle_deg(body.frames[name], truth[name]).max() < 0.1, name
    for side in ("left", "right"):
        assert angle_deg(body.frames[f"{side}_foot"], truth[f"{side}_foot"]).max() < 26  # its zero lies elsewhere
        offset = truth[f"{side}_foot"].swapaxes(-1, -2) @ body.frames[f"{side}_foot"]
        assert angle_deg(offset, offset[60:61]).max() < 4  # its roll is smooth in time
    for name in LIMBS:
        assert angle_deg(body.frames[name], truth[name]).max() < 2.5, name  # the twist is smooth in time


def test_rotations_do_not_depend_on_where_and_how_the_person_is_turned(acrobat):
    poses, _ = acrobat(1, 40, BODY_27)
    turn = Rotation.from_euler("xyz", [20, 130, -40], degrees=True).as_matrix()
    one = body_of(poses.y_up(), BODY_27)
    other = body_of(poses.y_up() @ turn.T + (3, 1, -2), BODY_27)
    for name, frames in one.frames.items():
        np.testing.assert_allclose(other.frames[name], turn @ frames, atol=1e-5, err_msg=name)
    for name, place in one.rest.items():
        np.testing.assert_allclose(other.rest[name], place, atol=1e-5, err_msg=name)


def test_left_and_right_are_treated_alike(acrobat):
    poses, _ = acrobat(2, 40, BODY_27)
    xyz, mirror = poses.y_up(), np.diag([-1.0, 1, 1])
    one, other = body_of(xyz, BODY_27), body_of(xyz[:, list(BODY_27.flipped)] @ mirror, BODY_27)
    for name, frames in one.frames.items():
        side, _, part = name.partition("_")
        twin = {"left": f"right_{part}", "right": f"left_{part}"}.get(side, name)
        np.testing.assert_allclose(other.frames[twin], mirror @ frames @ mirror, atol=1e-5, err_msg=name)


def test_a_head_without_ears_turns_with_its_nose(acrobat):
    """Human3.6M's nose is a little in front of the line from the neck to the top of the head."""
    poses, truth = acrobat(3, 200, H36M_17)
    body = body_of(poses.y_up(), H36M_17)
    assert "head" in body.assumed
    assert np.median(angle_deg(body.frames["head"], truth["head"])) < 15
    chest = truth["chest"][:, None]
    assert np.median(angle_deg(chest[:, 0], truth["head"])) > 25  # what the chest alone would say


@pytest.mark.parametrize("skeleton", [HALPE_26, BODY_25])
def test_skeletons_without_a_spine_or_small_toes_have_bodies(skeleton):
    body = body_of(np.random.default_rng(0).normal(size=(5, len(skeleton), 3)), skeleton)
    np.testing.assert_allclose(body.places["spine"], (body.places["pelvis"] + body.places["thorax"]) / 2)
    assert body.assumed == ()


def test_lengths_are_medians_with_left_and_right_averaged():
    xyz = np.repeat(t_pose(H36M_17), 3, axis=0)
    xyz[:, H36M_17.index("left_wrist"), 0] += [0.2, 0.2, 9.0]
    rest = body_of(xyz, H36M_17).rest
    for side, sign in (("left", 1), ("right", -1)):
        np.testing.assert_allclose(rest[f"{side}_wrist"] - rest[f"{side}_elbow"], [1.1 * sign, 0, 0], atol=1e-9)


def test_a_pose_without_extent_stays_at_rest():
    body = body_of(np.zeros((2, len(H36M_17), 3)), H36M_17)
    for frames in body.frames.values():
        np.testing.assert_allclose(frames, np.broadcast_to(np.eye(3), frames.shape), atol=1e-12)


def test_frames_without_hips_keep_the_turn_before():
    xyz = np.repeat(t_pose(H36M_17), 5, axis=0)
    turn = Rotation.from_euler("y", 40, degrees=True).as_matrix()
    xyz[1:] = xyz[1:] @ turn.T
    xyz[3, [H36M_17.index(f"{side}_hip") for side in ("left", "right")]] = 0
    np.testing.assert_allclose(body_of(xyz, H36M_17).frames["pelvis"][3], turn, atol=1e-6)


def test_a_body_needs_the_joints_of_arms_and_legs():
    stick = Skeleton("STICK", ("pelvis", "thorax"), (-1, 0))
    with pytest.raises(SkeletonError, match="STICK has no joint left_hip, left_knee, .*convert to H36M_17"):
        body_of(np.zeros((1, 2, 3)), stick)


@pytest.mark.parametrize("skeleton", [COCO_17, COCO_18, MEDIAPIPE_33, MPI_15])
def test_a_pelvis_that_is_not_there_is_between_the_hips(acrobat, skeleton):
    xyz = np.random.default_rng(0).normal(size=(3, len(skeleton), 3))
    body = body_of(xyz, skeleton)
    hips = xyz[:, [skeleton.index("left_hip"), skeleton.index("right_hip")]]
    np.testing.assert_allclose(body.places["pelvis"], hips.mean(1))
    assert "pelvis" not in body.sources
    joints = set(body.sources.values()) | set(body.points)
    assert joints == set(skeleton.joints)  # none is lost


@pytest.mark.shared
def test_the_heads_of_motion_capture(shared: Path):
    """The archive has the rotation of every head, from the recordings' own bones."""
    archive = np.load(shared / "data" / "mocap27.npz")
    starts, pose, quaternions = archive["offsets"], archive["pose"], archive["head_quat"]
    errors = []
    for clip in np.flatnonzero((archive["split"] == "dev") & archive["known"].all(1))[::4]:
        frames = slice(starts[clip], starts[clip + 1])
        body = body_of(pose[frames].astype(float), BODY_27)
        truth = Rotation.from_quat(quaternions[frames].astype(float)).as_matrix()
        errors.append(angle_deg(body.frames["head"], truth))
    assert len(errors) >= 5
    assert np.concatenate(errors).max() < 1.0


def test_poses_of_any_frame_give_the_same_body(acrobat):
    poses, _ = acrobat(0, 10, BODY_27)
    world = Poses3D(poses.y_up() @ np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]), BODY_27, 50.0, "world")
    for name, frames in body_of(poses.y_up(), BODY_27).frames.items():
        np.testing.assert_allclose(body_of(world.y_up(), BODY_27).frames[name], frames, atol=1e-5)
    assert replace(world, frame="camera").y_up().shape == poses.xyz.shape
