"""A body of 17 joints with a small head for feet and face, to compare with one network over all 27 joints.

Named `extremities:BodyAndExtremities` in networks.py. Written to be measured, not to be shipped.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poselift.lab.models import build, checks
from poselift.lab.models.extras import OutputsConfig, extra_heads
from poselift.lab.models.lifter import Lifter
from poselift.skeleton import BODY_27, H36M_17, Skeleton

BODY = len(H36M_17)
EXTREMITIES = len(BODY_27) - BODY


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(OutputsConfig):
    """Shape of the network."""

    in_frames: int = 81
    in_channels: int = 3
    fps: float = 50.0
    skeleton: Skeleton = BODY_27


class TwoHeads(nn.Module):
    """The body's own head, and one that puts each other joint beside the joint of the body above it."""

    def __init__(self, body: nn.Linear) -> None:
        super().__init__()
        self.body, self.rest = body, nn.Linear(body.in_features, 3)
        self.above = list(BODY_27.parents[BODY:])

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, S, 27, D) to joints (B, S, 27, 3)."""
        body = self.body(features[:, :, :BODY])
        return torch.cat([body, body[:, :, self.above] + self.rest(features[:, :, BODY:])], 2)


class BodyAndExtremities(Lifter):
    """NanoHTNet over 17 joints; a perceptron of a frame's keypoints and the body's features gives the other ten."""

    def __init__(
        self, in_frames: int = 81, in_channels: int = 3, keep_frames: int = 9, hidden: int = 128, skip: bool = True
    ) -> None:
        body: Any = build(
            "nanohtnet", in_frames=in_frames, in_channels=in_channels, keep_frames=keep_frames, dct="ortho",
            inverse_dct=True, skip=skip, spatial_dropout=0.0, temporal_dropout=0.0, projection_dropout=0.0,
            drop_path=(0.0, 0.0),
        )  # fmt: skip
        config = Config(in_frames=in_frames, in_channels=in_channels, spread=True, up=True, contact=True)
        super().__init__(config, body.out_frames)
        self.net, width = body, body.head.in_features
        self.norm = nn.LayerNorm(BODY * width)
        self.hidden = nn.Linear(BODY * width + len(BODY_27) * in_channels, hidden)
        self.out = nn.Linear(hidden, EXTREMITIES * width)
        self.head = TwoHeads(body.head)
        self.extras = extra_heads(config, width)

    def encode(self, x: Tensor) -> Tensor:
        """Map keypoints (B, T, 27, C) to features (B, S, 27, D)."""
        checks.check_input(self, x)
        body = self.net.encode(x[:, :, :BODY])
        seen = x[:, self.out_frames[0] : self.out_frames[-1] + 1].flatten(2)
        joined = torch.cat([self.norm(body.flatten(2)), seen], 2)
        rest = self.out(F.gelu(self.hidden(joined))).unflatten(2, (EXTREMITIES, -1))
        return torch.cat([body, rest], 2)
