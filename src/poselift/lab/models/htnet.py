"""HTNet: the keypoints of one frame to its joints, through mixers that follow the body's topology.

Paper: Cai, H. Liu, Ding, Li, Wu, Ban, "HTNet: Human Topology Aware Network for 3D Human Pose Estimation", ICASSP 2023,
arXiv 2302.09790. Official code: github.com/vefalun/HTNet at 8c5f9f3 (MIT).
Differs: a window is always one frame (the official code folds several into the batch); no refine module, which needs
the true depth of the root. Same sums as the authors' code to float noise, and its weights load. Licence: MIT.
Eq. LJC, Eq. IPC, Eq. GBI and Eq. mixer are in `htnet_mixers`, Eq. MGC is in `htnet_graph`. They are read from the code
and named by their modules; the paper's numbers for them are not known.

Glossary (paper, here): C = `width`; L = `num_blocks`; D_hid = `mlp_width`; LJC, IPC, GBI: see `htnet_mixers`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from poselift.lab.models import checks, layers
from poselift.lab.models import htnet_mixers as mixers
from poselift.lab.models.extras import OutputsConfig, extra_heads
from poselift.lab.models.lifter import Lifter
from poselift.lab.models.reference import Reference
from poselift.skeleton import H36M_17, Skeleton


@dataclass(frozen=True, kw_only=True, slots=True)
class HTNetConfig(OutputsConfig):
    """Shape and regularization of an HTNet. The defaults are the authors' release."""

    in_frames: ClassVar[int] = 1
    """Frames the network sees; always one."""
    in_channels: int = 2
    """Numbers for each keypoint: 2 (x, y) or 3 (with confidence)."""
    width: int = 240
    """Width of a token (C); a multiple of 3 * `heads`."""
    mlp_width: int = 1024
    """Hidden width of every MLP (D)."""
    gcn_width: int = 384
    """Hidden width of the graph convolutions."""
    num_blocks: int = 3
    """Blocks in a row (L)."""
    heads: int = 8
    """Attention heads."""
    dropout: float = 0.1
    """Dropout in the MLPs."""
    projection_dropout: float = 0.1
    """Dropout after attention."""
    drop_path: tuple[float, float] = (0.1, 0.3)
    """Stochastic depth of the first and the last block."""
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
        checks.check_common(self, chunks=3)
        checks.check_limbs(self.skeleton)


class HTNet(Lifter):
    """Maps keypoints (B, 1, J, C) on the normalized screen to joints (B, 1, J, 3), root-relative camera metres."""

    resizable = ("skeleton",)
    joint_axes = {
        r"position": (1, True),
        r"spatial\..*\.ljc\..*\.modulation": (0, True),
        r"spatial\..*\.ljc\..*\.adjacency": (0, False),
        r"spatial\..*\.ljc\..*\.adjacency#2": (1, False),
    }

    def __init__(self, config: HTNetConfig | None = None) -> None:
        config = config or HTNetConfig()
        super().__init__(config, out_frames=(0,))
        self.embed = nn.Linear(config.in_channels, config.width)
        self.position = nn.Parameter(torch.zeros(1, len(config.skeleton), config.width))
        blocks: list[mixers.MixerBlock] = [
            mixers.SpatialMixerBlock(
                config.skeleton, config.width, config.mlp_width, rate, gcn_width=config.gcn_width, heads=config.heads,
                dropout=config.dropout, projection_dropout=config.projection_dropout,
            )
            for rate in layers.drop_path_rates(*config.drop_path, config.num_blocks)
        ]  # fmt: skip
        self.spatial = mixers.Mixer(blocks, config.width)
        self.head = nn.Linear(config.width, 3)
        self.extras = extra_heads(config, config.width)

    def encode(self, x: Tensor) -> Tensor:
        """Map normalized keypoints (B, 1, J, C) to features (B, 1, J, width) of each joint; see `checks.single_frames`.

        Raises:
            ShapeError: `x` has another shape.
        """
        frames = checks.single_frames(self, x)
        return self.spatial(self.embed(frames) + self.position).unsqueeze(1)


KEYS_FROM_REFERENCE = (
    (r"^embed\.", r"patch_embed."),
    (r"^position$", r"pos_embed"),
    (r"^spatial\.", r"Hiremixer."),
    (r"^head\.", r"fcn."),
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
    return mixers.config_from_reference(shapes, "Hiremixer") | {"in_channels": shapes["patch_embed.weight"][1]}


REFERENCE = Reference(
    keys=KEYS_FROM_REFERENCE,
    config=_config_from_reference,
    convert=mixers.from_convolution,
    restore=mixers.to_convolution,
    code="github.com/vefalun/HTNet at 8c5f9f3",
)
"""How the authors' code saves its weights."""
