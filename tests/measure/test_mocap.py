import dataclasses
import json

import numpy as np
import pytest

from poselift.datasets.clip import MocapClip
from poselift.errors import DatasetError, RecipeError
from poselift.formats.order import _FIGURE
from poselift.measure.mocap import METRICS, MocapProtocol, clip_cameras, evaluate_mocap, exact_keypoints
from poselift.measure.scores import Scores
from poselift.sequence import Keypoints2D
from poselift.skeleton import H36M_17, HUMANEVA_15

FIGURE = np.array([(_FIGURE[name][0], 0, _FIGURE[name][1]) for name in H36M_17.joints]) * 1.7  # facing along y, z up
TWO = MocapProtocol(cameras=2)


def walk(name: str, subject: str = "a", frames: int = 12, fps: float = 50.0, speed: float = 0.02) -> MocapClip:
    """A figure that drifts, turns and trembles."""
    rng = np.random.default_rng(len(name))
    angle = 0.05 * np.arange(frames)
    c, s, zero = np.cos(angle), np.sin(angle), np.zeros(frames)
    turn = np.array([[c, -s, zero], [s, c, zero], [zero, zero, zero + 1]]).transpose(2, 0, 1)
    xyz = np.einsum("tij,kj->tki", turn, FIGURE) + rng.normal(0, 0.01, (frames, 17, 3)) + (3, -2, 1)
    xyz[..., 0] += speed * np.arange(frames)[:, None]
    return MocapClip(name, subject, xyz.astype(np.float32), H36M_17, fps)


CLIPS = [walk("first"), walk("second one", "b", frames=20)]


def truth(clips: list[MocapClip], protocol: MocapProtocol) -> np.ndarray:
    """Root-relative joints in camera axes, clip by clip and camera by camera."""
    seen = [camera.to_camera(clip.xyz) for clip in clips for camera in clip_cameras(clip, protocol)]
    return np.concatenate([xyz - xyz[:, :1] for xyz in seen])


class Oracle:
    """A lifter that is given what to answer: `answers` (frames, 17, 3), one frame after the other."""

    skeleton, in_frames, out_frames, fps, in_channels = H36M_17, 1, (0,), 50.0, 2

    def __init__(self, answers: np.ndarray) -> None:
        self.answers, self.place = answers.astype(np.float32), 0

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        self.place += len(windows)
        return self.answers[self.place - len(windows) : self.place, None]


@pytest.mark.parametrize("clip", [*CLIPS, walk("runs", speed=0.2), walk("far away", frames=200, speed=0.1)])
def test_cameras_see_the_whole_person_and_aim_at_the_middle(clip):
    cameras = clip_cameras(clip, MocapProtocol())
    assert len(cameras) == 4
    middle = clip.xyz[:, 0].mean(0)
    for camera in cameras:
        np.testing.assert_allclose(camera.project(middle), [500, 500], atol=0.1)
        assert camera.to_camera(clip.xyz)[..., 2].min() > 1
        upright = camera.project(middle + (0, 0, 0.5)) - camera.project(middle)
        assert upright[1] < 0  # the world's up is up in the picture, within the roll of two deviations
        assert abs(np.degrees(np.arctan2(upright[0], -upright[1]))) <= 6.01


def test_cameras_keep_the_protocol_s_ranges():
    protocol = MocapProtocol(cameras=40, elevation_deg=(5.0, 10.0), distance=(3.0, 4.0), roll_deg=0.0)
    clip = walk("still", frames=5, speed=0)
    middle = clip.xyz[:, 0].mean(0)
    away = np.array([camera.to_world(np.zeros(3)) - middle for camera in clip_cameras(clip, protocol)])
    distance = np.linalg.norm(away, axis=-1)
    reach = np.linalg.norm(clip.xyz - middle, axis=-1).max()
    assert 3 <= distance.min() < distance.max() <= 4 + max(reach - 1, 0)
    elevation = np.degrees(np.arcsin(away[:, 2] / distance))
    assert 5 <= elevation.min() < elevation.max() <= 10
    azimuth = np.unwrap(np.arctan2(away[:, 1], away[:, 0]))
    np.testing.assert_allclose(np.diff(azimuth), 2 * np.pi / 40, atol=0.6 * 2 * np.pi / 40 + 1e-6)


