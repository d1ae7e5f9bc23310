"""The live lifter: equal to lifting a clip, at any rate, and whatever a stream does wrong."""

import numpy as np
import pytest

import poselift as pl
from poselift.errors import CheckpointError, FormatError, ShapeError, SkeletonError
from poselift.lifting import lift
from poselift.live.history import RunningMedian
from poselift.measure.recording import Recording
from poselift.prepare.normalize import calibrate
from poselift.prepare.resample import resample_keypoints

MISSING = 0.05


@pytest.fixture(scope="module")
def weights():
    return {name: pl.load_lifter(f"nanohtnet.{name}", threads=1) for name in ("mocap-live", "mocap-81", "mocap27-81")}


@pytest.fixture
def walk(stroll):
    """A function of the number of frames and their rate: a walk in which every twentieth joint is not seen."""

    def make(frames, fps=50.0, missing=MISSING, seed=0):
        person = stroll(frames=frames, fps=fps).keypoints
        confidence = np.full(person.xy.shape[:2], 0.8, np.float32)
        confidence[np.random.default_rng(seed).random(confidence.shape) < missing] = 0
        return pl.Keypoints2D(person.xy, confidence, person.skeleton, fps)

    return make


def frames_of(keypoints):
    """(T, J, 3) as a stream delivers it."""
    return np.concatenate([keypoints.xy, keypoints.confidence[..., None]], -1)


def pushed(live, keypoints, times_s=None):
    times_s = np.arange(len(keypoints)) / keypoints.fps if times_s is None else times_s
    return [live.push(frame, keypoints.skeleton, t) for frame, t in zip(frames_of(keypoints), times_s, strict=True)]


class Newest:
    """A lifter of which only the newest frame is used, so that `lift` cuts a window for each frame."""

    def __init__(self, lifter):
        self.skeleton, self.in_frames, self.fps, self.in_channels = (
            lifter.skeleton, lifter.in_frames, lifter.fps, lifter.in_channels,
        )  # fmt: skip
        self.out_frames, self._lifter = (lifter.in_frames - 1,), lifter

    def __call__(self, windows):
        return self._lifter(windows)[:, -1:]


class Screen:
    """A lifter of the benchmarks' coordinates."""

    skeleton, in_frames, out_frames, fps, in_channels, normalization = pl.H36M_17, 1, (0,), 50.0, 2, "screen"

    def __call__(self, windows):
        return np.concatenate([windows, np.zeros_like(windows[..., :1])], -1)


@pytest.mark.parametrize("missing", [0.0, MISSING])
def test_without_delay_each_pose_is_that_of_a_window_which_ends_there(weights, walk, missing):
    keypoints = walk(120, missing=missing)
    live = pl.LiveLifter(weights["mocap-live"])
    offline = lift(keypoints, Newest(weights["mocap-live"]), repair=False, check=False)
    poses = pushed(live, keypoints)
    np.testing.assert_allclose(np.concatenate([pose.xyz for pose in poses]), offline.xyz, atol=1e-5)
    np.testing.assert_allclose(np.concatenate([pose.observed for pose in poses]), offline.observed, atol=1e-6)
    np.testing.assert_allclose([pose.start_s for pose in poses], np.arange(120) / 50)
    assert live.delay_s == 0
    assert live.counts.windows == live.counts.frames == 120


@pytest.mark.parametrize(("name", "delay_s"), [("mocap-live", 0.24), ("mocap-81", 0.96), ("mocap27-81", 0.96)])
def test_with_delay_the_poses_are_those_of_the_clip(weights, walk, name, delay_s):
    keypoints = walk(160)
    live = pl.LiveLifter(weights[name], delay_s=delay_s)
    offline = lift(keypoints, weights[name], repair=False, check=False)
    poses = pushed(live, keypoints)
    late = round(delay_s * 50)
    assert poses[:late] == [None] * late
    came = poses[late:]
    assert None not in came
    assert live.delay_s == delay_s
    for field, bound in (("xyz", 1e-5), ("observed", 1e-6), ("spread", 1e-5), ("up", 1e-5), ("contact", 1e-5)):
        theirs = getattr(offline, field)
        if theirs is None:
            assert getattr(came[0], field) is None
            continue
        ours = np.concatenate([getattr(pose, field) for pose in came])
        np.testing.assert_allclose(ours, theirs[: len(came)], atol=bound, err_msg=field)
    np.testing.assert_allclose([pose.start_s for pose in came], np.arange(len(came)) / 50, atol=1e-9)
    assert live.counts.windows <= len(keypoints) / 9 + 1
    assert came[0].frame == offline.frame


