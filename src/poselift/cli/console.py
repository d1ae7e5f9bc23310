"""What all verbs share: where they print and write, progress, and the lab when it is needed."""

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from poselift.errors import MissingExtraError, PoseliftError
from poselift.files import check_free, written_whole

out = Console()
err = Console(stderr=True)


@dataclass(frozen=True, kw_only=True)
class ResultFile:
    """Where a result is written as JSON."""

    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """A JSON file; none is written when not given."""
    force: bool = False
    """Overwrite `out`."""

    def check(self) -> None:
        """Refuse, before any work is done, to overwrite what is there.

        Raises:
            OutputExistsError: The file exists, and `force` is off.
        """
        if self.out is not None:
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
        raise MissingExtraError(f"this needs {error.name}: pip install 'poselift[lab]'") from error


def say_error(error: PoseliftError, path: Path | None = None) -> None:
    """Print an error, and the input it is about where the message does not name it."""
    where = f"{path}: " if path is not None and str(path) not in str(error) else ""
    err.print("[bold red]error:[/] ", end="")
    err.print(f"{where}{error}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress(title: str) -> Iterator[Callable[..., None]]:
    """A progress bar on a terminal, nothing in a log; the callback takes (done, in all or None)."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total=None, note=None: bar.update(
            task, completed=done, total=total, description=f"{title} {note}" if note else title
        )
