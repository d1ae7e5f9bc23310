"""Measure a run's speed, its time spent on data and its memory; and write to TensorBoard where it is installed."""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch


class Meter:
    """Measures the steps of a run between the lines of its log.

    A GPU works while the program goes on, so there the time spent on data is measured by the GPU's own events.
    """

    def __init__(self, device: torch.device) -> None:
        """Make a meter that is not running yet.

        Args:
            device: The device that batches are made on.
        """
        self.seconds = 0.0
        """Total time spent on steps, seconds."""
        self._device = device
        self._since = time.monotonic()
        self._spent, self._data, self._made = 0.0, 0.0, 0
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def start(self) -> None:
        """Start counting time, or continue after a pause."""
        self._since = time.monotonic()

    def pause(self) -> None:
        """Add the time since `start`; what follows counts only after another `start`."""
        now = time.monotonic()
        self.seconds += now - self._since
        self._spent += now - self._since
        self._since = now

    @contextlib.contextmanager
    def data(self, made: int) -> Iterator[None]:
        """Measure the time that it takes to make a part of a batch, in a `with` block.

        Args:
            made: Number of windows in the part, including those that other processes make at the same time.
        """
        self._made += made
        if self._device.type != "cuda":
            began = time.perf_counter()
            yield
            self._data += time.perf_counter() - began
            return
        began_gpu, ended_gpu = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        began_gpu.record()
        yield
        ended_gpu.record()
        self._events.append((began_gpu, ended_gpu))

    def line(self, unit: str) -> dict[str, float]:
        """Return the measurements since the last call, for a line of the log, and start new ones.

        Args:
            unit: Name of what is made, such as "windows".

        Returns:
            `seconds` (total), `UNIT_per_s`, `data_share` (part of the time spent on data), and peaks of memory:
            `memory_mib` of this process, if the system reports it, and `gpu_memory_mib` of tensors on its GPU.
        """
        self.pause()
        if self._events:
            torch.cuda.synchronize(self._device)
            self._data = sum(began.elapsed_time(ended) for began, ended in self._events) / 1000
        spent = max(self._spent, 1e-9)
        line = {
            "seconds": round(self.seconds, 1),
            f"{unit}_per_s": round(self._made / spent, 1),
            "data_share": round(min(self._data / spent, 1), 3),
        }
        if (peak := peak_memory_mib()) is not None:
            line["memory_mib"] = round(peak)
        if self._device.type == "cuda":
            line["gpu_memory_mib"] = round(torch.cuda.max_memory_allocated(self._device) / 2**20)
        self._spent, self._data, self._made = 0.0, 0.0, 0
        self._events.clear()
        return line


def peak_memory_mib() -> float | None:
    """Return the peak memory of this process in MiB; None where the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


class Board:
    """Writes TensorBoard's files where TensorBoard is installed; elsewhere it does nothing."""

    def __init__(self, folder: Path, step: int) -> None:
        """Open the files.

        Args:
            folder: The folder to write to.
            step: The step that the run is at; what was written earlier for later steps is dropped.
        """
        self._writer: Any = None
        with contextlib.suppress(ImportError):
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def add(self, line: Mapping[str, Any]) -> None:
        """Add the values of a line of the log."""
        if self._writer:
            for name, value in line.items():
                if name != "step":
                    self._writer.add_scalar(name, value, line["step"])
            self._writer.flush()
