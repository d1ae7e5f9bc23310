"""Parts that several baselines share: attention between tokens, and a head that reads a whole frame at once."""

import torch.nn.functional as F
from torch import Tensor, nn

from poselift.lab.models import layers


class Attention(layers.SelfAttention):
    """Multi-head attention between tokens that also folds for inference."""

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens (B, N, width); returns the same shape, without a residual."""
        return self.mix(x)

    def folded(self) -> nn.Module:
        """Return this layer folded for inference."""
        return layers.FoldedSelfAttention(self)

    def published(self) -> nn.Module:
        """Return this layer in two products with a softmax between them."""
        return layers.PublishedSelfAttention(self)


class Block(nn.Module):
    """Attention between tokens and an MLP, each on the normalized input and with a residual (a transformer's block)."""

    def __init__(self, width: int, heads: int, mlp_ratio: int, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.norm = nn.LayerNorm(width)
        self.mlp = layers.Mlp(width, mlp_ratio * width, dropout)
        self.drop_path = layers.DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, width) to the same shape."""
        x = x + self.drop_path(self.attention(x))
        return x + self.drop_path(self.mlp(self.norm(x)))


class FrameHead(nn.Module):
    """Maps all channels of a frame to its joints; features are these channels, cut into as many parts as joints."""

    def __init__(self, width: int, joints: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 3 * joints)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, S, J, D) to joints (B, S, J, 3), root-relative meters."""
        flat = features.flatten(2)[..., : self.linear.in_features]
        return self.linear(flat).unflatten(2, (-1, 3))


def part(width: int, joints: int) -> int:
    """Return the features of a joint (D) when the `width` channels of a frame are cut into as many parts as joints."""
    return -(-width // joints)


def cut(channels: Tensor, joints: int) -> Tensor:
    """Cut channels (B, S, C) into (B, S, J, D); the last ones of the last joint are zero where J does not divide C."""
    width = part(channels.shape[2], joints)
    return F.pad(channels, (0, joints * width - channels.shape[2])).unflatten(2, (joints, width))


def swapped(tokens: Tensor, groups: int) -> Tensor:
    """Turn tokens (B * G, N, D), G = `groups`, into (B * N, G, D): joints of frames to frames of joints."""
    return tokens.unflatten(0, (-1, groups)).transpose(1, 2).flatten(0, 1)
