from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift import lift as package_lift
from poselift.errors import CheckpointError, DetectionError, FormatError, ShapeError, SkeletonError
from poselift.geometry.camera import Camera
from poselift.lifters.load import shipped_lifters
from poselift.lifting import BATCH, doubtful_pelvis, faults_in, lift
from poselift.prepare.feed import Feed
from poselift.prepare.normalize import SCREEN
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import COCO_17, H36M_17, Skeleton

RNG = np.random.default_rng(0)
BODY = RNG.uniform(100, 500, (17, 2))
contracts = st.sampled_from([(1, (0,)), (9, (4,)), (9, tuple(range(9))), (27, (12, 13, 14)), (81, (40,))])


def counted(frames: int, fps: float, step: float) -> Keypoints2D:
    """A person all of whose joints but the pelvis move right by `step` pixels a frame, in a picture of 2000 by 2000."""
    xy = np.tile(BODY, (frames, 1, 1))
    xy[:, 1:, 0] += step * np.arange(frames)[:, None]
    return Keypoints2D(xy, None, H36M_17, fps, (2000, 2000))


def counting(lifter):
    """The fake lifter that is fed places in the picture, so that its answer says which frame went in."""
    lifter.normalization = SCREEN
    return lifter


def frame_numbers(poses, step: float) -> np.ndarray:
    """Which source frame each pose was made of."""
    return (poses.xyz[:, 1:, 0] - (BODY[1:, 0] - BODY[0, 0]) / 1000) * 1000 / step


@given(st.integers(1, 200), contracts)
def test_pose_k_is_made_of_frame_k(fake_lifter, frames, contract):
    lifter = fake_lifter(in_frames=contract[0], out_frames=contract[1])
    poses = lift(counted(frames, 50.0, 4), counting(lifter))
    assert (len(poses), poses.fps, poses.skeleton) == (frames, 50.0, H36M_17)
    np.testing.assert_allclose(frame_numbers(poses, 4), np.tile(np.arange(frames)[:, None], 16), atol=1e-3)


@given(st.integers(2, 150), st.sampled_from([24.0, 25.0, 30000 / 1001, 30.0, 60.0, 120.0, 240.0]), contracts)
def test_pose_k_is_made_of_the_time_of_frame_k_at_any_rate(fake_lifter, frames, fps, contract):
    poses = lift(counted(frames, fps, 5), counting(fake_lifter(in_frames=contract[0], out_frames=contract[1])))
    assert (len(poses), poses.fps) == (frames, fps)
    last = np.floor((frames - 1) * 50 / fps + 1e-6) * fps / 50  # the time of the last 50 Hz frame; then poses are held
    expected = np.minimum(np.arange(frames), last)
    np.testing.assert_allclose(frame_numbers(poses, 5), np.tile(expected[:, None], 16), atol=2e-3)


def test_a_lifter_of_the_benchmarks_sees_places_in_the_picture(fake_lifter):
    lifter = fake_lifter(in_frames=1, out_frames=(0,), in_channels=2)
    lifter.normalization = "screen"
    keypoints = Keypoints2D(BODY[None], None, H36M_17, 50.0, (1000, 500))
    poses = lift(keypoints, lifter)
    np.testing.assert_allclose(lifter.calls[0][0, 0], BODY / 500 - (1, 0.5), atol=1e-6)
    np.testing.assert_allclose(poses.xyz[0, :, :2], (BODY - BODY[H36M_17.root]) / 500, atol=1e-6)
    with pytest.raises(FormatError, match="picture's size"):
        lift(Keypoints2D(BODY[None], None, H36M_17, 50.0), lifter)


