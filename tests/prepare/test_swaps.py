"""Exchanged sides are found and put back; people who cross their legs or turn are left alone."""

import numpy as np
import pytest

from poselift.prepare.repair import repair
from poselift.prepare.swaps import find_swaps, put_back
from poselift.sequence import Keypoints2D
from poselift.skeleton import BODY_25, COCO_17, H36M_17, MEDIAPIPE_33

ARMS = [j for j, n in enumerate(COCO_17.joints) if any(p in n for p in ("shoulder", "elbow", "wrist"))]
LEGS = [j for j, n in enumerate(COCO_17.joints) if any(p in n for p in ("hip", "knee", "ankle"))]


def figure(frames=60, fps=30.0, width=1.0, seed=0):
    """A person who faces the camera and sways; `width` 0 is one seen from the side."""
    heights = {"eye": 40, "ear": 42, "shoulder": 80, "elbow": 130, "wrist": 170, "hip": 190, "knee": 280, "ankle": 370}
    body = np.zeros((17, 2))
    for j, name in enumerate(COCO_17.joints):
        body[j, 1] = next((y for part, y in heights.items() if part in name), 50)
        body[j, 0] = width * 40 * (name.startswith("left") - name.startswith("right"))
    time = np.arange(frames)[:, None, None] / fps
    sway = 10 * np.sin(2 * np.pi * time + np.arange(17)[:, None])
    return Keypoints2D(body + sway + [500, 100], np.full((frames, 17), 0.9), COCO_17, fps)


def exchanged(keypoints, frames, joints):
    xy, confidence = keypoints.xy.copy(), keypoints.confidence.copy()
    confidence[:, COCO_17.index("left_wrist")] = 0.5  # tells the sides apart
    order = list(COCO_17.flipped)
    clean = keypoints.with_frames(xy.copy(), confidence.copy(), keypoints.fps)
    for frame in frames:
        xy[frame, joints], confidence[frame, joints] = (
            clean.xy[frame, order][joints],
            clean.confidence[frame, order][joints],
        )
    return clean, keypoints.with_frames(xy, confidence, keypoints.fps)


@pytest.mark.parametrize(("joints", "name"), [(ARMS, "arms"), (LEGS, "legs"), (ARMS + LEGS, "arms")])
@pytest.mark.parametrize("frames", [range(20, 21), range(20, 27), range(3), range(55, 60)])
def test_a_short_exchange_is_put_back(joints, name, frames, caplog):
    clean, wrong = exchanged(figure(), frames, joints)
    assert not np.array_equal(wrong.xy, clean.xy)
    with caplog.at_level("INFO", logger="poselift"):
        repaired = repair(wrong)
    assert np.array_equal(repaired.xy, clean.xy)
    assert np.array_equal(repaired.confidence, clean.confidence)
    assert f"left and right {name} were exchanged in {len(frames)} frames" in caplog.text


def test_what_lasts_is_believed():
    clean, turned = exchanged(figure(120), range(50, 120), ARMS + LEGS)
    assert repair(turned) is turned
    assert repair(clean) is clean


def test_legs_that_cross_in_profile_are_left_alone():
    keypoints = figure(120, width=0)
    swing = 60 * np.sin(2 * np.pi * np.arange(120) / 30)[:, None]
    xy = keypoints.xy.copy()
    for side, sign in (("left", 1), ("right", -1)):
        legs = [COCO_17.index(f"{side}_{joint}") for joint in ("knee", "ankle")]
        xy[:, legs, 0] += sign * swing
    walking = keypoints.with_frames(xy, None, 30.0)
    assert repair(walking) is walking


def test_unseen_joints_stay_unseen_and_are_no_evidence():
    clean, wrong = exchanged(figure(), range(20, 25), ARMS)
    xy = wrong.xy.copy()
    xy[18:30, COCO_17.index("left_elbow")] = np.nan
    repaired = repair(wrong.with_frames(xy, wrong.confidence, 30.0))
    lost = np.isnan(repaired.xy).any(-1)
    assert lost.sum() == 12
    assert np.array_equal(repaired.xy[~lost], clean.xy[~lost])


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_short_or_empty_clips_pass(frames):
    short = figure(frames)
    assert repair(short) is short
    nobody = short.with_frames(np.full((frames, 17, 2), np.nan), None, 30.0)
    assert repair(nobody) is nobody


