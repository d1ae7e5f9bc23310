import pytest

torch = pytest.importorskip("torch")

from poselift.lab.models import htnet_graph as graph
from poselift.skeleton import COCO_17, H36M_17


def test_spatial_adjacency_is_pinned():
    matrix = graph.spatial_adjacency(H36M_17)
    index = H36M_17.index
    assert torch.equal(matrix.diagonal(), torch.ones(17))
    assert matrix[index("pelvis"), index("right_hip")] == pytest.approx(1 / 3)
    assert matrix[index("right_hip"), index("pelvis")] == 1 / 2
    assert matrix[index("thorax"), index("left_shoulder")] == 1 / 4
    assert matrix[index("left_wrist"), index("left_elbow")] == 1
    assert matrix[index("left_wrist"), index("left_shoulder")] == 0


def test_temporal_adjacency_is_pinned():
    assert graph.temporal_adjacency(3).tolist() == [[1, 1, 0], [1, 1, 1], [0, 1, 1]]


@pytest.mark.parametrize("skeleton", [H36M_17, COCO_17], ids=lambda s: s.name)
def test_graph_conv_equals_its_equation(skeleton, randomized):
    torch.manual_seed(0)
    conv = randomized(graph.ModulatedGraphConv(graph.spatial_adjacency(skeleton), 4, 6))
    x = torch.randn(3, 17, 4, dtype=torch.float64)
    matrix = conv.graph + conv.adjacency
    matrix = (matrix + matrix.T) / 2
    h0, h1 = (conv.modulation * torch.einsum("bnc,cd->bnd", x, conv.weight[k]) for k in (0, 1))
    off = matrix * (1 - torch.eye(17))
    wanted = torch.diag(matrix)[:, None] * h0 + torch.einsum("ij,bjd->bid", off, h1) + conv.bias
    torch.testing.assert_close(conv(x), wanted, rtol=1e-12, atol=1e-12)


def test_graph_conv_starts_as_published():
    torch.manual_seed(0)
    conv = graph.ModulatedGraphConv(graph.spatial_adjacency(H36M_17), 80, 384)
    assert conv.weight.std().item() == pytest.approx(0.0113, rel=0.02)
    assert conv.modulation.std().item() == pytest.approx(0.10, rel=0.03)
    assert torch.equal(conv.adjacency, torch.full((17, 17), 1e-6))
    assert conv.bias.abs().max() <= 384**-0.5
