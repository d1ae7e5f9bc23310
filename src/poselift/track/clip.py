"""Tracking whole clips: the frames one after the other, then the pieces of tracks with what comes before and after."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from poselift.track.body import bones_of, lengths_of
from poselift.track.link import fill, link, returned
from poselift.track.piece import Piece
from poselift.track.step import Ids, Tracker, masked

_BLINK_S, _BLINK_FRAMES = 0.2, 2.5
"""A person not found for longer than 0.2 s, and 2.5 usual intervals between frames, is looked for among all others."""
_FEWEST_FRAMES = 3
"""Pieces of so many frames show how a person moves; they are joined first."""


@dataclass
class Track:
    """One person's appearances in a clip."""

    frames: list[int] = field(default_factory=list)
    """Frame numbers, increasing."""
    places: list[int] = field(default_factory=list)
    """Index of the person among the people of each of these frames."""
    may_continue: tuple[int, ...] = ()
    """Numbers of the tracks before it that may show the same person, the likeliest first, where that is doubtful."""
    away: tuple[tuple[int, int], ...] = ()
    """Last frame before and first frame after each absence from which the person was recognised by body and place."""


def track_clip(
    detections: Sequence[np.ndarray], times_s: Sequence[float] | np.ndarray, ids: Sequence[Ids] | None = None
) -> list[Track]:
    """Follow each person through a clip.

    Where the source does not number its people, the frames after a meeting of two people, or after somebody was out of
    sight, help to decide who is who. People are recognised for 30 s after they have left. Where it stays doubtful, a
    new track starts and names the ones that it may continue; no track is meant to change from one person to another.

    Args:
        detections: For each of the T frames (P, J, 3) keypoints of its people, as `Tracker.step` takes them.
        times_s: (T,) time of each frame in seconds, increasing.
        ids: For each frame the number of each person. The numbers are used if they distinguish people: not all are 0,
            and in most frames that show several people no two have the same number. They are believed.

    Returns:
        One track for each person, in the order in which they appear. Errors of the detector and people who only pass
        by are among them.

    Raises:
        ShapeError: A detection is not (P, J, 3), or J changes.
    """
    times_s = np.asarray(times_s, float)
    if ids is not None and _distinguish(ids):
        return _by_ids(detections, times_s, ids)
    pieces = _pieces(detections, times_s)
    if not pieces:
        return []
    weights = np.nan_to_num(lengths_of(np.concatenate([piece.poses for piece in pieces]), pieces[0].bones))
    return _in_order(_joined(pieces, weights))


def _by_ids(detections: Sequence[np.ndarray], times_s: np.ndarray, ids: Sequence[Ids]) -> list[Track]:
    """Track the frames one after the other, by the numbers of a tracker that had the pictures."""
    tracker, tracks = Tracker(), list[Track]()
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


def _pieces(detections: Sequence[np.ndarray], times_s: np.ndarray) -> list[Piece]:
    """Track the frames one after the other, and cut the tracks at gaps and where a detection may show two people."""
    tracker = Tracker()
    usual_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.0
    longest_s = max(_BLINK_S, _BLINK_FRAMES * usual_s)
    current: dict[int, tuple[Track, bool]] = {}
    found: list[tuple[Track, bool]] = []
    for frame, (people, time_s) in enumerate(zip(detections, times_s, strict=True)):
        for place, number in enumerate(tracker.step(people, float(time_s))):
            if number is None:
                continue
            unclear = number in tracker.unclear
            track, was_unclear = current.get(number, (None, False))
            parted = number in tracker.parted
            if track is None or parted or was_unclear != unclear or time_s - times_s[track.frames[-1]] > longest_s:
                track = Track()
                current[number] = (track, unclear)
                found.append(current[number])
            track.frames.append(frame)
            track.places.append(place)
    if not found:
        return []
    poses = [
        masked(np.stack([detections[frame][place] for frame, place in zip(track.frames, track.places, strict=True)]))
        for track, _ in found
    ]
    bones = bones_of(np.concatenate(poses))
    return [
        Piece(track.frames, track.places, shown, times_s[track.frames], bones, unclear)
        for (track, unclear), shown in zip(found, poses, strict=True)
    ]


def _joined(pieces: list[Piece], weights: np.ndarray) -> list[Track]:
    """Join pieces: first those that show how somebody moves, then the shorter ones, then those who returned."""
    long = [piece for piece in pieces if len(piece.frames) >= _FEWEST_FRAMES]
    linked = link(long, weights)
    chains = [[long[i] for i in chain] for chain in linked.members]
    doubts = linked.doubts | fill(chains, [piece for piece in pieces if len(piece.frames) < _FEWEST_FRAMES])
    whole = [Piece.joined(chain) for chain in chains]
    again = returned(whole, weights)
    number = {piece: place for place, chain in enumerate(again.members) for piece in chain}
    tracks = []
    for place, chain in enumerate(again.members):
        people = [whole[i] for i in chain]
        earlier = [number[i] for i in doubts.get(chain[0], ())] + list(again.doubts.get(place, ()))
        away = tuple((one.frames[-1], other.frames[0]) for one, other in pairwise(people))
        piece = Piece.joined(people)
        tracks.append(Track(piece.frames, piece.places, tuple(dict.fromkeys(earlier)), away))
    return tracks


def _in_order(tracks: list[Track]) -> list[Track]:
    """Return tracks in the order in which they appear, with the numbers in `may_continue` changed to match."""
    order = sorted(range(len(tracks)), key=lambda number: (tracks[number].frames[0], tracks[number].places[0]))
    place = {number: place for place, number in enumerate(order)}
    for track in tracks:
        track.may_continue = tuple(place[number] for number in track.may_continue)
    return [tracks[number] for number in order]


def _distinguish(ids: Sequence[Ids]) -> bool:
    """Return whether the numbers of each frame's people distinguish people."""
    if not any(id is not None and id > 0 for row in ids for id in row):
        return False
    several = [[id for id in row if id is not None and id >= 0] for row in ids if len(row) > 1]
    apart = sum(len(set(row)) == len(row) for row in several)
    return 2 * apart >= len(several)
