"""A simulated 2D detector: its own joints, its errors and its confidence; the second half of the synthetic observation.

`detector_joints` turns mocap joints into the keypoints that a detector looks for (face, shifted hips and shoulders).
`corrupt` adds the errors: jitter, correlated drift, swapped sides, joints missing for one frame or many, people cut by
the picture's edge, and a confidence that reflects all of these imperfectly.

Everything works on batches of windows on the generator's device.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from poselift.lab.observe.bodies import indices, named
from poselift.skeleton import BODY_25B, H36M_17, Skeleton

DETECTOR_SKELETON = BODY_25B
"""COCO's joints with upper neck and head top: what is seen of a body of 17 joints, whose feet are never found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseConfig:
    """How large the detector's errors are. Lengths are metres at the person."""

    level: float = 0.010
    """Median over windows of the error level."""
    level_spread: float = 0.6
    """Standard deviation of the level's logarithm."""
    shift: float = 0.025
    """Standard deviation of each joint's displacement, equal on both sides: its hips lie elsewhere than ours."""
    swaps: float = 0.06
    """Share of windows in which left and right arms, legs or both are exchanged for a while."""
    misses: float = 0.02
    """Share of joints that are not found in a single frame."""
    spans: float = 0.5
    """Share of windows in which some joints are occluded for a while: missing, or guessed with low confidence."""
    cuts: float = 0.08
    """Share of windows in which the lower body lies outside the picture."""
    blackouts: float = 0.08
    """Share of windows in which the whole person is not found for a while."""
    spikes: float = 0.003
    """Share of joints that jump for a single frame."""
    turned_faces: float = 0.7
    """Share of windows in which nose and eyes are lost or doubtful while the person looks away from the camera."""


def detector_joints(points: Tensor, config: NoiseConfig, generator: torch.Generator) -> Tensor:
    """Return the 3D points that a detector looks for on a body of `H36M_17` joints.

    Args:
        points: (B, T, 17, 3) metres in any right-handed frame.
        config: Sizes of the displacements.
        generator: Source of randomness.

    Returns:
        (B, T, 25, 3) metres, same frame, in `DETECTOR_SKELETON`'s order; the feet are copies of the ankles.
    """
    axes = trunk_axes(points)
    made = made_up(points, axes, generator)
    for name in set(DETECTOR_SKELETON.joints) - set(made):
        made[name] = made[f"{name.split('_')[0]}_ankle"]
    shifts = symmetric_shifts(len(points), DETECTOR_SKELETON, config, generator)
    stacked = torch.stack([made[name] for name in DETECTOR_SKELETON.joints], 2)
    return stacked + shifts[:, None] @ axes


def trunk_axes(points: Tensor) -> Tensor:
    """Return the trunk's left, up and front axes (B, T, 3 axes, 3) of joints that begin with those of `H36M_17`."""
    joint = {name: points[:, :, i] for i, name in enumerate(H36M_17.joints)}
    normalize = torch.nn.functional.normalize
    up = normalize(joint["thorax"] - joint["pelvis"], dim=-1)
    side = joint["left_shoulder"] - joint["right_shoulder"] + joint["left_hip"] - joint["right_hip"]
    left = normalize(side - (side * up).sum(-1, keepdim=True) * up, dim=-1)
    return torch.stack([left, up, torch.linalg.cross(left, up)], -2)


