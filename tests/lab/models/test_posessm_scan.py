import math

import pytest

torch = pytest.importorskip("torch")

from poselift.lab.models import posessm_scan as state_space
from poselift.skeleton import COCO_17, H36M_17, SKELETONS, Skeleton

TWO_ROOTS = Skeleton("TWO_ROOTS", ("hip", "knee", "neck", "head"), (-1, 0, -1, 2))


def scan(skeleton, step_size="channel", width=6, state_dim=3):
    torch.manual_seed(0)
    space = state_space.JointStateSpace(skeleton, width, state_dim, step_size).double()
    with torch.no_grad():
        space.step.copy_(torch.randn_like(space.step))
        space.decay_log.add_(0.3 * torch.randn_like(space.decay_log))
    return space


def test_order_is_the_authors():
    space = scan(H36M_17)
    assert space.order.tolist() == [0, 1, 4, 7, 2, 5, 8, 3, 6, 9, 11, 14, 10, 12, 15, 13, 16]
    assert space.position.tolist() == [0, 1, 4, 7, 2, 5, 8, 3, 6, 9, 12, 10, 13, 15, 11, 14, 16]


def test_parts_are_the_authors():
    assert state_space.body_parts(H36M_17) == [0, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 3, 3, 3, 4, 4, 4]


def test_hands_and_feet_belong_to_their_limb():
    parts = state_space.body_parts(SKELETONS["MEDIAPIPE_33"])
    place = SKELETONS["MEDIAPIPE_33"].index
    assert parts[place("left_thumb")] == parts[place("left_wrist")] != parts[place("right_thumb")]
    assert parts[place("left_foot_index")] == parts[place("left_hip")] != parts[place("left_shoulder")]
    assert parts[place("nose")] == parts[place("left_mouth")] == 0
    assert sorted(set(parts)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("step_size", ["channel", "joint"])
@pytest.mark.parametrize("skeleton", [*SKELETONS.values(), TWO_ROOTS], ids=lambda s: s.name)
def test_the_matrix_is_the_recurrence(skeleton, step_size):
    space = scan(skeleton, step_size)
    u = torch.randn(3, len(skeleton), 6, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(3, len(skeleton), 6, dtype=torch.float64)
    given = []
    for form in (space.recurrence, space.forward):
        y = form(u)
        given.append((y, *torch.autograd.grad((y * weights).sum(), [u, *space.parameters()])))
    for slow, fast in zip(*given, strict=True):
        torch.testing.assert_close(fast, slow, rtol=1e-10, atol=1e-10)
    assert all(value.abs().max() > 1e-3 for value in given[0])


def test_the_matrix_stays_finite_for_long_steps():
    space = scan(COCO_17, "joint").float()
    with torch.no_grad():
        space.step.fill_(60.0)
    u = torch.randn(2, 17, 6)
    space(u).sum().backward()
    assert all(p.grad.isfinite().all() for p in space.parameters())
    torch.testing.assert_close(space(u), space.recurrence(u), rtol=1e-4, atol=1e-3)


def test_one_step_for_every_joint_is_one_for_the_channel():
    channel, joint = scan(H36M_17), scan(H36M_17, "joint")
    with torch.no_grad():
        for name, value in channel.named_parameters():
            getattr(joint, name).copy_(value)
    torch.testing.assert_close(joint.matrix(), channel.matrix(), rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        joint.step[3] += 1
    assert (joint.matrix() - channel.matrix()).abs().max() > 1e-2


def test_two_joints_by_hand():
    space = scan(Skeleton("TWO", ("hip", "knee"), (-1, 0)), width=1, state_dim=1)
    with torch.no_grad():
        space.decay_log.fill_(math.log(2))  # A = -2
        space.step.fill_(math.log(math.e - 1))  # Delta = 1
        space.input_map.copy_(torch.tensor([[3.0, 5.0]]))
        space.output_map.copy_(torch.tensor([[7.0, 11.0]]))
        space.skip.fill_(13.0)
    u = torch.tensor([[[0.1], [0.2]]], dtype=torch.float64)
    kept = math.exp(-2)
    start = (3 * 0.1 + 5 * 0.2) / 2
    first = kept * start + 3 * 0.1
    second = kept * first + 5 * 0.2
    wanted = torch.tensor([[[7 * first + 13 * 0.1], [11 * second + 13 * 0.2]]], dtype=torch.float64)
    torch.testing.assert_close(space(u), wanted)
    torch.testing.assert_close(space.recurrence(u), wanted)


def test_it_starts_as_published():
    torch.manual_seed(0)
    space = state_space.JointStateSpace(H36M_17, 2000, 4, "channel")
    torch.testing.assert_close(space.decay_log.exp(), torch.tensor([1.0, 2, 3, 4]).expand(2000, 4))
    step = torch.nn.functional.softplus(space.step)
    assert step.min() >= 0.999e-3 and step.max() <= 0.1001
    assert step.log().mean().item() == pytest.approx(math.log(0.01), abs=0.1)
    assert space.skip.std().item() == pytest.approx(1, abs=0.1)
    assert space.input_map.shape == space.output_map.shape == (4, 17)
    assert state_space.JointStateSpace(H36M_17, 8, 4, "joint").step.shape == (17, 8)


def test_scan_module_equals_its_equation(randomized):
    torch.manual_seed(1)
    module = randomized(state_space.ScanModule(H36M_17, 4, expand=2, state_dim=3, step_size="channel"))
    x = torch.randn(2, 17, 4, dtype=torch.float64)
    order, parts = module.space.order, torch.tensor(state_space.body_parts(H36M_17))
    s = module.norm(x[:, order] + module.part_embed[0, parts[order]])
    xz = s @ module.in_proj.weight.T
    u, z = xz[..., :8], xz[..., 8:]
    u = u * torch.sigmoid(u)
    y = module.space.recurrence(u[:, module.space.position])[:, order]
    out = (y * z * torch.sigmoid(z)) @ module.out_proj.weight.T
    torch.testing.assert_close(module(x)[:, order], out, rtol=1e-12, atol=1e-12)
