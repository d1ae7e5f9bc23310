"""Files on disk: errors name the broken file and the reason, and no file is ever left half-written.

Every reader opens its files here. A pipe or a device, which may have no end, is refused, and so is a file that asks for
more memory than `poselift.files.limits` allows.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from poselift.errors import FormatError, OutputError, OutputExistsError, PoseliftError
from poselift.files.limits import DOCUMENT, Limit
from poselift.files.temporary import create_locked, delete_abandoned, temporary_path

FILE, FOLDER, SPECIAL, NOTHING = "file", "folder", "special", ""
"""Kinds of things at a path."""
_HUGE_NUMBER = re.compile(r"(?<![\d.])\d{309}")
_CHUNK = 1 << 20
_SHOWN = 200


@contextlib.contextmanager
def written_whole(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path; the file moves to `path` if the block ends without an error, and is deleted otherwise.

    The temporary file is beside `path` and has the same ending, because some writers choose a format by the ending.

    Args:
        path: Path of the finished file. Missing parent folders are made.
        overwrite: Replace an existing file.

    Yields:
        The path to write to.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is off, or `path` is a folder.
        OutputError: The folder cannot be written, the disk is full, the name is too long, or `path` is a device.
    """
    path = Path(path)
    check_free(path, overwrite=overwrite)
    temporary = temporary_path(path)
    lock: int | None = None
    try:
        if found_at(path, OutputError) == SPECIAL:
            raise OutputError(f"{path} is a device or a pipe, and would be replaced by a file; name a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        delete_abandoned(path)
        lock = create_locked(temporary)
        yield temporary
        temporary.replace(path)
    except PoseliftError:
        raise
    except OSError as error:
        raise OutputError(
            f"could not write {path}: {error.strerror or error}; no file was left there; choose another folder or "
            "name, or make room"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # the folder itself may be missing
            temporary.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def check_free(path: str | Path, *, overwrite: bool = False) -> None:
    """Check, before any work is done, that writing to `path` would overwrite nothing.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is off, or `path` is a folder.
        OutputError: The system refuses to look there.
    """
    at = found_at(path, OutputError)
    if at == FOLDER:
        raise OutputExistsError(f"{path} is a folder; name a file")
    if at and not overwrite:
        raise OutputExistsError(f"{path} exists and is kept; choose another name, or allow overwriting (--force)")


def check_no_input(target: Path, inputs: Iterable[Path], advice: str = "choose another place (--out)") -> None:
    """Refuse a result that would replace one of its own input files, even where overwriting is allowed.

    Args:
        target: The file that would be written.
        inputs: The files that are read.
        advice: What to do, with the flag that decides about the target.

    Raises:
        OutputExistsError: `target` is the same file as one of `inputs`, under this or another name.
    """
    if any(_is_same(path, target) for path in inputs):
        raise OutputExistsError(f"{target} is an input and is never overwritten; {advice}")


def _is_same(path: Path, target: Path) -> bool:
    try:
        return path.samefile(target)
    except (OSError, ValueError):  # what is not there, or cannot be looked at, is not read either
        return False


def result_name(path: Path) -> str:
    """Return the name, without ending, for results made from a file or folder; it never consists of dots alone.

    The ending of a file's name is dropped, a folder's name is kept whole, and "." and ".." are resolved to the names of
    the folders.
    """
    named = path if path.name.strip(".") else path.resolve()
    try:
        name = named.name if found_at(named) == FOLDER else named.stem
    except FormatError:  # whoever reads it says why
        name = named.stem
    return name if name.strip(".") else named.name.strip(".") or "clip"


def found_at(path: str | Path, refuse: type[PoseliftError] = FormatError) -> str:
    """Return what is at a path: `FILE`, `FOLDER`, `SPECIAL` (a pipe, a device, a socket) or `NOTHING`.

    Args:
        path: The path; links are followed.
        refuse: Class of the error.

    Raises:
        PoseliftError: The system does not say, as a folder above may not be searched or the name is too long.
    """
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return NOTHING
    except (OSError, ValueError) as error:
        name = str(path) if len(str(path)) <= _SHOWN else f"{str(path)[:_SHOWN]}..."
        raise refuse(
            f"cannot look at {name}: {reason_of(error)}; check the name and its folder's permissions"
        ) from error
    return FILE if stat.S_ISREG(mode) else FOLDER if stat.S_ISDIR(mode) else SPECIAL


def files_in(folder: Path, *patterns: str, refuse: type[PoseliftError] = FormatError) -> list[Path]:
    """Return everything in a folder whose name fits one of the patterns, by name; nothing when there is no folder.

    Raises:
        PoseliftError: The folder may not be read; the error is of the class `refuse`.
    """
    try:
        found = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError) as error:
        raise refuse(f"cannot look into {folder}: {reason_of(error)}; check its permissions") from error
    return [file for file in found if any(file.match(pattern) for pattern in patterns)]


@contextlib.contextmanager
def opened(path: Path, limit: Limit | None = None) -> Iterator[BinaryIO]:
    """Open a regular file for reading; a pipe, device or socket, which may have no end, is refused.

    Args:
        path: The file.
        limit: How large the file may be; None for any size.

    Yields:
        The file's bytes.

    Raises:
        FormatError: The file is missing, not readable, not regular or too large.
    """
    at = found_at(path)
    if at in (FOLDER, SPECIAL):
        what = "a folder; name a file" if at == FOLDER else "no file but a pipe or device; save what it gives as a file"
        raise FormatError(f"cannot read {path}: it is {what}")
    try:
        with path.open("rb") as file:
            if limit is not None:
                limit.check(os.fstat(file.fileno()).st_size, str(path))
            yield file
    except PoseliftError:
        raise
    except OSError as error:
        raise FormatError(f"cannot read {path}: {reason_of(error)}") from error


def check_readable(path: Path, limit: Limit) -> None:
    """Check a file that another library will open by its name; the errors are those of `opened`."""
    with opened(path, limit):
        pass


def read_text(path: Path, limit: Limit = DOCUMENT, *, errors: str = "strict") -> str:
    """Return the content of a UTF-8 text file, with or without a byte order mark.

    Args:
        path: The file.
        limit: How large the file may be.
        errors: "strict", or "replace" to put a question mark in the place of bytes that are not text.

    Raises:
        FormatError: The file is missing, not readable, too large or not text.
    """
    with opened(path, limit) as file:
        content = file.read(int(min(limit.bytes, sys.maxsize // 2)) + 1)
    limit.check(len(content), str(path))  # the system does not know the size of all files
    try:
        return re.sub("\r\n?", "\n", content.decode("utf-8-sig", errors))
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path} is not text (byte {error.start} is not UTF-8); check that it is the right file"
        ) from error


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; its whole numbers are in the range of float.

    Raises:
        FormatError: The file is missing, broken, nested too deeply or too large.
    """
    return parse_json(read_text(path), str(path))


def parse_json(text: str, name: str) -> Any:
    """Return the content of JSON text; its whole numbers are in the range of float.

    Args:
        text: The text.
        name: Name of the text, for the errors.

    Raises:
        FormatError: The text is broken, nested too deeply or too large.
    """
    if _HUGE_NUMBER.search(text):
        raise FormatError(f"{name} holds a number of more than 308 digits; it is damaged, write it again")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise FormatError(
            f"{name} is broken JSON ({error.msg} at {where}, {len(text)} characters); write it again"
        ) from error
    except RecursionError as error:
        raise FormatError(f"{name} is JSON nested too deeply; it is damaged, write it again") from error
    except MemoryError as error:
        raise FormatError(f"{name} needs more memory than there is; split it") from error


def reason_of(error: BaseException) -> str:
    """Return the message of an error, or the name of its class when it has none."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def sha256_of(path: Path) -> str:
    """Return the SHA-256 hash of a file in hexadecimal.

    Raises:
        FormatError: The file is missing or not readable.
    """
    digest = hashlib.sha256()
    with opened(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
