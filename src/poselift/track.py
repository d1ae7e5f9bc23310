"""Tracking: turns detections, which list each frame's people in no order, into one track for each person.

Each frame's people are matched to the people known so far by the distance between their keypoints, in units of the
person's own size, and times are in seconds, so that neither the resolution, nor the distance to the camera, nor the
frame rate matters. Where the source numbers its people, and different people have different numbers, these decide.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from poselift.errors import ShapeError

_SLACK = 0.5
_SPEED = 6.0
_LONGEST_GAP_S = 0.25
"""A body may move by (0.5 + 6 t) times its size in t seconds, about a sprint; longer gaps count as 0.25 s."""
_FARTHEST = _SLACK + _SPEED * _LONGEST_GAP_S
PATIENCE_S = 1.0
"""A person not seen for longer than this many seconds counts as a new person when seen again."""
_ROUNDING_S = 1e-6
_SHORTEST_S = 1 / 6
_FEWEST_FRAMES = 3
"""Tracks shorter than 1/6 s, or than 3 frames, are taken for errors of the detector."""
_FEWEST_JOINTS = 3

Ids = Sequence[int | None]
"""Numbers that a source gives the people of a frame; None or below 0 for somebody without one."""


@dataclass(eq=False)
class _Known:
    """A person whom the tracker has seen."""

    number: int
    id: int | None
    pose: np.ndarray
    """(J, 3) keypoints of the last frame that shows the person; NaN for joints that were not seen."""
    time_s: float
    """Time of that frame."""


class Tracker:
    """Recognises people from frame to frame."""

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        """Start without known people.

        Args:
            patience_s: A person not seen for longer counts as new when seen again, unless the id is a known one.
        """
        self._patience_s = patience_s
        self._known: list[_Known] = []
        self._count = 0

    def step(self, people: np.ndarray, time_s: float, ids: Ids | None = None) -> list[int | None]:
        """Recognise the people of the next frame.

        Args:
            people: (P, J, 3) keypoints x, y, confidence; the people in any order. A confidence of 0 or NaN coordinates
                mean that the joint was not seen.
            time_s: Time of the frame in seconds; later than the previous frame.
            ids: Number of each person, where the source gives reliable ones.

        Returns:
            For each person the track's number, counted from 0 in the order of appearance; None for a person without a
            joint that was seen.

        Raises:
            ShapeError: `people` is not (P, J, 3), J has changed since the last frame, or there are not P `ids`.
        """
        poses, named = _masked(people), _named(ids, len(people))
        if len(poses) and self._known and self._known[0].pose.shape != poses.shape[1:]:
            raise ShapeError(
                f"wanted detections of shape (people, joints, 3) with {len(self._known[0].pose)} joints as before, "
                f"got {poses.shape}"
            )
        since_s = time_s - self._patience_s - _ROUNDING_S
        self._known = [known for known in self._known if known.id is not None or known.time_s >= since_s]
        by_id = {known.id: known for known in self._known if known.id is not None}
        seen = [place for place, pose in enumerate(poses) if pose[:, 2].any()]
        found = {place: by_id[name] for place in seen if (name := named[place]) in by_id}
        free = [known for known in self._known if known.time_s >= since_s and known not in found.values()]
        found |= self._matches(free, [place for place in seen if place not in found], poses, named, time_s)
        for place in seen:
            if place not in found:
                found[place] = _Known(self._count, None, poses[place], time_s)
                self._known.append(found[place])
                self._count += 1
            known, name = found[place], named[place]
            known.pose, known.time_s, known.id = poses[place], time_s, known.id if name is None else name
        return [found[place].number if place in found else None for place in range(len(poses))]

    @staticmethod
    def _matches(
        free: list[_Known], rest: list[int], poses: np.ndarray, named: Ids, time_s: float
    ) -> dict[int, _Known]:
        """Match the people at the places `rest` to known people in `free`, so that the sum of distances is smallest.

        A pair out of reach is not matched, and costs as much as the farthest pair within reach, so that no one is
        matched to a distant person only to make one more pair.
        """
        if not free or not rest:
            return {}
        from scipy.optimize import linear_sum_assignment  # takes 0.1 s to import

        apart = _apart(np.stack([known.pose for known in free]), poses[rest])
        gap_s = np.array([time_s - known.time_s for known in free]).clip(0, _LONGEST_GAP_S)
        within = apart <= (_SLACK + _SPEED * gap_s)[:, None]
        # two different ids are two different people
        within &= np.array([[known.id is None or named[place] is None for place in rest] for known in free])
        rows, columns = linear_sum_assignment(np.where(within, apart, _FARTHEST))
        return {rest[j]: free[i] for i, j in zip(rows, columns, strict=True) if within[i, j]}


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
    tracker, tracks = Tracker(patience_s=patience_s), list[Track]()
    believed = _believed(ids, len(detections))
    for frame, (people, time_s, names) in enumerate(zip(detections, times_s, believed, strict=True)):
        for place, number in enumerate(tracker.step(people, float(time_s), names)):
            if number is None:
                continue
            if number == len(tracks):
                tracks.append(Track())
            tracks[number].frames.append(frame)
            tracks[number].places.append(place)
    return tracks


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
    poses = _masked(
        np.stack([detections[frame][place] for frame, place in zip(track.frames, track.places, strict=True)])
    )
    out = np.full((len(detections), *poses.shape[1:]), np.nan, np.float32)
    out[..., 2] = 0.0
    out[track.frames] = poses
    return out


def _masked(people: np.ndarray) -> np.ndarray:
    """Return people as float32, unseen joints as NaN with confidence 0."""
    if np.ndim(people) != 3 or np.shape(people)[2] != 3:
        raise ShapeError(f"wanted detections of shape (people, joints, 3) in every frame, got {np.shape(people)}")
    poses = np.array(people, np.float32)
    poses[~(np.isfinite(poses).all(-1) & (poses[..., 2] > 0))] = (np.nan, np.nan, 0.0)
    return poses


def _named(ids: Ids | None, people: int) -> list[int | None]:
    """Return the number of each person of a frame; None for a person without a number, or with another's number."""
    ids = [None] * people if ids is None else ids
    if len(ids) != people:
        raise ShapeError(f"wanted an id, or None, for each of {people} people, got {len(ids)}")
    known = [None if id is None or id < 0 else id for id in ids]
    counts = Counter(known)
    return [id if counts[id] == 1 else None for id in known]


