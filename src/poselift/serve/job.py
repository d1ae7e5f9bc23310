"""A job: a file that was uploaded, how it is lifted, and what has become of it."""

import json
import re
import secrets
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from poselift.files import read_json, written_whole
from poselift.records import record

State = Literal["uploading", "waiting", "running", "done", "failed", "stopped"]
ENDED = ("done", "failed", "stopped")
"""States in which nothing more happens by itself."""
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{6}-[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class ResultFile:
    """A file among the results of a job."""

    name: str
    """Name of the file; it is unique within the job."""
    bytes: int
    """Its size."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job, as its file `job.json` holds it. Times are seconds since 1970."""

    id: str
    """When the job was made, and some random digits; ids sort by time."""
    name: str
    """Name of the uploaded file, made safe (`poselift.serve.names`)."""
    options: dict[str, Any]
    """How it is lifted (`poselift.serve.options`)."""
    state: State
    """What it is doing."""
    created_s: float
    """When the upload began."""
    bytes: int = 0
    """Size of the uploaded file."""
    kept_bytes: int = 0
    """What the job takes on disk."""
    started_s: float | None = None
    """When it was begun."""
    ended_s: float | None = None
    """When it ended."""
    attempts: int = 0
    """How often it was begun and did not end, because its server ended."""
    status: int | None = None
    """Exit status of `poselift lift`; None where it has not ended by itself."""
    errors: tuple[dict[str, Any], ...] = ()
    """What went wrong."""
    messages: tuple[str, ...] = ()
    """What was said of the results."""
    result: dict[str, Any] = field(default_factory=dict)
    """What `poselift lift --json` says of the results."""
    files: tuple[ResultFile, ...] = ()
    """The results."""

    def ended(self, state: State, **changes: Any) -> "Job":
        """Return the job in one of the states of `ENDED`, with other changes."""
        return replace(self, state=state, ended_s=time.time(), **changes)

    def write(self, path: Path) -> None:
        """Write the job whole.

        Raises:
            OutputError: The file cannot be written.
        """
        with written_whole(path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def read(path: Path) -> "Job":
        """Read a job.

        Raises:
            FormatError: The file is missing or broken.
        """
        return record(Job, read_json(path), "a job")


def new_id() -> str:
    """Return an id that nobody can guess; ids sort by the microsecond in which they were made."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(6)}"


def is_id(text: str) -> bool:
    """Return whether a text has the form of an id; such a text is safe as the name of a folder."""
    return _ID.fullmatch(text) is not None
