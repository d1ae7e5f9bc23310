import copy
import math

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from poselift.errors import CheckpointError, RecipeError, ShapeError
from poselift.lab.models import build, convformer, from_reference, layers
from poselift.skeleton import HUMANEVA_15, Skeleton

SMALL = {"in_frames": 9, "width": 8, "heads": 4, "kernels": (3, 7, 5)}
STICK = Skeleton("STICK", ("pelvis", "chest", "head"), (-1, 0, 1))
TOTALS = {
    ("H36M_17", 9): 2_561_621,
    ("H36M_17", 27): 2_654_735,
    ("H36M_17", 43): 2_807_135,
    ("H36M_17", 81): 3_431_741,
    ("H36M_17", 143): 5_244_435,
    ("H36M_17", 243): 10_241_735,
    ("HUMANEVA_15", 9): 2_029_391,
    ("HUMANEVA_15", 27): 2_121_353,
    ("HUMANEVA_15", 43): 2_272_729,
}
BY_FRAMES = {9: "2.56", 27: "2.65", 81: "3.43", 143: "5.24", 243: "10.24"}
"""Table 5: millions of parameters."""
BY_KERNELS = {
    (3,): "2.44", (3, 3): "2.46", (3, 3, 3): "2.48", (5,): "2.46", (5, 5): "2.49", (5, 5, 5): "2.52", (7,): "2.47",
    (7, 7): "2.51", (7, 7, 7): "2.56", (9,): "2.48", (9, 9): "2.54", (9, 9, 9): "2.60", (3, 5, 7): "2.52",
    (5, 7, 9): "2.56",
}  # fmt: skip
"""Table 4, at 9 frames."""
BY_SIZE = {
    (16, 2, 2): ("0.65", "0.66"),
    (16, 2, 4): ("1.26", "1.27"),
    (16, 4, 2): ("0.69", "0.69"),
    (32, 2, 2): ("2.56", "2.56"),
    (32, 2, 4): ("4.95", "4.95"),
    (32, 4, 2): ("2.70", "2.70"),
    (64, 2, 2): ("9.97", "10.13"),
}
"""Table 3, at 9 frames: (d, B_sp, B_temp) to what the paper prints, and ours where it differs."""
LINEAR_MACS = {9: 97, 27: 359, 81: 1686, 143: 4210, 243: 10539}
"""Twice the MACs of linear layers and convolutions, millions, filters apart."""
ALL_MACS = {9: 98, 27: 364, 81: 1720, 143: 4310, 243: 10814}
"""The same with the products of the attention."""


