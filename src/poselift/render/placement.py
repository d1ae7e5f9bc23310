"""Where poses are in the picture: projected by their camera, or fitted to 2D keypoints."""

from dataclasses import dataclass

import numpy as np

from poselift.errors import ShapeError
from poselift.sequence import CAMERA, TURNED_CAMERA, WORLD, Keypoints2D, Poses3D

_FEWEST = 4
"""Joints that must be seen to fit a frame."""
_SMOOTH_S = 0.3
"""Seconds over which the size of a fitted person is the median."""
SHOWN_PROBABILITY = 0.5
"""A joint lies within its ellipse with this probability."""


@dataclass(frozen=True, eq=False)
class Placement:
    """The joints of poses in a picture."""

    xy: np.ndarray
    """(T, J, 2) pixels; NaN where nothing says where they are."""
    radii: np.ndarray | None
    """(T, J, 2) pixels: half axes along x and y within which a joint lies with `SHOWN_PROBABILITY`."""
    how: str
    """What it was found by, in words."""


def place(poses: Poses3D, keypoints: Keypoints2D | None) -> Placement | None:
    """Return where poses are in the picture.

    Poses with a path and a camera are projected by it. Others are moved and scaled to the keypoints of each frame, as
    if they were far from the camera, which needs their axes to be a camera's.

    Args:
        poses: The poses.
        keypoints: The keypoints that they were lifted from, at the same frames; None when there are none.

    Returns:
        The placement; None when nothing says where they are.

    Raises:
        ShapeError: There are other frames of keypoints than poses.
    """
    camera = poses.camera
    if camera is not None and camera.K is not None and poses.path is not None and poses.frame in (CAMERA, WORLD):
        points = (poses.xyz + poses.path[:, None]).astype(np.float64)
        in_camera = points if poses.frame == CAMERA else camera.to_camera(points)
        radii = None
        if (radius := poses.radius(SHOWN_PROBABILITY)) is not None:
            depth = np.maximum(in_camera[..., 2], 0.1)
            radii = (radius / depth)[..., None] * (camera.K[0, 0], camera.K[1, 1])
        return Placement(camera.pixels(in_camera), radii, "reprojected by the camera of the file")
    if keypoints is None or poses.frame not in (CAMERA, TURNED_CAMERA):
        return None
    if len(keypoints) != len(poses):
        raise ShapeError(f"wanted keypoints for each of {len(poses)} frames of poses, got {len(keypoints)}")
    return _fitted(poses, keypoints)


def _fitted(poses: Poses3D, keypoints: Keypoints2D) -> Placement | None:
    """Return poses moved and scaled to keypoints, by least squares over the joints of the same names."""
    names = [joint for joint in poses.skeleton.joints if joint in keypoints.skeleton]
    flat = poses.xyz[..., :2].astype(np.float64)
    body = flat[:, poses.skeleton.indices(names)]
    picture, scores = keypoints.filled()
    picture = picture[:, keypoints.skeleton.indices(names)].astype(np.float64)
    weights = scores[:, keypoints.skeleton.indices(names)].astype(np.float64)
    enough = (weights > 0).sum(1) >= _FEWEST
    if not enough.any():
        return None
    share = (weights / np.maximum(weights.sum(1, keepdims=True), 1e-9))[..., None]
    body_mean, picture_mean = (share * body).sum(1), (share * picture).sum(1)
    from_mean = body - body_mean[:, None]
    size = (share * from_mean * (picture - picture_mean[:, None])).sum((1, 2))
    scale = size / np.maximum((share * from_mean**2).sum((1, 2)), 1e-9)
    enough &= scale > 0
    if not enough.any():
        return None
    times = np.arange(len(poses))
    scale = np.interp(times, times[enough], _median(scale[enough], max(1, round(_SMOOTH_S * poses.fps))))
    shift = picture_mean - scale[:, None] * body_mean
    shift = np.stack([np.interp(times, times[enough], shift[enough, axis]) for axis in (0, 1)], -1)
    radius = poses.radius(SHOWN_PROBABILITY)
    radii = None if radius is None else np.repeat((radius * scale[:, None])[..., None], 2, -1)
    return Placement(flat * scale[:, None, None] + shift[:, None], radii, "moved and scaled to the keypoints")


def _median(values: np.ndarray, width: int) -> np.ndarray:
    """Return the running median of (N,) values."""
    width = min(width | 1, len(values) - 1 + len(values) % 2)
    padded = np.pad(values, width // 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width), axis=-1)
