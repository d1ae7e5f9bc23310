"""ConvFormer: a window of keypoints to the joints of its middle frame, through attention fed by convolutions.

Paper: Diaz-Arias, Shin, "ConvFormer: Parameter Reduction in Transformer Models for 3D Human Pose Estimation by
Leveraging Dynamic Multi-Headed Convolutional Attention", The Visual Computer 40, 2024, arXiv 2304.02147. The authors
released no code; this is the first public implementation, written from the paper. Licence: MIT.
Differs: the n filters run as one convolution, and frames are averaged before the head's projection: the same sums.

Each choice is marked. [known]: the paper states it. [fitted]: only this gives its parameter counts, all 5 by frames
(Table 5) and all 14 by kernels (Table 4), to the digits printed. [inferred]: neither; from PoseFormer (Zheng et al.,
ICCV 2021), which the paper extends, or chosen here. Of the counts by width and depth (Table 3), 4 of 7 agree: at width
16 ours are 0.659 M and 1.266 M where 0.65 and 1.26 are printed, at width 64 10.13 M where 9.97 is.

Glossary (paper, here): T = `in_frames`; J joints; d = `width`; B_sp, B_temp = `num_spatial_blocks`,
`num_temporal_blocks`; h = `heads`; kappa_1..kappa_n = `kernels`, the widths of n filters; eta = softmax of `mix`;
E_pos, E_temp = `joint_position`, `frame_position`. N tokens of F features: (J, d) in a spatial block and (T, J * d) in
a temporal one. C, L: channels of a convolution, and the axis its filter slides over.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poselift.errors import CheckpointError, RecipeError
from poselift.lab.models import checks, layers
from poselift.lab.models.lifter import Lifter
from poselift.skeleton import H36M_17, Skeleton

_EPS = 1e-6
"""Of every norm [inferred]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConvFormerConfig:
    """Shape and regularization of a ConvFormer. The defaults are the paper's."""

    in_frames: int = 243
    """Frames the network sees (T); odd, as the middle one is lifted. The paper has 9, 27, 43, 81, 143 and 243."""
    in_channels: int = 2
    """Numbers for each keypoint: 2 (x, y) or 3 (with confidence)."""
    width: int = 32
    """Features of a joint (d); a multiple of `heads`."""
    kernels: tuple[int, ...] = (7, 7, 7)
    """Width of each parallel filter (kappa); odd."""
    num_spatial_blocks: int = 2
    """Blocks with attention between joints (B_sp)."""
    num_temporal_blocks: int = 2
    """Blocks with attention between frames (B_temp)."""
    heads: int = 8
    """Attention heads (h)."""
    mlp_ratio: int = 2
    """Hidden width of every MLP, as a multiple of its input's [fitted]."""
    dropout: float = 0.2
    """Dropout on the aggregated queries, keys and values."""
    drop_path: tuple[float, float] = (0.0, 0.2)
    """Stochastic depth of the first and the last block of each stack; the paper gives 0.2, the slope is [inferred]."""
    fps: float = 50.0
    """Frames per second the network is fed."""
    skeleton: Skeleton = H36M_17
    """Joints in and out; filters slide over them in this order."""

    def __post_init__(self) -> None:
        """Check each field.

        Raises:
            RecipeError: A field is out of range; the message names it.
        """
        if self.in_frames < 1 or self.in_frames % 2 == 0:
            raise RecipeError(f"in_frames: wanted an odd number of frames, got {self.in_frames}")
        if not self.kernels or any(kernel < 1 or kernel % 2 == 0 for kernel in self.kernels):
            raise RecipeError(f"kernels: wanted one or more odd widths, got {self.kernels}")
        checks.check_common(self, chunks=1)


