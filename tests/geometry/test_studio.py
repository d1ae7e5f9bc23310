import numpy as np
import pytest

from poselift.geometry.studio import StudioCamera, matrix_from_wxyz, studio_cameras

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
        assert [(c.name, c.image_size, c.lens) for c in cameras] == [(f"C{i}", (640, 480), None) for i in (1, 2, 3)]
    np.testing.assert_allclose(h36m["S1"][0].centre, [1.8411070556640625, 4.95528466796875, 1.5634454345703125])


def test_quaternions_are_scalar_first_and_turn_camera_axes_into_the_world():
    np.testing.assert_array_equal(matrix_from_wxyz(np.array([1, 0, 0, 0])), np.eye(3))
    quarter = matrix_from_wxyz(np.array([2, 0, 0, 2]))  # about z, of any length
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    assert matrix_from_wxyz(np.ones((2, 5, 4))).shape == (2, 5, 3, 3)


@pytest.mark.parametrize("camera", EVERY)
def test_world_to_camera_to_world_is_the_identity(camera: StudioCamera):
    points = np.random.default_rng(0).normal(size=(4, 5, 3))
    np.testing.assert_allclose(camera.to_world(camera.to_camera(points)), points, atol=1e-12)
    np.testing.assert_allclose(camera.axes @ camera.axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(camera.axes) > 0
    np.testing.assert_allclose(camera.to_camera(camera.centre), 0, atol=1e-12)


@pytest.mark.parametrize("camera", EVERY)
def test_someone_in_the_studio_is_before_the_camera_and_upright(camera: StudioCamera):
    head, feet = camera.to_camera(np.array([[0, 0, 1.7], [0, 0, 0.1]]))
    assert 2.5 < head[2] < 7 and 2.5 < feet[2] < 7
    assert feet[1] - head[1] > 1.4  # y is down
    if camera.lens:
        u, v = camera.lens.project(np.array([head, feet])).T
        assert (u > 0).all() and (u < camera.image_size[0]).all() and (v > 0).all() and (v < camera.image_size[1]).all()


def test_the_lens_bends_as_the_data_set_says_not_as_opencv():
    """Worked out by hand: r2 = 0.05, and the two tangential numbers as they stand in the file."""
    lens = studio_cameras("h36m")["S1"][0].lens
    k, p, x, y = lens.radial, lens.tangential, 0.1, -0.2
    scale = 1 + k[0] * 0.05 + k[1] * 0.0025 + k[2] * 0.000125 + p[0] * x + p[1] * y
    wanted = [1145.0494384765625 * (x * scale + p[0] * 0.05) + 512.54150390625]
    wanted += [1143.7811279296875 * (y * scale + p[1] * 0.05) + 515.4514770507812]
    np.testing.assert_allclose(lens.project(np.array([0.3, -0.6, 3])), wanted, rtol=1e-12)
    np.testing.assert_array_equal(p, [-0.0009756988729350269, -0.00142447161488235])
    # far out of the picture the slopes are cut, so that the polynomial stays tame
    np.testing.assert_array_equal(lens.project(np.array([30.0, 0, 3])), lens.project(np.array([3.0, 0, 3])))


def test_flipping_pixels_is_projecting_the_mirrored_pose_with_a_mirrored_lens():
    lens = studio_cameras("h36m")["S9"][2].lens
    points = np.random.default_rng(1).normal([0, 0, 4], 0.5, (6, 3))
    mirrored = type(lens)(lens.focal, lens.middle * (-1, 1), lens.radial, lens.tangential * (-1, 1))
    flipped = lens.project(points) * (-1, 1)
    np.testing.assert_allclose(mirrored.project(points * (-1, 1, 1)), flipped, atol=1e-9)
