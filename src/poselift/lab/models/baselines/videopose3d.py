"""VideoPose3D: keypoints of a clip to joints, by convolutions over time whose steps grow from layer to layer.

Paper: Pavllo, Feichtenhofer, Grangier, Auli, "3D human pose estimation in video with temporal convolutions and
semi-supervised training", CVPR 2019, arXiv 1811.11742 (its section on the temporal model). Written from the paper.
Licence: MIT.
Differs: joints in meters; the window may be longer than the receptive field, and then every frame that sees a whole
field is lifted. With `same_frames` one window yields all its frames, the ends filled up with copies of the first and
the last frame, as the paper does at the ends of a clip.

Two forms share the weights, as in the paper. A window of one field is lifted by filters that jump over what its one
frame does not need (strides instead of dilations): the form to train in. A longer window is lifted by dilated filters,
whose sums neighboring frames share: the form for whole clips, which `whole_clip` makes of a trained network.

Glossary (paper, here): receptive field = 3 ** `num_levels` frames; W = 3, the width of every filter; B = `num_levels`
- 1 blocks; C = `width`.
Counts of 27, 81, 243 frames with 17 joints and C = 1024: 8.56, 12.75, 16.95 M weights, as published.
Multiply-accumulates: one more frame of a clip costs 8.55, 12.74, 16.93 M; the published operations (17.09, 25.48,
33.87 MFLOPs) are twice these. A window alone costs 17.8, 57.4, 176.3 M by strides and 86.5, 549.4, 2,608.9 M by
dilations; 256 frames of a window of 498 cost 6,927 M, 27.1 M each.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poselift.errors import RecipeError
from poselift.lab.models import checks, layers
from poselift.lab.models.baselines import blocks
from poselift.lab.models.extras import OutputsConfig, extra_heads
from poselift.lab.models.lifter import Lifter
from poselift.skeleton import H36M_17, Skeleton

_FILTER = 3
_MOMENTUM = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoPose3DConfig(OutputsConfig):
    """Shape and regularization of a VideoPose3D. The defaults are the paper's for 243 frames."""

    in_frames: int = 243
    """Frames in a window (T), the receptive field or more."""
    in_channels: int = 2
    """Numbers for each keypoint: 2 (x, y) or 3 (with confidence)."""
    num_levels: int = 5
    """Filters in a row whose steps are 1, 3, 9, ...: each frame is lifted from 3 ** `num_levels` frames."""
    width: int = 1024
    """Channels of every layer (C)."""
    same_frames: bool = False
    """Lift every frame of the window, also those near its ends."""
    dropout: float = 0.25
    """Dropout after every layer."""
    fps: float = 50.0
    """Frames per second the network is fed."""
    skeleton: Skeleton = H36M_17
    """Joints in and out."""
    heads: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Check each field.

        Raises:
            RecipeError: A field is out of range; the message names it.
        """
        if self.num_levels < 1:
            raise RecipeError(f"num_levels: wanted 1 or more, got {self.num_levels}")
        if self.in_frames < self.field and not self.same_frames:
            raise RecipeError(f"in_frames: wanted the {self.field} frames of the field or more, got {self.in_frames}")
        checks.check_common(self, chunks=1)

    @property
    def field(self) -> int:
        """Frames from which one is lifted, the receptive field."""
        return _FILTER**self.num_levels


class Level(nn.Module):
    """A convolution, batch normalization, ReLU and dropout; its filter sees frames that are `step` apart.

    With `jump` the sums that nothing asks for are left out, and the frames that are `step` apart have become neighbors.
    """

    def __init__(
        self, channels: int, width: int, filter_width: int, step: int, dropout: float, *, jump: bool = False
    ) -> None:
        super().__init__()
        stride, dilation = (filter_width, 1) if jump else (1, step)
        self.conv = nn.Conv1d(channels, width, filter_width, stride, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm1d(width, momentum=_MOMENTUM)
        self.dropout = layers.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, channels, T) to (B, width, T - step * (filter_width - 1)); with `jump` to T / filter_width frames."""
        return self.dropout(F.relu(self.norm(self.conv(x))))

    def folded(self) -> nn.Module:
        """Return the level for inference, with its normalization in the convolution's weights."""
        return nn.Sequential(nn.utils.fusion.fuse_conv_bn_eval(self.conv.eval(), self.norm.eval()), nn.ReLU())


class Block(nn.Module):
    """A residual block: a filter over frames that are `step` apart, and one over channels."""

    def __init__(self, width: int, step: int, dropout: float, *, jump: bool) -> None:
        super().__init__()
        self.step, self.jump = step, jump
        self.over_time = Level(width, width, _FILTER, step, dropout, jump=jump)
        self.over_channels = Level(width, width, 1, 1, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, T) to (B, width, T - 2 * step), or to T / 3 frames by jumps."""
        middle = x[:, :, 1::_FILTER] if self.jump else x[:, :, self.step : x.shape[2] - self.step]
        return middle + self.over_channels(self.over_time(x))


class VideoPose3D(Lifter):
    """Maps keypoints (B, T, J, C) on the normalized screen to joints (B, S, J, 3), root-relative camera meters."""

    def __init__(self, config: VideoPose3DConfig | None = None) -> None:
        config = config or VideoPose3DConfig()
        half, frames = config.field // 2, config.in_frames
        super().__init__(config, tuple(range(frames) if config.same_frames else range(half, frames - half)))
        joints = len(config.skeleton)
        self.padding = half if config.same_frames else 0
        jump = len(self.out_frames) == 1 and not config.same_frames
        self.expand = Level(joints * config.in_channels, config.width, _FILTER, 1, config.dropout, jump=jump)
        steps = [_FILTER**level for level in range(1, config.num_levels)]
        self.blocks = nn.Sequential(*(Block(config.width, step, config.dropout, jump=jump) for step in steps))
        self.head = blocks.FrameHead(config.width, joints)
        self.extras = extra_heads(config, blocks.part(config.width, joints))

    def encode(self, x: Tensor) -> Tensor:
        """Return the channels of each frame, cut into as many parts as joints.

        Args:
            x: (B, T, J, C) normalized keypoints.

        Returns:
            (B, S, J, D) features.

        Raises:
            ShapeError: `x` has another shape.
        """
        checks.check_input(self, x)
        frames = x.flatten(2)  # (B, T, J * C)
        if self.padding:
            ends = (frames[:, :1].expand(-1, self.padding, -1), frames[:, -1:].expand(-1, self.padding, -1))
            frames = torch.cat([ends[0], frames, ends[1]], 1)
        found = self.blocks(self.expand(frames.transpose(1, 2))).transpose(1, 2)  # (B, S, C)
        return blocks.cut(found, len(self.skeleton))


def whole_clip(model: VideoPose3D, frames: int) -> VideoPose3D:
    """Return the form for whole clips: the same weights, for windows out of which `frames` frames come.

    Args:
        model: A network, trained or not; it is not changed.
        frames: Frames that come out of a window; its field is so much shorter than the window.

    Raises:
        RecipeError: `frames` is less than 1, or the network lifts every frame of a window already (`same_frames`).
    """
    config = model.config
    if frames < 1 or config.same_frames:
        raise RecipeError(f"wanted 1 frame or more and a network without same_frames, got {frames} and {config}")
    clip = VideoPose3D(replace(config, in_frames=config.field + frames - 1)).train(model.training)
    clip.load_state_dict(model.state_dict())
    return clip
