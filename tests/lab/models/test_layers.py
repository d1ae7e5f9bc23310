import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402, N812

from poselift.lab.models import layers  # noqa: E402
from poselift.skeleton import COCO_17, H36M_17  # noqa: E402


@pytest.mark.parametrize("skeleton", [H36M_17, COCO_17], ids=lambda s: s.name)
def test_limb_constraint_equals_a_loop_over_limbs(skeleton, randomized):
    torch.manual_seed(1)
    ipc = randomized(layers.IntraPartConstraint(skeleton, 6, 8, 0.1, 0.1))
    before, x = torch.randn(2, 2, 17, 6, dtype=torch.float64)
    u = before + x
    total = u.clone()
    for branch, start in ((ipc.limb, 0), (ipc.end, 1)):
        z = branch.norm(u)
        written = z.clone()
        for limb in skeleton.limbs:
            y = F.gelu(branch.mix(torch.cat([z[:, joint] for joint in limb[start:]], -1)))
            y = y + branch.mlp(branch.norm_mlp(y))
            for joint in limb[start + 1 :]:
                written[:, joint] = y
        total = total + written
    torch.testing.assert_close(ipc(before, x), total, rtol=1e-12, atol=1e-12)


def test_attention_equals_its_equation(randomized):
    torch.manual_seed(2)
    gbi = randomized(layers.GlobalBodyInteraction(16, 4, 0.1, 0.1))
    before, x = torch.randn(2, 2, 9, 16, dtype=torch.float64)
    s = before + x
    q, k, v = gbi.qkv(gbi.norm(s)).split(16, 2)
    heads = []
    for h in range(4):
        part = slice(4 * h, 4 * h + 4)
        weights = (q[..., part] @ k[..., part].mT / 2).softmax(-1)
        heads.append(weights @ v[..., part])
    torch.testing.assert_close(gbi(before, x), s + gbi.proj(torch.cat(heads, 2)), rtol=1e-12, atol=1e-12)


def test_attention_under_autocast_stays_float32():
    q, k, v = torch.randn(3, 2, 4, 9, 8)
    with torch.autocast("cpu", torch.bfloat16):
        inside = layers.attend(q.bfloat16(), k.bfloat16(), v.bfloat16())
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, layers.attend(q, k, v), rtol=0, atol=0.05)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_right_share_everywhere(rate):
    torch.manual_seed(3)
    dropout = layers.Dropout(rate)
    out = dropout(torch.ones(100_003))
    kept = out != 0
    assert torch.allclose(out[kept], torch.tensor(1 / (1 - rate)))
    for lane in range(4):  # four elements share one random word
        assert kept[lane::4].float().mean().item() == pytest.approx(1 - rate, abs=0.01)
    pairs = (kept[0:-1:4] & kept[1::4]).float().mean().item()
    assert pairs == pytest.approx((1 - rate) ** 2, abs=0.015)


def test_dropout_repeats_with_its_seed_and_rests_in_eval():
    x = torch.randn(3, 5, 7)
    dropout = layers.Dropout(0.4)
    torch.manual_seed(4)
    first = dropout(x)
    torch.manual_seed(4)
    assert torch.equal(dropout(x), first)
    assert not torch.equal(dropout(x), first)
    assert torch.equal(dropout.eval()(x), x)


def test_dropout_passes_the_gradient_it_passed_the_value():
    x = torch.ones(64, requires_grad=True)
    out = layers.Dropout(0.5)(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_drop_path_drops_whole_samples():
    torch.manual_seed(5)
    drop = layers.DropPath(0.25)
    out = drop(torch.ones(4000, 3, 2))
    assert all(len(sample.unique()) == 1 for sample in out[:50])
    assert torch.allclose(out.unique(), torch.tensor([0, 4 / 3]))
    assert out.mean().item() == pytest.approx(1, abs=0.04)
    x = torch.randn(4, 3)
    assert torch.equal(drop.eval()(x), x)


def test_drop_path_rates_rise_evenly():
    assert layers.drop_path_rates(0.1, 0.3, 3) == pytest.approx([0.1, 0.2, 0.3])
    assert layers.drop_path_rates(0.1, 0.3, 1) == pytest.approx([0.1])
