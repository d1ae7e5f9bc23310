import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from poselift.errors import FormatError, ShapeError
from poselift.geometry.camera import Camera, StudioDistortion, look_at

K = np.array([[1000.0, 0, 500], [0, 1100.0, 400], [0, 0, 1]])
PLAIN = Camera(np.eye(3), np.zeros(3), K)
# A lens of Human3.6M's kind.
DIST = np.array([-0.2, 0.24, -0.001, -0.0009, -0.002])
seeds = st.integers(0, 2**32 - 1)


def posed(seed: int, dist: np.ndarray | None = None) -> Camera:
    rng = np.random.default_rng(seed)
    return Camera(Rotation.random(random_state=seed).as_matrix(), rng.normal(size=3), K, dist)


def in_front(camera: Camera, seed: int, shape: tuple[int, ...] = (4, 17)) -> np.ndarray:
    """World points well inside the picture."""
    rng = np.random.default_rng(seed)
    depth = rng.uniform(1, 8, (*shape, 1))
    return camera.to_world(np.concatenate([rng.uniform(-0.4, 0.4, (*shape, 2)) * depth, depth], -1))


def test_axes_are_x_right_y_down_z_forward():
    centre, right, down, farther = PLAIN.project([[0, 0, 2], [1, 0, 2], [0, 1, 2], [1, 0, 4]])
    assert centre.tolist() == [500, 400]  # the principal point, pixel centres at whole numbers
    assert right.tolist() == [1000, 400]
    assert down.tolist() == [500, 950]
    assert farther.tolist() == [750, 400]


def test_a_skewed_picture():
    skewed = Camera(np.eye(3), np.zeros(3), K + [[0, 10, 0], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(skewed.project([0.5, 1, 1]), [500 + 500 + 10, 400 + 1100])
    np.testing.assert_allclose(skewed.rays([1010, 1500]), [0.5, 1, 1])


@given(seeds)
def test_world_to_camera_and_back(seed):
    camera, world = posed(seed), np.random.default_rng(seed).normal(size=(5, 3))
    np.testing.assert_allclose(camera.to_world(camera.to_camera(world)), world, atol=1e-12)
    np.testing.assert_allclose(camera.to_camera(world), [camera.R @ x + camera.t for x in world], atol=1e-12)


@given(seeds, st.sampled_from([None, DIST, DIST[:4]]))
def test_a_pixel_s_ray_meets_the_point_that_was_projected(seed, dist):
    camera = posed(seed, dist)
    world = in_front(camera, seed)
    rays = camera.rays(camera.project(world))
    assert (rays[..., 2] == 1).all()
    depth = camera.to_camera(world)[..., 2:]
    np.testing.assert_allclose(camera.to_world(rays * depth), world, atol=1e-6)


def test_distortion_by_hand():
    camera = Camera(np.eye(3), np.zeros(3), np.eye(3), np.array([0.1, 0.01, 0.002, 0.003, 0.0005]))
    x, y, r2 = 0.3, -0.2, 0.13
    radial = 1 + 0.1 * r2 + 0.01 * r2**2 + 0.0005 * r2**3
    expected = [
        x * radial + 2 * 0.002 * x * y + 0.003 * (r2 + 2 * x * x),
        y * radial + 0.002 * (r2 + 2 * y * y) + 2 * 0.003 * x * y,
    ]
    np.testing.assert_allclose(camera.project([2 * x, 2 * y, 2]), expected, rtol=1e-12)


def test_points_that_are_not_in_front_have_no_pixel():
    pixels = PLAIN.project([[0.1, 0.1, -1], [0.1, 0.1, 0], [0.1, 0.1, 1]])
    assert np.isnan(pixels).all(-1).tolist() == [True, True, False]


@given(seeds, st.floats(-0.5, 0.5))
def test_look_at_centres_the_target_with_the_world_upright(seed, roll):
    rng = np.random.default_rng(seed)
    position, target = rng.uniform(-5, 5, 3), rng.uniform(-5, 5, 3)
    position[:2] += (20, 0)
    camera = Camera(*look_at(position, target), K)
    np.testing.assert_allclose(camera.to_world(np.zeros(3)), position, atol=1e-9)
    np.testing.assert_allclose(camera.project(target), [500, 400], atol=1e-6)
    above = camera.project(target + (0, 0, 0.1))
    assert above[0] == pytest.approx(500, abs=1e-6)
    assert above[1] < 400
    rolled = Camera(*look_at(position, target, roll), K)
    np.testing.assert_allclose(rolled.project(target), [500, 400], atol=1e-6)
    up = rolled.rays(rolled.project(target + (0, 0, 0.1)))
    assert np.arctan2(-up[0], -up[1]) == pytest.approx(
        roll, abs=1e-9
    )  # the picture turns clockwise for a negative roll


def test_look_at_by_hand():
    R, t = look_at(np.array([0.0, -4, 1]), np.array([0.0, 0, 1]))  # from the south, looking north
    np.testing.assert_allclose(R, [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(t, [0, 1, 4], atol=1e-12)


@pytest.mark.parametrize("target", [(1, 2, 3), (1, 2, 9), (1, 2, -9)])
def test_look_at_refuses_targets_without_a_horizon(target):
    with pytest.raises(ShapeError, match="straight above, below or at"):
        look_at(np.array([1.0, 2, 3]), np.array(target))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"R": np.eye(4)}, r"camera R of shape \(3, 3\), .*; got float64 of shape \(4, 4\)"),
        ({"R": np.diag([1.0, 1, -1])}, "not a rotation"),
        ({"R": 2 * np.eye(3)}, "not a rotation"),
        ({"t": np.zeros((3, 1))}, "camera t"),
        ({"K": np.eye(2)}, "camera K"),
        ({"dist": np.zeros(3)}, r"camera dist of shape \(4,\) or \(5,\)"),
        ({"dist": np.zeros(8)}, "dist"),
        ({"dist": np.zeros((1, 5))}, "dist"),
        ({"t": [0, np.nan, 0]}, "camera t of shape .* all finite numbers"),
        ({"K": np.diag([1000.0, -1000, 1])}, "positive focal lengths in camera K, got 1000.0 and -1000.0"),
        ({"image_size": (0, 480)}, "positive image size"),
    ],
)
def test_broken_cameras_are_refused(fields, message):
    with pytest.raises(ShapeError, match=message):
        Camera(**{"R": np.eye(3), "t": np.zeros(3), "K": K} | fields)


