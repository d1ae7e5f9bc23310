"""BlazePose: the 33 landmarks of one person in a crop of that person's own.

Source: Bazarevsky et al. 2020, "BlazePose: On-device Real-time Body Pose Tracking"; the network is MediaPipe's, and
what surrounds it follows MediaPipe's graph `pose_landmark_by_roi_cpu` (mediapipe 0.10.21).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poselift.detect.crops import Crop, cut
from poselift.detect.network import BUILD, Network
from poselift.errors import DetectionError

SIDE_PX = 256
"""Side of the picture that the network takes."""
HIPS, TOP = 33, 34
"""Landmarks of which the next crop is made: the middle of the hips, and a point that gives size and direction."""
_LANDMARKS, _MAP_SIDE = 39, 64
_WINDOW = 3
"""A landmark is refined from the heat map up to so many cells around it."""
_LEAST_HEAT = 0.5


@dataclass(frozen=True, slots=True)
class Landmarks:
    """What the network sees in P crops."""

    points: np.ndarray
    """(P, 39, 3) float32: x and y in pixels of the picture, visibility from 0 to 1. The first 33 are the body's, two
    give the next crop, and four are not used."""
    presence: np.ndarray
    """(P,) probability that the crop shows a person."""


class BlazePose:
    """The landmark network."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Open the network.

        Args:
            path: The `.onnx` file of BlazePose lite, full or heavy.
            threads: Number of threads that one call uses.

        Raises:
            DetectionError: The file is missing, broken or another network.
        """
        self._network = Network(path, ("landmarks", "presence", "heatmap"), threads=threads)
        wanted = {
            "image": [SIDE_PX, SIDE_PX, 3],
            "landmarks": [_LANDMARKS * 5],
            "presence": [1],
            "heatmap": [_MAP_SIDE, _MAP_SIDE, _LANDMARKS],
        }
        found = {name: shape[1:] for name, shape in self._network.shapes.items() if name in wanted}
        one_picture = [("image", "tensor(float)")]
        if found != wanted or self._network.inputs != one_picture or isinstance(self._network.shapes["image"][0], int):
            shapes = ", ".join(f"{name} {shape}" for name, shape in self._network.shapes.items())
            raise DetectionError(
                f"{path} is another network than BlazePose's landmarks: it has {shapes[:500]}; {BUILD} makes "
                "blazepose_lite.onnx, blazepose_full.onnx and blazepose_heavy.onnx"
            )

    def __call__(self, rgb: np.ndarray, crops: Sequence[Crop]) -> Landmarks:
        """Find the landmarks of the person in each crop, all in one call of the network.

        Args:
            rgb: (H, W, 3) uint8 picture.
            crops: One for each of P people.
        """
        if not crops:
            return Landmarks(np.zeros((0, _LANDMARKS, 3), np.float32), np.zeros(0, np.float32))
        pictures = np.stack([cut(rgb, crop, SIDE_PX, SIDE_PX) for crop in crops])
        pictures *= np.float32(1 / 255)
        raw, presence, heat = self._network(pictures)
        raw = raw.reshape(len(crops), _LANDMARKS, 5)
        places = _refined(raw[..., :2] / SIDE_PX, heat)
        points = np.empty((len(crops), _LANDMARKS, 3), np.float32)
        for person, crop in enumerate(crops):
            points[person, :, :2] = crop.to_picture(places[person])
        points[..., 2] = sigmoid(raw[..., 3])
        return Landmarks(points, presence.reshape(-1))


def _refined(places: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return landmarks (P, L, 2) in shares of the crop's side, moved to the middle of the heat around them.

    Those outside the crop, and those without a cell of at least `_LEAST_HEAT` nearby, stay where they are. Source:
    MediaPipe's `refine_landmarks_from_heatmap_calculator.cc`, whose cells also count from their corner.

    Args:
        places: (P, L, 2) x and y as the network gives them.
        heat: (P, S, S, L) logits by row, column and landmark.
    """
    side = heat.shape[1]
    column, row = np.moveaxis((places * side).astype(int), -1, 0)  # toward zero, as MediaPipe does
    inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
    around = np.arange(-_WINDOW, _WINDOW + 1)
    rows, columns = row[..., None] + around, column[..., None] + around  # (P, L, 7)
    person, landmark = np.ogrid[: places.shape[0], : places.shape[1]]
    window = heat[
        person[..., None, None],
        rows.clip(0, side - 1)[..., :, None],
        columns.clip(0, side - 1)[..., None, :],
        landmark[..., None, None],
    ]  # (P, L, 7, 7)
    exists = ((rows >= 0) & (rows < side))[..., :, None] & ((columns >= 0) & (columns < side))[..., None, :]
    warm = np.where(exists, sigmoid(window), 0)
    total = warm.sum((-2, -1))
    moved = inside & (warm.max((-2, -1)) >= _LEAST_HEAT)
    middle = np.stack([(warm.sum(-2) * columns).sum(-1), (warm.sum(-1) * rows).sum(-1)], -1)
    return np.where(moved[..., None], middle / (side * np.where(moved, total, 1))[..., None], places)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return probabilities from logits."""
    return 1 / (1 + np.exp(-logits.clip(-80, 80)))
