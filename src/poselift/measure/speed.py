"""Measure how fast a lifter's network runs, and name the machine."""

import os
import platform
import time
from pathlib import Path

import numpy as np

from poselift.lifters.card import Speed
from poselift.lifters.contract import Lifter

BATCH = 64
"""Number of windows at a time in bulk, as in `poselift.lift`."""


def measure_speed(lifter: Lifter, *, threads: int = 1, seconds: float = 1.0) -> Speed:
    """Measure a network's speed on random windows, one by one and in bulk.

    The processor's time is counted, so that other programs change the result little.

    Args:
        lifter: The network, opened with as many threads.
        threads: Number of threads that it was opened with; with more than 1, the time of each is added.
        seconds: Duration of each of the two measurements; each makes at least three calls.

    Returns:
        Medians over the calls.
    """
    one, many = (_call_s(lifter, batch, seconds) for batch in (1, BATCH))
    return Speed(
        frames_per_s=float(f"{BATCH * len(lifter.out_frames) / many:.3g}"),
        window_ms=round(1000 * one, 3),
        batch=BATCH,
        threads=threads,
        machine=machine(),
    )


def _call_s(lifter: Lifter, batch: int, seconds: float) -> float:
    """Return the processor's time for a call in seconds, the median over all calls but the first."""
    shape = (batch, lifter.in_frames, len(lifter.skeleton), lifter.in_channels)
    windows = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    taken: list[float] = []
    first = time.process_time()
    while len(taken) < 4 or time.process_time() - first < seconds:
        began = time.process_time()
        lifter(windows)
        taken.append(time.process_time() - began)
    return float(np.median(taken[1:]))


def machine() -> str:
    """Return the processor's name, with the number of cores."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()} ({os.cpu_count()} cores)"
    except OSError:
        pass
    return f"{platform.processor() or platform.machine()} ({os.cpu_count()} cores)"
