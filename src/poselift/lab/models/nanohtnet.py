"""NanoHTNet lifts a window of keypoints to the joints of its middle frames, through two small streams of tokens.

Paper: Cai, M. Liu, H. Liu, Zhou, Li, "NanoHTNet: Nano Human Topology Network for Efficient 3D Human Pose Estimation",
IEEE TIP 2025, arXiv 2501.15763. Official code: github.com/vefalun/NanoHTNet at 901020e (MIT).
Differs: the cosine transform is one constant matrix product; the graph convolutions are arranged for fewer operations;
options the paper does not have, each off by default: `in_channels`, `dct`, `inverse_dct`, `live`, `skip`, other
skeletons.
Same sums as the authors' code to float noise, and its weights load. Licence: MIT.
Eq. DCT and Eq. fusion are here, those of the mixers are in `htnet_mixers`. They are read from the code and named by
what they do; the paper's numbers for them are not known.

Glossary (paper, here): F or T = `in_frames`; K = `keep_frames`, both the frequencies kept and the frames returned;
C = `width`; L = `num_blocks`; D_hid = `mlp_width`; h = `head_width`. ETST: the temporal stream has one token for each
of K low frequencies, of all joints at once; the spatial stream has one for each joint, its whole path over T frames.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from poselift.errors import RecipeError
from poselift.lab.models import checks, layers
from poselift.lab.models import htnet_mixers as mixers
from poselift.lab.models.extras import OutputsConfig, extra_heads
from poselift.lab.models.lifter import Lifter
from poselift.lab.models.reference import Reference
from poselift.skeleton import H36M_17, Skeleton


@dataclass(frozen=True, kw_only=True, slots=True)
class NanoHTNetConfig(OutputsConfig):
    """Shape and regularization of a NanoHTNet. The defaults are the authors' release."""

    in_frames: int = 243
    """Frames the network sees (T); odd."""
    keep_frames: int = 9
    """Frequencies kept and frames returned (K); odd, at most `in_frames`."""
    in_channels: int = 2
    """Numbers for each keypoint: 2 (x, y) or 3 (with confidence)."""
    width: int = 240
    """Width of a token (C); a multiple of 6 * `heads`."""
    mlp_width: int = 256
    """Hidden width of every MLP (D)."""
    gcn_width: int = 384
    """Hidden width of the graph convolutions."""
    num_blocks: int = 3
    """Blocks in each stream (L)."""
    heads: int = 8
    """Attention heads."""
    head_width: int = 8
    """Features of a joint in a frame from each stream (h)."""
    spatial_dropout: float = 0.15
    """Dropout in the spatial MLPs."""
    temporal_dropout: float = 0.1
    """Dropout in the temporal MLPs."""
    projection_dropout: float = 0.1
    """Dropout after attention."""
    drop_path: tuple[float, float] = (0.1, 0.3)
    """Stochastic depth of the first and the last block."""
    dct: Literal["raw", "ortho"] = "raw"
    """Scale of the cosine transform: "raw" grows with T as the authors' does; "ortho" keeps the input's scale."""
    inverse_dct: bool = False
    """Turn frequencies back into frames before the head, instead of leaving that to the network."""
    live: bool = False
    """Return the last frames of the window instead of the middle ones, so that the newest pose comes without delay."""
    skip: bool = False
    """Give the head each joint's own keypoint in the frame, beside the features."""
    fps: float = 50.0
    """Frames per second the network is fed."""
    skeleton: Skeleton = H36M_17
    """Joints in and out; with both arms and both legs."""

    def __post_init__(self) -> None:
        """Check each field.

        Raises:
            RecipeError: A field is out of range; the message names it.
            SkeletonError: The skeleton lacks a limb.
        """
        if self.in_frames < 1 or self.in_frames % 2 == 0:
            raise RecipeError(f"in_frames: wanted an odd number of frames, got {self.in_frames}")
        if self.keep_frames < 1 or self.keep_frames % 2 == 0 or self.keep_frames > self.in_frames:
            raise RecipeError(
                f"keep_frames: wanted an odd number up to in_frames={self.in_frames}, got {self.keep_frames}"
            )
        if self.dct not in ("raw", "ortho"):
            raise RecipeError(f"dct: wanted 'raw' or 'ortho', got {self.dct!r}")
        checks.check_common(self, chunks=6)
        checks.check_limbs(self.skeleton)


def first_frame(config: NanoHTNetConfig) -> int:
    """Return the index in the window of the first frame returned; `keep_frames` consecutive frames are."""
    rest = config.in_frames - config.keep_frames
    return rest if config.live else rest // 2


def dct_matrix(in_frames: int, keep: int, scale: Literal["raw", "ortho"] = "raw") -> Tensor:
    """Return the type-II cosine transform as a matrix, (keep, in_frames) float64, lowest frequencies first.

    Eq. DCT (from the code): X_k = 2 sum_t x_t cos(pi (2t + 1) k / 2T), for k < K. That is "raw", the un-normalized
    convention of the authors' library. "ortho" is the orthonormal transform divided by sqrt(T): its rows are orthogonal
    and of one length, and the lowest coefficient is the mean.
    """
    time = torch.arange(in_frames, dtype=torch.float64)
    order = torch.arange(keep, dtype=torch.float64)[:, None]
    cosines = torch.cos(math.pi * (2 * time + 1) * order / (2 * in_frames))
    if scale == "raw":
        return 2 * cosines
    cosines[1:] *= math.sqrt(2)
    return cosines / in_frames