def shapes_only(**config):
    with torch.device("meta"):
        return build("convformer", **config)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def away_from_start(module):
    """In evaluation and double precision, every weight away from where it starts."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return module.double().eval()


def as_published(model):
    for block in (*model.spatial, *model.temporal):
        block.attention = block.attention.published()
    return model


def as_folded(model):
    for block in (*model.spatial, *model.temporal):
        block.attention = block.attention.folded()
    model.head = model.head.folded()
    return model


def attention(*, frames, **config):
    """An attention layer alone, and the (N, F) it works on."""
    config = convformer.ConvFormerConfig(**SMALL | config)
    joints, width = len(config.skeleton), config.width
    size = (config.in_frames, joints * width) if frames else (joints, width)
    return away_from_start(convformer.DMHCSA(config.in_frames if frames else width, config, frames=frames)), size


# Counts


@pytest.mark.parametrize(("case", "total"), TOTALS.items())
def test_totals_are_exact(case, total):
    assert count(shapes_only(skeleton=case[0], in_frames=case[1])) == total


@pytest.mark.parametrize(("frames", "published"), BY_FRAMES.items())
def test_counts_by_frames_are_the_papers(frames, published):
    assert f"{count(shapes_only(in_frames=frames)) / 1e6:.2f}" == published


@pytest.mark.parametrize(("kernels", "published"), BY_KERNELS.items())
def test_counts_by_kernels_are_the_papers(kernels, published):
    assert f"{count(shapes_only(in_frames=9, kernels=kernels)) / 1e6:.2f}" == published


@pytest.mark.parametrize(("size", "counts"), BY_SIZE.items())
def test_counts_by_size_are_the_papers_but_three(size, counts):
    width, spatial, temporal = size
    model = shapes_only(in_frames=9, width=width, num_spatial_blocks=spatial, num_temporal_blocks=temporal)
    assert f"{count(model) / 1e6:.2f}" == counts[1]
    assert sum(published != ours for published, ours in BY_SIZE.values()) == 3


@pytest.mark.parametrize("frames", [9, 243])
def test_budget_of_each_part(frames):
    model = shapes_only(in_frames=frames)
    assert model.embed.linear.weight.numel() + model.embed.linear.bias.numel() == 96
    assert model.embed.position.numel() == 544
    assert model.frame_position.numel() == 544 * frames
    for block in model.spatial:
        assert count(block) == 70_185
        assert count(block.attention) == 65_865
        assert block.attention.qkv.mix.numel() == 9
        assert count(block.mlp) == 4_192
        assert count(block.norm1) + count(block.norm2) == 128
    for block in model.temporal:
        assert count(block.attention) == 3 * 3 * (7 * frames**2 + frames) + 9 + frames**2 + frames
        assert count(block.mlp) == 1_185_376
        assert count(block.norm1) + count(block.norm2) == 2_176
    assert (count(model.spatial_norm), count(model.temporal_norm)) == (64, 1_088)
    assert count(model.head_norm) + count(model.head) == 28_883
    assert count(model.average) == frames + 1


@pytest.mark.parametrize("frames", LINEAR_MACS)
def test_operations_are_the_specified(frames):
    model = as_published(shapes_only(in_frames=frames).eval())
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, frames, 17, 2, device="meta"))
    by_operator = counter.get_flop_counts()["Global"]
    products = sum(flops for operator, flops in by_operator.items() if "bmm" in str(operator))
    products -= 2 * 544 * frames  # the average over frames, which is one too
    assert counter.get_total_flops() / 1e6 == pytest.approx(ALL_MACS[frames], rel=0.01)
    assert (counter.get_total_flops() - products) / 1e6 == pytest.approx(LINEAR_MACS[frames], rel=0.01)


# Equations, each by hand


def test_equation_1_embeds_each_joint():
    embed = convformer.JointEmbedding(convformer.ConvFormerConfig(width=2, heads=1, skeleton=STICK))
    with torch.no_grad():
        embed.linear.weight.copy_(torch.tensor([[1.0, 10.0], [2.0, 0.0]]))
        embed.linear.bias.copy_(torch.tensor([0.5, -0.5]))
        embed.position.copy_(torch.tensor([[[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]]]))
    out = embed(torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]))
    assert out.tolist() == [[[21.5, 1.5], [143.5, 5.5], [65.5, 109.5]]]


def test_equation_4_slides_a_centered_filter_over_zeros():
    conv = convformer.DynamicConvolution(1, (3,))
    with torch.no_grad():
        conv.weights[0].copy_(torch.tensor([[[1.0, 10.0, 100.0]], [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]]]))
        conv.biases[0].copy_(torch.tensor([0.0, 0.5, 0.0]))
    # Filter entry k = 1..3 meets z[m + k - 2]; beyond both ends z is 0.
    assert conv(torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])).tolist() == [
        [[210.0, 321.0, 432.0, 43.0], [2.5, 3.5, 4.5, 0.5], [0.0, 1.0, 2.0, 3.0]]
    ]


def test_equation_4_sums_over_all_channels():
    conv = convformer.DynamicConvolution(2, (1,))
    with torch.no_grad():
        conv.weights[0].zero_()
        conv.weights[0][1, :, 0] = torch.tensor([1.0, 10.0])  # query channel 1
        conv.biases[0].zero_()
    out = conv(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    assert out[0, :2].tolist() == [[0.0, 0.0], [31.0, 42.0]]


@pytest.mark.parametrize("kernels", [(7, 7, 7), (3, 5, 7), (9,), (1, 9), (3, 3, 3, 3)])
def test_equation_6_weights_the_filters(kernels):
    conv = away_from_start(convformer.DynamicConvolution(4, kernels))
    z = torch.randn(2, 4, 6, dtype=torch.float64)
    eta = conv.mix.exp() / conv.mix.exp().sum(1, keepdim=True)
    for role, out in enumerate(conv(z).split(4, 1)):
        total = torch.zeros(2, 4, 6, dtype=torch.float64)
        for i, kernel in enumerate(kernels):
            weight, bias = conv.weights[i][4 * role : 4 * role + 4], conv.biases[i][4 * role : 4 * role + 4]
            padded = torch.cat((torch.zeros(2, 4, kernel // 2), z, torch.zeros(2, 4, kernel // 2)), 2)
            for m in range(6):
                window = padded[:, :, m : m + kernel]
                total[:, :, m] += eta[role, i] * (torch.einsum("ock,bck->bo", weight, window) + bias)
        torch.testing.assert_close(out, total, rtol=1e-12, atol=1e-12)


def test_equation_6_starts_as_an_average_and_stays_one():
    torch.manual_seed(0)
    model = build("convformer", **SMALL)
    convs = [block.attention.qkv for block in (*model.spatial, *model.temporal)]
    assert all(torch.equal(conv.eta(), torch.full((3, 3), 1 / 3)) for conv in convs)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.randn(4, 9, 17, 2)).square().sum().backward()
    optimizer.step()
    for conv in convs:
        assert (conv.eta() - 1 / 3).abs().max() > 0.01
        torch.testing.assert_close(conv.eta().sum(1), torch.ones(3))


@pytest.mark.parametrize("frames", [False, True])
def test_equation_7_attends_in_each_head(frames):
    layer, (tokens, features) = attention(frames=frames)
    x = torch.randn(2, tokens, features, dtype=torch.float64)
    qkv = layer.qkv(x if frames else x.mT)
    q, k, v = (part if frames else part.mT for part in qkv.chunk(3, 1))
    width, heads = features // 4, []
    for head in range(4):
        part = slice(head * width, (head + 1) * width)
        weights = (q[..., part] @ k[..., part].mT / math.sqrt(width)).softmax(2)
        assert weights.shape == (2, tokens, tokens)
        heads.append(weights @ v[..., part])
    mixed, matrix = torch.cat(heads, 2), layer.proj.weight[:, :, 0]
    wanted = matrix @ mixed + layer.proj.bias[:, None] if frames else mixed @ matrix.T + layer.proj.bias
    torch.testing.assert_close(layer(x), wanted, rtol=1e-12, atol=1e-12)


def test_equation_8_normalizes_before_and_adds_after():
    layer, (tokens, features) = attention(frames=False)
    block = away_from_start(convformer.ConvFormerBlock(layer, features, 2, 0.2))
    x = torch.randn(2, tokens, features, dtype=torch.float64)

    def normalized(x, norm):
        centered = x - x.mean(2, keepdim=True)
        return centered / (centered.square().mean(2, keepdim=True) + 1e-6).sqrt() * norm.weight + norm.bias

    y = x + layer(normalized(x, block.norm1))
    hidden = normalized(y, block.norm2) @ block.mlp.fc1.weight.T + block.mlp.fc1.bias
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    assert hidden.shape[2] == 2 * features
    wanted = y + hidden @ block.mlp.fc2.weight.T + block.mlp.fc2.bias
    torch.testing.assert_close(block(x), wanted, rtol=1e-12, atol=1e-12)


def in_the_papers_order(model, x):
    """The whole network as the paper orders it: every frame projected to joints, then averaged."""
    poses = model.spatial(model.embed(x.flatten(0, 1)))
    poses = F.layer_norm(poses, (8,), model.spatial_norm.weight, model.spatial_norm.bias, 1e-6)
    poses = model.temporal(poses.reshape(len(x), 9, 17 * 8) + model.frame_position)
    for norm in (model.temporal_norm, model.head_norm):
        poses = F.layer_norm(poses, (136,), norm.weight.flatten(), norm.bias.flatten(), 1e-6)
    frames = F.linear(poses, model.head.linear.weight, model.head.linear.bias)  # (B, T, 3J)
    out = F.conv1d(frames, model.average.weight[:, :, None], model.average.bias)  # T channels to one
    return out.reshape(len(x), 1, 17, 3)


def test_head_equals_the_papers_order():
    model = away_from_start(build("convformer", **SMALL))
    x = torch.randn(3, 9, 17, 2, dtype=torch.float64)
    ours, papers = model(x), in_the_papers_order(model, x)
    torch.testing.assert_close(ours, papers, rtol=1e-12, atol=1e-12)
    parameters = list(model.parameters())
    target = torch.randn_like(ours)
    for one, other in zip(
        torch.autograd.grad((ours * target).sum(), parameters),
        torch.autograd.grad((papers * target).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


# One convolution, the filters apart, and folded: all the same


@pytest.mark.parametrize("kernels", [(7, 7, 7), (3, 7, 5), (5,)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_merged_equals_apart_and_folded(kernels, dtype, tolerance):
    model = away_from_start(build("convformer", **SMALL | {"kernels": kernels})).to(dtype)
    x = torch.randn(3, 9, 17, 2, dtype=dtype)
    wanted = as_published(copy.deepcopy(model))(x)
    torch.testing.assert_close(model(x), wanted, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(as_folded(copy.deepcopy(model))(x), wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_gradients_of_merged_equal_those_apart(frames, dtype, tolerance):
    layer, size = attention(frames=frames)
    layer = layer.to(dtype)
    x, out = torch.randn(2, 4, *size, dtype=dtype)
    parameters = list(layer.parameters())
    merged = torch.autograd.grad((layer(x) * out).mean(), parameters)
    apart = torch.autograd.grad((layer.published()(x) * out).mean(), parameters)
    for one, other in zip(merged, apart, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance)
    assert all(gradient.abs().max() > tolerance for gradient in merged[:-2])


@pytest.mark.parametrize("skeleton", ["H36M_17", "HUMANEVA_15", STICK], ids=str)
def test_folded_has_nothing_left_to_learn(skeleton):
    model = away_from_start(build("convformer", **SMALL, skeleton=skeleton))
    wanted = model(x := torch.randn(2, 9, len(model.skeleton), 2, dtype=torch.float64))
    folded = as_folded(model)
    torch.testing.assert_close(folded(x), wanted, rtol=1e-12, atol=1e-12)
    kinds = {type(module) for block in (*folded.spatial, *folded.temporal) for module in block.attention.modules()}
    assert not kinds & {convformer.DMHCSA, convformer.DynamicConvolution, layers.Dropout}
    assert not any(parameter.requires_grad for parameter in folded.head.parameters())


# Readings of the paper that its numbers rule out


def test_every_frame_reaches_the_output_without_attention(monkeypatch):
    """Queries, keys and values of a frame see all frames already; a filter over time would see its neighbors only."""
    monkeypatch.setattr(layers, "attend", lambda q, k, v: v)
    model = away_from_start(build("convformer", **SMALL, num_temporal_blocks=1))
    with torch.no_grad():
        model.temporal[0].attention.proj.weight.copy_(torch.eye(9, dtype=torch.float64)[:, :, None])
        model.average.weight.copy_(torch.eye(9, dtype=torch.float64)[:1])  # only the first frame is given out
    x = torch.randn(1, 9, 17, 2, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(model(x).square().sum(), x)
    assert slope.abs().amax((0, 2, 3)).min() > 1e-6


def test_the_temporal_filter_slides_over_features():
    layer, (tokens, features) = attention(frames=True, kernels=(3,))
    x = torch.zeros(1, tokens, features, dtype=torch.float64)
    rest = layer.qkv(x)
    x[0, 4, 50] = 1
    changed = (layer.qkv(x) - rest)[0].abs() > 1e-9
    assert changed.any(0).nonzero().flatten().tolist() == [49, 50, 51]
    assert changed[:, 50].all()  # every slot of Q, K, V: dense, over all frames


def test_filters_are_dense_between_joints():
    layer, (tokens, features) = attention(frames=False, kernels=(3,))
    x = torch.zeros(1, tokens, features, dtype=torch.float64)
    rest = layer.qkv(x.mT)
    x[0, 5, 3] = 1
    changed = (layer.qkv(x.mT) - rest)[0].abs() > 1e-9
    assert changed.any(0).nonzero().flatten().tolist() == [4, 5, 6]
    assert changed[:, 5].all()


def test_filters_do_not_depend_on_the_input():
    layer, (tokens, features) = attention(frames=True)
    x, y = torch.randn(2, 1, tokens, features, dtype=torch.float64)
    rest = layer.qkv(torch.zeros_like(x))
    torch.testing.assert_close(layer.qkv(x + y) - rest, layer.qkv(x) + layer.qkv(y) - 2 * rest)


def test_attention_is_between_joints_and_between_frames_in_eight_heads(monkeypatch):
    seen = []

    def watched(q, k, v):
        scores = q @ k.mT
        seen.append((tuple(scores.shape), q.shape[3]))
        return (scores / q.shape[3] ** 0.5).softmax(3) @ v

    monkeypatch.setattr(layers, "attend", watched)
    build("convformer", in_frames=9).eval()(torch.randn(2, 9, 17, 2))
    assert seen == 2 * [((18, 8, 17, 17), 4)] + 2 * [((2, 8, 9, 9), 68)]


# The contract


def test_contract_and_shapes():
    model = build("convformer", **SMALL, in_channels=3).eval()
    assert (model.in_frames, model.out_frames, model.in_channels, model.fps) == (9, (4,), 3, 50.0)
    x = torch.randn(5, 9, 17, 3)
    features = model.encode(x)
    assert features.shape == (5, 1, 17, 8)
    assert torch.equal(model.head(features), model(x))
    assert torch.equal(model(x), model(x))
    torch.testing.assert_close(model(x[2:3]), model(x)[2:3], rtol=0, atol=1e-6)


@pytest.mark.parametrize("frames", [1, 3, 9, 27])
@pytest.mark.parametrize("skeleton", ["H36M_17", "HUMANEVA_15", STICK], ids=str)
def test_any_window_and_any_skeleton(frames, skeleton):
    model = build("convformer", **SMALL | {"in_frames": frames}, skeleton=skeleton).eval()
    joints = len(model.skeleton)
    assert model(torch.randn(2, frames, joints, 2)).shape == (2, 1, joints, 3)
    assert model.out_frames == ((frames - 1) // 2,)
    assert skeleton != "HUMANEVA_15" or model.skeleton == HUMANEVA_15


def test_every_parameter_has_a_gradient():
    torch.manual_seed(0)
    model = build("convformer", **SMALL)
    with torch.no_grad():
        for block in (*model.spatial, *model.temporal):
            block.attention.qkv.mix.normal_()
    model(torch.randn(4, 9, 17, 2)).square().sum().backward()
    dead = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert dead == []


def test_copies_and_saved_weights_compute_the_same():
    model = build("convformer", **SMALL).eval()
    again = build("convformer", **SMALL).eval()
    again.load_state_dict(model.state_dict())
    x = torch.randn(2, 9, 17, 2)
    assert torch.equal(again(x), model(x))
    with torch.no_grad():
        again.average.bias += 1  # belongs to the encoder, used by the head
    torch.testing.assert_close(again(x), model(x) + 1)
    assert len({name for name, _ in model.named_parameters() if "average" in name}) == 2


def test_training_is_random_and_repeats_with_its_seed():
    model = build("convformer", **SMALL)
    x = torch.randn(5, 9, 17, 2)
    torch.manual_seed(1)
    first = model(x)
    assert not torch.equal(model(x), first)
    torch.manual_seed(1)
    assert torch.equal(model(x), first)


def test_dropout_and_stochastic_depth_are_where_the_paper_has_them():
    model = build("convformer", **SMALL)
    for stack in (model.spatial, model.temporal):
        assert [block.drop_path.rate for block in stack] == [0.0, 0.2]
        assert [block.attention.dropout.p for block in stack] == [0.2, 0.2]
        assert [block.mlp.dropout.p for block in stack] == [0.0, 0.0]
    norms = [module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert len(norms) == 11
    assert all(norm.eps == 1e-6 for norm in norms)


def test_autocast_stays_close_to_float32():
    torch.manual_seed(2)
    model = build("convformer", **SMALL).eval()
    x = torch.randn(4, 9, 17, 2)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(x)
    torch.testing.assert_close(rough.float(), model(x), rtol=0, atol=0.05)


@pytest.mark.parametrize("shape", [(2, 9, 17), (2, 8, 17, 2), (2, 9, 16, 2), (2, 9, 17, 3), (2, 17, 9, 2)])
def test_wrong_input_shape_is_an_error(shape):
    with pytest.raises(ShapeError, match=r"wanted keypoints \(batch, 9, 17, 2\), got"):
        build("convformer", **SMALL)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("in_frames", 8),
        ("in_frames", -1),
        ("width", 30),
        ("width", 0),
        ("heads", 0),
        ("kernels", ()),
        ("kernels", (7, 4)),
        ("kernels", (-1,)),
        ("num_spatial_blocks", 0),
        ("num_temporal_blocks", 0),
        ("mlp_ratio", 0),
        ("in_channels", 4),
        ("dropout", 1.0),
        ("drop_path", (0.1, 1.5)),
        ("fps", 0),
    ],
)
def test_bad_config_names_the_field(field, value):
    with pytest.raises(RecipeError, match=f"^{field}: wanted"):
        build("convformer", **SMALL | {field: value})


def test_there_are_no_official_weights():
    with pytest.raises(
        CheckpointError,
        match="weights by the authors of convformer cannot be imported, only those of nanohtnet, htnet, posessm",
    ):
        from_reference("convformer", build("convformer", **SMALL).state_dict())


@pytest.mark.parametrize("skeleton", ["H36M_17", "HUMANEVA_15"])
def test_onnx_equals_torch_at_any_batch(skeleton, tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    from poselift.lab.export.onnx import export_onnx

    torch.manual_seed(3)
    model = build("convformer", **SMALL, skeleton=skeleton)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    export_onnx(model, tmp_path / "lifter.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "lifter.onnx", providers=["CPUExecutionProvider"])
    published = as_published(model.eval())
    for batch in (1, 2, 7):
        x = torch.randn(batch, 9, len(model.skeleton), 2)
        (joints,) = session.run(None, {"keypoints": x.numpy()})
        with torch.no_grad():
            torch.testing.assert_close(torch.from_numpy(joints), published(x), rtol=0, atol=1e-5)
