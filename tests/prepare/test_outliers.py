"""Frames that show something else for a moment are left out; cuts, gaps and fast people are left alone."""

from dataclasses import replace

import numpy as np
import pytest

from poselift.prepare.outliers import find_outliers
from poselift.prepare.repair import repair
from poselift.sequence import Keypoints2D, spans
from poselift.skeleton import BODY_25, COCO_17, H36M_17, MEDIAPIPE_33

SKELETONS = (COCO_17, BODY_25, MEDIAPIPE_33, H36M_17)


def person(frames=120, fps=30.0, skeleton=COCO_17, speed=0.0):
    """A person 370 pixels tall who sways, and walks across the picture at `speed` pixels a second."""
    rng = np.random.default_rng(0)
    heights = {"eye": 40, "ear": 42, "shoulder": 80, "elbow": 130, "wrist": 170, "hip": 190, "knee": 280, "ankle": 370}
    body = np.zeros((len(skeleton), 2))
    for joint, name in enumerate(skeleton.joints):
        body[joint, 1] = next((y for part, y in heights.items() if part in name), 60 + 10 * joint % 300)
        body[joint, 0] = 40 * (name.startswith("left") - name.startswith("right"))
    time = np.arange(frames)[:, None, None] / fps
    sway = 10 * np.sin(2 * np.pi * time + np.arange(len(skeleton))[:, None])
    xy = body + sway + [500, 100] + time * [speed, 0] + rng.normal(0, 2, (frames, len(skeleton), 2))
    return Keypoints2D(xy, np.full(xy.shape[:2], 0.9), skeleton, fps)


def collapsed(keypoints, frames, size=0.3, to=(500, 250)):
    """The body shrunk to a corner of itself."""
    xy = keypoints.xy.copy()
    middle = xy[frames].mean(1, keepdims=True)
    xy[frames] = to + size * (xy[frames] - middle)
    return replace(keypoints, xy=xy)


def moved(keypoints, frames, by):
    """The body as somebody beside it."""
    xy = keypoints.xy.copy()
    xy[frames] += by
    return replace(keypoints, xy=xy)


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda skeleton: skeleton.name)
@pytest.mark.parametrize("frames", [range(40, 41), range(40, 52), range(4), range(115, 120)], ids=str)
@pytest.mark.parametrize("wrong", [collapsed, lambda keypoints, frames: moved(keypoints, frames, [400, 20])])
def test_a_moment_of_something_else_is_found(skeleton, frames, wrong):
    keypoints = person(skeleton=skeleton)
    assert not find_outliers(keypoints).any()
    assert np.flatnonzero(find_outliers(wrong(keypoints, list(frames)))).tolist() == list(frames)


def test_several_wrong_crops_one_after_another_are_found():
    keypoints = collapsed(person(), list(range(40, 45)))
    keypoints = collapsed(keypoints, list(range(45, 48)), size=0.2, to=(530, 150))
    keypoints = moved(keypoints, [50], [0, 600])
    assert spans(find_outliers(keypoints)) == [(40, 47), (50, 50)]


def test_what_lasts_is_believed():
    """A cut, someone who comes nearer at once, and more than half a second of another place."""
    keypoints = person()
    for changed in (
        moved(keypoints, list(range(60, 120)), [400, 0]),
        collapsed(keypoints, list(range(60, 120)), size=0.4),
        moved(keypoints, list(range(60, 80)), [400, 0]),
    ):
        assert not find_outliers(changed).any()


@pytest.mark.parametrize("fps", [5.0, 10.0, 25.0, 60.0, 240.0])
def test_fast_people_are_left_alone(fps):
    """A sprint of six body heights a second, a jump of a quarter of a body in half a second, a camera swung round."""
    assert not find_outliers(person(round(4 * fps), fps, speed=2200)).any()
    keypoints = person(round(4 * fps), fps)
    time = np.arange(len(keypoints)) / fps
    swung = 400 * (1 + np.tanh((time - 2) / 0.12))
    assert not find_outliers(replace(keypoints, xy=keypoints.xy + swung[:, None, None] * [1, 0])).any()
    up = (1 - ((time - 2) / 0.25) ** 2).clip(0)
    assert not find_outliers(replace(keypoints, xy=keypoints.xy - up[:, None, None] * [0, 95])).any()


def test_frames_between_gaps_and_missing_joints_do_not_matter():
    keypoints = collapsed(person(), list(range(40, 44)))
    keypoints.xy[30:38] = np.nan  # nobody is seen
    keypoints.xy[:, ::5] = np.nan
    keypoints.xy[70:90, 11:] = np.nan  # too little of the body to tell
    keypoints.xy[80, :11] += 600
    assert spans(find_outliers(keypoints)) == [(40, 43)]


@pytest.mark.parametrize("legs", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("missed", [0.05, 0.2])
def test_people_at_a_desk_of_whom_now_this_and_now_that_is_seen_are_left_alone(legs, missed):
    """Two frames with six joints each may have few in common, which says nothing of either."""
    keypoints, rng = person(300), np.random.default_rng(0)
    low = np.array([name.endswith(("hip", "knee", "ankle")) for name in COCO_17.joints])
    keypoints.xy[rng.random((300, 17)) < np.where(low, 1 - legs, missed)] = np.nan
    assert keypoints.seen.any(1).all() and not find_outliers(keypoints).any()


def test_little_is_not_judged():
    nobody = Keypoints2D(np.full((9, 17, 2), np.nan), None, COCO_17, 30.0)
    for keypoints in (person(1), person(2), nobody):
        assert not find_outliers(keypoints).any()


def test_size_in_the_picture_does_not_matter():
    keypoints = collapsed(person(), list(range(40, 44)))
    small = replace(keypoints, xy=keypoints.xy / 50)
    assert np.array_equal(find_outliers(small), find_outliers(keypoints))


def test_long_clips_give_what_their_parts_give():
    part = collapsed(person(200), [20, 21, 50, 90, 91, 92])
    xy = np.concatenate([part.xy, part.xy[::-1]] * 4)
    whole = find_outliers(Keypoints2D(xy, None, COCO_17, 30.0))
    own = find_outliers(part)
    assert own.any() and np.array_equal(whole, np.concatenate([own, own[::-1]] * 4))


def test_a_detector_that_loses_the_person_costs_a_few_millimetres_now(shared):
    """AlphaPose shows a blob at the chest in 30 of 197 frames: 68.9 mm with them, 54.2 without (T = 243)."""
    from poselift.measure.recording import Recording

    recording = Recording(shared / "data" / "keraal_ctk.npz")
    seen = recording.people["0 COCO_17"]
    found = find_outliers(seen)
    size = np.ptp(np.where(seen.seen[..., None], seen.xy, np.nan)[:, :, 1], axis=1)
    small = size < 0.6 * np.nanmedian(size)  # told from heights alone
    assert 28 <= found.sum() <= 32 and found[small].all() and small.sum() > 20
    assert not find_outliers(recording.people["0 MEDIAPIPE_33"]).any()


def test_people_seen_exactly_are_left_alone(shared):
    from poselift.datasets.mocap import load_mocap
    from poselift.measure.mocap import MocapProtocol, clip_cameras, exact_keypoints
    from poselift.prepare.resample import resample_keypoints

    for clip in load_mocap(shared / "data" / "mocap17.npz", split="dev")[::3]:
        for camera in clip_cameras(clip, MocapProtocol(cameras=2)):
            for fps in (50.0, 10.0):
                keypoints = resample_keypoints(exact_keypoints(clip, camera), fps)
                assert repair(keypoints) is keypoints, clip.name
