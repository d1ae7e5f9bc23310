import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from poselift.errors import ShapeError
from poselift.geometry.camera import Camera, look_at

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
        ({"R": np.eye(4)}, r"camera R of shape \(3, 3\), got \(4, 4\)"),
        ({"R": np.diag([1.0, 1, -1])}, "not a rotation"),
        ({"R": 2 * np.eye(3)}, "not a rotation"),
        ({"t": np.zeros((3, 1))}, "camera t"),
        ({"K": np.eye(2)}, "camera K"),
        ({"dist": np.zeros(3)}, "distortion"),
        ({"dist": np.zeros(8)}, "distortion"),
        ({"dist": np.zeros((1, 5))}, "distortion"),
    ],
)
def test_broken_cameras_are_refused(fields, message):
    with pytest.raises(ShapeError, match=message):
        Camera(**{"R": np.eye(3), "t": np.zeros(3), "K": K} | fields)


def test_lists_make_a_camera():
    camera = Camera(np.eye(3).tolist(), [0, 0, 1], K.tolist(), DIST.tolist())
    np.testing.assert_allclose(camera.project([0, 0, 1]), [500, 400])
