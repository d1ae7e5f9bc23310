"""The shipped weights: what their card says holds, on motion capture and on a real recording."""

import sys
from pathlib import Path

import numpy as np
import pytest

import poselift as pl
from poselift.datasets.mocap import load_mocap
from poselift.evaluate import MocapProtocol, evaluate_mocap
from poselift.lifter import DEFAULT_LIFTER

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from real_recording import limb_error  # noqa: E402

WEIGHTS = Path(pl.__file__).parent / "weights"


@pytest.fixture(scope="module")
def lifter():
    return pl.load_lifter(threads=1)


@pytest.fixture(scope="module")
def recording(shared):
    return np.load(shared / "data" / "pose2sim_cams_1_3.npz", allow_pickle=False)


def person(recording, camera):
    found = recording["kp2d_body25b"][camera]
    return pl.Keypoints2D(found[..., :2], found[..., 2], pl.BODY_25B, float(recording["fps"]))


def test_the_card_says_what_one_must_know(lifter):
    card = lifter.card
    assert card.name == DEFAULT_LIFTER
    assert (card.skeleton, card.fps, card.in_channels) == ("H36M_17", 50.0, 3)
    assert card.license.startswith("MIT")
    assert "CMU" in (Path(__file__).parents[1] / "NOTICE").read_text()
    assert {"exact 2D", "exact 2D, flip averaged", "detector errors"} <= set(card.scores)
    assert {"recipe", "commit", "hours", "machine", "date"} <= set(card.training)
    assert (WEIGHTS / f"{card.name}.onnx").stat().st_size < 12e6


def test_the_cards_score_holds(lifter, shared):
    """The first camera of each clip alone comes within 5 % of the card's mean over four."""
    clips = load_mocap(shared / "data" / "mocap17.npz", split="dev")
    stated = lifter.card.scores["exact 2D"]["mean_mm"]
    scores = evaluate_mocap(lifter, clips, MocapProtocol(cameras=1))
    for name in ("mpjpe", "p_mpjpe", "n_mpjpe", "mpjve"):
        assert scores.mean[name] == pytest.approx(stated[name], rel=0.05), name
    assert scores.mean["p_mpjpe"] < 37


@pytest.mark.parametrize(("camera", "bound"), [(0, 60), (1, 70)])
def test_a_real_recording(lifter, recording, camera, bound):
    """Guards what was measured (58.9 and 69.2); the goal of 65 is not reached on the second, see docs/log.md."""
    poses = pl.lift(person(recording, camera), lifter)
    error, frames = limb_error(poses, recording["X3d17"], recording["valid"])
    assert frames > 80
    assert error < bound


def test_left_is_left_on_a_real_recording(lifter, recording):
    """With the sides of the truth exchanged the error grows by far."""
    poses = pl.lift(person(recording, 0), lifter)
    order = list(pl.H36M_17.flipped)
    right, _ = limb_error(poses, recording["X3d17"], recording["valid"])
    wrong, _ = limb_error(poses, recording["X3d17"][:, order], recording["valid"][:, order])
    assert wrong > 1.5 * right


def test_size_and_place_in_the_picture_do_not_matter(lifter, recording):
    keypoints = person(recording, 0)
    poses = pl.lift(keypoints, lifter)
    moved = keypoints.with_frames(keypoints.xy * 0.25 + [300, -40], keypoints.confidence, keypoints.fps)
    np.testing.assert_allclose(pl.lift(moved, lifter).xyz, poses.xyz, atol=2e-3)


def test_a_joint_lost_for_a_while_moves_little(lifter, recording):
    keypoints = person(recording, 0)
    confidence = keypoints.confidence.copy()
    confidence[40:50, pl.BODY_25B.index("left_wrist")] = 0
    lost = keypoints.with_frames(keypoints.xy, confidence, keypoints.fps)
    moved = np.linalg.norm(pl.lift(lost, lifter).xyz - pl.lift(keypoints, lifter).xyz, axis=-1)
    assert moved.mean() < 0.02
    assert np.isfinite(moved).all()


def test_a_single_frame_is_a_standing_person(lifter, recording):
    one = person(recording, 0)
    poses = pl.lift(one.with_frames(one.xy[:1], one.confidence[:1], 30.0), lifter)
    head, ankle = poses.xyz[0, pl.H36M_17.index("head_top")], poses.xyz[0, pl.H36M_17.index("left_ankle")]
    assert poses.xyz.shape == (1, 17, 3)
    assert ankle[1] - head[1] > 0.8  # y points down


def test_bones_and_motion_are_a_persons(lifter, recording):
    poses = pl.lift(person(recording, 0), lifter).xyz
    thigh, shin = (
        np.linalg.norm(poses[:, pl.H36M_17.index(b)] - poses[:, pl.H36M_17.index(a)], axis=-1)
        for a, b in (("left_hip", "left_knee"), ("left_knee", "left_ankle"))
    )
    assert 0.3 < np.median(thigh) < 0.6
    assert 0.3 < np.median(shin) < 0.6
    steps = np.linalg.norm(np.diff(poses, axis=0), axis=-1)
    assert steps.max() < 0.25  # metres in a sixtieth of a second: nothing jumps
