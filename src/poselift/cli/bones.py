"""What `--bones` says: lengths of bones, as words or in a small file."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from poselift.errors import FormatError
from poselift.files import parse_json, read_text
from poselift.refine.known import BoneLengths, checked_bones
from poselift.sequence import Poses3D

_FILES = (".json", ".toml")


class Bones:
    """Lengths of bones of everybody, or of people by their numbers."""

    def __init__(self, words: Sequence[str]) -> None:
        """Read and check words such as thigh=0.43, or the name of one file.

        Raises:
            FormatError: The words are neither, or the file is missing, broken or in another form.
            ShapeError: A bone is unknown, or its length impossible.
        """
        self._all: dict[str, float] | None = None
        self._people: dict[int, dict[str, float] | None] = {}
        if len(words) == 1 and Path(words[0]).suffix.lower() in _FILES:
            self._read(Path(words[0]))
        else:
            self._all = checked_bones(_pairs(words))

    def of(self, people: Sequence[Poses3D]) -> BoneLengths | list[BoneLengths | None] | None:
        """Return what `poselift.place` takes, for people of one file.

        Raises:
            FormatError: The file has lengths for somebody who is not there.
        """
        if not self._people:
            return self._all
        numbers = [person.person or 1 for person in people]
        if strangers := sorted({*self._people} - {*numbers}):
            raise FormatError(
                f"--bones has lengths for person {strangers[0]}, but lifted are: {', '.join(map(str, numbers))}"
            )
        return [self._people.get(number) for number in numbers]

    def _read(self, path: Path) -> None:
        text = read_text(path)
        content: Any = parse_json(text, str(path)) if path.suffix.lower() == ".json" else _toml(text, path)
        if not isinstance(content, dict) or not content:
            raise FormatError(
                f'wanted lengths of bones in {path} as a table, such as {{"thigh": 0.43}}, or one for each person by '
                f'number, such as {{"1": {{"thigh": 0.43}}}}; got {type(content).__name__}'
            )
        if all(isinstance(value, dict) for value in content.values()):
            if wrong := [name for name in content if not (name.isdecimal() and int(name) >= 1)]:
                raise FormatError(
                    f"wanted numbers of people from 1 on as names of tables in {path}, got {wrong[0]!r:.40}"
                )
            self._people = {int(name): checked_bones(value) for name, value in content.items()}
        else:
            self._all = checked_bones(content)


def _toml(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FormatError(f"{path} is no TOML file ({error}); write lines such as thigh = 0.43") from error


def _pairs(words: Sequence[str]) -> dict[str, float]:
    """Return lengths by name from words such as thigh=0.43."""
    found: dict[str, float] = {}
    for word in words:
        name, equals, length = word.partition("=")
        try:
            metres = float(length)
        except ValueError:
            equals = ""
            metres = 0.0
        if not equals:
            raise FormatError(
                f"wanted --bones as NAME=METRES, such as thigh=0.43 shank=0.41, or as one .json or .toml file, "
                f"got {word!r:.60}"
            )
        if name in found:
            raise FormatError(f"--bones says {name} twice")
        found[name] = metres
    return found
