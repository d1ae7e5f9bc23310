"""PoseSSM: the keypoints of one frame to its joints, by graph convolution, a scan along the body, and attention.

Paper: Yin, You, Han, Chen, "Sequential Joint Dependency Aware Human Pose Estimation with State Space Model", AAAI 2025,
39(9), doi 10.1609/aaai.v39i9.33029. Official code: github.com/yinhanxi/PoseSSM at 6051770.
This is the network as released, which differs from the paper: the scan runs in one direction and has one step size for
each channel, where Algorithm 1 has one for each joint and channel (`step_size`); it has a gate and a skip, which
Algorithm 1 lacks; and every residual is doubled, x <- 2 x + f(x).
Differs: weights that the released code saves and never uses are left out (30,720 of 2,448,251); the scan is computed as
the matrix it amounts to; a window is always one frame; options the paper does not have, each off by default:
`in_channels`, other skeletons. Same sums as the authors' code to float noise, and its weights load. Licence: MIT; the
authors' repository carries none, and this was written from the equations.
Eq. 2 and Algorithm 1, the scan, are in `posessm_scan`. The graph convolution (`posessm_graph`) and the attention are
written from the released code; their equations' numbers in the paper are not known.

Glossary (paper, here): D = `width`; K = `expand`; N = `state_dim`; L = J, the joints; A, B, C, Delta: see
`posessm_scan`; hop-wise order = `Skeleton.topological`.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from poselift.errors import RecipeError
from poselift.lab.models import checks, layers
from poselift.lab.models.extras import OutputsConfig, extra_heads
from poselift.lab.models.lifter import Lifter
from poselift.lab.models.posessm_forms import PublishedBlock, fold_blocks
from poselift.lab.models.posessm_graph import GraphModule
from poselift.lab.models.posessm_scan import ScanModule, StepSize
from poselift.lab.models.reference import Reference
from poselift.skeleton import H36M_17, Skeleton


@dataclass(frozen=True, kw_only=True, slots=True)
class PoseSSMConfig(OutputsConfig):
    """Shape and regularization of a PoseSSM. The defaults are the authors' release."""

    in_frames: ClassVar[int] = 1
    """Frames the network sees; always one."""
    in_channels: int = 2
    """Numbers for each keypoint: 2 (x, y) or 3 (with confidence)."""
    width: int = 160
    """Width of a token (D); a multiple of `heads`. The graph convolutions go to twice that."""
    num_blocks: int = 3
    """Blocks, each with a graph, a scan and an attention module."""
    heads: int = 8
    """Attention heads."""
    state_dim: int = 4
    """States of each channel in the scan (N)."""
    expand: int = 2
    """Channels of the scan for each feature of a token (K)."""
    step_size: StepSize = "channel"
    """How many step sizes (Delta) the scan has: "channel", one for each channel, as in the released code; "joint", one
    for each joint and channel, (L, K D), as in the paper's Algorithm 1. The authors' weights need "channel"."""
    graph_dropout: float = 0.05
    """Dropout in the graph convolutions."""
    projection_dropout: float = 0.1
    """Dropout after attention."""
    drop_path: tuple[float, float] = (0.1, 0.3)
    """Stochastic depth of the first and the last block, the same for its three modules."""
    fps: float = 50.0
    """Frames per second the network is fed; a frame stands alone, so it only labels the result."""
    skeleton: Skeleton = H36M_17
    """Joints in and out; with both arms and both legs."""

    def __post_init__(self) -> None:
        """Check each field.

        Raises:
            RecipeError: A field is out of range; the message names it.
            SkeletonError: The skeleton lacks a limb.
        """
        if self.step_size not in ("channel", "joint"):
            raise RecipeError(f"step_size: wanted 'channel' or 'joint', got {self.step_size!r}")
        checks.check_common(self, chunks=1)


class AttentionModule(layers.SelfAttention):
    """Attention between all joints, after an embedding of the joint is added and a norm."""

    def __init__(self, joints: int, width: int, heads: int, dropout: float) -> None:
        super().__init__(width, heads, dropout)
        self.position = nn.Parameter(torch.zeros(1, joints, width))

    def forward(self, x: Tensor) -> Tensor:
        """Mix joints (B, J, width); returns the same shape, without the residual."""
        return self.mix(x + self.position)


class PoseSSMBlock(nn.Module):
    """A graph, a scan and an attention module, each with a doubled residual: the released code adds its input twice."""

    def __init__(self, config: PoseSSMConfig, drop_path: float) -> None:
        super().__init__()
        skeleton, width = config.skeleton, config.width
        self.graph = GraphModule(skeleton, width, config.graph_dropout)
        self.scan = ScanModule(
            skeleton, width, expand=config.expand, state_dim=config.state_dim, step_size=config.step_size
        )
        self.attention = AttentionModule(len(skeleton), width, config.heads, config.projection_dropout)
        self.drop_path = layers.DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map joints (B, J, width) to the same shape."""
        for module in (self.graph, self.scan, self.attention):
            x = 2 * x + self.drop_path(module(x))  # in the released code, not in the paper
        return x

    def published(self) -> PublishedBlock:
        """Return the block in the authors' steps."""
        return PublishedBlock(self)


