import numpy as np
import pytest

from poselift.errors import ShapeError
from poselift.geometry.camera import Camera, StudioDistortion
from poselift.geometry.studio import studio_cameras

EVERY = [
    pytest.param(camera, id=f"{dataset} {subject} {camera.name}")
    for dataset in ("h36m", "humaneva")
    for subject, cameras in studio_cameras(dataset).items()
    for camera in cameras
]


def test_the_cameras_are_all_there_and_in_order():
    h36m, humaneva = studio_cameras("h36m"), studio_cameras("humaneva")
    assert set(h36m) == {"S1", "S5", "S6", "S7", "S8", "S9", "S11"} and set(humaneva) == {"S1", "S2", "S3"}
    for cameras in h36m.values():
        assert [c.name for c in cameras] == ["54138969", "55011271", "58860488", "60457274"]
        assert [c.image_size for c in cameras] == [(1000, 1002), (1000, 1000), (1000, 1000), (1000, 1002)]
    for cameras in humaneva.values():
        assert [(c.name, c.image_size, c.K) for c in cameras] == [(f"C{i}", (640, 480), None) for i in (1, 2, 3)]
    np.testing.assert_allclose(h36m["S1"][0].centre, [1.8411070556640625, 4.95528466796875, 1.5634454345703125])


WORLD = np.array([[0.3, -0.4, 1.6], [-0.8, 0.9, 0.1]])


@pytest.mark.parametrize(
    ("subject", "number", "points", "pixels"),
    [
        (
            *("S1", 0),
            [[-0.740186645, -1.0812981341, 5.4164877129], [0.7504408519, 0.569854252, 4.9673491338]],
            [[357.6986752753, 289.5006782774], [684.2018681014, 645.6308556408]],
        ),
        (
            *("S9", 2),
            [[0.2648171378, -1.3877154053, 5.7782732191], [0.8571790679, 0.4101081734, 4.5264993882]],
            [[571.9880820842, 228.5689915012], [735.6589187833, 604.5653108641]],
        ),
        (
            *("S11", 3),
            [[0.381318734, -1.025680268, 3.7827546399], [-1.2356880132, 0.1227225262, 4.8856871861]],
            [[628.6935192468, 195.8528332982], [228.6218635859, 530.1638236424]],
        ),
    ],
)
def test_where_human36m_sees_two_points(subject: str, number: int, points: list, pixels: list):
    camera = studio_cameras("h36m")[subject][number]
    np.testing.assert_allclose(camera.to_camera(WORLD), points, rtol=0, atol=1e-9)
    np.testing.assert_allclose(camera.project(WORLD), pixels, rtol=0, atol=1e-6)
    np.testing.assert_allclose(camera.pixels(np.array(points)), pixels, rtol=0, atol=1e-6)


def test_where_humaneva_sees_two_points():
    camera = studio_cameras("humaneva")["S2"][1]
    wanted = [[0.3279384415, -0.5801601461, 3.4712797226], [-0.3548420219, 0.7085006867, 5.2100045706]]
    np.testing.assert_allclose(camera.to_camera(WORLD), wanted, rtol=0, atol=1e-9)
    with pytest.raises(ShapeError, match="camera C2 has no intrinsics K"):
        camera.project(WORLD)


@pytest.mark.parametrize("camera", EVERY)
def test_world_to_camera_to_world_is_the_identity(camera: Camera):
    points = np.random.default_rng(0).normal(size=(4, 5, 3))
    np.testing.assert_allclose(camera.to_world(camera.to_camera(points)), points, atol=1e-12)
    np.testing.assert_allclose(camera.to_camera(camera.centre), 0, atol=1e-12)


@pytest.mark.parametrize("camera", EVERY)
def test_someone_in_the_studio_is_before_the_camera_and_upright(camera: Camera):
    head, feet = camera.to_camera(np.array([[0, 0, 1.7], [0, 0, 0.1]]))
    assert 2.5 < head[2] < 7 and 2.5 < feet[2] < 7
    assert feet[1] - head[1] > 1.4  # y is down
    if camera.K is not None:
        u, v = camera.pixels(np.array([head, feet])).T
        assert (u > 0).all() and (u < camera.image_size[0]).all() and (v > 0).all() and (v < camera.image_size[1]).all()


def test_the_lens_bends_as_the_data_set_says_not_as_opencv():
    """Worked out by hand: r2 = 0.05, and the two tangential numbers as they stand in the file."""
    camera = studio_cameras("h36m")["S1"][0]
    assert isinstance(camera.dist, StudioDistortion)
    k, p, x, y = camera.dist.radial, camera.dist.tangential, 0.1, -0.2
    scale = 1 + k[0] * 0.05 + k[1] * 0.0025 + k[2] * 0.000125 + p[0] * x + p[1] * y
    wanted = [1145.0494384765625 * (x * scale + p[0] * 0.05) + 512.54150390625]
    wanted += [1143.7811279296875 * (y * scale + p[1] * 0.05) + 515.4514770507812]
    np.testing.assert_allclose(camera.pixels(np.array([0.3, -0.6, 3])), wanted, rtol=1e-12)
    np.testing.assert_array_equal(p, [-0.0009756988729350269, -0.00142447161488235])
    # far out of the picture the slopes are cut, so that the polynomial stays tame
    np.testing.assert_array_equal(camera.pixels(np.array([30.0, 0, 3])), camera.pixels(np.array([3.0, 0, 3])))


def test_flipping_pixels_is_projecting_the_mirrored_pose_with_a_mirrored_lens():
    camera = studio_cameras("h36m")["S9"][2]
    assert isinstance(camera.dist, StudioDistortion) and camera.K is not None
    points = np.random.default_rng(1).normal([0, 0, 4], 0.5, (6, 3))
    dist = StudioDistortion(camera.dist.radial, camera.dist.tangential * (-1, 1))
    mirrored = Camera(camera.R, camera.t, camera.K * [[1, 1, -1], [1, 1, 1], [1, 1, 1]], dist)
    np.testing.assert_allclose(mirrored.pixels(points * (-1, 1, 1)), camera.pixels(points) * (-1, 1), atol=1e-9)


def test_a_pixel_s_ray_meets_the_point_that_was_projected():
    camera = studio_cameras("h36m")["S5"][1]
    points = camera.to_camera(WORLD)
    np.testing.assert_allclose(camera.rays(camera.project(WORLD)), points / points[:, 2:], atol=1e-9)
