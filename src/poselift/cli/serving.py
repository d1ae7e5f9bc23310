"""The verb that serves a web page."""

import importlib.util
import re
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from poselift.cli.console import print_plain, progress_watched
from poselift.errors import FormatError
from poselift.formats.table import POSE_FORMATS
from poselift.serve.limits import GIB, MIB, Limits
from poselift.serve.refusal import problem
from poselift.serve.server import Address
from poselift.serve.server import serve as serve_jobs
from poselift.serve.worker import Tick

_MARK = "error: "


@dataclass(frozen=True, kw_only=True)
class AddressOptions:
    """Where the page is."""

    port: int = 8765
    """Port of the page; 0 takes a free one."""
    host: str = "127.0.0.1"
    """Address at which to listen. By default only programs on this machine can come; with 0.0.0.0, others that know the
    token in the printed address."""
    names: tuple[str, ...] = ()
    """Names of this machine by which others call it, with --host."""
    token: bool = False
    """Ask for a token on this machine, too, where other people work on it."""
    open: bool = False
    """Open the page in a browser."""


@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """What is taken."""

    upload_limit: float = 2048
    """The largest file in MiB."""
    time_limit: float = 60
    """Minutes that one file may take to be lifted."""
    memory_limit: float = 8
    """GiB of memory that lifting one file may take (Linux)."""
    space_limit: float = 20
    """GiB that all jobs together may take on disk."""


def serve(
    address: Annotated[AddressOptions, tyro.conf.OmitArgPrefixes],
    limits: Annotated[LimitOptions, tyro.conf.OmitArgPrefixes],
    *,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("poselift_jobs"),
) -> int:
    """Serve a web page on this machine: drop videos or keypoint files, look at the results, save them. Ctrl-C ends it.

    Args:
        address: Where the page is.
        limits: What is taken.
        out: Folder in which jobs and their results are kept until they are removed on the page.
    """
    if not 0 <= address.port <= 65535:
        raise FormatError(f"wanted --port from 0 to 65535, got {address.port}")
    for flag, value in vars(limits).items():
        if not 0 < value < 1e9:
            raise FormatError(f"wanted --{flag.replace('_', '-')} above 0, got {value:g}")

    def ready(url: str) -> None:
        print_plain(f"serving at {url} (Ctrl-C ends)")
        print_plain(f"jobs and results are kept in {out.resolve()}")
        if address.open:
            webbrowser.open(url)

    serve_jobs(
        out,
        Address(host=address.host, port=address.port, names=address.names, ask_token=address.token),
        Limits(
            upload_bytes=round(limits.upload_limit * MIB), job_s=60 * limits.time_limit,
            memory_bytes=round(limits.memory_limit * GIB), space_bytes=round(limits.space_limit * GIB),
        ),
        formats=available_formats(), run=run_verb, read=read_answer, ready=ready,
    )  # fmt: skip
    return 0


def available_formats() -> tuple[str, ...]:
    """Return the endings of all formats whose libraries are installed."""
    return tuple(
        ending.removeprefix(".")
        for ending, row in POSE_FORMATS.items()
        if row.extra is None or importlib.util.find_spec(row.extra[1]) is not None
    )


def run_verb(arguments: list[str], tick: Tick) -> int:
    """Run a verb in this process, and return its exit status.

    Args:
        arguments: Those after the program's name.
        tick: Called with the name of a step, how much of it is done and how much there is.
    """
    from poselift.cli import main

    with progress_watched(tick):
        try:
            return main(arguments)
        except SystemExit as ending:  # a wrong argument
            return ending.code if isinstance(ending.code, int) else 1


def read_answer(status: int, out: str, err: str) -> dict[str, Any]:
    """Return what is known of a verb's work: `errors`, `messages` and `result`, as `--json` has them.

    Args:
        status: The exit status.
        out: What was printed to standard output.
        err: What was printed to standard error.
    """
    lines = [line for line in out.splitlines() if line.strip()]
    said = "" if status == 0 else err.rpartition(_MARK)[2].strip() if _MARK in err else " ".join(err.split())[-2000:]
    errors = [problem("PoseliftError", said or f"ended with status {status}")] if status else []
    heard = re.sub(r"\s*\n {9}(?=\S)", " ", err.rpartition(_MARK)[0] if _MARK in err else err)
    heard_lines = [re.sub(r"^(INFO|WARNING|ERROR)\s+", "", line).strip() for line in heard.splitlines() if line.strip()]
    return {"errors": errors, "messages": [*heard_lines, *lines], "result": {}}
