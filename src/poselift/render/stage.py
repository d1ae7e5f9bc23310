"""The view from the side: people on a floor, seen from far away so that lengths can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poselift.geometry.rotation import shortest_arc
from poselift.render.placement import SHOWN_PROBABILITY
from poselift.sequence import WORLD, Poses3D

PITCH_RAD = np.deg2rad(8.0)
"""The floor is seen from a little above."""
GRID_M = 0.5
_HALF_GRID = 6
_LOWEST = 2.0
"""The floor is where this percentage of the frames have their lowest joint, or lower."""
_ANKLE_M = 0.08
"""Height of an ankle above the sole, for skeletons without feet."""
_SPACE_M = 1.0
"""Distance of people whose places are not known."""
_MARGIN = 1.15
_FOLLOW_S = 1.0


@dataclass(frozen=True, eq=False)
class Stage:
    """Everyone in the axes of a view: x right, y up, z towards the viewer; metres."""

    people: tuple[np.ndarray, ...]
    """(T, J, 3) joints of each person."""
    radii: tuple[np.ndarray | None, ...]
    """(T, J) metres within which each joint lies with a probability of 50 %."""
    centre: np.ndarray
    """(T, 3) point that stands in the middle of the view."""
    floor: float
    """Height of the floor."""
    height: float
    """Metres that the view shows from top to bottom."""
    placed: bool
    """Whether the people stand where they were; else beside each other."""

    def screen(self, points: np.ndarray, frame: int, size: tuple[int, int]) -> np.ndarray:
        """Return pixels (*, 2) of points (*, 3) in a panel of (width, height) pixels."""
        cos, sin = np.cos(PITCH_RAD), np.sin(PITCH_RAD)
        x, y, z = np.moveaxis(points - self.centre[frame], -1, 0)
        scale = size[1] / self.height
        return np.stack([size[0] / 2 + scale * x, size[1] / 2 - scale * (y * cos - z * sin)], -1)

    def grid(self, frame: int) -> np.ndarray:
        """Return the ends (N, 2, 3) of the lines of the floor's grid around the middle of the view."""
        middle = np.round(self.centre[frame] / GRID_M) * GRID_M
        along = GRID_M * np.arange(-_HALF_GRID, _HALF_GRID + 1)
        end = along[-1]
        lines = [[(at, -end), (at, end)] for at in along] + [[(-end, at), (end, at)] for at in along]
        flat = np.array(lines)
        return np.stack([flat[..., 0] + middle[0], np.full(flat.shape[:2], self.floor), flat[..., 1] + middle[2]], -1)


def set_stage(people: Sequence[Poses3D], yaw_rad: float) -> Stage:
    """Return the stage of people over the same frames.

    Args:
        people: Their poses.
        yaw_rad: Turn of the viewer about the vertical: 0 looks as the camera does, 90 degrees from its right.
    """
    placed = all(poses.path is not None for poses in people)
    turned = _yaw(yaw_rad)
    points = []
    for number, poses in enumerate(people):
        upright = _upright(poses)
        xyz = poses.xyz + poses.path[:, None] if placed and poses.path is not None else poses.xyz
        seen = poses.y_up(xyz) @ upright.T @ turned.T
        if not placed:
            seen = seen + (_SPACE_M * (number - (len(people) - 1) / 2), 0, 0)
        points.append(seen)
    lowest = np.concatenate([seen[..., 1].min(1) - _sole(poses) for seen, poses in zip(points, people, strict=True)])
    floor = float(np.percentile(lowest, _LOWEST))
    top = float(np.percentile(np.concatenate([seen[..., 1].max(1) for seen in points]), 99))
    roots = np.stack([seen[:, poses.skeleton.root] for seen, poses in zip(points, people, strict=True)])
    centre = _smooth(roots.mean(0), max(1, round(_FOLLOW_S * people[0].fps)))
    centre[:, 1] = (top + floor) / 2
    aside = max(float(np.abs(seen[..., 0] - centre[:, None, 0]).max()) for seen in points)
    height = _MARGIN * max(top - floor, 1.0, 2 * aside)
    return Stage(
        tuple(points), tuple(poses.radius(SHOWN_PROBABILITY) for poses in people), centre, floor, height, placed
    )


def _upright(poses: Poses3D) -> np.ndarray:
    """Return the rotation (3, 3) from axes with y up, as `y_up` gives, to those with y along gravity, if known."""
    if poses.frame == WORLD:
        if poses.camera is None:
            return np.eye(3)
        ahead = poses.y_up(poses.camera.R[2])  # the camera's optical axis
        return _yaw(float(np.arctan2(-ahead[0], -ahead[2])))
    if poses.up is None:
        return np.eye(3)
    up = poses.y_up(poses.up).mean(0)
    return shortest_arc(up / np.linalg.norm(up), np.array([0.0, 1.0, 0.0]))


def _yaw(angle_rad: float) -> np.ndarray:
    """Return the rotation (3, 3) of points into the view of a viewer who has gone around to the right."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])


def _sole(poses: Poses3D) -> float:
    return 0.0 if any(joint.endswith("heel") for joint in poses.skeleton.joints) else _ANKLE_M


def _smooth(path: np.ndarray, width: int) -> np.ndarray:
    """Return the running mean of (T, 3)."""
    width = min(width | 1, len(path) - 1 + len(path) % 2)
    padded = np.pad(path, ((width // 2, width // 2), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, width, axis=0).mean(-1)
