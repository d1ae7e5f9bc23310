"""The answer of a verb to a program: with `--json`, one line of JSON on standard output, and nothing else there.

Every verb says what it has done by `record` and `add`, under the keys of `RESULTS`; errors come in by `note_error`.
What is printed for people goes to standard error then. docs/json.md describes the answer.
"""

import dataclasses
import functools
import inspect
import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from contextvars import ContextVar, Token
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import numpy as np
import tyro

from poselift.cli.process import Stream
from poselift.errors import PoseliftError
from poselift.version import __version__

FLAG = "--json"
"""What asks for the answer, anywhere behind the verb."""
_HELP = "Print what was done as one line of JSON, and everything else on standard error (docs/json.md)."
LINES = ("live", "serve")
"""Verbs whose standard output is lines of JSON while they run; the answer is the last one."""

RESULTS: dict[str, tuple[str, ...]] = {
    "lift": ("people", "pages", "keypoints", "findings"),
    "lift-many": (
        "out", "clips", "lifted", "failed", "people", "frames", "left_out", "shards", "kept", "others", "said",
        "workers", "new_frames", "seconds", "processor_s", "network_s",
    ),
    "live": ("frames", "dropped", "late", "repeated", "people", "left_out", "delay_s", "smoothing_delay_s", "times_ms"),
    "convert": ("results",),
    "render": ("files",),
    "serve": ("url", "out"),
    "doctor": ("inputs",),
    "evaluate": ("scores", "files"),
    "table": ("results", "differences"),
    "lifters": ("lifters",),
    "check-card": ("weights", "checks", "speed", "files"),
    "pretrain": ("out", "finished"),
    "train": ("out", "finished", "weights"),
    "reproduce": ("table", "sheets", "outcomes", "files"),
    "import-weights": ("files",),
    "benchmark": ("rows", "config", "streams", "memory", "files"),
}  # fmt: skip
"""By verb, the keys of its result. They are always there: empty or null where the work did not come so far."""
_LISTS = {
    "people", "pages", "findings", "results", "files", "inputs", "lifters", "checks", "rows", "sheets", "failed",
}  # fmt: skip
"""Keys that are lists before anything is done; the others are null."""

ADVICE = {
    "KindError": "give another kind of value",
    "ShapeError": "check the sizes and numbers that are given",
    "SkeletonError": "name the order of the joints (--skeleton)",
    "FormatError": "check the file; poselift doctor looks at it closely",
    "MissingRate": "say the frame rate (--fps)",
    "OutputError": "choose another folder or name, or make room",
    "OutputExistsError": "choose another name, or allow overwriting (--force)",
    "MissingExtraError": "install the optional part that the message names",
    "DatasetError": "check the folder and which data set it is",
    "MissingData": "put the missing file where the message says",
    "UntrustedPickle": "save plain arrays instead",
    "CheckpointError": "name weights that fit, as poselift lifters lists them",
    "DetectionError": "check that the video plays and shows a person",
    "RecipeError": "change the option that the message names",
    "UsageError": "read poselift VERB --help",
    "Interrupted": "give the same command again",
    "InternalError": "report this as a fault of poselift, with the traceback on standard error",
}
"""By kind of error, what to do where the message itself does not say it."""
MOST_MESSAGES = 10_000
"""Messages that are kept, as a stream may run for days."""
_FLAGS = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_FRAME = re.compile(r"[╭╮╰╯│─]+|-{4,}")
_current: ContextVar["Answer | None"] = ContextVar("answer", default=None)


class Answer:
    """What a verb has done so far."""

    def __init__(self, verb: str) -> None:
        """Begin the answer of a verb; of none, or an unknown one, with an empty result."""
        self.verb = verb if verb in RESULTS else None
        self.result: dict[str, Any] = {key: [] if key in _LISTS else None for key in RESULTS.get(verb, ())}
        self.errors: list[dict[str, Any]] = []
        self.messages: list[str] = []

    def line(self, status: int) -> str:
        """Return the answer as a line of JSON, without numbers that JSON does not have.

        Args:
            status: The exit status.
        """
        content = {
            "poselift": __version__, "verb": self.verb, "status": status, "result": self.result,
            "errors": self.errors, "messages": self.messages,
        }  # fmt: skip
        return json.dumps(plain(content), allow_nan=False)


def asked() -> bool:
    """Return whether an answer is asked for."""
    return _current.get() is not None


