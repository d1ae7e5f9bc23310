"""The mixers of HTNet and NanoHTNet: between neighboring joints, within limbs, and over the whole body.

A mixer works on (B, N, D) and splits D into chunks: three for joints, two for frequencies. LJC, IPC and GBI and the two
mixers are HTNet's (Cai et al., ICASSP 2023). Differs from the official code: the same sums take fewer and larger
operations; `published` has them in the authors' steps. The equations are read from that code and named by their
modules; the papers' numbers for them are not known. LN is a layer norm, DP is `DropPath`.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poselift.lab.models import layers
from poselift.lab.models.htnet_graph import ModulatedGraphConv, spatial_adjacency, temporal_adjacency
from poselift.skeleton import Skeleton


class LocalJointConnection(nn.Module):
    """Local joint-level connection: two graph convolutions between neighbors, with a residual.

    Eq. LJC (from the code): LJC(x) = x + DP(LN(MGC(GELU(MGC(LN(x)))))).
    """

    def __init__(self, graph: Tensor, width: int, hidden: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.gcn1 = ModulatedGraphConv(graph, width, hidden)
        self.gcn2 = ModulatedGraphConv(graph, hidden, width)
        self.norm2 = nn.LayerNorm(width)
        self.drop_path = layers.DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, width) to the same shape by Eq. LJC."""
        return x + self.drop_path(self.norm2(self.gcn2(F.gelu(self.gcn1(self.norm1(x))))))


class LimbBranch(nn.Module):
    """One half of Eq. IPC: mixes the joints of each limb and writes the result over all of them but the first."""

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
        """Return r of Eq. IPC for joints u, (B, J, width), in the same shape."""
        z = self.norm(u)
        y = z.index_select(1, self.gathered).unflatten(1, (self.parts, -1)).flatten(2)  # (B, P, limb * width)
        y = self.drop_path(F.gelu(self.mix(y)))
        y = y + self.drop_path(self.mlp(self.norm_mlp(y)))
        return torch.cat((z, y), 1).index_select(1, self.written)

    def published(self) -> "PublishedLimbBranch":
        """Return the branch in the authors' steps."""
        return PublishedLimbBranch(self)


class PublishedLimbBranch(nn.Module):
    """A `LimbBranch` in the authors' steps: a convolution over the gathered joints, and a write for each joint."""

    def __init__(self, branch: LimbBranch) -> None:
        super().__init__()
        self.branch = branch
        limbs = branch.gathered.unflatten(0, (branch.parts, -1)).tolist()
        self.gathered = [joint for limb in limbs for joint in limb]
        self.far = [limb[1:] for limb in limbs]
        width = branch.mix.out_features
        self.kernel = nn.Parameter(branch.mix.weight.unflatten(1, (-1, width)).transpose(1, 2).contiguous())

    def forward(self, u: Tensor) -> Tensor:
        """Return r of Eq. IPC for joints u, (B, J, width), in the same shape."""
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
    """Intra-part constraint: the far joints of each limb from the whole limb, and its last joint from the last two.

    Eq. IPC (from the code): with u = x + before, IPC = r1 + r2 + u. In r1 = LN(u) the second and third joint of each
    limb are replaced by y + DP(MLP(LN(y))), where y = DP(GELU(a linear layer of the limb's three joints in LN(u))).
    r2 is made alike, by weights of its own, from each limb's last two joints, and only the last one is replaced.
    """

    def __init__(self, skeleton: Skeleton, width: int, hidden: int, dropout: float, drop_path: float) -> None:
        super().__init__()
        limbs, joints, rates = skeleton.limbs, len(skeleton), (dropout, drop_path)
        self.limb = LimbBranch(limbs, joints, width, hidden, rates)
        self.end = LimbBranch(tuple(limb[1:] for limb in limbs), joints, width, hidden, rates)

    def forward(self, before: Tensor, x: Tensor) -> Tensor:
        """Map the module before's output and this module's chunk, both (B, J, width), to the same shape by Eq. IPC."""
        u = x + before
        return self.limb(u) + self.end(u) + u


