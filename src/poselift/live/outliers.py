"""Find outliers in a stream: frames that show something else than the person, and joints that jump far away.

What `poselift.prepare.outliers` and `strays` find in a clip by what comes before and after, from what came before
alone, by the same bounds. A frame to which the body jumps, and a joint that jumps, are left out at once. If they stay
away, that is where they are from then on: a cut, or another person. What a jump costs in a clip is how long it is left
out here.
"""

import math
from dataclasses import dataclass

import numpy as np

from poselift.live.history import RunningMedian
from poselift.prepare import outliers, strays
from poselift.prepare.outliers import CHANGE_OF_SIZE, FEWEST_JOINTS, LONGEST_STEP_S, STEADY, limb_joints
from poselift.skeleton import Skeleton

WAIT_S = outliers.PRICE_OF_JUMP_S
"""Seconds after which a jump that stays is taken, and seconds at the start in which nothing is left out."""
JOINT_WAIT_S = strays.PRICE_OF_JUMP_S
"""The same for a single joint."""
RETURN_S = 2.0
"""Seconds in which the body may come back to where it was before a jump that was taken."""


@dataclass(frozen=True, eq=False)
class _Body:
    """The limb joints of a frame."""

    xy: np.ndarray
    """(J, 2) pixels; 0 where not seen."""
    seen: np.ndarray
    """(J,) bool."""
    count: int
    """Number of joints seen."""
    spread: float
    """Root mean square distance of the seen joints from their mean, pixels."""
    time_s: float


