"""The mixers of HTNet and NanoHTNet: local joints, limbs, and the whole body.

A mixer works on (B, N, D) and cuts D into chunks: three for joints, two for frequencies. `LJC`, `IPC`, `GBI` and the
two mixers are HTNet's (Cai et al., ICASSP 2023). What differs from the official code: the same sums in fewer and larger
operations; `published` has them in the authors' steps.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poselift.lab.models import layers
from poselift.lab.models.htnet_graph import ModulatedGraphConv, spatial_adjacency, temporal_adjacency
from poselift.skeleton import Skeleton


class LocalJointConnection(nn.Module):
    """LJC: two graph convolutions between neighbors, with a residual."""

    def __init__(self, graph: Tensor, width: int, hidden: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.gcn1 = ModulatedGraphConv(graph, width, hidden)
        self.gcn2 = ModulatedGraphConv(graph, hidden, width)
        self.norm2 = nn.LayerNorm(width)
        self.drop_path = layers.DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, width), same shape."""
        return x + self.drop_path(self.norm2(self.gcn2(F.gelu(self.gcn1(self.norm1(x))))))


class LimbBranch(nn.Module):
    """One half of IPC: mixes the joints of each limb and writes the result over its far joints."""

    gathered: Tensor
    written: Tensor

    def __init__(self, limbs: tuple[tuple[int, ...], ...], joints: int, width: int, hidden: int, rates: tuple) -> None:
        super().__init__()
        dropout, drop_path = rates
        order = list(range(joints))
        for part, limb in enumerate(limbs):
            for joint in limb[1:]:
                order[joint] = joints + part
        self.register_buffer("gathered", torch.tensor(limbs).flatten(), persistent=False)
        self.register_buffer("written", torch.tensor(order), persistent=False)
        self.parts = len(limbs)
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(len(limbs[0]) * width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = layers.Mlp(width, hidden, dropout)
        self.drop_path = layers.DropPath(drop_path)

    def forward(self, u: Tensor) -> Tensor:
        """(B, J, width), same shape."""
        z = self.norm(u)
        y = z.index_select(1, self.gathered).unflatten(1, (self.parts, -1)).flatten(2)  # (B, P, limb * width)
        y = self.drop_path(F.gelu(self.mix(y)))
        y = y + self.drop_path(self.mlp(self.norm_mlp(y)))
        return torch.cat((z, y), 1).index_select(1, self.written)

    def published(self) -> "PublishedLimbBranch":
        """The same in the authors' steps."""
        return PublishedLimbBranch(self)


class PublishedLimbBranch(nn.Module):
    """A `LimbBranch` in the authors' steps: a convolution over gathered joints, and a write for each limb."""

    def __init__(self, branch: LimbBranch) -> None:
        super().__init__()
        self.branch = branch
        limbs = branch.gathered.unflatten(0, (branch.parts, -1)).tolist()
        self.gathered = [joint for limb in limbs for joint in limb]
        self.far = [limb[1:] for limb in limbs]
        width = branch.mix.out_features
        self.kernel = nn.Parameter(branch.mix.weight.unflatten(1, (-1, width)).transpose(1, 2).contiguous())

    def forward(self, u: Tensor) -> Tensor:
        """(B, J, width), same shape."""
        branch = self.branch
        z = branch.norm(u)
        parts = z[:, self.gathered].transpose(1, 2)
        y = F.conv1d(parts, self.kernel, branch.mix.bias, stride=self.kernel.shape[2]).transpose(1, 2)
        y = F.gelu(y)
        y = y + branch.mlp(branch.norm_mlp(y))
        for part, joints in enumerate(self.far):
            for joint in joints:
                z[:, joint] = y[:, part]
        return z


class IntraPartConstraint(nn.Module):
    """IPC: each limb's far joints from the whole limb, and its last joint from the last two."""

    def __init__(self, skeleton: Skeleton, width: int, hidden: int, dropout: float, drop_path: float) -> None:
        super().__init__()
        limbs, joints, rates = skeleton.limbs, len(skeleton), (dropout, drop_path)
        self.limb = LimbBranch(limbs, joints, width, hidden, rates)
        self.end = LimbBranch(tuple(limb[1:] for limb in limbs), joints, width, hidden, rates)

    def forward(self, before: Tensor, x: Tensor) -> Tensor:
        """(B, J, width) of the module before and of the own chunk; same shape."""
        u = x + before
        return self.limb(u) + self.end(u) + u


class GlobalBodyInteraction(layers.SelfAttention):
    """GBI: attention between all tokens, with a residual."""

    def __init__(self, width: int, heads: int, dropout: float, drop_path: float) -> None:
        super().__init__(width, heads, dropout)
        self.drop_path = layers.DropPath(drop_path)

    def forward(self, before: Tensor, x: Tensor) -> Tensor:
        """(B, N, width) of the module before and of the own chunk; same shape."""
        s = x + before
        return s + self.drop_path(self.mix(s))

    def folded(self) -> "ResidualAttention":
        """The same for inference."""
        return ResidualAttention(layers.FoldedSelfAttention(self))

    def published(self) -> "ResidualAttention":
        """The same in the authors' steps."""
        return ResidualAttention(layers.PublishedSelfAttention(self))


class ResidualAttention(nn.Module):
    """Another form of a `GlobalBodyInteraction`, from one of its attention."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, before: Tensor, x: Tensor) -> Tensor:
        """(B, N, width) of the module before and of the own chunk; same shape."""
        s = x + before
        return s + self.attention(s)


class MixerBlock(nn.Module):
    """What both mixers end with: the chunks side by side again, then a residual MLP."""

    def __init__(self, width: int, hidden: int, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = layers.Mlp(width, hidden, dropout)
        self.drop_path = layers.DropPath(drop_path)

    def _merge(self, chunks: tuple[Tensor, ...]) -> Tensor:
        y = torch.cat(chunks, 2)
        return y + self.drop_path(self.mlp(self.norm(y)))


class SpatialMixerBlock(MixerBlock):
    """Joints mix with neighbors, then within the limb, then with all; each chunk takes the result before it."""

    def __init__(
        self, skeleton: Skeleton, width: int, hidden: int, drop_path: float, *, gcn_width: int, heads: int,
        dropout: float, projection_dropout: float,
    ) -> None:  # fmt: skip
        super().__init__(width, hidden, dropout, drop_path)
        chunk = width // 3
        self.ljc = LocalJointConnection(spatial_adjacency(skeleton), chunk, gcn_width, drop_path)
        self.ipc = IntraPartConstraint(skeleton, chunk, hidden, dropout, drop_path)
        self.gbi = GlobalBodyInteraction(chunk, heads, projection_dropout, drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, J, D), same shape."""
        x1, x2, x3 = x.chunk(3, 2)
        y1 = self.ljc(x1)
        y2 = self.ipc(y1, x2)
        return self._merge((y1, y2, self.gbi(y2, x3)))


class TemporalMixerBlock(MixerBlock):
    """Frequencies mix with their neighbors, then with all."""

    def __init__(
        self, count: int, width: int, hidden: int, drop_path: float, *, gcn_width: int, heads: int,
        dropout: float, projection_dropout: float,
    ) -> None:  # fmt: skip
        super().__init__(width, hidden, dropout, drop_path)
        chunk = width // 2
        self.ljc = LocalJointConnection(temporal_adjacency(count), chunk, gcn_width, drop_path)
        self.gbi = GlobalBodyInteraction(chunk, heads, projection_dropout, drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, D), same shape."""
        x1, x2 = x.chunk(2, 2)
        y1 = self.ljc(x1)
        return self._merge((y1, self.gbi(y1, x2)))


class Mixer(nn.Module):
    """Blocks in a row, then a norm."""

    def __init__(self, blocks: list[MixerBlock], width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D), same shape."""
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


def config_from_reference(shapes: dict[str, tuple[int, ...]], stack: str) -> dict[str, Any]:
    """Width, hidden widths and depth, from the shapes of the authors' weights; `stack` is their spatial mixer's name.

    Raises:
        KeyError: A weight that must be there is not.
    """
    blocks = {key.split(".")[2] for key in shapes if key.startswith(f"{stack}.blocks.")}
    return {
        "width": shapes["patch_embed.weight"][0],
        "mlp_width": shapes[f"{stack}.blocks.0.mlp.fc1.weight"][0],
        "gcn_width": shapes[f"{stack}.blocks.0.lgc.gcn1.W"][2],
        "num_blocks": len(blocks),
    }


KEYS_FROM_REFERENCE = (
    (r"\.norm\.(weight|bias)$", r".Temporal_norm.\1"),
    (r"(blocks\.\d+)\.Temporal_norm\.", r"\1.norm_mlp."),
    (r"\.ljc\.norm(\d)\.", r".lgc.norm_gcn\1."),
    (r"\.ljc\.(gcn\d)\.weight$", r".lgc.\1.W"),
    (r"\.ljc\.(gcn\d)\.modulation$", r".lgc.\1.M"),
    (r"\.ljc\.(gcn\d)\.adjacency$", r".lgc.\1.adj2"),
    (r"\.ljc\.(gcn\d)\.bias$", r".lgc.\1.bias"),
    (r"\.ipc\.limb\.Temporal_norm\.", r".ipc.norm_conv1."),
    (r"\.ipc\.limb\.mix\.", r".ipc.conv1."),
    (r"\.ipc\.limb\.norm_mlp\.", r".ipc.norm_conv1_mlp."),
    (r"\.ipc\.limb\.mlp\.", r".ipc.mlp_down_1."),
    (r"\.ipc\.end\.Temporal_norm\.", r".ipc.norm_conv2."),
    (r"\.ipc\.end\.mix\.", r".ipc.conv2."),
    (r"\.ipc\.end\.norm_mlp\.", r".ipc.norm_conv2_mlp."),
    (r"\.ipc\.end\.mlp\.", r".ipc.mlp_down_2."),
    (r"\.gbi\.Temporal_norm\.", r".gbi.norm_attn."),
    (r"\.gbi\.(qkv|proj)\.", r".gbi.attn.\1."),
)
"""What a mixer's weights are called here, and in the authors' files: patterns, applied in this order to our names."""


def from_convolution(key: str, value: Tensor) -> Tensor:
    """Our layout of the authors' weight `value`: their convolutions over a limb's joints are linear layers here.

    (out, in, limb) of the convolution becomes (out, limb * in), which does the same.
    """
    return value.transpose(1, -1).flatten(1) if key.endswith(".mix.weight") else value


def to_convolution(key: str, value: Tensor) -> Tensor:
    """The authors' layout of our weight `value`: the inverse of `from_convolution`."""
    return value.unflatten(1, (-1, len(value))).transpose(1, 2) if key.endswith(".mix.weight") else value
