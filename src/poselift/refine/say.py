"""What the report says of the floor and of paths."""

from collections.abc import Sequence

import numpy as np

from poselift.geometry.camera import Camera
from poselift.refine.gravity import PLANTED, Feet, Ground, angles
from poselift.refine.report import StepReport
from poselift.refine.view import View

SHORT_UP_ERROR_DEG = 8.0
"""Ordinary error of up after one second of one person, which falls with the root of the time: on motion capture up is
off by 11 degrees (root mean square) in clips of 0.8 s, by 5 in clips of 1 to 4 s, and by 3 in longer ones."""


def say_ground(
    ground: Ground, feet: Sequence[Feet], paths: Sequence[np.ndarray], *, contacts: bool, seconds: float
) -> StepReport:
    """Return the report on the floor: the camera's pitch, roll and height, and how well the feet lie in one plane.

    Args:
        ground: The floor.
        feet: Everybody's feet.
        paths: Everybody's path (T, 3).
        contacts: Whether contacts are used.
        seconds: For how long people are seen, together.
    """
    pitch, roll = angles(ground.up)
    error = max(ground.error_deg, SHORT_UP_ERROR_DEG / seconds**0.5) if ground.error_deg > 0 else 0.0
    values = {"pitch_deg": pitch, "roll_deg": roll, "camera_height_m": -ground.height, "up_error_deg": error}
    warnings = []
    stands = [each.contact > PLANTED for each in feet]
    if not all(each.known for each in feet):
        warnings.append(
            "These weights do not say when feet touch the ground, so that feet may slide and the floor is uncertain; "
            "weights of BODY_27 do (--skeleton-out BODY_27)."
        )
    elif not contacts:
        warnings.append("Contacts are not used (--no-contacts): the floor lies under the lowest feet.")
    elif not any(each.any() for each in stands):
        warnings.append("No foot is seen to stand on the ground: the floor lies under the lowest feet.")
    else:
        off = np.concatenate(
            [
                (ground.above(path[:, None] + each.points) - each.heights)[there]
                for each, path, there in zip(feet, paths, stands, strict=True)
            ]
        )
        values["feet_off_floor_mm"] = 1000 * float(np.median(np.abs(off)))
    if pitch > 70:
        warnings.append("The camera looks nearly straight down, where up and depth are uncertain.")
    says = (
        f"the camera looks down by {pitch:.1f} degrees, is turned by {roll:.1f}, and is {-ground.height:.2f} m above "
        f"the floor (from {ground.source}; up to about {error:.0f} degrees)."
    )
    return StepReport(name="floor", says=says, values=values, warnings=tuple(warnings))


def say_path(view: View, path: np.ndarray, camera: Camera) -> StepReport:
    """Return the report on one person's path: its length, distances from the camera, and the error in the picture."""
    seen = view.seen(camera)
    there = path[:, None] + seen.joints
    off = np.linalg.norm(camera.pixels(there) - view.keypoints.filled()[0], axis=-1)[seen.confidence > 0]
    off_px = float(np.nanmedian(off)) if len(off) else float("nan")
    away = np.linalg.norm(path, axis=-1)
    went = float(np.linalg.norm(path[-1] - path[0]))
    return StepReport(
        name="path",
        says=f"the root is {away.min():.1f} to {away.max():.1f} m from the camera, and ends {went:.1f} m from where it "
        f"begins; joints are {off_px:.0f} px off the keypoints in the median.",
        values={"nearest_m": float(away.min()), "farthest_m": float(away.max()), "reprojection_px": off_px},
    )
