"""Where poses are in the picture."""

from dataclasses import replace

import numpy as np
import pytest

from poselift.errors import ShapeError
from poselift.geometry.camera import Camera, look_at
from poselift.render.placement import place
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import BODY_27, COCO_17


@pytest.fixture
def poses(person: np.ndarray) -> Poses3D:
    """Five frames of a person in the world, who goes along x."""
    path = np.stack([np.arange(5) / 10, np.zeros(5), np.full(5, 0.95)], -1)
    xyz = np.repeat((person - person[0])[None], 5, 0)
    return Poses3D(xyz, BODY_27, 25.0, "world", path=path, spread=np.full((5, 27), 0.05))


@pytest.fixture
def camera() -> Camera:
    R, t = look_at(np.array([0.2, 4.0, 1.2]), np.array([0.2, 0, 1.0]))
    return Camera(R, t, np.array([[800.0, 0, 319.5], [0, 810, 239.5], [0, 0, 1]]), image_size=(640, 480))


def test_a_camera_projects(poses: Poses3D, camera: Camera) -> None:
    found = place(replace(poses, camera=camera), None)
    world = poses.xyz + poses.path[:, None]
    np.testing.assert_allclose(found.xy, camera.project(world), atol=1e-3)
    head, heel = BODY_27.index("head_top"), BODY_27.index("left_heel")
    assert (found.xy[:, head, 1] < found.xy[:, heel, 1]).all()  # the head is above
    median = poses.radius(0.5)[0, 0]
    depth = camera.to_camera(world)[..., 2]
    np.testing.assert_allclose(found.radii[..., 0], 800 * median / depth, rtol=1e-5)
    np.testing.assert_allclose(found.radii[..., 1], 810 * median / depth, rtol=1e-5)
    in_camera = Poses3D(
        camera.to_camera(world) - camera.to_camera(world)[:, :1], BODY_27, 25.0, camera=camera,
        path=camera.to_camera(world)[:, 0],
    )  # fmt: skip
    np.testing.assert_allclose(place(in_camera, None).xy, found.xy, atol=1e-2)


def test_without_a_path_they_are_fitted_to_the_keypoints(poses: Poses3D) -> None:
    flat = poses.xyz[..., [0, 2, 1]] * (1, -1, 1)  # axes of a camera
    turned = Poses3D(flat, BODY_27, 25.0, "turned_camera", spread=poses.spread)
    names = [joint for joint in COCO_17.joints if joint in BODY_27]
    xy = np.full((5, 17, 2), np.nan)
    places = np.stack([300 + 10 * np.arange(5), np.full(5, 200)], -1)
    xy[:, COCO_17.indices(names)] = 150 * flat[:, BODY_27.indices(names), :2] + places[:, None]
    xy[2] = np.nan  # nobody is seen
    xy[3, 5:9] = np.nan
    found = place(turned, Keypoints2D(xy, None, COCO_17, 25.0))
    np.testing.assert_allclose(found.xy, 150 * flat[..., :2] + places[:, None], atol=0.01)
    np.testing.assert_allclose(found.radii, 150 * np.repeat(turned.radius(0.5)[..., None], 2, -1), rtol=1e-4)
    assert found.how == "moved and scaled to the keypoints"


def test_a_joint_that_jumps_does_not_change_the_size(poses: Poses3D) -> None:
    flat = np.tile(poses.xyz[:1, :, [0, 2, 1]] * (1, -1, 1), (25, 1, 1))
    xy = 100 * flat[..., :2] + 300
    xy[7, 0] += 400
    found = place(Poses3D(flat, BODY_27, 25.0), Keypoints2D(xy, None, BODY_27, 25.0))
    tall = found.xy[..., 1].max(1) - found.xy[..., 1].min(1)
    np.testing.assert_allclose(tall, tall[0], rtol=0.02)


def test_nothing_says_where_they_are(poses: Poses3D, camera: Camera) -> None:
    blind = Keypoints2D(np.full((5, 17, 2), np.nan), None, COCO_17, 25.0)
    seen = Keypoints2D(np.random.default_rng(0).uniform(0, 99, (5, 17, 2)), None, COCO_17, 25.0)
    flat = Poses3D(poses.xyz, BODY_27, 25.0)
    for case, keypoints in (
        (poses, None),
        (poses, seen),
        (flat, None),
        (flat, blind),
        (replace(flat, camera=camera), None),
    ):
        assert place(case, keypoints) is None
    with pytest.raises(ShapeError, match="keypoints for each of 5 frames of poses, got 4"):
        place(flat, Keypoints2D(np.zeros((4, 17, 2)), None, COCO_17, 25.0))
