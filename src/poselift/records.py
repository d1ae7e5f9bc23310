"""Dataclasses from JSON: every field must be there, none that is not known, and each of its own type."""

import sys
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from poselift.errors import FormatError

T = TypeVar("T")


def record(kind: type[T], content: Any, what: str) -> T:
    """A dataclass from the containers that `json.loads` gives.

    Args:
        kind: A dataclass. Fields may be str, int, float, bool, `Literal`, `Any`, dataclasses, and dict, tuple and None
            of these.
        content: What was in the file.
        what: What the dataclass is, for the message, such as "a card".

    Raises:
        FormatError: Fields are missing or unknown, or a value is of another type; the message names them.
    """
    return _record(kind, content, what, "")


def _record(kind: Any, content: Any, what: str, where: str) -> Any:
    if not isinstance(content, dict):
        raise FormatError(f"wanted the fields of {where or what}, got {type(content).__name__}")
    known = [f.name for f in fields(kind)]
    for fault, names in (
        ("unknown", [name for name in content if name not in known]),
        ("missing", [name for name in known if name not in content]),
    ):
        if names:
            raise FormatError(f"{fault} fields {', '.join(f'{where}{name}' for name in sorted(names))}")
    hints = get_type_hints(kind)
    return kind(**{name: _value(hints[name], content[name], f"{where}{name}") for name in known})


def _value(hint: Any, value: Any, where: str) -> Any:
    """A field's value, checked against its type."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if hint is Any or (value is None and NoneType in options):
        return value
    kind = next(option for option in options if option is not NoneType)
    if is_dataclass(kind):
        if isinstance(value, kind):  # type: ignore[arg-type]
            return value
        return _record(kind, value, "", f"{where}.")
    origin, inner = get_origin(kind), get_args(kind)
    if origin is dict and isinstance(value, dict):
        return {key: _value(inner[1], part, f"{where}.{key}") for key, part in value.items()}
    if origin is tuple and isinstance(value, list | tuple) and (inner[-1] is ... or len(value) == len(inner)):
        return tuple(_value(inner[0], part, where) for part in value)
    if origin is Literal and value in inner:
        return value
    if kind is float and type(value) in (int, float) and abs(value) <= sys.float_info.max:  # JSON has NaN, too
        return value
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise FormatError(f"wanted {where} as {getattr(kind, '__name__', kind)}, got {value!r:.100}")
