from dataclasses import replace

import numpy as np
import pytest

from poselift.refine.gravity import Feet, Ground, angles, feet_of, find_ground, find_up, foot_joints, with_angles
from poselift.sequence import Poses3D
from poselift.skeleton import BODY_27, COCO_17, H36M_17
from tests.refine.stage import FPS, camera_at, seen, walking

UP = np.array([0.05, -0.96, -0.27]) / np.linalg.norm([0.05, -0.96, -0.27])
RNG = np.random.default_rng(0)


def degrees(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.rad2deg(np.arccos(np.clip(one @ other, -1, 1))))


def on_floor(noise: float = 0.0, frames: int = 300) -> tuple[Feet, np.ndarray, float]:
    """Two points of a foot on a floor 1.5 m below the camera, along a path of 4 m by 4 m."""
    right = np.cross(np.array([0, 0, 1.0]), UP)
    right /= np.linalg.norm(right)
    ahead = np.cross(UP, right)
    ground = -1.5 * UP + RNG.uniform(-2, 2, (frames, 1)) * right + RNG.uniform(2, 6, (frames, 1)) * ahead
    points = np.stack([0 * ground, 0.2 * right + 0 * ground], 1) + noise * RNG.normal(0, 1, (frames, 2, 3))
    return Feet(points, np.ones((frames, 2)), np.zeros(2), True), ground, FPS


def test_up_is_the_median_of_what_the_network_says():
    ups = np.tile(UP, (200, 1)) + RNG.normal(0, 0.05, (200, 3))
    ups[:60] = (0, 0, 1)  # lies for a third of the clip, and the network is lost
    ups /= np.linalg.norm(ups, axis=1, keepdims=True)
    poses = Poses3D(np.zeros((200, 17, 3)), H36M_17, FPS, up=ups)
    found = find_up([(poses, poses.xyz)])
    assert degrees(found.up, UP) < 2
    assert degrees(ups.mean(0) / np.linalg.norm(ups.mean(0)), UP) > 15


def test_up_counts_less_in_gaps_and_where_no_foot_stands():
    ups = np.tile(UP, (100, 1))
    ups[:70] = (1, 0, 0)
    gap, contact = np.zeros(100, bool), np.ones((100, 4))
    gap[:35] = True
    contact[35:70] = 0
    poses = Poses3D(np.zeros((100, 17, 3)), H36M_17, FPS, up=ups, gap=gap, contact=contact)
    assert degrees(find_up([(poses, poses.xyz)]).up, UP) < 1


def test_without_a_network_that_says_it_up_is_how_people_stand():
    camera = camera_at(roll_deg=8)
    poses = replace(seen(*walking(), camera).poses, up=None)
    found = find_up([(poses, poses.xyz)])
    assert degrees(found.up, camera.R[:, 2]) < 8
    assert "how people stand" in found.source


def test_planted_feet_tell_the_tilt_and_the_height():
    before = Ground(np.array([0.0, -1, 0]), np.nan, 10.0, "a guess")
    walked = on_floor(noise=0.02)
    found = find_ground(before, [walked])
    assert degrees(before.up, UP) > 14
    assert degrees(found.up, UP) < 1.5
    assert found.error_deg < before.error_deg
    assert abs(found.above(walked[1]).mean()) < 0.02
    assert abs(before.up @ walked[1].mean(0) + 1.5) > 0.5


def test_a_foot_on_a_chair_counts_little():
    feet, path, fps = on_floor(noise=0.01)
    points = feet.points.copy()
    points[:60] += 0.6 * UP
    found = find_ground(Ground(UP, np.nan, 4.0, "known"), [(replace(feet, points=points), path, fps)])
    assert degrees(found.up, UP) < 2
    assert found.height == pytest.approx(-1.5, abs=0.05)


def test_standing_in_one_place_keeps_the_direction_that_was_known():
    feet, path, fps = on_floor(noise=0.03)
    still = np.tile(path[:1], (len(path), 1))
    found = find_ground(Ground(UP, np.nan, 4.0, "known"), [(feet, still, fps)])
    assert degrees(found.up, UP) < 3


def test_a_direction_that_is_given_stays():
    given = Ground(np.array([0.0, -1, 0]), np.nan, 0.0, "given")
    np.testing.assert_array_equal(find_ground(given, [on_floor()], fixed=True).up, given.up)


def test_without_contacts_the_floor_is_under_the_lowest_feet():
    feet, path, fps = on_floor()
    found = find_ground(Ground(UP, np.nan, 4.0, "known"), [(feet.unused(), path, fps)])
    assert found.height == pytest.approx(-1.5, abs=0.01)
    np.testing.assert_array_equal(found.up, UP)


@pytest.mark.parametrize(("pitch", "roll"), [(0.0, 0.0), (20.0, 0.0), (-10.0, 5.0), (35.0, -12.0)])
def test_pitch_and_roll_are_those_of_the_camera(pitch, roll):
    """A camera 5 m away that is higher by tan(pitch) looks down by the pitch; its roll is look_at's."""
    camera = camera_at((0, -5, 1 + 5 * np.tan(np.deg2rad(pitch))), (0, 0, 1), roll_deg=roll)
    found = Ground(camera.R[:, 2], 0.0, 3.0, "known")
    np.testing.assert_allclose(angles(found.up), (pitch, roll), atol=1e-6)
    np.testing.assert_allclose(with_angles(Ground(UP, 0.0, 3.0, ""), pitch, roll).up, found.up, atol=1e-9)
    half = with_angles(found, None, 2.0)
    np.testing.assert_allclose(angles(half.up), (pitch, 2), atol=1e-6)
    assert with_angles(found, None, None) is found


def test_ankles_stand_in_for_feet():
    poses = seen(*walking(), camera_at()).poses
    assert len(foot_joints(BODY_27)) == 4
    whole, none = feet_of(poses, poses.xyz), replace(poses, contact=None)
    assert whole.known
    assert not feet_of(none, none.xyz).known
    ankles = Poses3D(np.zeros((5, 17, 3)), H36M_17, FPS, contact=np.tile([1.0, 0, 0.2, 0.4], (5, 1)))
    found = feet_of(ankles, ankles.xyz)
    np.testing.assert_allclose(found.contact, np.tile([1, 0.4], (5, 1)), rtol=1e-6)
    assert found.heights.min() > 0.05
    assert len(foot_joints(COCO_17)) == 2


def test_the_floor_is_the_lowest_level_on_which_people_stand():
    """Somebody stands on a wall for two thirds of the time, and then walks on the floor."""
    feet, path, fps = on_floor(noise=0.03)
    raised = path.copy()
    raised[:200] += 1.2 * UP
    found = find_ground(Ground(UP, np.nan, 4.0, "known"), [(feet, raised, fps)])
    assert abs(found.above(path[200:]).mean()) < 0.05
    assert degrees(found.up, UP) < 2
