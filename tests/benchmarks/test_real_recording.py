"""What keypoints alone cost on a real recording."""

import sys

import numpy as np
import pytest
import real_recording

from poselift.geometry.camera import Camera, look_at
from poselift.measure.recording import limb_errors
from poselift.sequence import Keypoints2D
from poselift.skeleton import H36M_17

CAMERA = Camera(*look_at(np.array([3.0, 1.0, 1.5]), np.zeros(3)), np.array([[900.0, 0, 500], [0, 900, 400], [0, 0, 1]]))


@pytest.fixture
def walk(shared):
    with np.load(shared / "data" / "pose2sim_cams_1_3.npz") as data:
        truth = data["X3d17"][:40] - np.nanmean(data["X3d17"][:40], (0, 1))
    return truth, np.isfinite(truth).all(-1)


def seen(truth, **changes):
    return Keypoints2D(CAMERA.project(np.nan_to_num(truth)) + changes.pop("off", 0), None, H36M_17, 50.0)


def test_keypoints_on_the_joints_cost_nothing(walk):
    truth, valid = walk
    there = real_recording.at_true_depths(seen(truth), truth, valid, CAMERA)
    errors = limb_errors(there, truth, valid)
    assert errors["p_mpjpe"] < 1e-3 and errors["bone_direction_aligned"] < 1e-3
    assert np.allclose(there.xyz[valid], CAMERA.to_camera(truth)[valid], atol=1e-5)


def test_keypoints_beside_the_joints_cost_their_distance(walk):
    truth, valid = walk
    off = np.zeros((1, 17, 2))
    off[:, H36M_17.index("left_knee"), 0] = 9.0  # pixels; a hundredth of the depth
    there = real_recording.at_true_depths(seen(truth, off=off), truth, valid, CAMERA)
    apart = np.linalg.norm(there.xyz - CAMERA.to_camera(truth), axis=-1)
    knee = H36M_17.index("left_knee")
    assert np.allclose(apart[valid[:, knee], knee], CAMERA.to_camera(truth)[valid[:, knee], knee, 2] / 100, atol=1e-4)
    assert np.abs(np.delete(apart, knee, 1)[np.delete(valid, knee, 1)]).max() < 1e-4
    unseen = Keypoints2D(seen(truth, off=off).xy, np.ones((len(truth), 17)), H36M_17, 50.0)
    unseen.confidence[:, knee] = 0
    alone = real_recording.at_true_depths(unseen, truth, valid, CAMERA)
    assert np.allclose(alone.xyz[valid], CAMERA.to_camera(truth)[valid], atol=1e-5)


def test_the_command_says_both(shared, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["", str(shared / "data" / "keraal_ctk.npz"), "nanohtnet.mocap27-27"])
    real_recording.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[::3]] == [
        f"camera 0 {name}, 176 frames" for name in ("COCO_17", "COCO_18", "MEDIAPIPE_33")
    ]
    alone = [float(line.split("P-MPJPE ")[1].split()[0]) for line in lines[1::3]]
    assert alone == pytest.approx([28.5, 33.0, 43.4], abs=0.3)
    exact = [float(line.split("P-MPJPE ")[1].split()[0]) for line in lines[2::3]]
    assert exact == pytest.approx([exact[0]] * 3) and exact[0] < float(lines[0].split("P-MPJPE ")[1].split()[0])


def test_projected_joints_are_where_the_camera_sees_them(walk):
    truth, valid = walk
    valid = valid & (np.arange(17) != 4)
    made = real_recording.projected(seen(truth), truth, valid, CAMERA)
    assert np.array_equal(made.seen, valid) and made.fps == 50
    assert np.allclose(made.xy[valid], seen(truth).xy[valid], atol=1e-3)
