"""What all verbs share: where they print and write, progress, and the lab when it is needed."""

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

from poselift.errors import MissingExtraError, PoseliftError, install_hint
from poselift.files import check_free, check_no_input, written_whole

out = Console()
err = Console(stderr=True)


@dataclass(frozen=True, kw_only=True)
class ResultFile:
    """Where a result is written as JSON."""

    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """A JSON file; none is written when not given."""
    force: bool = False
    """Overwrite `out`."""

    def check(self, *inputs: Path | None) -> None:
        """Refuse, before any work is done, to overwrite what is there, and an input in any case.

        Raises:
            OutputExistsError: The file exists, and `force` is off, or it is one of the inputs.
        """
        if self.out is not None:
            check_no_input(self.out, [path for path in inputs if path is not None])
            check_free(self.out, overwrite=self.force)

    def write(self, content: Any) -> None:
        """Write plain containers, if a file was asked for.

        Raises:
            OutputError: It cannot be written.
        """
        if self.out is not None:
            with written_whole(self.out, overwrite=self.force) as path:
                path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def lab_verb(name: str) -> Callable[..., int]:
    """A function of `poselift.cli.training`, or a word on how to get what it needs."""
    return getattr(_needing_torch("poselift.cli.training"), name)


def lab_module(module: str) -> Any:
    """A module of the lab, or a word on how to get what it needs."""
    return _needing_torch(f"poselift.lab.{module}")


def _needing_torch(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("poselift"):
            raise
        raise MissingExtraError(f"this needs {error.name}; run: {install_hint('lab')}") from error


def say_error(error: PoseliftError, path: Path | None = None) -> None:
    """Print an error, and the input it is about where the message does not name it."""
    where = f"{path}: " if path is not None and str(path) not in str(error) else ""
    err.print("[bold red]error:[/] ", end="")
    err.print(f"{where}{error}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress(title: str, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[..., None]]:
    """Show how far a job is: a bar on a terminal, and elsewhere, as in a log, a line every half a minute.

    Args:
        title: What is done.
        clock: Seconds from any moment.

    Yields:
        The callback; it takes (done, in all or None, note or None).
    """
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


class ProgressLines:
    """Progress as plain lines: one every `EVERY_S` seconds at most, and a last one for jobs that took as long."""

    EVERY_S = 30.0
    """Seconds between lines; jobs that take less print none."""

    def __init__(self, title: str, clock: Callable[[], float]) -> None:
        """Start the clock of a job; `title` says what is done."""
        self._title, self._clock = title, clock
        self._start = self._printed = clock()
        self._done = 0
        self._total: int | None = None
        self._note: str | None = None
        self._since: tuple[float, int] | None = None

    def tick(self, done: int, total: int | None = None, note: str | None = None) -> None:
        """Say how far the job is; most calls print nothing."""
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
        """The time left at the pace since the first call."""
        if self._total is None or self._done <= first:
            return ""
        return f"{_hours((self._total - self._done) * (now - start) / (self._done - first))} left"

    def _print(self, time_said: str) -> None:
        done = f"{self._done:,}" if self._total is None else f"{self._done:,} of {self._total:,}"
        said = ", ".join(part for part in (done, self._note, time_said) if part)
        err.print(f"{self._title}: {said}", markup=False, highlight=False, soft_wrap=True)


def _hours(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