def test_lists_make_a_camera():
    camera = Camera(np.eye(3).tolist(), [0, 0, 1], K.tolist(), DIST.tolist())
    np.testing.assert_allclose(camera.project([0, 0, 1]), [500, 400])


def test_a_camera_of_a_focal_length_looks_along_z():
    camera = Camera.from_focal(1200, (1920, 1080))
    np.testing.assert_array_equal(camera.project([[0, 0, 2], [1, 0, 2]]), [[959.5, 539.5], [1559.5, 539.5]])
    np.testing.assert_array_equal(camera.centre, np.zeros(3))
    assert camera.image_size == (1920, 1080)


def test_the_centre_is_where_the_camera_stands():
    position = np.array([1.0, -4, 2])
    np.testing.assert_allclose(Camera(*look_at(position, np.zeros(3)), K).centre, position, atol=1e-12)


STUDIO = StudioDistortion([-0.2, 0.25, -0.003], [-0.001, -0.0014])


@pytest.mark.parametrize("dist", [None, DIST, STUDIO])
@pytest.mark.parametrize("size", [None, (640, 480)])
def test_json_gives_the_same_camera_again(dist, size):
    R, t = posed(3).R, posed(3).t
    camera = Camera(R, t, K, dist, "left", size)
    again = Camera.from_json(json.loads(json.dumps(camera.as_json(), allow_nan=False)))
    world = in_front(camera, 3)
    np.testing.assert_array_equal(again.project(world), camera.project(world))
    assert (again.name, again.image_size) == ("left", size)
    blind = Camera.from_json(json.loads(json.dumps(Camera(R, t, None).as_json())))
    assert (blind.K, blind.dist, blind.image_size) == (None, None, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fov": 60}, "unknown key 'fov' in a camera; known: R, t, K, dist, name, image_size"),
        ({"t": ...}, "a camera lacks t; wanted R, t, K"),
        ({"R": [[1, 0, 0], [0, 1, 0], [0, 0, -1]]}, "this is no camera: camera R is not a rotation"),
        ({"R": [[1, 0], [0]]}, "camera R of shape"),
        ({"R": None}, "camera R of shape"),
        ({"t": ["0", "0", "0"]}, "camera t of shape .* all finite numbers"),
        ({"K": 1000}, "camera K of shape"),
        ({"dist": {"radial": [0, 0, 0]}}, "a dist of a camera lacks tangential"),
        ({"dist": {"radial": [0, 0], "tangential": [0, 0]}}, "camera radial of shape"),
        ({"dist": [[1], [1, 2]]}, "camera dist of shape"),
        ({"name": 3}, "wanted a text as the camera's name, got 3"),
        ({"image_size": [640.5, 480]}, "image_size as .* whole pixels"),
        ({"image_size": [640, 0]}, "positive image size"),
    ],
)
def test_json_that_is_no_camera_is_refused(change, message):
    content = {key: value for key, value in (PLAIN.as_json() | change).items() if value is not ...}
    with pytest.raises(FormatError, match=message):
        Camera.from_json(content)
    with pytest.raises(FormatError, match="wanted a camera as an object with R, t"):
        Camera.from_json([content])
