import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.prepare.resample import frame_times, resample_keypoints, resample_poses, same_rate
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import COCO_17, H36M_17

rates = st.sampled_from([10.0, 24.0, 25.0, 30000 / 1001, 30.0, 50.0, 59.94, 60.0, 120.0, 240.0])
lengths = st.integers(1, 100)
RNG = np.random.default_rng(0)
START, VELOCITY = RNG.uniform(100, 500, (17, 2)), RNG.uniform(-50, 50, (17, 2))


def moving(frames: int, fps: float, confidence: np.ndarray | None = None) -> Keypoints2D:
    """Every joint on a straight line, in pixels per second."""
    xy = START + VELOCITY * (np.arange(frames) / fps)[:, None, None]
    return Keypoints2D(xy, confidence, COCO_17, fps, (640, 480))


def swinging(frames: int, fps: float) -> Poses3D:
    time_s = (np.arange(frames) / fps)[:, None, None]
    return Poses3D(np.sin(time_s + RNG.permutation(51).reshape(17, 3)), H36M_17, fps)


@given(lengths, rates, rates)
def test_linear_motion_is_reproduced_at_any_rate(frames, fps, new_fps):
    there = resample_keypoints(moving(frames, fps), new_fps)
    if frames == 1 or same_rate(fps, new_fps):
        assert (len(there), there.fps) == (frames, fps)
        return
    assert there.fps == new_fps
    assert there.image_size == (640, 480)
    np.testing.assert_allclose(there.xy, moving(len(there), new_fps).xy, atol=1e-2)


@given(lengths, rates, rates)
def test_times_start_together_and_span_the_clip(frames, fps, new_fps):
    times = frame_times(frames, fps, new_fps)
    assert times[0] == 0
    assert times[-1] <= frames - 1 < times[-1] + fps / new_fps + 1e-4
    np.testing.assert_allclose(np.diff(times), fps / new_fps, atol=1e-5)


@pytest.mark.parametrize(
    ("frames", "fps", "new_fps", "count"),
    [(61, 60, 50, 51), (60, 60, 50, 50), (50, 50, 60, 59), (51, 50, 60, 61), (25, 25, 50, 49), (240, 240, 50, 50)],
)
def test_number_of_frames(frames, fps, new_fps, count):
    assert len(resample_keypoints(moving(frames, fps), new_fps)) == count


def test_equal_rates_change_nothing():
    keypoints = moving(20, 30000 / 1001)
    assert resample_keypoints(keypoints, 30.0) is keypoints
    assert not same_rate(24.0, 25.0)
    poses = swinging(20, 30.0)
    back = resample_poses(poses, 30000 / 1001, 20)
    assert back.fps == 30000 / 1001
    np.testing.assert_array_equal(back.xyz, poses.xyz)


def test_gaps_stay_gaps_and_the_nearer_frame_counts_beside_them():
    keypoints = moving(5, 30.0, np.ones((5, 17)))
    keypoints.xy[2, 0] = np.nan
    keypoints.confidence[2, 1] = 0
    there = resample_keypoints(keypoints, 90.0)  # frame 3 k is frame k; gap at 6
    assert there.seen[:, 0].tolist() == [i not in (5, 6, 7) for i in range(13)]
    assert there.seen[:, 1].tolist() == there.seen[:, 0].tolist()
    assert np.isnan(there.xy[5:8, :2]).all()
    np.testing.assert_array_equal(there.xy[4, :2], keypoints.xy[1, :2])  # not a mixture with the gap
    np.testing.assert_array_equal(there.xy[8, :2], keypoints.xy[3, :2])
    np.testing.assert_array_equal(there.xy[::3][[0, 1, 3, 4]], keypoints.xy[[0, 1, 3, 4]])
    assert there.seen[:, 2:].all()


def test_confidence_is_interpolated_between_sightings():
    confidence = np.tile(np.array([0.2, 0.8, 0.0, 0.5])[:, None], 17)
    there = resample_keypoints(moving(4, 25.0, confidence), 100.0)
    expected = [0.2, 0.35, 0.5, 0.65, 0.8, 0.8, 0, 0, 0, 0, 0.5, 0.5, 0.5]
    np.testing.assert_allclose(there.confidence[:, 3], expected, atol=1e-6)


def test_a_frame_without_anybody():
    keypoints = moving(4, 25.0)
    keypoints.xy[1] = np.nan
    there = resample_keypoints(keypoints, 50.0)
    assert there.confidence is None
    assert there.seen.all(1).tolist() == [True, False, False, True, True, True, True]


@pytest.mark.parametrize("through", [50.0, 120.0])
def test_there_and_back_keeps_the_motion(through):
    poses = swinging(121, 60.0)
    back = resample_poses(resample_poses(poses, through, int(120 / 60 * through) + 1), 60.0, 121)
    assert (len(back), back.fps) == (121, 60.0)
    np.testing.assert_allclose(back.xyz, poses.xyz, atol=2e-4)  # what a straight line misses of a sine in 1/50 s


def test_the_last_pose_is_held_where_they_run_out():
    poses = swinging(3, 50.0)
    back = resample_poses(poses, 100.0, 8)
    assert len(back) == 8
    np.testing.assert_array_equal(back.xyz[4:], np.tile(poses.xyz[2], (4, 1, 1)))
    np.testing.assert_allclose(back.xyz[1], (poses.xyz[0] + poses.xyz[1]) / 2, atol=1e-7)


def test_one_pose_may_become_many():
    poses = swinging(1, 50.0)
    assert resample_poses(poses, 30.0, 1).fps == 30.0
    np.testing.assert_array_equal(resample_poses(poses, 30.0, 4).xyz, np.tile(poses.xyz, (4, 1, 1)))


def test_directions_keep_their_length():
    up = np.array([[0, -1, 0], [0.6, -0.8, 0], [-0.6, 0.8, 0]])
    poses = Poses3D(np.zeros((3, 17, 3)), H36M_17, 10.0, up=up, contact=np.eye(3, 4), spread=np.full((3, 17), 0.1))
    fast = resample_poses(poses, 20.0, 5)
    np.testing.assert_allclose(np.linalg.norm(fast.up, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(fast.up[1], [0.1**0.5, -(0.9**0.5), 0], atol=1e-6)
    np.testing.assert_allclose(fast.up[3], up[1])  # between opposites there is no mean
    np.testing.assert_allclose(fast.contact[1], [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(fast.spread, 0.1)


def test_what_is_known_of_each_frame_is_resampled_alike():
    poses = Poses3D(
        np.zeros((3, 17, 3)), H36M_17, 10.0, "turned_camera", observed=np.repeat([[0.0], [1], [1]], 17, 1),
        gap=[True, False, False], path=[[0, 0, 1], [1, 0, 1], [2, 0, 1]], start_s=2.0,
    )  # fmt: skip
    fast = resample_poses(poses, 20.0, 5)
    np.testing.assert_allclose(fast.observed[:, 0], [0, 0.5, 1, 1, 1])
    np.testing.assert_allclose(fast.path[:, 0], [0, 0.5, 1, 1.5, 2])
    assert fast.gap.tolist() == [True, True, False, False, False]
    assert (fast.frame, fast.start_s, fast.spread) == ("turned_camera", 2.0, None)
