"""PoseFormerV2: a long window to the joints of its center frame, from few frames and few low frequencies.

Paper: Zhao, Zheng, M. Liu, P. Wang, C. Chen, "PoseFormerV2: Exploring Frequency Domain for Efficient and Robust 3D
Human Pose Estimation", CVPR 2023, arXiv 2303.17472 (its section on the method). Written from the paper. Licence: MIT.
Differs: joints in meters. Our choices, where the paper was not at hand to check: each kind of token has a norm of its
own after the fusion; inside it, frames pass the FreqMLP, and the coefficients, which are frequencies already, a plain
MLP, which costs as much the other way round. Positions start at zero.

Glossary (paper, here): F = `in_frames`; F' = `keep_frames`, the central ones ("1f"); N' or n = `keep_frequencies`
("3c"); c = `width`; D = J c, the width of a token of the fusion; FreqMLP = `FrequencyMlp`. "1f3c" is one frame and
three coefficients.
Counts: with 17 joints, c = 32 and 4 blocks 14,355,737 weights for 1f3c at any F (published: 14.36 M) and 14,382,987 for
27f27c (14.38 M). A single norm at the end would leave 14,354,649, which rounds to 14.35 M: hence two.
Multiply-accumulates of 1f3c, 3f3c, 9f9c, 27f27c: 38.7, 59.0, 178.2, 545.1 M. The published operations (77.2, 117.3,
351.7, 1054.8 MFLOPs) are twice these without the products in attention (0.1, 0.4, 2.1, 14.7 M) and without the cosine
transforms (up to 3.4 M), which are products of matrices here: 77.1, 117.2, 351.4, 1054.0.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from poselift.errors import RecipeError
from poselift.lab.models import checks, layers
from poselift.lab.models.baselines import blocks
from poselift.lab.models.extras import OutputsConfig, extra_heads
from poselift.lab.models.lifter import Lifter
from poselift.lab.models.nanohtnet import dct_matrix
from poselift.skeleton import H36M_17, Skeleton


@dataclass(frozen=True, kw_only=True, slots=True)
class PoseFormerV2Config(OutputsConfig):
    """Shape and regularization of a PoseFormerV2. The defaults are the paper's 1f3c for 81 frames."""

    in_frames: int = 81
    """Frames in a window (F); the center one is lifted."""
    in_channels: int = 2
    """Numbers for each keypoint: 2 (x, y) or 3 (with confidence)."""
    keep_frames: int = 1
    """Frames around the center whose joints are seen one by one (F'); an odd number if `in_frames` is odd."""
    keep_frequencies: int = 3
    """Lowest coefficients of the cosine transform of the whole window (N')."""
    width: int = 32
    """Features of a joint (c); a multiple of `heads`. A frame's token has J times as many."""
    num_blocks: int = 4
    """Blocks of attention between joints, and as many of the fusion."""
    heads: int = 8
    """Attention heads."""
    mlp_ratio: int = 2
    """Hidden width of every MLP, as a multiple of its input's."""
    dropout: float = 0.0
    """Dropout in attention and MLPs."""
    drop_path: tuple[float, float] = (0.0, 0.1)
    """Stochastic depth of the first and the last block."""
    fps: float = 50.0
    """Frames per second the network is fed."""
    skeleton: Skeleton = H36M_17
    """Joints in and out."""

    def __post_init__(self) -> None:
        """Check each field.

        Raises:
            RecipeError: A field is out of range; the message names it.
        """
        for name in ("keep_frames", "keep_frequencies"):
            if not 1 <= getattr(self, name) <= self.in_frames:
                raise RecipeError(f"{name}: wanted 1 to in_frames = {self.in_frames}, got {getattr(self, name)}")
        if (self.in_frames - self.keep_frames) % 2:
            raise RecipeError(f"keep_frames: wanted as many before as after the center, got {self.keep_frames} of "
                              f"{self.in_frames}")  # fmt: skip
        checks.check_common(self, chunks=1)


class CosineTransform(nn.Module):
    """The orthonormal type-II cosine transform over tokens, its lowest coefficients first."""

    matrix: Tensor

    def __init__(self, frames: int, keep: int) -> None:
        super().__init__()
        self.register_buffer("matrix", (frames**0.5 * dct_matrix(frames, keep, "ortho")).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, T, D) to coefficients (B, K, D)."""
        return self.matrix @ x

    def back(self, coefficients: Tensor) -> Tensor:
        """Map coefficients (B, K, D) to tokens (B, T, D)."""
        return self.matrix.T @ coefficients


class FrequencyMlp(nn.Module):
    """FreqMLP: an MLP on the frequencies of a row of tokens, z -> IDCT(MLP(DCT(z)))."""

    def __init__(self, frames: int, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.transform = CosineTransform(frames, frames) if frames > 1 else None  # of one token it is the token
        self.mlp = layers.Mlp(width, hidden, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, T, D) to the same shape, without a residual."""
        return self.mlp(x) if self.transform is None else self.transform.back(self.mlp(self.transform(x)))


