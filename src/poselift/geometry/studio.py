"""The calibrated cameras of the benchmark studios."""

import json
from importlib import resources
from typing import Any

import numpy as np

from poselift.geometry.camera import Camera, StudioDistortion
from poselift.geometry.rotation import matrix_from_wxyz


def studio_cameras(dataset: str) -> dict[str, tuple[Camera, ...]]:
    """Return the cameras of each subject, placed as they were for this subject, in the order of the archives.

    Args:
        dataset: ``"h36m"`` or ``"humaneva"``; the numbers are in `poselift/data/<dataset>_cameras.json`. Those of
            HumanEva have no intrinsics, because the archives do not contain them.
    """
    text = (resources.files("poselift") / "data" / f"{dataset}_cameras.json").read_text(encoding="utf-8")
    data = json.loads(text)
    return {
        subject: tuple(_camera(place, lens) for place, lens in zip(places, data["intrinsics"], strict=True))
        for subject, places in data["extrinsics"].items()
    }


def _camera(place: dict[str, Any], lens: dict[str, Any]) -> Camera:
    """Make a camera from the file's position, orientation of its axes in the world, and lens."""
    R = matrix_from_wxyz(place["orientation_wxyz"]).T
    t = -R @ np.array(place["translation_mm"]) / 1000
    K, dist = None, None
    if "focal_length" in lens:
        (fx, fy), (cx, cy) = lens["focal_length"], lens["center"]
        K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        dist = StudioDistortion(lens["radial_distortion"], lens["tangential_distortion"])
    return Camera(R, t, K, dist, place["id"], (lens["res_w"], lens["res_h"]))
