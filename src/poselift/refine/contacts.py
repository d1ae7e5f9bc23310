"""Where feet stand: stretches of frames in which a point of a foot does not move, and the place where it stays.

A lifter gives for each frame the probability that a heel or a toe stands still on the ground. Here they become
stretches, and each stretch gets one place. A stretch whose point moves farther than its error bars allow is none.
"""

from dataclasses import dataclass

import numpy as np

from poselift.sequence import spans

ON, OFF = 0.45, 0.15
"""Probabilities from which a stretch begins, and below which it ends."""
FAST_M_S = 1.0
"""Speed in m/s of a heel or toe, as lifted and smoothed, that halves the probability that it stands. It was chosen on
motion capture with detector errors, where the F1 of contacts is 0.861 without it, 0.873 at 2, 0.889 at 1 and 0.7, and
0.869 at 0.5 m/s."""
SHORTEST_S = 0.1
"""Seconds that a point stands at least; what is shorter, or a shorter pause in between, is taken for an error."""
STEP_S = 0.06
"""Seconds before and after the fastest frame that a foot at least needs to step from one place to another."""
EDGE_S = 0.06
"""Seconds at the ends of a stretch in which a point stands less firmly."""
SOLE_M = 0.005
"""Height of heel and toes that stand on the floor: the median on motion capture."""
STEP_M = 0.08
"""Height from which a standing point counts as standing on something, such as a stair, and keeps its own height."""


@dataclass(frozen=True, eq=False)
class Stands:
    """Where points stand, and when."""

    planted: np.ndarray
    """(T, P) bool: the point stands."""
    place: np.ndarray
    """(T, P, 3) metres: where it stands; 0 where it does not."""
    refused: int
    """Number of frames and points that were said to stand, but move farther than their error bars allow."""


def planted_by(contact: np.ndarray, fps: float) -> np.ndarray:
    """Return (T, P) bool: the points that stand, from probabilities (T, P), without flicker."""
    planted = np.zeros(contact.shape, bool)
    for point in range(contact.shape[1]):
        sure = contact[:, point] >= ON
        for first, last in spans(contact[:, point] >= OFF):
            planted[first : last + 1, point] = sure[first : last + 1].any()
        for wanted in (True, False):  # close short pauses, then remove short stretches
            for first, last in spans(planted[:, point] != wanted):
                inside = first > 0 and last < len(contact) - 1
                if last - first + 1 < SHORTEST_S * fps and (inside or not wanted):
                    planted[first : last + 1, point] = wanted
    return planted


def believable(contact: np.ndarray, points: np.ndarray, fps: float) -> np.ndarray:
    """Return probabilities (T, P) that points stand, lowered where they move fast: p / (1 + (speed / `FAST_M_S`)^4).

    Args:
        contact: (T, P) probabilities that points stand.
        points: (T, P, 3) metres, world, smoothed.
        fps: Frames per second.
    """
    speed = _steps(points) * fps
    return np.asarray(contact / (1 + (speed / FAST_M_S) ** 4))


def _steps(points: np.ndarray) -> np.ndarray:
    """Return how far points (T, P, 3) move per frame, (T, P)."""
    return np.linalg.norm(np.gradient(points, axis=0) if len(points) > 1 else np.zeros_like(points), axis=-1)


def find_stands(points: np.ndarray, planted: np.ndarray, weights: np.ndarray, reach: np.ndarray, fps: float) -> Stands:
    """Return where points stand: for each stretch one place, on the floor unless it is clearly higher.

    A stretch in which the point is farther than `reach` from the mean place is split at its fastest frame, and so on;
    what is left of it shorter than three frames is refused.

    Args:
        points: (T, P, 3) metres, world, floor at z = 0.
        planted: (T, P) bool: the point is said to stand.
        weights: (T, P) weight of each frame in the mean place.
        reach: (T, P) metres: how far a standing point may be from where it stands.
        fps: Frames per second.
    """
    stands, place = np.zeros(planted.shape, bool), np.zeros(points.shape)
    speed = _steps(points)
    step = round(STEP_S * fps)
    for point in range(points.shape[1]):
        left = spans(planted[:, point])
        while left:
            first, last = left.pop()
            part = slice(first, last + 1)
            if last - first < 2:
                continue
            mean = np.average(points[part, point], axis=0, weights=weights[part, point] + 1e-9)
            mean[2] = SOLE_M if mean[2] < STEP_M else mean[2]
            away = np.linalg.norm((points[part, point] - mean)[:, :2], axis=-1)
            if (away > reach[part, point]).any():
                fastest = first + int(speed[part, point].argmax())
                left += [(first, fastest - 1 - step), (fastest + 1 + step, last)]
                continue
            stands[part, point], place[part, point] = True, mean
    return Stands(stands, place, int((planted & ~stands).sum()))


def firmness(planted: np.ndarray, fps: float) -> np.ndarray:
    """Return how firmly (T, P) points stand: 1 in the middle of a stretch, less in the `EDGE_S` at its ends, 0 outside.

    Feet come and go softly: the beginning and the end of a stretch are the least certain part of it.
    """
    firm = planted.astype(np.float64)
    edge = max(round(EDGE_S * fps), 1)
    for point in range(planted.shape[1]):
        for first, last in spans(planted[:, point]):
            frames = np.arange(first, last + 1)
            from_start = np.full(len(frames), edge + 1) if first == 0 else frames - first + 1
            from_end = np.full(len(frames), edge + 1) if last == len(planted) - 1 else last - frames + 1
            firm[first : last + 1, point] = np.minimum(np.minimum(from_start, from_end) / (edge + 1), 1) ** 4
    return firm