class DynamicConvolution(nn.Module):
    """Queries, keys and values, each the weighted average of what n filters give (eq. 3-6).

    Every filter is dense and pads with zeros [inferred] to keep L, and has a bias [fitted]. The weights eta are learned
    and do not depend on the input [known]; they are a softmax [inferred], so that they always sum to 1.
    """

    def __init__(self, channels: int, kernels: tuple[int, ...]) -> None:
        super().__init__()
        # The three of a width are stored as one: each draws its start as it would alone.
        self.filters = nn.ModuleList(nn.Conv1d(channels, 3 * channels, width, padding=width // 2) for width in kernels)
        self.mix = nn.Parameter(torch.zeros(3, len(kernels)))

    def eta(self) -> Tensor:
        """(3, n) weights of the filters, for Q, K and V."""
        return self.mix.softmax(1)

    def merged(self) -> tuple[Tensor, Tensor]:
        """(3C, C, widest) weight and (3C) bias of the one convolution that does the same, as all of it is linear."""
        widest = max(conv.kernel_size[0] for conv in self.filters)
        eta = self.eta().repeat_interleave(len(self.filters[0].bias) // 3, 0)  # (3C, n)
        weight, bias = 0, 0
        for share, conv in zip(eta.T, self.filters, strict=True):
            margin = (widest - conv.kernel_size[0]) // 2
            weight = weight + share[:, None, None] * F.pad(conv.weight, (margin, margin))
            bias = bias + share * conv.bias
        return weight, bias

    def forward(self, z: Tensor) -> Tensor:
        """(B, C, L) to (B, 3C, L): Q, K, V."""
        weight, bias = self.merged()
        return F.conv1d(z, weight, bias, padding=weight.shape[2] // 2)


class DMHCSA(nn.Module):
    """Dynamic multi-headed convolutional self-attention between N tokens of F features.

    Between joints (C = F = d), the filters slide over the joints. Between frames (C = N = T) they slide over the
    features, and their channels are the frames: each query, key and value already sees all frames [known].
    """

    def __init__(self, channels: int, config: ConvFormerConfig, *, frames: bool) -> None:
        super().__init__()
        self.frames, self.heads = frames, config.heads
        self.qkv = DynamicConvolution(channels, config.kernels)
        self.proj = nn.Conv1d(channels, channels, 1)
        self.dropout = layers.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, F), same shape."""
        qkv = self.dropout(self.qkv(self.turned(x)))  # where the paper's dropout sits exactly: [inferred]
        # Heads cut F, as T is no multiple of h [fitted]; the scale is one over the root of a head's width [inferred].
        q, k, v = (self.turned(part).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in qkv.chunk(3, 1))
        mixed = layers.attend(q, k, v).transpose(1, 2).flatten(2)  # eq. 7
        return self.turned(self.proj(self.turned(mixed)))  # on the filters' channels: d * d or T * T [fitted]

    def turned(self, x: Tensor) -> Tensor:
        """(B, N, F) to what a convolution takes, (B, C, L), or back."""
        return x if self.frames else x.transpose(1, 2)

    def published(self) -> nn.Module:
        """The same as the paper writes it, to be timed against."""
        return PublishedDMHCSA(self)

    def folded(self) -> nn.Module:
        """The same for inference."""
        return FoldedDMHCSA(self)


class PublishedDMHCSA(nn.Module):
    """A `DMHCSA` in evaluation mode as the paper writes it, each filter apart: what ours is held to and timed against."""

    def __init__(self, layer: DMHCSA) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, F), same shape."""
        z = self.layer.turned(x)
        q, k, v = (self._aggregate(z, role).unflatten(2, (self.layer.heads, -1)).transpose(1, 2) for role in range(3))
        attention = (q @ k.mT / q.shape[3] ** 0.5).softmax(3)  # eq. 7: (B, h, N, N)
        mixed = (attention @ v).transpose(1, 2).flatten(2)
        return self.layer.turned(self.layer.proj(self.layer.turned(mixed)))

    def _aggregate(self, z: Tensor, role: int) -> Tensor:
        """Q, K or V, (B, N, F): the n filters (eq. 4), then their weighted sum (eq. 6)."""
        total = 0
        for eta, conv in zip(self.layer.qkv.eta()[role], self.layer.qkv.filters, strict=True):
            weight, bias = conv.weight.chunk(3)[role], conv.bias.chunk(3)[role]
            total = total + eta * F.conv1d(z, weight, bias, padding=weight.shape[2] // 2)
        return self.layer.turned(total)


class FoldedDMHCSA(nn.Module):
    """A `DMHCSA` for inference: one convolution, the scale within it, and as few transpositions as the axes allow."""

    weight: Tensor
    bias: Tensor
    proj: Tensor
    proj_bias: Tensor

    def __init__(self, layer: DMHCSA) -> None:
        super().__init__()
        self.frames, self.heads = layer.frames, layer.heads
        weight, bias = layer.qkv.merged()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.register_buffer("proj", layer.proj.weight[:, :, 0].clone())
        self.register_buffer("proj_bias", layer.proj.bias[:, None].clone())

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, F), same shape."""
        z = x if self.frames else x.transpose(1, 2)
        qkv = F.conv1d(z, self.weight, self.bias, padding=self.weight.shape[2] // 2).split(len(self.proj), 1)
        if self.frames:
            q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in qkv)  # (B, h, N, F / h)
            attention = (q @ k.mT * q.shape[3] ** -0.5).softmax(3)
            return (self.proj @ (attention @ v) + self.proj_bias).transpose(1, 2).flatten(2)
        q, k, v = (part.unflatten(1, (self.heads, -1)) for part in qkv)  # (B, h, F / h, N)
        attention = (q.mT @ k * q.shape[2] ** -0.5).softmax(3)
        mixed = (v @ attention.mT).flatten(1, 2)
        return (self.proj @ mixed + self.proj_bias).transpose(1, 2)


class ConvFormerBlock(nn.Module):
    """Attention, then an MLP, both on the normalized input and with a residual (eq. 8)."""

    def __init__(self, attention: DMHCSA, width: int, mlp_ratio: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPS)  # over the features, in temporal blocks too [fitted]
        self.attention = attention
        self.norm2 = nn.LayerNorm(width, eps=_EPS)
        self.mlp = layers.Mlp(width, mlp_ratio * width, 0.0)  # GELU, no dropout [inferred]
        self.drop_path = layers.DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, F), same shape."""
        x = x + self.drop_path(self.attention(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class PoseHead(nn.Module):
    """The average frame to joints.

    The paper projects each frame z_t, then averages with a convolution w, b of one output channel [known]:
    sum_t w_t (W z_t + c) + b. Here the average comes first, which is the same: W (sum_t w_t z_t) + (sum_t w_t) c + b.
    """

    def __init__(self, average: nn.Conv1d, width: int, joints: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 3 * joints)
        self._average = (average,)  # in a tuple: its weights are the encoder's, and stored once

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, J, d) to (B, 1, J, 3)."""
        (average,) = self._average
        bias = average.weight.sum() * self.linear.bias + average.bias
        return F.linear(x.flatten(2), self.linear.weight, bias).unflatten(2, (-1, 3))


class ConvFormer(Lifter):
    """Keypoints (B, T, J, C) in normalized screen coordinates to joints (B, 1, J, 3), root-relative camera metres."""

    def __init__(self, config: ConvFormerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ConvFormerConfig()
        self.skeleton, self.fps = config.skeleton, config.fps
        self.in_frames, self.in_channels = config.in_frames, config.in_channels
        self.out_frames = ((config.in_frames - 1) // 2,)
        frames, joints, width = config.in_frames, len(config.skeleton), config.width
        self.embed = nn.Linear(config.in_channels, width)  # its bias [inferred]
        self.joint_position = nn.Parameter(torch.zeros(1, joints, width))
        self.spatial = _stack(config, config.num_spatial_blocks, width, frames=False)  # norm at the end [fitted]
        self.frame_position = nn.Parameter(torch.zeros(1, frames, joints * width))
        self.temporal = _stack(config, config.num_temporal_blocks, joints * width, frames=True)
        self.norm = nn.LayerNorm(joints * width, eps=_EPS)  # PoseFormer's head starts with one [fitted]
        self.average = nn.Conv1d(frames, 1, 1)
        self.head = PoseHead(self.average, joints * width, joints)

    def encode(self, x: Tensor) -> Tensor:
        """Features of each joint in the middle frame.

        Args:
            x: (B, T, J, C) normalized keypoints.

        Returns:
            (B, 1, J, width).

        Raises:
            ShapeError: `x` has another shape.
        """
        checks.check_input(self, x)
        poses = self.spatial(self.embed(x.flatten(0, 1)) + self.joint_position)  # eq. 1: (B * T, J, D)
        poses = poses.flatten(1).unflatten(0, (-1, self.in_frames))  # (B, T, J * D)
        poses = self.norm(self.temporal(poses + self.frame_position))
        return F.conv1d(poses, self.average.weight).unflatten(2, (len(self.skeleton), -1))


def _stack(config: ConvFormerConfig, count: int, width: int, *, frames: bool) -> layers.Mixer:
    channels = config.in_frames if frames else width
    blocks = [
        ConvFormerBlock(DMHCSA(channels, config, frames=frames), width, config.mlp_ratio, rate)
        for rate in layers.drop_path_rates(*config.drop_path, count)
    ]
    return layers.Mixer(blocks, width)
