"""What the path of a person's root should satisfy: small cost terms, each an error with its Jacobian.

The unknown is the path, (T, 3) metres in the axes of a camera at rest. A term has M blocks of G groups of E numbers;
block m depends on the frames m, m + 1, ... only, so that all terms together give a banded system however long the clip
is (`poselift.refine.path`). Every error is divided by the size that is expected of it (its `unit` before that), so that
terms can be added, and an error of 1 is an ordinary one. A group, such as one joint in one frame, may be an outlier:
with a `tail`, its cost grows with the logarithm of its square beyond that many ordinary errors (Cauchy's cost).

The style, one small class a cost with its mathematics in the docstring, is that of `mink` by K. Zakka.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

NEAREST_M = 0.1
"""Depth below which no joint is taken to be, so that projections stay finite."""


class Term(Protocol):
    """A part of the cost."""

    @property
    def unit(self) -> str:
        """Unit of the error before it is divided by the size expected."""

    @property
    def tail(self) -> float | None:
        """Errors from which on a group counts as an outlier, in ordinary errors; None where there are no outliers."""

    def error(self, path: np.ndarray) -> np.ndarray:
        """Return the errors (M, G, E), in ordinary errors, of a path (T, 3)."""

    def jacobian(self, path: np.ndarray) -> list[np.ndarray]:
        """Return the derivatives by the frames m, m + 1, ...: a list of arrays (M, G, E, 3)."""


@dataclass(frozen=True, eq=False)
class Reprojection:
    """A joint is seen where the camera projects it.

    With the root at p and a joint at q = p + x from the camera, of focal lengths f and principal point c,

        error = (f * q_xy / q_z + c - uv) / size
        d error / d p = f / q_z * [[1, 0, -q_x / q_z], [0, 1, -q_y / q_z]] / size

    This is the distance in pixels itself. The linear form f * q_xy - (uv - c) * q_z = 0 multiplies the noise of uv by
    the unknown depth, so that small depths look better, and pulls the person in.
    """

    joints: np.ndarray
    """x: (T, J, 3) metres, relative to the root, camera axes."""
    pixels: np.ndarray
    """uv: (T, J, 2) pixels without distortion; any finite numbers where unseen."""
    size: np.ndarray
    """(T, J) pixels; infinite where unseen."""
    K: np.ndarray
    """(3, 3) intrinsics."""
    tail: float | None = 2.0
    unit: str = "px"

    def error(self, path: np.ndarray) -> np.ndarray:
        """Return (T, J, 2)."""
        there = path[:, None] + self.joints
        screen = there[..., :2] / there[..., 2:].clip(NEAREST_M)
        return (screen @ self.K[:2, :2].T + self.K[:2, 2] - self.pixels) / self.size[..., None]

    def jacobian(self, path: np.ndarray) -> list[np.ndarray]:
        """Return one array (T, J, 2, 3)."""
        there = path[:, None] + self.joints
        depth = there[..., 2:].clip(NEAREST_M)
        by_screen = np.zeros((*there.shape[:2], 2, 3))
        by_screen[..., 0, 0] = by_screen[..., 1, 1] = 1
        by_screen[..., 2] = np.where(there[..., 2:] > NEAREST_M, -there[..., :2] / depth, 0)
        return [self.K[:2, :2] @ by_screen / (depth * self.size[..., None])[..., None]]


@dataclass(frozen=True, eq=False)
class Smoothness:
    """The root speeds up and slows down as bodies do.

        error = (p[m] - 2 p[m + 1] + p[m + 2]) * fps**2 / size

    Jumps and falls stay what they are where the keypoints show them, which they do across the ray. Gravity is not in
    it: in the air the acceleration is g, and whether it is, is a check of the result. It has no tail: with one, whole
    stretches in which little is seen become outliers (motion capture, detector errors: 196 mm where this has 172).
    """

    fps: float
    """Frames per second."""
    size: float
    """m/s²."""
    tail: float | None = None
    unit: str = "m/s²"

    def error(self, path: np.ndarray) -> np.ndarray:
        """Return (T - 2, 1, 3)."""
        return (np.diff(path, 2, axis=0) * (self.fps**2 / self.size))[:, None]

    def jacobian(self, path: np.ndarray) -> list[np.ndarray]:
        """Return three arrays (T - 2, 1, 3, 3)."""
        unit = np.broadcast_to(np.eye(3) * (self.fps**2 / self.size), (max(len(path) - 2, 0), 1, 3, 3))
        return [unit, -2 * unit, unit]


@dataclass(frozen=True, eq=False)
class Planted:
    """A point of a foot that stands on the ground does not move.

    With the point at x from the root,

        error = (p[m + 1] + x[m + 1] - p[m] - x[m]) * fps / size
    """

    points: np.ndarray
    """x: (T, P, 3) metres, relative to the root, camera axes."""
    size: np.ndarray
    """(T - 1, P) m/s; infinite where the point is not planted in both frames."""
    fps: float
    """Frames per second."""
    tail: float | None = 3.0
    unit: str = "m/s"

    def error(self, path: np.ndarray) -> np.ndarray:
        """Return (T - 1, P, 3)."""
        return np.diff(path[:, None] + self.points, axis=0) * self.fps / self.size[..., None]

    def jacobian(self, path: np.ndarray) -> list[np.ndarray]:
        """Return two arrays (T - 1, P, 3, 3)."""
        moved = np.eye(3) * (self.fps / self.size)[..., None, None]
        return [-moved, moved]


@dataclass(frozen=True, eq=False)
class OnFloor:
    """A point of a foot that stands on the ground is at the floor's height: it does not sink, and does not float.

    With the point at x from the root, the floor's unit normal n and the height h at which the point then is above it,

        error = (n . (p + x) - floor - h) / size
        d error / d p = n / size
    """

    points: np.ndarray
    """x: (T, P, 3) metres, relative to the root, camera axes."""
    size: np.ndarray
    """(T, P) metres; infinite where the point does not stand."""
    up: np.ndarray
    """n: (3,) of length 1, camera axes."""
    floor: float
    """Height of the floor along n, from the camera, metres."""
    heights: np.ndarray
    """h: (P,) metres."""
    tail: float | None = 3.0
    unit: str = "m"

    def error(self, path: np.ndarray) -> np.ndarray:
        """Return (T, P, 1)."""
        return (((path[:, None] + self.points) @ self.up - self.floor - self.heights) / self.size)[..., None]

    def jacobian(self, path: np.ndarray) -> list[np.ndarray]:
        """Return one array (T, P, 1, 3)."""
        return [self.up / self.size[..., None, None]]
