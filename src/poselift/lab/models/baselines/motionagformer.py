"""MotionAGFormer: keypoints of a window to the joints of all its frames, by attention and graph convolutions abreast.

Paper: Mehraban, Adeli, Taati, "MotionAGFormer: Enhancing 3D Human Pose Estimation with a Transformer-GCNFormer
Network", WACV 2024, arXiv 2310.16288 (its section on the method). Written from the paper. Licence: MIT.
Differs: joints in meters. The paper's Norm is batch normalization; we take it over the nodes, J joints or T frames: the
rounded counts allow features too, but nothing else in the network tells one frame from another.

Glossary (paper, here): N = `num_blocks`; d = `width`; d' = `motion_width`; K = `num_neighbors`; A~ = A + I, the graph
with an edge from each node to itself; D~ = its degrees; the variants XS, S, B, L have N = 12, 26, 16, 26, d = 64, 64,
128, 128 and T = 27, 81, 243, 243.
Equations and sections are named here by what they say (Eq. GCN, Eq. Sim, Eq. fusion): their numbers were not at hand.
Counts, 3 channels and 17 joints: 2,241,531 (XS), 4,817,119 (S), 11,723,811 (B), 19,007,111 (L); published 2.2, 4.8,
11.7 and 19.0 M, which rule out a position of each frame. The authors' networks count 2.24, 4.82, 11.72 and 19.01 M,
which speaks for a learned scale of each residual, and for queries, keys and values without bias.
Multiply-accumulates of XS: 1,066 M, of which linear layers are 1,010 M (published: 1.0 G, these alone).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poselift.errors import RecipeError
from poselift.lab.models import checks, layers
from poselift.lab.models.baselines import blocks
from poselift.lab.models.extras import OutputsConfig, extra_heads
from poselift.lab.models.lifter import Lifter
from poselift.skeleton import H36M_17, Skeleton

_FIRST_SCALE = 1e-5
"""Scale of each residual before training."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionAGFormerConfig(OutputsConfig):
    """Shape and regularization of a MotionAGFormer. The defaults are the paper's XS."""

    in_frames: int = 27
    """Frames in a window (T); all are lifted."""
    in_channels: int = 3
    """Numbers for each keypoint: 2 (x, y) or 3 (with confidence)."""
    width: int = 64
    """Features of a joint (d); a multiple of `heads`."""
    num_blocks: int = 12
    """Blocks of two streams each (N)."""
    heads: int = 8
    """Attention heads."""
    mlp_ratio: int = 4
    """Hidden width of every MLP, as a multiple of `width`."""
    motion_width: int = 512
    """Features of a joint before the last layer (d')."""
    num_neighbors: int = 2
    """Frames that are tied to each frame of a joint, the most similar ones (K)."""
    dropout: float = 0.0
    """Dropout in attention and MLPs."""
    drop_path: tuple[float, float] = (0.0, 0.0)
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
        if self.motion_width < 1:
            raise RecipeError(f"motion_width: wanted 1 or more, got {self.motion_width}")
        if not 1 <= self.num_neighbors < self.in_frames:
            raise RecipeError(
                f"num_neighbors: wanted 1 or more, less than in_frames = {self.in_frames}, got {self.num_neighbors}"
            )
        checks.check_common(self, chunks=1)


def normalized(graph: Tensor) -> Tensor:
    """Return D~^-1/2 A~ D~^-1/2 (Eq. GCN) of graphs (*, N, N) that hold the edges of nodes to themselves."""
    scale = graph.sum(-1).rsqrt()
    return scale.unsqueeze(-1) * graph * scale.unsqueeze(-2)