def made_up(points: Tensor, axes: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Return by name, each (B, T, 3), the joints of `H36M_17` with the face and the upper neck that they suggest.

    Args:
        points: (B, T, J, 3) metres, joints that begin with those of `H36M_17`.
        axes: (B, T, 3 axes, 3) of the trunk.
        generator: Source of randomness: the head looks somewhere ahead.
    """
    joint = {name: points[:, :, i] for i, name in enumerate(H36M_17.joints)}
    made = dict(joint) | _face(joint, axes, generator)
    made["upper_neck"] = 0.5 * (joint["thorax"] + joint["nose"])
    return made


def _face(joint: dict[str, Tensor], axes: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Return nose, eyes, ears and head top of a head that looks somewhere ahead, each (B, T, 3), by name."""
    batch, frames = axes.shape[:2]
    yaw = 0.5 * smooth_noise((batch, frames, 1), 40, generator)[..., 0] + 0.2 * _randn((batch, 1), generator)
    cos, sin = yaw.cos()[..., None], yaw.sin()[..., None]
    left, front = axes[:, :, 0] * cos + axes[:, :, 2] * sin, axes[:, :, 2] * cos - axes[:, :, 0] * sin
    up = torch.nn.functional.normalize(joint["head_top"] - joint["nose"], dim=-1)
    middle = 0.4 * joint["nose"] + 0.6 * joint["head_top"]
    face = {"nose": middle + 0.11 * front - 0.02 * up, "head_top": joint["head_top"] + 0.09 * up}
    for sign, name in ((1, "left"), (-1, "right")):
        face[f"{name}_eye"] = middle + 0.09 * front + 0.015 * up + sign * 0.032 * left
        face[f"{name}_ear"] = middle - 0.005 * front + sign * 0.075 * left
    return face


def symmetric_shifts(batch: int, skeleton: Skeleton, config: NoiseConfig, generator: torch.Generator) -> Tensor:
    """Draw displacements (B, J, 3) along left, up and front, in metres; those of left and right joints are mirrored."""
    shifts = config.shift * _randn((batch, len(skeleton), 3), generator)
    left, right = (indices(side, shifts.device) for side in zip(*skeleton.pairs, strict=True))
    other = torch.where(torch.arange(3, device=shifts.device) == 0, -1.0, 1.0) * shifts.index_select(1, left)
    return shifts.index_copy_(1, right, other)


def corrupt(
    xy: Tensor, metre: Tensor, skeleton: Skeleton, config: NoiseConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Add a detector's errors to exact keypoints.

    Args:
        xy: (B, T, J, 2) true positions, any unit.
        metre: (B,) length of a metre at the person in that unit.
        skeleton: Joint order.
        config: How large the detector's errors are.
        generator: Source of randomness.

    Returns:
        xy (B, T, J, 2), and confidence (B, T, J) in [0, 1], 0 where nothing was found.
    """
    batch, frames, joints, _ = xy.shape
    level = config.level * (config.level_spread * _randn((batch, 1, 1), generator)).exp()
    expected = level * _difficulty(skeleton, xy.device) * (0.5 * _randn((batch, 1, joints), generator)).exp()
    expected = expected * (0.7 * smooth_noise((batch, frames, joints), 20, generator)).exp()
    guessed, lost = _occlusions(xy, config, generator)
    expected = expected + guessed * 0.08  # (B, T, J), size of the error to expect in metres
    drift = smooth_noise((batch, frames, 2 * joints), 10, generator).view(batch, frames, joints, 2)
    spiked = _rand((batch, frames, joints), generator) < config.spikes
    jitter = ((0.5 * expected) ** 2 + (0.15 * spiked) ** 2).sqrt()  # two independent errors, so their variances add
    error = 0.8 * expected[..., None] * drift + jitter[..., None] * _randn((batch, frames, joints, 2), generator)
    xy = xy + error * metre[:, None, None, None]
    confidence = _confidence(expected + 0.05 * spiked, generator)
    xy, confidence = _swap_sides(xy, confidence, skeleton, config, generator)
    lost = lost | (_rand((batch, frames, joints), generator) < config.misses)
    return xy, confidence * ~lost


def hide_faces(
    confidence: Tensor, points: Tensor, skeleton: Skeleton, config: NoiseConfig, generator: torch.Generator
) -> Tensor:
    """Multiply the confidence of nose and eyes by 0 or 0.3 where people look away from the camera.

    Args:
        confidence: (B, T, J) confidence of a detector's keypoints.
        points: (B, T, 17, 3) the `H36M_17` joints in camera axes, any unit.
        skeleton: Joint order of the confidence.
        config: How large the detector's errors are.
        generator: Source of randomness.

    Returns:
        (B, T, J) confidence.
    """
    batch = len(points)
    left, right, top, bottom = H36M_17.indices(("left_shoulder", "right_shoulder", "thorax", "pelvis"))
    front = torch.linalg.cross(points[:, :, left] - points[:, :, right], points[:, :, top] - points[:, :, bottom])
    away = torch.nn.functional.normalize(front, dim=-1)[..., 2]  # 1 when seen from behind
    angle, chosen, kept = _rand((3, batch, 1), generator)
    hidden = (away > 0.6 * angle - 0.1) & (chosen < config.turned_faces)
    doubtful = 0.3 * (kept < 0.4)  # the others are lost
    face = named(skeleton, ("nose", "eye"), points.device)
    return torch.where(hidden[..., None] & face, confidence * doubtful[..., None], confidence)


@cache
def _difficulty(skeleton: Skeleton, device: torch.device) -> Tensor:
    """Return the factor (J,) by which each joint's errors are larger than those of most joints."""
    harder = {"hip": 1.5, "ankle": 1.2, "wrist": 1.2, "pelvis": 1.3, "spine": 1.3, "toe": 1.3, "heel": 1.3}
    easier = {"eye": 0.5, "ear": 0.5, "nose": 0.5, "head": 0.8}
    factors = harder | easier
    names = (next((part for part in factors if part in name), "") for name in skeleton.joints)
    return torch.tensor([factors.get(name, 1.0) for name in names], device=device)


def _confidence(expected: Tensor, generator: torch.Generator) -> Tensor:
    """Draw confidence (B, T, J) that falls with the expected error; best value and slope are drawn for each window."""
    batch = len(expected)
    best = 0.5 + 0.5 * _rand((batch, 1, 1), generator).sqrt()
    slope = 10 + 20 * _rand((batch, 1, 1), generator)
    confidence = best * (-slope * expected).exp() + 0.04 * _randn(expected.shape, generator)
    return confidence.clip(0.02, 1)


def _occlusions(xy: Tensor, config: NoiseConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw where joints are guessed and where they are lost: two masks (B, T, J)."""
    batch, frames, joints, _ = xy.shape
    some = _rand((batch, 1, 1), generator) < config.spans
    hidden = _interval((batch, joints), frames, generator) & (_rand((batch, 1, joints), generator) < 0.15) & some
    guess = _rand((batch, 1, joints), generator) < 0.5
    gone = _interval((batch, 1), frames, generator) & (_rand((batch, 1, 1), generator) < config.blackouts)
    low, high = xy[..., 1].amin((1, 2)), xy[..., 1].amax((1, 2))
    edge = low + (high - low) * (0.45 + 0.5 * _rand((batch,), generator))
    cut = (xy[..., 1] > edge[:, None, None]) & (_rand((batch, 1, 1), generator) < config.cuts)
    return (hidden | cut) & guess, ((hidden | cut) & ~guess) | gone


def _swap_sides(
    xy: Tensor, confidence: Tensor, skeleton: Skeleton, config: NoiseConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Exchange left and right of the arms, the legs or both for an interval."""
    batch, frames = xy.shape[:2]
    is_leg = named(skeleton, ("hip", "knee", "ankle", "toe", "heel"), xy.device)
    which = torch.randint(0, 3, (batch, 1, 1), generator=generator, device=xy.device)
    member = (which == 2) | (is_leg == (which == 1))
    when = _interval((batch, 1), frames, generator, longest=0.4)
    swapped = when & member & (_rand((batch, 1, 1), generator) < config.swaps)
    order = indices(skeleton.flipped, xy.device)
    return (
        torch.where(swapped[..., None], xy.index_select(2, order), xy),
        torch.where(swapped, 0.85 * confidence.index_select(2, order), confidence),
    )


def _interval(shape: tuple[int, int], frames: int, generator: torch.Generator, longest: float = 1.2) -> Tensor:
    """Draw masks (B, T, N), each true in one stretch of at most `longest` times the window; short ones are likelier."""
    length = longest * _rand(shape, generator) ** 2 * frames
    start = _rand(shape, generator) * (frames + length) - length
    time = torch.arange(frames, device=generator.device)[None, :, None]
    return (time >= start[:, None]) & (time <= (start + length)[:, None])


def smooth_noise(shape: tuple[int, int, int], period: int, generator: torch.Generator) -> Tensor:
    """Draw noise (B, T, N) that goes along straight lines from one normal random value to the next.

    Args:
        shape: B windows, T frames, N signals.
        period: Frames between the random values, which have unit variance.
        generator: Source of randomness.
    """
    batch, frames, signals = shape
    count = frames // period + 3
    knots = _randn((batch, signals, count), generator).transpose(1, 2).reshape(batch * count, signals)
    time = _rand((batch, 1), generator) + torch.arange(frames, device=knots.device) / period
    before = time.long()
    rows = (before + count * torch.arange(batch, device=knots.device)[:, None]).flatten()
    share = (time - before).flatten()[:, None]
    return torch.lerp(knots.index_select(0, rows), knots.index_select(0, rows + 1), share).view(batch, frames, signals)


def _rand(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw uniformly from [0, 1), on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device)


def _randn(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw from the standard normal distribution, on the generator's device."""
    return torch.randn(shape, generator=generator, device=generator.device)
