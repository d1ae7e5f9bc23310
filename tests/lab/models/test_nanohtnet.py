import pytest

torch = pytest.importorskip("torch")

from poselift.errors import CheckpointError, RecipeError, ShapeError, SkeletonError
from poselift.lab.export.cost import count_macs
from poselift.lab.export.forms import example, published
from poselift.lab.models import build, from_reference, nanohtnet
from poselift.lab.models import htnet_graph as graph
from poselift.skeleton import HALPE_26, SKELETONS, Skeleton

SMALL = {"in_frames": 27, "keep_frames": 3, "width": 48, "mlp_width": 32, "gcn_width": 24, "num_blocks": 2}
EXACT = 2e-10
"""What double precision is held to; the authors' attention scale is rounded to float32, which leaves 1.1e-10."""
COUNTS = {
    (243, 9): 2_491_567,
    (81, 9): 2_413_807,
    (27, 9): 2_387_887,
    (27, 3): 2_365_375,
    (9, 9): 2_379_247,
    (27, 27): 2_458_015,
    (243, 27): 2_561_695,
}
MMACS = {(243, 9): 28.954, (81, 9): 27.632, (27, 3): 19.910, (27, 27): 50.653}
"""Millions of multiply-accumulates of the authors' code, by a counter of matrix products and convolutions."""


@pytest.fixture
def exact(reference_fixture):
    """The fixture's model in double precision, its input, and what the authors' code gives for it."""
    tensors, weights = reference_fixture("nanohtnet_b")
    model = from_reference("nanohtnet", weights).double()
    model.dct.matrix = nanohtnet.dct_matrix(81, 5)
    return model, tensors["input"].double(), tensors["output_fp64"]


def error(model, x, wanted):
    with torch.no_grad():
        return (model(x) - wanted).abs().max().item()


@pytest.mark.shared
def test_output_is_the_authors(reference_fixture):
    tensors, weights = reference_fixture("nanohtnet_b")
    assert error(from_reference("nanohtnet", weights), tensors["input"], tensors["output"]) < 2e-6


@pytest.mark.shared
def test_output_is_the_authors_in_double_precision(exact):
    assert error(*exact) < EXACT


@pytest.mark.shared
def test_graphs_are_the_authors(reference_fixture):
    tensors, _ = reference_fixture("nanohtnet_b")
    assert torch.equal(graph.spatial_adjacency(SKELETONS["H36M_17"]), tensors["adj"])
    assert torch.equal(graph.temporal_adjacency(5), tensors["adj_tem"])


@pytest.mark.shared
def test_parity_notices_an_asymmetric_graph(exact, monkeypatch):
    monkeypatch.setattr(graph.ModulatedGraphConv, "symmetric", lambda self: self.graph + self.adjacency)
    assert error(*exact) > 1e-4


@pytest.mark.shared
@pytest.mark.parametrize("branch", ["limb", "end"])
@pytest.mark.parametrize("order", [[1, 0, 2, 3], [0, 1, 3, 2], [2, 3, 0, 1]])
def test_parity_notices_limbs_in_another_order(exact, branch, order):
    module = getattr(exact[0].spatial.blocks[0].ipc, branch)
    module.gathered = module.gathered.unflatten(0, (4, -1))[order].flatten()
    assert error(*exact) > 1e-4


@pytest.mark.shared
@pytest.mark.parametrize("branch", ["limb", "end"])
def test_parity_notices_a_limb_from_its_end(exact, branch):
    module = getattr(exact[0].spatial.blocks[1].ipc, branch)
    module.gathered = module.gathered.unflatten(0, (4, -1)).flip(1).flatten()
    assert error(*exact) > 1e-4


@pytest.mark.shared
@pytest.mark.parametrize(("right", "wrong"), [(1e-5, 1e-6), (1e-6, 1e-5)])
def test_parity_notices_the_epsilon_of_any_norm(exact, right, wrong):
    model, x, wanted = exact
    norms = [m for m in model.modules() if isinstance(m, torch.nn.LayerNorm) and m.eps == right]
    assert len(norms) >= 6
    for norm in norms:
        norm.eps = wrong
        assert error(model, x, wanted) > EXACT
        norm.eps = right