def test_cameras_depend_on_the_seed_and_the_name_alone():
    def places(clip, seed):
        return np.array([camera.R for camera in clip_cameras(clip, MocapProtocol(seed=seed))])

    first, second = CLIPS
    renamed = dataclasses.replace(first, name="other")
    assert np.array_equal(places(first, 0), places(first, 0))
    assert not np.array_equal(places(first, 0), places(first, 1))
    assert not np.array_equal(places(first, 0), places(renamed, 0))
    same_name = dataclasses.replace(second, name="first", subject="c")
    assert np.allclose(places(first, 0), places(same_name, 0), atol=1e-6)


def test_exact_keypoints_are_the_projection():
    clip = CLIPS[0]
    camera = clip_cameras(clip, TWO)[1]
    keypoints = exact_keypoints(clip, camera)
    assert (keypoints.skeleton, keypoints.fps, keypoints.image_size) == (H36M_17, 50.0, (1000, 1000))
    assert keypoints.confidence is None
    in_camera = clip.xyz.astype(float) @ camera.R.T + camera.t
    np.testing.assert_allclose(keypoints.xy, 1000 * in_camera[..., :2] / in_camera[..., 2:] + 500, atol=1e-3)


def test_a_perfect_lifter_has_no_error():
    scores = evaluate_mocap(Oracle(truth(CLIPS, TWO)), CLIPS, TWO)
    assert scores.counts == {"sequences": 2, "subjects": 2, "frames": 2 * (12 + 20)}
    assert scores.mean == pytest.approx(dict.fromkeys(METRICS, 0), abs=1e-3)


def test_a_person_ten_percent_too_large():
    right = truth(CLIPS, TWO)
    scores = evaluate_mocap(Oracle(1.1 * right), CLIPS, TWO)
    error = 100 * np.linalg.norm(right, axis=-1)  # mm
    assert scores.mean["mpjpe"] == pytest.approx(error.mean(), abs=0.01)
    assert scores.mean["p_mpjpe"] == pytest.approx(0, abs=0.002)
    assert scores.mean["n_mpjpe"] == pytest.approx(0, abs=0.002)
    clips = np.split(right, [12, 24, 44])
    velocity = np.concatenate([100 * np.linalg.norm(np.diff(clip, axis=0), axis=-1) for clip in clips])
    assert scores.mean["mpjve"] == pytest.approx(velocity.mean(), abs=0.01)
    assert list(scores.per_joint["mpjpe"]) == list(H36M_17.joints)
    assert scores.per_joint["mpjpe"]["pelvis"] == 0
    assert scores.per_joint["mpjpe"]["left_wrist"] == pytest.approx(error.mean(0)[13], abs=0.01)
    assert set(scores.per_subject["mpjpe"]) == {"a", "b"}
    assert scores.per_subject["mpjpe"]["b"] == pytest.approx(error[24:].mean(), abs=0.01)
    assert scores.per_sequence["mpjpe"] == pytest.approx(
        {"a first": error[:24].mean(), "b second one": error[24:].mean()}, abs=0.01
    )


def test_velocities_are_given_at_50_frames_per_second():
    clip = walk("slow", fps=25.0)
    right = truth([clip], TWO)

    class Slow(Oracle):
        fps = 25.0

    scores = evaluate_mocap(Slow(1.1 * right), [clip], TWO)
    velocity = np.concatenate([100 * np.linalg.norm(np.diff(part, axis=0), axis=-1) for part in np.split(right, 2)])
    assert scores.mean["mpjve"] == pytest.approx(velocity.mean() / 2, abs=0.01)


def test_scores_say_what_was_done_and_are_json(fake_lifter):
    scores = evaluate_mocap(fake_lifter(), CLIPS, dataclasses.replace(TWO, seed=5, flip_average=True))
    content = json.loads(json.dumps(scores.as_json(), allow_nan=False))
    assert Scores.from_json(content) == scores
    assert (content["lifter"], content["units"]["mpjve"]) == ("FakeLifter", "mm/frame at 50 fps")
    assert content["choices"] == {
        "every": 1,
        "errors": None,
        "cameras": 2, "seed": 5, "elevation_deg": [-10.0, 35.0], "distance": [2.5, 6.0], "roll_deg": 3.0,
        "flip_average": True, "keypoints": "exact 2D",
    }  # fmt: skip
    assert set(content["mean"]) == set(METRICS)


