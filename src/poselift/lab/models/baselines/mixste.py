"""MixSTE: keypoints of a window to the joints of all its frames, by attention between joints and between frames.

Paper: Zhang, Tu, Yang, Chen, Yuan, "MixSTE: Seq2seq Mixed Spatio-Temporal Encoder for 3D Human Pose Estimation in
Video", CVPR 2022, arXiv 2203.00859 (its section on the method). Written from the paper. Licence: MIT.
Differs: meters; the width is a choice. The paper's is 512 with 8 rounds, too much for a laptop.

Glossary (paper, here): STB, TTB = `spatial`, `temporal` blocks; d_l = `num_blocks` rounds of one of each; d_m =
`width`; H = `heads`; E_SPos, E_TPos = `joint_position`, `frame_position`.
Counts: 33.67 M weights for 27 frames, 33.70 M for 81 (the authors' network has as many; the paper prints 33.6 M).
Multiply-accumulates of a window of 27 and 81 frames: 15,568 and 47,313 M, the authors' own.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from poselift.errors import RecipeError
from poselift.lab.models import checks, layers
from poselift.lab.models.baselines import blocks
from poselift.lab.models.extras import OutputsConfig, extra_heads
from poselift.lab.models.lifter import Lifter
from poselift.skeleton import H36M_17, Skeleton


@dataclass(frozen=True, kw_only=True, slots=True)
class MixSTEConfig(OutputsConfig):
    """Shape and regularization of a MixSTE. The defaults are the paper's."""

    in_frames: int = 243
    """Frames in a window (T); all are lifted."""
    in_channels: int = 2
    """Numbers for each keypoint: 2 (x, y) or 3 (with confidence)."""
    width: int = 512
    """Features of a joint (d_m); a multiple of `heads`."""
    num_blocks: int = 8
    """Rounds of attention between joints and then between frames (d_l)."""
    heads: int = 8
    """Attention heads (H)."""
    mlp_ratio: int = 2
    """Hidden width of every MLP, as a multiple of `width`."""
    dropout: float = 0.0
    """Dropout in attention and MLPs."""
    drop_path: tuple[float, float] = (0.0, 0.1)
    """Stochastic depth of the first and the last round."""
    fps: float = 50.0
    """Frames per second the network is fed."""
    skeleton: Skeleton = H36M_17
    """Joints in and out."""

    def __post_init__(self) -> None:
        """Check each field.

        Raises:
            RecipeError: A field is out of range; the message names it.
        """
        if self.in_frames < 1:
            raise RecipeError(f"in_frames: wanted 1 or more, got {self.in_frames}")
        checks.check_common(self, chunks=1)


class MixSTE(Lifter):
    """Maps keypoints (B, T, J, C) on the normalized screen to joints (B, T, J, 3), root-relative camera meters."""

    def __init__(self, config: MixSTEConfig | None = None) -> None:
        config = config or MixSTEConfig()
        super().__init__(config, tuple(range(config.in_frames)))
        joints, width = len(config.skeleton), config.width
        self.embed = nn.Linear(config.in_channels, width)
        self.joint_position = nn.Parameter(torch.zeros(1, joints, width))
        self.frame_position = nn.Parameter(torch.zeros(1, config.in_frames, width))
        rates = layers.drop_path_rates(*config.drop_path, config.num_blocks)
        shape = (width, config.heads, config.mlp_ratio, config.dropout)
        self.spatial = nn.ModuleList(blocks.Block(*shape, rate) for rate in rates)
        self.temporal = nn.ModuleList(blocks.Block(*shape, rate) for rate in rates)
        self.spatial_norm, self.temporal_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 3))
        self.extras = extra_heads(config, width)

    def encode(self, x: Tensor) -> Tensor:
        """Return the features of each joint in each frame.

        Args:
            x: (B, T, J, C) normalized keypoints.

        Returns:
            (B, T, J, width) features.

        Raises:
            ShapeError: `x` has another shape.
        """
        checks.check_input(self, x)
        tokens = self.embed(x.flatten(0, 1)) + self.joint_position  # (B * T, J, D)
        for number, (spatial, temporal) in enumerate(zip(self.spatial, self.temporal, strict=True)):
            tokens = blocks.swapped(self.spatial_norm(spatial(tokens)), self.in_frames)  # (B * J, T, D)
            if number == 0:
                tokens = tokens + self.frame_position
            tokens = blocks.swapped(self.temporal_norm(temporal(tokens)), len(self.skeleton))  # (B * T, J, D)
        return tokens.unflatten(0, (-1, self.in_frames))
