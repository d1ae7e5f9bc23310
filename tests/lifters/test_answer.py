"""What a lifter gives besides joints goes the way of the joints, from the network to the clip."""

import numpy as np
import pytest

from poselift.errors import ShapeError
from poselift.geometry.camera import Camera
from poselift.lifters.answer import Answer, ask, join
from poselift.lifting import lift, run_lifter
from poselift.prepare.window import cut
from poselift.sequence import CONTACTS, Keypoints2D
from poselift.skeleton import H36M_17

RNG = np.random.default_rng(0)


def directions(*shape):
    found = RNG.normal(size=(*shape, 3))
    return (found / np.linalg.norm(found, axis=-1, keepdims=True)).astype(np.float32)


def answer(windows=3, frames=4):
    return Answer(
        RNG.normal(size=(windows, frames, 17, 3)).astype(np.float32),
        RNG.uniform(0.01, 0.2, (windows, frames, 17)).astype(np.float32),
        directions(windows, frames),
        RNG.uniform(size=(windows, frames, 4)).astype(np.float32),
    )


class Knowing:
    """Gives one answer to every window, in the axes of a camera turned to the person."""

    skeleton, in_frames, out_frames, fps, in_channels = H36M_17, 9, (3, 4, 5), 50.0, 3

    def __init__(self, **parts):
        parts = {
            "joints": np.zeros((17, 3)),
            "spread": np.full(17, 0.1),
            "up": [0, -1, 0],
            "contact": [1, 0.5, 0, 0],
        } | parts
        self.parts = {name: np.asarray(part, np.float32) for name, part in parts.items()}

    def __call__(self, windows):
        return self.answer(windows)["joints"]

    def answer(self, windows):
        return {name: np.tile(part, (len(windows), 3, *[1] * part.ndim)) for name, part in self.parts.items()}


def person(frames=20, fps=50.0, at=(500, 500)):
    xy = RNG.normal(size=(17, 2)) * 50
    return Keypoints2D(np.tile(xy - xy[0] + at, (frames, 1, 1)), None, H36M_17, fps, (1000, 1000))


def test_the_mirror_image_twice_is_the_answer_itself():
    before = answer()
    once = before.mirrored(H36M_17)
    left, right = (H36M_17.index(f"{side}_wrist") for side in ("left", "right"))
    np.testing.assert_array_equal(once.spread[..., left], before.spread[..., right])
    np.testing.assert_array_equal(once.up, before.up * (-1, 1, 1))
    names = [name.replace("left", "right") for name in CONTACTS[:2]]
    np.testing.assert_array_equal(once.contact[..., :2], before.contact[..., [CONTACTS.index(name) for name in names]])
    twice = once.mirrored(H36M_17)
    for name in ("joints", "spread", "up", "contact"):
        np.testing.assert_array_equal(getattr(twice, name), getattr(before, name))


