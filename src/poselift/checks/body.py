"""A clip's joints by name, and measures of the person that the checks share."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from poselift.sequence import Keypoints2D

HIGH = ("head_top", "head", "nose", "left_ear", "right_ear", "neck", "thorax", "left_shoulder", "right_shoulder")
"""Joints of the upper body that stand above `LOW` in someone upright."""
LOW = ("left_knee", "right_knee", "left_ankle", "right_ankle")
"""Joints of the legs."""
_MOST_FRAMES = 300


@dataclass(frozen=True, eq=False)
class Body:
    """2D keypoints in float64, with NaN for unseen joints, looked up by joint name."""

    keypoints: Keypoints2D
    """The person's keypoints."""
    rate_known: bool = True
    """Whether `keypoints.fps` is the clip's frame rate, not a stand-in for one that is not known."""

    @cached_property
    def seen(self) -> np.ndarray:
        """(T, J) bool: the keypoints' own `seen`, looked up once."""
        return self.keypoints.seen

    @cached_property
    def xy(self) -> np.ndarray:
        """(T, J, 2) pixels, NaN where unseen."""
        return np.where(self.seen[..., None], self.keypoints.xy, np.nan).astype(np.float64)

    def joint(self, name: str) -> np.ndarray:
        """Return one joint, (T, 2); all NaN when the skeleton has no joint of this name."""
        skeleton = self.keypoints.skeleton
        return self.xy[:, skeleton.index(name)] if name in skeleton else np.full(self.xy[:, 0].shape, np.nan)

    def both(self, joint: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the left and the right joint of this name, each (T, 2)."""
        return self.joint(f"left_{joint}"), self.joint(f"right_{joint}")

    def middle(self, names: tuple[str, ...]) -> np.ndarray:
        """Return the mean of those joints that are seen, (T, 2); NaN where none is."""
        stacked = np.stack([self.joint(name) for name in names])
        seen = np.isfinite(stacked)
        count = seen.sum(0)
        total = np.where(seen, stacked, 0).sum(0)
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)

    @cached_property
    def size_px(self) -> float:
        """Median over frames of the diagonal of the box around the seen joints; NaN without a frame of two joints."""
        frames = spread(np.flatnonzero(self.seen.sum(1) >= 2), _MOST_FRAMES)
        if not len(frames):
            return float("nan")
        shown = self.xy[frames]
        sides = np.fmax.reduce(shown, axis=1) - np.fmin.reduce(shown, axis=1)
        return float(np.median(np.hypot(sides[:, 0], sides[:, 1])))

    @cached_property
    def largest(self) -> float:
        """Greatest absolute coordinate; NaN when no joint is seen."""
        return float(np.fmax.reduce(np.abs(self.xy), axis=None))

    def few(self, frames: int) -> Keypoints2D:
        """Return so many frames at most of those that show a joint, spread over the clip."""
        chosen, scores = spread(np.flatnonzero(self.seen.any(1)), frames), self.keypoints.confidence
        chosen_scores = None if scores is None else scores[chosen]
        return self.keypoints.with_frames(self.keypoints.xy[chosen], chosen_scores, self.keypoints.fps)


def spread(frames: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many of some frames' numbers, evenly spread."""
    return frames[:: -(-len(frames) // most)] if len(frames) > most else frames


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Return how well the signs of two series (T,) agree: sum(a b) / sqrt(sum(a²) sum(b²)); NaN without data."""
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / scale if scale > 0 else float("nan")
