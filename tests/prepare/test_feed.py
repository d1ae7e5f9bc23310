"""The road from keypoints to a network's input, step by step and as a whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.errors import FormatError
from poselift.prepare.feed import Feed
from poselift.prepare.normalize import (
    PERSON_SCALE,
    SCREEN,
    fill_gaps,
    normalize_screen,
    person_scale,
    person_scale_single,
)
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, H36M_17, Skeleton

seeds = st.integers(0, 2**32 - 1)


def windows(seed: int, shape: tuple[int, int] = (3, 9), missing: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints with unseen joints, a joint that is never seen, frames without anybody, and an empty window."""
    rng = np.random.default_rng(seed)
    batch, frames = shape
    xy = rng.normal(size=(batch, frames, 17, 2)) * 80 + rng.normal(size=(batch, frames, 1, 2)) * 9 + 500
    confidence = rng.uniform(0.1, 1, (batch, frames, 17)) * (rng.random((batch, frames, 17)) > missing)
    if missing:
        confidence[:, :, 5] = 0
        confidence[0, frames // 2] = 0
        confidence[-1] = 0
    return xy.astype(np.float32), confidence.astype(np.float32)


def fed(xy, confidence, skeleton: Skeleton, channels: int):
    """Input of windows (B, T, J, 2) that lie within their clips, at person scale, numpy or torch."""
    inside = confidence[:, :, 0] >= 0
    return Feed(skeleton, channels).windows(Feed.join(xy, confidence), inside)


def person(seed: int, **fields) -> Keypoints2D:
    """A clip of nine frames with gaps and scores of a detector whose best is 0.6."""
    (xy,), (confidence,) = windows(seed, (1, 9))
    confidence = 0.6 * np.random.default_rng(seed).uniform(0.1, 1, (9, 17)) * (np.arange(17) != 5)
    confidence[3, 2] = confidence[4] = 0
    return Keypoints2D(xy, confidence, H36M_17, 50.0, **fields)


def test_a_clip_is_freed_from_the_detector_s_scale_and_keeps_its_pixels():
    keypoints = person(1)
    clip = Feed(H36M_17, 3).clip(keypoints)
    assert (clip.shape, clip.dtype) == ((9, 17, 3), np.float32)
    middle = np.median(keypoints.confidence[keypoints.seen])
    np.testing.assert_allclose(clip[..., 2], np.minimum(keypoints.confidence / middle, 1), rtol=1e-6)
    np.testing.assert_array_equal(clip[keypoints.seen][:, :2], keypoints.xy[keypoints.seen])


def test_screen_coordinates_keep_place_and_size():
    keypoints = person(5, image_size=(640, 480))
    feed = Feed(H36M_17, 3, SCREEN)
    clip = feed.clip(keypoints)
    result = feed.windows(clip[None], np.ones((1, 9), bool))[0]
    wanted = normalize_screen(fill_gaps(keypoints.filled()[0][None], clip[None, ..., 2])[0], (640, 480))
    np.testing.assert_allclose(result[..., :2], wanted, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(result[..., 2], clip[..., 2])


def test_screen_coordinates_without_a_picture_say_what_to_give():
    with pytest.raises(FormatError, match="--image-size WIDTH HEIGHT"):
        Feed(H36M_17, 2, SCREEN).clip(person(6))


@pytest.mark.parametrize("normalization", [PERSON_SCALE, SCREEN])
def test_frames_outside_the_clip_are_unseen_and_hold_the_nearest_sighting(normalization):
    feed, keypoints = Feed(H36M_17, 3, normalization), person(7, image_size=(640, 480))
    held = np.array([[0, 0, 0, 1, 2, 3]])
    result = feed.windows(feed.clip(keypoints)[held], np.array([[False, False, True, True, True, True]]))
    assert (result[:, :2, :, 2] == 0).all() and (result[:, 2, :, 2] > 0).any()
    joint = H36M_17.index("left_wrist")
    np.testing.assert_allclose(result[:, 0, joint, :2], result[:, 2, joint, :2], atol=1e-6)


@pytest.mark.parametrize("normalization", [PERSON_SCALE, SCREEN])
def test_places_are_the_root_s_mean_in_pixels(normalization):
    feed, keypoints = Feed(H36M_17, 3, normalization), person(8, image_size=(640, 480))
    clip, inside = feed.clip(keypoints)[None], np.ones((1, 9), bool)
    shown = keypoints.seen.any(1)
    root = keypoints.xy[shown, H36M_17.root].mean(0)
    np.testing.assert_allclose(feed.places(clip, inside, (640, 480))[0], root, rtol=1e-4)


def test_a_feed_is_what_a_lifter_says(fake_lifter):
    assert Feed.of(fake_lifter(in_channels=2)) == Feed(H36M_17, 2, PERSON_SCALE)
    lifter = fake_lifter()
    lifter.normalization = SCREEN
    assert Feed.of(lifter) == Feed(H36M_17, 3, SCREEN)


def test_a_window_without_any_sighting_is_all_zeros():
    xy, confidence = windows(2)
    assert (fill_gaps(xy, confidence)[-1] == 0).all()
    result = fed(xy, confidence, H36M_17, 3)
    assert (result[-1] == 0).all()
    assert np.isfinite(result).all()


@given(seeds, st.floats(0.05, 20), st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_scale_and_place_in_the_picture_do_not_matter(seed, scale, right, down):
    xy, confidence = windows(seed)
    moved = (xy.astype(np.float64) * scale + (right, down)).astype(np.float32)
    np.testing.assert_allclose(fed(moved, confidence, H36M_17, 3), fed(xy, confidence, H36M_17, 3), atol=5e-3)


def test_a_window_by_hand():
    """Two frames; the hips 10 px from the pelvis, the person walks 4 px to the right, the other joints unseen."""
    xy, confidence = np.zeros((1, 2, 17, 2), np.float32), np.zeros((1, 2, 17), np.float32)
    left, right = H36M_17.indices(["left_hip", "right_hip"])
    xy[0, :, H36M_17.root] = [[100, 50], [104, 50]]
    xy[0, :, left], xy[0, :, right] = [[110, 50], [114, 50]], [[90, 50], [94, 50]]
    confidence[0, :, [0, left, right]] = 0.5
    result = fed(xy, confidence, H36M_17, 3)
    size = (400 / 6) ** 0.5  # root mean square over two frames of three joints at 0, 10 and 10 px
    np.testing.assert_allclose(result[0, :, 0, 0], [-2 / size, 2 / size], rtol=1e-5)  # the path, about its mean
    np.testing.assert_allclose(result[0, :, left, 0], [10 / size] * 2, rtol=1e-5)
    np.testing.assert_allclose(result[0, :, right, 0], [-10 / size] * 2, rtol=1e-5)
    np.testing.assert_allclose(result[0, :, H36M_17.index("nose")], [[0, 0, 0]] * 2, atol=1e-5)
    np.testing.assert_array_equal(result[..., 1], np.zeros((1, 2, 17)))
    np.testing.assert_array_equal(result[..., 2], confidence)


def test_frames_without_the_person_do_not_move_the_path():
    xy, confidence = windows(3, missing=0.0)
    confidence[:, 6:] = 0
    longer = fed(xy, confidence, H36M_17, 2)
    shorter = fed(xy[:, :6], confidence[:, :6], H36M_17, 2)
    np.testing.assert_allclose(longer[:, :6], shorter, atol=1e-5)


def test_one_frame():
    xy, confidence = windows(4, (2, 1), missing=0.0)
    result = fed(xy, confidence, H36M_17, 2)
    assert result.shape == (2, 1, 17, 2)
    np.testing.assert_allclose(result[:, :, 0], 0, atol=1e-5)
    np.testing.assert_allclose((result**2).sum((1, 2, 3)) / 17, 1, rtol=1e-4)


def test_one_seen_joint_has_no_size_and_gives_finite_numbers():
    xy, confidence = windows(5, missing=0.0)
    confidence[:, :, 1:] = 0
    assert np.isfinite(fed(xy, confidence, H36M_17, 3)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_result_is_float32(dtype, channels, missing):
    xy, confidence = windows(0, missing=missing)
    result = fed(xy.astype(dtype), confidence.astype(dtype), H36M_17, channels)
    assert (result.dtype, result.shape) == (np.float32, (3, 9, 17, channels))
    if channels == 3:
        np.testing.assert_array_equal(result[..., 2], confidence)


@given(seeds)
def test_windows_of_a_batch_do_not_see_each_other(seed):
    xy, confidence = windows(seed)
    together = fed(xy, confidence, H36M_17, 3)
    for b in range(3):
        alone = fed(xy[b : b + 1], confidence[b : b + 1], H36M_17, 3)
        np.testing.assert_allclose(together[b : b + 1], alone, atol=1e-5)


@given(seeds, st.sampled_from([0.0, 0.3, 0.9]), st.sampled_from([(3, 9), (1, 1), (2, 2)]))
def test_torch_gives_the_same(seed, missing, shape):
    torch = pytest.importorskip("torch")
    xy, confidence = windows(seed, shape, missing)
    t_xy, t_confidence = torch.from_numpy(xy), torch.from_numpy(confidence)
    filled = fill_gaps(xy, confidence)
    np.testing.assert_allclose(fill_gaps(t_xy, t_confidence).numpy(), filled, atol=1e-3, rtol=1e-5)
    for skeleton in (H36M_17, COCO_17):
        theirs = person_scale(torch.from_numpy(filled), t_confidence, skeleton).numpy()
        np.testing.assert_allclose(theirs, person_scale(filled, confidence, skeleton), atol=2e-4, rtol=1e-4)
    theirs = fed(t_xy, t_confidence, H36M_17, 3)
    assert theirs.dtype == torch.float32
    np.testing.assert_allclose(theirs.numpy(), fed(xy, confidence, H36M_17, 3), atol=2e-3, rtol=1e-3)


@given(seeds, st.sampled_from([0.0, 0.3]))
def test_a_single_window_goes_the_short_way_to_the_same_place(seed, missing):
    xy, confidence = windows(seed, (2, 9), missing=missing)
    inside = np.arange(9)[None] >= seed % 4
    short = fed(xy[:1], confidence[:1], H36M_17, 3)
    single = person_scale_single(Feed.join(xy, confidence)[0], np.ones(9, bool), H36M_17)
    np.testing.assert_array_equal(short[0], single)
    np.testing.assert_allclose(
        short[..., :2], person_scale(fill_gaps(xy[:1], confidence[:1]), confidence[:1], H36M_17), atol=2e-6
    )
    np.testing.assert_array_equal(short[..., 2], confidence[:1])
    late, shown = confidence[:1] * inside[..., None], Feed.join(xy, confidence)[:1]
    np.testing.assert_allclose(
        Feed(H36M_17, 3).windows(shown, inside)[..., :2],
        person_scale(fill_gaps(xy[:1], late), late, H36M_17),
        atol=2e-6,
    )
    assert person_scale_single(shown[0], np.zeros(9, bool), H36M_17) is None
    xy, confidence = xy[:1], confidence[:1]
    np.testing.assert_allclose(fed(xy, confidence, H36M_17, 2), short[..., :2], atol=2e-6)
