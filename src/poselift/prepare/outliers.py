"""Find frames in which a detector shows something else than the person, for a moment.

Detectors take a wrong crop, or the bystander, for a few frames and with full confidence: all joints collapse into a
corner of the body, or jump onto somebody else and back. Of all ways to leave out frames, we take the cheapest: a frame
left out costs its duration, and a jump that stays costs `PRICE_OF_JUMP_S`. So a moment between two jumps is left out,
and a cut to another place, which is one jump, or motion that is as fast throughout, stays.
"""

from dataclasses import dataclass

import numpy as np

from poselift.prepare.jumps import around, kept, longest_steps
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton

LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
FEWEST_JOINTS = 6
"""Limb joints that two frames must both show to be compared: half of them."""
JUMP = 0.3
"""Displacement between two frames, the median over limb joints, that is no jump however short the time: noise and
exchanged limbs. In person sizes, the root mean square distance of limb joints from their mean: half a metre upright."""
FASTEST_PER_S = 12.0
"""Person sizes a second on top of that, about 6 m/s. From a frame to the next, motion that does not set in at once is
no jump at any speed (`STEADY`)."""
LONGEST_STEP_S = 1 / 15
"""Seconds of a pause in which nothing was seen over which that speed counts, or one frame if that is longer."""
STEADY = 2.0
"""Speed from a frame to the next, over that just before and that just after, of motion that goes on: sprints, and
cameras that are swung round."""
CHANGE_OF_SIZE = 1.8
"""The body jumps, too, if it grows or shrinks by this factor from one frame to another. In motion capture it does so by
1.2 at most in a twenty-fifth of a second, and by 1.4 in a tenth; a detector with a wrong crop by 2.6 and more."""
PRICE_OF_JUMP_S = 0.25
"""What a jump costs, as seconds of frames left out: up to half a second between two jumps is left out."""
SIZE_WINDOW_S = 2.0
"""Seconds over which the person's size is the median."""


def find_outliers(keypoints: Keypoints2D) -> np.ndarray:
    """Find the frames that show something else than the person for a moment.

    Args:
        keypoints: Any skeleton.

    Returns:
        (T,) bool. Frames that show fewer than `FEWEST_JOINTS` limb joints are not among them, nor those that have fewer
        in common with others.
    """
    found = np.zeros(len(keypoints), bool)
    _, other = limb_joints(keypoints.skeleton)
    frames, xy, seen = _shown(keypoints)
    if len(frames) < 3:
        return found
    spread = _spread(xy, seen)
    size = _running_median(spread, keypoints.fps)
    track = _Track(xy, seen, frames / keypoints.fps, size, other, keypoints.fps)
    price = PRICE_OF_JUMP_S * keypoints.fps
    for part in around(np.flatnonzero(~_calm(xy, seen, size, spread)), price, len(frames)):
        stretch = track.part(part)
        if stretch.jumps(1).any():
            found[frames[part]] = ~kept(len(stretch.xy), price, stretch.jumps)
    return found


