import pytest

torch = pytest.importorskip("torch")

from poselift.errors import CheckpointError, RecipeError, ShapeError
from poselift.lab.export.cost import count_macs
from poselift.lab.export.forms import example, published
from poselift.lab.models import build, from_reference
from poselift.lab.models import htnet_graph as graph

SMALL = {"width": 24, "mlp_width": 32, "gcn_width": 16, "num_blocks": 2}
EXACT = 1e-12
"""What double precision is held to."""


@pytest.fixture
def exact(reference_fixture):
    """The fixture's model in double precision, its input as single frames, and what the authors' code gives for it."""
    tensors, weights = reference_fixture("htnet_b")
    model = from_reference("htnet", weights).double()
    return model, tensors["input"].reshape(12, 1, 17, 2).double(), tensors["output_fp64"]


def error(model, x, wanted):
    with torch.no_grad():
        return (model(x) - wanted).abs().max().item()


@pytest.mark.shared
def test_output_is_the_authors(reference_fixture):
    tensors, weights = reference_fixture("htnet_b")
    x = tensors["input"].reshape(12, 1, 17, 2)
    assert error(from_reference("htnet", weights), x, tensors["output"]) < 2e-6


@pytest.mark.shared
def test_output_is_the_authors_in_double_precision(exact):
    assert error(*exact) < EXACT


@pytest.mark.shared
def test_parity_notices_an_asymmetric_graph(exact, monkeypatch):
    monkeypatch.setattr(graph.ModulatedGraphConv, "symmetric", lambda self: self.graph + self.adjacency)
    assert error(*exact) > 1e-4


@pytest.mark.shared
def test_parity_notices_limbs_in_another_order(exact):
    limb = exact[0].spatial.blocks[0].ipc.limb
    limb.gathered = limb.gathered.unflatten(0, (4, -1))[[1, 0, 2, 3]].flatten()
    assert error(*exact) > 1e-4


@pytest.mark.shared
@pytest.mark.parametrize(("right", "wrong"), [(1e-5, 1e-6), (1e-6, 1e-5)])
def test_parity_notices_the_epsilon_of_any_norm(exact, right, wrong):
    model, x, wanted = exact
    norms = [m for m in model.modules() if isinstance(m, torch.nn.LayerNorm) and m.eps == right]
    assert len(norms) >= 3
    for norm in norms:
        norm.eps = wrong
        assert error(model, x, wanted) > EXACT
        norm.eps = right


def test_parameter_count_is_the_authors():
    assert sum(parameter.numel() for parameter in build("htnet").parameters()) == 3_048_489


def test_operations_are_the_authors():
    model = build("htnet")
    assert count_macs(published(model), example(model, 1)) / 1e6 == pytest.approx(37.920, rel=0.01)


def test_reference_weights_come_back_and_load_strictly(as_reference):
    model = build("htnet", **SMALL).eval()
    weights = as_reference("htnet", model)
    assert "Hiremixer.blocks.0.ipc.conv1.weight" in weights
    again = from_reference("htnet", weights)
    assert again.config == model.config
    x = torch.randn(2, 1, 17, 2)
    assert torch.equal(again(x), model(x))
    with pytest.raises(CheckpointError, match="missing: fcn.bias"):
        from_reference("htnet", {key: value for key, value in weights.items() if key != "fcn.bias"})
    with pytest.raises(CheckpointError, match="ipc.conv2.weight: wanted shape"):
        from_reference("htnet", weights | {"Hiremixer.blocks.0.ipc.conv2.weight": torch.zeros(8, 8, 3)})


def test_more_frames_are_windows_of_their_own():
    model, x = build("htnet", **SMALL).eval(), torch.randn(4, 3, 17, 2)
    with torch.no_grad():
        torch.testing.assert_close(model(x), model(x.reshape(12, 1, 17, 2)))


def test_wrong_shapes_and_widths_are_errors():
    with pytest.raises(ShapeError, match=r"wanted keypoints \(batch, 1, 17, 2\), got \(4, 1, 17, 3\)"):
        build("htnet", **SMALL)(torch.zeros(4, 1, 17, 3))
    with pytest.raises(RecipeError, match="^width: wanted a multiple of 3 \\* heads = 24, got 32"):
        build("htnet", width=32)