class PoseSSM(Lifter):
    """Maps keypoints (B, 1, J, C) on the normalized screen to joints (B, 1, J, 3), root-relative camera metres."""

    resizable = ("skeleton",)
    joint_axes = {
        r"blocks\..*\.attention\.position": (1, True),
        r"blocks\..*\.space\.input_map": (1, False),
        r"blocks\..*\.space\.output_map": (1, True),
    }

    def __init__(self, config: PoseSSMConfig | None = None) -> None:
        config = config or PoseSSMConfig()
        super().__init__(config, out_frames=(0,))
        self.embed = nn.Linear(config.in_channels, config.width)
        rates = layers.drop_path_rates(*config.drop_path, config.num_blocks)
        self.blocks = nn.Sequential(*(PoseSSMBlock(config, rate) for rate in rates))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.head = nn.Linear(config.width, 3)
        self.extras = extra_heads(config, config.width)

    def resized(self, tensors: Mapping[str, Tensor], config: Any) -> dict[str, Tensor]:
        """Fit weights of a lifter of other joints; the maps of a scan, which are by scan position, go by joint."""
        here, there = (torch.tensor(skeleton.topological) for skeleton in (self.skeleton, config.skeleton))
        by_joint = {
            name: value[:, there.argsort()] if name.endswith(_BY_POSITION) else value for name, value in tensors.items()
        }
        made = super().resized(by_joint, config)
        return {name: value[:, here] if name.endswith(_BY_POSITION) else value for name, value in made.items()}

    def encode(self, x: Tensor) -> Tensor:
        """Map normalized keypoints (B, 1, J, C) to features (B, 1, J, width) of each joint; see `checks.single_frames`.

        Raises:
            ShapeError: `x` has another shape.
        """
        frames = checks.single_frames(self, x)
        return self.norm(self.blocks(self.embed(frames))).unsqueeze(1)

    def folded(self) -> "PoseSSM":
        """Return the network folded for inference, as `posessm_forms` explains."""
        folded = copy.deepcopy(self).eval().requires_grad_(False)
        folded.blocks, folded.norm.eps = fold_blocks(folded.blocks, folded.norm.eps)
        return folded


_BY_POSITION = (".space.input_map", ".space.output_map")
"""Ends of the names of weights that go by scan position."""

KEYS_FROM_REFERENCE = (
    (r"^embed\.", r"patch_embed."),
    (r"^norm\.", r"Temporal_norm."),
    (r"^head\.", r"fcn."),
    (r"\.graph\.norm_in\.", r".pose_gcn.norm_gcn1."),
    (r"\.graph\.norm_out\.", r".pose_gcn.norm_gcn2."),
    (r"\.graph\.widen\.", r".pose_gcn.gcn1."),
    (r"\.graph\.narrow\.", r".pose_gcn.gcn2."),
    (r"(gcn\d)\.kernels\.", r"\1.gcn.conv."),
    (r"(gcn\d)\.norm1\.", r"\1.tcn.0."),
    (r"(gcn\d)\.mix\.", r"\1.tcn.3."),
    (r"(gcn\d)\.norm2\.", r"\1.tcn.4."),
    (r"\.scan\.part_embed$", r".pose_ssm.bp_embed"),
    (r"\.scan\.norm\.", r".pose_ssm.norm_ssm."),
    (r"\.scan\.(in_proj|out_proj)\.", r".pose_ssm.ssm.\1."),
    (r"\.scan\.space\.decay_log$", r".pose_ssm.ssm.A_log"),
    (r"\.scan\.space\.input_map$", r".pose_ssm.ssm.B"),
    (r"\.scan\.space\.output_map$", r".pose_ssm.ssm.C"),
    (r"\.scan\.space\.skip$", r".pose_ssm.ssm.D"),
    (r"\.scan\.space\.step$", r".pose_ssm.ssm.dt"),
    (r"\.attention\.position$", r".pose_transformer.pos_embed"),
    (r"\.attention\.norm\.", r".pose_transformer.norm_attn."),
    (r"\.attention\.(qkv|proj)\.", r".pose_transformer.attn.\1."),
)
"""Regular expressions that turn our names of weights into the authors', applied in this order."""

IGNORED_IN_REFERENCE = (
    r"^blocks\.\d+\.pose_ssm\.ssm\.(conv1d|dt_proj)\.(weight|bias)$",
    r"^blocks\.\d+\.pose_ssm\.ssm\.x_proj\.weight$",
    r"^blocks\.\d+\.pose_ssm\.norm_out\.(weight|bias)$",
)
"""Regular expressions for the authors' names of weights that their code saves and never uses, 10,240 in a block."""


def _config_from_reference(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Derive fields of the config from the shapes of the authors' weights; `heads` does not show there and stays 8.

    Args:
        shapes: Shape of each weight, by the authors' names.

    Raises:
        KeyError: A weight is missing.
    """
    width, channels = shapes["patch_embed.weight"]
    scan_width, state_dim = shapes["blocks.0.pose_ssm.ssm.A_log"]
    return {
        "width": width,
        "in_channels": channels,
        "num_blocks": len({key.split(".")[1] for key in shapes if key.startswith("blocks.")}),
        "state_dim": state_dim,
        "expand": scan_width // width,
    }


def weight_from_reference(key: str, value: Tensor) -> Tensor:
    """Convert the authors' tensor `value` to our layout: their 1x1 convolutions are linear layers here."""
    return value.flatten(1) if value.ndim == 4 else value


def weight_to_reference(key: str, value: Tensor) -> Tensor:
    """Convert our tensor `value`, of our name `key`, to the authors' layout: the inverse of `weight_from_reference`."""
    return value[:, :, None, None] if key.endswith((".kernels.weight", ".mix.weight")) else value


REFERENCE = Reference(
    keys=KEYS_FROM_REFERENCE,
    config=_config_from_reference,
    convert=weight_from_reference,
    restore=weight_to_reference,
    unused=IGNORED_IN_REFERENCE,
    code="github.com/yinhanxi/PoseSSM at 6051770",
)
"""How the authors' code saves its weights."""
