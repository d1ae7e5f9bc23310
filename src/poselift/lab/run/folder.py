"""The folder of a run: its recipe, its log, and the checkpoint from which it goes on exactly where it was."""

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from poselift.errors import CheckpointError
from poselift.files import written_whole


class RunFolder:
    """`recipe.json`, `log.jsonl` and `checkpoint.pt` in one folder."""

    def __init__(self, path: Path, recipe: Mapping[str, Any], *, writes: bool = True) -> None:
        """Name them; nothing is read or written yet.

        Args:
            path: The folder.
            recipe: Everything the run needs to be the same run, in JSON's containers.
            writes: Off in all processes of a run but one: they read, and what they write goes nowhere.
        """
        self.path, self.recipe, self._writes = path, dict(recipe), writes

    def open(self, device: torch.device, is_same: Callable[[Any], bool]) -> dict[str, Any] | None:
        """The state that was saved last; None, and a fresh folder, when there is none.

        Args:
            device: Where the state's tensors are put.
            is_same: Whether a recipe that was stored is this run's.

        Raises:
            CheckpointError: The checkpoint is broken, or of another recipe.
        """
        checkpoint = self.path / "checkpoint.pt"
        if not checkpoint.exists():
            self.remove("log.jsonl")
            self.write("recipe.json", json.dumps(self.recipe, indent=2) + "\n")
            return None
        try:
            state = torch.load(checkpoint, map_location=device, weights_only=True)
        except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
            message = f"{checkpoint} is no checkpoint of ours or is broken; use a new --out folder"
            raise CheckpointError(message) from error
        if not isinstance(state, dict) or not is_same(json.loads(state.get("recipe", "0"))):
            raise CheckpointError(f"{checkpoint} belongs to another recipe (see recipe.json); use a new --out folder")
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint of containers, numbers and tensors."""
        if self._writes:
            with written_whole(self.path / "checkpoint.pt", overwrite=True) as path:
                torch.save({"recipe": json.dumps(self.recipe)} | dict(state), path)

    def write(self, name: str, text: str) -> None:
        """Write a file of text."""
        if self._writes:
            with written_whole(self.path / name, overwrite=True) as path:
                path.write_text(text, encoding="utf-8")

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self._writes:
            (self.path / name).unlink(missing_ok=True)

    def log(self, line: Mapping[str, Any]) -> None:
        """Add a line to the log."""
        if self._writes:
            with (self.path / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def lines(self) -> list[dict[str, Any]]:
        """The log; a last line that is only half there is left out."""
        path = self.path / "log.jsonl"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]

    def forget_after(self, step: int) -> None:
        """Drop the log's lines that the checkpoint does not know of."""
        self.write("log.jsonl", "".join(json.dumps(line) + "\n" for line in self.lines() if line["step"] <= step))
