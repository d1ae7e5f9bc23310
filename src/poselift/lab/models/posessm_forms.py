"""PoseSSM's two other forms: folded for inference, and in the steps of the authors' code.

Folding is exact. The doubled residual: with x_k = 2^k y_k, x <- 2 x + f(x) is y <- y + f(2^k y) / 2^(k + 1), and as
every f starts with a norm, 2^k goes into that norm's epsilon (divided by 4^k) and into the embedding added before it.
The graph convolution: batch norms go into the weights next to them, the sum over sources comes before the weights where
that is narrower, and the biases of all kernels become one for each joint and channel. The scan becomes its matrix, and
the embeddings are looked up once for each joint.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poselift.lab.models.layers import FoldedSelfAttention, PublishedSelfAttention
from poselift.lab.models.posessm_graph import KERNELS, BodyGraphConv


class FoldedGraphConv(nn.Module):
    """A `BodyGraphConv` for inference."""

    graph: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, layer: BodyGraphConv) -> None:
        super().__init__()
        scale, shift = _as_affine(layer.norm1)
        joints = len(layer.graph)
        kernels = scale[:, None] * layer.kernels.weight.unflatten(0, (KERNELS, -1))  # (4, out_width, in_width)
        graph = layer.graph.unflatten(1, (joints, KERNELS))  # target, source, kernel
        bias = graph.sum(1) @ layer.kernels.bias.unflatten(0, (KERNELS, -1))
        self.register_buffer("bias", bias * scale + shift)
        self.sum_first = layer.kernels.in_features <= layer.mix.out_features
        if self.sum_first:
            self.register_buffer("graph", graph.transpose(1, 2).flatten(0, 1).contiguous())
            self.register_buffer("weight", kernels.transpose(1, 2).flatten(0, 1).contiguous())
            self.shape = (-1, joints, len(self.weight))
        else:
            self.register_buffer("graph", layer.graph)
            self.register_buffer("weight", kernels.flatten(0, 1).T.contiguous())
            self.shape = (-1, joints * KERNELS, layer.mix.out_features)
        scale, shift = _as_affine(layer.norm2)
        self.mix = layer.mix
        self.mix.weight.mul_(scale[:, None])
        self.mix.bias.mul_(scale).add_(shift)

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (B, J, in_width) to (B, J, out_width)."""
        if self.sum_first:
            y = (self.graph @ x).reshape(self.shape) @ self.weight
        else:
            y = self.graph @ (x @ self.weight).reshape(self.shape)
        return F.gelu(self.mix(F.relu(y + self.bias)))


