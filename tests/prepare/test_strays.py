"""Joints that are far away for a moment are found; fast fists, throws and what lasts are left alone."""

from dataclasses import replace

import numpy as np
import pytest

from poselift.prepare.strays import ENDS, find_strays
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17


def frames_of(found):
    return {name: np.flatnonzero(away).tolist() for name, away in found.items()}


@pytest.mark.parametrize("fps", [25.0, 50.0, 120.0])
@pytest.mark.parametrize("name", ["left_wrist", "right_elbow", "left_knee", "right_ankle"])
def test_a_joint_that_jumps_away_and_back_is_found(stroll, name, fps):
    keypoints = stroll(frames=round(2 * fps), fps=fps).keypoints
    assert find_strays(keypoints) == {}
    xy = keypoints.xy.copy()
    joint, away = keypoints.skeleton.index(name), [3, 4, round(fps)]
    size = np.ptp(keypoints.xy[0, :, 1])
    xy[away, joint] += [0.9 * size, -0.3 * size]
    assert frames_of(find_strays(replace(keypoints, xy=xy))) == {name: away}
    keypoints = replace(keypoints, xy=xy / 50)  # a small person
    assert frames_of(find_strays(keypoints)) == {name: away}


def test_what_lasts_and_what_is_near_is_left_alone(stroll):
    keypoints = stroll(frames=100, fps=50.0).keypoints
    wrist, size = keypoints.skeleton.index("left_wrist"), np.ptp(keypoints.xy[0, :, 1])
    for frames, by in ((range(40, 60), 0.9), (range(50, 100), 0.9), (range(50, 52), 0.15)):
        xy = keypoints.xy.copy()
        xy[list(frames), wrist] += [by * size, 0]
        assert find_strays(replace(keypoints, xy=xy)) == {}


@pytest.mark.parametrize("fps", [10.0, 25.0, 50.0, 240.0])
def test_fists_are_left_alone(stroll, fps):
    """There and back in a fifth of a second: half a body's height at up to 8 m/s."""
    keypoints = stroll(frames=round(2 * fps), fps=fps).keypoints
    time_s = np.arange(len(keypoints)) / fps
    size = np.ptp(keypoints.xy[0, :, 1])
    punch = 0.5 * size * np.exp(-(((time_s - 1) / 0.07) ** 2))
    xy = keypoints.xy.copy()
    xy[:, keypoints.skeleton.index("left_wrist"), 0] += punch
    assert find_strays(replace(keypoints, xy=xy)) == {}


def test_little_is_not_judged(stroll):
    keypoints = stroll(frames=50, fps=50.0).keypoints
    nobody = Keypoints2D(np.full((9, 17, 2), np.nan), None, COCO_17, 30.0)
    assert find_strays(nobody) == {}
    assert find_strays(keypoints.with_frames(keypoints.xy[:2], None, 50.0)) == {}
    xy = keypoints.xy.copy()
    wrist = keypoints.skeleton.index("left_wrist")
    xy[20, wrist] = np.nan
    assert find_strays(replace(keypoints, xy=xy)) == {}
    for frames in (range(1), range(2)):
        xy[:, wrist] = np.nan
        xy[list(frames), wrist] = 900.0
        assert find_strays(replace(keypoints, xy=xy)) == {}


def test_people_seen_exactly_are_left_alone(shared):
    from poselift.datasets.mocap import load_mocap
    from poselift.measure.mocap import MocapProtocol, clip_cameras, exact_keypoints
    from poselift.prepare.resample import resample_keypoints

    for clip in load_mocap(shared / "data" / "mocap27.npz", split="dev")[::4]:
        (camera,) = clip_cameras(clip, MocapProtocol(cameras=1))
        for fps in (50.0, 10.0):
            keypoints = resample_keypoints(exact_keypoints(clip, camera), fps)
            assert sum(name.endswith(ENDS) for name in keypoints.skeleton.joints) == 14
            assert find_strays(keypoints) == {}, clip.name


def test_on_a_real_recording_few_are_found(shared):
    """OpenPose, 60 frames a second: a wrist that is in the picture's corner."""
    from poselift.measure.recording import Recording

    people = Recording(shared / "data" / "pose2sim_cams_1_3.npz").people
    assert frames_of(find_strays(people["3"])) == {"right_wrist": [65]}
