import pytest

torch = pytest.importorskip("torch")

from poselift.lab.models import build
from poselift.lab.models.extras import SPREAD_LIMITS_M, ExtraHeads, OutputsConfig
from poselift.skeleton import H36M_17

ALL = OutputsConfig(spread=True, up=True, contact=True)
SMALL = {"in_frames": 9, "keep_frames": 3, "width": 48, "mlp_width": 16, "gcn_width": 16, "num_blocks": 1}


def heads(config=ALL):
    torch.manual_seed(0)
    made = ExtraHeads(config, 6, H36M_17)
    with torch.no_grad():
        made.out.weight.normal_()
    return made


def test_answers_are_distances_directions_and_probabilities():
    found = heads()
    made = found.finish(found(100 * torch.randn(5, 3, 17, 6)))
    assert [tuple(value.shape) for value in made.values()] == [(5, 3, 17), (5, 3, 3), (5, 3, 4)]
    low, high = SPREAD_LIMITS_M
    assert (made["spread"][..., 0] == 0).all()
    assert made["spread"][..., 1:].min() >= 0.999 * low and made["spread"].max() <= 1.001 * high
    torch.testing.assert_close(made["up"].norm(dim=2), torch.ones(5, 3))
    assert made["contact"].min() >= 0 and made["contact"].max() <= 1


def test_fresh_heads_answer_alike():
    made = ExtraHeads(ALL, 6, H36M_17)
    made = made.finish(made(torch.randn(2, 1, 17, 6)))
    torch.testing.assert_close(made["spread"][..., 1:], torch.full((2, 1, 16), 0.05))
    assert made["up"][0, 0].tolist() == [0, -1, 0] and (made["contact"] == 0.5).all()


@pytest.mark.parametrize("names", [("spread",), ("up",), ("contact",), ("up", "contact")])
def test_only_what_was_asked_for(names):
    model = build("nanohtnet", **SMALL, **dict.fromkeys(names, True)).eval()
    assert list(model.answer(torch.zeros(1, 9, 17, 2))) == ["joints", *names]


def test_joints_are_the_same_with_and_without():
    torch.manual_seed(3)
    plain = build("nanohtnet", **SMALL).eval()
    torch.manual_seed(3)
    more = build("nanohtnet", **SMALL, spread=True, up=True, contact=True).eval()
    x = torch.randn(2, 9, 17, 2)
    assert torch.equal(plain(x), more(x)) and torch.equal(more.answer(x)["joints"], plain(x))
    assert list(plain.answer(x)) == ["joints"]
    assert plain.state_dict().keys() == {name for name in more.state_dict() if not name.startswith("extras.")}


def test_spreads_are_scaled_by_the_weights():
    found, features = heads(), torch.randn(4, 2, 17, 6)
    before = found.finish(found(features))
    powers, factors = torch.linspace(0.5, 1.5, 17), torch.linspace(0.9, 1.2, 17)
    inside = (before["spread"] > 0.01) & (before["spread"] < 0.5)
    found.scale_spread(powers, factors)
    after = found.finish(found(features))
    torch.testing.assert_close(after["spread"][inside], (factors * before["spread"] ** powers)[inside])
    assert torch.equal(after["up"], before["up"]) and torch.equal(after["contact"], before["contact"])
