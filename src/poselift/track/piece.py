"""Pieces of tracks, and what can be said of the person before a piece's first frame and after its last."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from poselift.track.body import lengths_of
from poselift.track.likeness import compare
from poselift.track.memory import Person, box

_RUN_UP_S = 1.0
"""The motion at an end of a piece is measured over this time."""
_ACCELERATION = 0.15
"""Spectral density of random accelerations: people mostly go on as before, and sometimes turn (see `link`)."""
_WELL, _HIDING_S = 0.7, 0.4
"""Frames of the last 0.4 s whose joints' confidences sum to less than 0.7 of what is usual do not count at an end."""
_LOOK_S = 0.5
"""The mean pose at an end of a piece is taken over this time."""


@dataclass(eq=False)
class End:
    """A person at the first or last frame of a piece, or of several."""

    person: Person
    """Place, motion and size; the motion is that of time going forward, whichever end it is."""
    shape: np.ndarray
    """(J, 2) mean pose against the body's place, in sizes; NaN for joints that were not seen."""
    bones: np.ndarray
    """(B,) lengths in pixels of the bones over the last second; NaN where not seen."""


@dataclass(eq=False)
class Piece:
    """Consecutive appearances of somebody who is one person as far as the tracker knows."""

    frames: list[int]
    """Frame numbers, increasing."""
    places: list[int]
    """Index of the person among the people of each of these frames."""
    poses: np.ndarray
    """(N, J, 3) keypoints in these frames, NaN where a joint was not seen."""
    times_s: np.ndarray
    """(N,) times of these frames."""
    bones: np.ndarray
    """(B, 2) joints at the ends of each bone."""
    unclear: bool = False
    """Whether it may show somebody else too, or instead, who was out of sight at the same place."""

    @cached_property
    def first(self) -> End:
        """The person at the first frame."""
        return _end(self.poses[::-1], -self.times_s[::-1], self.bones)

    @cached_property
    def last(self) -> End:
        """The person at the last frame."""
        return _end(self.poses, self.times_s, self.bones)

    @property
    def seconds(self) -> float:
        """Time from the first frame to the last."""
        return float(self.times_s[-1] - self.times_s[0])

    @classmethod
    def joined(cls, pieces: Sequence["Piece"]) -> "Piece":
        """Return one piece that holds several, which follow each other or fill each other's gaps."""
        frames = np.concatenate([piece.frames for piece in pieces])
        order = np.argsort(frames, kind="stable")
        return cls(
            frames[order].tolist(),
            np.concatenate([piece.places for piece in pieces])[order].tolist(),
            np.concatenate([piece.poses for piece in pieces])[order],
            np.concatenate([piece.times_s for piece in pieces])[order],
            pieces[0].bones,
        )


def _end(poses: np.ndarray, times_s: np.ndarray, bones: np.ndarray) -> End:
    """Follow a person to the last of some frames; `times_s` is negative and increasing where time goes backwards."""
    shown = np.nan_to_num(poses[..., 2]).sum(-1)
    well = np.flatnonzero((shown >= _WELL * np.median(shown)) | (times_s < times_s[-1] - _HIDING_S))
    stop = well[-1] + 1 if len(well) else len(poses)
    poses, times_s = poses[:stop], times_s[:stop]
    start = int(np.searchsorted(times_s, times_s[-1] - _RUN_UP_S))
    person = Person.first_seen(0, poses[start], times_s[start])
    person.motion.acceleration = _ACCELERATION
    for pose, time_s in zip(poses[start + 1 :], times_s[start + 1 :], strict=True):
        person.see(pose, time_s, compare([person], pose[None], time_s).moved[0, 0])
    late = int(np.searchsorted(times_s, times_s[-1] - _LOOK_S))
    late_poses = poses[late:, :, :2]
    middle = np.nanmedian(late_poses, axis=1, keepdims=True)
    count = np.isfinite(late_poses).sum(0)
    shape = np.where(count, np.nansum(late_poses - middle, axis=0) / count.clip(min=1), np.nan) / person.size
    return End(person, shape, lengths_of(poses[start:], bones))
