import sys
import types

import pytest

torch = pytest.importorskip("torch")

from poselift.lab.run import meter
from poselift.lab.run.meter import Board, Meter, peak_memory_mib


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(meter.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(meter.time, "perf_counter", lambda: now[0])
    return now


def test_rates_and_shares_since_the_last_line(clock):
    measured = Meter(torch.device("cpu"))
    measured.start()
    for _ in range(2):
        with measured.data(10):
            clock[0] += 1
        clock[0] += 3
    line = measured.line("windows")
    assert (line["seconds"], line["windows_per_s"], line["data_share"]) == (8, 2.5, 0.25)
    clock[0] += 50  # an evaluation
    measured.start()
    with measured.data(30):
        clock[0] += 1
    clock[0] += 1
    measured.pause()
    clock[0] += 50  # a checkpoint
    measured.start()
    line = measured.line("moments")
    assert (line["seconds"], line["moments_per_s"], line["data_share"]) == (10, 15, 0.5)


def test_the_peak_of_memory():
    before = peak_memory_mib()
    assert 50 < before < 100_000
    block = torch.ones(40 * 2**20 // 4 + int(before * 2**20 / 4))
    assert peak_memory_mib() > before + 20
    assert block[-1] == 1


def test_memory_is_left_out_where_the_system_does_not_tell(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory_mib() is None
    assert "memory_mib" not in Meter(torch.device("cpu")).line("windows")


def test_without_tensorboard_nothing_happens(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    Board(tmp_path / "tensorboard", 0).add({"step": 1, "loss": 2.0})
    assert not list(tmp_path.iterdir())


def test_with_tensorboard_every_number_is_drawn(tmp_path, monkeypatch):
    drawn = []

    class SummaryWriter:
        def __init__(self, folder, purge_step):
            drawn.append((folder, purge_step))

        def add_scalar(self, name, value, step):
            drawn.append((name, value, step))

        def flush(self):
            drawn.append("flush")

    module = types.ModuleType("tensorboard")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    board = Board(tmp_path / "board", 6)
    board.add({"step": 7, "loss_mm": 2.5, "lr": 0.1})
    assert drawn == [(str(tmp_path / "board"), 7), ("loss_mm", 2.5, 7), ("lr", 0.1, 7), "flush"]
