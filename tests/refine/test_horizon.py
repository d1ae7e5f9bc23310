from dataclasses import replace

import numpy as np
import pytest

import poselift as pl
from poselift.refine.focal import assumed_camera
from poselift.refine.horizon import stretches_of, with_focal_of_horizon
from poselift.refine.steps import ESTIMATED
from poselift.refine.view import View
from poselift.sequence import TURNED_CAMERA
from tests.refine.stage import camera_at, seen, walking

SIZE = (1280, 720)
PLACES = ((-1.0, -4.0), (1.0, 0.0), (0.0, 6.0), (2.0, 12.0))


def crowd(focal: float, places=PLACES) -> list:
    """People who walk across, at several distances, below a camera 4 m up; nothing is known of the camera."""
    camera = camera_at((0.0, -9.0, 4.0), (0.0, 0.0, 0.5), focal=focal)
    actors = [
        seen(*walking(seconds=4, start=place), camera, frame=TURNED_CAMERA, seed=seed)
        for seed, place in enumerate(places)
    ]
    return [
        (replace(actor.keypoints, person=number), replace(actor.poses, person=number))
        for number, actor in enumerate(actors, 1)
    ]


def views(pairs) -> list[View]:
    return [View.of(*pair, assumed_camera(SIZE)) for pair in pairs]


@pytest.mark.parametrize("focal", [800.0, 1600.0])
def test_people_at_several_distances_say_the_focal_length(focal):
    assumed = assumed_camera(SIZE)
    assert abs(assumed.K[0, 0] / focal - 1) > 0.25
    turned, camera, said = with_focal_of_horizon(views(crowd(focal)), assumed)
    assert camera.name == ESTIMATED
    assert camera.K[0, 0] == pytest.approx(focal, rel=0.12)
    assert said.values["error"] < 0.2
    assert "--focal or --fov" in said.warnings[0]
    assert all(view.poses.camera is camera for view in turned)


def test_the_right_factor_costs_least():
    said = stretches_of(views(crowd(1600.0)), assumed_camera(SIZE))
    right = 1600 / assumed_camera(SIZE).K[0, 0]
    costs = [said.cost(right * factor) for factor in (0.6, 1.0, 1.6)]
    assert costs[1] == min(costs)


def test_somebody_in_one_place_says_nothing():
    assumed = assumed_camera(SIZE)
    before = views(crowd(1600.0, PLACES[1:2]))
    after, camera, said = with_focal_of_horizon(before, assumed)
    assert (camera, said) == (assumed, None)
    assert after == before


def test_a_focal_length_that_is_given_stays_and_17_joints_say_nothing():
    given = replace(assumed_camera(SIZE), name="")
    assert with_focal_of_horizon(views(crowd(1600.0)), given)[1] is given
    silent = [(keypoints, replace(poses, up=None)) for keypoints, poses in crowd(1600.0)]
    assert stretches_of(views(silent), assumed_camera(SIZE)) is None
    gap = np.ones(120, bool)
    hidden = [(keypoints, replace(poses, gap=gap)) for keypoints, poses in crowd(1600.0)]
    assert stretches_of(views(hidden), assumed_camera(SIZE)) is None


def test_a_scene_takes_it():
    scene = pl.place(crowd(1600.0), height_m=1.83)
    assert scene.camera.name == ESTIMATED
    assert "upright on one floor" in str(scene.report)
