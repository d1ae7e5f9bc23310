"""The process that a verb runs in: its signals, and standard streams that are gone or full."""

import contextlib
import errno
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TextIO

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that end a process without an exception; Windows has no SIGHUP."""
_SAME_SIGNAL_S = 2.0
"""Signals that follow each other within this many seconds count as one: `timeout` sends each twice."""


class Interrupted(KeyboardInterrupt):
    """A signal has asked the process to end."""

    def __init__(self, number: int) -> None:
        """Store the number of the signal."""
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextlib.contextmanager
def signals_raised() -> Iterator[None]:
    """Raise `Interrupted` on SIGTERM and SIGHUP while the block runs, so that temporary files are deleted as on SIGINT.

    A signal that is ignored, as SIGHUP under `nohup`, or that has a handler, is left alone; so are all of them outside
    of the main thread.
    """
    last = -_SAME_SIGNAL_S

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        repeated, last = time.monotonic() - last < _SAME_SIGNAL_S, time.monotonic()
        if not repeated:  # a repeated one would interrupt the cleaning up
            raise Interrupted(number)

    main = threading.current_thread() is threading.main_thread()
    taken = [number for number in _SIGNALS if main and signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


class Stream:
    """A standard stream whose first error is kept, and which drops everything that is written afterwards.

    Characters that the stream's encoding lacks are written as escapes.
    """

    def __init__(self, stream: TextIO | None) -> None:
        """Wrap a stream; None is one that was closed before the process began."""
        self.error: OSError | None = None
        """What went wrong first; None while everything was written."""
        if stream is None:
            self.error = OSError(errno.EBADF, os.strerror(errno.EBADF))
        self._stream = stream or io.StringIO()

    def write(self, text: str) -> int:
        """Write text, if nothing has gone wrong yet."""
        encoding = self._stream.encoding or "utf-8"
        self._try(lambda: self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding)))
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, if nothing has gone wrong yet."""
        self._try(self._stream.flush)

    def _try(self, write: Callable[[], Any]) -> None:
        if self.error is not None:
            return
        try:
            write()
        except OSError as error:
            self.error = error
            with contextlib.suppress(OSError):  # a stream without a descriptor
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())  # else Python tries to write its buffer again when it ends
                os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's own."""
        return getattr(self._stream, name)


@contextlib.contextmanager
def streams_kept() -> Iterator[Stream]:
    """Wrap standard output and standard error while the block runs; yields the wrapped standard output."""
    before = sys.stdout, sys.stderr
    out, err = Stream(sys.stdout), Stream(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield out
    finally:
        for stream in (out, err):
            stream.flush()
        sys.stdout, sys.stderr = before
