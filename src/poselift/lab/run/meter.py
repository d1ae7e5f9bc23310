"""How fast a run is, what its time goes into, and how much memory it takes; and TensorBoard, where it is installed."""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch


class Meter:
    """Measures the steps of a run between the lines of its log.

    On a GPU, which works behind the program's back, the time spent on data is measured by the GPU itself.
    """

    def __init__(self, device: torch.device) -> None:
        """A meter at rest.

        Args:
            device: Where batches are made.
        """
        self.seconds = 0.0
        """Time spent on steps in all."""
        self._device = device
        self._since = time.monotonic()
        self._spent, self._data, self._made = 0.0, 0.0, 0
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []

    def start(self) -> None:
        """Begin, or go on after something that is no step."""
        self._since = time.monotonic()

    def pause(self) -> None:
        """Count the time since `start`."""
        now = time.monotonic()
        self.seconds += now - self._since
        self._spent += now - self._since
        self._since = now

    @contextlib.contextmanager
    def data(self, made: int) -> Iterator[None]:
        """Around the making of a part of a batch.

        Args:
            made: Windows in it, with those that other processes make at the same time.
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
        """What the log's line says of the steps since the last one; counts anew.

        Args:
            unit: What is made, such as "windows".

        Returns:
            `seconds` in all, `UNIT_per_s`, `data_share` of the time, and peaks of memory: `memory_mib` of this process,
            where the system tells, `gpu_memory_mib` of tensors on its GPU.
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
    """Most memory that this process has held; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


class Board:
    """TensorBoard's files, where it is installed; else nothing happens."""

    def __init__(self, folder: Path, step: int) -> None:
        """Open them.

        Args:
            folder: Where they are put.
            step: The step that the run is at; what an earlier part of it has written of later ones is dropped.
        """
        self._writer: Any = None
        with contextlib.suppress(ImportError):
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def add(self, line: Mapping[str, Any]) -> None:
        """Draw a line of the log."""
        if self._writer:
            for name, value in line.items():
                if name != "step":
                    self._writer.add_scalar(name, value, line["step"])
            self._writer.flush()
