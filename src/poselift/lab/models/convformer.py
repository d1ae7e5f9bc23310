"""ConvFormer: a window of keypoints to the joints of its middle frame, through attention fed by convolutions.

Paper: Diaz-Arias, Shin, "ConvFormer: Parameter Reduction in Transformer Models for 3D Human Pose Estimation by
Leveraging Dynamic Multi-Headed Convolutional Attention", The Visual Computer 40, 2024, arXiv 2304.02147. The authors
released no code; this is the first public implementation, written from the paper. Licence: MIT.
Differs: the n filters run as one convolution, and frames are averaged before the head's projection: the same sums.

Each choice is marked. [known]: the paper states it. [fitted]: only this gives its parameter counts, all 5 by frames
(Table 5) and all 14 by kernels (Table 4), to the digits printed. [inferred]: neither; it comes from PoseFormer (Zheng
et al., ICCV 2021), which the paper extends, or was chosen here. Of the counts by width and depth (Table 3), 4 of 7
agree: at width 16 ours are 0.659 M and 1.266 M where 0.65 and 1.26 are printed, at width 64 10.13 M where 9.97 is.

Glossary (paper, here): T = `in_frames`; J joints; d = `width`; B_sp, B_temp = `num_spatial_blocks`,
`num_temporal_blocks`; h = `heads`; kappa_1..kappa_n = `kernels`, the widths of n filters; eta = softmax of `mix`;
E_pos, E_temp = `embed.position`, `frame_position`. N tokens of F features: (J, d) in a spatial block and (T, J * d) in
a temporal one. C, L: channels of a convolution, and the axis its filter slides over.
"""

import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poselift.errors import RecipeError
from poselift.lab.models import checks, layers
from poselift.lab.models.extras import OutputsConfig, extra_heads
from poselift.lab.models.lifter import Lifter
from poselift.skeleton import H36M_17, Skeleton

