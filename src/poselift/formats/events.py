"""Foot strikes and foot offs, from the probability that heels and toes stand still on the ground."""

from dataclasses import dataclass

import numpy as np

from poselift.sequence import Poses3D, spans

STANDS = 0.5
"""A foot stands while its heel or big toe stands still with at least this probability."""
SHORTEST_S = 0.06
"""Shorter stances, and shorter flights, are errors of the contacts: the stance of a sprinter takes 0.09 s."""


@dataclass(frozen=True)
class FootEvent:
    """A foot comes to stand on the ground, or leaves it."""

    side: str
    """One of "left" and "right"."""
    kind: str
    """One of "strike" and "off"."""
    frame: int
    """The first frame in which it stands, or in which it does not any more, counted from 0."""
    time_s: float
    """Seconds from the first frame."""


def foot_events(poses: Poses3D) -> list[FootEvent]:
    """Return the events of both feet in time order; none where contacts are not known.

    A stance that begins or ends with the clip, or at a gap, has no strike or no off there: nobody saw it.
    """
    if poses.contact is None:
        return []
    known = np.ones(len(poses), bool) if poses.gap is None else ~poses.gap
    shortest = max(1, round(SHORTEST_S * poses.fps))
    found = []
    for side, columns in (("left", (0, 1)), ("right", (2, 3))):
        stands = poses.contact[:, columns].max(1) >= STANDS
        for first, last in spans(known):
            for start, end in spans(_steady(stands[first : last + 1], shortest)):
                if start > 0:
                    found.append(_event(poses, side, "strike", first + start))
                if first + end < last:
                    found.append(_event(poses, side, "off", first + end + 1))
    return sorted(found, key=lambda event: event.frame)


def _event(poses: Poses3D, side: str, kind: str, frame: int) -> FootEvent:
    return FootEvent(side, kind, frame, frame / poses.fps)


def _steady(stands: np.ndarray, shortest: int) -> np.ndarray:
    """Return (T,) bool without runs shorter than `shortest` frames inside; first flights are closed, then stances."""
    stands = stands.copy()
    for state in (False, True):
        for first, last in spans(stands == state):
            if last - first + 1 < shortest and first > 0 and last < len(stands) - 1:
                stands[first : last + 1] = not state
    return stands
