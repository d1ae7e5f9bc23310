import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from poselift.formats import read_poses
from poselift.geometry.body import body_of
from poselift.geometry.hinges import hinge_twist, seen_twist
from poselift.skeleton import H36M_17

REST, AXIS = np.array([1.0, 0, 0]), np.array([0, -1.0, 0])  # a left arm
HOME = np.eye(3)
ELBOWS = {"left_elbow": (0, -1, 0), "right_elbow": (0, 1, 0), "left_knee": (1, 0, 0), "right_knee": (1, 0, 0)}


def angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(Rotation.from_matrix(a.swapaxes(-1, -2) @ b).magnitude())


def arm(upper: np.ndarray, bend_deg: np.ndarray) -> np.ndarray:
    """(T, 2, 3) upper arm and forearm of an arm with upper-arm rotations (T, 3, 3) and these bends."""
    forearm = upper @ Rotation.from_rotvec(np.radians(bend_deg)[:, None] * AXIS).as_matrix()
    return np.stack([0.3 * upper @ REST, 0.25 * forearm @ REST], axis=1)


def moving(frames: int = 200) -> np.ndarray:
    """(T, 3, 3) an upper arm that swings and twists, also far from rest."""
    t = np.linspace(0, 4 * np.pi, frames)
    swing = Rotation.from_euler("ZY", np.stack([50 * np.sin(t), 60 * np.cos(0.7 * t)], 1), degrees=True)
    return (swing * Rotation.from_rotvec(np.outer(np.radians(80 * np.sin(1.3 * t)), REST))).as_matrix()


def test_the_twist_of_a_bent_arm_is_found():
    upper, bodies = moving(), Rotation.from_euler("y", np.linspace(0, 500, 200)[:, None], degrees=True).as_matrix()
    for bend in (25, 90, 150):
        found = hinge_twist(bodies, REST, AXIS, arm(bodies @ upper, np.full(200, bend)))
        np.testing.assert_allclose(found @ REST, bodies @ upper @ REST, atol=1e-6)
        assert angle_deg(found, bodies @ upper).max() < 2


def test_a_single_frame_that_is_bent_is_found():
    upper = moving()[60:61]
    found = hinge_twist(HOME[None], REST, AXIS, arm(upper, np.array([60.0])))
    assert angle_deg(found, upper).max() < 0.1


def test_a_straight_arm_carries_its_twist_on():
    """One second of an arm that is straight between two bends with a twist of 40 degrees."""
    twisted = Rotation.from_rotvec(np.radians(40) * REST).as_matrix()
    upper = Rotation.from_euler("Z", np.linspace(-60, 60, 90)[:, None], degrees=True).as_matrix() @ twisted
    bend = np.full(90, 70.0)
    bend[30:60] = 0
    found = hinge_twist(np.repeat(HOME[None], 90, 0), REST, AXIS, arm(upper, bend))
    assert angle_deg(found, upper).max() < 3
    step = angle_deg(found[1:], found[:-1])
    assert step.max() < 120 / 89 + 1


def test_an_arm_that_is_never_bent_does_not_twist_more_and_more():
    """A straight arm that draws 20 circles: each carries it round by the solid angle of the cone, about 40 degrees."""
    t = np.linspace(0, 40 * np.pi, 3000)
    swing = Rotation.from_rotvec(np.radians(30) * np.stack([0 * t, np.cos(t), np.sin(t)], 1)).as_matrix()
    found = hinge_twist(np.repeat(HOME[None], 3000, 0), REST, AXIS, arm(swing, np.zeros(3000)))
    assert angle_deg(found, swing).max() < 45