def test_a_lifter_of_single_frames_gets_the_poses_between(fake_lifter, stroll):
    """Frames that show nobody are nothing to a network that sees no other; a longer window knows its neighbours."""
    keypoints = stroll(frames=60, fps=50.0).keypoints
    xy = keypoints.xy.copy()
    xy[[0, 20, 21, 22, 59]] = np.nan
    gaps = replace(keypoints, xy=xy)

    class Trusting(fake_lifter):
        """Gives nothing but the root of what was not seen."""

        def __call__(self, windows):
            return super().__call__(windows) * windows[:, list(self.out_frames), :, 2:]

    single = Trusting(in_frames=1, out_frames=(0,))
    whole, filled = lift(keypoints, single, check=False).xyz, lift(gaps, single, check=False)
    assert filled.unseen == [(0, 0), (20, 22), (59, 59)]
    np.testing.assert_allclose(filled.xyz[21], (whole[19] + whole[23]) / 2, atol=1e-6)
    np.testing.assert_allclose(filled.xyz[[0, 59]], whole[[1, 58]], atol=1e-6)
    np.testing.assert_allclose(filled.xyz[30:58], whole[30:58], atol=1e-6)
    assert np.abs(filled.xyz[21]).max() > 0.5
    assert not lift(gaps, Trusting(), check=False).xyz[21].any()  # the network of a longer window answers by itself


def test_nearly_equal_rates_are_not_resampled(fake_lifter):
    poses = lift(counted(40, 30000 / 1001, 10), counting(fake_lifter(fps=30.0)))
    assert poses.fps == 30000 / 1001
    np.testing.assert_allclose(frame_numbers(poses, 10)[:, 0], np.arange(40), atol=1e-4)


def test_the_lifter_sees_normalised_windows_with_places_outside_unseen(fake_lifter):
    xy = BODY + RNG.normal(size=(3, 17, 2))
    lifter = fake_lifter(in_frames=5, out_frames=(2,))
    poses = lift(Keypoints2D(xy, np.full((3, 17), 0.8), H36M_17, 50.0), lifter)
    (windows,) = lifter.calls
    inside = np.array([[0, 0, 1, 1, 1], [0, 1, 1, 1, 0], [1, 1, 1, 0, 0]])
    np.testing.assert_allclose(windows[..., 2], np.tile(1.0 * inside[..., None], 17), atol=1e-6)
    held = np.array([[0, 0, 0, 1, 2], [0, 0, 1, 2, 2], [0, 1, 2, 2, 2]])
    clip = np.concatenate([xy, np.ones((3, 17, 1))], -1, dtype=np.float32)
    expected = Feed(H36M_17, 3).windows(clip[held], inside > 0)
    np.testing.assert_allclose(windows, expected, atol=1e-5)
    assert (poses.xyz[:, H36M_17.root] == 0).all()
    np.testing.assert_allclose(poses.xyz[..., :2], (expected[:, 2] - expected[:, 2, :1])[..., :2], atol=1e-5)


def test_confidence_above_one_is_cut_and_two_channels_are_served(fake_lifter):
    keypoints = Keypoints2D(np.tile(BODY, (4, 1, 1)), np.full((4, 17), 1.5), H36M_17, 50.0)
    lifter = fake_lifter()
    lift(keypoints, lifter)
    assert lifter.calls[0][..., 2].max() == 1
    assert (lift(keypoints, fake_lifter(in_channels=2)).xyz[..., 2] == 0).all()


def test_flip_average_by_hand(fake_lifter):
    """A lifter that puts the left wrist one metre too far right; mirrored, it does so to the right wrist, leftwards."""

    class Biased(fake_lifter):
        def __call__(self, windows):
            joints = super().__call__(windows).copy()
            joints[:, :, self.skeleton.index("left_wrist"), 0] += 1
            return joints

    keypoints = Keypoints2D(BODY + RNG.normal(size=(20, 17, 2)), None, H36M_17, 50.0)
    plain = lift(keypoints, fake_lifter()).xyz
    averaged = lift(keypoints, Biased(), flip_average=True).xyz
    expected = plain.copy()
    expected[:, H36M_17.index("left_wrist"), 0] += 0.5
    expected[:, H36M_17.index("right_wrist"), 0] -= 0.5
    np.testing.assert_allclose(averaged, expected, atol=1e-5)


