"""People are compared by place and pose, in their own size, and detections that repeat others are found."""

import numpy as np
import pytest

from poselift.track.likeness import compare, doubles
from poselift.track.memory import Person

POSE = np.array([(0, 0, 1), (40, 0, 1), (20, 60, 1), (0, 120, 1), (40, 120, 1)], np.float32)


def cost(pose: np.ndarray, time_s: float = 1 / 30, scale: float = 1.0) -> float:
    size = np.float32([scale, scale, 1])
    return float(compare([Person.first_seen(0, POSE * size, 0.0)], (pose * size)[None], time_s).cost[0, 0])


def test_what_was_expected_costs_least():
    assert cost(POSE) < cost(POSE + (8, 0, 0)) < cost(POSE + (30, 0, 0)) < cost(POSE + (60, 0, 0))
    bent = POSE.copy()
    bent[0, 0] += 10
    assert cost(POSE) < cost(bent) < cost(bent + (8, 0, 0))


def test_resolution_does_not_matter():
    assert cost(POSE + (8, 0, 0)) == pytest.approx(cost(POSE + (8, 0, 0), scale=0.01), rel=1e-4)


def test_nobody_goes_faster_than_a_sprint():
    assert np.isinf(cost(POSE + (0.8 * 120, 0, 0)))
    assert np.isfinite(cost(POSE + (0.8 * 120, 0, 0), time_s=0.2))
    assert np.isinf(cost(POSE + (2.1 * 120, 0, 0), time_s=1.0))


def test_a_joint_that_is_wrong_says_no_more_than_that():
    wrong, worse = POSE.copy(), POSE.copy()
    wrong[0, 0] += 100
    worse[0, 0] += 1000
    assert cost(wrong) == cost(worse)


def test_few_common_joints_are_compared_by_the_means():
    one_side, other_side = POSE.copy(), POSE.copy()
    one_side[[1, 2, 4]] = other_side[[0, 3]] = (np.nan, np.nan, 0)
    person = Person.first_seen(0, one_side, 0.0)
    like = compare([person], np.stack([other_side, other_side + (60, 0, 0)]), 0.1)
    assert like.cost[0, 0] < like.cost[0, 1]
    np.testing.assert_array_equal(like.moved, 0)


def test_the_surer_one_of_two_that_are_the_same_is_kept():
    sure, other, unsure = POSE, POSE + np.float32([300, 0, 0]), POSE + np.float32([2, 1, -0.4])
    assert doubles(np.stack([unsure, other, sure])) == {0}
    assert doubles(np.stack([sure, other, unsure])) == {2}
    assert doubles(np.stack([sure, other])) == doubles(sure[None]) == set()
