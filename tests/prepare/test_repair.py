"""What detectors do for a moment is found together, mended in any joints, and said."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.lifting import lift
from poselift.prepare.convert import convert
from poselift.prepare.repair import find_faults, repair, without_log
from poselift.sequence import Keypoints2D
from poselift.skeleton import BODY_27, COCO_17, H36M_17, MEDIAPIPE_33


def wrong_for_a_moment(keypoints, exchanged):
    """Sides exchanged in frames 20 to 25; a third of the size in 40 to 43, and in 48; a wrist far away in 22 and 60."""
    xy = keypoints.xy.copy()
    xy[20:26] = exchanged(keypoints).xy[20:26]
    small = [40, 41, 42, 43, 48]
    xy[small] = xy[small].mean(1, keepdims=True) + 0.3 * (xy[small] - xy[small].mean(1, keepdims=True))
    wrist = keypoints.skeleton.index("left_wrist")
    xy[[22, 60], wrist] += 1.5 * np.ptp(keypoints.xy[0, :, 1])
    return replace(keypoints, xy=xy), small


def test_both_kinds_are_found_and_mended(stroll, exchanged, caplog):
    keypoints = stroll(frames=100, turn_deg=0.0, noise=0.0).keypoints
    wrong, small = wrong_for_a_moment(keypoints, exchanged)
    faults = find_faults(wrong)
    assert np.flatnonzero(faults.outliers).tolist() == small
    assert all(np.flatnonzero(frames).tolist() == list(range(20, 26)) for frames in faults.swaps.values())
    assert set(faults.swaps) == {"arms", "legs"}
    away = {name: np.flatnonzero(frames).tolist() for name, frames in faults.strays.items()}
    assert away == {"left_wrist": [60], "right_wrist": [22]}  # in frame 22 the sides are exchanged
    with caplog.at_level("INFO", logger="poselift"):
        mended = repair(wrong)
    assert "frames 60: left_wrist jumps far away and back" in caplog.text
    assert "frames 40-43, 48: the keypoints collapse" in caplog.text
    assert "left and right arms were exchanged in 6 frames" in caplog.text
    assert not mended.seen[small].any() and len(mended) == len(keypoints)
    others = np.setdiff1d(np.arange(100), small)
    there = keypoints.seen.copy()
    for name, frame in (("left_wrist", 60), ("right_wrist", 22)):
        there[frame, keypoints.skeleton.index(name)] = False
    assert np.array_equal(mended.seen[others], there[others])
    limbs = [joint for joint, name in enumerate(keypoints.skeleton.joints) if name.endswith(("elbow", "knee", "hip"))]
    assert np.array_equal(mended.xy[others][:, limbs], keypoints.xy[others][:, limbs])


def test_faults_found_in_some_joints_mend_others(stroll, exchanged):
    keypoints = stroll(frames=100, turn_deg=0.0, noise=0.0).keypoints
    wrong, small = wrong_for_a_moment(keypoints, exchanged)
    mended = find_faults(convert(wrong, H36M_17)).mended(wrong)
    assert mended.skeleton is wrong.skeleton and not mended.seen[small].any()
    assert np.array_equal(convert(mended, H36M_17).seen.any(1), repair(convert(wrong, H36M_17)).seen.any(1))


def test_lifting_fills_them_in_and_says_that_nothing_was_observed(stroll, exchanged, fake_lifter):
    keypoints = stroll(frames=100, turn_deg=0.0, noise=0.0).keypoints
    wrong, small = wrong_for_a_moment(keypoints, exchanged)
    lifter = fake_lifter(in_channels=3)
    right, mended, raw = (
        lift(seen, lifter, repair=do) for seen, do in ((keypoints, True), (wrong, True), (wrong, False))
    )
    assert mended.unseen == [(40, 43), (48, 48)] and raw.unseen == []
    assert mended.about.get("repair") is None and raw.about["repair"] == "off"
    off = [np.linalg.norm(poses.xyz[small] - right.xyz[small], axis=-1).mean() for poses in (mended, raw)]
    assert off[0] < 0.2 * off[1]


def test_nothing_to_mend_gives_the_same_keypoints(stroll):
    keypoints = stroll(frames=100, turn_deg=0.0, noise=0.0).keypoints
    assert repair(keypoints) is keypoints


def test_measuring_does_not_log_every_clip(stroll, exchanged, caplog):
    wrong, _ = wrong_for_a_moment(stroll(frames=100, turn_deg=0.0, noise=0.0).keypoints, exchanged)
    with caplog.at_level("INFO", "poselift"):
        with without_log():
            repair(wrong)
        assert not caplog.messages
        repair(wrong)
    assert "are put back" in caplog.text and "not observed" in caplog.text


@given(st.integers(0, 2**32), st.sampled_from([COCO_17, H36M_17, BODY_27, MEDIAPIPE_33]), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_whatever_comes_nothing_is_made_up(seed, skeleton, frames):
    rng = np.random.default_rng(seed)
    xy = np.cumsum(rng.normal(0, 10 ** rng.uniform(-3, 3), (frames, len(skeleton), 2)), 0)
    xy += rng.normal(0, 10 ** rng.uniform(-6, 6), (1, len(skeleton), 2))
    xy[rng.integers(frames)] *= 10 ** rng.uniform(-3, 6)
    xy[rng.random(xy.shape[:2]) < rng.choice([0, 0.1, 0.5, 1])] = np.nan
    before = Keypoints2D(xy, None, skeleton, 10 ** rng.uniform(-1, 3))
    after = repair(before)
    assert len(after) == frames and (after.seen.sum(1) <= before.seen.sum(1)).all()
    for frame in np.flatnonzero(after.seen.any(1)):  # what is left was seen there, of one side or the other
        assert {tuple(point) for point in after.xy[frame][after.seen[frame]]} <= {tuple(p) for p in before.xy[frame]}
