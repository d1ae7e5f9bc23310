"""MoveNet MultiPose: where people are in a whole picture, each roughly as 17 keypoints.

The network is Google's movenet/multipose/lightning; its last part, which reads people from the maps, is written here:
so the number of people has no limit of six, and only the parts of the maps that show somebody are looked at.
Source: the graph of the TFLite file, whose constants these are. Differs: a joint's score is that of the person's own
weights, where the graph takes the highest of all people's.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poselift.detect.crops import Crop, cut, shrink
from poselift.detect.network import BUILD, Network
from poselift.errors import DetectionError

_STEP = 32
"""Sides of the pictures that the network takes are multiples of it."""
_CELL = 4
"""Pixels of the network's picture for each cell of its maps."""
_NEIGHBORS = 2
"""A person's centre is the hottest cell up to so many cells around it."""
_SPREAD = 0.3
"""Keypoints are looked for around where the centre expects them: weight exp(-d^2 / (0.3 shorter side)), in cells."""
_LEAST_KEYPOINT = 0.127
"""Scores of keypoints below are left out of a person's score."""
_MAPS = {"center": 1, "center_offset": 2, "box_size": 2, "joint": 17, "joint_offset": 34, "joint_regression": 34}
"""Outputs of the network and their channels; places are y, x."""


@dataclass(frozen=True, slots=True)
class Found:
    """People found in a picture, the surest first."""

    keypoints: np.ndarray
    """(P, 17, 3) float32: x and y in pixels, and the score, in the order of `COCO_17`."""
    scores: np.ndarray
    """(P,) float32: 0.08 at most in pictures of nobody, 0.2 to 0.7 for people."""


class MoveNet:
    """The network that finds people."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Open the network.

        Args:
            path: The `.onnx` file.
            threads: Number of threads that one call uses.

        Raises:
            DetectionError: The file is missing, broken or another network.
        """
        self._network = Network(path, tuple(_MAPS), threads=threads)
        channels = {name: shape[-1] for name, shape in self._network.shapes.items() if name in _MAPS}
        if channels != _MAPS or self._network.inputs != [("image", "tensor(uint8)")]:
            raise DetectionError(f"{path} is another network than MoveNet MultiPose; {BUILD} makes it")

    def __call__(self, rgb: np.ndarray, longest_px: int, *, least_score: float, most: int) -> Found:
        """Find people.

        Args:
            rgb: (H, W, 3) uint8 picture.
            longest_px: Longer side to which the picture is scaled; people of less than about 60 pixels are missed.
            least_score: Score below which a person is left out.
            most: Number of people at most.
        """
        picture, scale = _scaled(rgb, longest_px)
        maps = dict(zip(_MAPS, self._network(picture[None]), strict=True))
        keypoints, scores = _decoded({name: values[0] for name, values in maps.items()}, least_score, most)
        keypoints[..., :2] *= scale
        return Found(keypoints, scores)


def _scaled(rgb: np.ndarray, longest_px: int) -> tuple[np.ndarray, float]:
    """Return the scaled picture, with black edges as the network needs them, and the size of its pixels in `rgb`'s."""
    scale = max(rgb.shape[:2]) / longest_px
    height, width = (max(1, round(side / scale)) for side in rgb.shape[:2])
    small = shrink(rgb, max(1, min(int(scale), *rgb.shape[:2])))  # a row or column at least is left
    times = rgb.shape[1] / small.shape[1]
    side_px = width * scale / times
    # Middles of pixels fall on middles: column u shows (u + 0.5) * step - 0.5.
    shift = (scale / times - 1) / 2
    crop = Crop(side_px / 2 + shift, side_px * height / width / 2 + shift, side_px, 0.0)
    picture = np.zeros((-(-height // _STEP) * _STEP, -(-width // _STEP) * _STEP, 3), np.uint8)
    picture[:height, :width] = (cut(small, crop, height, width) + 0.5).astype(np.uint8)
    return picture, scale


def _decoded(maps: dict[str, np.ndarray], least_score: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return keypoints (P, 17, 3) in pixels of the network's picture, and scores (P,), the highest first."""
    found = []
    for row, column in _centers(maps["center"][..., 0], least_score, most):
        keypoints = _keypoints(maps, row, column)
        scores = keypoints[:, 2]
        counted = scores > _LEAST_KEYPOINT
        score = maps["center"][row, column, 0] * (scores * counted).sum() / max(counted.sum(), 1)
        if score >= least_score:
            found.append((float(score), keypoints))
    found.sort(key=lambda person: -person[0])
    keypoints = np.array([keypoints for _, keypoints in found], np.float32).reshape(-1, _MAPS["joint"], 3)
    return keypoints, np.array([score for score, _ in found], np.float32)


def _centers(heat: np.ndarray, least: float, most: int) -> np.ndarray:
    """Return row and column (N, 2) of the cells of at least `least` that are hottest around, the hottest first."""
    rows, columns = heat.shape
    padded = np.pad(heat, _NEIGHBORS, constant_values=-1)
    size = 2 * _NEIGHBORS + 1
    hottest = np.max([padded[i : i + rows, j : j + columns] for i in range(size) for j in range(size)], axis=0)
    peaks = np.argwhere((heat >= hottest - 1e-6) & (heat >= least))
    return peaks[np.argsort(-heat[tuple(peaks.T)], kind="stable")][:most]


def _keypoints(maps: dict[str, np.ndarray], row: int, column: int) -> np.ndarray:
    """Return the keypoints (17, 3) of the person whose centre is in a cell: x and y in pixels, score."""
    rows, columns = maps["center"].shape[:2]
    center = np.array([row, column]) + maps["center_offset"][row, column]
    half = maps["box_size"][row, column].clip(0) / 2
    low = np.ceil((center - half).clip(0)).astype(int)
    high = np.ceil((center + half).clip(0, [rows, columns])).astype(int)
    expected = maps["joint_regression"][row, column].reshape(-1, 2) + [row, column]
    if (high <= low).any():
        return np.concatenate([expected[:, ::-1] * _CELL, np.zeros((len(expected), 1))], 1)
    box = slice(low[0], high[0]), slice(low[1], high[1])
    away = (
        np.square(np.arange(low[0], high[0])[:, None, None] - expected[:, 0]),
        np.square(np.arange(low[1], high[1])[None, :, None] - expected[:, 1]),
    )
    heat = maps["joint"][box] * np.exp((away[0] + away[1]) / (-_SPREAD * min(rows, columns)))  # (h, w, 17)
    best = heat.reshape(-1, heat.shape[-1]).argmax(0)
    y, x = np.unravel_index(best, heat.shape[:2])
    joint = np.arange(len(expected))
    scores = heat[y, x, joint]
    y, x = y + low[0], x + low[1]
    offsets = maps["joint_offset"].reshape(rows, columns, -1, 2)[y, x, joint]
    return np.stack([(x + offsets[:, 1]) * _CELL, (y + offsets[:, 0]) * _CELL, scores], -1)
