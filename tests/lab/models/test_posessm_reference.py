"""PoseSSM's weights as the authors' code saves them."""

import logging

import pytest

torch = pytest.importorskip("torch")

from poselift.errors import CheckpointError
from poselift.lab.export.cost import count_parameters
from poselift.lab.export.forms import example
from poselift.lab.models import build, from_reference, posessm

SMALL = {"width": 24, "num_blocks": 2}
LIVE, DEAD = 2_417_531, 30_720


def authors_shapes(blocks=3, width=160, states=4):
    """Every key that the authors' code saves, and its shape."""
    wide, rank = 2 * width, -(-width // 16)
    shapes = {
        "patch_embed.weight": (width, 2),
        "patch_embed.bias": (width,),
        "fcn.weight": (3, width),
        "fcn.bias": (3,),
    }

    def pair(key, *shape):
        shapes[f"{key}.weight"], shapes[f"{key}.bias"] = shape, shape[:1]

    pair("Temporal_norm", width)
    for block in range(blocks):
        gcn, attention, ssm = (f"blocks.{block}.pose_{kind}" for kind in ("gcn", "transformer", "ssm"))
        for layer, (into, out) in enumerate(((width, wide), (wide, width)), 1):
            pair(f"{gcn}.gcn{layer}.gcn.conv", 4 * out, into, 1, 1)
            pair(f"{gcn}.gcn{layer}.tcn.3", out, out, 1, 1)
            for norm in (f"{gcn}.gcn{layer}.tcn.0", f"{gcn}.gcn{layer}.tcn.4"):
                pair(norm, out)
                shapes |= {f"{norm}.running_mean": (out,), f"{norm}.running_var": (out,)}
                shapes[f"{norm}.num_batches_tracked"] = ()
            pair(f"{gcn}.norm_gcn{layer}", width)
        shapes |= {f"{attention}.pos_embed": (1, 17, width), f"{ssm}.bp_embed": (1, 5, width)}
        for norm in (f"{attention}.norm_attn", f"{ssm}.norm_ssm", f"{ssm}.norm_out"):
            pair(norm, width)
        pair(f"{attention}.attn.qkv", 3 * width, width)
        pair(f"{attention}.attn.proj", width, width)
        shapes |= {f"{ssm}.ssm.A_log": (wide, states), f"{ssm}.ssm.D": (wide,), f"{ssm}.ssm.dt": (wide,)}
        shapes |= {f"{ssm}.ssm.B": (states, 17), f"{ssm}.ssm.C": (states, 17)}
        shapes |= {f"{ssm}.ssm.in_proj.weight": (2 * wide, width), f"{ssm}.ssm.out_proj.weight": (width, wide)}
        pair(f"{ssm}.ssm.conv1d", wide, 1, 1)
        pair(f"{ssm}.ssm.dt_proj", wide, rank)
        shapes[f"{ssm}.ssm.x_proj.weight"] = (rank + 2 * states, wide)
    return shapes


def test_counts_are_the_authors():
    shapes = authors_shapes()
    assert len(shapes) == 174
    counted = {key: torch.Size(shape).numel() for key, shape in shapes.items() if "running" not in key}
    counted = {key: count for key, count in counted.items() if "num_batches" not in key}
    unused = [count for key, count in counted.items() if posessm.REFERENCE.is_unused(key)]
    assert (len(unused), sum(unused), sum(counted.values())) == (21, DEAD, LIVE + DEAD)
    assert count_parameters(build("posessm")) == LIVE


def test_keys_and_shapes_are_the_authors(as_reference):
    shapes = {key: shape for key, shape in authors_shapes().items() if not posessm.REFERENCE.is_unused(key)}
    assert {key: tuple(value.shape) for key, value in as_reference("posessm", build("posessm")).items()} == shapes


def test_authors_weights_come_back(as_reference, caplog):
    torch.manual_seed(0)
    model = build("posessm", **SMALL, state_dim=3, expand=3, in_channels=3).eval()
    weights = as_reference("posessm", model)
    x = example(model, 2)
    assert torch.equal(from_reference("posessm", weights)(x), model(x))
    assert caplog.messages == []
    unused = {
        "pose_ssm.norm_out.weight": (24,),
        "pose_ssm.norm_out.bias": (24,),
        "pose_ssm.ssm.conv1d.weight": (72, 1, 1),
        "pose_ssm.ssm.conv1d.bias": (72,),
        "pose_ssm.ssm.x_proj.weight": (8, 72),
        "pose_ssm.ssm.dt_proj.weight": (72, 2),
        "pose_ssm.ssm.dt_proj.bias": (72,),
    }
    weights |= {f"blocks.{i}.{key}": torch.ones(shape) for i in (0, 1) for key, shape in unused.items()}
    with caplog.at_level(logging.INFO, "poselift"):
        again = from_reference("posessm", weights)
    count = 2 * sum(torch.Size(shape).numel() for shape in unused.values())
    assert f"left out {count} weights that the authors' code never uses" in caplog.text
    assert again.config == model.config
    assert torch.equal(again(x), model(x))


def test_authors_weights_load_strictly(as_reference):
    weights = as_reference("posessm", build("posessm", **SMALL))
    key = "blocks.1.pose_gcn.gcn1.gcn.conv.weight"
    with pytest.raises(CheckpointError, match=rf"missing: {key}"):
        from_reference("posessm", {k: v for k, v in weights.items() if k != key})
    with pytest.raises(CheckpointError, match=rf"{key}: wanted shape \(192, 24, 1, 1\), got \(192, 24\)"):
        from_reference("posessm", weights | {key: weights[key].flatten(1)})
    for extra in ("blocks.1.pose_ssm.norm_in.weight", "pose_ssm.norm_out.weight", "blocks.0.pose_ssm.ssm.x_proj.bias"):
        with pytest.raises(CheckpointError, match=f"unknown: {extra}"):
            from_reference("posessm", weights | {extra: torch.zeros(24)})
    with pytest.raises(CheckpointError, match="not weights of posessm: patch_embed.weight is missing"):
        from_reference("posessm", {})
