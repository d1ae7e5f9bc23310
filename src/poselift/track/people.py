"""The people of a clip whose frames list detections: their keypoints, and what is doubtful about them."""

import logging
from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np

from poselift.track.clip import Track, track_clip
from poselift.track.step import Ids, masked

_LOG = logging.getLogger(__name__)
_SHORTEST_S = 1 / 6
_FEWEST_FRAMES = 3
"""Tracks shorter than 1/6 s, or than 3 frames, are taken for errors of the detector."""
_NAMED = 5
"""So many short tracks are named in the log."""


@dataclass(frozen=True)
class Followed:
    """One person of a clip."""

    keypoints: np.ndarray
    """(T, J, 3) float32 x, y and confidence; frames and joints that do not show the person hold NaN coordinates and
    confidence 0."""
    may_continue: tuple[int, ...] = ()
    """Places, among the people who are returned, of those who may be the same person, the likeliest first; where the
    tracker could not decide."""


def track_people(
    detections: Sequence[np.ndarray], fps: float, ids: Sequence[Ids] | None = None
) -> tuple[Followed, ...]:
    """Return the keypoints of each person of a clip, without errors of the detector.

    The log says who was left out, and warns of people who were recognised after an absence.

    Args:
        detections: As for `track_clip`.
        fps: Frames per second.
        ids: As for `track_clip`.

    Returns:
        The people, ordered by the sum of confidences, largest first. People seen for less than 1/6 s, or in fewer than
        three frames, are left out, unless nobody would be left; in a clip with fewer frames that show anybody, people
        must be seen in all of these. The tuple is empty when no detection has a visible joint.

    Raises:
        ShapeError: A detection is not (P, J, 3), or J changes.
    """
    tracks = track_clip(detections, np.arange(len(detections)) / fps, ids)
    inhabited = len({frame for track in tracks for frame in track.frames})
    enough = min(max(_FEWEST_FRAMES, round(_SHORTEST_S * fps)), inhabited)
    sure = [sum(_confidence(track, detections)) for track in tracks]
    order = sorted(range(len(tracks)), key=lambda number: -sure[number])
    kept = [number for number in order if len(tracks[number].frames) >= enough] or order[:1]
    short = [track for number, track in enumerate(tracks) if number not in kept]
    if short:
        _LOG.info("left out: %s", "; ".join(_sighting(track, fps) for track in short[:_NAMED]) + _more(short))
    for number in kept:
        for sentence in absences(tracks[number], f"the person first seen in frame {tracks[number].frames[0]}"):
            _LOG.warning("%s", sentence)
    place = {number: place for place, number in enumerate(kept)}
    doubts = [track.may_continue for track in tracks]
    return tuple(
        Followed(_filled(tracks[number], detections), tuple(place[other] for other in followed(doubts, number, place)))
        for number in kept
    )


def absences(track: Track, who: str) -> list[str]:
    """Say, without a full stop, when somebody was away and recognised; `who` says in words who it is."""
    return [
        f"{who} is out of sight from frame {left} to {back}: "
        "taken for the same by the proportions of the body and the place"
        for left, back in track.away
    ]


def followed(doubts: Sequence[Sequence[int]], number: int, wanted: Container[int]) -> list[int]:
    """Return the wanted tracks that a track may continue, through others that are not wanted, the likeliest first.

    Args:
        doubts: Of each track the numbers, counted from 0, of those that it may continue.
        number: The track's number.
        wanted: Numbers of the tracks that may be named.
    """
    found, looked, waiting = list[int](), {number}, list(doubts[number])
    while waiting:
        earlier = waiting.pop(0)
        if earlier in looked:
            continue
        looked.add(earlier)
        if earlier in wanted:
            found.append(earlier)
        else:
            waiting = [*doubts[earlier], *waiting]
    return found


def _sighting(track: Track, fps: float) -> str:
    first, last = track.frames[0], track.frames[-1]
    return f"seen for {len(track.frames) / fps:.1f} s in frames {first}-{last}"


def _more(short: list[Track]) -> str:
    return f"; and {len(short) - _NAMED} more" if len(short) > _NAMED else ""


def _confidence(track: Track, detections: Sequence[np.ndarray]) -> list[float]:
    return [
        float(masked(detections[frame][place : place + 1])[..., 2].sum())
        for frame, place in zip(track.frames, track.places, strict=True)
    ]


def _filled(track: Track, detections: Sequence[np.ndarray]) -> np.ndarray:
    """Return (T, J, 3) keypoints of a track: NaN with confidence 0 where the person was not seen."""
    poses = masked(
        np.stack([detections[frame][place] for frame, place in zip(track.frames, track.places, strict=True)])
    )
    out = np.full((len(detections), *poses.shape[1:]), np.nan, np.float32)
    out[..., 2] = 0.0
    out[track.frames] = poses
    return out
