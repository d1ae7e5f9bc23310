"""What all verbs share: printing, writing results, showing progress, and importing the lab when it is needed."""

import importlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from poselift.cli.answer import add, note_error, note_interrupted, note_message
from poselift.errors import MissingExtraError, PoseliftError, install_hint
from poselift.files import check_free, check_no_input, written_whole

out = Console()
err = Console(stderr=True)


@dataclass(frozen=True, kw_only=True)
class ResultFile:
    """Where a result is written as JSON."""

    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON file to write; no file is written when not given."""
    force: bool = False
    """Overwrite --out if it exists."""

    def check(self, *inputs: Path | None) -> None:
        """Raise an error, before any work is done, if `out` exists or is one of the inputs.

        Raises:
            OutputExistsError: The file exists and `force` is off, or it is one of the inputs, with `force` or not.
        """
        if self.out is not None:
            check_no_input(self.out, [path for path in inputs if path is not None])
            check_free(self.out, overwrite=self.force)

    def write(self, content: Any) -> None:
        """Write plain containers to `out`, if it is given.

        Raises:
            OutputError: The file cannot be written.
        """
        if self.out is not None:
            with written_whole(self.out, overwrite=self.force) as path:
                path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            add("files", self.out)


def lab_verb(name: str) -> Callable[..., int]:
    """Return a function of `poselift.cli.training`; raises `MissingExtraError` where torch is not installed."""
    return getattr(_import_with_torch("poselift.cli.training"), name)


def lab_module(module: str) -> Any:
    """Return a module of the lab; raises `MissingExtraError` where torch is not installed."""
    return _import_with_torch(f"poselift.lab.{module}")


def _import_with_torch(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("poselift"):
            raise
        raise MissingExtraError(f"this needs {error.name}; run: {install_hint('lab')}") from error


def print_plain(text: str, console: Console = out) -> None:
    """Print a line as it is: without markup, colours or line breaks."""
    if console is out:
        note_message(text)
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def say_error(error: PoseliftError, path: Path | None = None) -> None:
    """Print an error, and the input's path before it where the message does not name it."""
    note_error(error, path)
    where = f"{path}: " if path is not None and str(path) not in str(error) else ""
    err.print("[bold red]error:[/] ", end="")
    print_plain(f"{where}{error}", err)


def say_interrupted() -> None:
    """Print that a signal has ended the work."""
    note_interrupted()
    err.print("interrupted; no file was left half-written")


_watcher: Callable[[str, int, int | None], None] | None = None


@contextmanager
def progress_watched(watcher: Callable[[str, int, int | None], None]) -> Iterator[None]:
    """Call a function with the title, the number done and the number in all while the block runs, instead of printing.

    It is called at most ten times a second.
    """
    global _watcher
    _watcher = watcher
    try:
        yield
    finally:
        _watcher = None


@contextmanager
def progress(title: str, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[..., None]]:
    """Show how far a job is: by a bar on a terminal, and by a line every half a minute elsewhere, as in a log.

    Args:
        title: Name of the job.
        clock: Returns seconds since any fixed moment.

    Yields:
        The callback; it takes the number done, the number in all or None, and a note or None.
    """
    if _watcher is not None:
        yield _Watched(title, _watcher, clock)
        return
    if not err.is_interactive:  # no terminal, or one that cannot move its cursor
        lines = ProgressLines(title, clock)
        yield lines.tick
        lines.end()
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total=None, note=None: bar.update(
            task, completed=done, total=total, description=f"{title} {note}" if note else title
        )


class _Watched:
    """Passes progress on to a watcher: the first, the last, and at most ten a second in between."""

    EVERY_S = 0.1

    def __init__(self, title: str, watcher: Callable[[str, int, int | None], None], clock: Callable[[], float]) -> None:
        self._title, self._watcher, self._clock = title, watcher, clock
        self._next = clock() + self.EVERY_S
        watcher(title, 0, None)

    def __call__(self, done: int, total: int | None = None, note: str | None = None) -> None:
        now = self._clock()
        if now >= self._next or done == total:
            self._next = now + self.EVERY_S
            self._watcher(self._title, done, total)


class ProgressLines:
    """Progress as plain lines: at most one every `EVERY_S` seconds, and a last one for jobs that took that long."""

    EVERY_S = 30.0
    """Time between lines in seconds; jobs that take less print none."""

    def __init__(self, title: str, clock: Callable[[], float]) -> None:
        """Start the clock of a job with this title."""
        self._title, self._clock = title, clock
        self._start = self._printed = clock()
        self._done = 0
        self._total: int | None = None
        self._note: str | None = None
        self._since: tuple[float, int] | None = None

    def tick(self, done: int, total: int | None = None, note: str | None = None) -> None:
        """Take how far the job is, and print it if the last line is old enough."""
        now = self._clock()
        if self._since is None or total != self._total or done < self._done:  # resumed, or another part of the job
            self._since = now, done
        self._done, self._total, self._note = done, total, note
        if now - self._printed >= self.EVERY_S:
            self._print(self._left(now, *self._since))
            self._printed = now

    def end(self) -> None:
        """Print the last line."""
        now = self._clock()
        if now - self._start >= self.EVERY_S and self._since is not None:
            self._print(f"after {_hours(now - self._start)}")

    def _left(self, now: float, start: float, first: int) -> str:
        """Return the time left in words, at the pace since the first call; empty when it is not known."""
        if self._total is None or self._done <= first:
            return ""
        return f"{_hours((self._total - self._done) * (now - start) / (self._done - first))} left"

    def _print(self, timing: str) -> None:
        done = f"{self._done:,}" if self._total is None else f"{self._done:,} of {self._total:,}"
        parts = ", ".join(part for part in (done, self._note, timing) if part)
        print_plain(f"{self._title}: {parts}", err)


def _hours(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
