"""How the bodies and poses of a batch are changed, and what is still known about them afterwards."""

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from poselift.lab.observe.bodies import (
    bend_trunk,
    bones_of,
    indices,
    joints_of,
    mirror,
    mix_parts,
    named,
    scale_bones,
    turn_limbs,
)
from poselift.lab.windows.config import DataConfig
from poselift.skeleton import Skeleton

_HEAD = ("eye", "ear", "head_top")
_FOOT = ("toe", "heel")
_STIFF = 0.5
"""Share of a bone's own factor in those of a head and of a foot, whose proportions differ less than limbs."""


@dataclass(frozen=True, eq=False)
class Labels:
    """What is known of the bodies in a batch of windows."""

    there: Tensor
    """(B, J) bool: the joint's place is known."""
    trusted: Tensor
    """(B, J) bool: its place is also good enough for a truth."""
    contact: Tensor
    """(B, T, 4): 1 where left heel, left toe, right heel and right toe stand still on the ground, 0 where they do not,
    -1 where it is not known."""

    def of(self, windows: Tensor) -> "Labels":
        """Return the labels of some windows, by their numbers (N,)."""
        return Labels(self.there[windows], self.trusted[windows], self.contact[windows])


@dataclass(frozen=True, eq=False)
class Changes:
    """Random changes to a batch of windows: poses mixed, turned and bent, limbs longer or shorter, mirror images.

    They are drawn first and then made, so that joints and labels are changed alike.
    """

    skeleton: Skeleton
    legs: Tensor | None
    """(B, 2) bool: the left, right leg is that of the window before."""
    arms: Tensor | None
    """(B, 2) bool: the left, right arm is that of the window before."""
    turns: Tensor | None
    """(B, J, 3) rotation vectors of bones, radians."""
    bend: tuple[Tensor, Tensor, Tensor] | None
    """Angle and heading of the trunk's bend, radians, and whether the pelvis tilts with it; (B,) each."""
    factors: Tensor
    """(B, J) factor of the bone that ends at each joint; the root's is that of the path."""
    mirrored: Tensor
    """(B,) bool."""

    @staticmethod
    def draw(size: int, skeleton: Skeleton, config: DataConfig, generator: torch.Generator) -> "Changes":
        """Draw changes for `size` windows."""
        device = generator.device
        legs = arms = turns = bend = None
        if config.mix and size > 1:
            both, one = torch.rand((2, 2, size, 1), generator=generator, device=device)
            sides = torch.rand((2, size, 2), generator=generator, device=device) < 0.5
            legs, arms = (both < config.mix) & (sides | (one < 0.5))
        if config.turn:
            turned = torch.rand((size, 1, 1), generator=generator, device=device) < config.turn
            turns = torch.randn((size, len(skeleton), 3), generator=generator, device=device)
            turns = turns.index_select(1, indices(_leaders(skeleton), device))
            turns = config.turn_rad * turned * _mobility(skeleton, device)[:, None] * turns
        if config.bend:
            bent = torch.rand(size, generator=generator, device=device) < config.bend
            angle = bent * config.bend_rad * torch.randn(size, generator=generator, device=device)
            heading = torch.pi * torch.rand(size, generator=generator, device=device)
            bend = angle, heading, torch.rand(size, generator=generator, device=device) < 0.5
        factors = _draw_factors(size, skeleton, config, generator)
        mirrored = torch.zeros(size, dtype=torch.bool, device=device)
        if config.mirror:
            mirrored = torch.rand(size, generator=generator, device=device) < 0.5
        return Changes(skeleton, legs, arms, turns, bend, factors, mirrored)

    def bodies(self, world: Tensor) -> Tensor:
        """Change world joints (B, T, J, 3)."""
        bones = bones_of(world, self.skeleton)
        if self.legs is not None and self.arms is not None:
            bones = mix_parts(bones, self.legs, self.arms, self.skeleton)
        if self.turns is not None:
            bones = turn_limbs(bones, self.turns, self.skeleton)
        if self.bend is not None:
            bones = bend_trunk(bones, *self.bend, self.skeleton)
        bones = scale_bones(bones, self.factors, self.skeleton)
        if "left_heel" in self.skeleton:
            root = self.skeleton.root
            bones[:, :, root] *= self.factors[:, None, root, None]
        world = joints_of(bones, self.skeleton)
        return mirror(world, self.mirrored, self.skeleton)

    def labels(self, labels: Labels) -> Labels:
        """Change what is known: joints come with their limb, contacts do not outlast a change of the leg's motion."""
        there, trusted, contact = labels.there, labels.trusted, labels.contact
        if self.legs is not None and self.arms is not None:
            taken = self._taken(self.legs, self.arms)
            there, trusted = (torch.where(taken, own.roll(1, 0), own) for own in (there, trusted))
            contact = torch.where(self.legs.repeat_interleave(2, 1)[:, None], -1, contact)
        if self.turns is not None:
            moved = (self.turns != 0).any(-1)[:, indices(_ankles(self.skeleton), self.turns.device)]
            contact = torch.where(moved.repeat_interleave(2, 1)[:, None], -1, contact)
        order = indices(self.skeleton.flipped, there.device)
        chosen = self.mirrored[:, None]
        there, trusted = (torch.where(chosen, own.index_select(1, order), own) for own in (there, trusted))
        contact = torch.where(chosen[..., None], contact.roll(2, 2), contact)
        return replace(labels, there=there, trusted=trusted, contact=contact)

    def _taken(self, legs: Tensor, arms: Tensor) -> Tensor:
        """Return (B, J) bool: the joint is that of the window before."""
        left = named(self.skeleton, ("left",), legs.device)
        is_leg, is_arm = (named(self.skeleton, parts, legs.device) for parts in (_LEG, _ARM))
        leg, arm = (torch.where(left, chosen[:, :1], chosen[:, 1:]) for chosen in (legs, arms))
        return (leg & is_leg) | (arm & is_arm)


