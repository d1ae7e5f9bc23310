"""A walker that needs no data: joints of a figure whose legs and arms swing, seen by a camera above the floor."""

from dataclasses import dataclass, replace

import numpy as np

from poselift.sequence import Keypoints2D
from poselift.skeleton import H36M_17

FIGURE = {
    "pelvis": (0, 0, 0.95), "spine": (0, 0, 1.2), "thorax": (0, 0, 1.45), "nose": (0.05, 0, 1.6),
    "head_top": (0, 0, 1.75),
}  # fmt: skip
"""Metres: x ahead, y to the left, z up."""


def walking(frames: int, fps: float, strides_hz: float = 0.9) -> np.ndarray:
    """(frames, 17, 3) metres: x ahead, y to the left, z up; knees bend forward and elbows too."""
    phase = 2 * np.pi * strides_hz * np.arange(frames) / fps
    xyz = np.zeros((frames, 17, 3))
    for name, place in FIGURE.items():
        xyz[:, H36M_17.index(name)] = place
    for sign, side in ((1, "left"), (-1, "right")):
        swing = sign * np.sin(phase)
        bend = 0.12 + 0.1 * np.maximum(sign * np.cos(phase), 0)
        places = {
            "hip": (0 * phase, 0.95 + 0 * phase, 0.12),
            "knee": (0.2 * swing + bend, 0.52 + 0 * phase, 0.13),
            "ankle": (0.4 * swing - 0.05, 0.1 + 0.5 * (bend - 0.12), 0.13),
            "shoulder": (0 * phase, 1.42 + 0 * phase, 0.18),
            "elbow": (-0.15 * swing, 1.15 + 0 * phase, 0.24),
            "wrist": (-0.3 * swing + 0.1, 0.92 + 0 * phase, 0.25),
        }
        for joint, (ahead, up, out) in places.items():
            xyz[:, H36M_17.index(f"{side}_{joint}")] = np.stack([ahead, 0 * phase + sign * out, up], 1)
    return xyz


def in_camera(xyz: np.ndarray, turn_deg: float, distance: float = 4.0, above: float = 0.6) -> np.ndarray:
    """The figure in a level camera's axes, `above` its pelvis; by 0 it faces the camera, by 90 it looks right."""
    c, s = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    ahead, left, up = xyz[..., 0], xyz[..., 1], xyz[..., 2]
    x = s * ahead + c * left
    z = -c * ahead + s * left
    return np.stack([x, 0.95 + above - up, z + distance], -1).astype(np.float32)


@dataclass(frozen=True)
class Walk:
    """A walk and its picture."""

    xyz: np.ndarray
    keypoints: Keypoints2D


def walk(
    frames: int = 150, fps: float = 50.0, strides_hz: float = 0.9, turn_deg: float = 60.0, noise: float = 0.5
) -> Walk:
    """Make a walk: `noise` in pixels."""
    xyz = in_camera(walking(frames, fps, strides_hz), turn_deg)
    xy = 1000 * xyz[..., :2] / xyz[..., 2:] + 500 + np.random.default_rng(0).normal(0, noise, (frames, 17, 2))
    return Walk(xyz, Keypoints2D(xy, None, H36M_17, fps, (1000, 1000)))


def exchange(keypoints: Keypoints2D, joints: tuple[str, ...] | None = None) -> Keypoints2D:
    """Exchange left and right of all joints, or of those whose names without side are in `joints`."""
    skeleton, order = keypoints.skeleton, list(range(len(keypoints.skeleton)))
    for left, right in skeleton.pairs:
        if joints is None or skeleton.joints[left].removeprefix("left_") in joints:
            order[left], order[right] = right, left
    return reorder(keypoints, order)


def reorder(keypoints: Keypoints2D, order: list[int]) -> Keypoints2D:
    """Put the joints into another order, under the same names."""
    scores = keypoints.confidence
    return replace(keypoints, xy=keypoints.xy[:, order], confidence=None if scores is None else scores[:, order])
