import numpy as np
import pytest
from scipy.special import gammainc, gammaincinv

from poselift.datasets.clip import MocapClip
from poselift.measure.certainty import GROUPS, LEVELS, UNITS, Certainty, calibration_error, contact_scores, group_of
from poselift.measure.mocap import MocapProtocol, certainty_on, clip_cameras, evaluate_mocap
from poselift.sequence import SPREAD_SHAPE, Poses3D
from poselift.skeleton import BODY_27, H36M_17

RNG = np.random.default_rng(0)


def errors(spread):
    """Errors (*, 3) alike in all directions, whose lengths follow the law of spreads (*)."""
    directions = RNG.normal(size=(*spread.shape, 3))
    return (
        directions
        / np.linalg.norm(directions, axis=-1, keepdims=True)
        * RNG.gamma(SPREAD_SHAPE, spread / SPREAD_SHAPE)[..., None]
    )


def view(frames=4000, wrong=1.0):
    """Poses whose spreads are `wrong` times what they should be, and the truth."""
    spread = RNG.uniform(0.02, 0.2, (frames, 17))
    spread[:, 0] = 0
    truth = RNG.normal(size=(frames, 17, 3))
    observed = np.ones((frames, 17))
    observed[::4, 3] = 0
    poses = Poses3D(truth + errors(spread), H36M_17, 50, spread=wrong * spread, observed=observed)
    return poses, truth


def test_shares_are_right_where_the_spread_is():
    found = Certainty()
    found.add(*view(), np.zeros((4000, 3)), None)
    means = found.means()
    for level in (50, 90):
        for where in ("", "_unseen", "_arms", "_legs", "_trunk", "_face"):
            assert means[f"coverage_{level}{where}"] == pytest.approx(level, abs=4 if where == "_unseen" else 1.5)
    assert means["calibration_error"] < 0.7 and means["spread"] == pytest.approx(110, abs=1)
    assert "coverage_50_feet" not in means and "up" not in means and "contact_f1" not in means
    assert set(means) <= set(UNITS)


def test_spreads_that_are_too_small_are_found_out():
    found = Certainty()
    found.add(*view(wrong=0.5), np.zeros((4000, 3)), None)
    means = found.means()
    within = [gammainc(SPREAD_SHAPE, gammaincinv(SPREAD_SHAPE, level) / 2) for level in (0.5, 0.9)]
    assert [means["coverage_50"], means["coverage_90"]] == pytest.approx([100 * share for share in within], abs=1)
    assert means["calibration_error"] > 20


def test_joints_of_which_the_truth_is_not_known_do_not_count():
    poses, truth = view(100)
    truth[:, 5] = np.nan
    found = Certainty()
    found.add(poses, truth, np.zeros((100, 3)), None)
    assert H36M_17.joints[5] not in found.ratios and len(found.ratios) == 15


def test_every_joint_has_a_group():
    assert [group_of(name) for name in ("left_big_toe", "head_top", "right_wrist", "left_ankle", "neck")] == [
        "feet", "face", "arms", "legs", "trunk"
    ]  # fmt: skip
    assert {group_of(name) for name in BODY_27.joints} == set(GROUPS)


def test_calibration_error_by_hand():
    assert calibration_error(np.zeros(5)) == pytest.approx(np.mean([1 - level for level in LEVELS]))
    assert calibration_error(np.full(5, 99.0)) == pytest.approx(np.mean(LEVELS))


def test_contacts_by_hand():
    said, true = np.array([0.9, 0.6, 0.5, 0.4, 0.1]), np.array([1, 0, 1, 1, 0])
    found = contact_scores(said, true)
    assert {name: round(value, 1) for name, value in found.items()} == {
        "contact_precision": 66.7, "contact_recall": 66.7, "contact_f1": 66.7
    }  # fmt: skip
    assert contact_scores(np.zeros(2), np.ones(2))["contact_f1"] == 0
    poses = Poses3D(np.zeros((2, 17, 3)), H36M_17, 50, contact=[[0.9, 0, 0, 0], [0.9, 0.9, 0, 0]])
    whole = Certainty()
    whole.add(poses, np.zeros((2, 17, 3)), np.zeros((2, 3)), np.array([[1, -1, 0, 0], [-1, 0, -1, -1]]))
    means = whole.means()
    assert (means["contact_precision"], means["contact_recall"]) == (50, 100)


class Oracle:
    """Knows the truth of a camera's turned frame, and says what it was told to of everything else."""

    skeleton, in_frames, out_frames, fps, in_channels = H36M_17, 1, (0,), 50.0, 3

    def __init__(self, joints, up):
        self.joints, self.up = joints, up

    def __call__(self, windows):
        return self.answer(windows)["joints"]

    def answer(self, windows):
        shape = len(windows), 1
        return {
            "joints": np.broadcast_to(self.joints, (*shape, 17, 3)).astype(np.float32),
            "spread": np.full((*shape, 17), 0.02, np.float32),
            "up": np.broadcast_to(self.up, (*shape, 3)).astype(np.float32),
            "contact": np.full((*shape, 4), 0.8, np.float32),
        }


def test_the_truth_is_in_the_frame_of_the_poses(body):
    """A person who stands off the camera's axis, in the axes of a camera that looks straight at the pelvis."""
    clip = MocapClip(
        "stand",
        "one",
        np.tile(body, (6, 1, 1)),
        H36M_17,
        50.0,
        contact=np.repeat([[1, 0, -1, 1]], 6, 0).astype(np.int8),
    )
    protocol = MocapProtocol(cameras=1)
    (camera,) = clip_cameras(clip, protocol)
    # `clip_cameras` aims at the pelvis, so that the camera's own axes are the turned camera's here.
    there = camera.to_camera(clip.xyz[0])
    lifter = Oracle(there - there[0], camera.R[:, 2])
    found = certainty_on(lifter, [clip], protocol, None)
    assert max(ratio.max() for parts in found.ratios.values() for ratio in parts) < 0.01
    assert found.means()["up_95"] < 0.01
    means = evaluate_mocap(lifter, [clip], protocol).mean
    assert means["coverage_50"] == 100 and means["up_median"] < 0.01
    assert (means["contact_precision"], means["contact_recall"]) == (pytest.approx(200 / 3), 100)
    shifted = MocapClip("walk", "one", clip.xyz + np.linspace(-1, 1, 6)[:, None, None] * [1.0, 0.5, 0], H36M_17, 50.0)
    # Aside of the axis the same answer is turned by up to atan(1 m / distance): the truth is turned with it.
    (camera,) = clip_cameras(shifted, protocol)
    there = camera.to_camera(shifted.xyz.astype(np.float32))
    straight = there[2] - there[2, 0]
    lifter = Oracle(straight, camera.R[:, 2])
    assert 1 < certainty_on(lifter, [shifted], protocol, None).means()["up_95"] < 30
