import numpy as np
import pytest

from poselift.measure import speed as measured
from poselift.measure.speed import BATCH, machine, measure_speed
from poselift.skeleton import H36M_17


class Processor:
    """A clock of the processor's time: it goes on by the work that is done, and a little whenever it is read."""

    now, reading_s = 0.0, 1e-6

    def process_time(self) -> float:
        self.now += self.reading_s
        return self.now


@pytest.fixture
def processor(monkeypatch) -> Processor:
    """The only clock that can be read."""
    clock = Processor()
    monkeypatch.setattr(measured, "time", clock)
    return clock


class Slow:
    """A millisecond of work for each window."""

    skeleton, in_frames, out_frames, fps, in_channels = H36M_17, 1, (0,), 50.0, 2

    def __init__(self, processor: Processor, window_s: float = 1e-3):
        self.processor, self.window_s = processor, window_s

    def __call__(self, windows):
        self.processor.now += self.window_s * len(windows)
        return np.zeros((*windows.shape[:3], 3), np.float32)


def test_speed_is_counted_in_the_processors_time(processor):
    speed = measure_speed(Slow(processor), seconds=0.01)
    assert (speed.window_ms, speed.frames_per_s) == (1.001, 1000)
    assert (speed.batch, speed.threads, speed.machine) == (BATCH, 1, machine())
    assert "cores" in machine()


def test_a_network_that_takes_no_time_is_measured_no_longer(processor):
    processor.reading_s = 1e-3
    assert measure_speed(Slow(processor, window_s=0.0), seconds=0.3).window_ms == 1
    assert 0.6 <= processor.now < 0.62


def test_a_real_network_is_measured_by_the_real_clock(fake_lifter):
    assert measure_speed(fake_lifter(), seconds=0.01).window_ms > 0
