"""Every error that poselift raises on purpose, in one tree.

::

    PoseliftError
    ├── KindError          (TypeError)   an argument is another kind of thing than wanted
    ├── ShapeError         (ValueError)  an array has the wrong shape, or no frames
    ├── SkeletonError      (ValueError)  unknown skeleton, or joints that do not fit it
    ├── FormatError        (ValueError)  a file is broken, or in a format that poselift does not read
    │   └── MissingRate                  a keypoint file does not say its frame rate
    ├── OutputError        (OSError)     a result cannot be written
    │   └── OutputExistsError            refusing to overwrite one
    ├── MissingExtraError  (ImportError) an optional part is not installed
    ├── DatasetError       (ValueError)  a data set is not what it claims to be
    │   ├── MissingData    (OSError)     a part of it is missing
    │   └── UntrustedPickle              it holds a pickle that is more than arrays
    ├── CheckpointError    (ValueError)  weights or a card do not fit
    ├── DetectionError     (ValueError)  a video cannot be read, or shows no person
    └── RecipeError        (ValueError)  a configuration contradicts itself

Each message says what was wanted, what came, and what to do next.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path

_MOST_OPTIONS, _LONGEST_NAME = 500, 100
"""Names that are compared, and letters of a name: files may hold a million of either."""


class PoseliftError(Exception):
    """Base of every error raised on purpose."""


class KindError(PoseliftError, TypeError):
    """An argument is another kind of thing than wanted."""


class ShapeError(PoseliftError, ValueError):
    """An array has the wrong shape, or holds nothing."""


class SkeletonError(PoseliftError, ValueError):
    """A skeleton is unknown, or the joints do not fit it."""


class FormatError(PoseliftError, ValueError):
    """A file is broken, or in a format that poselift does not read."""


class MissingRate(FormatError):
    """A keypoint file does not say its frame rate."""


class OutputError(PoseliftError, OSError):
    """A result cannot be written."""


class OutputExistsError(OutputError):
    """A result would overwrite something that exists."""


class MissingExtraError(PoseliftError, ImportError):
    """An optional part of poselift is not installed."""


class DatasetError(PoseliftError, ValueError):
    """A data set is not what it claims to be."""


class MissingData(DatasetError, OSError):
    """A part of a data set is missing."""


class UntrustedPickle(DatasetError):
    """A file holds a pickle that is more than arrays and plain containers."""


class CheckpointError(PoseliftError, ValueError):
    """Weights or a card do not fit what they are loaded into."""


class DetectionError(PoseliftError, ValueError):
    """A video cannot be read, or shows no person."""


class RecipeError(PoseliftError, ValueError):
    """A training recipe or configuration contradicts itself."""


def check_kind(value: object, wanted: type, how: str) -> None:
    """Refuse an argument of another kind.

    Args:
        value: The argument.
        wanted: Class that it must be of.
        how: End of the message, which says how to get what is wanted.

    Raises:
        KindError: `value` is not of class `wanted`.
    """
    if not isinstance(value, wanted):
        raise KindError(f"wanted {wanted.__name__}, got {type(value).__name__}; {how}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message: the known name closest to `name`, or all known names.

    Args:
        name: What the user wrote.
        known: The names that exist.

    Returns:
        ``"did you mean 'x'?"`` or ``"known: a, b, c"``.
    """
    options = list(known)[:_MOST_OPTIONS]
    close = difflib.get_close_matches(name[:_LONGEST_NAME], options, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(options)}"


def install_hint(extra: str) -> str:
    """Return the end of an error message: the command that installs an optional part of poselift.

    Args:
        extra: Name of the part, such as "video" or "lab".

    Returns:
        The command for the checkout that this code runs from, or for a checkout anywhere when poselift was installed
        from a wheel; and the command that works once poselift is published.
    """
    root = Path(__file__).resolve().parents[2]
    project = root / "pyproject.toml"
    here = project.is_file() and '\nname = "poselift"\n' in project.read_text(encoding="utf-8")
    command = f'pip install -e "{root}[{extra}]"' if here else f'pip install "/path/to/the/checkout[{extra}]"'
    return f'{command} (once poselift is published: pip install "poselift[{extra}]")'
