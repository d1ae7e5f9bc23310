import pytest

torch = pytest.importorskip("torch")

from poselift.errors import RecipeError
from poselift.lab.export.cost import count_macs, count_parameters
from poselift.lab.export.forms import example, published
from poselift.lab.models import build
from poselift.lab.models.baselines.motionagformer import DualBlock, GraphConv, SpatialGraph, TemporalGraph, normalized
from poselift.skeleton import Skeleton

SMALL = {"in_frames": 5, "width": 16, "num_blocks": 2, "heads": 4, "mlp_ratio": 2, "motion_width": 24}


def small(**changes):
    torch.manual_seed(0)
    model = build("motionagformer", **SMALL | changes).eval().requires_grad_(False)
    for name, value in model.named_parameters():
        if name.endswith("_scale"):
            value.fill_(0.5)  # untrained, the residuals are all but off
    return model


@pytest.mark.parametrize(
    ("config", "millions"),
    [
        ({}, 2.24),
        ({"in_frames": 81, "num_blocks": 26}, 4.82),
        ({"in_frames": 243, "num_blocks": 16, "width": 128}, 11.72),
        ({"in_frames": 243, "num_blocks": 26, "width": 128}, 19.01),
    ],
    ids=["XS", "S", "B", "L"],
)
def test_counts_are_the_papers(config, millions):
    """The paper prints 2.2, 4.8, 11.7 and 19.0 M; the second digit is that of the authors' networks."""
    with torch.device("meta"):
        count = count_parameters(build("motionagformer", **config))
    assert round(count / 1e6, 2) == millions


def test_linear_layers_cost_what_the_paper_prints():
    """XS: 1.0 G. The paper's count leaves out the products in attention and with graphs, 56 M."""
    model = build("motionagformer")
    tokens, width = 27 * 17, 64
    mixing = 2 * 17 * (27 * 17 * width) + 2 * 27 * (17 * 27 * width)  # attention, of either kind
    graphs = 17 * (27 * 17 * width) + 2 * 27 * (17 * 27 * width)  # the temporal graph is found by a product
    linear = count_macs(published(model), example(model, 1)) - 12 * (mixing + graphs)
    block = 2 * (4 + 8) * width**2 + 2 * (2 + 8) * width**2 + 4 * width
    assert linear == tokens * (3 * width + 12 * block + 512 * width + 3 * 512)
    assert round(linear / 1e9, 1) == 1.0


def test_the_spatial_graph_by_hand():
    """Three joints in a row: degrees 2, 3, 2 with the edges to themselves."""
    stick = Skeleton("STICK", ("pelvis", "neck", "head"), (-1, 0, 1))
    side = 1 / 6**0.5
    wanted = [[1 / 2, side, 0], [side, 1 / 3, side], [0, side, 1 / 2]]
    torch.testing.assert_close(SpatialGraph(stick)(torch.zeros(2, 3, 4))[0], torch.tensor(wanted))


def test_the_temporal_graph_ties_the_most_similar_frames():
    x = torch.tensor([[[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 2.0]]])
    ties = TemporalGraph(1)(x)[0] * 2
    assert ties.tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]
    torch.testing.assert_close(TemporalGraph(1)(x), normalized(ties.unsqueeze(0)))
    assert torch.equal(TemporalGraph(3)(x)[0], torch.full((4, 4), 0.25))


def test_a_graph_convolution_by_hand():
    torch.manual_seed(0)
    graph = torch.rand(3, 3)
    layer = GraphConv(4, 3, Fixed(graph)).requires_grad_(False)
    layer.train()(torch.randn(8, 3, 4))  # moves the running statistics
    layer.eval()
    x = torch.randn(2, 3, 4)
    f = layer.norm(x)
    mixed = graph @ (f @ layer.from_neighbors.weight.T + layer.from_neighbors.bias)
    mixed = mixed + f @ layer.from_itself.weight.T + layer.from_itself.bias
    norm = layer.batch_norm
    mixed = (mixed - norm.running_mean[:, None]) / (norm.running_var[:, None] + norm.eps).sqrt()
    torch.testing.assert_close(layer(x), (f + mixed).clamp(min=0), rtol=0, atol=1e-5)


class Fixed(torch.nn.Module):
    """A graph that does not depend on the features."""

    def __init__(self, graph):
        super().__init__()
        self.graph = graph

    def forward(self, x):
        return self.graph


def test_streams_are_fused_by_their_weights():
    config = small().config
    torch.manual_seed(0)
    block = DualBlock(config, 0.0).eval().requires_grad_(False)
    x = torch.randn(2, 5, 17, 16)
    mean = block(x)
    block.fusion.bias.copy_(torch.tensor([100.0, 0.0]))
    attention = block(x)
    block.fusion.bias.copy_(torch.tensor([0.0, 100.0]))
    convolution = block(x)
    assert not torch.allclose(attention, convolution, rtol=0, atol=1e-7)
    torch.testing.assert_close(mean, (attention + convolution) / 2, rtol=0, atol=1e-6)


def test_frames_and_joints_all_see_each_other():
    model = small()
    x = example(model, 1)
    changed = x.clone()
    changed[:, 4, 3] += 1
    assert (model(x) != model(changed)).any(-1).all()


def test_only_the_norm_over_frames_tells_them_apart():
    """Without it, turned windows give turned results; once its frames differ, they do not."""
    model = small()
    x = example(model, 2)
    torch.testing.assert_close(model(x.flip(1)), model(x).flip(1), rtol=0, atol=1e-5)
    for block in model.blocks:
        block.temporal_graph.mixer.batch_norm.weight.copy_(torch.linspace(0.5, 2, 5))
    assert not torch.allclose(model(x.flip(1)), model(x).flip(1), rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    "config", [{"num_neighbors": 0}, {"num_neighbors": 5}, {"motion_width": 0}, {"width": 18}, {"num_blocks": 0}]
)
def test_a_bad_config_is_refused(config):
    with pytest.raises(RecipeError, match=f"^{next(iter(config))}: wanted"):
        build("motionagformer", **SMALL | config)
