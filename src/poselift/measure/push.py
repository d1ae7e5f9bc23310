"""What a push of a stream costs, beside the network's window by itself; the two take turns in one run."""

import time
from dataclasses import dataclass

import numpy as np

from poselift.lifters.contract import Lifter
from poselift.live import LiveLifter
from poselift.skeleton import Skeleton

APART_PX = 900.0
"""Distance in pixels between people who are pushed at once."""
SKIPPED = 100
"""Calls that do not count: until a window is full, and the caches."""


@dataclass(frozen=True, kw_only=True)
class PushCost:
    """Milliseconds of processor time."""

    name: str
    """Name of the weights."""
    delay_s: float
    """Seconds by which poses are late."""
    people: int
    """People at once."""
    windows: float
    """Windows for each push and person."""
    window_ms: dict[str, float]
    """The network's window by itself: median, p5, p95, p99, mean."""
    push_ms: dict[str, float]
    """A push: the same."""

    @property
    def median_ratio(self) -> float:
        """Median of a push over the median of a window."""
        return self.push_ms["median"] / self.window_ms["median"]

    @property
    def mean_ratio(self) -> float:
        """Mean of a push over the median of a window."""
        return self.push_ms["mean"] / self.window_ms["median"]

    @property
    def worst_ratio(self) -> float:
        """Of pushes, the 99th percentile over the median of a window."""
        return self.push_ms["p99"] / self.window_ms["median"]

    @property
    def tail_ratio(self) -> float:
        """Of pushes, the 99th percentile over the median."""
        return self.push_ms["p99"] / self.push_ms["median"]


def measure_push(
    lifter: Lifter, name: str, frames: np.ndarray, skeleton: Skeleton, *, delay_s: float = 0.0, people: int = 1,
    fps: float = 50.0,
) -> PushCost:  # fmt: skip
    """Push a stream, and run the network's window by itself in between.

    Args:
        lifter: The network, on one thread.
        name: What it is called.
        frames: (T, J, 3) keypoints, more than `SKIPPED`.
        skeleton: Their joints.
        delay_s: As for `LiveLifter`.
        people: Copies of the person, side by side, in one push.
        fps: Frames per second of the stream.
    """
    live = LiveLifter(lifter, delay_s=delay_s)
    shape = (1, lifter.in_frames, len(lifter.skeleton), lifter.in_channels)
    window = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    run = getattr(lifter, "answer", lifter)
    apart = np.arange(people, dtype=np.float32)[:, None, None] * np.array([APART_PX, 0, 0], np.float32)
    alone, pushes = [], []
    for number, frame in enumerate(frames):
        began = time.process_time_ns()
        run(window)
        alone.append(time.process_time_ns() - began)
        if people == 1:
            began = time.process_time_ns()
            live.push(frame, skeleton, number / fps)
        else:
            everybody = frame[None] + apart
            began = time.process_time_ns()
            live.push_people(everybody, skeleton, number / fps)
        pushes.append(time.process_time_ns() - began)
    return PushCost(
        name=name, delay_s=live.delay_s, people=people, windows=live.counts.windows / len(frames) / people,
        window_ms=summary(alone[SKIPPED:]), push_ms=summary(pushes[SKIPPED:]),
    )  # fmt: skip


def summary(nanoseconds: list[int]) -> dict[str, float]:
    """Return median, mean, p5, p95 and p99 of times, in milliseconds."""
    taken = np.array(nanoseconds) / 1e6
    shares = {f"p{share}": float(np.percentile(taken, share)) for share in (5, 95, 99)}
    return {"median": float(np.median(taken)), "mean": float(taken.mean()), **shares}
