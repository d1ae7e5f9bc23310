import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.errors import FormatError
from poselift.prepare.normalize import (
    PERSON_SCALE,
    SCREEN,
    calibrate,
    fill_gaps,
    normalize_screen,
    normalize_windows,
    person_scale,
    pixels_from_screen,
)
from poselift.skeleton import COCO_17, H36M_17

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


def test_screen_normalisation_keeps_place_and_size_and_holds_the_ends():
    xy, confidence = windows(5)
    confidence[0, 0], confidence[0, 1:, :5] = 0, 1
    result = normalize_windows(xy, confidence, H36M_17, 3, SCREEN, (640, 480))
    wanted = normalize_screen(fill_gaps(xy, confidence), (640, 480))
    np.testing.assert_allclose(result[..., :2], wanted, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(result[..., 2], confidence)
    np.testing.assert_allclose(result[0, 0, :5, :2], result[0, 1, :5, :2], atol=1e-6)


def test_screen_normalisation_without_a_picture_says_what_to_give():
    with pytest.raises(FormatError, match="--image-size WIDTH HEIGHT"):
        normalize_windows(*windows(6), H36M_17, 2, SCREEN)


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


def test_a_window_without_any_sighting_is_all_zeros():
    xy, confidence = windows(2)
    assert (fill_gaps(xy, confidence)[-1] == 0).all()
    result = normalize_windows(xy, confidence, H36M_17, 3)
    assert (result[-1] == 0).all()
    assert np.isfinite(result).all()


def test_one_sighting_is_held():
    xy, confidence = windows(0, missing=0.0)
    confidence[0, :, 3] = [0, 0, 0, 0.1, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(fill_gaps(xy, confidence)[0, :, 3], np.tile(xy[0, 3, 3], (9, 1)))


def test_nothing_is_filled_where_all_is_seen():
    xy, confidence = windows(0, missing=0.0)
    assert fill_gaps(xy, confidence) is xy


@given(seeds, st.floats(0.05, 20), st.floats(-2000, 2000), st.floats(-2000, 2000))
def test_scale_and_place_in_the_picture_do_not_matter(seed, scale, right, down):
    xy, confidence = windows(seed)
    moved = (xy.astype(np.float64) * scale + (right, down)).astype(np.float32)
    np.testing.assert_allclose(
        normalize_windows(moved, confidence, H36M_17, 3), normalize_windows(xy, confidence, H36M_17, 3), atol=5e-3
    )


def test_a_window_by_hand():
    """Two frames; the hips 10 px from the pelvis, the person walks 4 px to the right, the other joints unseen."""
    xy, confidence = np.zeros((1, 2, 17, 2), np.float32), np.zeros((1, 2, 17), np.float32)
    left, right = H36M_17.indices(["left_hip", "right_hip"])
    xy[0, :, H36M_17.root] = [[100, 50], [104, 50]]
    xy[0, :, left], xy[0, :, right] = [[110, 50], [114, 50]], [[90, 50], [94, 50]]
    confidence[0, :, [0, left, right]] = 0.5
    result = normalize_windows(xy, confidence, H36M_17, 3)
    size = (400 / 6) ** 0.5  # root mean square over two frames of three joints at 0, 10 and 10 px
    np.testing.assert_allclose(result[0, :, 0, 0], [-2 / size, 2 / size], rtol=1e-5)  # the path, about its mean
    np.testing.assert_allclose(result[0, :, left, 0], [10 / size] * 2, rtol=1e-5)
    np.testing.assert_allclose(result[0, :, right, 0], [-10 / size] * 2, rtol=1e-5)
    np.testing.assert_allclose(result[0, :, H36M_17.index("nose")], [[0, 0, 0]] * 2, atol=1e-5)
    np.testing.assert_array_equal(result[..., 1], np.zeros((1, 2, 17)))
    np.testing.assert_array_equal(result[..., 2], confidence)


@given(seeds)
def test_the_person_s_size_is_one(seed):
    xy, confidence = windows(seed, missing=0.0)
    result = person_scale(xy, confidence, H36M_17)
    others = np.delete(result, H36M_17.root, 2)
    np.testing.assert_allclose((others**2).sum((1, 2, 3)) / (9 * 17), 1, rtol=1e-4)
    np.testing.assert_allclose(result[:, :, H36M_17.root].mean(1), 0, atol=1e-5)


def test_frames_without_the_person_do_not_move_the_path():
    xy, confidence = windows(3, missing=0.0)
    confidence[:, 6:] = 0
    longer = normalize_windows(xy, confidence, H36M_17, 2)
    shorter = normalize_windows(xy[:, :6], confidence[:, :6], H36M_17, 2)
    np.testing.assert_allclose(longer[:, :6], shorter, atol=1e-5)


def test_one_frame():
    xy, confidence = windows(4, (2, 1), missing=0.0)
    result = normalize_windows(xy, confidence, H36M_17, 2)
    assert result.shape == (2, 1, 17, 2)
    np.testing.assert_allclose(result[:, :, 0], 0, atol=1e-5)
    np.testing.assert_allclose((result**2).sum((1, 2, 3)) / 17, 1, rtol=1e-4)


def test_one_seen_joint_has_no_size_and_gives_finite_numbers():
    xy, confidence = windows(5, missing=0.0)
    confidence[:, :, 1:] = 0
    assert np.isfinite(normalize_windows(xy, confidence, H36M_17, 3)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_result_is_float32(dtype, channels, missing):
    xy, confidence = windows(0, missing=missing)
    result = normalize_windows(xy.astype(dtype), confidence.astype(dtype), H36M_17, channels)
    assert (result.dtype, result.shape) == (np.float32, (3, 9, 17, channels))
    if channels == 3:
        np.testing.assert_array_equal(result[..., 2], confidence)


@given(seeds)
def test_windows_of_a_batch_do_not_see_each_other(seed):
    xy, confidence = windows(seed)
    together = normalize_windows(xy, confidence, H36M_17, 3)
    for b in range(3):
        alone = normalize_windows(xy[b : b + 1], confidence[b : b + 1], H36M_17, 3)
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
    theirs = normalize_windows(t_xy, t_confidence, H36M_17, 3)
    assert theirs.dtype == torch.float32
    np.testing.assert_allclose(theirs.numpy(), normalize_windows(xy, confidence, H36M_17, 3), atol=2e-3, rtol=1e-3)


def test_scores_are_told_by_what_the_detector_is_sure_of():
    confidence = np.array([[0.0, 0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.7, 0.7]], np.float32)
    np.testing.assert_allclose(calibrate(confidence), np.minimum(confidence / 0.5, 1), rtol=1e-6)
    np.testing.assert_allclose(calibrate(calibrate(confidence)), calibrate(confidence), rtol=1e-6)
    nobody = np.zeros((3, 5), np.float32)
    assert np.array_equal(calibrate(nobody), nobody)