def test_the_mean_of_two_answers():
    one, other = answer(), answer()
    both = one.averaged(other)
    for name in ("joints", "spread", "contact"):
        np.testing.assert_allclose(getattr(both, name), (getattr(one, name) + getattr(other, name)) / 2, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(both.up, axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(np.cross(both.up, one.up + other.up), 0, atol=1e-6)
    assert one.averaged(Answer(other.joints)).spread is None
    opposite = one.averaged(Answer(one.joints, one.spread, -one.up, one.contact))
    np.testing.assert_array_equal(opposite.up, one.up)


def test_a_mean_is_never_farther_off_than_its_spread_says():
    """The expected length of the mean of two errors is at most the mean of their expected lengths."""
    for shared in (0.0, 0.5, 0.9, 1.0):
        common, one, other = RNG.laplace(size=(3, 100_000, 3))
        errors = [shared * common + (1 - shared) * own for own in (one, other)]
        spreads = [np.linalg.norm(error, axis=-1).mean() for error in errors]
        far = np.linalg.norm(sum(errors) / 2, axis=-1).mean()
        assert far <= sum(spreads) / 2 * 1.001
        assert shared < 1 or far == pytest.approx(sum(spreads) / 2)


def test_up_turns_with_the_joints():
    before = answer()
    wrist = H36M_17.index("left_wrist")
    before.joints[:, :, wrist] = before.up
    matrices = np.linalg.qr(RNG.normal(size=(3, 1, 3, 3)))[0]
    turned = before.turned(matrices)
    np.testing.assert_allclose(turned.up, turned.joints[:, :, wrist], atol=1e-6)
    assert np.abs(turned.up - before.up).max() > 0.1
    assert turned.spread is before.spread and turned.contact is before.contact


def test_stitching_keeps_distances_directions_and_probabilities():
    before = answer(5)
    before.spread[..., 0] = 0
    windows = cut(18, 8, (2, 3, 4, 5))
    clip = join(
        [Answer(*(part[:2] for part in vars(before).values())), Answer(*(part[2:] for part in vars(before).values()))]
    )
    clip = clip.stitched(windows)
    assert clip.spread.shape == (18, 17) and (clip.spread[:, 0] == 0).all() and clip.spread[:, 1:].min() > 0
    np.testing.assert_allclose(np.linalg.norm(clip.up, axis=-1), 1, atol=1e-6)
    assert clip.contact.shape == (18, 4) and clip.contact.min() >= 0 and clip.contact.max() <= 1
    steady = Answer(*(np.repeat(part[:1, :1], 5, 0).repeat(4, 1) for part in vars(before).values())).stitched(windows)
    for name in ("joints", "spread", "up", "contact"):
        np.testing.assert_allclose(getattr(steady, name)[7], getattr(before, name)[0, 0], atol=1e-5)
    alone = Answer(before.joints).stitched(windows)
    assert (alone.spread, alone.up, alone.contact) == (None, None, None)


def test_seams_of_spreads_and_directions_are_closed():
    """Of two windows that disagree, the frames at the seam come nearer to each other, as joints do."""
    up = np.repeat([[[0.0, -1, 0]], [[0.6, -0.8, 0]]], 4, 1)
    spread = np.repeat([[[0.1] * 17], [[0.2] * 17]], 4, 1)
    clip = Answer(np.zeros((2, 4, 17, 3)), spread, up).stitched(cut(8, 8, (2, 3, 4, 5)))
    assert np.abs(np.diff(clip.up, axis=0)).max() < 0.4 and clip.up[0].tolist() == [0, -1, 0]
    assert np.ptp(clip.spread[3:5, 1]) < 0.01 and clip.spread[3, 1] == pytest.approx(0.2**0.5 * 0.1**0.5)


def test_poses_hold_what_the_lifter_gives():
    poses = lift(person(fps=30.0), Knowing())
    assert len(poses) == 20 and poses.spread.shape == (20, 17)
    np.testing.assert_allclose(poses.spread, 0.1, atol=1e-6)
    np.testing.assert_allclose(poses.up, np.tile([0, -1, 0], (20, 1)), atol=1e-6)
    np.testing.assert_allclose(poses.contact, np.tile([1, 0.5, 0, 0], (20, 1)), atol=1e-6)
    part = poses.part(3, 5)
    assert part.up.shape == (3, 3) and part.contact.shape == (3, 4)


def test_a_lifter_of_joints_alone_knows_no_more(fake_lifter):
    poses = lift(person(), fake_lifter())
    assert (poses.spread, poses.up, poses.contact, poses.radius(0.5)) == (None, None, None, None)
    poses = lift(person(), fake_lifter(), flip_average=True)
    assert (poses.spread, poses.up, poses.contact) == (None, None, None)


def test_the_mirror_image_is_averaged_in():
    """A lifter that says the same of every picture means the opposite by it of the mirror image."""
    found = run_lifter(Knowing(up=[0.6, -0.8, 0]), np.zeros((2, 9, 17, 3), np.float32), True)
    np.testing.assert_allclose(found.up[0, 0], [0, -1, 0], atol=1e-6)
    np.testing.assert_allclose(found.contact[0, 0], [0.5, 0.25, 0.5, 0.25], atol=1e-6)


def test_up_is_in_the_frame_of_the_poses():
    camera = Camera.from_focal(1000, (1000, 1000))
    aside = person(at=(500 + 1000 * np.tan(np.deg2rad(25)), 500))
    poses = lift(aside, Knowing(up=[0, 0, 1]), frame="camera", camera=camera)
    np.testing.assert_allclose(poses.up[5], [np.sin(np.deg2rad(25)), 0, np.cos(np.deg2rad(25))], atol=1e-3)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"spread": np.zeros(16)}, r"wanted finite spread \(2, 3, 17\) from Knowing, got \(2, 3, 16\)"),
        ({"spread": np.full(17, np.nan)}, "finite spread .* with NaN"),
        ({"spread": np.full(17, -0.1)}, "distances of 0 or more as spread"),
        ({"up": [0, 2, 0]}, "directions of length 1 as up from Knowing, got 2 to 2"),
        ({"contact": [0, 0, 1.5, 0]}, "probabilities from 0 to 1 as contact"),
        ({"speed": [1]}, "answers 'speed', which is not known; wanted joints, spread, up, contact"),
    ],
)
def test_answers_that_no_lifter_may_give(parts, message):
    with pytest.raises(ShapeError, match=message):
        ask(Knowing(**parts), np.zeros((2, 9, 17, 3), np.float32))


def test_an_answer_has_joints():
    lifter = Knowing()
    del lifter.parts["joints"]
    with pytest.raises(ShapeError, match="wanted joints in the answer of Knowing, got spread, up, contact"):
        ask(lifter, np.zeros((2, 9, 17, 3), np.float32))


def test_unknown_frames_lie_between_the_known_ones():
    frames = answer(1, 6).each(lambda part: part[0])
    known = np.array([False, True, False, False, True, False])
    filled = frames.filled(known)
    np.testing.assert_array_equal(filled.joints[[0, 1, 4, 5]], frames.joints[[1, 1, 4, 4]])
    np.testing.assert_allclose(filled.joints[2], frames.joints[1] * 2 / 3 + frames.joints[4] / 3, atol=1e-6)
    np.testing.assert_allclose(filled.contact[3], frames.contact[1] / 3 + frames.contact[4] * 2 / 3, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(filled.up, axis=-1), 1, atol=1e-6)
    np.testing.assert_array_equal(filled.spread, frames.spread)  # a network knows that it saw nothing
    for none in (np.ones(6, bool), np.zeros(6, bool)):
        assert frames.filled(none) is frames
    alone = Answer(frames.joints).filled(known)
    assert alone.up is None and alone.spread is None and alone.joints.dtype == np.float32