class SpatialGraph(nn.Module):
    """The graph of the joints: the bones (the paper's part on the spatial GCNFormer)."""

    graph: Tensor

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        graph = normalized(torch.tensor(skeleton.adjacency) + torch.eye(len(skeleton)))
        self.register_buffer("graph", graph, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the graph (1, J, J) for tokens (B * T, J, D)."""
        return self.graph.unsqueeze(0)


class TemporalGraph(nn.Module):
    """The graph of a joint's frames: each is tied to those it resembles most (Eq. Sim)."""

    def __init__(self, neighbors: int) -> None:
        super().__init__()
        self.neighbors = neighbors

    def forward(self, x: Tensor) -> Tensor:
        """Return graphs (B * J, T, T) for tokens (B * J, T, D), from Sim(f_i, f_j) = f_i^T f_j.

        Every row has K + 1 edges, its own among them, so that the normalized graph is A~ / (K + 1).
        """
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            own = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
            features = x.float() if x.dtype == torch.bfloat16 else x
            likeness = (features @ features.transpose(1, 2)).masked_fill(own, -torch.inf)
            nearest = likeness.topk(self.neighbors, 2).indices
            edges = torch.zeros_like(likeness).scatter(2, nearest, 1.0)
            return (edges + own.to(edges.dtype)) / (self.neighbors + 1)


class GraphConv(nn.Module):
    """Eq. GCN: relu(F + Norm(D~^-1/2 A~ D~^-1/2 F W1 + F W2)), after a layer norm."""

    def __init__(self, width: int, nodes: int, graph: nn.Module) -> None:
        super().__init__()
        self.norm, self.graph = nn.LayerNorm(width), graph
        self.from_neighbors, self.from_itself = nn.Linear(width, width), nn.Linear(width, width)
        self.batch_norm = nn.BatchNorm1d(nodes)

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens (B, N, width); returns the same shape, without a residual."""
        x = self.norm(x)
        neighbors = self.from_neighbors(x)
        mixed = self.graph(x).to(neighbors.dtype) @ neighbors
        return F.relu(x + self.batch_norm(mixed + self.from_itself(x)))


class MixerBlock(nn.Module):
    """A mixer of tokens and an MLP, each with a norm before it and a scaled residual."""

    def __init__(self, mixer: nn.Module, config: MotionAGFormerConfig, drop_path: float) -> None:
        super().__init__()
        width = config.width
        self.mixer, self.norm = mixer, nn.LayerNorm(width)
        self.mlp = layers.Mlp(width, config.mlp_ratio * width, config.dropout)
        self.mixer_scale = nn.Parameter(torch.full((width,), _FIRST_SCALE))
        self.mlp_scale = nn.Parameter(torch.full((width,), _FIRST_SCALE))
        self.drop_path = layers.DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, width) to the same shape."""
        x = x + self.drop_path(self.mixer_scale * self.mixer(x))
        return x + self.drop_path(self.mlp_scale * self.mlp(self.norm(x)))


class DualBlock(nn.Module):
    """A Transformer and a GCNFormer stream, between joints and then between frames, fused by their own weights."""

    def __init__(self, config: MotionAGFormerConfig, drop_path: float) -> None:
        super().__init__()
        width, joints, frames = config.width, len(config.skeleton), config.in_frames
        block: Callable[[nn.Module], MixerBlock] = partial(MixerBlock, config=config, drop_path=drop_path)
        attention = partial(blocks.Attention, width, config.heads, config.dropout, bias=False)
        self.spatial_attention, self.temporal_attention = block(attention()), block(attention())
        self.spatial_graph = block(GraphConv(width, joints, SpatialGraph(config.skeleton)))
        self.temporal_graph = block(GraphConv(width, frames, TemporalGraph(config.num_neighbors)))
        self.fusion = nn.Linear(2 * width, 2)
        nn.init.zeros_(self.fusion.weight)  # the streams weigh the same at first
        nn.init.zeros_(self.fusion.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, T, J, width) to the same shape."""
        frames, joints = x.shape[1:3]
        tokens = x.flatten(0, 1)  # (B * T, J, D)
        attended = self.temporal_attention(blocks.swapped(self.spatial_attention(tokens), frames))
        convolved = self.temporal_graph(blocks.swapped(self.spatial_graph(tokens), frames))  # (B * J, T, D)
        # Eq. fusion: alpha_T, alpha_G = softmax(W [F_T, F_G]) for each joint of each frame.
        alpha = self.fusion(torch.cat((attended, convolved), 2)).softmax(2)
        fused = alpha[..., :1] * attended + alpha[..., 1:] * convolved
        return blocks.swapped(fused, joints).unflatten(0, (-1, frames))


class MotionAGFormer(Lifter):
    """Maps keypoints (B, T, J, C) on the normalized screen to joints (B, T, J, 3), root-relative camera meters."""

    def __init__(self, config: MotionAGFormerConfig | None = None) -> None:
        config = config or MotionAGFormerConfig()
        super().__init__(config, tuple(range(config.in_frames)))
        width = config.width
        self.embed = nn.Linear(config.in_channels, width)
        self.joint_position = nn.Parameter(torch.zeros(1, len(config.skeleton), width))
        rates = layers.drop_path_rates(*config.drop_path, config.num_blocks)
        self.blocks = nn.Sequential(*(DualBlock(config, rate) for rate in rates))
        self.norm = nn.LayerNorm(width)
        motion = nn.Linear(width, config.motion_width)
        self.head = nn.Sequential(motion, nn.Tanh(), nn.Linear(config.motion_width, 3))  # "motion semantics"
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
        return self.norm(self.blocks(self.embed(x) + self.joint_position))