class CosineTransform(nn.Module):
    """Eq. DCT: the low frequencies of each coordinate's path, an ideal low-pass filter, for the temporal stream."""

    matrix: Tensor

    def __init__(self, in_frames: int, keep: int, scale: Literal["raw", "ortho"]) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("matrix", dct_matrix(in_frames, keep, scale).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map paths (B, T, N) to coefficients (B, K, N)."""
        return self.matrix @ x

    def published(self) -> nn.Module:
        """Return the transform in the authors' steps, or itself for the scale that they do not have."""
        return self if self.scale == "ortho" else PublishedCosineTransform(len(self.matrix))


class PublishedCosineTransform(nn.Module):
    """`CosineTransform` as the authors' library computes it: all frequencies by a Fourier transform, then a cut."""

    def __init__(self, keep: int) -> None:
        super().__init__()
        self.keep = keep

    def forward(self, x: Tensor) -> Tensor:
        """Map paths (B, T, N) to coefficients (B, K, N)."""
        x = x.transpose(1, 2)
        frames = x.shape[2]
        folded = torch.cat((x[..., ::2], x[..., 1::2].flip(2)), 2)
        spectrum = torch.view_as_real(torch.fft.fft(folded, dim=2))
        phase = -torch.arange(frames, dtype=x.dtype, device=x.device)[None, None] * math.pi / (2 * frames)
        coefficients = 2 * (spectrum[..., 0] * phase.cos() - spectrum[..., 1] * phase.sin())
        return coefficients.transpose(1, 2)[:, : self.keep]


class NanoHTNet(Lifter):
    """Maps keypoints (B, T, J, C) on the normalized screen to joints (B, S, J, 3), root-relative camera metres.

    Eq. fusion (from the code): joints = Linear([spatial features, temporal features]), the same for every frame and
    joint.
    """

    resizable = ("in_frames", "live", "skeleton")
    joint_axes = {
        r"spatial_position": (1, True),
        r"spatial\..*\.ljc\..*\.modulation": (0, True),
        r"spatial\..*\.ljc\..*\.adjacency": (0, False),
        r"spatial\..*\.ljc\..*\.adjacency#2": (1, False),
        r"temporal_embed\.weight": (1, False),
        r"temporal_out\.(weight|bias)": (0, True),
    }
    inverse_dct: Tensor | None
    not_root: Tensor | None

    def __init__(self, config: NanoHTNetConfig | None = None) -> None:
        config = config or NanoHTNetConfig()
        keep, joints, width = config.keep_frames, len(config.skeleton), config.width
        first = first_frame(config)
        super().__init__(config, tuple(range(first, first + keep)))
        self.dct = CosineTransform(config.in_frames, keep, config.dct)
        # The rows have unit scale whatever `dct` is, because the features are not coefficients of the input.
        inverse = config.in_frames * dct_matrix(config.in_frames, keep, "ortho")[:, list(self.out_frames)].T
        self.register_buffer("inverse_dct", inverse.float() if config.inverse_dct else None, persistent=False)

        self.spatial_embed = nn.Linear(config.in_frames * config.in_channels, width)
        self.spatial_position = nn.Parameter(torch.zeros(1, joints, width))
        self.spatial = _spatial_mixer(config)
        self.spatial_out = nn.Linear(width, keep * config.head_width)
        self.temporal_embed = nn.Linear(joints * config.in_channels, width)
        self.temporal_position = nn.Parameter(torch.zeros(1, keep, width))
        self.temporal = _temporal_mixer(config)
        self.temporal_out = nn.Linear(width, joints * config.head_width)
        self.head = nn.Linear(2 * config.head_width + (config.in_channels if config.skip else 0), 3)
        # The root's slot holds its path (`poselift.prepare.normalize`), which is not the position of a joint.
        not_root = (torch.arange(joints) != config.skeleton.root).float()[:, None]
        self.register_buffer("not_root", not_root if config.skip else None, persistent=False)
        self.extras = extra_heads(config, self.head.in_features)

    def resized(self, tensors: Mapping[str, Tensor], config: NanoHTNetConfig) -> dict[str, Tensor]:
        """Fit weights of a lifter with another window length, other returned frames, or other joints, to this lifter.

        In the spatial stream the weights of each frame move with it, by its offset from the first frame returned; those
        of frames that the other lifter did not see are zero. So the stream is the same function of the frames that both
        lifters see. `poselift.lab.models.joints` says how weights of joints are found. All others stay as they are.

        Args:
            tensors: Weights of a lifter with `config`, by name.
            config: Options that differ from this one's in `in_frames`, `live` and `skeleton` at most.
        """
        tensors = super().resized(tensors, config)
        name = "spatial_embed.weight"
        shift = first_frame(self.config) - first_frame(config)
        if name not in tensors or (shift == 0 and config.in_frames == self.in_frames):
            return dict(tensors)
        old = tensors[name].unflatten(1, (config.in_frames, -1))
        moved = old.new_zeros(len(old), self.in_frames, old.shape[2])
        begin, end = max(shift, 0), min(config.in_frames + shift, self.in_frames)
        moved[:, begin:end] = old[:, begin - shift : end - shift]
        return dict(tensors) | {name: moved.flatten(1)}

    def encode(self, x: Tensor) -> Tensor:
        """Return the features of each joint in each frame returned.

        Args:
            x: (B, T, J, C) normalized keypoints.

        Returns:
            (B, S, J, 2 * head_width) features; with `skip`, C more.

        Raises:
            ShapeError: `x` has another shape.
        """
        checks.check_input(self, x)
        features: tuple[Tensor, ...] = (self._encode_joints(x), self._encode_frequencies(x))
        if self.not_root is not None:
            features = (*features, x[:, self.out_frames[0] : self.out_frames[-1] + 1] * self.not_root)
        return torch.cat(features, 3)  # Eq. fusion, the spatial features first

    def _encode_joints(self, x: Tensor) -> Tensor:
        """Return the spatial stream's features of keypoints (B, T, J, C)."""
        tokens = self.spatial_embed(x.transpose(1, 2).flatten(2)) + self.spatial_position  # (B, J, D)
        features = self.spatial_out(self.spatial(tokens))
        return features.unflatten(2, (self.config.keep_frames, -1)).transpose(1, 2)  # (B, S, J, h)

    def _encode_frequencies(self, x: Tensor) -> Tensor:
        """Return the temporal stream's features of keypoints (B, T, J, C)."""
        tokens = self.temporal_embed(self.dct(x.flatten(2))) + self.temporal_position  # (B, K, D)
        features = self.temporal_out(self.temporal(tokens))
        if self.inverse_dct is not None:
            features = self.inverse_dct @ features
        return features.unflatten(2, (len(self.skeleton), -1))  # (B, S, J, h)


def _spatial_mixer(config: NanoHTNetConfig) -> mixers.Mixer:
    """Return the mixer of the spatial stream, whose tokens are joints."""
    blocks: list[mixers.MixerBlock] = [
        mixers.SpatialMixerBlock(
            config.skeleton, config.width, config.mlp_width, rate, gcn_width=config.gcn_width, heads=config.heads,
            dropout=config.spatial_dropout, projection_dropout=config.projection_dropout,
        )
        for rate in layers.drop_path_rates(*config.drop_path, config.num_blocks)
    ]  # fmt: skip
    return mixers.Mixer(blocks, config.width)


def _temporal_mixer(config: NanoHTNetConfig) -> mixers.Mixer:
    """Return the mixer of the temporal stream, whose tokens are frequencies."""
    blocks: list[mixers.MixerBlock] = [
        mixers.TemporalMixerBlock(
            config.keep_frames, config.width, config.mlp_width, rate, gcn_width=config.gcn_width, heads=config.heads,
            dropout=config.temporal_dropout, projection_dropout=config.projection_dropout,
        )
        for rate in layers.drop_path_rates(*config.drop_path, config.num_blocks)
    ]  # fmt: skip
    return mixers.Mixer(blocks, config.width)


KEYS_FROM_REFERENCE = (
    (r"^spatial_embed\.", r"patch_embed."),
    (r"^spatial_position$", r"pos_embed"),
    (r"^spatial\.", r"Transformer."),
    (r"^spatial_out\.", r"fcn_spa."),
    (r"^temporal_embed\.", r"tem_patch_embed."),
    (r"^temporal_position$", r"tem_pos_embed"),
    (r"^temporal\.", r"tem_Transformer."),
    (r"^temporal_out\.", r"fcn_tem."),
    (r"^head\.", r"fc."),
    *mixers.KEYS_FROM_REFERENCE,
)
"""Regular expressions that turn our names of weights into the authors', applied in this order."""


def _config_from_reference(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Derive fields of the config from the shapes of the authors' weights; `heads` does not show there and stays 8.

    Args:
        shapes: Shape of each weight, by the authors' names.

    Raises:
        KeyError: A weight is missing.
    """
    channels = shapes["tem_patch_embed.weight"][1] // len(H36M_17)
    return mixers.config_from_reference(shapes, "Transformer") | {
        "in_channels": channels,
        "in_frames": shapes["patch_embed.weight"][1] // channels,
        "keep_frames": shapes["tem_pos_embed"][1],
        "head_width": shapes["fc.weight"][1] // 2,
    }


REFERENCE = Reference(
    keys=KEYS_FROM_REFERENCE,
    config=_config_from_reference,
    convert=mixers.from_convolution,
    restore=mixers.to_convolution,
    code="github.com/vefalun/NanoHTNet at 901020e",
)
"""How the authors' code saves its weights."""
