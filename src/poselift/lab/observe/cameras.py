"""Random cameras around moving people, one for each window of a batch; the first half of the synthetic observation.

World axes are z up; camera axes are OpenCV's (x right, y down, z forward). Lengths are metres.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraConfig:
    """Where the cameras stand and where they look. Angles in radians, lengths in metres."""

    elevation_rad: tuple[float, float] = (0.2, 0.28)
    """Mean and standard deviation of the camera's angle above the person's pelvis (height and pitch)."""
    elevation_limits_rad: tuple[float, float] = (-0.5, 1.1)
    """Least and greatest elevation; what is drawn beyond them is clipped."""
    roll_rad: float = 0.35
    """Standard deviation of the camera's rotation about its optical axis."""
    distance: tuple[float, float] = (1.8, 8.0)
    """Least and greatest distance to the person, drawn log-uniformly; grows with the space the person crosses."""
    aim_rad: float = 0.08
    """Standard deviation of the person's angle from the optical axis, horizontally and vertically."""


def _uniform(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw uniformly from [low, high), on the generator's device."""
    return low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)


def _normal(mean: float, std: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw from a normal distribution, on the generator's device."""
    return mean + std * torch.randn(shape, generator=generator, device=generator.device)


def look_at(position: Tensor, target: Tensor, roll_rad: Tensor) -> Tensor:
    """Return the rotations of cameras at `position` that look at `target`, in a world with z up.

    Args:
        position: (B, 3) positions of the cameras in the world.
        target: (B, 3) points to look at, in the world; not straight above or below the camera.
        roll_rad: (B,) rotation about the optical axis.

    Returns:
        (B, 3, 3) rotations from world to camera axes.
    """
    forward = torch.nn.functional.normalize(target - position, dim=-1)
    up = torch.zeros_like(forward)
    up[:, 2] = 1
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up), dim=-1)
    down = torch.linalg.cross(forward, right)
    cos, sin = roll_rad.cos()[:, None], roll_rad.sin()[:, None]
    return torch.stack([cos * right + sin * down, cos * down - sin * right, forward], 1)


class View(NamedTuple):
    """What one camera sees of each window."""

    points: Tensor
    """(B, T, J, 3) metres, camera axes."""
    turn: Tensor
    """(B, 3, 3) rotation from camera axes to those of a camera at the same place that looks straight at the person. A
    lifter does not know where in the picture the person stands, so its output is in the latter axes."""
    up: Tensor
    """(B, 3) unit vector that points up, in the axes of the camera that looks straight at the person."""


def view(world: Tensor, root: int, config: CameraConfig, generator: torch.Generator) -> View:
    """View each window from a random camera of its own.

    Args:
        world: (B, T, J, 3) joints in the world, metres, z up.
        root: Index of the root joint.
        config: Ranges of the cameras.
        generator: Source of randomness, on the device of `world`.

    Returns:
        What the cameras see.
    """
    batch = len(world)
    centre = world[:, :, root].mean(1)
    crossed = ((world - centre[:, None, None]) ** 2).sum(-1).amax((1, 2)).sqrt()
    low, high = map(math.log, config.distance)
    distance = _uniform(low, high, (batch,), generator).exp() + (crossed - 1).clip(min=0)
    azimuth = _uniform(-torch.pi, torch.pi, (batch,), generator)
    elevation = _normal(*config.elevation_rad, (batch,), generator).clip(*config.elevation_limits_rad)
    flat = torch.stack([azimuth.cos(), azimuth.sin()], -1) * elevation.cos()[:, None]
    position = centre + distance[:, None] * torch.cat([flat, elevation.sin()[:, None]], -1)
    straight = look_at(position, centre, _normal(0, config.roll_rad, (batch,), generator))
    aim = _normal(0, config.aim_rad, (batch, 2), generator).clip(-3 * config.aim_rad, 3 * config.aim_rad)
    turn = _pan_and_tilt(aim)
    points = (world - position[:, None, None]).flatten(1, 2) @ (straight.transpose(1, 2) @ turn)
    return View(points.view_as(world), turn, straight[:, :, 2])


def _pan_and_tilt(aim_rad: Tensor) -> Tensor:
    """Return the rotations (B, 3, 3) by a pan and a tilt, (B, 2) radians."""
    (cp, ct), (sp, st) = aim_rad.cos().T, aim_rad.sin().T
    zero, one = torch.zeros_like(cp), torch.ones_like(cp)
    pan = torch.stack([cp, zero, sp, zero, one, zero, -sp, zero, cp], -1).view(-1, 3, 3)
    tilt = torch.stack([one, zero, zero, zero, ct, -st, zero, st, ct], -1).view(-1, 3, 3)
    return pan @ tilt


def project(points: Tensor) -> Tensor:
    """Project points in camera axes (*, 3) to the image plane at distance 1, (*, 2); depth < 0.1 m counts as 0.1."""
    return points[..., :2] / points[..., 2:].clip(min=0.1)
