import math
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from poselift.errors import RecipeError
from poselift.lab.models import LIFTERS, build
from poselift.lab.recipes.rows import by_epochs
from poselift.lab.run.optim import OptimConfig, freeze_all_but, learning_rate, make_optimizer, rest_in_use

POSESSM = {
    1: 5.000e-4, 2: 4.750e-4, 3: 4.512e-4, 4: 4.287e-4, 5: 4.073e-4, 6: 2.036e-4, 10: 1.659e-4, 11: 8.293e-5,
    15: 6.755e-5, 16: 3.377e-5, 20: 2.751e-5, 21: 1.375e-5, 25: 1.120e-5, 26: 5.601e-6, 29: 4.802e-6,
}  # fmt: skip
"""Rates of the epochs, from 1, that the authors' code comes to, to four digits."""


def of_epoch(number, config, steps=6093):
    """The rate in the first and the last step of an epoch, from 1."""
    first, last = (learning_rate(step, 10**6, steps, config) for step in ((number - 1) * steps, number * steps - 1))
    assert first == last
    return first


@pytest.mark.parametrize(("epoch", "rate"), POSESSM.items())
def test_the_rates_of_posessm(epoch, rate):
    assert of_epoch(epoch, by_epochs(lr=5e-4, factor=0.95, halve_every=5)) == pytest.approx(rate, rel=5e-4)


def test_halving_besides_is_as_the_paper_has_it():
    config = OptimConfig(schedule="epochs", lr=1, warmup_steps=0, epoch_factor=0.9, halve_every=2, halving="besides")
    assert [of_epoch(n, config, 3) for n in range(1, 6)] == pytest.approx(
        [1, 0.9, 0.5 * 0.9**2, 0.5 * 0.9**3, 0.25 * 0.9**4]
    )


def test_the_other_papers_rates():
    assert [of_epoch(n, by_epochs(lr=5e-4, factor=1.0, halve_every=5)) for n in (1, 5, 6, 11)] == [
        5e-4, 5e-4, 2.5e-4, 1.25e-4,
    ]  # fmt: skip
    assert of_epoch(60, by_epochs(lr=1e-3, factor=0.95)) == pytest.approx(1e-3 * 0.95**59)


def test_half_a_cosine_after_a_rise():
    optim = OptimConfig(lr=0.1, warmup_steps=4, final_lr=0.01)
    rates = [learning_rate(step, 12, 5, optim) for step in range(13)]
    assert rates[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert rates[4] == pytest.approx(0.1)
    assert rates[8] == pytest.approx(0.1 * (1 + 0.01) / 2)
    assert rates[6] == pytest.approx(0.001 + 0.099 * (1 + math.sqrt(0.5)) / 2)
    assert rates[12] == pytest.approx(0.001)
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert learning_rate(0, 5, 5, OptimConfig(lr=0.1, warmup_steps=0)) == pytest.approx(0.1)


def test_adam_is_the_papers():
    optimizer = make_optimizer(nn.Linear(2, 2), by_epochs(lr=5e-4, factor=0.95))
    (group,) = optimizer.param_groups
    assert type(optimizer) is torch.optim.Adam
    assert (group["lr"], group["betas"], group["eps"]) == (5e-4, (0.9, 0.999), 1e-8)
    assert (group["amsgrad"], group["weight_decay"]) == (True, 0)


def decays(model):
    """Names of the parameters that decay, and of those that do not."""
    optimizer = make_optimizer(model, OptimConfig())
    assert type(optimizer) is torch.optim.AdamW
    decayed, free = optimizer.param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.01, 0.0)
    names = {id(p): name for name, p in model.named_parameters()}
    groups = [[names[id(p)] for p in group["params"]] for group in (decayed, free)]
    assert sorted(groups[0] + groups[1]) == sorted(names.values())
    return groups


@pytest.mark.parametrize("name", LIFTERS)
def test_matrices_of_layers_alone_decay(name):
    model = build(name)
    decayed, free = decays(model)
    assert all(name.endswith("weight") for name in decayed)
    assert any(name.startswith("head.") for name in decayed)
    norms = {n for n, m in model.named_modules() if isinstance(m, nn.LayerNorm | nn.BatchNorm1d)}
    assert norms and not {name.rsplit(".", 1)[0] for name in decayed} & norms


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("nanohtnet", ("spatial_position", "temporal_position", "adjacency", "modulation", "bias")),
        ("convformer", ("position", "frame_position", "mix", "bias", "temporal_norm.weight")),
        ("posessm", ("position", "decay_log", "input_map", "output_map", "skip", "step", "part_embed", "bias")),
    ],
)
def test_what_stands_for_itself_does_not_decay(name, ends):
    _, free = decays(build(name))
    for end in ends:
        assert [parameter for parameter in free if parameter.endswith(end)], end


def test_layers_from_elsewhere():
    model = nn.ModuleDict({"words": nn.Embedding(3, 4), "attention": nn.MultiheadAttention(4, 2), "gru": nn.GRU(4, 4)})
    decayed, free = decays(model)
    assert {"attention.in_proj_weight", "attention.out_proj.weight", "gru.weight_hh_l0"} <= set(decayed)
    assert {"words.weight", "attention.in_proj_bias", "gru.bias_hh_l0"} <= set(free)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ema": 1.0}, r"optim.ema: wanted a decay in \[0, 1\), got 1.0"),
        ({"halve_every": -1}, "halve_every"),
        ({"clip_norm": -1.0}, "clip_norm"),
        ({"epoch_factor": 0.0}, "epoch_factor"),
        ({"method": "adam"}, r"weight_decay: wanted 0 for Adam, got 0.01; or use adamw"),
    ],
)
def test_numbers_are_checked(options, message):
    with pytest.raises(RecipeError, match=message):
        OptimConfig(**options)


def small():
    body = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    return nn.ModuleDict({"body": body, "head": nn.Linear(3, 1), "heads": nn.Linear(3, 1)})


BODY = {"body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias"}
HEAD = {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("parts", "trained"),
    [
        ((), BODY | HEAD | {"heads.weight", "heads.bias"}),
        (("head",), HEAD),
        (("body.1", "heads.bias"), {"body.1.weight", "body.1.bias", "heads.bias"}),
    ],
)
def test_only_the_named_parts_are_trained(parts, trained):
    model = small()
    freeze_all_but(model, parts)
    assert {name for name, parameter in model.named_parameters() if parameter.requires_grad} == trained
    for config in (OptimConfig(only=parts), replace(by_epochs(lr=5e-4, factor=0.95), only=parts)):
        held = {id(weight) for group in make_optimizer(model, config).param_groups for weight in group["params"]}
        assert held == {id(dict(model.named_parameters())[name]) for name in trained}
    rest_in_use(model.train())
    assert model["body"][1].training == model["body"].training == any(name.startswith("body") for name in trained)
    assert model["head"].training == any(name.startswith("head.") for name in trained)


def test_what_is_frozen_already_stays_so():
    model = small()
    model["head"].requires_grad_(False)
    freeze_all_but(model, ("heads", "body"))
    assert not model["head"].weight.requires_grad and model["heads"].weight.requires_grad
    with pytest.raises(RecipeError, match="no part 'head' with weights; its parts are body, heads, and"):
        freeze_all_but(model, ("head",))


def test_a_part_that_is_not_there_is_named():
    with pytest.raises(
        RecipeError,
        match=r"no part 'hea' with weights; its parts are body, head, heads, and parts of these, as in body.0$",
    ):
        freeze_all_but(small(), ("head", "hea"))
