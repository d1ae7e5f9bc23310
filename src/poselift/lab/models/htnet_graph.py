"""Graph convolution over joints or frequencies, as HTNet and NanoHTNet use it, and its two other forms.

The layer is Modulated-GCN's (Zou & Tang, ICCV 2021). `folded` returns a form for inference, `published` one that
computes the same in the steps of the authors' code.
"""

import math

import torch
from torch import Tensor, nn

from poselift.skeleton import Skeleton


def spatial_adjacency(skeleton: Skeleton) -> Tensor:
    """Return the (J, J) graph of the joints: 1 on the diagonal, 1 / degree of the row's joint for each neighbor."""
    bones = torch.tensor(skeleton.adjacency)
    return bones / bones.sum(1, keepdim=True).clamp(min=1) + torch.eye(len(skeleton))


def temporal_adjacency(count: int) -> Tensor:
    """Return the (K, K) graph of the frequencies: 1 where two are the same or next to each other."""
    order = torch.arange(count)
    return ((order[:, None] - order).abs() <= 1).float()


class ModulatedGraphConv(nn.Module):
    """Graph convolution with a weight for the token itself, one for its neighbors, and a learned scale for each token.

    Eq. MGC (from the code): with A the symmetric part of `graph + adjacency`, H0 = modulation * (x W0) and
    H1 = modulation * (x W1), y = diag(A) H0 + (A without its diagonal) H1 + bias.
    """

    graph: Tensor

    def __init__(self, graph: Tensor, in_width: int, out_width: int) -> None:
        super().__init__()
        tokens = len(graph)
        self.register_buffer("graph", graph.clone(), persistent=False)
        self.weight = nn.Parameter(torch.empty(2, in_width, out_width))
        self.modulation = nn.Parameter(torch.empty(tokens, out_width))
        self.adjacency = nn.Parameter(torch.full((tokens, tokens), 1e-6))
        self.bias = nn.Parameter(torch.empty(out_width))
        # The official code initializes the whole 3-D weight by Xavier's rule, which makes it far smaller than usual.
        nn.init.xavier_uniform_(self.weight, gain=1.414)
        nn.init.xavier_uniform_(self.modulation, gain=1.414)
        nn.init.uniform_(self.bias, -1 / math.sqrt(out_width), 1 / math.sqrt(out_width))

    def symmetric(self) -> Tensor:
        """Return A of Eq. MGC, (N, N)."""
        graph = self.graph + self.adjacency
        return (graph + graph.T) / 2

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, in_width) to (B, N, out_width) by Eq. MGC."""
        graph = self.symmetric()
        diagonal = graph.diagonal()
        own, others = x @ self.weight[0], x @ self.weight[1]
        # Under autocast the products are bfloat16; without the casts every scale would widen them again.
        others = others * self.modulation.to(others.dtype)
        far = (graph - torch.diag(diagonal)).expand(x.shape[0], -1, -1)
        own_scale = (diagonal[:, None] * self.modulation).to(own.dtype)
        return torch.addcmul(torch.bmm(far, others) + self.bias.to(own.dtype), own, own_scale)

    def folded(self) -> "FoldedGraphConv":
        """Return the layer for inference, with everything that does not depend on the input computed once."""
        return FoldedGraphConv(self)

    def published(self) -> "PublishedGraphConv":
        """Return the layer in the authors' steps."""
        return PublishedGraphConv(self)


class FoldedGraphConv(nn.Module):
    """A `ModulatedGraphConv` for inference, with the symmetric graph, scales and weights computed once.

    One product gives H0 and H1 side by side for each token. They are read as twice as many tokens, so they need not be
    split, and one product with [diagonal, others] adds them up.
    """

    weight: Tensor
    scale: Tensor
    graph: Tensor
    bias: Tensor

    def __init__(self, layer: ModulatedGraphConv) -> None:
        super().__init__()
        graph = layer.symmetric()
        diagonal = torch.diag(graph.diagonal())
        self.shape = (-1, 2 * len(graph), len(layer.bias))
        self.register_buffer("weight", torch.cat((layer.weight[0], layer.weight[1]), 1))
        self.register_buffer("scale", torch.cat((layer.modulation, layer.modulation), 1))
        self.register_buffer("graph", torch.stack((diagonal, graph - diagonal), 2).flatten(1))
        self.register_buffer("bias", layer.bias.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, in_width) to (B, N, out_width) by Eq. MGC."""
        both = (x @ self.weight * self.scale).reshape(self.shape)  # (B, 2 * N, out_width)
        return self.graph @ both + self.bias


class PublishedGraphConv(nn.Module):
    """A `ModulatedGraphConv` in the authors' steps: every call makes the graph symmetric and masks it anew."""

    def __init__(self, layer: ModulatedGraphConv) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, in_width) to (B, N, out_width) by Eq. MGC."""
        layer = self.layer
        own, others = torch.matmul(x, layer.weight[0]), torch.matmul(x, layer.weight[1])
        graph = layer.graph.to(x.device) + layer.adjacency.to(x.device)
        graph = (graph.T + graph) / 2
        eye = torch.eye(graph.size(0), dtype=graph.dtype, device=x.device)
        y = torch.matmul(graph * eye, layer.modulation * own)
        y = y + torch.matmul(graph * (1 - eye), layer.modulation * others)
        return y + layer.bias.view(1, 1, -1)
