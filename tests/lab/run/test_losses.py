import math

import pytest
from pytest import approx

torch = pytest.importorskip("torch")

from poselift.errors import RecipeError
from poselift.lab.run.losses import (
    LossConfig,
    batch_losses,
    check_taught,
    contact_loss,
    distance,
    joint_weights,
    pose_loss,
    spread_loss,
    up_loss,
)
from poselift.lab.windows.batch import Batch
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


# What else a lifter gives.


def batch_of(targets, **more):
    return Batch(torch.zeros(len(targets), 1, 2, 2), targets, **more)


def test_unknown_joints_add_nothing_and_have_no_gradient():
    known = torch.tensor([True, True])[None, None].repeat(1, 3, 1)
    known[0, 1, 1] = False
    target = TARGET.clone()
    target[0, 1, 1] = float("nan")
    config = LossConfig(velocity=2, smoothness=0.5, scale_free=1, joint_weights=True)
    pred = PRED.clone().requires_grad_()
    assert pose_loss(pred, target, PAIR, LossConfig(), known=known).item() == approx(2 / 6, abs=1e-5)
    pose_loss(pred, target, PAIR, config, known=known).backward()
    assert pred.grad.isfinite().all() and (pred.grad[0, 1, 1] == 0).all() and (pred.grad[0, 2, 1] != 0).any()
    everything = torch.ones_like(known)
    assert pose_loss(PRED, TARGET, PAIR, config, known=everything) == pose_loss(PRED, TARGET, PAIR, config)


def test_spread_by_hand():
    # The knee is 5 off the truth after the pelvis, which is lifted to (1, 0, 0), is moved to 0.
    pred = torch.tensor([[[[1.0, 0, 0], [4, 4, 0]]]])
    target = torch.zeros_like(pred)
    log_spread = torch.tensor([[[7.0, 2.0]]]).log()
    assert spread_loss(log_spread, pred, target, PAIR).item() == approx((math.log(2) + 5 / 2) / 2, abs=1e-5)
    unknown = torch.tensor([[[True, False]]])
    assert spread_loss(log_spread, pred, target * float("nan"), PAIR, known=unknown).item() == 0


def test_the_best_spread_is_the_mean_distance_whatever_the_law():
    torch.manual_seed(0)
    far = torch.distributions.StudentT(3.0).sample((20000,)).abs()
    pred = torch.stack([torch.zeros(20000, 3), far[:, None] * torch.tensor([0.6, 0.8, 0])], 1)[:, None]
    log_spread = torch.zeros((), requires_grad=True)
    loss = spread_loss(log_spread.expand(20000, 1, 2), pred, torch.zeros_like(pred), PAIR)
    (slope,) = torch.autograd.grad(loss, log_spread)
    assert slope.item() == approx((1 - far.mean().item()) / 2, abs=1e-4)


def test_the_joints_learn_nothing_from_their_spread():
    pred = PRED.clone().requires_grad_()
    log_spread = torch.zeros(1, 3, 2, requires_grad=True)
    spread_loss(log_spread, pred, TARGET, PAIR).backward()
    assert pred.grad is None and (log_spread.grad[..., 1] != 0).all() and (log_spread.grad[..., 0] == 0).all()


def test_up_is_the_angle_between_directions_of_any_length():
    up = torch.tensor([[[0.0, 0, 1]]])
    for degrees in (0.5, 5):
        angle = torch.tensor(math.radians(degrees))
        found = 7 * torch.stack([angle.sin(), 0 * angle, angle.cos()])[None, None]
        assert up_loss(found, up).item() == approx(math.radians(degrees), rel=1e-3)
    assert up_loss(-up, up).item() == approx(2)


def test_contacts_may_be_soft_or_unknown():
    odds = torch.tensor([[[0.0, 3, -2, 1]]], requires_grad=True)
    contact = torch.tensor([[[1.0, 0.7, -1, float("nan")]]])
    soft = -0.7 * math.log(1 / (1 + math.exp(-3))) - 0.3 * math.log(1 / (1 + math.exp(3)))
    loss = contact_loss(odds, contact)
    assert loss.item() == approx((math.log(2) + soft) / 4, abs=1e-5)
    loss.backward()
    assert odds.grad[0, 0, 2:].tolist() == [0, 0] and (odds.grad[0, 0, :2] != 0).all()


def test_the_parts_add_up_by_their_weights():
    extras = {"spread": torch.zeros(1, 3, 2), "up": torch.ones(1, 3, 3), "contact": torch.ones(1, 3, 4)}
    batch = batch_of(TARGET, up=torch.tensor([0.0, -1, 0]).expand(1, 3, 3), contact=torch.ones(1, 3, 4))
    parts = batch_losses(PRED, extras, batch, PAIR, LossConfig(spread=2, up=3, contact=5))
    weighted = parts["joints"] + 2 * parts["spread"] + 3 * parts["up"] + 5 * parts["contact"]
    assert parts["loss"].item() == approx(weighted.item()) and min(parts["up"], parts["contact"]) > 0
    assert parts["joints"] == pose_loss(PRED, TARGET, PAIR, LossConfig())
    alone = batch_losses(PRED, {}, batch, PAIR, LossConfig())
    assert alone == {"loss": alone["joints"], "joints": parts["joints"]}


def test_heads_of_which_the_data_says_nothing():
    extras = {"spread": torch.zeros(1, 3, 2), "up": torch.ones(1, 3, 3), "contact": torch.ones(1, 3, 4)}
    batch = batch_of(TARGET, up=torch.zeros(1, 3, 3))
    with pytest.raises(RecipeError, match=r"knows contact.*--model.contact False"):
        check_taught(extras, batch)
    check_taught({"spread": extras["spread"], "up": extras["up"]}, batch)
    assert batch_losses(PRED, extras, batch, PAIR, LossConfig())["contact"] == 0