_EPS = 1e-6
"""Epsilon of every layer norm [inferred]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConvFormerConfig(OutputsConfig):
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


class JointEmbedding(nn.Module):
    """Eq. 1: x_i = P_i W + E_pos, with a bias, and with E_pos starting at zero [inferred]."""

    def __init__(self, config: ConvFormerConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.in_channels, config.width)
        self.position = nn.Parameter(torch.zeros(1, len(config.skeleton), config.width))

    def forward(self, x: Tensor) -> Tensor:
        """Embed the joints of a frame: (B, J, C) to (B, J, d)."""
        return F.linear(x, self.linear.weight) + (self.linear.bias + self.position)


class DynamicConvolution(nn.Module):
    """Eq. 3-6: queries, keys and values, each a weighted average of the outputs of n filters.

    Eq. 4 is one filter, a convolution over L. It is dense and pads with zeros [inferred] to keep L, and has a bias
    [fitted]. Eq. 6 is the average. Its weights eta are learned and do not depend on the input [known]; they are a
    softmax [inferred], so that they always sum to 1.
    """

    def __init__(self, channels: int, kernels: tuple[int, ...]) -> None:
        super().__init__()
        # One convolution holds Q, K and V; its fan-in is that of three separate ones, so its weights start alike.
        filters = [nn.Conv1d(channels, 3 * channels, width) for width in kernels]
        self.weights = nn.ParameterList(conv.weight for conv in filters)
        self.biases = nn.ParameterList(conv.bias for conv in filters)
        self.mix = nn.Parameter(torch.zeros(3, len(kernels)))

    def eta(self) -> Tensor:
        """Return the filters' weights of Eq. 6, (3, n): a row each for Q, K and V."""
        return self.mix.softmax(1)

    def merged(self) -> tuple[Tensor, Tensor]:
        """Return weight (3C, C, widest) and bias (3C) of one convolution that equals Eq. 4 and 6; both are linear."""
        widest = max(weight.shape[2] for weight in self.weights)
        etas = self.eta().repeat_interleave(len(self.biases[0]) // 3, 0).T  # (n, 3C)
        margins = [(widest - weight.shape[2]) // 2 for weight in self.weights]
        padded = [F.pad(weight, (margin, margin)) for weight, margin in zip(self.weights, margins, strict=True)]
        weight = torch.stack([eta[:, None, None] * weight for eta, weight in zip(etas, padded, strict=True)]).sum(0)
        return weight, torch.stack([eta * bias for eta, bias in zip(etas, self.biases, strict=True)]).sum(0)

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, C, L) to (B, 3C, L): Q, K and V one after another."""
        weight, bias = self.merged()
        return F.conv1d(z, weight, bias, padding=weight.shape[2] // 2)


class DMHCSA(nn.Module):
    """Dynamic multi-headed convolutional self-attention between N tokens of F features (Eq. 3-7).

    Between joints (C = F = d) the filters slide over the joints. Between frames (C = N = T) they slide over the
    features, and their channels are the frames: each query, key and value already sees all frames [known].
    """

    def __init__(self, channels: int, config: ConvFormerConfig, *, frames: bool) -> None:
        super().__init__()
        self.frames, self.heads, self.in_frames = frames, config.heads, config.in_frames
        self.head_width = (len(config.skeleton) * config.width if frames else config.width) // config.heads
        self.qkv = DynamicConvolution(channels, config.kernels)
        self.proj = nn.Conv1d(channels, channels, 1)
        self.dropout = layers.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens (B, N, F); returns the same shape, without the residual."""
        qkv = self.dropout(self.qkv(self.swap_layout(x)))  # Eq. 3-6; the dropout's exact place is [inferred]
        # The heads split F, as T is no multiple of h [fitted]; the scale is 1 / sqrt(width of a head) [inferred].
        q, k, v = (self.swap_layout(part).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in qkv.chunk(3, 1))
        mixed = layers.attend(q, k, v).transpose(1, 2).flatten(2)  # Eq. 7
        return self.swap_layout(self.proj(self.swap_layout(mixed)))  # weights of d * d or T * T [fitted]

    def published(self) -> nn.Module:
        """Return this layer in the paper's steps, which ours is timed against."""
        return PublishedDMHCSA(self)

    def folded(self) -> nn.Module:
        """Return this layer folded for inference."""
        return FoldedFrameAttention(self) if self.frames else FoldedJointAttention(self)

    def swap_layout(self, x: Tensor) -> Tensor:
        """Turn tokens (B, N, F) into a convolution's input (B, C, L), or back: both ways are the same transpose."""
        return x if self.frames else x.transpose(1, 2)


class PublishedDMHCSA(nn.Module):
    """A `DMHCSA` in the paper's steps, each filter apart, without dropout: ours is tested and timed against it."""

    def __init__(self, layer: DMHCSA) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens (B, N, F); returns the same shape, without the residual."""
        layer = self.layer
        q, k, v = (self.aggregate(x, role).unflatten(2, (layer.heads, -1)).transpose(1, 2) for role in range(3))
        attention = (q @ k.mT / q.shape[3] ** 0.5).softmax(3)  # Eq. 7: (B, H, N, N)
        mixed = (attention @ v).transpose(1, 2).flatten(2)
        return layer.swap_layout(layer.proj(layer.swap_layout(mixed)))

    def aggregate(self, x: Tensor, role: int) -> Tensor:
        """Return Q, K or V (role 0, 1 or 2) of tokens (B, N, F), in the same shape."""
        z, qkv = self.layer.swap_layout(x), self.layer.qkv
        weights, biases = ([part.chunk(3)[role] for part in parts] for parts in (qkv.weights, qkv.biases))
        filtered = [F.conv1d(z, w, b, padding=w.shape[2] // 2) for w, b in zip(weights, biases, strict=True)]  # Eq. 4
        weighted = [eta * part for eta, part in zip(qkv.eta()[role], filtered, strict=True)]
        return self.layer.swap_layout(functools.reduce(torch.add, weighted))  # Eq. 6


class FoldedDMHCSA(nn.Module):
    """A `DMHCSA` for inference: one merged convolution, whose weights also hold the scale of the queries."""

    weight: Tensor
    bias: Tensor

    def __init__(self, layer: DMHCSA) -> None:
        super().__init__()
        self.heads, self.in_frames, self.proj = layer.heads, layer.in_frames, layer.proj
        weight, bias = layer.qkv.merged()
        scale = torch.ones_like(bias)
        scale[: len(bias) // 3] = layer.head_width**-0.5
        self.register_buffer("weight", (scale[:, None, None] * weight).detach())
        self.register_buffer("bias", (scale * bias).detach())


class FoldedFrameAttention(FoldedDMHCSA):
    """A folded `DMHCSA` between frames."""

    def forward(self, x: Tensor) -> Tensor:
        """Mix frames (B, T, F) by Eq. 3-7; returns the same shape, without the residual."""
        qkv = F.conv1d(x, self.weight, self.bias, padding=self.weight.shape[2] // 2).split(self.in_frames, 1)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in qkv)  # (B, H, T, F / H)
        return self.proj(((q @ k.mT).softmax(3) @ v).transpose(1, 2).flatten(2))


class FoldedJointAttention(FoldedDMHCSA):
    """A folded `DMHCSA` between joints.

    The frames of a window are the rows of one image, which makes one large product out of T small ones.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Mix the joints of each frame, (B * T, J, d), by Eq. 3-7; returns the same shape, without the residual."""
        image = x.unflatten(0, (-1, self.in_frames)).permute(0, 3, 1, 2)  # (B, d, T, J)
        qkv = F.conv2d(image, self.weight[:, :, None], self.bias, padding=(0, self.weight.shape[2] // 2))
        q, k, v = qkv.unflatten(1, (3 * self.heads, -1)).transpose(2, 3).split(self.heads, 1)  # (B, H, T, d / H, J)
        mixed = ((q.mT @ k).softmax(4) @ v.mT).permute(0, 2, 3, 1, 4)  # (B, T, J, H, d / H)
        return F.linear(mixed.flatten(3).flatten(0, 1), self.proj.weight[:, :, 0], self.proj.bias)


class ConvFormerBlock(nn.Module):
    """Eq. 8: attention and then an MLP, each on the normalized input and with a residual."""

    def __init__(self, attention: DMHCSA, width: int, mlp_ratio: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPS)  # over the features, in temporal blocks too [fitted]
        self.attention = attention
        self.norm2 = nn.LayerNorm(width, eps=_EPS)
        self.mlp = layers.Mlp(width, mlp_ratio * width, 0.0)  # GELU, no dropout [inferred]
        self.drop_path = layers.DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, F) to the same shape."""
        x = x + self.drop_path(self.attention(self.norm1(x)))  # Eq. 8: X' = DMHCSA(LN(X)) + X
        return x + self.drop_path(self.mlp(self.norm2(x)))  # and FFN(LN(X')) + X'


class PoseHead(nn.Module):
    """The regression head: maps the average frame to joints.

    The paper projects each frame z_t and then averages with a convolution w, b of one output channel [known; number of
    the Eq. not known]: sum_t w_t (W z_t + c) + b. Here the average comes first, which is the same:
    W (sum_t w_t z_t) + (sum_t w_t) c + b.
    """

    def __init__(self, average: nn.Linear, width: int, joints: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 3 * joints)
        self._average = (average,)  # a tuple hides it from the state dict, since the encoder stores its weights

    def forward(self, x: Tensor) -> Tensor:
        """Map the average frame's features (B, 1, J, d) to joints (B, 1, J, 3), root-relative metres."""
        (average,) = self._average
        bias = average.weight.sum() * self.linear.bias + average.bias
        return F.linear(x.flatten(2), self.linear.weight, bias).unflatten(2, (-1, 3))

    def folded(self) -> nn.Module:
        """Return the head for inference, with its bias computed once."""
        (average,) = self._average
        linear = nn.Linear(self.linear.in_features, self.linear.out_features).to(self.linear.weight)
        linear.weight.data.copy_(self.linear.weight)
        linear.bias.data.copy_(average.weight.sum() * self.linear.bias + average.bias)
        return nn.Sequential(nn.Flatten(2), linear, nn.Unflatten(2, (-1, 3))).requires_grad_(False)


class ConvFormer(Lifter):
    """Maps keypoints (B, T, J, C) on the normalized screen to joints (B, 1, J, 3), root-relative camera metres."""

    resizable = ("skeleton",)
    joint_axes = {
        r"frame_position": (2, True),
        r"embed\.position": (1, True),
        r"temporal\..*\.norm\d\.(weight|bias)": (0, True),
        r"temporal\..*\.mlp\.fc\d\.(weight|bias)": (0, True),
        r"temporal\..*\.mlp\.fc\d\.weight#2": (1, False),
        r"(temporal|head)_norm\.(weight|bias)": (0, True),
        r"head\.linear\.(weight|bias)": (0, True),
        r"head\.linear\.weight#2": (1, False),
    }

    def __init__(self, config: ConvFormerConfig | None = None) -> None:
        config = config or ConvFormerConfig()
        super().__init__(config, ((config.in_frames - 1) // 2,))
        frames, joints, width = config.in_frames, len(config.skeleton), config.width
        self.embed = JointEmbedding(config)
        self.spatial = _stack(config, config.num_spatial_blocks, width, frames=False)
        self.spatial_norm = nn.LayerNorm(width, eps=_EPS)  # this norm and the next two [fitted]
        self.frame_position = nn.Parameter(torch.zeros(1, frames, joints * width))
        self.temporal = _stack(config, config.num_temporal_blocks, joints * width, frames=True)
        # Two norms of a whole pose follow each other, as in PoseFormer.
        self.temporal_norm = nn.LayerNorm((joints, width), eps=_EPS)
        self.head_norm = nn.LayerNorm((joints, width), eps=_EPS)
        self.average = nn.Linear(frames, 1)  # the paper's convolution of T channels to one, kernel 1 [inferred]
        self.head = PoseHead(self.average, joints * width, joints)
        self.extras = extra_heads(config, width)

    def encode(self, x: Tensor) -> Tensor:
        """Return the features of each joint in the middle frame.

        Args:
            x: (B, T, J, C) normalized keypoints.

        Returns:
            (B, 1, J, width) features.

        Raises:
            ShapeError: `x` has another shape.
        """
        checks.check_input(self, x)
        joints = self.spatial(self.embed(x.flatten(0, 1)))  # (B * T, J, D)
        joints = self.spatial_norm(joints.unflatten(0, (-1, self.in_frames)))  # (B, T, J, D)
        poses = self.temporal(joints.flatten(2) + self.frame_position)  # (B, T, J * D)
        joints = self.head_norm(self.temporal_norm(poses.unflatten(2, (len(self.skeleton), -1))))
        return (self.average.weight @ joints.flatten(2)).unflatten(2, joints.shape[2:])


def _stack(config: ConvFormerConfig, count: int, width: int, *, frames: bool) -> nn.Sequential:
    """Return `count` blocks whose tokens have `width` features: of frames if `frames`, else of joints."""
    channels = config.in_frames if frames else width
    blocks = [
        ConvFormerBlock(DMHCSA(channels, config, frames=frames), width, config.mlp_ratio, rate)
        for rate in layers.drop_path_rates(*config.drop_path, count)
    ]
    return nn.Sequential(*blocks)
