"""Stop a run early, on a signal or when its time is up, so that it can be resumed."""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))
"""Signals that ask a run to stop; Windows has no SIGHUP."""
_SAME_SIGNAL_S = 2.0
"""Signals that follow each other within this many seconds count as one."""


class Stop:
    """A context in which signals and time limits ask a run to stop; the run checks `asked` after each step.

    The first signal is only noted, so that the current step is finished and a checkpoint is written. A second one,
    seconds later, has the effect that it would have outside of the context. One that comes at once does not, because
    `torchrun` passes on signals that its processes may already have received.
    """

    def __init__(self, max_minutes: float | None = None, *, signals: bool = False) -> None:
        """Choose what asks the run to stop.

        Args:
            max_minutes: Ask to stop so many minutes after the context is entered.
            signals: Ask to stop on SIGTERM, SIGINT and SIGHUP, except on those that are ignored, as `nohup` does; this
                works in the main thread only.
        """
        self.reason = ""
        """Why the run is asked to stop; empty while it is not."""
        self._max_minutes, self._signals = max_minutes, signals
        self._before: dict[signal.Signals, Any] = {}
        self._began = time.monotonic()
        self._noted: float | None = None

    def __enter__(self) -> "Stop":
        """Start the clock and take over the signals."""
        self._began = time.monotonic()
        if self._signals and threading.current_thread() is threading.main_thread():
            taken = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._note) for number in taken}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the signals' earlier handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    @property
    def asked(self) -> bool:
        """Whether the run is asked to stop."""
        if not self.reason and self._max_minutes is not None:
            if time.monotonic() - self._began >= 60 * self._max_minutes:
                self.reason = f"{self._max_minutes:g} minutes are up"
        return bool(self.reason)

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: note the first one, and let a later one take effect."""
        now = time.monotonic()
        if self._noted is not None and now - self._noted > _SAME_SIGNAL_S:
            self.__exit__(None, None, None)
            signal.raise_signal(number)
        self._noted = self._noted or now
        self.reason = signal.Signals(number).name
