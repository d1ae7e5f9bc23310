"""The calibrated cameras of the benchmark studios."""

import json
from dataclasses import dataclass
from importlib import resources

import numpy as np


@dataclass(frozen=True, eq=False)
class StudioCamera:
    """A camera where a benchmark had it for one subject."""

    name: str
    """The camera's name in its data set."""
    image_size: tuple[int, int]
    """(width, height) in pixels."""
    axes: np.ndarray
    """(3, 3) rotation, camera axes to world axes."""
    centre: np.ndarray
    """(3,) metres, where the camera stands in the world."""
    lens: "Lens | None" = None
    """How it projects; None where the data set's archives do not say."""

    def to_camera(self, world: np.ndarray) -> np.ndarray:
        """World points (*, 3) metres to camera axes (x right, y down, z forward) from the camera's centre."""
        return (world - self.centre) @ self.axes

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Camera-axes points (*, 3) metres to world points (*, 3)."""
        return points @ self.axes.T + self.centre


@dataclass(frozen=True, eq=False)
class Lens:
    """A projection in pixels with a benchmark's own distortion, which is not OpenCV's."""

    focal: np.ndarray
    """(2,) focal lengths in pixels."""
    middle: np.ndarray
    """(2,) principal point in pixels."""
    radial: np.ndarray
    """(3,) coefficients of r2, r4 and r6."""
    tangential: np.ndarray
    """(2,) coefficients of x and y; OpenCV's p2 and p1, without its factor of 2."""

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera-axes points (*, 3) to pixels (*, 2), as VideoPose3D makes Human3.6M's exact keypoints.

        Source: VideoPose3D common/camera.py, `project_to_2d`.
        """
        screen = (points[..., :2] / points[..., 2:]).clip(-1, 1)
        r2 = (screen**2).sum(-1, keepdims=True)
        scale = 1 + (r2 ** np.arange(1, len(self.radial) + 1) * self.radial).sum(-1, keepdims=True)
        scale = scale + (screen * self.tangential).sum(-1, keepdims=True)
        return (screen * scale + self.tangential * r2) * self.focal + self.middle


def matrix_from_wxyz(wxyz: np.ndarray) -> np.ndarray:
    """Rotation matrices (*, 3, 3) of quaternions (*, 4), scalar first, of any length but zero."""
    wxyz = np.asarray(wxyz, np.float64)
    w, x, y, z = np.moveaxis(wxyz / np.linalg.norm(wxyz, axis=-1, keepdims=True), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)


def studio_cameras(dataset: str) -> dict[str, tuple[StudioCamera, ...]]:
    """The cameras of each subject, in the order of the archives.

    Args:
        dataset: ``"h36m"`` or ``"humaneva"``; the numbers are in `poselift/data/<dataset>_cameras.json`.
    """
    text = (resources.files("poselift") / "data" / f"{dataset}_cameras.json").read_text(encoding="utf-8")
    data = json.loads(text)
    return {
        subject: tuple(
            StudioCamera(
                name=place["id"],
                image_size=(inner["res_w"], inner["res_h"]),
                axes=matrix_from_wxyz(place["orientation_wxyz"]),
                centre=np.array(place["translation_mm"]) / 1000,
                lens=_lens(inner),
            )
            for place, inner in zip(places, data["intrinsics"], strict=True)
        )
        for subject, places in data["extrinsics"].items()
    }


def _lens(intrinsics: dict) -> Lens | None:
    names = ("focal_length", "center", "radial_distortion", "tangential_distortion")
    return Lens(*(np.array(intrinsics[name]) for name in names)) if "focal_length" in intrinsics else None
