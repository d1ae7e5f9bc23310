from dataclasses import replace

import numpy as np
import pytest

from poselift.datasets.clip import MocapClip
from poselift.errors import DatasetError, RecipeError
from poselift.geometry.camera import Camera
from poselift.measure.mocap import MocapProtocol, clip_cameras
from poselift.measure.placing import (
    UNITS,
    WorldProtocol,
    evaluate_world,
    height_of,
    placing_errors,
    true_height,
)
from poselift.refine.report import StepReport
from poselift.refine.scene import Report, Scene
from poselift.sequence import WORLD, Keypoints2D, Poses3D
from poselift.skeleton import BODY_27, COCO_17, H36M_17
from tests.refine.stage import FPS, walking

ONE = MocapProtocol(cameras=1)


def clip(skeleton=BODY_27) -> MocapClip:
    xyz, contact = walking(seconds=4)
    found = MocapClip("walk", "a", xyz.astype(np.float32), BODY_27, FPS, contact=contact.astype(np.int8))
    return found if skeleton == BODY_27 else found.in_joints(skeleton)


class Knows:
    """A lifter that is given what to answer: the poses of a clip in a camera's axes."""

    in_frames, out_frames, fps, in_channels, normalization = 1, (0,), FPS, 3, "screen"

    def __init__(self, clips: list[MocapClip], protocol: MocapProtocol, skeleton=BODY_27) -> None:
        self.skeleton, self.place = skeleton, 0
        self.joints, self.ups, self.contacts = [], [], []
        for one in clips:
            for camera in clip_cameras(one.in_joints(H36M_17), protocol):
                there = camera.to_camera(one.xyz.astype(np.float64))[:, : len(skeleton)]
                self.joints.append(there - there[:, :1])
                self.ups.append(np.tile(camera.R[:, 2], (len(one), 1)))
                self.contacts.append(one.contact)

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        return self.answer(windows)["joints"]

    def answer(self, windows: np.ndarray) -> dict[str, np.ndarray]:
        part = slice(self.place, self.place + len(windows))
        self.place += len(windows)
        found = {"joints": self.joints, "up": self.ups, "contact": self.contacts}
        return {name: np.concatenate(arrays)[part, None].astype(np.float32) for name, arrays in found.items()}


def scores(protocol: WorldProtocol | None = None, skeleton=BODY_27, **options):
    protocol = protocol or WorldProtocol(views=ONE)
    return evaluate_world(Knows([clip()], protocol.views, skeleton), [clip()], protocol, **options)


def test_a_lifter_that_knows_is_placed_within_centimetres():
    found = scores()
    assert set(found.mean) == set(UNITS)
    assert found.mean["w_mpjpe"] < 40
    assert found.mean["wa_mpjpe"] < 25
    assert found.mean["rte"] < 1
    assert found.mean["up_error"] < 0.5
    assert found.mean["foot_slide"] < 3
    assert found.mean["floor_error"] < 20
    assert abs(found.mean["root_bias"]) < 1
    assert found.mean["scale_error"] < 0.5
    assert found.mean["root_across"] < 10
    assert found.mean["contact_f1"] > 0.9
    assert found.mean["contact_f1_lifted"] == 1
    assert found.mean["under_floor_95"] < 10
    assert found.mean["peaks_kept"] == pytest.approx(1, abs=0.05)
    assert found.mean["p_mpjpe_lifted"] < 0.01
    assert found.counts["frames"] == len(clip())
    assert found.units["rte"] == "%"


def test_noise_makes_it_worse_and_is_written_down():
    noisy = scores(WorldProtocol(views=ONE, noise_px=20))
    assert noisy.mean["root_across"] > 1.2 * scores().mean["root_across"]
    assert noisy.choices["keypoints"] == "exact 2D, 20 px noise"
    assert noisy.choices["fps"] == 30


def test_what_is_unknown_shows_in_depth_and_scale():
    unknown = scores(WorldProtocol(views=ONE, height="unknown"))
    assert unknown.mean["scale_error"] == pytest.approx(abs(170 / true_height(clip()) - 100), abs=0.5)
    assert unknown.choices["height"] == "unknown"
    focal = scores(WorldProtocol(views=ONE, focal="unknown"))
    assert focal.choices["focal"] == "unknown"
    assert focal.mean["scale_error"] < 0.5


def test_17_joints_can_be_measured():
    found = scores(skeleton=H36M_17)
    assert found.mean["w_mpjpe"] < 200
    assert np.isfinite(list(found.mean.values())).all()


def test_the_detector_is_asked_with_joints_in_camera_axes():
    asked = []

    def observe(joints: np.ndarray, fps: float, seed: int) -> Keypoints2D:
        asked.append((joints, seed))
        return Keypoints2D(1000 * joints[..., :2] / joints[..., 2:] + 500, None, BODY_27, fps, (1000, 1000))

    scores(WorldProtocol(views=MocapProtocol(cameras=2)), observe=observe)
    cameras = clip_cameras(clip().in_joints(H36M_17), MocapProtocol(cameras=2))
    np.testing.assert_allclose(asked[1][0], cameras[1].to_camera(clip().xyz), atol=1e-5)
    assert asked[0][1] != asked[1][1]


def test_errors_are_those_of_the_scene():
    """A scene that is the truth has none; one that is 0.3 m farther away along the ray, and tilted, has these."""
    truth, camera = clip(), clip_cameras(clip().in_joints(H36M_17), ONE)[0]
    floor = 0.005
    path = truth.xyz[:, 0] - np.float32([0, 0, floor])
    poses = Poses3D(truth.xyz - truth.xyz[:, :1], BODY_27, FPS, WORLD, path=path)
    own = Camera(camera.R, camera.t + camera.R @ [0, 0, floor], camera.K)
    report = Report((StepReport(name="none", says="nothing."),))
    found = placing_errors(Scene(own, (poses,), report), truth, camera)
    for name, errors in found.items():
        if name != "jitter":
            np.testing.assert_allclose(errors, 0, atol=0.2, err_msg=name)
    ray = camera.to_camera(truth.xyz[:, 0].astype(np.float64))
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    farther = replace(poses, path=path + (0.3 * ray) @ camera.R)
    moved = placing_errors(Scene(own, (farther,), report), truth, camera)
    np.testing.assert_allclose(moved["root_along"], 300, atol=0.5)
    np.testing.assert_allclose(moved["root_across"], 0, atol=0.5)
    assert (moved["root_bias"] > 0).all()
    c, s = np.cos(0.1), np.sin(0.1)
    tilted = Camera(np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ own.R, own.t, own.K)
    np.testing.assert_allclose(placing_errors(Scene(tilted, (poses,), report), truth, camera)["up_error"],
                               np.rad2deg(0.1), atol=0.01)  # fmt: skip


def test_heights_are_those_of_the_body():
    assert height_of(Poses3D(clip().xyz - clip().xyz[:, :1], BODY_27, FPS)) == pytest.approx(true_height(clip()))


def test_wrong_choices_are_refused():
    with pytest.raises(RecipeError, match="given or unknown"):
        WorldProtocol(height="perhaps")
    with pytest.raises(RecipeError, match="noise"):
        WorldProtocol(noise_px=-1)
    with pytest.raises(DatasetError, match="H36M_17 or BODY_27"):
        evaluate_world(Knows([clip()], ONE, COCO_17), [clip()], WorldProtocol(views=ONE))
    with pytest.raises(DatasetError, match="H36M_17 or BODY_27"):
        evaluate_world(Knows([clip()], ONE), [], WorldProtocol(views=ONE))
