"""Files on disk: errors name the broken file and the reason, and no file is ever left half-written."""

import contextlib
import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError, OutputError, OutputExistsError, PoseliftError, UntrustedPickle
from poselift.temporary import create_locked, delete_abandoned, temporary_path

_PICKLE = b"\x80"
"""First byte of a pickle of protocol 2 or later."""


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
    temporary = temporary_path(path)
    lock: int | None = None
    try:
        check_free(path, overwrite=overwrite)
        if path.exists() and not path.is_file():
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
    """
    path = Path(path)
    if path.is_dir():
        raise OutputExistsError(f"{path} is a folder; name a file")
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists and is kept; choose another name, or allow overwriting (--force)")


def check_no_input(target: Path, inputs: Iterable[Path]) -> None:
    """Refuse a result that would replace one of its own input files, even where overwriting is allowed.

    Raises:
        OutputExistsError: `target` is the same file as one of `inputs`, under this or another name.
    """
    if target.exists() and any(path.exists() and path.samefile(target) for path in inputs):
        raise OutputExistsError(f"{target} is an input and is never overwritten; choose another place (--out)")


def result_name(path: Path) -> str:
    """Return the name, without ending, for results made from a file or folder; it never consists of dots alone.

    The ending of a file's name is dropped, a folder's name is kept whole, and "." and ".." are resolved to the names of
    the folders.
    """
    named = path if path.name.strip(".") else path.resolve()
    name = named.name if named.is_dir() else named.stem
    return name if name.strip(".") else named.name.strip(".") or "clip"


def read_text(path: Path) -> str:
    """Return the content of a UTF-8 text file, with or without a byte order mark.

    Raises:
        FormatError: The file is missing, not readable or not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{path} is not text (byte {error.start} is not UTF-8); check that it is the right file"
        ) from error
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror}") from error


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        FormatError: The file is missing or broken.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise FormatError(
            f"{path} is broken JSON ({error.msg} at {where}, {len(text)} characters); write it again"
        ) from error
    except RecursionError as error:
        raise FormatError(f"{path} is JSON nested too deeply; wanted keypoints or poses") from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of an npz file. Pickles are never opened.

    Raises:
        UntrustedPickle: The file holds Python objects.
        FormatError: The file is missing or broken.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
            if start[:2] != b"PK":
                raise _no_archive(path, start)
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, MemoryError, ValueError, NotImplementedError) as error:
        if isinstance(error, FormatError | UntrustedPickle):
            raise
        if "allow_pickle" in str(error):
            raise _pickle(path) from error
        raise FormatError(f"{path} is a broken npz ({error}); write it again") from error
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from error


def _no_archive(path: Path, start: bytes) -> FormatError | UntrustedPickle:
    if start[:1] == _PICKLE:
        return _pickle(path)
    return FormatError(f"{path} is no npz archive (it starts with {start!r}); write it with numpy.savez")


def _pickle(path: Path) -> UntrustedPickle:
    return UntrustedPickle(
        f"{path} holds pickled Python objects, which can run any program and are not opened; "
        "save plain number and text arrays with numpy.savez"
    )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 hash of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
