"""The focal length from people at several places of the picture, who are upright on one floor.

How much a person is seen from above is what the network's `up` says, whatever the focal length is. The place in the
picture says it too, by the focal length: two people who are seen from 10 and from 20 degrees above are 10 degrees apart
as the camera sees them. And a floor that people cross in depth is tilted by what the focal length makes of their
distances. The best focal length is the one with which all directions up agree, with each other and with the floor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from poselift.geometry.camera import Camera
from poselift.geometry.rotation import shortest_arc
from poselift.refine.focal import ASSUMED, say_focal
from poselift.refine.gravity import PLANTED, across, feet_of, median_direction, trust_of
from poselift.refine.path import find_path
from poselift.refine.report import StepReport
from poselift.refine.steps import ASSUMED_ERROR, ESTIMATED, LARGEST_ERROR
from poselift.refine.view import View, in_camera_axes

BLOCK_S = 1.0
"""Seconds of a person that count as one measurement, of half the weight: errors of a pose last for seconds."""
WEIGHT = 0.5
"""Weight of a measurement."""
UP_ERROR_DEG = 3.0
"""Ordinary error of the network's direction up in one block against others of the clip."""
FOOT_ERROR_M = 0.2
"""Ordinary error of the height of planted feet in one block, most of which is an error of depth."""
FACTORS = np.exp(np.linspace(np.log(0.5), np.log(3.5), 29))
"""Factors between the assumed focal length and those that are tried."""
_LEAST_FEET = 5
"""Moments with a planted point from which a block of a person says where the floor is."""
_STEPS = 12


@dataclass(frozen=True, eq=False)
class Stretches:
    """What is known of people in stretches of a second, in the axes of a camera of the assumed focal length."""

    ups: np.ndarray
    """(N, 3) directions up, in the axes of a camera that is turned to the person."""
    places: np.ndarray
    """(N, 3) metres: where the person is."""
    feet: np.ndarray
    """(M, 3) metres: where planted feet are."""
    heights: np.ndarray
    """(M,) metres: their heights above the floor."""

    def cost(self, factor: float) -> float:
        """Return half the robust sum of squared errors if the focal length is so many times the assumed one.

        Depths are then as many times larger. With the directions u and the feet q,

            WEIGHT / 2 (sum rho(|u - up| / UP_ERROR) + sum rho((up . q - height - h) / FOOT_ERROR))

        at its least over up and height, where rho(e) = e² / (1 + e²/4) (Geman and McClure).
        """
        stretched = np.array([1.0, 1.0, factor])
        size = np.deg2rad(UP_ERROR_DEG)
        ups = _in_camera_axes(self.ups, self.places * stretched)
        up, feet = median_direction(ups, np.ones(len(ups))), self.feet * stretched
        height = float(np.median(feet @ up - self.heights)) if len(feet) else 0.0
        for _ in range(_STEPS if len(feet) else 0):
            axes = across(up)
            off = (feet @ up - self.heights - height) / FOOT_ERROR_M
            rows = np.concatenate([feet @ axes.T, -np.ones((len(feet), 1))], 1) / FOOT_ERROR_M
            weights = _weight(off)[:, None]
            matrix, slope = (rows * weights).T @ rows, (rows * weights).T @ off
            own = _weight(np.linalg.norm(ups - up, axis=1) / size)
            matrix[:2, :2] += np.eye(2) * own.sum() / size**2
            slope[:2] += (own[:, None] * ((up - ups) @ axes.T)).sum(0) / size**2
            step = np.linalg.solve(matrix + 1e-9 * np.eye(3), -slope)
            up, height = up + step[:2] @ axes, height + step[2]
            up = up / np.linalg.norm(up)
        errors = np.concatenate(
            [np.linalg.norm(ups - up, axis=1) / size, (feet @ up - self.heights - height) / FOOT_ERROR_M]
        )
        return float(WEIGHT * (errors**2 / (1 + errors**2 / 4)).sum() / 2)


def stretches_of(views: Sequence[View], camera: Camera) -> Stretches | None:
    """Return what people say in stretches of a second; None where the network says no direction up.

    Args:
        views: People in the axes of the camera.
        camera: The camera, of the assumed focal length.
    """
    ups, places, feet, heights = [], [], [np.zeros((0, 3))], [np.zeros(0)]
    for view in views:
        seen, poses = view.seen(camera), view.poses
        if poses.up is None:
            return None
        path, own, trust = find_path(seen), feet_of(poses, seen.joints), trust_of(poses)
        stands = own.contact > PLANTED
        long = max(round(BLOCK_S * poses.fps), 1)
        for start in range(0, len(poses) - long // 2, long):
            part = slice(start, start + long)
            if poses.gap is not None and poses.gap[part].any():
                continue
            ups.append(median_direction(poses.up[part].astype(np.float64), trust[part]))
            places.append(np.median(path[part], 0))
            if stands[part].sum() > _LEAST_FEET:
                feet.append((path[part, None] + own.points[part])[stands[part]].mean(0)[None])
                heights.append(np.array([np.broadcast_to(own.heights, stands.shape)[part][stands[part]].mean()]))
    if not ups:
        return None
    there = np.array(places)
    turned = (np.array(ups)[:, None] @ _turns(there))[:, 0]
    return Stretches(turned, there, np.concatenate(feet), np.concatenate(heights))


def with_focal_of_horizon(views: Sequence[View], camera: Camera) -> tuple[list[View], Camera, StepReport | None]:
    """Return people, the camera and a report, with the focal length that fits directions up and the floor best.

    The factor is the mean over `FACTORS`, each weighted by exp(-cost) and by how likely it is beforehand
    (`ASSUMED_ERROR`); it is used where their standard deviation is below `LARGEST_ERROR`.

    Args:
        views: People in the axes of the camera.
        camera: The camera; one whose focal length is not assumed is returned as it is, without a report.
    """
    size = camera.image_size
    if camera.name != ASSUMED or camera.K is None or size is None or (said := stretches_of(views, camera)) is None:
        return [*views], camera, None
    logs = np.log(FACTORS)
    likely = -np.array([said.cost(factor) for factor in FACTORS]) - (logs / ASSUMED_ERROR) ** 2 / 2
    weights = np.exp(likely - likely.max())
    weights /= weights.sum()
    best = float(weights @ logs)
    error = float(np.sqrt(weights @ (logs - best) ** 2))
    if error > LARGEST_ERROR:
        return [*views], camera, None
    assumed = float(camera.K[0, 0])
    focal = assumed * float(np.exp(best))
    found = replace(Camera.from_focal(focal, size), name=ESTIMATED)
    turned = [replace(view, poses=in_camera_axes(view.poses, view.keypoints, found)) for view in views]
    report = say_focal("people who are upright on one floor, at several places of the picture,", focal, error, assumed)
    return turned, found, report


def _turns(places: np.ndarray) -> np.ndarray:
    """Return rotations (N, 3, 3), for rows, from a camera's axes to those of one turned to look at places (N, 3)."""
    return shortest_arc(np.array([0.0, 0.0, 1.0]), places / np.linalg.norm(places, axis=1, keepdims=True))


def _in_camera_axes(turned: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return directions (N, 3) of cameras turned to look at places (N, 3) in the axes of the camera."""
    return (turned[:, None] @ _turns(places).swapaxes(-1, -2))[:, 0]


def _weight(errors: np.ndarray) -> np.ndarray:
    return 1 / (1 + errors**2 / 4) ** 2
