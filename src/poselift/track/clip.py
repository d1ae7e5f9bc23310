"""Tracking: turns detections, which list each frame's people in no order, into one track for each person.

Each frame's people are matched to the people known so far by the distance between their keypoints, in units of the
person's own size, and times are in seconds, so that neither the resolution, nor the distance to the camera, nor the
frame rate matters. Where the source numbers its people, and different people have different numbers, these decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from poselift.track.body import bones_of, lengths_of
from poselift.track.link import fill, link
from poselift.track.piece import Piece
from poselift.track.step import PATIENCE_S, Ids, Tracker, masked

_SHORTEST_S = 1 / 6
_FEWEST_FRAMES = 3
"""Tracks shorter than 1/6 s, or than 3 frames, are taken for errors of the detector."""


@dataclass
class Track:
    """One person's appearances in a clip."""

    frames: list[int] = field(default_factory=list)
    """Frame numbers, increasing."""
    places: list[int] = field(default_factory=list)
    """Index of the person among the people of each of these frames."""
    may_continue: tuple[int, ...] = ()
    """Numbers of the earlier tracks that may show the same person, the likeliest first, where this is doubtful."""


def track_clip(
    detections: Sequence[np.ndarray],
    times_s: Sequence[float] | np.ndarray,
    ids: Sequence[Ids] | None = None,
    *,
    patience_s: float = PATIENCE_S,
) -> list[Track]:
    """Follow each person through a clip.

    Args:
        detections: For each of the T frames (P, J, 3) keypoints of its people, as `Tracker.step` takes them.
        times_s: (T,) time of each frame in seconds, increasing.
        ids: For each frame the number of each person. The numbers are used if they distinguish people: not all are 0,
            and in most frames that show several people no two have the same number.
        patience_s: See `Tracker`.

    Returns:
        One track for each person, in the order in which they appear.

    Raises:
        ShapeError: A detection is not (P, J, 3), or J changes.
    """
    believed = _believed(ids, len(detections))
    if any(names is not None for names in believed):
        return _stepwise(detections, times_s, believed, patience_s)
    return _joined(detections, np.asarray(times_s, float), patience_s)


def _stepwise(
    detections: Sequence[np.ndarray],
    times_s: Sequence[float] | np.ndarray,
    ids: Sequence[Ids | None],
    patience_s: float,
) -> list[Track]:
    """Track the frames one after the other."""
    tracker, tracks = Tracker(patience_s=patience_s), list[Track]()
    for frame, (people, time_s, names) in enumerate(zip(detections, times_s, ids, strict=True)):
        for place, number in enumerate(tracker.step(people, float(time_s), names)):
            if number is None:
                continue
            while number >= len(tracks):
                tracks.append(Track())
            tracks[number].frames.append(frame)
            tracks[number].places.append(place)
    for number, earlier in tracker.may_continue.items():
        tracks[number].may_continue = earlier
    return tracks


_SOLID_S, _SOLID_FRAMES = 0.2, 3


def _pieces(detections: Sequence[np.ndarray], times_s: np.ndarray, patience_s: float) -> list[Piece]:
    """Track the frames one after the other, and cut the tracks at gaps and wherever two people may be one detection."""
    tracker = Tracker(patience_s=patience_s)
    usual_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    longest_s = max(_BLINK_S, 2.5 * usual_s)
    open_: dict[int, tuple[list[int], list[int], bool]] = {}
    found: list[tuple[list[int], list[int], bool]] = []
    for frame, (people, time_s) in enumerate(zip(detections, times_s, strict=True)):
        for place, number in enumerate(tracker.step(people, float(time_s))):
            if number is None:
                continue
            unclear = number in tracker.unclear
            piece = open_.get(number)
            if piece is None or piece[2] != unclear or time_s - times_s[piece[0][-1]] > longest_s:
                piece = open_[number] = ([], [], unclear)
                found.append(piece)
            piece[0].append(frame)
            piece[1].append(place)
    posed = [
        masked(np.stack([detections[f][p] for f, p in zip(frames, places, strict=True)])) for frames, places, _ in found
    ]
    bones = bones_of(np.concatenate(posed)) if posed else np.empty((0, 2), int)
    return [
        Piece(frames, places, poses, times_s[frames], bones, unclear)
        for (frames, places, unclear), poses in zip(found, posed, strict=True)
    ]


