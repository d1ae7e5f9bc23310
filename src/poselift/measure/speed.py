"""How fast a lifter's network runs, and the name of the machine it ran on."""

import os
import platform
import time
from pathlib import Path

import numpy as np

from poselift.lifters.card import Speed
from poselift.lifters.contract import Lifter

BATCH = 64
"""Windows at a time in bulk, as `poselift.lift` has them."""


def measure_speed(lifter: Lifter, *, threads: int = 1, seconds: float = 1.0) -> Speed:
    """Run a network on random windows, one by one and in bulk.

    The processor's time is counted, so that other programs take little from the result.

    Args:
        lifter: The network, opened with as many threads.
        threads: The threads it was opened with; 1, or the processor's time counts more than once.
        seconds: How long each of the two is run; at least three calls.

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
    """Median seconds of the processor's time in a call, without the first."""
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
    """Name of the processor, with the number of its cores here."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()} ({os.cpu_count()} cores)"
    except OSError:
        pass
    return f"{platform.processor() or platform.machine()} ({os.cpu_count()} cores)"