def _calm(xy: np.ndarray, seen: np.ndarray, size: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return the steps from a frame to the next (N - 1,) bool that are no jump for sure: quick, and true of most.

    Half of the joints move at least as far as the median, so that it is twice the mean at most.
    """
    same = (seen[1:] == seen[:-1]).all(1)
    mean = np.abs(xy[1:] - xy[:-1]).sum((1, 2)) / seen[1:].sum(1)
    grown = np.maximum(spread[1:], spread[:-1]) <= CHANGE_OF_SIZE * np.minimum(spread[1:], spread[:-1])
    return same & grown & (2 * mean <= JUMP * np.sqrt(size[1:] * size[:-1]))


@dataclass(frozen=True, eq=False)
class _Track:
    """The limbs of a person in N frames that show enough of them."""

    xy: np.ndarray
    """(N, J, 2) pixels."""
    seen: np.ndarray
    """(N, J) bool."""
    times_s: np.ndarray
    """(N,)"""
    size: np.ndarray
    """(N,) the person's size around each frame, pixels."""
    other: list[int]
    """Place of each joint's other side."""
    fps: float

    def part(self, frames: slice) -> "_Track":
        xy, seen, times_s, size = (array[frames] for array in (self.xy, self.seen, self.times_s, self.size))
        return _Track(xy, seen, times_s, size, self.other, self.fps)

    def jumps(self, lag: int) -> np.ndarray:
        """Return whether the body jumps (N - lag,) from each frame to the one `lag` later."""
        far, grown = self._changes(lag)
        step_s = longest_steps(self.times_s, lag, max(LONGEST_STEP_S, 1 / self.fps))
        sudden = far > JUMP + FASTEST_PER_S * step_s
        if lag == 1 and len(far) > 1:
            speed = far / np.diff(self.times_s)
            before, after = np.append(speed[1], speed[:-1]), np.append(speed[1:], speed[-2])
            sudden &= speed > STEADY * np.minimum(before, after)
        return sudden | (grown > np.log(CHANGE_OF_SIZE))

    def _changes(self, lag: int) -> tuple[np.ndarray, np.ndarray]:
        """Return how far joints move and how much the body grows (N - lag,), from each frame to the one `lag` later.

        The first is the median over joints in person sizes, of sides as they are or exchanged, whichever is less: an
        exchange is no jump. The second is the absolute logarithm of the factor. Both are 0 where too few joints are
        seen in both frames to tell.
        """
        far, grown = np.full((2, len(self.xy) - lag), np.inf), np.zeros(len(self.xy) - lag)
        for row, order in enumerate((list(range(len(self.other))), self.other)):
            both = self.seen[:-lag] & self.seen[lag:, order]
            enough = both.sum(1) >= FEWEST_JOINTS
            both, before, after = both[enough], self.xy[:-lag][enough], self.xy[lag:, order][enough]
            far[row, enough] = _median(np.linalg.norm(after - before, axis=-1), both)
            if row == 0:
                grown[enough] = np.abs(np.log(_reach(after, both) / _reach(before, both)))
        far = np.where(np.isfinite(far[0]), far.min(0), 0.0)
        return far / np.sqrt(self.size[lag:] * self.size[:-lag]), grown


def limb_joints(skeleton: Skeleton) -> tuple[list[int], list[int]]:
    """Return the limb joints of both sides, and the place of each one's other side among them."""
    pairs = [pair for pair in skeleton.pairs if skeleton.joints[pair[0]].removeprefix("left_") in LIMBS]
    count = len(pairs)
    return [left for left, _ in pairs] + [right for _, right in pairs], [*range(count, 2 * count), *range(count)]


def person_sizes(keypoints: Keypoints2D) -> np.ndarray | None:
    """Return the person's size in pixels around each frame (T,); None where too little of them is ever seen."""
    frames, xy, seen = _shown(keypoints)
    if not len(frames):
        return None
    return np.interp(np.arange(len(keypoints)), frames, _running_median(_spread(xy, seen), keypoints.fps))


def _shown(keypoints: Keypoints2D) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the frames (N,) that show enough limb joints, these (N, J, 2) and which of them are seen (N, J)."""
    joints, _ = limb_joints(keypoints.skeleton)
    seen = keypoints.seen[:, joints]
    frames = np.flatnonzero(seen.sum(1) >= FEWEST_JOINTS)
    return frames, np.where(seen[frames][..., None], keypoints.xy[frames][:, joints], 0.0), seen[frames]


def _running_median(sizes: np.ndarray, fps: float) -> np.ndarray:
    """Return the median (N,) of what lies within a second of each frame, to half a second in time."""
    reach = round(SIZE_WINDOW_S * fps / 2)
    places = np.arange(0, len(sizes), max(reach // 2, 1))
    medians = [np.median(sizes[max(place - reach, 0) : place + reach + 1]) for place in places]
    return np.interp(np.arange(len(sizes)), places, medians)


def _spread(xy: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the root mean square distance (N,) of the seen ones of points (N, J, 2) from their mean."""
    count, weight = seen.sum(1), seen.astype(np.float64)
    middle = np.einsum("nj,njc->nc", weight, xy) / count[:, None]
    square = np.einsum("nj,njc->n", weight, (xy - middle[:, None]) ** 2) / count
    return np.maximum(np.sqrt(square), 1e-6)


def _reach(xy: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the median distance (N,) of the seen ones of points (N, J, 2) from their median."""
    middle = np.stack([_median(xy[..., axis], seen) for axis in (0, 1)], 1)
    return np.maximum(_median(np.linalg.norm(xy - middle[:, None], axis=-1), seen), 1e-6)


def _median(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the median (N,) of the seen ones of values (N, J), one or more a row; quicker than numpy's for few."""
    ranked, count, rows = np.sort(np.where(seen, values, np.inf), 1), seen.sum(1), np.arange(len(values))
    return (ranked[rows, (count - 1) // 2] + ranked[rows, count // 2]) / 2
