"""Pieces of tracks, and what can be said of the person before a piece's first frame and after its last."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from poselift.track.body import lengths_of
from poselift.track.memory import Person

_RUN_UP_S = 1.0
"""Seconds at an end of a piece over which motion and bones are measured."""
_LOOK_S = 0.5
"""Seconds at an end of a piece over which the mean pose is taken."""
_ACCELERATION = 0.15
"""Spectral density of random accelerations, sizes squared per second cubed: people mostly go on as they did."""
_WELL, _HIDING_S = 0.7, 0.4
"""Frames of the last 0.4 s whose confidences sum to less than 0.7 of what is usual do not count at an end: there the
person is half hidden already, and the detector guesses."""


@dataclass(eq=False)
class End:
    """A person at the first or the last frame of a piece. At the first, the time goes backwards."""

    person: Person
    """Place, motion and size."""
    shape: np.ndarray
    """(J, 2) mean pose against its median joint, in sizes; NaN for joints that were not seen."""
    bones: np.ndarray
    """(B,) lengths of the bones in pixels; NaN where not seen."""


@dataclass(eq=False)
class Piece:
    """Appearances of somebody who is one person as far as is known."""

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

    @cached_property
    def lengths(self) -> np.ndarray:
        """(B,) lengths of the bones over all frames, in pixels; NaN where not seen."""
        return lengths_of(self.poses, self.bones)

    @property
    def seconds(self) -> float:
        """Time from the first frame to the last."""
        return float(self.times_s[-1] - self.times_s[0])

    @classmethod
    def joined(cls, pieces: Sequence["Piece"]) -> "Piece":
        """Return one piece made of several, which follow each other."""
        if len(pieces) == 1:
            return pieces[0]
        made = cls(
            [frame for piece in pieces for frame in piece.frames],
            [place for piece in pieces for place in piece.places],
            np.concatenate([piece.poses for piece in pieces]),
            np.concatenate([piece.times_s for piece in pieces]),
            pieces[0].bones,
        )
        if pieces[0].seconds >= _RUN_UP_S:
            made.first = pieces[0].first  # has been computed already, as a rule
        if pieces[-1].seconds >= _RUN_UP_S:
            made.last = pieces[-1].last
        return made


def _end(poses: np.ndarray, times_s: np.ndarray, bones: np.ndarray) -> End:
    """Follow a person to the last of some frames; times are negative and increasing where time goes backwards."""
    sure = poses[..., 2].sum(-1)
    well = np.flatnonzero((sure >= _WELL * np.median(sure)) | (times_s < times_s[-1] - _HIDING_S))
    poses, times_s = poses[: well[-1] + 1], times_s[: well[-1] + 1]
    start, late = np.searchsorted(times_s, [times_s[-1] - _RUN_UP_S, times_s[-1] - _LOOK_S])
    person = Person.first_seen(0, poses[start], times_s[start])
    person.motion.acceleration = _ACCELERATION
    for pose, time_s in zip(poses[start + 1 :], times_s[start + 1 :], strict=True):
        person.see(pose, time_s)
    shown = poses[late:, :, :2]
    count = np.isfinite(shown).sum(0)
    total = np.nansum(shown - np.nanmedian(shown, axis=1, keepdims=True), axis=0)
    shape = np.where(count, total / count.clip(min=1), np.nan) / person.size
    return End(person, shape, lengths_of(poses[start:], bones))
