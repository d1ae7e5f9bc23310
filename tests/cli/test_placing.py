from dataclasses import replace

import pytest

from poselift.cli.placing import WorldOptions
from poselift.footage import Footage
from poselift.refine.focal import ASSUMED, TOLD
from poselift.sequence import CAMERA, WORLD
from tests.refine.stage import camera_at, seen, walking

ACTOR = seen(*walking(seconds=2), camera_at())


def test_people_are_lifted_for_the_camera_that_is_given_told_or_assumed():
    told = replace(ACTOR.keypoints, footage=Footage(1500.0, "a tag"))
    assert WorldOptions().camera(None, [told]).name == TOLD
    assert WorldOptions().camera(None, [told]).K[0, 0] == 1500
    assert WorldOptions().camera(None, [ACTOR.keypoints]).name == ASSUMED
    assert WorldOptions().camera(900.0, [told]).K[0, 0] == 900
    assert WorldOptions(fov=90.0).camera(None, [told]).K[0, 0] == pytest.approx(640)
    assert WorldOptions().camera(None, [replace(told, image_size=None)]) is None


@pytest.mark.parametrize(("said", "frame"), [("found", CAMERA), ("still", WORLD), ("moving", CAMERA)])
def test_a_camera_that_moves_is_found_or_said(capsys, said, frame):
    moving = replace(ACTOR.keypoints, footage=Footage(moved=0.2))
    (poses,) = WorldOptions(camera_is=said, height=(1.8,)).place("clip", [(moving, ACTOR.poses)])
    assert poses.frame == frame
    assert ("the camera moves" in capsys.readouterr().out) == (frame == CAMERA)


def test_bones_reach_the_scene(capsys):
    (poses,) = WorldOptions(bones=("thigh=0.5", "shank=0.5")).place("clip", [ACTOR.pair])
    assert "thigh 0.5 m" in " ".join(capsys.readouterr().out.split())
    assert poses.frame == WORLD
