"""The one-euro filter: it smooths what moves slowly, and lets what moves fast pass.

Its delay depends on the motion, and is counted: `OneEuro.delay_s`.

Source: Casiez, Roussel and Vogel 2012, "1 euro filter", equations 1 to 5. Differs: the cutoff of each joint is divided
by how uncertain the joint is, where that is known.
"""

import numpy as np

USUAL_SPREAD_M = 0.05
"""Spread of a joint at which the cutoff is as it would be without spreads."""


class OneEuro:
    """Smooths the joints of one person, frame by frame."""

    def __init__(self, *, slowest_hz: float = 2.0, per_speed: float = 3.0, speed_hz: float = 1.0) -> None:
        """Start without frames.

        Args:
            slowest_hz: Cutoff of a joint at rest; lower ones jitter less and come later.
            per_speed: Hz that the cutoff grows for each metre a second of the joint's speed.
            speed_hz: Cutoff of the filter that the speed itself goes through.
        """
        self._slowest_hz, self._per_speed, self._speed_hz = slowest_hz, per_speed, speed_hz
        self._time_s = -np.inf
        self._joints = self._velocity = np.zeros(0)
        self.delay_s = 0.0
        """By how much the last pose is late, in seconds: what a joint in steady motion lags, the mean over joints."""

    def __call__(self, joints: np.ndarray, time_s: float, spread: np.ndarray | None = None) -> np.ndarray:
        """Smooth the next frame.

        Args:
            joints: (J, 3) metres.
            time_s: Time of the frame, later than the one before.
            spread: (J,) expected distance of each joint from where it truly is, metres.

        Returns:
            (J, 3) metres; the joints as they are after a pause of half a second.
        """
        step_s, self._time_s = time_s - self._time_s, time_s
        if not 0 < step_s <= 0.5:
            self._joints, self._velocity, self.delay_s = joints.copy(), np.zeros_like(joints), 0.0
            return joints
        self._velocity += _share(self._speed_hz, step_s) * ((joints - self._joints) / step_s - self._velocity)
        cutoff_hz = self._slowest_hz + self._per_speed * np.linalg.norm(self._velocity, axis=-1)
        if spread is not None:
            cutoff_hz *= USUAL_SPREAD_M / np.maximum(spread, USUAL_SPREAD_M / 10)
        share = _share(cutoff_hz, step_s)
        self.delay_s = float(((1 - share) / share).mean() * step_s)
        self._joints = self._joints + share[:, None] * (joints - self._joints)
        return np.asarray(self._joints, joints.dtype)


def _share(cutoff_hz: np.ndarray | float, step_s: float) -> np.ndarray:
    """Return the share of the new value in the filtered one (equation 5)."""
    return np.asarray(1 / (1 + 1 / (2 * np.pi * np.asarray(cutoff_hz) * step_s)))
