"""Requests that are refused, and what is wrong with a job: both in the form in which `poselift VERB --json` says it."""

import re
from typing import Any

_FLAGS = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def problem(kind: str, message: str, *, input: str | None = None) -> dict[str, Any]:
    """Return an error as JSON has it.

    Args:
        kind: Class of the error, such as "FormatError".
        message: What was wanted, what came and, after a semicolon, what to do.
        input: Name of the file that it is about.
    """
    return {
        "kind": kind,
        "message": message,
        "what_to_do": message.partition("; ")[2],
        "flags": list(dict.fromkeys(_FLAGS.findall(message))),
        "input": input,
    }


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        """Store the HTTP status, the kind of error and the message."""
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message

    def content(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return {"status": self.status, "errors": [problem(self.kind, self.message)]}
