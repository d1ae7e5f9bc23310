"""What jumps in a stream is left out, until it has stayed."""

import numpy as np
import pytest

import poselift as pl
from poselift.live.outliers import JOINT_WAIT_S, WAIT_S, OutlierFilter
from poselift.measure.recording import Recording, limb_errors
from poselift.prepare.outliers import find_outliers
from poselift.sequence import Poses3D, spans
from poselift.skeleton import BODY_27


@pytest.fixture
def walk(stroll):
    """Frames (T, J, 3) of somebody who walks, in pixels, and their skeleton."""

    def make(frames=100, fps=50.0):
        keypoints = stroll(frames=frames, fps=fps).keypoints
        return np.concatenate([keypoints.xy, np.full((*keypoints.xy.shape[:2], 1), 0.9, np.float32)], -1), keypoints

    return make


def frames_of(keypoints):
    xy, scores = keypoints.filled()
    return np.concatenate([xy, scores[..., None]], -1)


def filtered(frames, skeleton, fps=50.0, start_s=0.0):
    watch = OutlierFilter(skeleton)
    return np.stack([watch(frame, start_s + number / fps) for number, frame in enumerate(frames)])


def left_out(frames, skeleton, fps=50.0):
    return spans(~filtered(frames, skeleton, fps)[..., 2].any(1))


def shrunk(frames, where, size=0.25):
    """The body collapsed into its corner."""
    changed = frames.copy()
    corner = frames[where, :, :2].min(1, keepdims=True)
    changed[where, :, :2] = corner + size * (frames[where, :, :2] - corner)
    return changed


def beside(frames, where, by):
    changed = frames.copy()
    changed[where, :, :2] += by
    return changed


@pytest.mark.parametrize("fps", [25.0, 50.0, 120.0])
def test_what_is_no_jump_goes_through_untouched(walk, fps):
    frames, keypoints = walk(fps=fps)
    watch = OutlierFilter(keypoints.skeleton)
    assert all(watch(frame, number / fps) is frame for number, frame in enumerate(frames))
    assert not watch.left_out


@pytest.mark.parametrize("wrong", [shrunk, lambda frames, where: beside(frames, where, [900, 30])])
def test_a_moment_is_left_out_from_its_first_frame_to_its_last(walk, wrong):
    frames, keypoints = walk()
    for where in (slice(40, 41), slice(40, 50)):
        assert left_out(wrong(frames, where), keypoints.skeleton) == [(where.start, where.stop - 1)]
        kept = filtered(wrong(frames, where), keypoints.skeleton)
        rest = np.r_[: where.start, where.stop : len(frames)]
        assert np.array_equal(kept[rest], frames[rest])


def test_what_stays_is_taken_and_whoever_comes_back_is_taken_at_once(walk):
    frames, keypoints = walk(frames=200)
    last = 59 + int(WAIT_S * 50)  # from the last frame in which the body was elsewhere
    cut = left_out(beside(frames, slice(60, 200), [900, 30]), keypoints.skeleton)
    assert cut == [(60, last)]
    back = left_out(shrunk(frames, slice(60, 90)), keypoints.skeleton)
    assert back == [(60, last)]  # from 90 on the body is itself again
    late = left_out(beside(beside(frames, slice(60, 200), [900, 30]), slice(170, 200), [-900, -30]), keypoints.skeleton)
    assert [first for first, _ in late] == [60, 170]  # two seconds later it is another jump


def test_nothing_is_left_out_at_the_start_and_after_a_pause(walk):
    frames, keypoints = walk()
    assert left_out(shrunk(frames, slice(0, 5)), keypoints.skeleton) == []
    watch = OutlierFilter(keypoints.skeleton)
    times_s = np.arange(100) / 50 + np.where(np.arange(100) >= 50, 0.4, 0)
    jumped = beside(frames, slice(50, 100), [900, 30])
    assert all(watch(frame, time_s) is frame for frame, time_s in zip(jumped, times_s, strict=True))


def test_frames_that_show_little_say_nothing(walk):
    frames, keypoints = walk()
    frames[30:40, :-3, 2] = 0
    assert np.array_equal(filtered(frames, keypoints.skeleton), frames)
    jumped = shrunk(frames, slice(45, 50))
    assert left_out(jumped, keypoints.skeleton) == [(45, 49)]


