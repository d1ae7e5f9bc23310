import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation

from poselift.errors import ShapeError
from poselift.measure.metrics import (
    AUC_THRESHOLDS_MM,
    acceleration_error,
    auc,
    bone_length_error,
    mpjpe,
    mpjve,
    n_mpjpe,
    p_mpjpe,
    pck,
)
from poselift.skeleton import H36M_17, Skeleton

seeds = st.integers(0, 2**32 - 1)
PAIRWISE = [mpjpe, p_mpjpe, n_mpjpe]
IN_TIME = [mpjve, acceleration_error]
USUAL, BY_ONE = AUC_THRESHOLDS_MM.values()


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


@pytest.mark.parametrize("metric", [*PAIRWISE, *IN_TIME])
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


@pytest.mark.parametrize("metric", [*PAIRWISE, *IN_TIME])
@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int64])
def test_whole_millimetres_are_measured_as_exactly(metric, dtype):
    rng = np.random.default_rng(0)
    pred, target = rng.integers(0, 2000, (2, 4, 17, 3))
    np.testing.assert_allclose(
        metric(pred.astype(dtype), target.astype(dtype)), metric(pred.astype(float), target.astype(float)), rtol=1e-5
    )


@pytest.mark.parametrize("metric", [*PAIRWISE, *IN_TIME])
@pytest.mark.parametrize(
    "shapes", [((5, 17, 3), (5, 16, 3)), ((5, 17, 3), (17, 3)), ((5, 17, 2), (5, 17, 2)), ((3,), (3,))]
)
def test_wrong_shapes_are_refused(metric, shapes):
    with pytest.raises(ShapeError, match="wanted"):
        metric(np.ones(shapes[0]), np.ones(shapes[1]))


@pytest.mark.parametrize("metric", IN_TIME)
def test_what_is_measured_in_time_needs_a_time_axis(metric):
    with pytest.raises(ShapeError, match="frames, joints, 3"):
        metric(np.ones((17, 3)), np.ones((17, 3)))


def test_acceleration_by_hand():
    target = np.zeros((4, 1, 3))
    pred = np.array([0.0, 3, 6, 9])[:, None, None] * np.array([1.0, 0, 0])
    assert acceleration_error(pred, target).tolist() == [[0], [0]]
    pred[3, 0] = (6, 4, 0)  # stops along x and jumps along y: second differences -3 and 4
    assert acceleration_error(pred, target).tolist() == [[0], [5]]
    assert acceleration_error(pred, target, 10).tolist() == [[0], [500]]
    assert acceleration_error(pred[:2], target[:2]).shape == (0, 1)


@given(seeds)
def test_acceleration_ignores_a_steady_drift_and_takes_time_third_from_the_end(seed):
    target = poses(seed, (2, 6, 17))
    drift = np.arange(6)[:, None, None] * poses(seed, (2, 1, 17)) + poses(seed + 1, (2, 1, 17))
    np.testing.assert_allclose(acceleration_error(target + drift, target), 0, atol=1e-12)
    assert acceleration_error(target, 2 * target).shape == (2, 4, 17)


def test_bone_lengths_by_hand():
    chain = Skeleton("chain", ("a", "b", "c"), (-1, 0, 1))
    target = np.array([[0.0, 0, 0], [0, 2, 0], [0, 2, 3]])
    pred = np.array([[9.0, 0, 0], [9, 0, 5], [9, 0, 4]])  # bones of 5 and 1 instead of 2 and 3
    assert bone_length_error(pred, target, chain).tolist() == [3, 2]
    with pytest.raises(ShapeError, match="wanted 17 joints of H36M_17, got 3"):
        bone_length_error(pred, target, H36M_17)


@given(seeds)
def test_bone_lengths_do_not_change_by_turning_and_moving(seed):
    target = poses(seed)
    moved = target @ Rotation.random(random_state=seed).as_matrix() + 3
    assert bone_length_error(moved, target, H36M_17).shape == (6, 16)
    np.testing.assert_allclose(bone_length_error(moved, target, H36M_17), 0, atol=1e-12)
    np.testing.assert_allclose(
        bone_length_error(1.5 * target, target, H36M_17),
        [[0.5 * np.linalg.norm(pose[j] - pose[p]) for p, j in H36M_17.bones] for pose in target],
    )


def off_by(distances: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Joints that miss their targets by these distances along an axis."""
    pred = np.zeros((len(distances), 3))
    pred[:, 1] = distances
    return pred, np.zeros((len(distances), 3))


def test_pck_counts_strictly():
    assert pck(*off_by([0, 149.9, 150, 150.1]), 150).tolist() == [1, 1, 0, 0]


def test_auc_at_its_ends():
    assert len(USUAL) == 31 and USUAL[0] == 0 and USUAL[-1] == 150 and set(np.diff(USUAL)) == {5}
    assert len(BY_ONE) == 150 and BY_ONE[0] == 0 and BY_ONE[-1] == 149 and set(np.diff(BY_ONE)) == {1}
    np.testing.assert_allclose(auc(*off_by([0, 149.9, 150, 1e9]), USUAL), [30 / 31, 1 / 31, 0, 0])
    np.testing.assert_allclose(auc(*off_by([0, 4.9, 5, 5.1]), USUAL), [30 / 31, 30 / 31, 29 / 31, 29 / 31])
    np.testing.assert_allclose(auc(*off_by([0, 148.5, 149]), BY_ONE), [149 / 150, 1 / 150, 0])


@given(seeds, st.sampled_from(list(AUC_THRESHOLDS_MM)))
def test_auc_is_the_mean_of_pck_over_the_thresholds(seed, name):
    pred, target = 60 * poses(seed), 60 * poses(seed + 1)
    thresholds = AUC_THRESHOLDS_MM[name]
    restated = np.mean([pck(pred, target, threshold) for threshold in thresholds], 0)
    np.testing.assert_allclose(auc(pred, target, thresholds), restated, atol=1e-12)
    np.testing.assert_allclose(auc(pred, target, thresholds[::-1]), restated, atol=1e-12)
