"""Files on disk: read so that a broken one is named with its reason, written so that nothing is ever half-written."""

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError, OutputError, OutputExistsError, PoseliftError, UntrustedPickle

_PICKLE = b"\x80"
"""First byte of a pickle of protocol 2 or later."""


@contextlib.contextmanager
def written_whole(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well, and vanishes otherwise.

    The temporary name keeps the ending of `path`, so that writers which look at it still work.

    Args:
        path: Where the file shall be. Missing parent folders are made.
        overwrite: Replace an existing file.

    Yields:
        The path to write to.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is off.
        OutputError: The folder cannot be written, or the disk is full.
    """
    path = Path(path)
    check_free(path, overwrite=overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise OutputError(f"cannot write into {path.parent}: {error.strerror}; choose another folder") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except PoseliftError:
        raise
    except OSError as error:
        raise OutputError(f"could not write {path}: {error.strerror or error}; nothing was left there") from error
    finally:
        temporary.unlink(missing_ok=True)


def check_free(path: str | Path, *, overwrite: bool = False) -> None:
    """Say early that a result would overwrite something.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is off, or is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputExistsError(f"{path} is a folder; name a file")
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists and is kept; choose another name, or allow overwriting (--force)")


def check_no_input(target: Path, inputs: Iterable[Path]) -> None:
    """Refuse a result that would replace a file it is made from, whatever may be overwritten.

    Raises:
        OutputExistsError: `target` is one of the files of `inputs`, by this or another name.
    """
    if target.exists() and any(path.exists() and path.samefile(target) for path in inputs):
        raise OutputExistsError(f"{target} is an input and is never overwritten; choose another place (--out)")


def result_name(path: Path) -> str:
    """What results made from a file or folder are called, without ending; never a name of dots alone.

    A file's name loses its ending, a folder's is taken whole; "." and ".." stand for folders that have names.
    """
    named = path if path.name.strip(".") else path.resolve()
    name = named.name if named.is_dir() else named.stem
    return name if name.strip(".") else named.name.strip(".") or "clip"


def read_text(path: Path) -> str:
    """Content of a UTF-8 text file, with or without a byte order mark.

    Raises:
        FormatError: It is not there, not readable or not text.
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
    """Content of a JSON file.

    Raises:
        FormatError: It is not there, or broken.
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
        UntrustedPickle: It holds Python objects.
        FormatError: It is not there, or broken.
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
    """Hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
