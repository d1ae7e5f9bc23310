"""Stretches in which feet stand, and where."""

import numpy as np
import pytest

from poselift.refine.contacts import SOLE_M, believable, find_stands, firmness, planted_by
from poselift.sequence import spans

FPS = 50.0


def test_flicker_is_removed():
    contact = np.zeros((100, 1))
    contact[10:60] = 0.9
    contact[30:33] = 0.1  # shorter than a step
    contact[70:73] = 0.9  # shorter than a stand
    assert spans(planted_by(contact, FPS)[:, 0]) == [(10, 59)]


def test_a_stretch_needs_one_sure_frame_and_reaches_as_far_as_the_doubtful_ones():
    contact = np.zeros((100, 2))
    contact[10:40] = 0.3
    contact[20, 0] = 0.8
    planted = planted_by(contact, FPS)
    assert spans(planted[:, 0]) == [(10, 39)]
    assert not planted[:, 1].any()


def test_clips_that_begin_or_end_standing_stand_there():
    contact = np.full((40, 1), 0.9)
    contact[2:38] = 0
    assert not planted_by(contact, FPS)[2:38].any()
    assert planted_by(np.ones((3, 4)), FPS).shape == (3, 4)


def test_fast_points_are_not_believed():
    points = np.zeros((50, 1, 3))
    points[25:, 0, 0] = np.arange(25) * 2.0 / FPS  # 2 m/s
    found = believable(np.full((50, 1), 0.9), points, FPS)
    assert found[:20] == pytest.approx(0.9)
    assert (found[30:] < 0.1).all()
    assert believable(np.full((1, 1), 0.9), points[:1], FPS) == pytest.approx(0.9)


def stands(points: np.ndarray, reach: float = 0.1, weights: np.ndarray | None = None):
    shape = points.shape[:2]
    weights = np.ones(shape) if weights is None else weights
    return find_stands(points, np.ones(shape, bool), weights, np.full(shape, reach), FPS)


def test_the_place_is_the_weighted_mean_on_the_floor():
    points = np.zeros((60, 1, 3))
    points[:30, 0, 0], points[30:, 0, 0] = 0.0, 0.06
    points[:, 0, 2] = 0.03
    weights = np.where(np.arange(60) < 30, 3.0, 1.0)[:, None]
    found = stands(points, weights=weights)
    assert found.planted.all()
    assert found.place[:, 0] == pytest.approx(np.tile([0.015, 0, SOLE_M], (60, 1)), abs=1e-6)


def test_a_stair_keeps_its_height():
    points = np.tile([1.0, 2.0, 0.17], (30, 1, 1))
    assert stands(points).place[0, 0] == pytest.approx([1.0, 2.0, 0.17])


def test_two_places_said_as_one_stand_are_split_at_the_step():
    points = np.zeros((60, 1, 3))
    points[30:, 0, 0] = 0.6
    found = stands(points)
    (first, second) = spans(found.planted[:, 0])
    assert first[1] < 30 <= second[0]
    assert second[0] - first[1] >= 0.1 * FPS
    assert found.place[first[1], 0, 0] == pytest.approx(0)
    assert found.place[second[0], 0, 0] == pytest.approx(0.6)
    assert found.refused == second[0] - first[1] - 1


def test_a_point_that_slides_stands_nowhere():
    points = np.zeros((60, 1, 3))
    points[:, 0, 0] = np.linspace(0, 30, 60)
    found = stands(points)
    assert not found.planted.any()
    assert found.refused == 60


def test_stands_are_firm_in_the_middle_and_at_the_ends_of_the_clip():
    planted = np.zeros((60, 1), bool)
    planted[:20] = planted[30:50] = True
    firm = firmness(planted, FPS)[:, 0]
    assert (firm[:15] == 1).all() and firm[40] == 1
    assert 0 < firm[19] < firm[18] < firm[17] < 1
    assert firm[30] == pytest.approx(firm[49])
    assert (firm[20:30] == 0).all()
