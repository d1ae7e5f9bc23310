"""The view from the side."""

from dataclasses import replace

import numpy as np
import pytest

from poselift.geometry.camera import Camera, look_at
from poselift.render.stage import set_stage
from poselift.sequence import Poses3D
from poselift.skeleton import BODY_27

SIDE = np.pi / 2


@pytest.fixture
def poses(person: np.ndarray) -> Poses3D:
    """A person who stands in the world and looks along +y."""
    xyz = np.repeat(person[None], 4, 0)
    return Poses3D(xyz - xyz[:, :1], BODY_27, 25.0, "world", path=xyz[:, 0])


def at(stage, name: str) -> np.ndarray:
    return stage.people[0][0, BODY_27.index(name)]


def test_from_the_front_and_from_the_right(poses: Poses3D) -> None:
    front, side = set_stage([poses], 0.0), set_stage([poses], SIDE)
    # y up of the world: x, z, -y; who looks along +y looks away from a viewer at +z
    np.testing.assert_allclose(at(front, "left_shoulder"), (-0.18, 1.42, 0), atol=1e-6)
    np.testing.assert_allclose(at(side, "left_shoulder"), (0, 1.42, -0.18), atol=1e-6)  # far away from the right
    assert at(side, "left_big_toe")[0] > at(side, "left_heel")[0]  # walks to the right
    assert front.floor == pytest.approx(0.02, abs=1e-6)
    pixels = side.screen(side.people[0][0], 0, (480, 480))
    assert pixels[BODY_27.index("head_top"), 1] < pixels[BODY_27.index("left_heel"), 1]
    assert (pixels > 0).all() and (pixels < 480).all()


def test_the_front_is_what_the_camera_sees(poses: Poses3D) -> None:
    R, t = look_at(np.array([5.0, 5.0, 1.5]), np.array([0, 0, 1.0]))
    camera = Camera(R, t, np.diag([500.0, 500, 1]))
    stage = set_stage([replace(poses, camera=camera)], 0.0)
    seen = camera.to_camera(poses.xyz[0] + poses.path[0])
    shift = stage.people[0][0, :, 0] - seen[:, 0]
    np.testing.assert_allclose(shift, shift[0], atol=1e-5)  # x is the camera's x
    depth = -stage.people[0][0, :, 2]
    assert np.corrcoef(depth, seen[:, 2])[0, 1] > 0.9


def test_a_tilted_camera_is_put_upright_where_up_is_known(poses: Poses3D) -> None:
    cos, sin = np.cos(0.4), np.sin(0.4)
    tilt = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    in_camera = (poses.xyz[..., [0, 2, 1]] * (1, -1, 1)) @ tilt.T
    up = np.tile(tilt @ (0, -1, 0), (4, 1))
    stage = set_stage([Poses3D(in_camera, BODY_27, 25.0, up=up)], 0.0)
    body = stage.people[0][0]
    assert body[BODY_27.index("head_top"), 1] - body[BODY_27.index("pelvis"), 1] == pytest.approx(0.72, abs=0.01)
    crooked = set_stage([Poses3D(in_camera, BODY_27, 25.0)], 0.0).people[0][0]
    assert crooked[BODY_27.index("head_top"), 1] - crooked[BODY_27.index("pelvis"), 1] < 0.7


def test_the_view_goes_along(poses: Poses3D) -> None:
    far = replace(poses, path=poses.path + np.array([[0, 0, 0], [0, 50.0, 0], [0, 50, 0], [0, 50, 0]]))
    stage = set_stage([far], SIDE)
    assert stage.height < 200
    middle = stage.screen(stage.people[0][2, :1], 2, (480, 480))
    assert abs(middle[0, 0] - 240) < 480
    assert stage.grid(2).shape == (26, 2, 3)
    assert (stage.grid(2)[..., 1] == stage.floor).all()


def test_people_without_places_stand_beside_each_other(poses: Poses3D) -> None:
    stage = set_stage([replace(poses, path=None)] * 3, SIDE)
    assert not stage.placed
    roots = [people[0, 0, 0] for people in stage.people]
    np.testing.assert_allclose(np.diff(roots), 1.0)
    assert set_stage([poses] * 2, SIDE).placed