class GlobalBodyInteraction(layers.SelfAttention):
    """Global body-level interaction: attention between all tokens, with a residual.

    Eq. GBI (from the code): with s = x + before, GBI = s + DP(MSA(LN(s))).
    """

    def __init__(self, width: int, heads: int, dropout: float, drop_path: float) -> None:
        super().__init__(width, heads, dropout)
        self.drop_path = layers.DropPath(drop_path)

    def forward(self, before: Tensor, x: Tensor) -> Tensor:
        """Map the module before's output and this module's chunk, both (B, N, width), to the same shape by Eq. GBI."""
        s = x + before
        return s + self.drop_path(self.mix(s))

    def folded(self) -> "ResidualAttention":
        """Return the module for inference."""
        return ResidualAttention(layers.FoldedSelfAttention(self))

    def published(self) -> "ResidualAttention":
        """Return the module in the authors' steps."""
        return ResidualAttention(layers.PublishedSelfAttention(self))


class ResidualAttention(nn.Module):
    """Another form of a `GlobalBodyInteraction`, made from another form of its attention."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, before: Tensor, x: Tensor) -> Tensor:
        """Map the module before's output and this module's chunk, both (B, N, width), to the same shape by Eq. GBI."""
        s = x + before
        return s + self.attention(s)


class MixerBlock(nn.Module):
    """The end of both mixers: the chunks are joined again and pass a residual MLP."""

    def __init__(self, width: int, hidden: int, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = layers.Mlp(width, hidden, dropout)
        self.drop_path = layers.DropPath(drop_path)

    def _merge(self, chunks: tuple[Tensor, ...]) -> Tensor:
        """Join chunks (B, N, D / count) to Y, (B, N, D), and return Y + DP(MLP(LN(Y))), the end of Eq. mixer."""
        y = torch.cat(chunks, 2)
        return y + self.drop_path(self.mlp(self.norm(y)))


class SpatialMixerBlock(MixerBlock):
    """Mixes joints with their neighbors, then within limbs, then with all; each chunk is added to the result before it.

    Eq. mixer (from the code): y1 = LJC(x1), y2 = IPC(y1, x2), y3 = GBI(y2, x3), Y = [y1, y2, y3], Y + DP(MLP(LN(Y))).
    """

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
        """Map joints (B, J, D) to the same shape by Eq. mixer."""
        x1, x2, x3 = x.chunk(3, 2)
        y1 = self.ljc(x1)
        y2 = self.ipc(y1, x2)
        return self._merge((y1, y2, self.gbi(y2, x3)))


class TemporalMixerBlock(MixerBlock):
    """Mixes frequencies with their neighbors, then with all: Eq. mixer with two chunks and without IPC."""

    def __init__(
        self, count: int, width: int, hidden: int, drop_path: float, *, gcn_width: int, heads: int,
        dropout: float, projection_dropout: float,
    ) -> None:  # fmt: skip
        super().__init__(width, hidden, dropout, drop_path)
        chunk = width // 2
        self.ljc = LocalJointConnection(temporal_adjacency(count), chunk, gcn_width, drop_path)
        self.gbi = GlobalBodyInteraction(chunk, heads, projection_dropout, drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map frequencies (B, K, D) to the same shape."""
        x1, x2 = x.chunk(2, 2)
        y1 = self.ljc(x1)
        return self._merge((y1, self.gbi(y1, x2)))


class Mixer(nn.Module):
    """A stack of blocks with a layer norm at its end."""

    def __init__(self, blocks: list[MixerBlock], width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, D) to the same shape."""
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


def config_from_reference(shapes: dict[str, tuple[int, ...]], stack: str) -> dict[str, Any]:
    """Derive widths and depth from the shapes of the authors' weights; `stack` is their name of the spatial mixer.

    Raises:
        KeyError: A weight is missing.
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
"""Regular expressions that turn our names of a mixer's weights into the authors', applied in this order."""


def from_convolution(key: str, value: Tensor) -> Tensor:
    """Convert the authors' tensor `value` to our layout: their convolutions over limbs are linear layers here.

    The convolution's (out, in, limb) becomes (out, limb * in), which computes the same.
    """
    return value.transpose(1, -1).flatten(1) if key.endswith(".mix.weight") else value


def to_convolution(key: str, value: Tensor) -> Tensor:
    """Convert our tensor `value` to the authors' layout: the inverse of `from_convolution`."""
    return value.unflatten(1, (-1, len(value))).transpose(1, 2) if key.endswith(".mix.weight") else value
