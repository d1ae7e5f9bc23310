import time

import numpy as np

from poselift.measure.speed import BATCH, machine, measure_speed
from poselift.skeleton import H36M_17


class Slow:
    """A millisecond of work for each window."""

    skeleton, in_frames, out_frames, fps, in_channels = H36M_17, 1, (0,), 50.0, 2

    def __call__(self, windows):
        until = time.process_time() + 1e-3 * len(windows)
        while time.process_time() < until:
            pass
        return np.zeros((*windows.shape[:3], 3), np.float32)


def test_speed_is_counted_in_the_processors_time():
    speed = measure_speed(Slow(), seconds=0.01)
    assert 1 <= speed.window_ms < 2
    assert 500 < speed.frames_per_s <= 1000
    assert (speed.batch, speed.threads, speed.machine) == (BATCH, 1, machine())
    assert "cores" in machine()


class Instant(Slow):
    """Next to no work."""

    def __call__(self, windows):
        return windows


def test_a_network_that_takes_no_time_is_measured_no_longer():
    began = time.process_time()
    assert measure_speed(Instant(), seconds=0.3).window_ms < 1
    assert time.process_time() - began < 2
