"""PoseSSM's graph convolution: four kernels, one for each kind of neighbor.

A joint receives features from itself, from the neighbors farther from the body's centre, from those nearer to it, and
from its mirror image, each through weights of its own. The split is ST-GCN's "spatial" one (Yan et al., AAAI 2018) with
the mirror links apart. The equations follow the released code; their numbers in the paper are not known.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poselift.lab.models.layers import Dropout
from poselift.skeleton import Skeleton

KERNELS = 4
"""Self, inwards (from the joint farther from the centre to the nearer one), outwards, mirror; in this order."""
_CENTRES = ("spine", "thorax", "neck", "upper_neck")


def distance_to_centre(skeleton: Skeleton) -> list[int]:
    """Return the number of bones between each joint and the body's centre.

    The centre is the first of spine, thorax, neck and upper neck that the skeleton has, or else the root. A joint that
    no bones connect with the centre is counted from its own root.
    """
    centre = next((skeleton.index(name) for name in _CENTRES if name in skeleton), skeleton.root)
    neighbors = [row.nonzero()[0].tolist() for row in skeleton.adjacency]
    found, reached = {centre: 0}, [centre]
    for joint in reached:  # the list grows during the loop
        fresh = [other for other in neighbors[joint] if other not in found]
        found |= dict.fromkeys(fresh, found[joint] + 1)
        reached += fresh
    return [found.get(joint, hops) for joint, hops in enumerate(skeleton.hops)]


def body_adjacency(skeleton: Skeleton) -> Tensor:
    """Return A, (4, J, J) float64: at [k, v, w] the weight of source joint v in kernel k of target joint w.

    The weights of one target joint, over all kernels and sources, sum to 1.
    """
    joints = torch.arange(len(skeleton))
    itself = torch.eye(len(skeleton), dtype=torch.float64)
    mirror = torch.zeros_like(itself)
    mirror[joints, torch.tensor(skeleton.flipped)] = 1
    mirror = mirror * (1 - itself)
    bones = torch.tensor(skeleton.adjacency, dtype=torch.float64) * (1 - mirror)
    distance = torch.tensor(distance_to_centre(skeleton))
    inwards = bones * (distance[:, None] > distance)
    kernels = torch.stack((itself, inwards, bones - inwards, mirror))
    return kernels / kernels.sum((0, 1))


class BodyGraphConv(nn.Module):
    """A linear layer for each kernel and the sum over sources, then a second linear layer, each with a batch norm.

    Eq. (from the code): gelu(norm2(mix(relu(norm1(sum_k A_k^T (x W_k + b_k)))))), with norms over batch and joints.
    """

    graph: Tensor

    def __init__(self, skeleton: Skeleton, in_width: int, out_width: int, dropout: float) -> None:
        super().__init__()
        # Rows are targets and columns are (source, kernel), the order in which `kernels` returns them.
        graph = body_adjacency(skeleton).permute(2, 1, 0).flatten(1).float()
        self.register_buffer("graph", graph, persistent=False)
        self.kernels = nn.Linear(in_width, KERNELS * out_width)
        self.norm1 = nn.BatchNorm1d(out_width)
        self.mix = nn.Linear(out_width, out_width)
        self.norm2 = nn.BatchNorm1d(out_width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (B, J, in_width) to (B, J, out_width)."""
        batch, joints, _ = x.shape
        messages = self.kernels(x).reshape(batch, KERNELS * joints, -1)  # x W_k + b_k
        y = torch.bmm(self.graph.to(messages.dtype).expand(batch, -1, -1), messages).flatten(0, 1)  # (B * J, out_width)
        y = self.dropout(F.relu(self.norm1(y)))
        y = self.dropout(self.norm2(self.mix(y)))
        return F.gelu(y).unflatten(0, (batch, joints))


class GraphModule(nn.Module):
    """Two graph convolutions, to twice the width and back, with a layer norm before and after them."""

    def __init__(self, skeleton: Skeleton, width: int, dropout: float) -> None:
        super().__init__()
        self.norm_in = nn.LayerNorm(width)
        self.widen = BodyGraphConv(skeleton, width, 2 * width, dropout)
        self.narrow = BodyGraphConv(skeleton, 2 * width, width, dropout)
        self.norm_out = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (B, J, width) to the same shape, without the residual."""
        return self.norm_out(self.narrow(self.widen(self.norm_in(x))))