def test_size_in_the_picture_does_not_matter():
    _, wrong = exchanged(figure(), range(20, 25), ARMS)
    small = wrong.with_frames(wrong.xy / 50, wrong.confidence, 30.0)
    np.testing.assert_allclose(repair(small).xy * 50, repair(wrong).xy, rtol=1e-4)


def test_moving_people_seen_exactly_are_left_alone(shared):
    from poselift.datasets.mocap import load_mocap
    from poselift.measure.mocap import MocapProtocol, clip_cameras, exact_keypoints

    for clip in load_mocap(shared / "data" / "mocap17.npz", split="dev")[::3]:
        for camera in clip_cameras(clip, MocapProtocol(cameras=2)):
            keypoints = exact_keypoints(clip, camera)
            assert keypoints.skeleton == H36M_17
            assert repair(keypoints) is keypoints, clip.name


def test_exchanged_frames_are_named_by_group():
    clean, wrong = exchanged(figure(), range(20, 26), ARMS)
    assert find_swaps(clean) == {}
    found = find_swaps(wrong)
    assert list(found) == ["arms"]
    assert np.flatnonzero(found["arms"]).tolist() == list(range(20, 26))


def test_a_single_sighting_between_frames_that_show_nobody_is_put_back():
    """Nothing is seen just before and after it, so that the step goes to the sighting after the gap."""
    clean, wrong = exchanged(figure(), range(3, 4), ARMS + LEGS)
    for keypoints in (clean, wrong):
        keypoints.xy[[0, 1, 2, 4, 5]] = np.nan
    assert np.array_equal(repair(wrong).xy, clean.xy, equal_nan=True)
    assert np.array_equal(repair(clean).xy, clean.xy, equal_nan=True)


def test_somebody_who_was_away_may_have_turned_round():
    _, wrong = exchanged(figure(), range(10), ARMS + LEGS)
    wrong.xy[10:20] = np.nan  # a third of a second
    assert repair(wrong) is wrong


@pytest.mark.parametrize("skeleton", [MEDIAPIPE_33, BODY_25])
def test_hands_and_feet_go_with_their_limbs(skeleton):
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 900, (5, len(skeleton), 2)).astype(np.float32)
    found = {"arms": np.arange(5) == 1, "legs": np.arange(5) == 3}
    moved = put_back(Keypoints2D(xy, None, skeleton, 30.0), found).xy
    parts = {
        1: ("shoulder", "elbow", "wrist", "pinky", "index", "thumb"),
        3: ("hip", "knee", "ankle", "heel", "toe", "foot"),
    }
    for frame in range(5):
        for joint, name in enumerate(skeleton.joints):
            part = name.split("_", 1)[-1]
            goes = any(part.endswith(end) or part.startswith(end) for end in parts.get(frame, ())) and "_" in name
            if frame == 1 and part.startswith("foot"):
                goes = False
            wanted = xy[frame, skeleton.flipped[joint] if goes else joint]
            assert np.array_equal(moved[frame, joint], wanted), (frame, name)


def test_arms_and_legs_are_put_back_together():
    """The legs stand close together: on their own they would stay exchanged, and the trunk be crossed."""
    keypoints = figure()
    narrow = [joint for joint in LEGS if "hip" not in COCO_17.joints[joint]]
    keypoints.xy[:, narrow, 0] = 500 + 0.15 * (keypoints.xy[:, narrow, 0] - 500)
    keypoints.xy[:, COCO_17.indices(("left_hip", "right_hip")), 0] = [[512, 488]] * len(keypoints)
    clean, wrong = exchanged(keypoints, range(20, 27), ARMS + LEGS)
    found = find_swaps(wrong)
    assert np.flatnonzero(found["arms"]).tolist() == list(range(20, 27))
    assert np.array_equal(found["arms"], found["legs"])