def test_an_arm_that_passes_opposite_its_rest_direction_does_not_turn_over():
    """A straight arm that is brought across the back of its rest direction, 2 degrees beside it."""
    angles = np.stack([np.linspace(150, 210, 60), np.full(60, 2.0)], 1)
    ends = Rotation.from_euler("ZY", angles, degrees=True).as_matrix() @ REST
    found = hinge_twist(np.repeat(HOME[None], 60, 0), REST, AXIS, np.stack([ends, ends], 1))
    moved = np.degrees(np.arccos((ends[1:] * ends[:-1]).sum(-1).clip(-1, 1)))
    assert (angle_deg(found[1:], found[:-1]) - moved).max() < 5


def test_a_direction_that_is_seen_is_followed_smoothly():
    """A single frame turns the bone by a part of its own turn, which grows with its weight."""
    bones = np.repeat(np.array([[REST, [0, 0, -1.0]]]), 61, axis=0)
    turned = Rotation.from_rotvec(np.radians(40) * REST).as_matrix()
    wanted = seen_twist(np.repeat(HOME[None], 61, 0), REST, AXIS, bones, np.full(61, 0.5))
    np.testing.assert_allclose(wanted, wanted[:1].repeat(61, axis=0), atol=1e-9)
    bones[30, 1] = turned @ bones[30, 1]
    off = {}
    for weight in (0.05, 0.5, 5.0):
        found = seen_twist(np.repeat(HOME[None], 61, 0), REST, AXIS, bones, np.full(61, weight))
        off[weight] = angle_deg(found, wanted)
        np.testing.assert_allclose(found @ REST, np.tile(REST, (61, 1)), atol=1e-9)
        assert off[weight].argmax() == 30
    assert off[0.05].max() < 6 < off[0.5].max() < 20 < off[5.0].max() < 40


@pytest.mark.parametrize("frames", [1, 2])
def test_bones_without_length_keep_the_frame_before(frames):
    before = Rotation.from_euler("y", 30, degrees=True).as_matrix()[None].repeat(frames, 0)
    np.testing.assert_allclose(hinge_twist(before, REST, AXIS, np.zeros((frames, 2, 3))), before, atol=1e-9)


@pytest.mark.parametrize("side", ["left", "right"])
def test_elbows_and_knees_bend_the_way_people_do(side):
    """Hands come forward and feet go back about the axes at rest, without a twist above."""
    xyz = np.zeros((1, len(H36M_17), 3))
    out = 1 if side == "left" else -1
    for sign, name in ((1, "left"), (-1, "right")):
        for joint, place in {
            "hip": (1, 0, 0), "knee": (1, -4, 0), "ankle": (1, -8, 0), "shoulder": (1, 5, 0), "elbow": (4, 5, 0),
            "wrist": (7, 5, 0),
        }.items():  # fmt: skip
            xyz[:, H36M_17.index(f"{name}_{joint}")] = np.multiply(place, (sign, 1, 1))
    for height, joint in ((3, "spine"), (5, "thorax"), (6, "nose"), (7, "head_top")):
        xyz[:, H36M_17.index(joint), 1] = height
    xyz[:, H36M_17.index(f"{side}_wrist")] = (4 * out, 5, 3)
    xyz[:, H36M_17.index(f"{side}_ankle")] = (out, -4, -4)
    frames = body_of(xyz, H36M_17).frames
    for bone in ("upper_arm", "upper_leg"):
        np.testing.assert_allclose(frames[f"{side}_{bone}"][0], np.eye(3), atol=1e-6)


def test_the_elbow_of_the_users_case_keeps_its_axis(shared):
    """An elbow at 90 degrees while the upper arm goes from hanging down to forward."""
    poses = read_poses(shared / "cases" / "results" / "elbow-hinge-wanders" / "poses.json")
    frames = body_of(poses.y_up(), poses.skeleton).frames
    turned = frames["left_upper_arm"].swapaxes(-1, -2) @ frames["left_lower_arm"]
    vectors = Rotation.from_matrix(turned).as_rotvec(degrees=True)
    np.testing.assert_allclose(vectors, np.tile([0, -90.0, 0], (3, 1)), atol=3)
