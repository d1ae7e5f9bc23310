from dataclasses import replace

import numpy as np
import pytest

from poselift.errors import FormatError, ShapeError
from poselift.footage import Footage
from poselift.refine.focal import (
    ASSUMED,
    TOLD,
    USUAL_FOCAL,
    assumed_camera,
    focal_of_fov,
    fov_of_focal,
    likely_camera,
    scene_camera,
)
from tests.refine.stage import camera_at, seen, walking

PAIR = seen(*walking(seconds=0.2), camera_at()).pair
UNKNOWN = (PAIR[0], replace(PAIR[1], camera=None))


def test_a_field_of_view_is_across_the_picture():
    assert focal_of_fov(90, (1000, 400)) == pytest.approx(500)
    assert fov_of_focal(focal_of_fov(63.0, (1280, 720)), (1280, 720)) == pytest.approx(63)
    for wrong in (0, 180, -20, np.nan):
        with pytest.raises(ShapeError, match="--fov"):
            focal_of_fov(wrong, (1000, 400))


def test_the_focal_length_is_given_or_that_of_the_poses_or_usual():
    given, said = scene_camera([PAIR], 1234.0)
    assert given.K[0, 0] == 1234
    assert not said.warnings
    own, said = scene_camera([PAIR], None)
    assert own.K[0, 0] == 1000
    assert not said.warnings
    usual, said = scene_camera([UNKNOWN], None)
    assert usual.K[0, 0] == USUAL_FOCAL * 1280
    assert usual.name == ASSUMED
    assert "--focal or --fov" in said.warnings[0]
    assert "10 % farther" in str(said)


def test_a_camera_that_is_assumed_is_said_to_be_so_also_when_the_poses_bring_it():
    _, said = scene_camera([(PAIR[0], replace(PAIR[1], camera=assumed_camera((1280, 720))))], None)
    assert "guess" in said.warnings[0]


def test_the_camera_is_at_rest_at_the_origin():
    placed = replace(camera_at(), name="mine")
    found, _ = scene_camera([(PAIR[0], replace(PAIR[1], camera=placed))], None)
    np.testing.assert_array_equal(found.R, np.eye(3))
    np.testing.assert_array_equal(found.t, 0)
    assert found.name == "mine"


def test_pictures_of_several_sizes_are_refused():
    other = replace(PAIR[0], image_size=(640, 480))
    with pytest.raises(FormatError, match="several sizes"):
        scene_camera([PAIR, (other, PAIR[1])], None)


def test_a_focal_length_of_the_metadata_is_taken_said_and_overruled():
    footage = Footage(1500.0, "26 mm in terms of 35 mm film by a tag")
    keypoints = replace(PAIR[0], footage=footage)
    for poses in (UNKNOWN[1], replace(PAIR[1], camera=likely_camera([keypoints], (1280, 720)))):
        camera, said = scene_camera([(keypoints, poses)], None)
        assert (camera.K[0, 0], camera.name) == (1500, TOLD)
        assert not said.warnings
        assert "from metadata: 26 mm in terms of 35 mm film by a tag" in said.says
        assert "--focal" in said.says
        assert said.values["from_metadata"] == 1
    camera, said = scene_camera([(keypoints, UNKNOWN[1])], 1000.0)
    assert camera.K[0, 0] == 1000
    assert "metadata" not in said.says
    wrong = replace(PAIR[0], footage=Footage(1e6, "a tag"))
    assert scene_camera([(wrong, UNKNOWN[1])], None)[0].name == ASSUMED
