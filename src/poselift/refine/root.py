"""Where a person's root is, frame by frame, without the frames to come: an extended Kalman filter.

The terms are those of the clip's path (`poselift.refine.path`): joints are seen where the camera projects them, roots
speed up and slow down as bodies do, planted points of the feet neither move nor leave the floor. The state is the place
and the velocity of the root in camera axes; each frame's place is the least squares of what is seen and what was
expected, found in a few steps of Gauss and Newton with Cauchy's weights.
"""

from dataclasses import dataclass

import numpy as np

from poselift.refine.costs import NEAREST_M
from poselift.refine.path import (
    ACCELERATION,
    DETECTOR_ERROR_M,
    FLOOR_ERROR_M,
    LEAST_CONFIDENCE,
    SLIDE_M_S,
    SPREAD_SHARE,
    USUAL_SPREAD_M,
    Seen,
    first_guess,
)

FRAME_S = 0.02
"""Seconds of a frame at which `ACCELERATION` is the ordinary size of an independent acceleration."""
LONGEST_S = 0.5
"""Seconds without a frame after which the root is found anew."""
PLANTED = 0.5
"""Probability of contact from which a point is taken to stand."""
_TAIL_SEEN, _TAIL_FEET = 2.0, 3.0
_SMALLEST_PX = 0.5
_STEPS = 3
_FIRST_M, _FIRST_M_S = 1.0, 0.5
"""Ordinary error of the first place and the first velocity."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What a frame shows of one person; camera axes, metres, pixels."""

    joints: np.ndarray
    """(J, 3) metres, relative to the root, at the person's size."""
    pixels: np.ndarray
    """(J, 2) pixels without distortion."""
    confidence: np.ndarray
    """(J,) calibrated, 0 where unseen."""
    spread: np.ndarray | None
    """(J,) metres."""
    feet: np.ndarray
    """(P, 3) metres, relative to the root: points of the feet."""
    contact: np.ndarray
    """(P,) probability that each stands still on the ground; 0 where nothing is known of it."""
    heights: np.ndarray
    """(P,) metres above the floor of each point when it stands."""


class RootFilter:
    """Follows one person's root."""

    def __init__(self, K: np.ndarray) -> None:
        """Start without a place, for a camera with intrinsics (3, 3)."""
        self._K = K
        self._state = np.zeros(6)
        self._cov = np.zeros((6, 6))
        self._time_s = -np.inf
        self._feet: np.ndarray | None = None

    def scaled(self, ratio: float) -> None:
        """Take the person to be larger by a ratio, and so farther away."""
        self._state *= ratio
        self._cov *= ratio**2
        if self._feet is not None:
            self._feet *= ratio

    def step(self, sight: Sight, time_s: float, up: np.ndarray, height: float | None) -> np.ndarray:
        """Return the root's place (3,) in the next frame, metres, camera axes.

        Args:
            sight: What the frame shows.
            time_s: Time of the frame.
            up: (3,) direction up in camera axes.
            height: Height of the floor along `up`, from the camera; None while it is not known.
        """
        step_s = time_s - self._time_s
        seen = sight.confidence > 0
        if not 0 < step_s <= LONGEST_S or self._feet is None:
            if np.count_nonzero(seen) < 2 and self._feet is not None:
                return self._state[:3].copy()
            self._begin(sight)
        else:
            self._predict(step_s)
            self._stand(sight, step_s)
        self._time_s, self._feet = time_s, sight.feet.copy()
        self._look(sight, seen, up, height)
        return self._state[:3].copy()

    def _begin(self, sight: Sight) -> None:
        one = Seen(sight.joints[None], sight.pixels[None], sight.confidence[None], None, self._K, 1 / FRAME_S)
        self._state = np.concatenate([first_guess(one)[0], np.zeros(3)])
        depth = max(float(self._state[2]), NEAREST_M)
        self._cov = np.diag([(_FIRST_M * depth) ** 2] * 3 + [_FIRST_M_S**2] * 3)

    def _predict(self, step_s: float) -> None:
        """Move on: the velocity stays but for accelerations, independent in each frame."""
        move = np.eye(6)
        move[:3, 3:] = np.eye(3) * step_s
        self._state = move @ self._state
        self._cov = move @ self._cov @ move.T
        variance = ACCELERATION**2 * FRAME_S * step_s
        self._cov[3:, 3:] += np.eye(3) * variance
        self._cov[:3, :3] += np.eye(3) * variance * step_s**2 / 3

    def _stand(self, sight: Sight, step_s: float) -> None:
        """Take in that points that stand do not move: the root moves against them, as the pose says."""
        assert self._feet is not None
        for point in np.flatnonzero(sight.contact > PLANTED):
            wanted = (self._feet[point] - sight.feet[point]) / step_s
            variance = SLIDE_M_S**2 / sight.contact[point]
            miss = wanted - self._state[3:]
            variance *= 1 + float(miss @ miss) / variance / _TAIL_FEET**2
            gain = np.linalg.solve(self._cov[3:, 3:] + np.eye(3) * variance, self._cov[3:]).T
            self._state = self._state + gain @ miss
            self._cov = self._cov - gain @ self._cov[3:]

    def _look(self, sight: Sight, seen: np.ndarray, up: np.ndarray, height: float | None) -> None:
        """Take in where joints are seen, and that points that stand are on the floor."""
        before, prior = self._state[:3].copy(), np.linalg.inv(self._cov[:3, :3])
        place, information = before, prior
        joints, pixels = sight.joints[seen], sight.pixels[seen]
        spread = USUAL_SPREAD_M if sight.spread is None else sight.spread[seen]
        unsure = np.hypot(DETECTOR_ERROR_M / sight.confidence[seen].clip(LEAST_CONFIDENCE), SPREAD_SHARE * spread)
        stands = sight.contact > PLANTED if height is not None else np.zeros(len(sight.contact), bool)
        focal, centre = self._K[:2, :2], self._K[:2, 2]
        for _ in range(_STEPS):
            slope, information = prior @ (place - before), prior.copy()
            if len(joints):
                there = place + joints
                depth = there[:, 2:].clip(NEAREST_M)
                size = (unsure * (self._K[0, 0] / max(place[2], NEAREST_M))).clip(_SMALLEST_PX)[:, None]
                error = (there[:, :2] / depth @ focal.T + centre - pixels) / size
                rows = np.zeros((len(joints), 2, 3))
                rows[:, 0, 0] = rows[:, 1, 1] = 1
                rows[:, :, 2] = -there[:, :2] / depth
                rows = focal @ rows / (depth * size)[..., None]
                weight = 1 / (1 + (error**2).sum(-1) / _TAIL_SEEN**2)
                flat, scaled = rows.reshape(-1, 3), np.repeat(weight, 2)
                information += flat.T @ (flat * scaled[:, None])
                slope += flat.T @ (error.ravel() * scaled)
            if stands.any():
                assert height is not None
                size = FLOOR_ERROR_M / np.sqrt(sight.contact[stands])
                error = ((place + sight.feet[stands]) @ up - height - sight.heights[stands]) / size
                weight = 1 / (1 + error**2 / _TAIL_FEET**2) / size
                slope += up * float(weight @ error)
                information += np.outer(up, up) * float(weight @ (1 / size))
            place = place - np.linalg.solve(information, slope)
            place[2] = max(float(place[2]), NEAREST_M)
        gain = self._cov[:, :3] @ prior
        self._state = self._state + gain @ (place - before)
        self._state[:3] = place
        self._cov = self._cov - gain @ (self._cov[:3, :3] - np.linalg.inv(information)) @ gain.T
        self._cov = (self._cov + self._cov.T) / 2