def record(**values: Any) -> None:
    """Set values of the result; each key is one of the verb's in `RESULTS`."""
    if (answer := _current.get()) is not None and answer.verb is not None:
        assert set(values) <= set(answer.result), f"{answer.verb} has no key {set(values) - set(answer.result)}"
        answer.result |= values


def add(key: str, value: Any) -> None:
    """Append a value to a list of the result."""
    if (answer := _current.get()) is not None and answer.verb is not None:
        answer.result[key].append(value)


def note_message(text: str) -> None:
    """Keep a line that is printed for people, of the first `MOST_MESSAGES`."""
    if (answer := _current.get()) is not None and len(answer.messages) < MOST_MESSAGES:
        answer.messages.append(text)


def note_error(error: PoseliftError, path: Path | None = None) -> None:
    """Keep an error, and the input that it is about."""
    _note(type(error).__name__, str(error), path)


def note_interrupted() -> None:
    """Keep that a signal has ended the work."""
    _note("Interrupted", "a signal ended the work, and no file was left half-written")


def _note(kind: str, message: str, path: Path | None = None, advice: str = "") -> None:
    answer = _current.get()
    if answer is None:
        return
    advice = advice or message.partition("; ")[2] or ADVICE.get(kind, "")
    answer.errors.append(
        {
            "kind": kind, "message": message, "what_to_do": advice,
            "flags": list(dict.fromkeys(_FLAGS.findall(message))), "input": path,
        }
    )  # fmt: skip


class Answering:
    """Collects the answer of a verb while the block runs, and writes it where it is asked for.

    With `--json`, what the block prints on standard output goes to standard error. An error that nobody expected is
    answered, too, and raised again.
    """

    def __init__(self, verb: str, asked: bool, output: Stream) -> None:
        """Prepare the answer.

        Args:
            verb: The verb.
            asked: Whether the answer is written at all.
            output: Where it is written.
        """
        self._answer, self.asked, self._output = Answer(verb), asked, output
        self._redirected = redirect_stdout(sys.stderr)
        self._token: Token[Answer | None] | None = None
        self._away = asked and verb not in LINES
        self._heard = _Heard()

    def __enter__(self) -> "Answering":
        """Begin to collect."""
        self._token = _current.set(self._answer if self.asked else None)
        if self._away:
            self._redirected.__enter__()
        if self.asked:
            self._heard.start()
        return self

    def finish(self, status: int) -> None:
        """Write the answer of a verb that ended with this status."""
        if self.asked:
            self._output.write(self._answer.line(status) + "\n")

    def usage(self, status: int) -> None:
        """Note that the command line was wrong, with what was printed of it."""
        if status:
            said = " ".join(_FRAME.sub(" ", self._heard.text).split())[:2000]
            _note("UsageError", said, advice=ADVICE["UsageError"])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End collecting; an error that comes through here is a fault of poselift."""
        self._heard.stop()
        if self._away:
            self._redirected.__exit__(None, None, None)
        if error is not None:
            _note("InternalError", f"{type(error).__name__}: {error}")
            self.finish(1)
        if self._token is not None:
            _current.reset(self._token)


class _Heard:
    """Keeps the first words that are written to standard error, such as those about a wrong command line."""

    MOST = 8000

    def __init__(self) -> None:
        self.text = ""
        self._stream: Any = None

    def start(self) -> None:
        """Stand in for standard error."""
        self._stream, sys.stderr = sys.stderr, self

    def stop(self) -> None:
        """Put standard error back."""
        if self._stream is not None:
            sys.stderr, self._stream = self._stream, None

    def write(self, text: str) -> int:
        """Pass text on, and keep the first of it."""
        self.text = (self.text + text)[: self.MOST]
        return int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def with_flag(verb: Callable[..., int]) -> Callable[..., int]:
    """Return a verb whose help names `--json`; `poselift.cli.main` takes the flag out before a verb is called."""

    @functools.wraps(verb)
    def run(*arguments: Any, json: bool = False, **options: Any) -> int:
        return verb(*arguments, **options)

    kind = Annotated[bool, tyro.conf.arg(help=_HELP), tyro.conf.FlagCreatePairsOff]
    own = inspect.signature(verb)
    flag = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
    run.__signature__ = own.replace(parameters=[*own.parameters.values(), flag])  # type: ignore[attr-defined]
    del run.__wrapped__  # tyro would read the annotations of the verb itself
    run.__annotations__ = {**verb.__annotations__, "json": kind}
    return run


def plain(value: Any) -> Any:
    """Return a value in JSON's containers: paths as text, arrays as lists, numbers that are not finite as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(part) for part in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, PathLike):
        return str(value)
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
