import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from poselift.errors import ShapeError
from poselift.geometry.align import procrustes

seeds = st.integers(0, 2**32 - 1)


def points(seed: int, shape: tuple[int, ...] = (17, 3)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def similar(x: np.ndarray, seed: int) -> np.ndarray:
    """`x` after a random rotation, scale and translation."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.1, 10) * x @ Rotation.random(random_state=seed).as_matrix() + rng.normal(size=3)


@given(seeds)
def test_a_similar_figure_is_brought_back_exactly(seed):
    x = points(seed)
    np.testing.assert_allclose(procrustes(similar(x, seed), x), x, atol=1e-9)


@given(seeds)
def test_the_result_is_a_similar_figure_of_the_source(seed):
    source = points(seed)
    aligned = procrustes(source, points(seed + 1))

    def shape(x):
        centred = x - x.mean(0)
        return centred @ centred.T / (centred**2).sum()

    np.testing.assert_allclose(shape(aligned), shape(source), atol=1e-9)


def test_a_quarter_turn_by_hand():
    target = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])
    turned = 3 * np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1], [0, 0, 0]]) + (5, 6, 7)  # about z, x to y
    np.testing.assert_allclose(procrustes(turned, target), target, atol=1e-12)


def test_a_mirror_image_is_not_taken():
    x = points(0)
    mirrored = x * (-1, 1, 1)
    aligned = procrustes(mirrored, x)
    assert np.linalg.norm(aligned - x, axis=-1).mean() > 0.3
    tetrahedron = [1, 4, 6, 9]
    side = [np.linalg.det((y[tetrahedron] - y[0])[1:]) for y in (x, mirrored, aligned)]
    assert np.sign(side[2]) == np.sign(side[1]) != np.sign(side[0])


@pytest.mark.parametrize("seed", range(3))
def test_no_other_rotation_scale_and_translation_is_closer(seed):
    source, target, weights = points(seed, (6, 3)), points(seed + 9, (6, 3)), points(seed, (6,)) ** 2

    def cost(v):
        moved = np.exp(v[0]) * Rotation.from_rotvec(v[1:4]).apply(source) + v[4:]
        return (weights[:, None] * (moved - target) ** 2).sum()

    ours = (weights[:, None] * (procrustes(source, target, weights) - target) ** 2).sum()
    starts = np.random.default_rng(seed).normal(size=(8, 7))
    best = min(minimize(cost, start).fun for start in starts)
    assert ours == pytest.approx(best, rel=1e-4)


def test_points_of_weight_zero_do_not_count_but_are_moved_along():
    target = points(0, (8, 3))
    source = similar(target, 5)
    moved = source.copy()
    moved[-1] += 100
    weights = np.array([1.0] * 7 + [0])
    aligned = procrustes(moved, target, weights)
    np.testing.assert_allclose(aligned[:-1], target[:-1], atol=1e-9)
    assert np.linalg.norm(aligned[-1] - target[-1]) > 1
    np.testing.assert_allclose(procrustes(source, target, 7 * weights), target, atol=1e-9)


def test_leading_axes_are_independent_and_the_type_is_kept():
    source, target = points(0, (2, 3, 5, 3)).astype(np.float32), points(1, (2, 3, 5, 3)).astype(np.float32)
    aligned = procrustes(source, target)
    assert aligned.dtype == np.float32
    np.testing.assert_array_equal(aligned[1, 2], procrustes(source[1, 2], target[1, 2]))


def test_points_in_one_place_are_put_at_the_target_s_middle():
    target = points(0, (5, 3))
    np.testing.assert_allclose(procrustes(np.ones((5, 3)), target), np.tile(target.mean(0), (5, 1)))


@pytest.mark.parametrize("shapes", [((5, 3), (4, 3)), ((2, 3), (2, 3)), ((5, 2), (5, 2)), ((3,), (3,))])
def test_wrong_shapes_are_refused(shapes):
    with pytest.raises(ShapeError, match="3 or more points"):
        procrustes(np.ones(shapes[0]), np.ones(shapes[1]))
