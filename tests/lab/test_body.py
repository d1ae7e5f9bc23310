"""27 joints through the whole road: an archive with feet and face, training, scores, ONNX, keypoints to files."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import poselift as pl
from poselift.lab.observe.detector import SimulatedDetector
from poselift.lab.observe.landmarks import DETECTORS
from poselift.lab.recipes import get_recipe
from poselift.lab.tasks import make_task
from poselift.lab.train import Run, write_weights
from poselift.measure.anatomy import FEET_METRICS, HEAD_METRICS

NAMES = (
    "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow LWrist RShoulder RElbow RWrist "
    "LEye REye LEar REar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
)


@pytest.fixture
def archive(tmp_path, person):
    """Two clips of 30 frames to train on, in one of which the face is not known, and one to score by; y up."""
    root = person[0]
    pose = np.repeat((person - root)[None], 90, 0) + np.random.default_rng(0).normal(0, 0.01, (90, 27, 3))
    pose[:, 0] = 0
    pose = np.stack([pose[..., 0], pose[..., 2], -pose[..., 1]], -1)
    pose[30:60, 17:21] = np.nan
    np.savez(
        tmp_path / "mocap27.npz", pose=pose.astype(np.float16), root=np.tile(np.float32([0, 0.95, 0]), (90, 1)),
        offsets=np.int32([0, 30, 60, 90]), names=np.array(["a", "b", "c"]), subjects=np.array(["A", "B", "C"]),
        split=np.array(["train", "train", "dev"]), parents=np.int8(pl.BODY_27.parents), joints=np.array(NAMES.split()),
        fps=np.float32(50), up=np.array("y"), units=np.array("m"), contact=np.ones((90, 4), np.int8),
        feet_quality=np.int8([2, 2, 2]),
    )  # fmt: skip
    return tmp_path / "mocap27.npz"


def test_27_joints_are_trained_scored_exported_and_lifted(archive, tmp_path):
    recipe = get_recipe("nanohtnet_mocap27_27")
    small = {"width": 48, "mlp_width": 32, "gcn_width": 24, "num_blocks": 1}
    recipe = dataclasses.replace(
        recipe, model=recipe.model | small, data=dataclasses.replace(recipe.data, sources={"main": 1}, rare=0),
        steps=3, batch_size=8, log_every=1, evaluate_every=0, device="cpu",
    )  # fmt: skip
    task = make_task(recipe, archive, tmp_path / "run")
    run = Run(recipe, task, tmp_path / "run")
    assert run.train()
    scores = run.task.measure(run.lifter, cameras=1, noisy=True)
    assert {*FEET_METRICS, *HEAD_METRICS} <= set(scores.mean)
    assert set(scores.per_joint["mpjpe"]) == set(pl.H36M_17.joints)  # comparable with lifters of 17 joints
    path = write_weights(run, scores={}, data=task.data, license=task.license, commit="", date="2026-11-30")

    lifter = pl.load_lifter(str(path))
    assert (lifter.skeleton, lifter.card.skeleton) == (pl.BODY_27, "BODY_27")
    assert lifter.card.data.startswith("mocap27.npz (main: 100 %)")
    joints = task.dev[0].xyz @ np.float32([[1, 0, 0], [0, 0, 1], [0, -1, 0]]) + np.float32([0, 0, 5])
    for kind in DETECTORS:
        poses = pl.lift(SimulatedDetector(kind=kind)(joints, 50.0, 0), lifter, check=False)
        assert poses.xyz.shape == (30, 27, 3)
    for ending in ("npz", "json", "csv"):
        pl.save_poses(poses, tmp_path / f"clip.{ending}")
        back = pl.read_poses(tmp_path / f"clip.{ending}")
        assert back.skeleton == pl.BODY_27
        np.testing.assert_allclose(back.xyz, poses.xyz, atol=1e-4)
    pl.save_poses(poses, tmp_path / "clip.bvh")
    assert "left_heel" in (tmp_path / "clip.bvh").read_text("utf-8")
    pl.write_viewer(poses, tmp_path / "clip.html")
    assert '"left_small_toe"' in (tmp_path / "clip.html").read_text("utf-8")
