import math
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from poselift.errors import RecipeError
from poselift.lab.models import LIFTERS, build
from poselift.lab.poseclr.bank import Moments
from poselift.lab.poseclr.network import PoseCLR, PoseCLRConfig, Projector, diagnostics, info_nce, similarities

MIXER = {"mlp_width": 16, "gcn_width": 16, "num_blocks": 1}
SMALL = {
    "nanohtnet": MIXER | {"in_frames": 9, "keep_frames": 3, "width": 48},
    "htnet": MIXER | {"width": 48},
    "convformer": {"in_frames": 9, "width": 8, "heads": 4, "kernels": (3, 5)},
    "posessm": {"width": 24, "num_blocks": 1},
    "simplebaseline": {"width": 34},
    "videopose3d": {"in_frames": 9, "num_levels": 2, "width": 34},
    "mixste": {"in_frames": 9, "width": 24, "num_blocks": 1, "heads": 4},
    "poseformerv2": {"in_frames": 9, "width": 8, "num_blocks": 1, "heads": 4, "drop_path": (0.0, 0.0)},
    "motionagformer": {"in_frames": 9, "width": 16, "num_blocks": 1, "heads": 4, "motion_width": 24},
    "graph_lifter:GraphLifter": {"in_frames": 9, "width": 16},
}
EXAMPLES = Path(__file__).parents[3] / "examples"


def small(name, monkeypatch, **config):
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    torch.manual_seed(0)
    return PoseCLR(build(name, **SMALL[name]), PoseCLRConfig(queue_size=6, **config))


def views_for(model, size=3, count=3, seed=0):
    lifter = model.lifter
    shape = (size, count, lifter.in_frames, len(lifter.skeleton), lifter.in_channels)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def moments(*clips):
    return Moments(torch.tensor(clips), torch.tensor([[0.0, 1.0]]).repeat(len(clips), 1))


def one_step(model, views, when, lr=0.1):
    contrast = model(views, when)
    model.zero_grad()
    contrast.loss.backward()
    with torch.no_grad():
        for _, parameter in model.trained():
            parameter -= lr * (0 if parameter.grad is None else parameter.grad)
    model.update(contrast.keys, when)
    return contrast


def test_every_lifter_is_here():
    assert set(LIFTERS) < set(SMALL)


def test_the_loss_by_hand():
    """One anchor at 0 degrees, its keys at 60 and 0, negatives at 90 and 180."""
    query = torch.tensor([[1.0, 0.0]])
    keys = torch.tensor([[[0.5, math.sqrt(0.75)], [1.0, 0.0]]])
    bank = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    positive, negative = similarities(query, keys, bank)
    torch.testing.assert_close(positive, torch.tensor([[0.5, 1.0]]))
    assert negative.tolist() == [[0.0, -1.0]]
    losses = info_nce(positive, negative, torch.tensor([[True, True]]), 0.5)
    rest = math.exp(0) + math.exp(-2)
    expected = [-math.log(math.exp(s / 0.5) / (math.exp(s / 0.5) + rest)) for s in (0.5, 1.0)]
    assert losses[0].tolist() == pytest.approx(expected, rel=1e-6)
    assert expected == pytest.approx([0.3490, 0.1429], abs=1e-4)
    masked = info_nce(positive, negative, torch.tensor([[False, True]]), 0.5)
    assert masked[0].tolist() == pytest.approx([math.log(1 + math.exp(-2 - s / 0.5)) for s in (0.5, 1.0)], rel=1e-6)


def test_without_any_negative_there_is_nothing_to_learn_and_no_nan():
    positive = torch.tensor([[0.3]], requires_grad=True)
    negative = torch.randn(1, 4, requires_grad=True)
    loss = info_nce(positive, negative, torch.zeros(1, 4, dtype=torch.bool), 0.07).sum()
    loss.backward()
    assert loss == 0
    assert positive.grad.tolist() == [[0.0]]
    assert negative.grad.abs().sum() == 0


def test_masked_negatives_get_no_gradient():
    negative = torch.tensor([[0.9, -0.9]], requires_grad=True)
    info_nce(torch.tensor([[0.0]]), negative, torch.tensor([[False, True]]), 0.07).sum().backward()
    assert negative.grad[0, 0] == 0
    assert negative.grad[0, 1] > 0


def test_similarities_are_exact_in_mixed_precision():
    query = nn.functional.normalize(torch.randn(4, 136), dim=1)
    exact = similarities(query, query[:, None], query)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = similarities(query, query[:, None], query)
    for one, other in zip(exact, mixed, strict=True):
        assert other.dtype == torch.float32
        assert torch.equal(one, other)


