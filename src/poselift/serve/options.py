"""The options of a job: those of `poselift lift` that concern one file, under the same names.

`OPTIONS` is the one table of them. It checks what comes by HTTP, makes the arguments of `poselift lift`, and is what
`GET /api` lists. No option names a file or code of the server.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from poselift.errors import PoseliftError, did_you_mean
from poselift.formats.rigs import RIGS
from poselift.lifters.load import AUTO, shipped_lifters
from poselift.people import ALL, check_choice
from poselift.serve.refusal import Refusal
from poselift.skeleton import SKELETONS

_MOST_NUMBERS = 100
_LONGEST_TEXT = 100


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option."""

    name: str
    """Its name, which is its flag without dashes at the front and with underscores inside."""
    kind: Literal["people", "number", "numbers", "size", "choice", "yes"]
    """What it is: somebody, a number, several numbers, width and height in pixels, one of some words, or yes."""
    what: str
    """What it says, in a line."""
    choices: tuple[str, ...] = ()
    """The words, of a choice."""
    flag: str = ""
    """Its flag, where it is another one than its name."""

    def parse(self, texts: list[str]) -> Any:
        """Return the value that texts of a request stand for.

        Raises:
            Refusal: They stand for none.
        """
        text = " ".join(texts).strip()
        if len(text) > _LONGEST_TEXT * (_MOST_NUMBERS if self.kind == "numbers" else 1):
            raise self._wrong("something short", text[:20] + "...")
        if self.kind == "people":
            try:
                check_choice(text)
            except PoseliftError as error:
                raise Refusal(400, type(error).__name__, str(error)) from error
            return text
        if self.kind == "choice":
            if text not in self.choices:
                raise self._wrong(f"one of {', '.join(self.choices)}", text)
            return text
        if self.kind == "yes":
            if text not in ("true", "false"):
                raise self._wrong("true or false", text)
            return text == "true"
        numbers = self._numbers(text)
        if self.kind == "number" and len(numbers) != 1:
            raise self._wrong("one number", text)
        if self.kind == "size":
            if len(numbers) != 2 or any(number != int(number) or number < 1 for number in numbers):
                raise self._wrong("width and height in pixels, such as 1920x1080", text)
            return [int(number) for number in numbers]
        return numbers[0] if self.kind == "number" else numbers

    def _numbers(self, text: str) -> list[float]:
        parts = text.replace("x" if self.kind == "size" else ";", " ").split()
        try:
            numbers = [float(part) for part in parts]
        except ValueError as error:
            raise self._wrong("numbers with a decimal point", text) from error
        if not 1 <= len(numbers) <= _MOST_NUMBERS or not all(0 <= number < math.inf for number in numbers):
            raise self._wrong(f"1 to {_MOST_NUMBERS} numbers that are not negative", text)
        return numbers

    def _wrong(self, wanted: str, text: str) -> Refusal:
        return Refusal(400, "FormatError", f"wanted {self.name} as {wanted}, got {text!r}; {self.what}")

    def arguments(self, value: Any) -> list[str]:
        """Return the arguments of `poselift lift` that say a value."""
        flag = self.flag or f"--{self.name.replace('_', '-')}"
        if self.kind == "yes":
            return [flag] if value else []
        if self.kind in ("numbers", "size"):
            return [flag, *(f"{number:.12g}" for number in value)]
        return [f"{flag}={value:.12g}" if self.kind == "number" else f"{flag}={value}"]


OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        Option(
            name="people", kind="people",
            what="who is lifted: all, largest, the number of a person, or x,y or x,y@SECONDS for the one at this pixel",
        ),
        Option(name="height", kind="numbers", what="height in metres, one for all or one for each person"),
        Option(name="fov", kind="number", what="horizontal field of view of the camera in degrees"),
        Option(name="focal", kind="number", what="focal length of the camera in pixels"),
        Option(
            name="treadmill", kind="yes", flag="--no-contacts",
            what="feet that touch the ground move with it",
        ),
        Option(name="lifter", kind="choice", what="weights that lift", choices=(AUTO, *shipped_lifters())),
        Option(name="rig", kind="choice", what="names and rest pose of the figure in BVH and GLB", choices=tuple(RIGS)),
        Option(name="start", kind="number", what="seconds of a video at which to begin"),
        Option(name="stop", kind="number", what="seconds of a video before which to end"),
        Option(name="fps", kind="number", what="frames per second of keypoint files that do not say"),
        Option(name="image_size", kind="size", what="width and height of the picture of keypoint files"),
        Option(
            name="skeleton", kind="choice", what="joint order of keypoint files that do not say",
            choices=tuple(SKELETONS),
        ),
        Option(name="flip", kind="yes", what="average with the mirror image: a little better, twice the time"),
        Option(name="force", kind="yes", what="lift files in which the checks find errors"),
    )
}  # fmt: skip
"""By name, in the order in which people ask for them."""
DEFAULTS: Mapping[str, Any] = {"people": ALL}
"""Options that every job has."""


def parse_options(given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return options from the parameters of a request.

    Args:
        given: Names and texts, of which names may repeat.

    Raises:
        Refusal: A name is unknown, or a text is no value of it.
    """
    texts: dict[str, list[str]] = {}
    for name, text in given:
        if name not in OPTIONS:
            raise Refusal(400, "FormatError", f"unknown option {name[:40]!r}; {did_you_mean(name, OPTIONS)}")
        texts.setdefault(name, []).append(text)
    found = {name: OPTIONS[name].parse(values) for name, values in texts.items()}
    kept = {name: value for name, value in found.items() if value is not False}
    return {**DEFAULTS, **kept}


def arguments(options: Mapping[str, Any]) -> list[str]:
    """Return the arguments of `poselift lift` for options that `parse_options` returned."""
    return [word for name, value in options.items() if name in OPTIONS for word in OPTIONS[name].arguments(value)]
