from dataclasses import replace

import numpy as np
import pytest

import poselift as pl
from poselift.refine.focal import ASSUMED, assumed_camera
from poselift.refine.gravity import feet_of
from poselift.refine.moving import carried
from poselift.refine.steps import ESTIMATED, focal_ratio
from tests.refine.stage import FPS, camera_at, seen, walking

AWAY = camera_at((0, -4, 1.6), (0, 3, 1.0), focal=1000.0)


def person(ahead: tuple[float, float] = (0.2, 1.0), seconds: float = 8.0):
    return seen(*walking(seconds, ahead, speed=0.8), AWAY)


def walked(stretched: float = 1.0, ahead: tuple[float, float] = (0.2, 1.0)):
    """Feet and the path that would be found with a focal length that is `stretched` times too long."""
    actor = person(ahead)
    path = AWAY.to_camera(actor.xyz[:, 0]) * [1, 1, stretched]
    return [(feet_of(actor.poses, actor.poses.xyz), path, FPS)]


@pytest.mark.parametrize("stretched", [0.7, 1.0, 1.5])
def test_steps_in_depth_say_the_focal_length(stretched):
    found = focal_ratio(walked(stretched))
    assert found is not None
    assert found.ratio == pytest.approx(1 / stretched, rel=0.05)
    assert found.error < 0.1


def test_steps_across_say_nothing():
    assert focal_ratio(walked(ahead=(1, 0))) is None
    assert focal_ratio([(feet.unused(), path, fps) for feet, path, fps in walked()]) is None


def test_a_scene_of_which_only_the_picture_is_known_finds_its_focal_length():
    actor = person()
    poses = replace(actor.poses, camera=None)  # in the axes of whatever camera
    scene = pl.place([(actor.keypoints, poses)], height_m=1.75)
    assert scene.camera.name == ESTIMATED
    assert assumed_camera((1280, 720)).name == ASSUMED
    assert abs(assumed_camera((1280, 720)).K[0, 0] / 1000 - 1) > 0.08
    assert scene.camera.K[0, 0] == pytest.approx(1000, rel=0.08)
    assert "--focal" in " ".join(scene.report.warnings)


def test_a_focal_length_that_is_given_stays():
    scene = pl.place([person().pair], height_m=1.75)
    assert scene.camera.K[0, 0] == 1000


def test_feet_that_stand_are_not_carried():
    assert carried(walked()) is None


@pytest.mark.parametrize("velocity", [(1.0, 0, 0), (0, 0, -0.8)])
def test_feet_that_all_move_alike_are_carried(velocity):
    ((feet, path, fps),) = walked()
    moved = path + np.arange(len(path))[:, None] / fps * velocity
    found = carried([(feet, moved, fps)])
    np.testing.assert_allclose(found, velocity, atol=0.1)


def test_a_second_person_who_stands_contradicts():
    """Feet of one person are carried, those of two others are not: these are wrong contacts, and no moving camera."""
    ((feet, path, fps),) = walked()
    moved = path + np.arange(len(path))[:, None] / fps * (1.0, 0, 0)
    assert carried([(feet, moved, fps), (feet, path, fps), (feet, path, fps)]) is None
    assert carried([(feet.unused(), moved, fps)]) is None
