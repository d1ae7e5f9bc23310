"""The verb that serves a web page."""

import importlib.util
import json
import re
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from poselift.cli.answer import asked, record
from poselift.cli.console import print_plain, progress_watched
from poselift.errors import FormatError
from poselift.formats.table import POSE_FORMATS
from poselift.serve.limits import GIB, MIB, Limits
from poselift.serve.refusal import problem
from poselift.serve.server import Address
from poselift.serve.server import serve as serve_jobs
from poselift.serve.store import RESULTS
from poselift.serve.worker import Tick

_MARK = "error: "
_MOST_WORDS = 2000


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
        record(url=url, out=out.resolve())
        if asked():
            print_plain(json.dumps({"url": url, "out": str(out.resolve())}))
        else:
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

    A process that ended before its verb did has printed no answer, but perhaps some words.

    Args:
        status: The exit status.
        out: What was printed to standard output: the line of `--json`, or words.
        err: What was printed to standard error.
    """
    answer = _answer(out) or _words(status, out, err)
    found = [
        f"{finding['check']}: {finding['wrong']}; then: {finding['effect']}; advice: {finding['advice']}"
        for finding in answer["result"].get("findings", ())
    ]
    said = [line for line in answer["messages"] if line.strip() and not line.startswith("-> ")]  # files are listed
    return {"errors": answer["errors"], "messages": [*found, *said], "result": answer["result"]}


def _words(status: int, out: str, err: str) -> dict[str, Any]:
    """Return what words say: log lines, each whole and without its level, and the error at their end."""
    heard, mark, error = err.rpartition(_MARK)
    if not mark:
        heard, error = err, " ".join(err.split())[-_MOST_WORDS:]
    lines = re.sub(r"[ \t]*\n {9}(?=\S)", " ", heard).splitlines()
    lines = [re.sub(r"^(INFO|WARNING|ERROR)\s+", "", line).strip() for line in lines]
    errors = [problem("PoseliftError", error.strip() or f"ended with status {status}")] if status else []
    return {"errors": errors, "messages": [*lines, *out.splitlines()], "result": {}}


def _answer(out: str) -> dict[str, Any] | None:
    """Return the answer in the last line of what was printed, if there is one; results are named without folder."""
    last = out.rstrip("\n").rpartition("\n")[2].replace(f'"../{RESULTS}/', '"')
    try:
        answer = json.loads(last)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and {"errors", "messages", "result"} <= answer.keys() else None