def test_no_view_of_the_anchor_s_own_moment_is_a_negative(monkeypatch):
    """The bank is full of the anchor's own key: it counts for another recording, and not for the anchor's."""
    losses = {}
    for planted in (7, 1):
        model = small("htnet", monkeypatch)
        views = views_for(model, size=1)
        key = model.keys(views[:, 1])
        model.bank.push(key.repeat(6, 1), moments(*[planted] * 6))
        losses[planted] = model(views, moments(1)).loss.item()
    assert losses[1] == 0
    assert losses[7] > 0.5 * math.log(7)


def test_the_bank_does_not_count_the_batch_itself(monkeypatch):
    model = small("htnet", monkeypatch)
    first = one_step(model, views_for(model), moments(1, 2, 3))
    assert first.loss == 0
    assert model.bank.clip.tolist() == [1, 2, 3, -1, -1, -1]
    assert torch.equal(model.bank.embeddings[:3], first.keys[:, 0])
    assert one_step(model, views_for(model, seed=1), moments(4, 5, 6)).loss > 0


def test_the_copy_follows_slowly(monkeypatch):
    model = small("htnet", monkeypatch, momentum=0.75)
    pairs = list(zip(model.key_lifter.named_parameters(), model.lifter.parameters(), strict=True))
    for (name, key), query in pairs:
        assert torch.equal(key, query), name
        assert not key.requires_grad
    before = [key.clone() for (_, key), _ in pairs]
    with torch.no_grad():
        for parameter in (*model.lifter.parameters(), *model.projector.parameters()):
            parameter.add_(1)
    start = model.key_projector.linear.weight.clone()
    model.update(torch.zeros(1, 1, model.bank.embeddings.shape[1]), moments(1))
    for ((name, key), _), old in zip(pairs, before, strict=True):
        torch.testing.assert_close(key, old + 0.25, msg=name)
    torch.testing.assert_close(model.key_projector.linear.weight, start + 0.25)


class Normed(nn.Module):
    """A lifter with batch normalisation and dropout."""

    def __init__(self):
        super().__init__()
        self.skeleton = build("htnet", **SMALL["htnet"]).skeleton
        self.fps, self.in_frames, self.in_channels, self.out_frames = 50.0, 1, 2, (0,)
        self.embed, self.norm, self.drop = nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)
        self.head = nn.Linear(8, 3)

    def encode(self, x):
        found = self.norm(self.embed(x).flatten(0, 2))
        return self.drop(found).unflatten(0, x.shape[:3])


def test_keys_know_nothing_of_their_batch_nor_of_dropout():
    torch.manual_seed(0)
    model = PoseCLR(Normed(), PoseCLRConfig(queue_size=4))
    x = torch.randn(4, 1, 17, 2)
    assert model.lifter.training and not model.key_lifter.training
    torch.testing.assert_close(model.keys(x)[:1], model.keys(x[:1]))
    assert torch.equal(model.keys(x), model.keys(x))
    assert not torch.equal(model.embed(x), model.embed(x))
    assert not model.eval().lifter.training
    assert not model.train().key_lifter.training


def test_running_statistics_soon_forget_what_they_start_from():
    model = PoseCLR(Normed(), PoseCLRConfig(queue_size=4))
    key, query = model.key_lifter.norm, model.lifter.norm
    with torch.no_grad():
        query.running_mean.fill_(10)
        query.num_batches_tracked.fill_(5)
    for _ in range(20):
        model.update(torch.zeros(1, 1, 136), moments(1))
    assert (key.running_mean > 9.9).all()  # at 0.999 alone it would be 0.2
    assert key.num_batches_tracked == 5
    model.bank.time.fill_(10**6)
    with torch.no_grad():
        query.running_mean.fill_(20)
    before = key.running_mean.clone()
    model.update(torch.zeros(1, 1, 136), moments(1))
    torch.testing.assert_close(key.running_mean, before + 0.001 * (20 - before))


