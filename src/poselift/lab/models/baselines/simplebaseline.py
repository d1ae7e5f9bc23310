"""SimpleBaseline: the keypoints of one frame to its joints, by linear layers over all joints at once.

Paper: Martinez, Hossain, Romero, Little, "A simple yet effective baseline for 3d human pose estimation", ICCV 2017,
arXiv 1705.03098 (its figure of the network). Written from the paper. Licence: MIT.
Differs: joints in meters, and keypoints as all our lifters see them, where the paper subtracts the mean of each number
and divides by its deviation; no limit of 1 on the norm of weights, which belongs to the training.

Glossary (paper, here): linear size 1024 = `width`; residual blocks = `num_blocks`; n = J joints.
Counts, with biases and the two weights of each normalized channel: (C J + 3) W before the blocks, 2 (W + 3) W a block,
3 J (W + 1) in the head. That is 4,291,632 for 16 joints and 4,296,755 for 17; the paper says "4 to 5 million".
Multiply-accumulates of 17 joints: C J W + 4 W W + 3 J W = 4.28 M.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from poselift.lab.models import checks, layers
from poselift.lab.models.baselines import blocks
from poselift.lab.models.extras import OutputsConfig, extra_heads
from poselift.lab.models.lifter import Lifter
from poselift.skeleton import H36M_17, Skeleton


@dataclass(frozen=True, kw_only=True, slots=True)
class SimpleBaselineConfig(OutputsConfig):
    """Shape and regularization of a SimpleBaseline. The defaults are the paper's."""

    in_frames: ClassVar[int] = 1
    """Frames the network sees; always one."""
    in_channels: int = 2
    """Numbers for each keypoint: 2 (x, y) or 3 (with confidence)."""
    width: int = 1024
    """Channels of every layer (linear size)."""
    num_blocks: int = 2
    """Residual blocks of two layers each."""
    dropout: float = 0.5
    """Dropout after every layer."""
    fps: float = 50.0
    """Frames per second the network is fed; a frame stands alone, so it only labels the result."""
    skeleton: Skeleton = H36M_17
    """Joints in and out."""
    heads: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Check each field.

        Raises:
            RecipeError: A field is out of range; the message names it.
        """
        checks.check_common(self, chunks=1)


class Layer(nn.Module):
    """A linear layer, batch normalization, ReLU and dropout (the four boxes that the figure repeats)."""

    def __init__(self, channels: int, width: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, width)
        self.norm = nn.BatchNorm1d(width)
        self.dropout = layers.Dropout(dropout)
        nn.init.kaiming_normal_(self.linear.weight)  # the paper's initialization, "Kaiming"

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels) to (B, width)."""
        return self.dropout(F.relu(self.norm(self.linear(x))))

    def folded(self) -> nn.Module:
        """Return the layer for inference, with its normalization in the linear weights."""
        return nn.Sequential(nn.utils.fusion.fuse_linear_bn_eval(self.linear.eval(), self.norm.eval()), nn.ReLU())


class Block(nn.Module):
    """Two layers with a residual around both (the dashed box of the figure)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = Layer(width, width, dropout), Layer(width, width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width) to the same shape."""
        return x + self.second(self.first(x))


class SimpleBaseline(Lifter):
    """Maps keypoints (B, 1, J, C) on the normalized screen to joints (B, 1, J, 3), root-relative camera meters."""

    def __init__(self, config: SimpleBaselineConfig | None = None) -> None:
        config = config or SimpleBaselineConfig()
        super().__init__(config, out_frames=(0,))
        joints = len(config.skeleton)
        self.expand = Layer(joints * config.in_channels, config.width, config.dropout)
        self.blocks = nn.Sequential(*(Block(config.width, config.dropout) for _ in range(config.num_blocks)))
        self.head = blocks.FrameHead(config.width, joints)
        self.extras = extra_heads(config, blocks.part(config.width, joints))

    def encode(self, x: Tensor) -> Tensor:
        """Return the channels of a frame, cut into as many parts as joints.

        Args:
            x: (B, 1, J, C) normalized keypoints; each of several frames is a window of its own.

        Returns:
            (B, 1, J, D) features.

        Raises:
            ShapeError: `x` has another shape.
        """
        found = self.blocks(self.expand(checks.single_frames(self, x).flatten(1)))  # (B, W)
        return blocks.cut(found.unsqueeze(1), len(self.skeleton))