class FusionBlock(nn.Module):
    """Attention between all tokens; then an MLP for the frequencies and a FreqMLP for the frames."""

    def __init__(self, config: PoseFormerV2Config, drop_path: float) -> None:
        super().__init__()
        width, dropout = config.width * len(config.skeleton), config.dropout
        self.split = (config.keep_frequencies, config.keep_frames)
        self.attention = blocks.Attention(width, config.heads, dropout)
        self.frequency_norm, self.frame_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.frequency_mlp = layers.Mlp(width, config.mlp_ratio * width, dropout)
        self.frame_mlp = FrequencyMlp(config.keep_frames, width, config.mlp_ratio * width, dropout)
        self.drop_path = layers.DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N' + F', D), frequencies first, to the same shape."""
        x = x + self.drop_path(self.attention(x))
        frequencies, frames = x.split(self.split, 1)
        mixed = (self.frequency_mlp(self.frequency_norm(frequencies)), self.frame_mlp(self.frame_norm(frames)))
        return x + self.drop_path(torch.cat(mixed, 1))


class PooledHead(nn.Module):
    """Maps a frame's features of all joints together to its joints: a layer norm, a linear layer."""

    def __init__(self, width: int, joints: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(joints * width)
        self.linear = nn.Linear(joints * width, 3 * joints)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, S, J, D) to joints (B, S, J, 3), root-relative meters."""
        return self.linear(self.norm(features.flatten(2))).unflatten(2, (-1, 3))


class PoseFormerV2(Lifter):
    """Maps keypoints (B, T, J, C) on the normalized screen to joints (B, 1, J, 3), root-relative camera meters."""

    def __init__(self, config: PoseFormerV2Config | None = None) -> None:
        config = config or PoseFormerV2Config()
        super().__init__(config, (config.in_frames // 2,))
        joints, width = len(config.skeleton), config.width
        frames, frequencies = config.keep_frames, config.keep_frequencies
        first = (config.in_frames - frames) // 2
        self.kept = slice(first, first + frames)
        rates = layers.drop_path_rates(*config.drop_path, config.num_blocks)
        shape = (width, config.heads, config.mlp_ratio, config.dropout)
        self.joint_embed = nn.Linear(config.in_channels, width)
        self.joint_position = nn.Parameter(torch.zeros(1, joints, width))
        self.spatial = nn.Sequential(*(blocks.Block(*shape, rate) for rate in rates))
        self.spatial_norm = nn.LayerNorm(width)
        self.transform = CosineTransform(config.in_frames, frequencies)
        self.frequency_embed = nn.Linear(joints * config.in_channels, joints * width)
        self.frequency_position = nn.Parameter(torch.zeros(1, frequencies, joints * width))
        self.frame_position = nn.Parameter(torch.zeros(1, frames, joints * width))
        self.fusion = nn.Sequential(*(FusionBlock(config, rate) for rate in rates))
        self.frequency_norm, self.frame_norm = nn.LayerNorm(joints * width), nn.LayerNorm(joints * width)
        # A convolution over tokens with one output is a weighted sum of them (the regression head).
        self.frequency_sum, self.frame_sum = nn.Linear(frequencies, 1), nn.Linear(frames, 1)
        self.head = PooledHead(2 * width, joints)
        self.extras = extra_heads(config, 2 * width)

    def encode(self, x: Tensor) -> Tensor:
        """Return the features of each joint in the center frame.

        Args:
            x: (B, T, J, C) normalized keypoints.

        Returns:
            (B, 1, J, 2 * width) features: those of the frequencies, then those of the frames.

        Raises:
            ShapeError: `x` has another shape.
        """
        checks.check_input(self, x)
        tokens = self.joint_embed(x[:, self.kept].flatten(0, 1)) + self.joint_position  # (B * F', J, D)
        frames = self.spatial_norm(self.spatial(tokens)).flatten(1).unflatten(0, (-1, self.config.keep_frames))
        frequencies = self.frequency_embed(self.transform(x.flatten(2)))  # (B, N', J * D)
        together = (frequencies + self.frequency_position, frames + self.frame_position)
        fused = self.fusion(torch.cat(together, 1))  # (B, N' + F', J * D)
        frequencies, frames = fused.split((len(self.transform.matrix), self.config.keep_frames), 1)
        summed = (
            self.frequency_sum(self.frequency_norm(frequencies).transpose(1, 2)),
            self.frame_sum(self.frame_norm(frames).transpose(1, 2)),
        )  # (B, J * D, 1) each
        parts = [kind.transpose(1, 2).unflatten(2, (len(self.skeleton), -1)) for kind in summed]
        return torch.cat(parts, 3)
