"""Pinhole cameras in OpenCV's convention: x right, y down, z forward; pixel centres at integer coordinates.

The functions take numpy arrays with any leading axes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from poselift.errors import FormatError, ShapeError, did_you_mean


@dataclass(frozen=True, eq=False)
class StudioDistortion:
    """Distortion of the lenses of the Human3.6M studio, which is not OpenCV's model.

    Source: VideoPose3D common/camera.py, `project_to_2d`.
    """

    radial: np.ndarray
    """(3,) coefficients of r2, r4 and r6."""
    tangential: np.ndarray
    """(2,) coefficients of x and y; OpenCV's p2 and p1, without its factor of 2."""

    def __post_init__(self) -> None:
        """Check the shapes."""
        _store(self, "radial", (3,))
        _store(self, "tangential", (2,))

    def bend(self, screen: np.ndarray) -> np.ndarray:
        """Distort slopes (*, 2); they are first cut to [-1, 1], beyond which the polynomial grows without bounds."""
        screen = screen.clip(-1, 1)
        r2 = (screen**2).sum(-1, keepdims=True)
        scale = 1 + (r2 ** np.arange(1, 4) * self.radial).sum(-1, keepdims=True)
        scale = scale + (screen * self.tangential).sum(-1, keepdims=True)
        return screen * scale + self.tangential * r2


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera, optionally with a lens that distorts.

    A world point X (metres) is at `R @ X + t` in the camera's axes.
    """

    R: np.ndarray
    """(3, 3) rotation, world to camera."""
    t: np.ndarray
    """(3,) metres: the world's origin seen from the camera."""
    K: np.ndarray | None
    """(3, 3) intrinsics in pixels; None where they are not known, and the camera cannot project."""
    dist: np.ndarray | StudioDistortion | None = None
    """OpenCV's distortion, (4,) or (5,): k1, k2, p1, p2[, k3]; or that of a studio; None for a lens without any."""
    name: str = ""
    """Name of the camera."""
    image_size: tuple[int, int] | None = None
    """(width, height) of the picture in pixels; None when unknown."""

    def __post_init__(self) -> None:
        """Check the shapes and that R is a rotation."""
        _store(self, "R", (3, 3))
        _store(self, "t", (3,))
        if self.K is not None:
            _store(self, "K", (3, 3))
            if min(self.K[0, 0], self.K[1, 1]) <= 0:
                raise ShapeError(f"wanted positive focal lengths in camera K, got {self.K[0, 0]} and {self.K[1, 1]}")
        if self.dist is not None and not isinstance(self.dist, StudioDistortion):
            _store(self, "dist", (4,), (5,))
        if not np.allclose(self.R @ self.R.T, np.eye(3), atol=1e-4) or np.linalg.det(self.R) < 0:
            raise ShapeError("camera R is not a rotation (orthonormal with determinant 1)")
        if self.image_size is not None:
            width, height = self.image_size
            if min(width, height) <= 0:
                raise ShapeError(f"wanted a positive image size (width, height), got {self.image_size}")
            object.__setattr__(self, "image_size", (int(width), int(height)))

    @classmethod
    def from_focal(cls, focal_px: float, image_size: tuple[int, int]) -> "Camera":
        """Make a camera at the world's origin that looks along z, its principal point in the middle of the picture.

        Args:
            focal_px: Focal length in pixels.
            image_size: (width, height) in pixels. The middle is ((width - 1) / 2, (height - 1) / 2), as the centres of
                pixels are at integers.

        Raises:
            ShapeError: One of them is not positive.
        """
        width, height = image_size
        K = np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1]])
        return cls(np.eye(3), np.zeros(3), K, image_size=image_size)

    @property
    def centre(self) -> np.ndarray:
        """(3,) metres: position of the camera in the world."""
        return -self.t @ self.R

    def to_camera(self, world: np.ndarray) -> np.ndarray:
        """Turn world points (*, 3), metres, into camera axes (*, 3)."""
        return world @ self.R.T + self.t

    def to_world(self, camera: np.ndarray) -> np.ndarray:
        """Turn points in camera axes (*, 3), metres, into world points (*, 3)."""
        return (camera - self.t) @ self.R

    def project(self, world: np.ndarray) -> np.ndarray:
        """Project world points (*, 3), metres, to pixels (*, 2); NaN for points that are not in front of the camera.

        Raises:
            ShapeError: The intrinsics are not known.
        """
        return self.pixels(self.to_camera(np.asarray(world, np.float64)))

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Project points in camera axes (*, 3), metres, to pixels (*, 2), as `project` does."""
        K = self._intrinsics()
        points = np.asarray(points, np.float64)
        screen = points[..., :2] / np.where(points[..., 2:] > 1e-6, points[..., 2:], np.nan)
        return self._distort(screen) @ K[:2, :2].T + K[:2, 2]

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Turn pixels (*, 2) into directions (*, 3) in camera axes, with z = 1.

        Raises:
            ShapeError: The intrinsics are not known.
        """
        K = self._intrinsics()
        distorted = (np.asarray(pixels, np.float64) - K[:2, 2]) @ np.linalg.inv(K[:2, :2]).T
        screen = distorted
        for _ in range(20 if self.dist is not None else 0):  # fixed point; lenses here converge in under ten steps
            screen = screen + distorted - self._distort(screen)
        return np.concatenate([screen, np.ones_like(screen[..., :1])], -1)

    def as_json(self) -> dict[str, Any]:
        """Return the camera as numbers, lists and strings for JSON; `from_json` reads it back."""
        dist: Any = self.dist
        if isinstance(dist, StudioDistortion):
            dist = {"radial": dist.radial.tolist(), "tangential": dist.tangential.tolist()}
        return {
            "R": self.R.tolist(),
            "t": self.t.tolist(),
            "K": None if self.K is None else self.K.tolist(),
            "dist": dist.tolist() if isinstance(dist, np.ndarray) else dist,
            "name": self.name,
            "image_size": None if self.image_size is None else list(self.image_size),
        }

    @classmethod
    def from_json(cls, content: object) -> "Camera":
        """Make a camera from what `as_json` returned.

        Raises:
            FormatError: A key is missing or unknown, or a value is not what it should be.
        """
        camera = _keys(content, [field.name for field in fields(cls)], "camera")
        dist, name, size = camera["dist"], camera["name"], camera["image_size"]
        if isinstance(dist, Mapping):
            _keys(dist, [field.name for field in fields(StudioDistortion)], "dist of a camera")
        if not isinstance(name, str):
            raise FormatError(f"wanted a text as the camera's name, got {name!r}")
        if size is not None and not (isinstance(size, list) and [type(side) for side in size] == [int, int]):
            raise FormatError(f"wanted the camera's image_size as [width, height] in whole pixels, got {size!r}")
        try:
            lens = StudioDistortion(**dist) if isinstance(dist, Mapping) else dist
            return cls(camera["R"], camera["t"], camera["K"], lens, name, None if size is None else (size[0], size[1]))
        except ShapeError as error:
            raise FormatError(f"this is no camera: {error}") from error

    def _intrinsics(self) -> np.ndarray:
        if self.K is None:
            raise ShapeError(f"camera {self.name} has no intrinsics K, so nothing can be projected; give it some")
        return self.K

    def _distort(self, screen: np.ndarray) -> np.ndarray:
        if self.dist is None:
            return screen
        if isinstance(self.dist, StudioDistortion):
            return self.dist.bend(screen)
        k1, k2, p1, p2, k3 = (*self.dist, 0.0)[:5]
        x, y = screen[..., 0], screen[..., 1]
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        tangential = (2 * p1 * x * y + p2 * (r2 + 2 * x * x), p1 * (r2 + 2 * y * y) + 2 * p2 * x * y)
        return np.stack([x * radial + tangential[0], y * radial + tangential[1]], -1)