class OutlierFilter:
    """Leaves out what jumps, frame by frame. Memory and time are constant."""

    def __init__(self, skeleton: Skeleton) -> None:
        """Start without frames.

        Args:
            skeleton: Joint order of the frames.
        """
        self.left_out = False
        """Whether the body jumped in the newest frame."""
        self._limbs, self._other = (np.array(part) for part in limb_joints(skeleton))
        self._size = RunningMedian(1)
        self._now: _Body | None = None
        """The body in the last frame that was taken."""
        self._earlier: _Body | None = None
        """The one before it, if none was left out in between."""
        self._left: _Body | None = None
        """Where the body was before a jump that was taken."""
        self._first_s = self._last_s = -math.inf
        self._pause_s = 0.0
        self._ends = np.array([j for j, name in enumerate(skeleton.joints) if name.endswith(strays.ENDS)])
        sides = dict([*skeleton.pairs, *((right, left) for left, right in skeleton.pairs)])
        ends = self._ends.tolist()
        self._mirror = np.array([ends.index(sides.get(joint, joint)) for joint in ends])
        self._places = np.zeros((len(self._ends), 2))
        self._placed_s, self._shown_s = np.full((2, len(self._ends)), -np.inf)
        self._pauses_s = np.zeros(len(self._ends))

    def __call__(self, frame: np.ndarray, time_s: float) -> np.ndarray:
        """Return the next frame without what jumps.

        Args:
            frame: (J, 3) pixels and score, 0 where a joint was not seen. It is not changed.
            time_s: Time of the frame, later than the one before.

        Returns:
            The same frame; or a copy with zeros for joints that jump, or for all if the body does.
        """
        step_s, self._last_s = time_s - self._last_s, time_s
        self.left_out = self._jumps(frame, time_s, step_s)
        if self.left_out:
            return np.zeros_like(frame)
        return self._without_strays(frame, time_s, step_s)

    def _jumps(self, frame: np.ndarray, time_s: float, step_s: float) -> bool:
        """Return whether the body jumps; else remember where it is. A frame that shows too little says nothing."""
        limbs = frame[self._limbs].astype(np.float64)
        seen = limbs[:, 2] > 0
        count = int(np.count_nonzero(seen))
        if count < FEWEST_JOINTS:
            return False
        xy = limbs[:, :2] * seen[:, None]
        middle = xy.sum(0) / count
        spread = math.sqrt(max(float(np.vdot(xy, xy)) / count - float(middle @ middle), 1e-12))
        now, body = self._now, _Body(xy, seen, count, spread, time_s)
        since_s = math.inf if now is None else time_s - now.time_s
        left_out = since_s > step_s
        self._pause_s = max(self._pause_s, step_s)
        if now is None:
            self._first_s = time_s
        elif since_s > WAIT_S:
            self._left = now if since_s <= RETURN_S else None
        elif time_s - self._first_s > WAIT_S and not self._calm(now, body):
            far, grown = self._change(now, body)
            sudden = far > outliers.JUMP + outliers.FASTEST_PER_S * min(self._pause_s, max(LONGEST_STEP_S, step_s))
            sudden = sudden and (left_out or not self._goes_on(far / since_s))
            if (sudden or grown > CHANGE_OF_SIZE) and not self._returns(body):
                return True
        self._earlier = None if left_out else now
        self._now, self._pause_s = body, 0.0
        self._size.add(spread)
        return False

    def _calm(self, now: _Body, body: _Body) -> bool:
        """Return whether this is no jump for sure, quickly: see `poselift.prepare.outliers`."""
        grown = max(body.spread, now.spread) <= CHANGE_OF_SIZE * min(body.spread, now.spread)
        mean = float(np.abs(body.xy - now.xy).sum()) / body.count
        return grown and 2 * mean <= outliers.JUMP * self._size.value and bool((body.seen == now.seen).all())

    def _goes_on(self, speed: float) -> bool:
        """Return whether the body was about as fast just before, or nothing is known of that."""
        if self._earlier is None or self._now is None:
            return True
        far, _ = self._change(self._earlier, self._now)
        return speed <= STEADY * far / (self._now.time_s - self._earlier.time_s)

    def _returns(self, body: _Body) -> bool:
        """Return whether the body is back where it was before the last jump that was taken."""
        if self._left is None or body.time_s - self._left.time_s > RETURN_S:
            return False
        far, grown = self._change(self._left, body)
        if far > outliers.JUMP + outliers.FASTEST_PER_S * LONGEST_STEP_S or grown > CHANGE_OF_SIZE:
            return False
        self._left = None
        return True

    def _change(self, one: _Body, other: _Body) -> tuple[float, float]:
        """Return how far joints move, in person sizes, and the factor by which the body grows or shrinks.

        As in a clip: the median over joints, of sides as they are or exchanged; 0 and 1 where too few are seen in both.
        """
        moved, factor = [], 1.0
        for order in (None, self._other):
            xy, seen = (other.xy, other.seen) if order is None else (other.xy[order], other.seen[order])
            both = one.seen & seen
            if np.count_nonzero(both) >= FEWEST_JOINTS:
                here, there = one.xy[both], xy[both]
                moved.append(float(np.median(np.hypot(*(there - here).T))))
                if order is None:
                    factor = _reach(there) / _reach(here)
        return min(moved, default=0.0) / self._size.value, max(factor, 1 / factor)

    def _without_strays(self, frame: np.ndarray, time_s: float, step_s: float) -> np.ndarray:
        """Return the frame without single joints that jump, and remember where the others are."""
        ends = frame[self._ends]
        seen = ends[:, 2] > 0
        np.maximum(self._pauses_s, time_s - self._shown_s, out=self._pauses_s)
        most_s = np.minimum(self._pauses_s, max(LONGEST_STEP_S, step_s))
        most = (strays.JUMP + strays.FASTEST_PER_S * most_s) * self._size.value
        places = np.stack([self._places, self._places[self._mirror]])
        own, other = np.hypot(*(ends[:, :2] - places).transpose(2, 0, 1)) > most
        recent = time_s - self._placed_s <= JOINT_WAIT_S
        away = seen & own & other & recent  # a joint at the place of its other side is exchanged, and not away
        self._shown_s[seen] = time_s
        stays = seen & ~(own & recent)
        self._places[stays], self._placed_s[stays], self._pauses_s[stays] = ends[stays, :2], time_s, 0.0
        if not away.any():
            return frame
        frame = frame.copy()
        frame[self._ends[away]] = 0
        return frame


def _reach(xy: np.ndarray) -> float:
    """Return the median distance of points (N, 2) from their median, which is not 0."""
    return max(float(np.median(np.hypot(*(xy - np.median(xy, 0)).T))), 1e-6)