@pytest.mark.parametrize("name", SMALL)
def test_gradients_reach_the_encoder_through_the_query_alone(name, monkeypatch):
    model = small(name, monkeypatch)
    with torch.no_grad():  # away from weights that start at zero, behind which no gradient comes
        for parameter in (*model.lifter.parameters(), *model.projector.parameters()):
            parameter.add_(0.05 * torch.randn_like(parameter))
    views = views_for(model).requires_grad_(True)
    one_step(model, views.detach(), moments(1, 2, 3), lr=0)
    model.zero_grad()
    model(views, moments(4, 5, 6)).loss.backward()
    assert views.grad[:, 0].abs().sum() > 0
    assert views.grad[:, 1:].abs().sum() == 0
    assert all(p.grad is None for p in (*model.key_lifter.parameters(), *model.key_projector.parameters()))
    assert all(p.grad is None for p in model.lifter.head.parameters())
    without = [n for n, p in model.trained() if p.grad is None]
    assert without == (["lifter.average.bias"] if name == "convformer" else [])  # which its head adds
    names = [n for n, _ in model.trained()]
    assert not [n for n in names if n.startswith("lifter.head.")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", SMALL)
def test_embeddings_of_every_lifter(name, monkeypatch):
    model = small(name, monkeypatch, feature_dim=4, relu=True)
    views = views_for(model)
    model.eval()
    embedded = model.embed(views[:, 0])
    assert embedded.shape == (3, 17 * 4)
    torch.testing.assert_close(embedded.norm(dim=1), torch.ones(3))
    assert (embedded >= 0).all()
    torch.testing.assert_close(embedded, model.keys(views[:, 0]))  # before the first step they are the same
    contrast = model(views, moments(1, 2, 3))
    assert contrast.keys.shape == (3, 2, 68)
    assert set(contrast.measures) == {"positive", "negative", "accuracy", "spread", "bank_fill", "bank_age"}


def test_the_projector_is_the_published_one_for_any_number_of_frames():
    x = torch.randn(2, 5, 17, 12)
    projector = Projector(12, 5, PoseCLRConfig(relu=True))
    normed = nn.functional.layer_norm(x, (12,), projector.norm.weight, projector.norm.bias)
    normed = nn.functional.layer_norm(
        normed @ projector.linear.weight.T + projector.linear.bias, (8,), *projector.mix_norm.parameters()
    )
    mixed = nn.functional.conv2d(normed, projector.mix.weight.view(1, 5, 1, 1), projector.mix.bias)  # frames: channels
    expected = nn.functional.normalize(mixed.relu().flatten(1))
    torch.testing.assert_close(projector(x), expected)
    assert [n for n, _ in Projector(12, 1, PoseCLRConfig()).named_parameters()] == [
        "norm.weight", "norm.bias", "linear.weight", "linear.bias",
    ]  # fmt: skip
    plain = Projector(12, 5, PoseCLRConfig(mix_frames=False, relu=False))
    assert plain.mix is None
    torch.testing.assert_close(plain(x), nn.functional.normalize(plain.linear(plain.norm(x)).mean(1).flatten(1)))
    assert (plain(x) < 0).any()


def test_collapse_is_seen():
    usable = torch.ones(4, 2, dtype=torch.bool)
    same = torch.eye(4)[:1].repeat(4, 1)
    collapsed = diagnostics(same, torch.ones(4, 1), torch.ones(4, 2), usable)
    assert collapsed["spread"] == 0
    assert collapsed["accuracy"] == 0  # a tie is no success
    assert (collapsed["positive"], collapsed["negative"]) == (1, 1)
    corners = torch.cat([torch.eye(4), -torch.eye(4)])
    even = diagnostics(corners, torch.ones(8, 1), torch.zeros(8, 2), torch.ones(8, 2, dtype=torch.bool))
    assert even["spread"] == pytest.approx(1)
    assert even["accuracy"] == 1
    line = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert diagnostics(line, torch.ones(2, 1), torch.zeros(2, 2), usable[:2])["spread"] == pytest.approx(math.sqrt(0.5))


def test_masked_entries_are_not_counted():
    usable = torch.tensor([[True, False], [True, True]])
    found = diagnostics(torch.eye(2), torch.tensor([[0.5], [0.5]]), torch.tensor([[0.1, 0.9], [0.2, 0.9]]), usable)
    assert found["negative"] == pytest.approx((0.1 + 0.2 + 0.9) / 3)
    assert found["accuracy"] == 0.5
    nothing = diagnostics(torch.eye(2), torch.ones(2, 1), torch.ones(2, 2), torch.zeros(2, 2, dtype=torch.bool))
    assert (nothing["negative"], nothing["accuracy"]) == (0, 1)


def test_the_released_options_and_their_defaults():
    config = PoseCLRConfig()
    assert (config.feature_dim, config.queue_size, config.momentum) == (8, 20480, 0.999)
    assert (config.temperature, config.relu) == (0.07, False)  # 0.07 is the older one's; ReLU is the release's


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feature_dim": 0}, "contrast.feature_dim: wanted 1 or more, got 0"),
        ({"queue_size": 0}, "contrast.queue_size"),
        ({"momentum": 1.0}, r"contrast.momentum: wanted a share in \[0, 1\), got 1.0"),
        ({"temperature": 0.0}, "contrast.temperature"),
        ({"margin_s": -1.0}, "contrast.margin_s"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(RecipeError, match=message):
        PoseCLRConfig(**options)


def test_a_lifter_is_left_as_it_was_when_wrapped():
    lifter = Normed().eval()
    before = {name: value.clone() for name, value in lifter.state_dict().items()}
    PoseCLR(lifter)
    for name, value in lifter.state_dict().items():
        assert torch.equal(value, before[name]), name