def _believed(ids: Sequence[Ids] | None, frames: int) -> Sequence[Ids | None]:
    """Return the numbers of each frame's people; None for every frame if the numbers do not distinguish people."""
    nothing: list[Ids | None] = [None] * frames
    if ids is None or not any(id is not None and id > 0 for row in ids for id in row):
        return nothing
    several = [[id for id in row if id is not None and id >= 0] for row in ids if len(row) > 1]
    apart = sum(len(set(row)) == len(row) for row in several)
    return ids if 2 * apart >= len(several) else nothing


def _apart(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return distances (K, P) between poses (K, J, 3) and (P, J, 3), in units of the larger of the two people's sizes.

    A distance is the mean over the joints seen in both poses, or the distance of the centres where these are too few. A
    size is the longer side of the box around the seen joints, so that one misplaced arm does not look like a jump.
    """
    joints = np.linalg.norm(old[:, None, :, :2] - new[None, :, :, :2], axis=-1)
    seen = np.isfinite(joints)
    centres = [np.nanmean(poses[..., :2], axis=1) for poses in (old, new)]
    distance = np.where(
        seen.sum(-1) < _FEWEST_JOINTS,
        np.linalg.norm(centres[0][:, None] - centres[1][None], axis=-1),
        np.where(seen, joints, 0).sum(-1) / seen.sum(-1).clip(min=1),
    )
    sizes = [(np.nanmax(poses[..., :2], axis=1) - np.nanmin(poses[..., :2], axis=1)).max(-1) for poses in (old, new)]
    return distance / np.maximum(sizes[0][:, None], sizes[1][None]).clip(min=1e-9)
