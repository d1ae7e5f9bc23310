"""The focal length from people's own steps, where they walk towards the camera or away from it.

How far a root moves in depth, as the picture shows it, is in proportion to the focal length. While a foot is planted,
how far the root moves is also how far the foot moves back relative to it, which the lifted pose says in metres.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from poselift.geometry.camera import Camera
from poselift.refine.focal import ASSUMED, say_focal
from poselift.refine.gravity import PLANTED, Feet, feet_of
from poselift.refine.path import find_path
from poselift.refine.report import StepReport
from poselift.refine.view import View, in_camera_axes
from poselift.sequence import spans

STEP_S = 0.3
"""Seconds of a planted foot over which both movements are compared, about half a stance."""
LEAST_MOVE_M = 0.1
"""Root mean square of the movements in depth below which the clip says nothing."""
LEAST_AGREEMENT = 0.6
"""Correlation of the two movements below which the clip says nothing."""
LARGEST_ERROR = 0.2
"""Expected error, as a share, above which the estimate is not used."""
ASSUMED_ERROR = 0.3
"""Expected error of the assumed focal length, as a share, against which the estimate is weighed."""
ESTIMATED = "estimated focal length"
"""Name of a camera whose focal length is from people's steps; files keep it."""
_TIMES = 3
"""How often it is estimated anew, each time with people turned as the last estimate says."""
FARTHEST = 3.0
"""Factor between the first focal length and the estimate beyond which it is not believed."""


class Steps(NamedTuple):
    """What the steps say of the focal length."""

    ratio: float
    """By how much the focal length must be multiplied."""
    error: float
    """Expected error of the ratio, as a share."""


def focal_ratio(people: Sequence[tuple[Feet, np.ndarray, float]]) -> Steps | None:
    """Compare how far roots move in depth with how far planted feet move back; None where they hardly do.

    With a the one and b the other, both with errors, the ratio is that of their sizes, sqrt(sum b² / sum a²): the
    geometric mean of the slopes of b on a and of a on b.

    Args:
        people: Of each person: the feet, the root's path (T, 3) found without contacts, and the frames per second.
    """
    roots, feet = [np.zeros(0)], [np.zeros(0)]
    for each, path, fps in people:
        step = max(round(STEP_S * fps), 1)
        for point in range(each.points.shape[1]):
            for first, last in spans(each.contact[:, point] > PLANTED):
                starts = np.arange(first, last - step + 1, max(step // 3, 1))
                roots.append(path[starts + step, 2] - path[starts, 2])
                feet.append(each.points[starts, point, 2] - each.points[starts + step, point, 2])
    a, b = np.concatenate(roots), np.concatenate(feet)
    independent = len(a) / 12  # steps overlap by two thirds, and are seen at the heel and at the toe, often of two feet
    if independent < 4 or np.sqrt((a**2).mean()) < LEAST_MOVE_M or (a @ b) <= 0:
        return None
    agreement = float(a @ b / np.sqrt((a @ a) * (b @ b)))
    ratio = float(np.sqrt((b @ b) / (a @ a)))
    error = float(np.sqrt((1 - agreement**2) / (independent - 2)) / agreement)
    good = agreement > LEAST_AGREEMENT and error < LARGEST_ERROR and 1 / FARTHEST < ratio < FARTHEST
    return Steps(ratio, error) if good else None


def with_focal_of_steps(views: Sequence[View], camera: Camera) -> tuple[list[View], Camera, StepReport | None]:
    """Return people, the camera and a report, with the focal length that their steps say where it was only assumed.

    Args:
        views: People in the axes of the camera.
        camera: The camera; one whose focal length is not assumed is returned as it is, without a report.
    """
    size = camera.image_size
    if camera.name != ASSUMED or camera.K is None or size is None:
        return [*views], camera, None
    assumed, now, found = float(camera.K[0, 0]), camera, None
    turned = [*views]
    for _ in range(_TIMES):
        seen = [view.seen(now) for view in turned]
        found = focal_ratio(
            [
                (feet_of(view.poses, person.joints), find_path(person), person.fps)
                for view, person in zip(turned, seen, strict=True)
            ]
        )
        if found is None or now.K is None:
            return [*views], camera, None
        own, other = found.error**-2, ASSUMED_ERROR**-2
        steps = np.log(float(now.K[0, 0]) * found.ratio)
        focal = float(np.exp((own * steps + other * np.log(assumed)) / (own + other)))
        if not 1 / FARTHEST < focal / assumed < FARTHEST:
            return [*views], camera, None
        now = replace(Camera.from_focal(focal, size), name=ESTIMATED)
        turned = [replace(view, poses=in_camera_axes(view.poses, view.keypoints, now)) for view in turned]
    assert now.K is not None and found is not None
    focal, error = float(now.K[0, 0]), (found.error**-2 + ASSUMED_ERROR**-2) ** -0.5
    report = say_focal("steps towards the camera and away from it", focal, error, assumed)
    return turned, now, report
