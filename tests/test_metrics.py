import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation

from poselift.errors import ShapeError
from poselift.metrics import mpjpe, mpjve, n_mpjpe, p_mpjpe

seeds = st.integers(0, 2**32 - 1)
PAIRWISE = [mpjpe, p_mpjpe, n_mpjpe]


def poses(seed: int, shape: tuple[int, ...] = (6, 17)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*shape, 3))


def p_mpjpe_restated(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """One pose at a time, with the rotation by quaternions (scipy) instead of our own decomposition."""
    found = []
    for x, y in zip(pred, target, strict=True):
        x0, y0 = x - x.mean(0), y - y.mean(0)
        rotation, _ = Rotation.align_vectors(y0, x0)
        turned = rotation.apply(x0)
        scale = (turned * y0).sum() / (turned**2).sum()
        found.append([sum((scale * a - b) ** 2) ** 0.5 for a, b in zip(turned, y0, strict=True)])
    return np.array(found)


def test_mpjpe_by_hand():
    pred = np.array([[[0, 0, 0], [3, 4, 0]], [[1, 2, 2], [0, 0, 0]]])
    errors = mpjpe(pred, np.zeros((2, 2, 3)))
    assert errors.tolist() == [[0, 5], [3, 0]]


def test_n_mpjpe_by_hand():
    target = np.array([[0.0, 0, 0], [0, 1, 0], [2, 0, 0]])
    np.testing.assert_allclose(n_mpjpe(target * 0.25, target), 0, atol=1e-12)
    pred = np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 1]])  # best scale: (1) / (2)
    np.testing.assert_allclose(n_mpjpe(pred, target), [0, 0.5, np.hypot(2, 0.5)])


@given(seeds)
def test_n_mpjpe_takes_the_scale_of_least_squares(seed):
    pred, target = poses(seed, (17,)), poses(seed + 1, (17,)) + poses(seed, (17,))
    best = minimize_scalar(lambda s: ((s * pred - target) ** 2).sum()).x
    np.testing.assert_allclose(n_mpjpe(pred, target), np.linalg.norm(best * pred - target, axis=-1), atol=1e-5)


@given(seeds)
def test_p_mpjpe_agrees_with_a_restatement(seed):
    pred = poses(seed)
    target = pred + 0.3 * poses(seed + 1)
    np.testing.assert_allclose(p_mpjpe(pred, target), p_mpjpe_restated(pred, target), atol=1e-9)


@given(seeds)
def test_p_mpjpe_is_unchanged_by_a_similarity_of_the_prediction(seed):
    pred, target = poses(seed), poses(seed + 1)
    rng = np.random.default_rng(seed)
    moved = rng.uniform(0.1, 10) * pred @ Rotation.random(random_state=seed).as_matrix() + rng.normal(size=3)
    np.testing.assert_allclose(p_mpjpe(moved, target), p_mpjpe(pred, target), atol=1e-9)


@given(seeds)
def test_each_alignment_only_helps_in_the_squared_sum(seed):
    pred = poses(seed)
    target = pred + 0.5 * poses(seed + 1)  # related: the best scale of unrelated poses may be negative, a mirror image
    sums = [(metric(pred, target) ** 2).sum(-1) for metric in (p_mpjpe, n_mpjpe, mpjpe)]
    assert (sums[0] <= sums[1] + 1e-9).all()
    assert (sums[1] <= sums[2] + 1e-9).all()


def test_a_mirrored_pose_is_wrong_in_p_mpjpe():
    target = poses(0)
    assert p_mpjpe(target * (-1, 1, 1), target).mean() > 0.3


def test_joints_of_weight_zero_do_not_pull_the_alignment():
    target = poses(0, (17,))
    pred = 2 * target + 1
    pred[3] += 50
    weights = np.ones(17)
    weights[3] = 0
    errors = p_mpjpe(pred, target, weights)
    np.testing.assert_allclose(np.delete(errors, 3), 0, atol=1e-9)
    assert errors[3] == pytest.approx(50 * 3**0.5 / 2)
    assert p_mpjpe(pred, target).min() > 0.01


def test_mpjve_by_hand():
    target = np.zeros((3, 1, 3))
    pred = np.array([[[0.0, 0, 0]], [[3, 4, 0]], [[3, 4, 0]]])
    assert mpjve(pred, target).tolist() == [[5], [0]]
    assert mpjve(pred, target, 50).tolist() == [[250], [0]]


@given(seeds)
def test_mpjve_ignores_a_constant_offset_and_takes_time_third_from_the_end(seed):
    target = poses(seed, (2, 5, 17))
    np.testing.assert_allclose(mpjve(target + poses(seed, (2, 1, 17)), target), 0, atol=1e-12)
    assert mpjve(target, 2 * target).shape == (2, 4, 17)
    assert mpjve(target[:, :1], target[:, :1]).shape == (2, 0, 17)


@pytest.mark.parametrize("metric", [*PAIRWISE, mpjve])
def test_a_perfect_prediction_has_no_error(metric):
    target = poses(1)
    np.testing.assert_allclose(metric(target, target), 0, atol=1e-12)


@pytest.mark.parametrize("metric", PAIRWISE)
def test_errors_are_per_joint_over_any_leading_axes_and_float32_is_enough(metric):
    pred, target = poses(0, (2, 3, 17)), poses(1, (2, 3, 17))
    errors = metric(pred, target)
    assert errors.shape == (2, 3, 17)
    np.testing.assert_allclose(metric(pred[1, 2], target[1, 2]), errors[1, 2])
    np.testing.assert_allclose(metric(pred.astype(np.float32), target.astype(np.float32)), errors, atol=1e-5)


@pytest.mark.parametrize("metric", [*PAIRWISE, mpjve])
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int64])
def test_whole_millimetres_are_measured_as_exactly(metric, dtype):
    rng = np.random.default_rng(0)
    pred, target = rng.integers(0, 2000, (2, 4, 17, 3))
    np.testing.assert_allclose(
        metric(pred.astype(dtype), target.astype(dtype)), metric(pred.astype(float), target.astype(float)), rtol=1e-5
    )


@pytest.mark.parametrize("metric", [*PAIRWISE, mpjve])
@pytest.mark.parametrize(
    "shapes", [((5, 17, 3), (5, 16, 3)), ((5, 17, 3), (17, 3)), ((5, 17, 2), (5, 17, 2)), ((3,), (3,))]
)
def test_wrong_shapes_are_refused(metric, shapes):
    with pytest.raises(ShapeError, match="wanted"):
        metric(np.ones(shapes[0]), np.ones(shapes[1]))


def test_mpjve_needs_a_time_axis():
    with pytest.raises(ShapeError, match="frames, joints, 3"):
        mpjve(np.ones((17, 3)), np.ones((17, 3)))
