"""Square, turned crops of a picture, and how one follows a person from frame to frame.

A crop is what BlazePose looks at: 2.5 times the distance from the middle of the hips to a second point, which tells how
large the person is and which way up (MediaPipe's graph `pose_landmarks_to_roi`).
"""

import math
from dataclasses import dataclass

import numpy as np

_REACH = 2.5
"""Side of a crop, in distances from the middle of the hips to the point that tells the person's size."""
_ROWS = 64
"""Rows sampled at a time: what is computed for them stays in the processor's cache."""
_LOWEST_CUTOFF_HZ, _SLOPE, _SPEED_CUTOFF_HZ = 0.01, 10.0, 1.0
"""MediaPipe's filter of the two points (`pose_landmark_filtering`): one that stands still keeps the crop still."""
_FRAMES_A_SECOND = 30.0


@dataclass(frozen=True, slots=True)
class Crop:
    """A square part of a picture, turned about its centre."""

    x_px: float
    """Column of the centre; the left edge of the picture is 0."""
    y_px: float
    """Row of the centre; the upper edge is 0."""
    side_px: float
    """Length of a side."""
    angle_rad: float
    """Angle by which the crop is turned clockwise, as the picture is seen."""

    @classmethod
    def of_points(cls, hips: np.ndarray, top: np.ndarray) -> "Crop":
        """Make the crop of a person.

        Args:
            hips: (2,) pixels of the middle of the hips, which becomes the centre.
            top: (2,) pixels of the point that lies straight above the centre in the crop.
        """
        x, y = (float(value) for value in np.subtract(top, hips))
        return cls(float(hips[0]), float(hips[1]), _REACH * math.hypot(x, y), math.atan2(x, -y))

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Return points (..., 2) in pixels of the picture, from shares of the crop's side: (0, 0) is its corner."""
        cos, sin = math.cos(self.angle_rad) * self.side_px, math.sin(self.angle_rad) * self.side_px
        x, y = points[..., 0] - 0.5, points[..., 1] - 0.5
        return np.stack([self.x_px + x * cos - y * sin, self.y_px + x * sin + y * cos], -1)

    def meets(self, width: int, height: int) -> bool:
        """Return whether the crop's centre is in or near a picture, and its side a sensible one."""
        near = (-self.side_px < self.x_px < width + self.side_px) and (
            -self.side_px < self.y_px < height + self.side_px
        )
        return near and 1 <= self.side_px <= 8 * max(width, height)


def cut(rgb: np.ndarray, crop: Crop, height: int, width: int) -> np.ndarray:
    """Sample a crop by bilinear interpolation; beyond the picture its border goes on.

    Args:
        rgb: (H, W, 3) uint8 picture.
        crop: The part to sample; `crop.side_px` is its width, and its height is in proportion.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        (height, width, 3) float32 from 0 to 255. Column u shows what is at u / width of the crop's width: the first one
        shows its edge.
    """
    rgb = _at_least_two(rgb)
    rows, columns = rgb.shape[:2]
    cos, sin = (np.float32(turn(crop.angle_rad) * crop.side_px) for turn in (math.cos, math.sin))
    along = np.arange(width, dtype=np.float32) / width - np.float32(0.5)
    down = ((np.arange(height, dtype=np.float32) / height - np.float32(0.5)) * np.float32(height / width))[:, None]
    x_along, y_along = np.float32(crop.x_px) + along * cos, np.float32(crop.y_px) + along * sin
    out = np.empty((height, width, 3), np.float32)
    for start in range(0, height, _ROWS):
        part = down[start : start + _ROWS]
        x = (x_along - part * sin).clip(0, columns - 1)
        y = (y_along + part * cos).clip(0, rows - 1)
        _interpolate(rgb, x, y, out[start : start + _ROWS])
    return out


def _interpolate(rgb: np.ndarray, x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    """Write into `out` (h, w, 3) the picture at the places x and y (h, w), which lie in it."""
    rows, columns = rgb.shape[:2]
    left = np.minimum(x.astype(np.intp), columns - 2)
    upper = np.minimum(y.astype(np.intp), rows - 2)
    x, y = x - left.astype(np.float32), y - upper.astype(np.float32)
    place = (upper * columns + left) * 3
    values = rgb.reshape(-1)
    for channel in range(3):
        corners = (channel, channel + 3, channel + 3 * columns, channel + 3 * columns + 3)
        a, b, c, d = (values[corner:].take(place, mode="clip") for corner in corners)  # clip: numpy's fastest way
        above = np.subtract(b, a, dtype=np.float32)
        above *= x
        above += a
        below = np.subtract(d, c, dtype=np.float32)
        below *= x
        below += c
        below -= above
        below *= y
        np.add(above, below, out=out[..., channel])


def _at_least_two(rgb: np.ndarray) -> np.ndarray:
    """Return a contiguous picture of two rows and columns or more, whose border is repeated where it has one."""
    rows, columns = rgb.shape[:2]
    if min(rows, columns) < 2:
        rgb = np.pad(rgb, ((0, rows < 2), (0, columns < 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(rgb)


def shrink(rgb: np.ndarray, times: int) -> np.ndarray:
    """Return a picture (H, W, 3) made smaller by a whole number; what is left over is cut off.

    Each pixel is the mean of four that are spread over the square that it stands for: all of them would cost more than
    they help whoever looks at pictures that small.
    """
    if times == 1:
        return rgb
    rows, columns = rgb.shape[0] // times, rgb.shape[1] // times
    small = np.empty((rows, columns, 3), np.uint8)
    ends = (times // 4, times * 3 // 4)
    for channel in range(3):  # one channel at a time: numpy is slow along an axis of three
        total = np.zeros((rows, columns), np.uint16)
        for row in ends:
            for column in ends:
                total += rgb[row::times, column::times, channel][:rows, :columns]
        small[..., channel] = (total + 2) // 4
    return small


class CropFilter:
    """Steadies the two points of which a crop is made: a one-euro filter that counts in sizes of the person.

    Every frame counts as 1/30 s, whatever the video's rate, as in MediaPipe. With true times the landmarks of a video
    with 60 frames a second are twice as far from MediaPipe's, and no nearer to the truth.

    Source: Casiez et al. 2012; the constants are MediaPipe's.
    """

    def __init__(self) -> None:
        self._points: np.ndarray | None = None
        self._raw = self._speed = np.zeros((2, 2))

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the filtered middle of the hips and upper point (2, 2) of the next frame, in pixels."""
        points = np.asarray(points, np.float64)
        if self._points is None:
            self._points = points
        else:
            size = max(2 * float(np.linalg.norm(points[1] - points[0])), 1e-6)
            speed = (points - self._raw) * (_FRAMES_A_SECOND / size)
            self._speed = self._speed + _share(_SPEED_CUTOFF_HZ) * (speed - self._speed)
            share = _share(_LOWEST_CUTOFF_HZ + _SLOPE * np.abs(self._speed))
            self._points = self._points + share * (points - self._points)
        self._raw = points
        return self._points


def _share(cutoff_hz: float | np.ndarray) -> float | np.ndarray:
    """Return the weight of a new value in a low-pass filter."""
    return 1 / (1 + _FRAMES_A_SECOND / (2 * math.pi * cutoff_hz))
