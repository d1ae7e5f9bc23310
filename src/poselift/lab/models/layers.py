"""Building blocks that several lifters share.

Shapes, here and in every model file: `B` batch, `T` frames in, `S` frames out (chosen from `T`), `J` joints,
`C` channels in, `D` width, `H` heads, `P` parts (limbs), `N` tokens (joints, or frequencies).
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """`torch.nn.Dropout`, several times faster on a CPU: one draw of 64 random bits decides on four elements."""

    def forward(self, x: Tensor) -> Tensor:
        """Zero elements of a tensor of any shape with probability `p` in training, and scale up the others."""
        if not self.training or self.p == 0 or x.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(x)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        keep = words.view(torch.int16)[: x.numel()].view(x.shape) >= round(self.p * 2**16) - 2**15
        return x * keep.to(x.dtype).mul_(1 / (1 - self.p))


class DropPath(nn.Module):
    """Stochastic depth: in training, zero whole samples and scale up the others."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Zero samples of (B, ...) with probability `rate` in training; the shape stays."""
        if not self.training or self.rate == 0:
            return x
        keep = 1 - self.rate
        return x * x.new_empty((len(x),) + (1,) * (x.ndim - 1)).bernoulli_(keep).div_(keep)


def drop_path_rates(first: float, last: float, count: int) -> list[float]:
    """Return the drop-path rate of each of `count` blocks, which rises evenly; a single block gets `first`."""
    return [first + (last - first) * block / max(count - 1, 1) for block in range(count)]


class Mlp(nn.Module):
    """Two linear layers with a GELU between them and dropout after each."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (*, width) to the same shape, without a residual."""
        return self.dropout(self.fc2(self.dropout(F.gelu(self.fc1(x)))))


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return softmax(Q K^T / sqrt(width)) V for (B, H, N, width) queries, keys and values, in the same shape."""
    if q.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        # With so few tokens the CPU kernel takes twice as long in bfloat16 as in float32.
        with torch.autocast("cpu", enabled=False):
            return F.scaled_dot_product_attention(q.float(), k.float(), v.float())
    return F.scaled_dot_product_attention(q, k, v)


class SelfAttention(nn.Module):
    """Multi-head attention between all tokens, after a layer norm."""

    def __init__(self, width: int, heads: int, dropout: float, bias: bool = True) -> None:
        """Make a layer; `bias` is that of queries, keys and values."""
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.proj = nn.Linear(width, width)
        self.dropout = Dropout(dropout)

    def mix(self, x: Tensor) -> Tensor:
        """Mix tokens (B, N, width) by attention; returns the same shape, without a residual."""
        qkv = self.qkv(self.norm(x)).unflatten(2, (3, self.heads, -1))  # (B, N, 3, H, width / H)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (B, H, N, width / H) each
        return self.dropout(self.proj(attend(q, k, v).transpose(1, 2).flatten(2)))


class FoldedSelfAttention(nn.Module):
    """A `SelfAttention` for inference: the weights hold the scale of the queries, and one split separates the heads."""

    def __init__(self, layer: SelfAttention) -> None:
        super().__init__()
        self.norm, self.qkv, self.proj = copy.deepcopy(layer.norm), copy.deepcopy(layer.qkv), copy.deepcopy(layer.proj)
        width = self.proj.in_features
        self.heads, self.head_width = layer.heads, width // layer.heads
        with torch.no_grad():
            self.qkv.weight[:width] *= self.head_width**-0.5
            if layer.qkv.bias is not None:
                self.qkv.bias[:width] *= self.head_width**-0.5

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens (B, N, width) by attention; returns the same shape, without a residual."""
        tokens, width = x.shape[1:]
        qkv = self.qkv(self.norm(x)).reshape(-1, tokens, 3 * self.heads, self.head_width)
        q, k, v = qkv.transpose(1, 2).split(self.heads, 1)  # (B, H, N, width / H) each
        mixed = (q @ k.transpose(2, 3)).softmax(3) @ v
        return self.proj(mixed.transpose(1, 2).reshape(-1, tokens, width))


class PublishedSelfAttention(nn.Module):
    """A `SelfAttention` in the authors' steps: two products with a softmax between them."""

    def __init__(self, layer: SelfAttention) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens (B, N, width) by attention; returns the same shape, without a residual."""
        layer = self.layer
        batch, tokens, width = x.shape
        qkv = layer.qkv(layer.norm(x)).reshape(batch, tokens, 3, layer.heads, width // layer.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * (width // layer.heads) ** -0.5).softmax(-1)
        return layer.proj((weights @ v).transpose(1, 2).reshape(batch, tokens, width))