_LEG, _ARM = ("knee", "ankle", *_FOOT), ("elbow", "wrist")


def _draw_factors(size: int, skeleton: Skeleton, config: DataConfig, generator: torch.Generator) -> Tensor:
    """Draw the factors (B, J) of bones, equal on both sides; heads and feet keep their shape, feet grow with the leg.

    A body with feet keeps them on the ground: its path is longer or shorter by the factor of its legs.
    """
    device = generator.device
    drawn = torch.randn((size, len(skeleton)), generator=generator, device=device)
    left, right = (indices(side, device) for side in zip(*skeleton.pairs, strict=True))
    drawn.index_copy_(1, right, drawn.index_select(1, left))
    if "left_heel" in skeleton:
        heel, top, knee, ankle = skeleton.indices(("left_heel", "head_top", "left_knee", "left_ankle"))
        legs = (drawn[:, [knee]] + drawn[:, [ankle]]) / 2
        foot, head = legs + _STIFF * drawn[:, [heel]], _STIFF * drawn[:, [top]]
        drawn = torch.where(named(skeleton, _FOOT, device), foot, drawn)
        drawn = torch.where(named(skeleton, _HEAD, device), head, drawn)
        drawn = torch.where(named(skeleton, (skeleton.joints[skeleton.root],), device), legs, drawn)
    return (config.bone_scale * drawn).exp()


@cache
def _mobility(skeleton: Skeleton, device: torch.device) -> Tensor:
    """Return (J,) how far the bone that ends at each joint is turned, relative to an arm's bones."""
    shares = {"elbow": 1.0, "wrist": 1.0, "knee": 0.5, "ankle": 0.5}
    if "left_heel" in skeleton:
        shares |= dict.fromkeys(_FOOT, 0.5) | dict.fromkeys(_HEAD, 1.0)
    found = (next((share for part, share in shares.items() if part in name), 0.0) for name in skeleton.joints)
    return torch.tensor(list(found), device=device)


@cache
def _leaders(skeleton: Skeleton) -> tuple[int, ...]:
    """Return for each joint the joint whose turn it takes: a head and a foot turn as a whole."""
    order = list(range(len(skeleton)))
    if "left_heel" in skeleton:
        for joint, name in enumerate(skeleton.joints):
            if any(part in name for part in _FOOT):
                order[joint] = skeleton.index(f"{name.split('_')[0]}_heel")
            elif any(part in name for part in _HEAD):
                order[joint] = skeleton.index("head_top")
    return tuple(order)


def _ankles(skeleton: Skeleton) -> tuple[int, ...]:
    return skeleton.indices(("left_ankle", "right_ankle"))
