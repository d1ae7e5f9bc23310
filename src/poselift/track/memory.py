"""What the tracker remembers of a person: the last known place of every joint, how the body moves, and its size.

A body's place follows a constant velocity that is disturbed by random accelerations: a Kalman filter, the same for x
and y, with variances in units of the person's size squared. The place is measured by the median displacement of the
joints, so that a misplaced limb does not move the body.
"""

import math
from dataclasses import dataclass

import numpy as np

MEASURED = 0.02
"""Standard deviation of a measured place, in sizes."""
ACCELERATION = 1.0
"""Spectral density of a body's random accelerations, in sizes squared per second cubed."""
_FIRST_VELOCITY = 1.5
"""Standard deviation of the velocity of somebody new, in sizes per second."""
_GROWTH_S, _DECAY_S = 0.15, 1.5
"""Time constants of the size. It shrinks slowly, since joints are hidden more often than invented."""
FEWEST_JOINTS = 3
"""A displacement is measured with this many common joints."""


@dataclass(eq=False)
class Motion:
    """A body's place and velocity in pixels, and how sure they are."""

    place: np.ndarray
    """(2,) pixels."""
    velocity: np.ndarray
    """(2,) pixels per second."""
    variance: tuple[float, float, float] = (MEASURED**2, 0.0, _FIRST_VELOCITY**2)
    """Of the place, their covariance, and of the velocity, in units of size."""
    acceleration: float = ACCELERATION
    """Spectral density of random accelerations, in sizes squared per second cubed."""

    def after(self, gap_s: float) -> "Motion":
        """Return the motion expected after a time, in seconds."""
        place, both, velocity = self.variance
        return Motion(
            self.place + self.velocity * gap_s,
            self.velocity,
            (
                place + 2 * both * gap_s + velocity * gap_s**2 + self.acceleration * gap_s**3 / 3,
                both + velocity * gap_s + self.acceleration * gap_s**2 / 2,
                velocity + self.acceleration * gap_s,
            ),
            self.acceleration,
        )

    def corrected(self, surprise: np.ndarray, size: float) -> "Motion":
        """Return the motion after a measured place that differs by `surprise` (2,) pixels from this one."""
        place, both, velocity = self.variance
        total = place + MEASURED**2
        # a surprise beyond three standard deviations counts as three: the detector's error, more often than the body's
        length = math.hypot(*surprise) / (size * math.sqrt(total))
        surprise = surprise * min(1.0, 3.0 / max(length, 1e-9))
        gain_place, gain_velocity = place / total, both / total
        return Motion(
            self.place + gain_place * surprise,
            self.velocity + gain_velocity * surprise,
            (place - gain_place * place, both - gain_place * both, velocity - gain_velocity * both),
            self.acceleration,
        )


@dataclass(frozen=True, eq=False)
class Held:
    """What speaks against somebody new: somebody else has vanished just then."""

    since_s: float
    """Time when the new one was first seen."""
    instead_of: "Person"
    """Whoever has vanished."""


@dataclass(eq=False)
class Person:
    """A person whom the tracker has seen."""

    number: int
    """Number of the track."""
    id: int | None
    """The source's number of the person."""
    pose: np.ndarray
    """(J, 2) pixels: each joint where it was last seen, moved along with the body since; NaN if never seen."""
    seen_s: np.ndarray
    """(J,) time in seconds when each joint was last seen; -inf if never."""
    time_s: float
    """Time when the person was last seen."""
    motion: Motion
    """How the body moves; its place is that of `pose`, up to errors of measurement."""
    measured: np.ndarray
    """(2,) pixels: the measured place of `pose`."""
    size: float
    """Pixels: the longer side of the box around the joints, changing slowly."""
    held: "Held | None" = None
    """Why this may be nobody; None for somebody who is sure to be there."""

    @classmethod
    def first_seen(cls, number: int, pose: np.ndarray, time_s: float) -> "Person":
        """Remember somebody new.

        Args:
            number: Number of the track.
            pose: (J, 3) keypoints, NaN where a joint was not seen; one at least was.
            time_s: Time of the frame.
        """
        seen = pose[:, 2] > 0
        place = np.nanmean(pose[:, :2], axis=0)
        return cls(
            number, None, pose[:, :2].copy(), np.where(seen, time_s, -np.inf), time_s,
            Motion(place, np.zeros(2)), place, max(box(pose), 1e-6),
        )  # fmt: skip

    def expected(self, time_s: float) -> tuple[np.ndarray, Motion]:
        """Return the joints (J, 2) and the motion expected at a time."""
        motion = self.motion.after(max(time_s - self.time_s, 0.0))
        return self.pose + (motion.place - self.measured), motion

    def see(self, pose: np.ndarray, time_s: float, moved: np.ndarray | None = None) -> None:
        """Take over the next keypoints.

        Args:
            pose: (J, 3) keypoints, NaN where a joint was not seen.
            time_s: Time of the frame.
            moved: (2,) pixels: displacement of the body against its expected place, where that is known already.
        """
        joints, motion = self.expected(time_s)
        if moved is None:
            moved = displacement(joints, pose[:, :2])
        seen, gap_s = pose[:, 2] > 0, time_s - self.time_s
        self.measured = motion.place + moved
        self.motion = motion.corrected(moved, self.size)
        self.pose = np.where(seen[:, None], pose[:, :2], joints + moved)
        self.seen_s = np.where(seen, time_s, self.seen_s)
        change = math.log(max(box(pose), 1e-6) / self.size)
        share = -math.expm1(-gap_s / (_GROWTH_S if change > 0 else _DECAY_S))
        self.size *= math.exp(min(max(share * change, -0.1), 0.1))
        self.time_s = time_s


def displacement(joints: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Return the displacement (2,) of a body between two poses (J, 2), NaN where a joint was not seen.

    It is the median over the common joints; 0 if fewer than `FEWEST_JOINTS` are common.
    """
    away = pose - joints
    away = away[np.isfinite(away[:, 0])]
    if len(away) < FEWEST_JOINTS:
        return np.zeros(2)
    away.sort(axis=0)
    return np.asarray((away[(len(away) - 1) // 2] + away[len(away) // 2]) / 2)


def box(pose: np.ndarray) -> float:
    """Return the longer side of the box around the joints (J, 2 or 3), in pixels."""
    seen = pose[np.isfinite(pose[:, 0]), :2]
    return float((seen.max(0) - seen.min(0)).max())