@pytest.mark.shared
def test_parity_notices_frames_in_another_order(exact, monkeypatch):
    model, x, wanted = exact
    assert error(model, x, wanted.flip(1)) > 1e-2

    def heads_first(self, x):
        tokens = self.spatial_embed(x.transpose(1, 2).flatten(2)) + self.spatial_position
        return self.spatial_out(self.spatial(tokens)).unflatten(2, (-1, self.config.keep_frames)).permute(0, 3, 1, 2)

    with monkeypatch.context() as patch:
        patch.setattr(nanohtnet.NanoHTNet, "_encode_joints", heads_first)
        assert error(model, x, wanted) > 1e-2
    model.dct.matrix = model.dct.matrix.flip(0)
    assert error(model, x, wanted) > 1e-2


@pytest.mark.parametrize(("frames", "count"), COUNTS.items())
def test_parameter_count_is_the_authors(frames, count):
    with torch.device("meta"):  # shapes only
        model = build("nanohtnet", in_frames=frames[0], keep_frames=frames[1])
    assert sum(parameter.numel() for parameter in model.parameters()) == count


@pytest.mark.parametrize(("frames", "mmacs"), MMACS.items())
def test_operations_are_the_authors(frames, mmacs):
    model = build("nanohtnet", in_frames=frames[0], keep_frames=frames[1])
    assert count_macs(published(model), example(model, 1)) / 1e6 == pytest.approx(mmacs, rel=0.01)


def test_out_frames_are_the_middle_ones():
    assert build("nanohtnet").out_frames == (117, 118, 119, 120, 121, 122, 123, 124, 125)
    assert build("nanohtnet", **SMALL).out_frames == (12, 13, 14)


def test_a_live_lifter_gives_out_the_newest_frames():
    model = build("nanohtnet", **SMALL, live=True, dct="ortho", inverse_dct=True, skip=True).eval()
    assert model.out_frames == (24, 25, 26)
    x = torch.randn(2, 27, 17, 2)
    features = model.encode(x)
    torch.testing.assert_close(features[..., 1:, -2:], x[:, 24:, 1:])  # the root's slot holds its path, and is left out
    time = torch.arange(27)
    path = 0.3 + torch.cos(torch.pi * (2 * time + 1) * 2 / 54)
    torch.testing.assert_close(model.inverse_dct @ (model.dct.matrix @ path), path[24:], rtol=0, atol=1e-5)


@pytest.mark.parametrize("keep", [3, 9, 27])
def test_raw_dct_of_a_constant_and_of_a_cosine(keep):
    time = torch.arange(27, dtype=torch.float64)
    matrix = nanohtnet.dct_matrix(27, keep)
    coefficients = matrix @ torch.stack((torch.ones(27), torch.cos(torch.pi * (2 * time + 1) * 2 / 54)), 1).double()
    wanted = torch.zeros(keep, 2, dtype=torch.float64)
    wanted[0, 0], wanted[2, 1] = 54, 27
    torch.testing.assert_close(coefficients, wanted, rtol=0, atol=1e-12)


def test_raw_dct_is_scipys():
    fft = pytest.importorskip("scipy.fft")
    x = torch.randn(27, 4, dtype=torch.float64)
    wanted = torch.from_numpy(fft.dct(x.numpy(), axis=0))[:9]
    torch.testing.assert_close(nanohtnet.dct_matrix(27, 9) @ x, wanted, rtol=0, atol=1e-12)


def test_ortho_dct_keeps_the_scale_and_inverts():
    matrix = nanohtnet.dct_matrix(27, 27, "ortho")
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(27, dtype=torch.float64) / 27, rtol=0, atol=1e-12)
    torch.testing.assert_close(matrix[0], torch.full((27,), 1 / 27, dtype=torch.float64))
    model = build("nanohtnet", **SMALL | {"keep_frames": 27}, inverse_dct=True)
    torch.testing.assert_close(
        model.inverse_dct.double() @ matrix, torch.eye(27, dtype=torch.float64), rtol=0, atol=1e-5
    )


