"""Read JSON, and files with one JSON value a line."""

import json
from pathlib import Path
from typing import Any

from poselift.errors import FormatError
from poselift.files import read_json, read_text

LINES = (".jsonl", ".ndjson")
"""Endings of files with one value a line; files that are called .json may be such files too."""


def read_json_or_lines(path: Path) -> Any:
    """Return the content of a JSON file: a list of the lines' values where each line is a value of its own.

    Raises:
        FormatError: It is not there, or broken.
    """
    if path.suffix.lower() not in LINES:
        try:
            return read_json(path)
        except FormatError:
            if not _is_lines(path):
                raise
    values = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            try:
                values.append(json.loads(line))
            except (json.JSONDecodeError, RecursionError) as error:
                raise FormatError(f"{path}, line {number}: wanted one JSON value a line, got {error}") from error
    return values


def _is_lines(path: Path) -> bool:
    """Return whether the first two lines of a file are each a JSON object or list."""
    lines = [line for line in read_text(path).splitlines() if line.strip()][:2]
    try:
        return len(lines) == 2 and all(isinstance(json.loads(line), dict | list) for line in lines)
    except (json.JSONDecodeError, RecursionError):
        return False