def look_at(position: np.ndarray, target: np.ndarray, roll_rad: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return rotation and translation of a camera at `position` that looks at `target`, with the world's z up.

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


def _store(owner: Camera | StudioDistortion, name: str, *shapes: tuple[int, ...]) -> None:
    """Store a field of a frozen camera as float64; check that it has one of the shapes and finite numbers."""
    try:
        value = np.asarray(getattr(owner, name))
    except ValueError as error:  # lists of unequal length
        raise ShapeError(f"wanted camera {name} of shape {' or '.join(map(str, shapes))} ({error})") from error
    if value.shape not in shapes or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
        raise ShapeError(
            f"wanted camera {name} of shape {' or '.join(map(str, shapes))}, all finite numbers; "
            f"got {value.dtype} of shape {value.shape}"
        )
    object.__setattr__(owner, name, value.astype(np.float64))


def _keys(content: object, wanted: list[str], what: str) -> Mapping[str, Any]:
    """Return a JSON object after checking that it has exactly these keys."""
    if not isinstance(content, Mapping):
        raise FormatError(f"wanted a {what} as an object with {', '.join(wanted)}, got {content!r:.80}")
    if unknown := [key for key in content if key not in wanted]:
        raise FormatError(f"unknown key {unknown[0]!r} in a {what}; {did_you_mean(str(unknown[0]), wanted)}")
    if missing := [key for key in wanted if key not in content]:
        raise FormatError(f"a {what} lacks {', '.join(missing)}; wanted {', '.join(wanted)}")
    return content
