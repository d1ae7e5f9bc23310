from dataclasses import replace

import numpy as np
import pytest

import poselift as pl
from poselift.errors import ShapeError
from poselift.footage import Footage
from poselift.refine.moving import restless, unrest
from poselift.sequence import CAMERA, WORLD
from tests.refine.stage import FPS, camera_at, seen, walking
from tests.refine.test_steps import walked

STILL, MOVING = Footage(moved=0.001), Footage(moved=0.2)


def filmed(footage=None, *, seconds=5.0, **options):
    actor = seen(*walking(seconds=seconds), camera_at(), **options)
    return replace(actor.keypoints, footage=footage), actor.poses


def swung(degrees: float):
    """Somebody who walks, filmed by a camera that turns to and fro."""
    xyz, contact = walking(seconds=5)
    camera = camera_at()
    angle = np.deg2rad(degrees) * np.sin(2 * np.pi * np.arange(len(xyz)) / FPS / 4)
    turn = np.stack([[np.cos(angle), 0 * angle, np.sin(angle)], [0 * angle, 1 + 0 * angle, 0 * angle],
                     [-np.sin(angle), 0 * angle, np.cos(angle)]]).transpose(2, 0, 1)  # fmt: skip
    there = np.einsum("tij,tkj->tki", turn, camera.to_camera(xyz))
    return seen(camera.to_world(there), contact, camera).pair


def test_a_background_that_moves_leaves_people_where_their_pelvis_is():
    scene = pl.place([filmed(MOVING)], height_m=1.75)
    (poses,) = scene.people
    assert (poses.frame, poses.path) == (CAMERA, None)
    (warning,) = [warning for warning in scene.report.warnings if "camera moves" in warning]
    assert "--camera-is still" in warning
    assert "20 % of the picture" in str(scene.report)
    with pytest.raises(ShapeError, match="no path"):
        poses.absolute()


def test_what_is_said_of_the_camera_counts_more_than_what_is_found():
    assert pl.place([filmed(MOVING)], height_m=1.75, still=True).people[0].frame == WORLD
    scene = pl.place([filmed(STILL)], height_m=1.75, still=False)
    assert scene.people[0].frame == CAMERA
    assert "as was said" in str(scene.report)


@pytest.mark.parametrize("footage", [None, STILL])
def test_a_camera_at_rest_places_people(footage):
    scene = pl.place([filmed(footage)], height_m=1.75)
    assert scene.people[0].frame == WORLD
    assert not scene.report.warnings


def test_a_camera_that_swings_is_told_by_feet_that_stand():
    scene = pl.place([swung(8)], height_m=1.75)
    assert scene.people[0].frame == CAMERA
    assert "planted feet move" in str(scene.report)
    assert "--no-contacts" in scene.report.warnings[0]
    scene = pl.place([swung(0)], height_m=1.75)
    assert scene.people[0].frame == WORLD


def test_before_a_background_at_rest_feet_that_move_are_on_a_treadmill():
    keypoints, poses = swung(8)
    scene = pl.place([(replace(keypoints, footage=STILL), poses)], height_m=1.75)
    assert scene.people[0].frame == WORLD
    assert "treadmill" in " ".join(scene.report.warnings)


def test_one_person_whose_feet_rest_contradicts():
    ((feet, path, fps),) = walked()
    shaken = path + 0.3 * np.sin(2 * np.pi * np.arange(len(path)) / fps)[:, None] * (1.0, 0, 0)
    assert restless([(feet, path, fps)]) is None
    assert restless([(feet, shaken, fps)]) > 0.4
    assert unrest([(feet, shaken, fps)]) > 0.4
    assert restless([(feet, shaken, fps), (feet, path, fps)]) is None
    assert restless([(feet, shaken, fps), (feet.unused(), path, fps)]) > 0.4
    assert restless([(feet.unused(), shaken, fps)]) is None
    assert restless([(replace(feet, points=feet.points[:5], contact=feet.contact[:5]), shaken[:5], fps)]) is None
