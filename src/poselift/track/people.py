"""The people of a clip whose frames list detections: their keypoints, and what is doubtful about them."""

import logging
from collections.abc import Sequence

import numpy as np

from poselift.track.clip import Track, track_clip
from poselift.track.step import Ids, masked

_LOG = logging.getLogger(__name__)
_SHORTEST_S = 1 / 6
_FEWEST_FRAMES = 3
"""Tracks shorter than 1/6 s, or than 3 frames, are taken for errors of the detector."""
_NAMED = 5
"""So many short tracks are named in the log."""


def track_people(
    detections: Sequence[np.ndarray], fps: float, ids: Sequence[Ids] | None = None
) -> tuple[np.ndarray, ...]:
    """Return the keypoints of each person of a clip, without errors of the detector.

    The log warns of people who may be others, and says who was left out, and who was recognised after an absence.

    Args:
        detections: As for `track_clip`.
        fps: Frames per second.
        ids: As for `track_clip`.

    Returns:
        One (T, J, 3) float32 array for each person, ordered by the sum of confidences, largest first. Frames
        and joints that do not show the person hold NaN coordinates and confidence 0. People seen for less than 1/6 s,
        or in fewer than three frames, are left out, unless nobody would be left; in a clip with fewer frames that show
        anybody, people must be seen in all of these. The tuple is empty when no detection has a visible joint.

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
    for sentence in describe(tracks, {number: place for place, number in enumerate(kept, 1)}):
        _LOG.warning("%s", sentence)
    return tuple(_filled(tracks[number], detections) for number in kept)


def describe(tracks: Sequence[Track], numbers: dict[int, int]) -> list[str]:
    """Say which people may be the same, and who was recognised after an absence.

    Args:
        tracks: All tracks of a clip.
        numbers: By number of a track the number of the person that the user sees; only these are mentioned.

    Returns:
        Sentences without a full stop.
    """
    sentences = []
    for number, person in sorted(numbers.items(), key=lambda item: item[1]):
        track = tracks[number]
        others = dict.fromkeys(numbers[earlier] for earlier in followed(tracks, number, numbers))
        if others:
            may = " or ".join(f"person {other}" for other in others)
            sentences.append(f"person {person} may be {may}, from frame {track.frames[0]} on")
        for left, back in track.away:
            sentences.append(
                f"person {person} is out of sight from frame {left} to {back}: "
                "taken for the same by the proportions of the body and the place"
            )
    return sentences


def followed(tracks: Sequence[Track], number: int, wanted: dict[int, int]) -> list[int]:
    """Return the wanted tracks that a track may continue, through others that are not wanted, the likeliest first."""
    found, looked = list[int](), {number}
    for earlier in tracks[number].may_continue:
        if earlier in looked:
            continue
        looked.add(earlier)
        found += [earlier] if earlier in wanted else followed(tracks, earlier, wanted)
    return list(dict.fromkeys(found))


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