class FoldedGraph(nn.Module):
    """A `GraphModule` for inference, with its residual; `doublings` modules precede it."""

    def __init__(self, module: Any, doublings: int) -> None:
        super().__init__()
        self.norm_in = _halved(module.norm_in, doublings)
        self.widen, self.narrow = FoldedGraphConv(module.widen), FoldedGraphConv(module.narrow)
        self.norm_out = module.norm_out
        _scale(self.norm_out, 0.5 ** (doublings + 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (B, J, width) to the same shape."""
        return x + self.norm_out(self.narrow(self.widen(self.norm_in(x))))


class FoldedScan(nn.Module):
    """A `ScanModule` for inference, with its residual; `doublings` modules precede it."""

    embed: Tensor
    matrix: Tensor

    def __init__(self, module: Any, doublings: int) -> None:
        super().__init__()
        self.register_buffer("embed", module.part_embed[:, module.parts] * 0.5**doublings)
        self.norm = _halved(module.norm, doublings)
        self.in_proj = module.in_proj
        self.register_buffer("matrix", module.space.matrix().transpose(1, 2).contiguous())
        self.out_proj = module.out_proj
        _scale(self.out_proj, 0.5 ** (doublings + 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (B, J, width) to the same shape."""
        signal, gate = F.silu(self.in_proj(self.norm(x + self.embed))).chunk(2, 2)
        y = (signal.permute(2, 0, 1) @ self.matrix).permute(1, 2, 0)
        return x + self.out_proj(y * gate)


class FoldedAttention(nn.Module):
    """An `AttentionModule` for inference, with its residual; `doublings` modules precede it."""

    embed: Tensor

    def __init__(self, module: Any, doublings: int) -> None:
        super().__init__()
        self.register_buffer("embed", module.position * 0.5**doublings)
        self.attention = FoldedSelfAttention(module)
        _halved(self.attention.norm, doublings)
        _scale(self.attention.proj, 0.5 ** (doublings + 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (B, J, width) to the same shape."""
        return x + self.attention(x + self.embed)


def fold_blocks(blocks: nn.Module, eps: float) -> tuple[nn.Sequential, float]:
    """Return the blocks folded for inference, and the epsilon for the norm after them; changes the given blocks."""
    modules: list[nn.Module] = []
    for block in blocks.children():
        modules.append(FoldedGraph(block.graph, len(modules)))
        modules.append(FoldedScan(block.scan, len(modules)))
        modules.append(FoldedAttention(block.attention, len(modules)))
    return nn.Sequential(*modules), eps / 4 ** len(modules)


def _as_affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Return scale and shift, both (width,), that do what a batch norm does in evaluation mode."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def _halved(norm: nn.LayerNorm, times: int) -> nn.LayerNorm:
    """Adapt a layer norm, in place, to an input that was halved so many times."""
    norm.eps /= 4**times
    return norm


def _scale(layer: Any, factor: float) -> None:
    """Multiply all parameters of a layer by a factor, in place."""
    for parameter in layer.parameters():
        parameter.mul_(factor)


class PublishedBlock(nn.Module):
    """A `PoseSSMBlock` in the authors' steps: a module adds its input, and the block adds it again."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.graph, self.scan = block.graph, block.scan
        self.attention, self.position = PublishedSelfAttention(block.attention), block.attention.position
        graph = self.graph.widen.graph
        self.register_buffer("adjacency", graph.unflatten(1, (len(graph), KERNELS)).permute(2, 1, 0).contiguous())

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (B, J, width) to the same shape."""
        x = x + (x + self._graph(x))
        x = x + (x + self._scan(x))
        return x + (x + self.attention(x + self.position))

    def _graph(self, x: Tensor) -> Tensor:
        """Return the graph module of joints (B, J, width), in the same shape, without the residual."""
        x = self.graph.norm_in(x).permute(0, 2, 1).unsqueeze(2).contiguous()  # (B, width, 1, J)
        for conv in (self.graph.widen, self.graph.narrow):
            x = F.conv2d(x, conv.kernels.weight[:, :, None, None], conv.kernels.bias)
            x = x.view(len(x), KERNELS, -1, 1, x.shape[3])
            x = torch.einsum("nkctv,kvw->nctw", x, self.adjacency).contiguous()
            x = F.relu(_batch_norm(conv.norm1, x))
            x = F.conv2d(x, conv.mix.weight[:, :, None, None], conv.mix.bias)
            x = F.gelu(_batch_norm(conv.norm2, x))
        return self.graph.norm_out(x.squeeze(2).permute(0, 2, 1))

    def _scan(self, x: Tensor) -> Tensor:
        """Return the scan module (Algorithm 1) of joints (B, J, width), in the same shape, without the residual."""
        module, space = self.scan, self.scan.space
        x = module.norm(x[:, space.order] + module.part_embed[:, module.parts[space.order]])
        u, z = (module.in_proj.weight @ x.transpose(1, 2)).chunk(2, 1)  # (B, width, L) each
        u = F.silu(u)
        batch, _, joints = u.shape
        step = F.softplus(space.step if space.step.ndim == 2 else space.step.expand(joints, -1))
        step = step.T.expand(batch, -1, -1)
        inputs, outputs = (value.expand(batch, -1, -1) for value in (space.input_map, space.output_map))
        decay = torch.exp(torch.einsum("bdl,dn->bdln", step, -torch.exp(space.decay_log)))
        driven = torch.einsum("bdl,bnl,bdl->bdln", step, inputs, u)
        state, ys = driven.mean(2), []  # Eq. 2: h_0
        for place in range(joints):
            state = decay[:, :, place] * state + driven[:, :, place]
            ys.append(torch.einsum("bdn,bn->bd", state, outputs[:, :, place]))
        y = (torch.stack(ys, 2) + u * space.skip[:, None]) * F.silu(z)
        return F.linear(y.transpose(1, 2), module.out_proj.weight)[:, space.position]


def _batch_norm(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """Return (B, width, 1, J) after a batch norm in evaluation mode."""
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