def test_inverse_dct_gives_the_middle_frames_of_a_slow_path():
    model = build("nanohtnet", **SMALL, dct="ortho", inverse_dct=True)
    time = torch.arange(27)
    path = 0.3 + torch.cos(torch.pi * (2 * time + 1) * 2 / 54)
    torch.testing.assert_close(model.inverse_dct @ (model.dct.matrix @ path), path[12:15], rtol=0, atol=1e-5)


def test_any_skeleton_with_limbs_works():
    model = build("nanohtnet", **SMALL, skeleton="halpe-26").eval()
    assert model.skeleton == HALPE_26
    assert model(torch.randn(2, 27, 26, 2)).shape == (2, 3, 26, 3)


def test_reference_weights_come_back(as_reference):
    model = build("nanohtnet", **SMALL, in_channels=3, head_width=5).eval()
    weights = {f"module.{key}": value for key, value in as_reference("nanohtnet", model).items()}
    assert "module.tem_Transformer.blocks.1.lgc.gcn2.adj2" in weights
    again = from_reference("nanohtnet", weights)
    assert again.config == model.config
    assert not again.training
    x = torch.randn(2, 27, 17, 3)
    assert torch.equal(again(x), model(x))


def test_reference_weights_load_strictly(as_reference):
    weights = as_reference("nanohtnet", build("nanohtnet", **SMALL))
    key = "Transformer.blocks.1.gbi.attn.qkv.bias"
    with pytest.raises(CheckpointError, match=rf"missing: {key}"):
        from_reference("nanohtnet", {k: v for k, v in weights.items() if k != key})
    with pytest.raises(CheckpointError, match="unknown: fc.3.bias"):
        from_reference("nanohtnet", weights | {"fc.3.bias": torch.zeros(3)})
    with pytest.raises(CheckpointError, match=rf"{key}: wanted shape \(48,\), got \(9,\)"):
        from_reference("nanohtnet", weights | {key: torch.zeros(9)})
    with pytest.raises(CheckpointError, match="not weights of nanohtnet"):
        from_reference("nanohtnet", {})
    with pytest.raises(CheckpointError, match="not weights of htnet"):
        from_reference("htnet", weights)


@pytest.mark.parametrize("shape", [(2, 27, 17), (2, 26, 17, 2), (2, 27, 16, 2), (2, 27, 17, 3), (2, 17, 27, 2)])
def test_wrong_input_shape_is_an_error(shape):
    with pytest.raises(ShapeError, match=r"wanted keypoints \(batch, 27, 17, 2\), got"):
        build("nanohtnet", **SMALL)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("in_frames", 80),
        ("in_frames", -1),
        ("keep_frames", 4),
        ("keep_frames", 29),
        ("keep_frames", 0),
        ("width", 120),
        ("width", 0),
        ("heads", 0),
        ("num_blocks", 0),
        ("mlp_width", 0),
        ("gcn_width", -3),
        ("head_width", 0),
        ("in_channels", 4),
        ("spatial_dropout", 1.0),
        ("temporal_dropout", -0.1),
        ("projection_dropout", float("nan")),
        ("drop_path", (0.1, 1.5)),
        ("dct", "orthonormal"),
        ("fps", 0),
        ("fps", float("nan")),
    ],
)
def test_bad_config_names_the_field(field, value):
    with pytest.raises(RecipeError, match=f"^{field}: wanted"):
        build("nanohtnet", **SMALL | {field: value})


def test_skeleton_without_limbs_is_an_error():
    with pytest.raises(SkeletonError, match="both arms and both legs, found 0"):
        build("nanohtnet", **SMALL, skeleton=Skeleton("STICK", ("pelvis", "head"), (-1, 0)))


def test_unknown_names_suggest_the_right_one():
    with pytest.raises(RecipeError, match="unknown lifter 'nanohtnt'; did you mean 'nanohtnet'"):
        build("nanohtnt")
    with pytest.raises(RecipeError, match="no option 'keep_frame'; did you mean 'keep_frames'"):
        build("nanohtnet", keep_frame=9)
    with pytest.raises(RecipeError, match="unknown lifter"):
        from_reference("posenet", {})
