import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.prepare.normalize import (
    PERSON_SCALE,
    SCREEN,
    calibrate,
    fill_edges,
    fill_gaps,
    normalize_screen,
    person_scale,
    person_scale_planes,
    pixels_from_screen,
)
from poselift.prepare.window import cut
from poselift.skeleton import H36M_17

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


def test_the_names_on_cards():
    assert (PERSON_SCALE, SCREEN) == ("person-scale", "screen")


def test_screen_coordinates_are_the_benchmarks():
    corners = np.array([[0, 0], [1000, 1002], [500, 501]], np.float32)
    np.testing.assert_allclose(
        normalize_screen(corners, (1000, 1002)), [[-1, -1.002], [1, 1.002], [0, 0]], rtol=0, atol=1e-6
    )
    assert normalize_screen(corners, (1000, 1002)).dtype == np.float32


@given(seeds, st.tuples(st.integers(64, 4000), st.integers(64, 4000)))
def test_screen_coordinates_go_back_to_pixels(seed, size):
    xy, _ = windows(seed)
    np.testing.assert_allclose(pixels_from_screen(normalize_screen(xy, size), size), xy, rtol=1e-4, atol=1e-2)


@given(seeds)
def test_fill_gaps_interpolates_each_joint_like_np_interp(seed):
    xy, confidence = windows(seed)
    filled = fill_gaps(xy, confidence)
    time = np.arange(xy.shape[1])
    for b, j in np.ndindex(xy.shape[0], xy.shape[2]):
        seen = confidence[b, :, j] > 0
        for c in range(2 if seen.any() else 0):
            np.testing.assert_allclose(filled[b, :, j, c], np.interp(time, time[seen], xy[b, seen, j, c]), rtol=1e-5)


@given(seeds)
def test_seen_joints_keep_their_place_and_unseen_ones_do_not_matter(seed):
    xy, confidence = windows(seed)
    filled = fill_gaps(xy, confidence)
    np.testing.assert_array_equal(filled[confidence > 0], xy[confidence > 0])
    wild = np.where(confidence[..., None] > 0, xy, np.float32(1e4))
    np.testing.assert_allclose(fill_gaps(wild, confidence), filled, atol=1e-2)


def test_a_joint_that_is_never_seen_stands_at_the_mean_of_the_others():
    xy, confidence = windows(1)
    filled = fill_gaps(xy, confidence)
    known = (confidence > 0).any(1)
    assert not known[0, 5]
    np.testing.assert_allclose(filled[0, :, 5], filled[0][:, known[0]].mean(1), rtol=1e-5)


def test_one_sighting_is_held():
    xy, confidence = windows(0, missing=0.0)
    confidence[0, :, 3] = [0, 0, 0, 0.1, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(fill_gaps(xy, confidence)[0, :, 3], np.tile(xy[0, 3, 3], (9, 1)))


def test_nothing_is_filled_where_all_is_seen():
    xy, confidence = windows(0, missing=0.0)
    assert fill_gaps(xy, confidence) is xy


@given(seeds)
def test_the_person_s_size_is_one(seed):
    xy, confidence = windows(seed, missing=0.0)
    result = person_scale(xy, confidence, H36M_17)
    others = np.delete(result, H36M_17.root, 2)
    np.testing.assert_allclose((others**2).sum((1, 2, 3)) / (9 * 17), 1, rtol=1e-4)
    np.testing.assert_allclose(result[:, :, H36M_17.root].mean(1), 0, atol=1e-5)


def test_scores_are_relative_to_what_the_detector_is_sure_of():
    confidence = np.array([[0.0, 0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.7, 0.7]], np.float32)
    np.testing.assert_allclose(calibrate(confidence), np.minimum(confidence / 0.5, 1), rtol=1e-6)
    np.testing.assert_allclose(calibrate(calibrate(confidence)), calibrate(confidence), rtol=1e-6)
    nobody = np.zeros((3, 5), np.float32)
    assert np.array_equal(calibrate(nobody), nobody)
    even = np.array([[0.2, 0.4, 0.8, 0.9]], np.float32)  # of an even number the mean of the two in the middle
    np.testing.assert_allclose(calibrate(even), [[1 / 3, 2 / 3, 1, 1]], rtol=1e-6)


@given(seeds)
def test_each_clip_of_a_batch_has_its_own_scale(seed):
    _, confidence = windows(seed)
    together = calibrate(confidence)
    assert together.dtype == np.float32
    for scores, result in zip(confidence, together, strict=True):
        positive = scores[scores > 0]
        middle = np.median(positive) if len(positive) else 1
        np.testing.assert_allclose(result, np.minimum(scores / middle, 1), rtol=1e-6)
    torch = pytest.importorskip("torch")
    np.testing.assert_allclose(calibrate(torch.from_numpy(confidence)).numpy(), together, rtol=1e-6)


@given(seeds, st.integers(1, 40), st.floats(0, 0.9))
def test_windows_of_a_filled_clip_are_those_that_are_filled_themselves(seed, frames, missing):
    """To the bit: at the clip's ends, and where joints are not seen in the window or at all."""
    (xy,), (confidence,) = windows(seed, (1, frames), missing)
    cut_ = cut(frames, 9, (3, 4, 5))
    clip = fill_gaps(xy[None], confidence[None])[0]
    seen = confidence[cut_.index] * cut_.inside[..., None]
    wanted = fill_gaps(xy[cut_.index], seen)
    np.testing.assert_array_equal(fill_edges(clip[cut_.index], seen, cut_.inside), wanted)


@given(seeds, st.sampled_from([0.0, 0.3]))
def test_planes_give_the_same_to_float_noise(seed, missing):
    xy, confidence = windows(seed, missing=missing)
    filled = fill_gaps(xy, confidence)
    wanted = np.concatenate([person_scale(filled, confidence, H36M_17), confidence[..., None]], -1)
    clip = np.concatenate([filled, confidence[..., None]], -1)
    np.testing.assert_allclose(person_scale_planes(clip, confidence, H36M_17), wanted, rtol=0, atol=2e-6)
