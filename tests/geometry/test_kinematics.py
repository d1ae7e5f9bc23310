import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from poselift.errors import SkeletonError
from poselift.geometry.kinematics import fit_rotations, forward_kinematics
from poselift.skeleton import BODY_25, COCO_17, H36M_17, HUMANEVA_15, MPI_INF_3DHP_17, Skeleton


def t_pose(skeleton: Skeleton) -> np.ndarray:
    """(1, J, 3) a figure with arms out, y up, facing +z; bones of one length."""
    step = {"hip": [1, 0, 0], "shoulder": [1, 0, 0], "elbow": [1, 0, 0], "wrist": [1, 0, 0]}
    step |= {"knee": [0, -1, 0], "ankle": [0, -1, 0]}
    xyz = np.zeros((1, len(skeleton), 3))
    for joint in skeleton.topological:
        side, _, part = skeleton.joints[joint].partition("_")
        bone = np.array(step.get(part, [0, 1, 0])) * [-1 if side == "right" else 1, 1, 1]
        xyz[:, joint] = xyz[:, skeleton.parents[joint]] + (bone if skeleton.parents[joint] >= 0 else 0)
    return xyz


def test_forward_kinematics_pinned():
    """An upper arm along x turned up by 90 degrees, and a forearm turned on by 90 degrees against it."""
    quarter = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    translations = np.array([[[5.0, 0, 0], [1, 0, 0], [1, 0, 0]]])
    xyz, world = forward_kinematics((-1, 0, 1), translations, np.array([[quarter, quarter, np.eye(3)]]))
    np.testing.assert_allclose(xyz[0], [[5, 0, 0], [5, 1, 0], [4, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(world[0, 2], np.diag([-1.0, -1, 1]), atol=1e-12)


@pytest.mark.parametrize("skeleton", [H36M_17, MPI_INF_3DHP_17, HUMANEVA_15])
def test_a_t_pose_is_at_rest_and_turning_it_turns_every_joint(skeleton):
    turn = Rotation.from_euler("y", 70, degrees=True).as_matrix()
    for rotation in (np.eye(3), turn):
        fitted = fit_rotations(t_pose(skeleton) @ rotation.T, skeleton)
        np.testing.assert_allclose(fitted.joint, np.broadcast_to(rotation, fitted.joint.shape), atol=1e-6)
        np.testing.assert_allclose(fitted.bone, np.broadcast_to(rotation, fitted.bone.shape), atol=1e-6)


def test_bones_point_as_in_the_pose():
    xyz = np.random.default_rng(0).normal(size=(20, len(H36M_17), 3))
    fitted = fit_rotations(xyz, H36M_17)
    for parent, child in H36M_17.bones:
        bone = xyz[:, child] - xyz[:, parent]
        bone /= np.linalg.norm(bone, axis=-1, keepdims=True)
        np.testing.assert_allclose(fitted.bone[:, child] @ fitted.rest[child], bone, atol=1e-6)


def test_lengths_are_medians_with_left_and_right_averaged():
    xyz = np.repeat(t_pose(H36M_17), 3, axis=0)
    wrist = H36M_17.index("left_wrist")
    xyz[:, wrist, 0] += [0.2, 0.2, 9.0]
    fitted = fit_rotations(xyz, H36M_17)
    assert fitted.lengths[wrist] == pytest.approx(1.1)
    assert fitted.lengths[H36M_17.index("right_wrist")] == pytest.approx(1.1)
    assert fitted.lengths[H36M_17.root] == 0


def test_a_bent_elbow_does_not_twist():
    xyz = t_pose(H36M_17)
    elbow, wrist = H36M_17.indices(("left_elbow", "left_wrist"))
    xyz[:, wrist] = xyz[:, elbow] + [0, 0, 1]
    forward = Rotation.from_euler("y", -90, degrees=True).as_matrix()
    np.testing.assert_allclose(fit_rotations(xyz, H36M_17).bone[0, wrist], forward, atol=1e-9)


def test_a_pose_without_extent_stays_at_rest():
    fitted = fit_rotations(np.zeros((2, len(H36M_17), 3)), H36M_17)
    np.testing.assert_array_equal(fitted.bone, np.broadcast_to(np.eye(3), fitted.bone.shape))


@pytest.mark.parametrize("skeleton", [COCO_17, Skeleton("STICK", ("pelvis", "thorax"), (-1, 0))])
def test_a_figure_needs_hips_on_one_root(skeleton):
    with pytest.raises(SkeletonError, match="H36M_17|left_hip"):
        fit_rotations(np.zeros((1, len(skeleton), 3)), skeleton)


def test_feet_rest_forward():
    fitted = fit_rotations(np.zeros((1, len(BODY_25), 3)), BODY_25)
    np.testing.assert_array_equal(fitted.rest[BODY_25.index("left_big_toe")], [0, 0, 1])
    np.testing.assert_array_equal(fitted.rest[BODY_25.index("left_heel")], [0, -1, 0])
