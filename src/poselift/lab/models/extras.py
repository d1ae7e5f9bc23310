"""Heads beside that of the joints: how far off each joint may be, which way is up, which parts of the feet stand still.

They read the features from which a lifter's own head makes the joints, those of all joints of a frame together: a small
network of one hidden layer, whose cost is about a hundredth of the smallest lifter's. All are off by default, and then
a lifter has the papers' weights and no others.

`spread` is the expected distance of a joint from where it is lifted to, relative to the root, in metres. The loss
(`poselift.lab.run.losses.spread_loss`) makes it that; `poselift.sequence.Poses3D.radius` turns it into radii.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poselift.sequence import CONTACTS
from poselift.skeleton import Skeleton

HIDDEN = 64
"""Width of the hidden layer."""
FIRST_SPREAD_M = 0.05
"""Spread of all joints before training."""
SPREAD_LIMITS_M = (1e-3, 3.0)
"""Least and greatest spread that is given, so that odd input cannot make it overflow."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputsConfig:
    """What a lifter gives besides the joints. The papers' networks give nothing else."""

    spread: bool = False
    """Also give how far off each joint may be: the expected distance in metres."""
    up: bool = False
    """Also give the direction that is up in the lifter's axes."""
    contact: bool = False
    """Also give the probability that a heel or a toe stands still on the ground; see `CONTACTS`."""


class ExtraHeads(nn.Module):
    """Gives more than joints, from the features of a frame (`OutputsConfig` says what)."""

    not_root: Tensor

    def __init__(self, config: OutputsConfig, width: int, skeleton: Skeleton) -> None:
        """Make heads that start at the same answer for everything.

        Args:
            config: What to give.
            width: Features of a joint in a frame (D).
            skeleton: Joint order of the features.
        """
        super().__init__()
        sizes = {"spread": len(skeleton), "up": 3, "contact": len(CONTACTS)}
        self.sizes = {name: size for name, size in sizes.items() if getattr(config, name)}
        first = {
            "spread": torch.full((len(skeleton),), FIRST_SPREAD_M).log(),
            "up": torch.tensor([0.0, -1.0, 0.0]),  # y is down in a camera's axes
            "contact": torch.zeros(len(CONTACTS)),
        }
        self.norm = nn.LayerNorm(len(skeleton) * width)
        self.hidden = nn.Linear(len(skeleton) * width, HIDDEN)
        self.out = nn.Linear(HIDDEN, sum(self.sizes.values()))
        with torch.no_grad():
            self.out.weight.zero_()
            self.out.bias.copy_(torch.cat([first[name] for name in self.sizes]))
        not_root = torch.arange(len(skeleton)) != skeleton.root
        self.register_buffer("not_root", not_root.float(), persistent=False)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Map features (B, S, J, D) to what the losses take: `finish` turns it into answers.

        Returns:
            Those that the config asks for: "spread" (B, S, J), its natural logarithm; "up" (B, S, 3) of any length;
            "contact" (B, S, 4), the logarithms of the odds.
        """
        found = self.out(F.gelu(self.hidden(self.norm(features.flatten(2)))))
        return dict(zip(self.sizes, found.split(list(self.sizes.values()), 2), strict=True))

    def finish(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        """Turn what `forward` returns into answers.

        Returns:
            "spread" (B, S, J) metres, 0 for the root, whose place is given; "up" (B, S, 3) of length 1; "contact"
            (B, S, 4) from 0 to 1.
        """
        made = dict(found)
        if "spread" in made:
            low, high = torch.tensor(SPREAD_LIMITS_M).log().tolist()
            made["spread"] = made["spread"].clamp(low, high).exp() * self.not_root
        if "up" in made:
            made["up"] = F.normalize(made["up"], dim=2)
        if "contact" in made:
            made["contact"] = made["contact"].sigmoid()
        return made

    def scale_spread(self, powers: Tensor, factors: Tensor) -> None:
        """Change the spread of each joint from s to `factor * s ** power`, by changing the weights.

        Args:
            powers: (J,) positive.
            factors: (J,) positive.
        """
        rows = slice(0, len(self.not_root))  # the spread comes first
        with torch.no_grad():
            self.out.weight[rows] *= powers[:, None]
            self.out.bias[rows] = powers * self.out.bias[rows] + factors.log()


def extra_heads(config: Any, width: int) -> ExtraHeads | None:
    """Return the heads that a lifter's config asks for, for features of a width; None if it asks for none."""
    wanted = any(getattr(config, name, False) for name in ("spread", "up", "contact"))
    return ExtraHeads(config, width, config.skeleton) if wanted else None
