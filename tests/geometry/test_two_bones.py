"""Inverse kinematics of two bones: lengths, reach, the side on which the middle joint stays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.geometry.two_bones import LEFT_BENT, excess, put_end

FORWARD = np.array([[0.0, 0.0, 1.0]])


def limbs(count: int = 200, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(np.cumsum(rng.normal(scale=0.3, size=(count, 3, 3)), axis=1))


def bones(limb: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(np.diff(limb, axis=1), axis=-1))


@given(st.integers(0, 1000))
def test_lengths_and_the_first_joint_stay_and_the_end_arrives_where_it_can(seed: int):
    limb = limbs(20, seed)
    target = limb[:, 2] + np.random.default_rng(seed + 1).normal(scale=0.2, size=(20, 3))
    found = put_end(limb, target, np.tile(FORWARD, (20, 1)))
    assert np.allclose(bones(found), bones(limb), atol=1e-9)
    assert (found[:, 0] == limb[:, 0]).all()
    distance, (upper, lower) = np.linalg.norm(target - limb[:, 0], axis=-1), bones(limb).T
    reachable = (distance < LEFT_BENT * (upper + lower)) & (distance > np.abs(upper - lower) + 1e-6)
    assert np.allclose(found[reachable, 2], target[reachable], atol=1e-9)
    assert np.allclose(np.linalg.norm(found[:, 2] - limb[:, 0], axis=-1)[distance > upper + lower],
                       (LEFT_BENT * (upper + lower))[distance > upper + lower])  # fmt: skip


def test_a_bent_limb_whose_end_stays_does_not_move():
    limb = np.array([[[0, 1.0, 0], [0, 0.6, 0.3], [0, 0.2, 0]]])
    assert np.allclose(put_end(limb, limb[:, 2], FORWARD), limb, atol=1e-9)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_middle_stays_on_its_side_whatever_the_pole_says(side: float):
    limb = np.array([[[0, 1.0, 0], [0, 0.6, 0.1 * side], [0, 0.2, 0]]])
    found = put_end(limb, np.array([[0, 0.3, 0.0]]), FORWARD)
    assert np.sign(found[0, 1, 2]) == side
    assert found[0, 1, 0] == pytest.approx(0)


def test_the_pole_bends_a_straight_limb():
    limb = np.array([[[0, 1.0, 0], [0, 0.5, 0], [0, 0.0, 0]]])
    found = put_end(limb, np.array([[0, 0.3, 0.0]]), FORWARD)
    assert found[0, 1, 2] > 0.2
    assert found[0, 1, 0] == pytest.approx(0)


def test_excess_is_what_the_limb_lacks():
    limb = np.array([[[0, 1.0, 0], [0, 0.6, 0.3], [0, 0.2, 0]]])
    assert excess(limb, limb[:, 2]) == pytest.approx(0)
    assert excess(limb, np.array([[0, -1.0, 0]])) == pytest.approx(2 - LEFT_BENT * 1.0)