_BLINK_S = 0.2
_SOLID_S, _SOLID_FRAMES = 0.2, 3


def _joined(detections: Sequence[np.ndarray], times_s: np.ndarray, patience_s: float) -> list[Track]:
    pieces = _pieces(detections, times_s, patience_s)
    solid = [
        piece for piece in pieces
        if not piece.unclear and piece.seconds >= _SOLID_S and len(piece.frames) >= _SOLID_FRAMES
    ]
    rest = [piece for piece in pieces if piece not in solid]
    if not solid:
        return [Track(piece.frames, piece.places) for piece in pieces]
    weights = np.nan_to_num(lengths_of(np.concatenate([piece.poses for piece in pieces]), pieces[0].bones))
    joined, _ = _round(solid, weights)
    rest = fill(joined, rest)
    short = [piece for piece in rest if len(piece.frames) < _SOLID_FRAMES]
    chains, doubts = _round([Piece.joined(row) for row in joined] + [piece for piece in rest if piece not in short], weights)
    rest = fill(chains, short)
    tracks = [
        Track(piece.frames, piece.places, doubts.get(number, ()))
        for number, piece in enumerate(map(Piece.joined, chains))
    ]
    return tracks + [Track(piece.frames, piece.places) for piece in rest]


def _round(pieces: list[Piece], weights: np.ndarray) -> tuple[list[list[Piece]], dict[int, tuple[int, ...]]]:
    chains, doubts = link(pieces, weights)
    of_piece = {piece: place for place, chain in enumerate(chains) for piece in chain}
    marked = {
        place: tuple(dict.fromkeys(of_piece[p] for p in doubts[chain[0]]))
        for place, chain in enumerate(chains) if chain[0] in doubts
    }
    return [[pieces[i] for i in chain] for chain in chains], marked


def track_people(
    detections: Sequence[np.ndarray], fps: float, ids: Sequence[Ids] | None = None
) -> tuple[np.ndarray, ...]:
    """Return the keypoints of each person of a clip, without errors of the detector.

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
    clips = [_filled(track, detections) for track in tracks]
    inhabited = len({frame for track in tracks for frame in track.frames})
    enough = min(max(_FEWEST_FRAMES, round(_SHORTEST_S * fps)), inhabited)
    order = sorted(range(len(tracks)), key=lambda number: -float(clips[number][..., 2].sum()))
    long = [number for number in order if len(tracks[number].frames) >= enough]
    return tuple(clips[number] for number in long or order[:1])


def _filled(track: Track, detections: Sequence[np.ndarray]) -> np.ndarray:
    """Return (T, J, 3) keypoints of a track: NaN with confidence 0 where the person was not seen."""
    poses = masked(
        np.stack([detections[frame][place] for frame, place in zip(track.frames, track.places, strict=True)])
    )
    out = np.full((len(detections), *poses.shape[1:]), np.nan, np.float32)
    out[..., 2] = 0.0
    out[track.frames] = poses
    return out


def _believed(ids: Sequence[Ids] | None, frames: int) -> Sequence[Ids | None]:
    """Return the numbers of each frame's people; None for every frame if the numbers do not distinguish people."""
    nothing: list[Ids | None] = [None] * frames
    if ids is None or not any(id is not None and id > 0 for row in ids for id in row):
        return nothing
    several = [[id for id in row if id is not None and id >= 0] for row in ids if len(row) > 1]
    apart = sum(len(set(row)) == len(row) for row in several)
    return ids if 2 * apart >= len(several) else nothing
