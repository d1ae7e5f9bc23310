"""Stopping a run before its end, so that it can go on: on a signal, or when the time is up."""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SAME_S = 2.0
"""Signals nearer than this are one."""


class Stop:
    """Listens while it is entered; a run asks it after each step, and leaves with a checkpoint.

    A signal is only noted, so that the step under way is finished. One that comes seconds later does what it would have
    done before; one that comes at once does not, because `torchrun` passes on what its processes may have got already.
    """

    def __init__(self, max_minutes: float | None = None, *, signals: bool = False) -> None:
        """Say what to listen to.

        Args:
            max_minutes: Ask to stop so long after entering.
            signals: Ask to stop on SIGTERM and SIGINT; only the main thread can.
        """
        self.reason = ""
        """Why the run shall stop; empty as long as it shall not."""
        self._max_minutes, self._signals = max_minutes, signals
        self._before: dict[signal.Signals, Any] = {}
        self._began = time.monotonic()
        self._noted: float | None = None

    def __enter__(self) -> "Stop":
        """Begin to listen."""
        self._began = time.monotonic()
        if self._signals and threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what signals did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    @property
    def asked(self) -> bool:
        """Whether the run shall stop."""
        if not self.reason and self._max_minutes is not None:
            if time.monotonic() - self._began >= 60 * self._max_minutes:
                self.reason = f"{self._max_minutes:g} minutes are up"
        return bool(self.reason)

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._noted is not None and now - self._noted > _SAME_S:
            self.__exit__(None, None, None)
            signal.raise_signal(number)
        self._noted = self._noted or now
        self.reason = signal.Signals(number).name
