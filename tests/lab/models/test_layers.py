import pytest

torch = pytest.importorskip("torch")


from poselift.lab.models import layers


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