def test_a_joint_that_jumps_is_left_out_alone(walk):
    frames, keypoints = walk()
    wrist = keypoints.skeleton.index("left_wrist")
    frames[40:43, wrist, :2] += [700, 300]
    frames[60:100, wrist, :2] -= [700, 300]
    found = filtered(frames, keypoints.skeleton)
    assert spans(found[:, wrist, 2] == 0) == [(40, 42), (60, 59 + int(JOINT_WAIT_S * 50))]
    assert (found[40:43, wrist] == 0).all()
    others = np.delete(np.arange(found.shape[1]), wrist)
    assert np.array_equal(found[:, others], frames[:, others])


def test_exchanged_sides_are_no_jump(walk):
    frames, keypoints = walk()
    frames[..., 0] = 500 + 6 * (frames[..., 0] - 500)  # so wide that sides are far apart
    pairs = np.array(keypoints.skeleton.pairs)
    changed = frames.copy()
    changed[40:43, pairs.ravel()] = frames[40:43, pairs[:, ::-1].ravel()]
    size = np.sqrt(((frames[40, :, :2] - frames[40, :, :2].mean(0)) ** 2).sum(-1).mean())
    assert np.median(np.linalg.norm((changed - frames)[40, pairs.ravel(), :2], axis=-1)) > size
    assert np.array_equal(filtered(changed, keypoints.skeleton), changed)


def test_motion_that_sets_in_faster_and_faster_goes_through(walk):
    frames, keypoints = walk()
    size = np.sqrt(((frames[40, :, :2] - frames[40, :, :2].mean(0)) ** 2).sum(-1).mean())
    steps = np.zeros(100)
    steps[40:60] = np.minimum(0.05 * 1.5 ** np.arange(20), 0.9)  # of the person's size, each frame; 45 a second
    swung = frames.copy()
    swung[..., 0] += (np.cumsum(steps) * size)[:, None]
    assert np.array_equal(filtered(swung, keypoints.skeleton)[:60], swung[:60])


def test_size_in_the_picture_and_the_clock_do_not_matter(walk):
    frames, keypoints = walk()
    wrong = shrunk(frames, slice(40, 50))
    expected = filtered(wrong, keypoints.skeleton)[..., 2]
    small = wrong * np.array([0.1, 0.1, 1], np.float32)
    assert np.array_equal(filtered(small, keypoints.skeleton, start_s=1.7e9)[..., 2], expected)


def test_people_seen_exactly_are_left_alone_and_others_nearly(shared):
    pytest.importorskip("torch")
    from poselift.datasets.mocap import load_mocap
    from poselift.lab.observe.detector import simulated_detector
    from poselift.measure.mocap import MocapProtocol, clip_cameras, exact_keypoints

    detector = simulated_detector({})
    for body in load_mocap(shared / "data" / "mocap27.npz", split="dev")[::12]:
        (camera,) = clip_cameras(body, MocapProtocol(cameras=1))
        exact, seen = exact_keypoints(body, camera), detector(camera.to_camera(body.xyz), body.fps, 0)
        assert np.array_equal(filtered(frames_of(exact), exact.skeleton, exact.fps), frames_of(exact))
        shown = frames_of(seen)[..., 2] > 0
        left_out = shown & (filtered(frames_of(seen), seen.skeleton, seen.fps)[..., 2] == 0)
        assert left_out.sum() <= 1e-3 * shown.sum()


def test_a_stream_of_a_detector_that_loses_the_person(shared):
    recording = Recording(shared / "data" / "keraal_ctk.npz")
    person = recording.people["0 COCO_17"]
    frames = frames_of(person)
    errors, lost = [], find_outliers(person)
    for repair in (False, True):
        live = pl.LiveLifter(repair=repair)
        poses = [live.push(frame, person.skeleton, number / person.fps) for number, frame in enumerate(frames)]
        xyz = np.concatenate([np.zeros((1, 27, 3), np.float32) if pose is None else pose.xyz for pose in poses])
        errors.append(limb_errors(Poses3D(xyz, BODY_27, person.fps), recording.truth, recording.valid)["p_mpjpe"])
        unseen = [not pose.observed.any() for pose in poses]
        shown = [bool(frame[:, 2].any()) for frame in frames]
        assert live.counts.left_out == (np.sum(np.array(unseen) & shown) if repair else 0)
    assert np.mean(np.array(unseen) == lost) > 0.95 and live.counts.left_out > 15
    assert errors[0] > 75 and errors[1] < 65
