import pytest
from pytest import approx

torch = pytest.importorskip("torch")

from poselift.lab.run.losses import LossConfig, distance, joint_weights, pose_loss
from poselift.skeleton import H36M_17, Skeleton

PAIR = Skeleton("PAIR", ("pelvis", "left_knee"), (-1, 0))


def frames(*rows):
    """(1, S, 2, 3): the root at zero, the knee at each row."""
    knee = torch.tensor(rows, dtype=torch.float32)
    return torch.stack([torch.zeros_like(knee), knee], 1)[None]


TARGET = frames([0, 0, 1], [0, 0, 1], [0, 0, 1])
PRED = frames([0, 0, 1], [3, 4, 1], [0, 0, 3])


def test_by_hand():
    # Knee errors 0, 5 and 2 over three frames and two joints.
    assert pose_loss(PRED, TARGET, PAIR, LossConfig()).item() == approx(7 / 6, abs=1e-5)


def test_the_middle_frame_alone():
    assert pose_loss(PRED, TARGET, PAIR, LossConfig(frames="centre", velocity=9)).item() == approx(5 / 2, abs=1e-5)
    five = frames([9, 0, 0], [9, 0, 0], [1, 0, 0], [9, 0, 0], [9, 0, 0])
    assert pose_loss(five, 0 * five, PAIR, LossConfig(frames="centre")).item() == approx(0.5, abs=1e-5)


def test_weights_by_name():
    assert pose_loss(PRED, TARGET, PAIR, LossConfig(joint_weights=True)).item() == approx(2.5 * 7 / 6, abs=1e-5)
    # NanoHTNet main.py, attempt 10, in the order of Human3.6M.
    expected = [1, 1, 2.5, 2.5, 1, 2.5, 2.5, 1, 1, 1, 1.5, 1.5, 4, 4, 1.5, 4, 4]
    assert joint_weights(H36M_17).tolist() == expected


def test_velocity_by_hand():
    # The knee moves by (3, 4, 0), then (-3, -4, 2); it should stay.
    steps = (5 + 29**0.5) / 4
    loss = pose_loss(PRED, TARGET, PAIR, LossConfig(velocity=2)).item()
    assert loss == approx(7 / 6 + 2 * steps, abs=1e-5)
    shifted = PRED + torch.tensor([0.0, 7, 0])
    same = pose_loss(shifted, PRED, PAIR, LossConfig(velocity=1)).item()
    assert same == approx(7, abs=1e-5)


def test_smoothness_by_hand():
    squares = (25 + 29) / (2 * 2 * 3)
    assert pose_loss(PRED, TARGET, PAIR, LossConfig(smoothness=0.5)).item() == approx(7 / 6 + 0.5 * squares, abs=1e-5)
    weighted = pose_loss(PRED, TARGET, PAIR, LossConfig(smoothness=0.5, joint_weights=True)).item()
    assert weighted == approx(2.5 * (7 / 6 + 0.5 * squares), abs=1e-5)


def test_the_best_scale_forgives_size_alone():
    loss = pose_loss(2 * TARGET, TARGET, PAIR, LossConfig(scale_free=1)).item()
    assert loss == approx(0.5, abs=1e-5)
    wrong = frames([1, 0, 0], [1, 0, 0], [1, 0, 0])  # at a right angle to the target: the best scale is 0
    assert pose_loss(wrong, TARGET, PAIR, LossConfig(scale_free=1)).item() == approx(2**0.5 / 2 + 1 / 2, abs=1e-5)


@pytest.mark.parametrize("frames", ["all", "centre"])
def test_gradients_are_finite_where_everything_fits(frames):
    config = LossConfig(velocity=2, smoothness=0.5, scale_free=1, joint_weights=True, frames=frames)
    for pred in (TARGET.clone(), torch.zeros_like(TARGET)):
        pred.requires_grad_()
        pose_loss(pred, TARGET, PAIR, config).backward()
        assert pred.grad.isfinite().all()
    zero = torch.zeros(3, requires_grad=True)
    distance(zero, torch.zeros(3)).backward()
    assert (zero.grad == 0).all()


def test_one_frame_has_no_velocity():
    config = LossConfig(velocity=2, smoothness=0.5)
    assert pose_loss(PRED[:, 1:2], TARGET[:, 1:2], PAIR, config).item() == approx(5 / 2, abs=1e-5)
