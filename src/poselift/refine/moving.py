"""Whether planted feet move together: then the ground moves under them, or the camera over the ground."""

from collections.abc import Sequence

import numpy as np

from poselift.refine.gravity import PLANTED, Feet
from poselift.refine.report import StepReport

SLOWEST_M_S = 0.35
"""Speed in m/s from which planted feet are taken to be carried along. On motion capture the median over a clip stays
below 0.2 m/s."""
LONGEST_STILL = 0.65
"""Share of planted moments that must go the same way."""
CARRIED = (
    "The camera moves, or people are on a treadmill: paths are relative to the camera, not over the ground. "
    "--no-contacts says that it is a treadmill; for a moving camera, use --no-world."
)
"""What is said of feet that are carried."""
_LEAST_S = 1.0
"""Seconds with planted feet below which nothing is concluded."""


def carried(people: Sequence[tuple[Feet, np.ndarray, float]]) -> np.ndarray | None:
    """Return the velocity (3,) in m/s, camera axes, with which planted feet are carried; None where they are not.

    Args:
        people: Of each person: the feet, the root's path (T, 3) found without contacts, and the frames per second.
    """
    speeds, seconds = [np.zeros((0, 3))], 0.0
    for feet, path, fps in people:
        step = max(round(fps / 10), 1)  # a tenth of a second: frame by frame, noise is all that can be seen
        there = path[:, None] + feet.points
        stands = np.minimum(feet.contact[step:], feet.contact[:-step]) > PLANTED
        speeds.append((there[step:] - there[:-step])[stands] * (fps / step))
        seconds += float(stands.any(1).sum()) / fps
    every = np.concatenate(speeds)
    if seconds < _LEAST_S:
        return None
    velocity = np.median(every, 0)
    size = float(np.linalg.norm(velocity))
    if size < SLOWEST_M_S:
        return None
    along = every @ velocity / size
    return velocity if ((along > size / 2) & (along < 2 * size)).mean() > LONGEST_STILL else None


def say_carried(velocity: np.ndarray) -> StepReport:
    """Return the warning that planted feet are carried with a velocity (3,), m/s."""
    speed = float(np.linalg.norm(velocity))
    return StepReport(
        name="contacts",
        says=f"planted feet move together at {speed:.1f} m/s, so that contacts are not used.",
        values={"carried_m_s": speed},
        warnings=(CARRIED,),
    )
