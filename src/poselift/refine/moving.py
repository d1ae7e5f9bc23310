"""Whether the camera moves: by the background of the video, or by planted feet that move all the same.

Feet on a treadmill move too, but the background behind them rests. Without a video the two cannot be told apart.
"""

from collections.abc import Sequence

import numpy as np

from poselift.footage import MOVED, Footage
from poselift.refine.gravity import PLANTED, Feet
from poselift.refine.report import StepReport
from poselift.sequence import Keypoints2D

SLOWEST_M_S = 0.35
"""Speed in m/s from which planted feet are taken to be carried along. On motion capture the median over a clip stays
below 0.2 m/s."""
LONGEST_STILL = 0.65
"""Share of planted moments that must go the same way."""
RESTLESS_M_S = 0.4
"""Speed in m/s across the line of sight, over `LOOK_S`, from which planted feet do not rest."""
LOOK_S = 0.4
"""Seconds over which the speed of planted feet is measured: over less, noise is all that is seen."""
_LEAST_S = 1.0
"""Seconds with planted feet below which nothing is concluded."""

Walked = tuple[Feet, np.ndarray, float]
"""The feet, the root's path (T, 3) found without contacts, camera axes, and the frames per second."""


def carried(people: Sequence[Walked]) -> np.ndarray | None:
    """Return the velocity (3,) in m/s, camera axes, with which planted feet are carried; None where they are not.

    Args:
        people: Everybody.
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


def restless(people: Sequence[Walked]) -> float | None:
    """Return the median speed in m/s, across the line of sight, of planted feet; None where somebody's feet rest.

    What a foot does along the line of sight is not looked at: errors of depth are as large as what would be found.

    Args:
        people: Everybody. Somebody whose feet are seldom planted says nothing.
    """
    slowest = np.inf
    for feet, path, fps in people:
        step = max(round(LOOK_S * fps), 1)
        planted = np.cumsum(np.pad(feet.contact > PLANTED, ((1, 0), (0, 0))), 0)
        stands: np.ndarray = planted[step + 1 :] - planted[: -step - 1] == step + 1
        if stands.any(1).sum() < _LEAST_S * fps:
            continue
        there = path[:, None] + feet.points
        moved = there[step:] - there[:-step]
        ray = there[:-step] / np.linalg.norm(there[:-step], axis=-1, keepdims=True)
        across = moved - (moved * ray).sum(-1, keepdims=True) * ray
        slowest = min(slowest, float(np.median(np.linalg.norm(across[stands], axis=-1))) * fps / step)
    return slowest if RESTLESS_M_S < slowest < np.inf else None


def unrest(people: Sequence[Walked]) -> float | None:
    """Return the speed in m/s with which planted feet of everybody move, by either test; None where they rest."""
    velocity = carried(people)
    return restless(people) if velocity is None else float(np.linalg.norm(velocity))


def background_of(people: Sequence[Keypoints2D]) -> Footage | None:
    """Return what the video of a clip says of its camera, where it says whether the background moves."""
    return next((person.footage for person in people if person.footage and person.footage.moved is not None), None)


def say_moving(footage: Footage | None, speed_m_s: float | None) -> StepReport:
    """Return the warning that the camera moves, so that poses stay relative to the pelvis.

    Args:
        footage: What the video says; None where somebody said that the camera moves, or feet did.
        speed_m_s: Speed of planted feet; None where it was not by them.
    """
    values, why, doubt = {}, "as was said", ""
    if speed_m_s is not None:
        values["carried_m_s"] = speed_m_s
        why = f"or the ground does: planted feet move at {speed_m_s:.1f} m/s"
        doubt = " If it is a treadmill, --no-contacts says so."
    elif footage is not None and footage.moved is not None:
        values["background_moved"] = footage.moved
        why = (
            f"the background goes up to {100 * footage.moved:.0f} % of the picture's longer side from its first place "
            f"({100 * MOVED:.0f} % is allowed)"
        )
    warning = (
        "The camera moves, so that poses are relative to the pelvis, in the camera's axes, without a path; still=True "
        f"(--camera-is still) places people all the same.{doubt}"
    )
    says = f"the camera moves ({why}); nobody is placed."
    return StepReport(name="moving", says=says, values=values, warnings=(warning,))


def say_carried(speed_m_s: float) -> StepReport:
    """Return the warning that planted feet move before a camera at rest, at a speed in m/s."""
    warning = (
        "People are on a treadmill, or slide: paths are relative to the camera, not over the ground; --no-contacts "
        "says that it is so."
    )
    return StepReport(
        name="contacts",
        says=f"planted feet move at {speed_m_s:.1f} m/s before a camera at rest, so that contacts are not used.",
        values={"carried_m_s": speed_m_s},
        warnings=(warning,),
    )
