"""Pinhole cameras in OpenCV's convention: x right, y down, z forward; pixel centres at integer coordinates.

The functions take numpy arrays with any leading axes.
"""

from dataclasses import dataclass

import numpy as np

from poselift.errors import ShapeError


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera, optionally with OpenCV's lens distortion.

    A world point X (metres) is at `R @ X + t` in the camera's axes.
    """

    R: np.ndarray
    """(3, 3) rotation, world to camera."""
    t: np.ndarray
    """(3,) metres: the world's origin seen from the camera."""
    K: np.ndarray
    """(3, 3) intrinsics in pixels."""
    dist: np.ndarray | None = None
    """(4,) or (5,) distortion k1, k2, p1, p2[, k3]; None for none."""

    def __post_init__(self) -> None:
        """Check the shapes and that R is a rotation."""
        for name, shape in (("R", (3, 3)), ("t", (3,)), ("K", (3, 3))):
            value = np.asarray(getattr(self, name), np.float64)
            if value.shape != shape:
                raise ShapeError(f"wanted camera {name} of shape {shape}, got {value.shape}")
            object.__setattr__(self, name, value)
        if self.dist is not None and np.shape(self.dist) not in ((4,), (5,)):
            raise ShapeError(f"wanted camera distortion k1, k2, p1, p2[, k3], got shape {np.shape(self.dist)}")
        if not np.allclose(self.R @ self.R.T, np.eye(3), atol=1e-4) or np.linalg.det(self.R) < 0:
            raise ShapeError("camera R is not a rotation (orthonormal with determinant 1)")

    def to_camera(self, world: np.ndarray) -> np.ndarray:
        """World points (*, 3) metres to camera axes (*, 3) metres."""
        return world @ self.R.T + self.t

    def to_world(self, camera: np.ndarray) -> np.ndarray:
        """Camera-axes points (*, 3) metres to world points (*, 3) metres."""
        return (camera - self.t) @ self.R

    def project(self, world: np.ndarray) -> np.ndarray:
        """World points (*, 3) metres to pixels (*, 2); NaN for points that are not in front of the camera."""
        points = self.to_camera(np.asarray(world, np.float64))
        depth = np.where(points[..., 2:] > 1e-6, points[..., 2:], np.nan)
        screen = points[..., :2] / depth
        return self._distort(screen) @ self.K[:2, :2].T + self.K[:2, 2]

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (*, 2) to directions (*, 3) in camera axes with z = 1."""
        distorted = (np.asarray(pixels, np.float64) - self.K[:2, 2]) @ np.linalg.inv(self.K[:2, :2]).T
        screen = distorted
        for _ in range(20 if self.dist is not None else 0):  # fixed point; lenses here converge in under ten steps
            screen = screen + distorted - self._distort(screen)
        return np.concatenate([screen, np.ones_like(screen[..., :1])], -1)

    def _distort(self, screen: np.ndarray) -> np.ndarray:
        if self.dist is None:
            return screen
        k1, k2, p1, p2, k3 = (*np.ravel(self.dist), 0.0)[:5]
        x, y = screen[..., 0], screen[..., 1]
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        tangential = (2 * p1 * x * y + p2 * (r2 + 2 * x * x), p1 * (r2 + 2 * y * y) + 2 * p2 * x * y)
        return np.stack([x * radial + tangential[0], y * radial + tangential[1]], -1)


def look_at(position: np.ndarray, target: np.ndarray, roll_rad: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and translation of a camera at `position` that looks at `target`, world z up.

    Args:
        position: (3,) metres.
        target: (3,) metres, not straight above or below the camera.
        roll_rad: Turn of the camera about its optical axis.

    Returns:
        R (3, 3) world to camera, and t (3,).

    Raises:
        ShapeError: Position and target coincide or lie on one vertical line.
    """
    forward = np.asarray(target, np.float64) - position
    right = np.cross(forward, [0.0, 0.0, 1.0])
    if np.linalg.norm(right) < 1e-9:
        raise ShapeError("look_at needs a target that is not straight above, below or at the camera")
    forward, right = forward / np.linalg.norm(forward), right / np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    rotation = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ np.stack([right, down, forward])
    return rotation, -rotation @ position
