"""Read text formats of words and numbers line by line, with errors that name the line."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from poselift.errors import FormatError
from poselift.files import read_text
from poselift.files.limits import MOTION

_LARGEST = 1e9


class Lines:
    """The lines of a file as words."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            FormatError: The file is missing, not a regular file, or not readable.
        """
        self.path = path
        self.number = 0
        """Number of the line that was read last, from 1."""
        self._text = read_text(path, MOTION, errors="replace")

    def words(self) -> Iterator[list[str]]:
        """Yield the words of each line that has any and is no comment (`#`)."""
        for number, line in enumerate(self._text.splitlines(), start=1):
            self.number = number
            if (words := line.split()) and not words[0].startswith("#"):
                yield words

    def error(self, wanted: str, got: str) -> FormatError:
        """Return an error that names file and line."""
        return FormatError(
            f"{self.path}:{self.number}: wanted {wanted}, got {got}; the file is broken or not what its name says"
        )

    def numbers(self, words: Sequence[str], count: int, what: str) -> np.ndarray:
        """Return the `count` numbers (count,) in `words`, each below 1e9, so that sums and squares are finite.

        Raises:
            FormatError: There are more or fewer words, or some are not such numbers.
        """
        try:
            found = np.array(words, dtype=float)
        except ValueError:
            found = np.array([])
        if len(found) != count or not (np.abs(found) < _LARGEST).all():
            raise self.error(f"{count} finite numbers for {what}", f"'{' '.join(words)[:60]}' ({len(words)} words)")
        return found