def test_a_lifter_that_keeps_mirror_images_is_unchanged_by_averaging(fake_lifter):
    keypoints = Keypoints2D(BODY + RNG.normal(size=(20, 17, 2)), None, COCO_17, 30.0)
    np.testing.assert_allclose(
        lift(keypoints, fake_lifter(), flip_average=True).xyz, lift(keypoints, fake_lifter()).xyz, atol=1e-5
    )


@given(st.integers(0, 1000), st.floats(0.0, 0.95), st.integers(1, 40))
def test_missing_joints_and_frames_never_break_it(fake_lifter, seed, share, frames):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 500, (frames, 17, 2))
    xy[rng.random((frames, 17)) < share] = np.nan
    xy[0, 5] = 100  # somebody is there
    poses = lift(Keypoints2D(xy, None, H36M_17, 30.0), fake_lifter())
    assert len(poses) == frames
    assert (poses.xyz[:, 0] == 0).all()


def test_unseen_places_do_not_matter(fake_lifter):
    keypoints = counted(20, 50.0, 1)
    keypoints = keypoints.with_frames(keypoints.xy, np.ones((20, 17)), 50.0)
    keypoints.confidence[5:9, 3] = 0
    wild = keypoints.xy.copy()
    wild[5:9, 3] = [np.nan, 1e6]
    other = keypoints.with_frames(wild, keypoints.confidence, 50.0)
    np.testing.assert_array_equal(lift(other, fake_lifter()).xyz, lift(keypoints, fake_lifter()).xyz)


@pytest.mark.parametrize("confidence", [None, np.ones((6, 17)), np.zeros((6, 17))])
def test_nobody_is_an_error(fake_lifter, confidence):
    xy = np.full((6, 17, 2), np.nan) if confidence is None or confidence.any() else np.ones((6, 17, 2))
    with pytest.raises(DetectionError, match="no joint was seen in any frame"):
        lift(Keypoints2D(xy, confidence, COCO_17, 30.0), fake_lifter())


