"""Telling people apart in a detector's output: a person does not jump across the picture.

A detector that tracks one person may lose them and go on with somebody else. What it finds is joined to a track when
the body can have moved there since it was last seen, else it starts a new track.
"""

from dataclasses import dataclass, field

import numpy as np

_SLACK = 0.5
_SPEED = 6.0
_LONGEST_GAP_S = 0.25
"""A body may move by (0.5 + 6 t) times its size in t seconds, about a sprint; longer gaps count as a quarter second."""


@dataclass
class Track:
    """One person's appearances."""

    frames: list[int] = field(default_factory=list)
    """Frame numbers, increasing."""
    keypoints: list[np.ndarray] = field(default_factory=list)
    """(J, 3) x_px, y_px, confidence for each."""


def follow(detections: list[np.ndarray], times_s: np.ndarray) -> list[Track]:
    """Join detections of consecutive frames into tracks.

    Args:
        detections: For each frame the people found, (P, J, 3) x_px, y_px, confidence; P may be 0.
        times_s: (T,) time of each frame in seconds, increasing.

    Returns:
        The tracks, the one with most frames first; of equal ones the earlier first.
    """
    tracks: list[Track] = []
    for frame, people in enumerate(detections):
        free = list(tracks)
        for person in people:
            costs = [_cost(track, person, times_s, frame) for track in free]
            if costs and min(costs) <= 1:
                track = free.pop(int(np.argmin(costs)))
            else:
                track = Track()
                tracks.append(track)
            track.frames.append(frame)
            track.keypoints.append(person)
    return sorted(tracks, key=lambda track: -len(track.frames))


def _cost(track: Track, person: np.ndarray, times_s: np.ndarray, frame: int) -> float:
    """Distance from the track's last place in units of what a body can cover since; above 1 is another person."""
    last = track.keypoints[-1]
    # The median joint: a wild arm or leg does not make a jump.
    moved = float(np.median(np.linalg.norm(person[:, :2] - last[:, :2], axis=-1)))
    size = max(float(np.ptp(body[:, :2], axis=0).max()) for body in (person, last))
    gap_s = min(float(times_s[frame] - times_s[track.frames[-1]]), _LONGEST_GAP_S)
    return moved / max(size * (_SLACK + _SPEED * gap_s), 1e-9)
