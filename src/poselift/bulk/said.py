"""What readers and checks say of clips, counted: a corpus would fill the log with it."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

_MOST = 40
"""Different texts that are kept; what else is said is counted together."""
OTHERS = "other notes"


class _Counting(logging.Handler):
    def __init__(self, said: Counter[str]) -> None:
        super().__init__(logging.INFO)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        count_note(self._said, _without_name(record))


def _without_name(record: logging.LogRecord) -> str:
    """Return a message without the name of the file that it begins with, so that those of many clips are one."""
    text = str(record.msg)
    if not text.startswith("%s: ") or not isinstance(record.args, tuple) or not record.args:
        return record.getMessage()
    try:
        return text.removeprefix("%s: ") % record.args[1:]
    except (TypeError, ValueError):
        return record.getMessage()


def count_note(said: Counter[str], text: str) -> None:
    """Count a text."""
    said[text if text in said or len(said) < _MOST else OTHERS] += 1


@contextmanager
def notes_counted(said: Counter[str]) -> Iterator[None]:
    """Count what is logged while the block runs, in place of logging it."""
    log = logging.getLogger("poselift")
    before = log.handlers[:], log.level, log.propagate
    log.handlers[:], log.propagate = [_Counting(said)], False
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.handlers[:], log.propagate = before[0], before[2]
        log.setLevel(before[1])
