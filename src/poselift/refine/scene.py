"""The scene: one camera at rest, the people before it, and what was done to place them."""

from dataclasses import dataclass, field

import numpy as np

from poselift.geometry.camera import Camera
from poselift.refine.gravity import Ground
from poselift.refine.report import StepReport
from poselift.sequence import Poses3D, unit_vectors


@dataclass(frozen=True, eq=False)
class Report:
    """What was found and assumed, and what each step changed."""

    steps: tuple[StepReport, ...]
    """Of the scene first, then of each person."""
    values: dict[str, float] = field(default_factory=dict)
    """Numbers of the scene: each name ends in its unit."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what was guessed or is doubtful, each with the flag that decides it."""
        return tuple(warning for step in self.steps for warning in step.warnings)

    def __str__(self) -> str:
        """Return a line for each step."""
        return "\n".join(map(str, self.steps))


@dataclass(frozen=True, eq=False)
class Scene:
    """People of one clip in one world: z up, metres, the floor at 0, the origin under the first person's first place.

    x is to the right in the picture, y away from the camera.
    """

    camera: Camera
    """The camera that saw them, with its intrinsics and its place in the world."""
    people: tuple[Poses3D, ...]
    """Poses in the frame "world", each with its path and the camera; in the frame "camera", and without a path, where
    the camera moves."""
    report: Report
    """What was found, assumed and changed."""


def world_camera(ground: Ground, first: np.ndarray, seen_by: Camera) -> Camera:
    """Return the camera with its place in the world of a scene.

    Args:
        ground: The floor, in camera axes.
        first: (3,) metres, camera axes: the first person's first place.
        seen_by: The intrinsics.
    """
    forward = np.array([0.0, 0.0, 1.0])
    for ahead in (forward, np.array([0.0, -1.0, 0.0])):  # a camera that looks straight down has its own up instead
        flat = ahead - (ahead @ ground.up) * ground.up
        if np.linalg.norm(flat) > 0.1:
            break
    flat = unit_vectors(flat, forward)
    R = np.stack([np.cross(flat, ground.up), flat, ground.up], 1)
    origin = first - ground.above(first) * ground.up
    return Camera(R, origin, seen_by.K, seen_by.dist, seen_by.name, seen_by.image_size)
