import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from poselift.errors import ShapeError
from poselift.measure.world import (
    PIECE,
    acceleration_error,
    along_and_across,
    at_30_fps,
    foot_slide,
    jitter,
    rte,
    similarity,
    w_mpjpe,
    wa_mpjpe,
)

RNG = np.random.default_rng(0)
TURN = Rotation.from_euler("xyz", [20, -70, 130], degrees=True).as_matrix()


def walk(frames: int = 250) -> np.ndarray:
    """(T, 17, 3) metres: a figure that walks on a curve."""
    times = np.arange(frames) / 30
    path = np.stack([times, np.sin(times), 0.03 * np.sin(9 * times) + 1], 1)
    return (
        path[:, None] + RNG.normal(0, 0.3, (17, 3)) + 0.05 * np.sin(times[:, None, None] + np.arange(51).reshape(17, 3))
    )


@pytest.mark.parametrize("metric", [w_mpjpe, wa_mpjpe])
def test_another_frame_of_reference_is_no_error(metric):
    truth = walk()
    moved = 1.1 * truth @ TURN + (3, -2, 5)
    assert metric(moved, truth).shape == (3 * PIECE, 17)
    np.testing.assert_allclose(metric(moved, truth), 0, atol=1e-9)


def test_w_mpjpe_shows_drift_that_wa_mpjpe_shares_out():
    truth = walk(PIECE)
    drifts = truth + np.linspace(0, 1, PIECE)[:, None, None] * (0.2, 0, 0)
    assert w_mpjpe(drifts, truth)[-1].mean() == pytest.approx(0.2, abs=0.02)
    assert wa_mpjpe(drifts, truth).mean() < 0.5 * w_mpjpe(drifts, truth).mean()


def test_the_last_piece_ends_with_the_clip_and_short_clips_are_one():
    truth = walk(PIECE + 10)
    pred = truth.copy()
    pred[-1] += (0, 0, 1)
    errors = w_mpjpe(pred, truth)
    assert errors.shape == (2 * PIECE, 17)
    np.testing.assert_allclose(errors[-1], 1)
    assert w_mpjpe(truth[:7], truth[:7]).shape == (7, 17)


def test_rte_is_a_share_of_the_way():
    path = np.stack([np.linspace(0, 10, 301), np.zeros(301), np.ones(301)], 1)
    side = path + np.where(np.arange(301) % 2, 0.1, -0.1)[:, None] * (0, 1, 0)
    assert rte(side @ TURN + 4, path).mean() == pytest.approx(0.01, rel=0.05)
    assert rte(1.1 * path, path).max() == pytest.approx(0.05, rel=0.01)  # rigid: the scale counts
    assert not len(rte(path * 0, path * 0))


def test_foot_slide_counts_planted_frames_alone():
    truth = np.zeros((31, 4, 3))
    truth[15:, 0] = np.arange(16)[:, None] * (0.05, 0, 0)  # in the air
    truth[:, 3] = np.nan  # not known
    pred = truth + np.arange(31)[:, None, None] * (0, 0.003, 0)
    slides = foot_slide(pred, truth)
    assert len(slides) == 15 + 30 + 30
    np.testing.assert_allclose(slides, 0.003)


def test_jitter_and_acceleration_in_their_units():
    times = np.arange(60)[:, None, None] / 30
    joints = np.tile(times**3 / 6 * 50, (1, 2, 3)) * [1, 0, 0]
    np.testing.assert_allclose(jitter(joints), 5)  # 50 m/s³
    np.testing.assert_allclose(acceleration_error(np.tile(times**2 * 2, (1, 2, 3)) * [0, 1, 0], joints * 0), 4)


def test_along_and_across_the_ray():
    truth = np.array([[0.0, 0, 5], [3, 0, 4]])
    along, across = along_and_across(truth * 1.2 + [[0, 0.3, 0], [0, 0.4, 0]], truth)
    np.testing.assert_allclose(along, [1, 1])
    np.testing.assert_allclose(across, [0.3, 0.4])


def test_other_rates_come_to_30():
    times = np.arange(101) / 50
    points = np.stack([np.sin(3 * times), times, times**2], 1)
    found = at_30_fps(points, 50.0)
    new = np.arange(len(found)) / 30
    assert len(found) == 61
    np.testing.assert_allclose(found, np.stack([np.sin(3 * new), new, new**2], 1), atol=1e-4)
    np.testing.assert_array_equal(at_30_fps(points, 30.0), points)
    points[:, 1] = np.nan
    assert np.isnan(at_30_fps(points, 50.0)[:, 1]).all()
    assert np.isfinite(at_30_fps(points, 50.0)[:, [0, 2]]).all()


def test_a_similarity_is_found_and_a_mirror_image_is_none():
    points = RNG.normal(size=(20, 3))
    scale, turn, shift = similarity(points, 2 * points @ TURN + (1, 2, 3))
    np.testing.assert_allclose(scale, 2)
    np.testing.assert_allclose(turn, TURN, atol=1e-9)
    np.testing.assert_allclose(shift, (1, 2, 3))
    assert np.linalg.det(similarity(points, points * [1, 1, -1])[1]) == pytest.approx(1)
    assert similarity(points, 2 * points, scaled=False)[0] == 1


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="one shape"):
        w_mpjpe(np.zeros((4, 17, 3)), np.zeros((5, 17, 3)))
