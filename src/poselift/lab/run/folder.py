"""The folder of a run: its recipe, its log, and the checkpoint from which it resumes exactly where it stopped."""

import io
import json
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from poselift.errors import CheckpointError, FormatError, OutputError
from poselift.files import found_at, parse_json, read_text, written_whole
from poselift.lab.run.torch_file import read_torch_file

logger = logging.getLogger(__name__)


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write containers, numbers and tensors to a file for `torch.load`, in place of an earlier one.

    Raises:
        OutputError: The file cannot be written.
    """
    content = io.BytesIO()  # torch raises no OSError when it writes to a full disk itself
    torch.save(dict(state), content)
    with written_whole(path, overwrite=True) as temporary:
        temporary.write_bytes(content.getbuffer())


class RunFolder:
    """The files `recipe.json`, `log.jsonl` and `checkpoint.pt` in one folder."""

    def __init__(self, path: Path, recipe: Mapping[str, Any], *, writes: bool = True) -> None:
        """Store path and recipe; nothing is read or written yet.

        Args:
            path: The folder.
            recipe: The run's recipe, in JSON's containers; another recipe may not resume the run.
            writes: Whether this process writes. In all processes but the first this is off, and writing does nothing.
        """
        self.path, self.recipe, self._writes = path, dict(recipe), writes

    def open(self, device: torch.device, is_same: Callable[[Any], bool]) -> dict[str, Any] | None:
        """Return the state that was saved last; without one, start the folder anew and return None.

        Args:
            device: The device that the state's tensors are moved to.
            is_same: Returns whether a stored recipe is this run's.

        Raises:
            CheckpointError: The checkpoint is broken, or of another recipe.
        """
        checkpoint = self.path / "checkpoint.pt"
        if not found_at(checkpoint, CheckpointError):
            self.remove("log.jsonl")
            self.write("recipe.json", json.dumps(self.recipe, indent=2) + "\n")
            return None
        try:
            state = read_torch_file(checkpoint, device)
            recipe = parse_json(str(state.get("recipe", 0)), "its recipe") if isinstance(state, dict) else None
        except (CheckpointError, FormatError) as error:
            message = f"{checkpoint} is not a checkpoint of poselift, or is broken; use a new --out folder ({error})"
            raise CheckpointError(message) from error
        if not is_same(recipe):
            raise CheckpointError(f"{checkpoint} belongs to another recipe (see recipe.json); use a new --out folder")
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint; `state` holds containers, numbers and tensors only."""
        if self._writes:
            save_state(self.path / "checkpoint.pt", {"recipe": json.dumps(self.recipe)} | dict(state))

    def write(self, name: str, text: str) -> None:
        """Write a text file into the folder."""
        if self._writes:
            with written_whole(self.path / name, overwrite=True) as path:
                path.write_text(text, encoding="utf-8")

    def remove(self, name: str) -> None:
        """Remove a file from the folder, if it exists."""
        if self._writes:
            (self.path / name).unlink(missing_ok=True)

    def log(self, line: Mapping[str, Any]) -> None:
        """Append a line to the log.

        Raises:
            OutputError: The log cannot be written.
        """
        if self._writes:
            try:
                with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
            except OSError as error:
                raise OutputError(f"could not write to {self.path / 'log.jsonl'}: {error.strerror}") from error

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines of the log; damaged lines, such as a last one that was half written, are left out.

        Raises:
            CheckpointError: The log cannot be read.
        """
        path = self.path / "log.jsonl"
        try:
            text = read_text(path, errors="replace") if found_at(path) else ""
        except FormatError as error:
            raise CheckpointError(f"{error}; use a new --out folder") from error
        lines = text.splitlines()
        kept = [content for line in lines if (content := _log_line(line)) is not None]
        if len(kept) < len(lines):
            logger.warning("%s: %d damaged lines are left out", path, len(lines) - len(kept))
        return kept

    def drop_after(self, step: int) -> None:
        """Drop the lines of the log that were written after `step`, the checkpoint's step."""
        self.write("log.jsonl", "".join(json.dumps(line) + "\n" for line in self.lines() if line["step"] <= step))


def _log_line(line: str) -> dict[str, Any] | None:
    """Return the content of a line of the log: finite numbers by name, one of them the step; None for other lines."""
    try:
        content = parse_json(line, "a line")
    except FormatError:
        return None
    if not isinstance(content, dict) or type(content.get("step")) is not int:
        return None
    finite = all(type(value) in (int, float) and math.isfinite(value) for value in content.values())
    return content if finite else None