def test_a_simulated_detector_is_given_each_view_with_its_own_seed(fake_lifter):
    asked = []

    def observe(in_camera, fps, seed):
        asked.append((in_camera, fps, seed))
        return Keypoints2D(in_camera[..., :2] * 100, None, H36M_17, fps)

    observe.description = "a drawing"
    ticks = []
    scores = evaluate_mocap(
        fake_lifter(), CLIPS, TWO, observe=observe, progress=lambda done, total: ticks.append((done, total))
    )
    assert scores.choices["keypoints"] == "a drawing"
    assert len({seed for _, _, seed in asked}) == 4
    assert ticks == [(1, 2), (2, 2)]
    first = asked[0][0]
    np.testing.assert_allclose(first, clip_cameras(CLIPS[0], TWO)[0].to_camera(CLIPS[0].xyz))
    again = list(asked)
    asked.clear()
    evaluate_mocap(fake_lifter(), CLIPS, TWO, observe=observe)
    assert [seed for _, _, seed in asked] == [seed for _, _, seed in again]


def test_what_cannot_be_evaluated_is_refused(fake_lifter):
    with pytest.raises(DatasetError, match="wanted clips of one skeleton, got no clips"):
        evaluate_mocap(fake_lifter(), [], TWO)
    other = dataclasses.replace(CLIPS[0], xyz=CLIPS[0].xyz[:, :15], skeleton=HUMANEVA_15)
    with pytest.raises(DatasetError, match="wanted clips of one skeleton, got H36M_17, HUMANEVA_15"):
        evaluate_mocap(fake_lifter(), [*CLIPS, other], TWO)
    with pytest.raises(DatasetError, match="two frames or more; leave out short"):
        evaluate_mocap(fake_lifter(), [*CLIPS, walk("short", frames=1)], TWO)


def test_a_lifter_of_another_skeleton_is_compared_over_what_both_have():
    """A lifter of HumanEva's joints, 28 mm off at a wrist and wrong about the head, which the clips do not have."""
    right = truth(CLIPS, TWO)
    answers = np.full((len(right), 15, 3), 7.0)
    for joint in set(HUMANEVA_15.joints) - {"head"}:
        answers[:, HUMANEVA_15.index(joint)] = right[:, H36M_17.index(joint)]
    answers[:, HUMANEVA_15.index("left_wrist"), 2] += 0.028

    class Other(Oracle):
        skeleton = HUMANEVA_15

    scores = evaluate_mocap(Other(answers), CLIPS, TWO)
    assert scores.mean["mpjpe"] == pytest.approx((28 + 0) / 15, abs=0.01)
    assert scores.per_joint["mpjpe"]["left_wrist"] == pytest.approx(28, abs=0.01)
    assert "spine as 0.25 left_hip" in scores.choices["joints compared"]
    assert scores.choices["joints left out"] == "nose, head_top of H36M_17; head of HUMANEVA_15"


@pytest.mark.parametrize("wrong", [{"cameras": 0}, {"seed": -1}])
def test_impossible_protocols_are_refused(wrong):
    with pytest.raises(RecipeError, match="cameras >= 1 and seed >= 0"):
        MocapProtocol(**wrong)


def test_every_nth_clip_alone_can_be_measured(fake_lifter):
    clips = [walk(name) for name in ("one", "three", "fourth", "number 5")]
    protocol = MocapProtocol(cameras=1, every=3)
    scores = evaluate_mocap(fake_lifter(), clips, protocol)
    alone = evaluate_mocap(fake_lifter(), [clips[0], clips[3]], MocapProtocol(cameras=1))
    assert (scores.mean, scores.counts["frames"]) == (alone.mean, 24)
    assert scores.choices["every"] == 3
    with pytest.raises(RecipeError, match="every=0"):
        MocapProtocol(every=0)