def test_ten_thousand_frames_come_in_bounded_batches_and_tell_progress(fake_lifter):
    lifter = fake_lifter(out_frames=(3, 4, 5))
    seen = []
    poses = lift(counted(10_000, 50.0, 0.5), counting(lifter), progress=lambda done, total: seen.append((done, total)))
    np.testing.assert_allclose(frame_numbers(poses, 0.5)[:, 0], np.arange(10_000), atol=0.01)
    assert max(len(windows) for windows in lifter.calls) == BATCH
    assert len(lifter.calls) == -(-10_000 // (3 * BATCH)) == len(seen)
    assert seen[0] == (3 * BATCH, 10_000)
    assert seen[-1] == (10_000, 10_000)
    assert sorted(seen) == seen


@pytest.mark.parametrize("fps", [1.0, 30.0, 50.0, 1000.0])
def test_one_frame(fake_lifter, fps):
    poses = lift(counted(1, fps, 1), fake_lifter(in_frames=27, out_frames=(13,)))
    assert (len(poses), poses.fps) == (1, fps)
    assert np.abs(poses.xyz[..., :2]).max() > 0.1


def test_other_skeletons_are_converted(fake_lifter):
    poses = lift(Keypoints2D(np.tile(BODY, (5, 1, 1)), None, COCO_17, 50.0), fake_lifter())
    assert poses.skeleton is H36M_17
    hand = Skeleton("HAND", ("left_wrist", "left_thumb"), (-1, 0))
    with pytest.raises(SkeletonError, match="HAND cannot be converted to H36M_17"):
        lift(Keypoints2D(np.ones((5, 2, 2)), None, hand, 50.0), fake_lifter())


@pytest.mark.parametrize("frames", [1, 3])
def test_a_lifter_that_yields_another_shape_is_refused(fake_lifter, frames):
    class Wrong(fake_lifter):
        def __call__(self, windows):
            return np.zeros((len(windows), frames, 17, 3), np.float32)

    with pytest.raises(
        ShapeError, match=rf"wanted finite joints \(7, 2, 17, 3\) from Wrong, got \(7, {frames}, 17, 3\)"
    ):
        lift(counted(14, 50.0, 1), Wrong(out_frames=(4, 5)))


def test_a_lifter_that_yields_no_numbers_is_refused(fake_lifter):
    class Wrong(fake_lifter):
        def __call__(self, windows):
            return np.full((len(windows), 1, 17, 3), np.nan, np.float32)

    with pytest.raises(ShapeError, match="NaN"):
        lift(counted(14, 50.0, 1), Wrong())


def test_what_is_no_lifter_is_refused():
    with pytest.raises(SkeletonError, match="is no lifter: it lacks"):
        lift(counted(5, 50.0, 1), lambda windows: windows)


def test_the_default_is_the_shipped_one(monkeypatch, fake_lifter):
    asked = []
    monkeypatch.setattr(
        "poselift.lifting.load_lifter", lambda *name, **clip: asked.append((*name, clip)) or fake_lifter()
    )
    assert len(package_lift(counted(5, 50.0, 1))) == 5
    assert asked == [("auto", {"fps": 50.0, "length": 5})]
    monkeypatch.undo()
    if shipped_lifters():
        assert len(package_lift(counted(5, 50.0, 1))) == 5
    else:
        with pytest.raises(CheckpointError):
            package_lift(counted(5, 50.0, 1))


def test_the_scale_of_the_scores_does_not_matter(fake_lifter):
    sure = Keypoints2D(BODY + RNG.normal(size=(20, 17, 2)), RNG.uniform(0.1, 1, (20, 17)), H36M_17, 50.0)
    shy = sure.with_frames(sure.xy, sure.confidence * 0.4, 50.0)
    one, other = fake_lifter(), fake_lifter()
    lift(sure, one)
    lift(shy, other)
    np.testing.assert_allclose(one.calls[0], other.calls[0], atol=1e-5)
    assert one.calls[0][..., 2].max() == 1
    assert (one.calls[0][..., 2] < 1).any()


def test_what_was_observed_of_each_joint_is_said():
    """The calibrated confidence of the keypoints a joint came from, 0 where it is a guess, at the source's rate."""
    scores = np.full((30, 17), 0.5, np.float32)
    scores[:, COCO_17.index("left_wrist")] = 0.2
    scores[4, COCO_17.index("right_hip")] = 0
    keypoints = Keypoints2D(BODY + RNG.normal(size=(30, 17, 2)), scores, COCO_17, 30.0)
    poses = lift(keypoints, Turned())
    assert (poses.observed.shape, poses.observed.dtype) == ((30, 17), np.float32)
    joint = {name: poses.observed[:, number] for number, name in enumerate(H36M_17.joints)}
    np.testing.assert_allclose(joint["left_wrist"], 0.4)
    np.testing.assert_allclose(joint["left_knee"], 1)
    assert joint["right_hip"][4] == joint["pelvis"][4] == 0  # the pelvis needs both hips
    assert (np.delete(joint["pelvis"], 4) == 1).all()


def gone(frames, fps, unseen):
    """A person who is not seen in the frames from unseen[0] to unseen[1]."""
    xy = BODY + RNG.normal(size=(frames, 17, 2))
    xy[unseen[0] : unseen[1] + 1] = np.nan
    return Keypoints2D(xy, None, H36M_17, fps)


@pytest.mark.parametrize(
    ("fps", "unseen", "gaps"),
    [
        (20.0, (40, 60), [(45, 55)]),  # a quarter of a second is five frames
        (40.0, (40, 60), [(50, 50)]),
        (20.0, (40, 49), []),
        (20.0, (0, 60), [(0, 55)]),
        (20.0, (40, 99), [(45, 99)]),
    ],
)
def test_frames_far_from_any_sighting_are_gaps(fps, unseen, gaps):
    poses = lift(gone(100, fps, unseen), Turned())
    assert (poses.gaps, poses.unseen, len(poses)) == (gaps, [unseen], 100)
    filled = lift(gone(100, fps, unseen), Turned(), gaps="fill")
    assert filled.gap is None and filled.unseen == [unseen]


class Turned:
    """A person-scale lifter that knows one pose, in the axes of a camera turned to the person."""

    skeleton, in_frames, out_frames, fps, in_channels = H36M_17, 9, (3, 4, 5), 50.0, 3
    pose = np.random.default_rng(3).normal(size=(17, 3)) * np.arange(17)[:, None] / 17

    def __call__(self, windows):
        return np.broadcast_to(self.pose, (len(windows), 3, 17, 3)).astype(np.float32)


def aside(degrees, camera, frames=20):
    """Keypoints of somebody whose pelvis is so many degrees right of where the camera looks."""
    pelvis = camera.K[:2, 2] + [camera.K[0, 0] * np.tan(np.deg2rad(degrees)), 0]
    return Keypoints2D(np.tile(BODY - BODY[0] + pelvis, (frames, 1, 1)), None, H36M_17, 50.0, (1000, 1000))


def test_the_frame_is_a_fact_and_can_be_turned_into_the_camera_s():
    """What is straight ahead of a turned camera is 25 degrees to the right of one that is not."""
    camera = Camera.from_focal(1000, (1000, 1000))
    keypoints = aside(25, camera)
    poses = lift(keypoints, Turned())
    assert (poses.frame, poses.camera) == ("turned_camera", None)
    np.testing.assert_allclose(poses.xyz[7], Turned.pose, atol=1e-6)
    turned = lift(keypoints, Turned(), frame="camera", camera=camera)
    assert (turned.frame, turned.camera) == ("camera", camera)
    cos, sin = np.cos(np.deg2rad(25)), np.sin(np.deg2rad(25))
    x, y, z = Turned.pose.T
    np.testing.assert_allclose(turned.xyz[7], np.stack([cos * x + sin * z, y, cos * z - sin * x], -1), atol=1e-3)
    assert np.linalg.norm(turned.xyz[7] - poses.xyz[7], axis=-1).mean() > 0.1


def test_a_lifter_of_the_camera_s_own_frame_is_turned_the_other_way():
    camera = Camera.from_focal(1000, (1000, 1000))
    own = Turned()
    own.normalization = SCREEN
    assert lift(aside(25, camera), own).frame == "camera"
    there = lift(aside(25, camera), own, frame="turned_camera", camera=camera)
    back = Turned()
    back.pose = there.xyz[7].astype(np.float64)
    again = lift(aside(25, camera), back, frame="camera", camera=camera)
    np.testing.assert_allclose(again.xyz[7], Turned.pose, atol=1e-3)


def test_another_frame_needs_a_camera_and_a_name_that_there_is():
    keypoints = aside(10, Camera.from_focal(1000, (1000, 1000)))
    assert lift(keypoints, Turned(), frame="turned_camera").frame == "turned_camera"
    with pytest.raises(FormatError, match="in the frame turned_camera; to turn that into camera, give the camera"):
        lift(keypoints, Turned(), frame="camera")
    with pytest.raises(FormatError, match="wanted the frame camera or turned_camera, got 'world'"):
        lift(keypoints, Turned(), frame="world")


def logged(caplog) -> list[tuple[str, str]]:
    """Level and check of what lifting said."""
    said = [(record.levelname, record.message.partition(":")[0]) for record in caplog.records]
    caplog.clear()
    return said


def test_lifting_logs_what_the_checks_find_unless_they_are_off(fake_lifter, stroll, caplog):
    upright = stroll().keypoints
    upside_down = replace(upright, xy=(0, 1000) + upright.xy * (1, -1))
    lying = replace(upright, xy=upright.xy[..., ::-1])
    for keypoints, said in ((upright, []), (upside_down, [("ERROR", "up")]), (lying, [("WARNING", "up")])):
        poses = lift(keypoints, fake_lifter())
        assert logged(caplog) == said
        unchecked = lift(keypoints, fake_lifter(), check=False)
        assert logged(caplog) == []
        np.testing.assert_array_equal(poses.xyz, unchecked.xyz)
    lift(upside_down, fake_lifter())
    assert "y points up" in caplog.text and "advice: turn y down: `xy[..., 1] = height - xy[..., 1]`" in caplog.text


def test_a_pelvis_that_turns_round_in_a_frame_is_marked():
    xyz = np.zeros((40, 17, 3), np.float32)
    left, right = H36M_17.indices(("left_hip", "right_hip"))
    xyz[:, left, 0], xyz[:, right, 0] = 0.1, -0.1
    assert not doubtful_pelvis(Poses3D(xyz, H36M_17, 30.0)).any()
    xyz[20:, [left, right]] *= -1
    assert np.flatnonzero(doubtful_pelvis(Poses3D(xyz, H36M_17, 30.0))).tolist() == [19, 20]
    assert not doubtful_pelvis(Poses3D(xyz, H36M_17, 5.0)).any(), "somebody turns round in a fifth of a second"
    xyz[30, [left, right]] *= 0.1  # hips of 2 cm
    assert np.flatnonzero(doubtful_pelvis(Poses3D(xyz, H36M_17, 30.0))).tolist() == [19, 20, 30]


def within(keypoints, others, frames):
    """The keypoints, with those of `others` in some frames."""
    xy = keypoints.xy.copy()
    xy[list(frames)] = others.xy[list(frames)]
    return keypoints.with_frames(xy, keypoints.confidence, keypoints.fps)


def test_hips_that_cannot_be_right_count_as_not_observed(fake_lifter, stroll, exchanged, caplog):
    """Exchanged for longer than is put back: the pelvis turns round at both ends."""
    keypoints = stroll(frames=500, turn_deg=0.0, noise=0.0).keypoints
    wrong = within(keypoints, exchanged(keypoints), range(125, 375))
    lifter = fake_lifter(in_channels=3)
    poses = lift(wrong, lifter)
    doubtful = doubtful_pelvis(poses)
    hips = list(H36M_17.indices(("left_hip", "right_hip")))
    assert doubtful.any() and not poses.observed[np.ix_(doubtful, hips)].any()
    assert "the hips are marked as not observed" in caplog.text
    assert (poses.observed[~doubtful][:, hips] > 0).all()


def test_what_is_shown_is_what_was_lifted(stroll, exchanged):
    keypoints = stroll(frames=100, turn_deg=0.0, noise=0.0).keypoints
    wrong = within(keypoints, exchanged(keypoints), range(40, 46))
    shown = faults_in(wrong, H36M_17).mended(wrong)
    assert shown.skeleton is keypoints.skeleton
    assert not np.array_equal(wrong.xy, keypoints.xy)
    limbs = [joint for joint, name in enumerate(keypoints.skeleton.joints) if name.endswith(("wrist", "knee", "hip"))]
    np.testing.assert_array_equal(shown.xy[:, limbs], keypoints.xy[:, limbs])


def test_who_and_when_are_handed_on(fake_lifter, stroll):
    keypoints = replace(stroll(frames=20).keypoints, start_s=12.5, person=3, may_continue=(1,))
    poses = lift(keypoints, fake_lifter(), check=False)
    assert (poses.start_s, poses.person, poses.may_continue) == (12.5, 3, (1,))
