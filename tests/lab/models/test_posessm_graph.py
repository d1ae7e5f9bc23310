import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F

from poselift.lab.models import posessm_graph as body_graph
from poselift.skeleton import H36M_17, SKELETONS, Skeleton

SELF, INWARDS, OUTWARDS, MIRROR = range(4)
TWO_ROOTS = Skeleton("TWO_ROOTS", ("neck", "left_wrist", "right_wrist", "left_foot", "left_toe"), (-1, 0, 0, -1, 3))


def test_distances_are_the_authors():
    distances = body_graph.distance_to_centre(H36M_17)
    assert distances == [1, 2, 3, 4, 2, 3, 4, 0, 1, 2, 3, 2, 3, 4, 2, 3, 4]


@pytest.mark.parametrize(
    ("skeleton", "centre"),
    [("MPI_INF_3DHP_17", "spine"), ("HUMANEVA_15", "thorax"), ("HALPE_26", "neck"), ("COCO_17", "nose")],
)
def test_the_centre_falls_back(skeleton, centre):
    skeleton = SKELETONS[skeleton]
    distances = body_graph.distance_to_centre(skeleton)
    assert [joint for joint, hops in zip(skeleton.joints, distances, strict=True) if hops == 0] == [centre]


def test_what_is_apart_from_the_centre_counts_from_its_own_root():
    assert body_graph.distance_to_centre(TWO_ROOTS) == [0, 1, 1, 0, 1]


@pytest.mark.shared
def test_adjacency_is_the_authors(reference_fixture):
    tensors, _ = reference_fixture("posessm_c")
    adjacency = body_graph.body_adjacency(H36M_17)
    assert (adjacency != 0).sum((1, 2)).tolist() == [17, 16, 16, 12]
    torch.testing.assert_close(adjacency, tensors["adj"], rtol=0, atol=1e-15)


def test_adjacency_is_pinned():
    adjacency, index = body_graph.body_adjacency(H36M_17), H36M_17.index
    hip, pelvis, spine = index("left_hip"), index("pelvis"), index("spine")
    assert adjacency[SELF, hip, hip] == 1 / 4  # itself, pelvis, knee, right hip
    assert adjacency[INWARDS, hip, pelvis] == adjacency[OUTWARDS, spine, pelvis] == 1 / 4
    assert adjacency[OUTWARDS, pelvis, hip] == adjacency[MIRROR, index("right_hip"), hip] == 1 / 4
    assert adjacency[INWARDS, pelvis, hip] == adjacency[INWARDS, spine, pelvis] == 0
    assert adjacency[INWARDS, pelvis, spine] == 1 / 3


@pytest.mark.parametrize("skeleton", [*SKELETONS.values(), TWO_ROOTS], ids=lambda s: s.name)
def test_adjacency_shares_out_every_edge_once(skeleton):
    adjacency = body_graph.body_adjacency(skeleton)
    torch.testing.assert_close(adjacency.sum((0, 1)), torch.ones(len(skeleton)).double())
    edges = torch.tensor(skeleton.adjacency).bool() | torch.eye(len(skeleton)).bool()
    for left, right in skeleton.pairs:
        edges[left, right] = edges[right, left] = True
    assert torch.equal((adjacency != 0).sum(0), edges.long())
    assert torch.equal(adjacency[INWARDS] != 0, (adjacency[OUTWARDS] != 0).T)
    mirrored = adjacency[:, skeleton.flipped][:, :, skeleton.flipped]
    torch.testing.assert_close(mirrored, adjacency)


@pytest.mark.parametrize("skeleton", [*SKELETONS.values(), TWO_ROOTS], ids=lambda s: s.name)
def test_graph_conv_equals_its_equation(skeleton, randomized):
    torch.manual_seed(0)
    conv = randomized(body_graph.BodyGraphConv(skeleton, 3, 5, 0.1))
    conv.norm1.running_mean += 0.2
    conv.norm2.running_var += 0.5
    x = torch.randn(2, len(skeleton), 3, dtype=torch.float64)
    adjacency = body_graph.body_adjacency(skeleton).float().double()
    y = 0
    for kernel in range(4):
        rows = slice(5 * kernel, 5 * kernel + 5)
        heard = F.linear(x, conv.kernels.weight[rows], conv.kernels.bias[rows])
        y = y + torch.einsum("vw,bvc->bwc", adjacency[kernel], heard)

    def normalized(norm, y):
        return (y - norm.running_mean) / (norm.running_var + 1e-5).sqrt() * norm.weight + norm.bias

    y = F.gelu(normalized(conv.norm2, conv.mix(F.relu(normalized(conv.norm1, y)))))
    torch.testing.assert_close(conv(x), y, rtol=1e-12, atol=1e-12)


def test_training_normalizes_over_batch_and_joints():
    torch.manual_seed(0)
    conv = body_graph.BodyGraphConv(H36M_17, 3, 5, 0.0)
    seen = []
    conv.norm1.register_forward_hook(lambda module, args, out: seen.append(out))
    conv(torch.randn(6, 17, 3))
    assert seen[0].shape == (6 * 17, 5)
    torch.testing.assert_close(seen[0].mean(0), torch.zeros(5), rtol=0, atol=1e-5)
    assert conv.norm1.num_batches_tracked == 1