def test_a_lifter_of_single_frames_holds_the_pose_while_nobody_is_seen(walk, fake_lifter):
    keypoints = walk(40, missing=0.0)
    keypoints.confidence[20:24] = 0
    single = fake_lifter(in_frames=1, out_frames=(0,))
    poses = pushed(pl.LiveLifter(single), keypoints)
    offline = lift(keypoints, single, repair=False, check=False)
    for frame in (*range(20), *range(24, 40)):
        np.testing.assert_allclose(poses[frame].xyz[0, :, :2], offline.xyz[frame, :, :2], atol=1e-5)
    for frame in range(20, 24):
        np.testing.assert_array_equal(poses[frame].xyz, poses[19].xyz)
        assert not poses[frame].observed.any()


def accelerations(xyz):
    return np.linalg.norm(np.diff(xyz, 2, axis=0), axis=-1).mean()


def test_with_the_delay_of_a_block_each_window_follows_on_from_the_one_before(weights, walk, monkeypatch):
    keypoints, lifter = walk(200, missing=0), weights["mocap-live"]
    live = pl.LiveLifter(lifter, delay_s=0.16)
    poses = pushed(live, keypoints)
    assert poses[:8] == [None] * 8
    xyz = np.concatenate([pose.xyz for pose in poses[8:]])
    offline = lift(keypoints, lifter, repair=False, check=False).xyz[: len(xyz)]
    assert (live.delay_s, live.counts.windows) == (0.16, 200 // 9)  # 0.11 windows a push
    np.testing.assert_allclose(xyz[:4], offline[:4], atol=1e-5)  # up to the middle of the first window
    monkeypatch.setattr("poselift.prepare.window.FEWEST_BLENDED", 99)
    raw = lift(keypoints, lifter, repair=False, check=False).xyz[: len(xyz)]
    np.testing.assert_allclose(xyz[15::9], raw[15::9], atol=1e-5)  # the last third of each window
    assert np.linalg.norm(xyz - offline, axis=-1).mean() < 0.02
    assert accelerations(xyz[20:]) < 1.1 * accelerations(offline[20:])
    assert accelerations(xyz[20:]) < 0.7 * accelerations(raw[20:])


def test_other_parts_follow_on_too(weights, walk):
    lifter = weights["mocap27-81"]
    poses = [pose for pose in pushed(pl.LiveLifter(lifter, delay_s=0.9), walk(120)) if pose is not None]
    assert poses[0].start_s == 0
    up = np.concatenate([pose.up for pose in poses])
    np.testing.assert_allclose(np.linalg.norm(up, axis=-1), 1, atol=1e-5)
    assert min(pose.spread.min() for pose in poses) >= 0
    assert all(0 <= pose.contact.min() and pose.contact.max() <= 1 for pose in poses)


def test_another_rate_is_resampled_as_for_a_clip(weights, walk):
    keypoints = walk(100, fps=30.0)
    live = pl.LiveLifter(weights["mocap-live"], delay_s=0.24)
    poses = [pose for pose in pushed(live, keypoints) if pose is not None]
    assert live.delay_s == pytest.approx(0.26)  # one frame of the lifter more, to lie between two
    fifty = pl.lift(resample_keypoints(keypoints, 50.0), weights["mocap-live"], repair=False)
    times_s = np.array([pose.start_s for pose in poses])
    np.testing.assert_allclose(np.diff(times_s), 1 / 30, atol=1e-9)
    before = np.floor(times_s * 50).astype(int)
    share = (times_s * 50 - before)[:, None, None]
    wanted = fifty.xyz[before] * (1 - share) + fifty.xyz[before + 1] * share
    np.testing.assert_allclose(np.concatenate([pose.xyz for pose in poses]), wanted, atol=1e-5)


def test_without_delay_a_pose_is_of_the_very_time_of_its_frame_at_any_rate(weights, walk):
    for fps in (30.0, 120.0):
        live = pl.LiveLifter(weights["mocap-live"])
        poses = pushed(live, walk(90, fps=fps, missing=0))
        np.testing.assert_allclose([pose.start_s for pose in poses], np.arange(90) / fps)
        moved = np.linalg.norm(np.diff(np.concatenate([pose.xyz for pose in poses[30:]]), axis=0), axis=-1)
        assert np.median(moved) * fps < 3  # metres a second


def test_late_and_repeated_frames_are_ignored_and_counted(weights, walk):
    frames, live = frames_of(walk(10)), pl.LiveLifter(weights["mocap-live"])
    times_s = [0.0, 0.02, 0.02, 0.06, 0.04, 0.08]
    poses = [live.push(frames[i], walk(1).skeleton, t) for i, t in enumerate(times_s)]
    assert [pose is None for pose in poses] == [False, False, True, False, True, False]
    assert (live.counts.frames, live.counts.repeated, live.counts.late) == (4, 1, 1)


def test_dropped_frames_are_bridged(weights, walk):
    keypoints = walk(150, missing=0)
    whole = pushed(pl.LiveLifter(weights["mocap-live"]), keypoints)
    kept = np.flatnonzero(np.random.default_rng(1).random(150) > 0.2)
    live, frames = pl.LiveLifter(weights["mocap-live"]), frames_of(keypoints)
    poses = {int(i): live.push(frames[i], keypoints.skeleton, i / 50) for i in kept}
    assert not any(pose.gap[0] for pose in poses.values())
    apart = [np.linalg.norm(poses[int(i)].xyz - whole[i].xyz, axis=-1).mean() for i in kept if i > 90]
    assert max(apart) < 0.02


def test_what_is_far_from_any_sighting_is_a_gap(weights, walk):
    keypoints = walk(120, missing=0)
    frames = frames_of(keypoints)
    frames[60:90, :, 2] = 0
    for delay_s in (0.0, 0.24):
        live = pl.LiveLifter(weights["mocap-live"], delay_s=delay_s)
        poses = [live.push(frame, keypoints.skeleton, i / 50) for i, frame in enumerate(frames)]
        gaps = {round(pose.start_s * 50): bool(pose.gap[0]) for pose in poses if pose is not None}
        unseen = {round(pose.start_s * 50) for pose in poses if pose is not None and not pose.observed.any()}
        assert unseen == set(range(60, 90))
        assert {frame for frame, gap in gaps.items() if gap} == (
            set(range(72, 90)) if delay_s == 0 else set(range(72, 78))
        )


def test_frames_between_two_that_are_far_apart_are_not_seen(weights, walk):
    keypoints = walk(120, missing=0)
    live, frames = pl.LiveLifter(weights["mocap-live"], delay_s=0.24), frames_of(keypoints)
    poses = [live.push(frames[i], keypoints.skeleton, i / 50) for i in (*range(40), *range(70, 120))]
    assert live.counts.people == 1
    assert all(pose is None or np.isfinite(pose.xyz).all() for pose in poses)
    shown = [pose for pose in poses if pose is not None and 0.8 <= pose.start_s < 1.39]
    assert shown
    assert not any(pose.observed.any() for pose in shown)


def test_after_a_long_pause_the_stream_starts_afresh(weights, walk):
    keypoints = walk(100, missing=0)
    live = pl.LiveLifter(weights["mocap-live"], delay_s=0.24)
    first = pushed(live, keypoints)
    again = pushed(live, keypoints, 100 + np.arange(100) / 50)
    assert again[:12] == [None] * 12
    np.testing.assert_allclose(again[50].xyz, first[50].xyz, atol=1e-5)
    assert again[50].start_s == pytest.approx(100.76)


def test_nobody_gives_nothing_until_somebody_is_seen(weights, walk):
    keypoints = walk(30, missing=0)
    live, nobody = pl.LiveLifter(weights["mocap-live"]), np.full((len(keypoints.skeleton), 3), np.nan)
    assert live.push(nobody, keypoints.skeleton, -1.0) is None
    assert live.push(frames_of(keypoints)[0], keypoints.skeleton, 0.0) is not None


def test_a_pelvis_that_turns_in_a_frame_is_doubtful(walk, fake_lifter):
    keypoints = walk(60, missing=0)
    frames = frames_of(keypoints)
    frames[40:] = frames[40:][:, list(keypoints.skeleton.flipped)]
    live = pl.LiveLifter(fake_lifter(out_frames=(8,)))
    poses = [live.push(frame, keypoints.skeleton, i / 50) for i, frame in enumerate(frames)]
    hips = list(pl.H36M_17.indices(("left_hip", "right_hip")))
    assert [i for i, pose in enumerate(poses) if not pose.observed[0, hips].any()] == [40]


def test_weights_that_look_ahead_need_the_delay_for_it(weights):
    with pytest.raises(CheckpointError, match=r"look 0.72 s ahead.*--delay 0.72"):
        pl.LiveLifter(weights["mocap-81"])
    live = pl.LiveLifter(weights["mocap-81"], delay_s=0.75)
    assert live.delay_s == 0.72  # a window a push, as the blocks need 0.96


@pytest.mark.parametrize(
    ("delay_s", "name", "real_s"),
    [
        (0.0, "mocap27-live", 0.0),
        (0.1, "mocap27-live", 0.0),
        (0.3, "mocap27-live", 0.24),
        (1.0, "mocap27-81", 0.96),
        (3, "mocap27-243", 2.58),
    ],
)
def test_the_weights_follow_from_the_delay(delay_s, name, real_s):
    live = pl.LiveLifter(delay_s=delay_s)
    assert live.lifter.card.name == f"nanohtnet.{name}"
    assert live.delay_s == pytest.approx(real_s)


def test_wrong_arguments_say_what_to_do(weights, walk):
    frame, skeleton = frames_of(walk(1))[0], walk(1).skeleton
    live = pl.LiveLifter(weights["mocap-live"])
    with pytest.raises(ShapeError, match="wanted a delay of 0 seconds or more"):
        pl.LiveLifter(delay_s=-1)
    with pytest.raises(ShapeError, match="wanted keypoints of shape"):
        live.push(frame[:, :2], skeleton, 0.0)
    with pytest.raises(ShapeError, match="wanted the time of a frame"):
        live.push(frame, skeleton, float("nan"))
    live.push(frame, skeleton, 1.0)
    with pytest.raises(SkeletonError, match="began with"):
        live.push(np.zeros((25, 3)), pl.BODY_25, 2.0)
    with pytest.raises(ShapeError, match="wanted people of shape"):
        live.push_people(frame, skeleton, 2.0)
    screen = Screen()
    with pytest.raises(FormatError, match="give image_size"):
        pl.LiveLifter(screen)
    assert pl.LiveLifter(screen, image_size=(640, 480)).push(frame, skeleton, 0.0) is not None


def test_scores_are_divided_by_their_median_so_far():
    scores = np.random.default_rng(0).random((50, 17), np.float32)
    median = RunningMedian(17)
    for frame in scores:
        median.add(frame)
    np.testing.assert_allclose(np.minimum(scores[:10] / np.median(scores[:10]), 1), calibrate(scores[:10]), rtol=1e-6)
    assert abs(median.value - np.median(scores)) < 0.02


def test_people_keep_their_streams_leave_and_return(weights, walk):
    one, other = walk(170, missing=0), walk(170, missing=0, seed=1)
    left, right = frames_of(one), frames_of(other) + np.array([900, 0, 0], np.float32)
    live, alone = pl.LiveLifter(weights["mocap-live"]), pl.LiveLifter(weights["mocap-live"])
    seen = {}
    for i in range(170):
        people = [left[i]] if 40 <= i < 130 else [right[i], left[i]] if i % 2 else [left[i], right[i]]
        poses = live.push_people(np.stack(people), one.skeleton, i / 50)
        seen[i] = {pose.person: pose for pose in poses}
        pose = alone.push(left[i], one.skeleton, i / 50)
        np.testing.assert_allclose(seen[i][1 if 1 in seen[i] else 2].xyz.shape, pose.xyz.shape)
    assert set(seen[0]) == {1, 2}
    assert set(seen[50]) == {1, 2}  # lifted on for a quarter of a second
    assert set(seen[100]) == {1}
    assert not seen[50][2].observed.any()
    assert set(seen[169]) == {1, 3}
    np.testing.assert_allclose(seen[169][1].xyz, pose.xyz, atol=1e-5)
    assert live.counts.people == 3


def test_an_empty_frame_has_nobody(weights, walk):
    live = pl.LiveLifter(weights["mocap-live"])
    assert live.push_people(np.zeros((0, 17, 3)), pl.COCO_17, 0.0) == ()
    assert live.push_people([], pl.COCO_17, 0.02) == ()
    assert live.push_people([], pl.COCO_17, 0.01) == ()
    assert live.counts.late == 1


def test_memory_does_not_grow(walk):
    import tracemalloc

    class Still:
        skeleton, in_frames, out_frames, fps, in_channels = pl.H36M_17, 9, (8,), 50.0, 3

        def __call__(self, windows):
            return np.zeros((len(windows), 1, 17, 3), np.float32)

    frames, live = frames_of(walk(60, missing=0)), pl.LiveLifter(Still())
    skeleton = walk(1).skeleton
    sizes = []
    tracemalloc.start()
    try:
        for i in range(1000):
            away = (i // 60) % 2  # somebody comes and goes, with a new number each time
            people = np.stack([frames[i % 60], frames[i % 60] + np.array([900, 0, 0], np.float32)][: 2 - away])
            live.push_people(people, skeleton, i / 50)
            if i in (400, 999):
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert live.counts.people > 6
    assert sizes[1] - sizes[0] < 100_000


def test_several_people_go_through_the_network_together(weights, walk):
    lifter, calls = weights["mocap27-81"], []

    class Counting(Newest):
        def __call__(self, windows):
            calls.append(len(windows))
            return super().__call__(windows)

    together, keypoints = pl.LiveLifter(Counting(lifter)), walk(60)
    alone = [pl.LiveLifter(Counting(lifter)) for _ in range(4)]
    for number, frame in enumerate(frames_of(keypoints)):
        everybody = frame[None] + np.arange(4)[:, None, None] * np.array([900, 0, 0], np.float32)
        poses = together.push_people(everybody, keypoints.skeleton, number / 50)
        assert calls.pop() == len(poses) == 4 and not calls
        for pose, one, person in zip(poses, alone, everybody, strict=True):
            wanted = one.push(person, keypoints.skeleton, number / 50)
            np.testing.assert_allclose(pose.xyz, wanted.xyz, atol=1e-5)
        calls.clear()


def test_people_in_the_world_share_its_floor(weights, walk):
    live = pl.LiveLifter(weights["mocap27-81"], delay_s=0.9, image_size=(1920, 1080), world=True)
    keypoints = walk(70, missing=0)
    for number, frame in enumerate(frames_of(keypoints)):
        everybody = frame[None] + np.array([[[0, 0, 0]], [[600, 0, 0]]], np.float32)
        poses = live.push_people(everybody, keypoints.skeleton, number / 50)
    assert [pose.frame for pose in poses] == ["world"] * 2
    assert poses[0].camera is poses[1].camera
    assert poses[1].path[0, 0] > poses[0].path[0, 0] + 0.3  # to the right of the other
    assert all(np.abs(pose.xyz[0] + pose.path[0])[:, 2].max() < 3 for pose in poses)
    before = live.room
    live.resize((1280, 720))
    assert live.room is not before
    assert live.push_people(everybody, keypoints.skeleton, 1.4) == ()  # the stream begins anew


def test_a_detector_that_loses_the_person_for_moments_makes_nobody_new_of_it(weights, shared):
    """Frame by frame there are three people of the seated man with OpenPose, eleven with AlphaPose; two walking men."""
    seen = {}
    for name in ("keraal_ctk.npz", "pose2sim_cams_1_3.npz"):
        for view, keypoints in Recording(shared / "data" / name).people.items():
            live = pl.LiveLifter(weights["mocap-live"])
            for number, frame in enumerate(frames_of(keypoints)):
                live.push_people(frame[None], keypoints.skeleton, number / keypoints.fps)
            seen[view] = live.counts.people
            assert (live.counts.left_out > 0) == (view in ("0 COCO_17", "0 COCO_18", "1"))
    assert seen.pop("0 COCO_17") <= 3
    assert set(seen.values()) == {1}
