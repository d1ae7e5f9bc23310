"""Graph convolution over joints or frequencies, as HTNet and NanoHTNet use it, and its two other forms.

The layer is Modulated-GCN's (Zou & Tang, ICCV 2021). `folded` is for inference, `published` computes step by step what
the authors' code does.
"""

import math

import torch
from torch import Tensor, nn

from poselift.skeleton import Skeleton


def spatial_adjacency(skeleton: Skeleton) -> Tensor:
    """(J, J) graph of the joints: 1 on the diagonal, 1 / degree of the row's joint for each neighbor."""
    bones = torch.tensor(skeleton.adjacency)
    return bones / bones.sum(1, keepdim=True).clamp(min=1) + torch.eye(len(skeleton))


def temporal_adjacency(count: int) -> Tensor:
    """(K, K) graph of the frequencies: 1 where two are the same or next to each other."""
    order = torch.arange(count)
    return ((order[:, None] - order).abs() <= 1).float()


class ModulatedGraphConv(nn.Module):
    """Graph convolution with a weight for the token itself, one for its neighbors, and a learned scale for each token.

    With A = the graph plus what was learned, made symmetric, and H0, H1 = modulation * (x W0), modulation * (x W1):
    y = diag(A) H0 + (A without diagonal) H1 + bias.
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
        # The official code hands the whole 3-D weight to Xavier, which makes it far smaller than usual.
        nn.init.xavier_uniform_(self.weight, gain=1.414)
        nn.init.xavier_uniform_(self.modulation, gain=1.414)
        nn.init.uniform_(self.bias, -1 / math.sqrt(out_width), 1 / math.sqrt(out_width))

    def symmetric(self) -> Tensor:
        """(N, N) graph in force."""
        graph = self.graph + self.adjacency
        return (graph + graph.T) / 2

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, in_width) to (B, N, out_width)."""
        graph = self.symmetric()
        diagonal = graph.diagonal()
        own, others = x @ self.weight[0], x @ self.weight[1]
        # Under autocast the products are bfloat16; without the casts every scale would widen them again.
        others = others * self.modulation.to(others.dtype)
        far = (graph - torch.diag(diagonal)).expand(x.shape[0], -1, -1)
        own_scale = (diagonal[:, None] * self.modulation).to(own.dtype)
        return torch.addcmul(torch.bmm(far, others) + self.bias.to(own.dtype), own, own_scale)

    def folded(self) -> "FoldedGraphConv":
        """The same for inference, with what does not depend on the input worked out."""
        return FoldedGraphConv(self)

    def published(self) -> "PublishedGraphConv":
        """The same in the authors' steps."""
        return PublishedGraphConv(self)


class FoldedGraphConv(nn.Module):
    """A `ModulatedGraphConv` for inference: symmetric graph, scales and weights worked out once.

    Both products come out of one, token by token side by side: seen as twice as many tokens they need no cutting
    apart, and one product with [diagonal, others] adds them up.
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
        """(B, N, in_width) to (B, N, out_width)."""
        both = (x @ self.weight * self.scale).reshape(self.shape)  # (B, 2 * N, out_width)
        return self.graph @ both + self.bias


class PublishedGraphConv(nn.Module):
    """A `ModulatedGraphConv` in the authors' steps: the graph made symmetric and masked anew in every call."""

    def __init__(self, layer: ModulatedGraphConv) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, in_width) to (B, N, out_width)."""
        layer = self.layer
        own, others = torch.matmul(x, layer.weight[0]), torch.matmul(x, layer.weight[1])
        graph = layer.graph.to(x.device) + layer.adjacency.to(x.device)
        graph = (graph.T + graph) / 2
        eye = torch.eye(graph.size(0), dtype=graph.dtype, device=x.device)
        y = torch.matmul(graph * eye, layer.modulation * own)
        y = y + torch.matmul(graph * (1 - eye), layer.modulation * others)
        return y + layer.bias.view(1, 1, -1)
