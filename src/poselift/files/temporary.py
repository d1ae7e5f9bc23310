"""Temporary files beside the files that they become: locked while their process lives, deleted when it was killed."""

import contextlib
import glob
import os
import secrets
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_LONGEST_STEM = 50
"""Characters of a file's name that its temporary name repeats, so that long names leave room for the rest."""
_RANDOM_BYTES = 4
"""Random bytes in a temporary name, as hexadecimal digits."""


def temporary_path(path: Path) -> Path:
    """Return a new path beside `path`, hidden and with the same ending; nothing is created."""
    return path.parent / f"{_start(path)}{secrets.token_hex(_RANDOM_BYTES)}{path.suffix}"


def _start(path: Path) -> str:
    return f".{path.stem[:_LONGEST_STEM]}.poselift-"


def create_locked(path: Path) -> int | None:
    """Create an empty file and lock it until the returned descriptor is closed, or the process ends in any way.

    Returns None on Windows, where an open file cannot be renamed. Where the file system has no locks, the file is not
    locked, and nobody else can lock it either.

    Raises:
        OSError: The file cannot be created.
    """
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        if sys.platform == "win32":
            os.close(descriptor)
            return None
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.exists():
            return descriptor
        os.close(descriptor)  # another process deleted the file as abandoned before it was locked


def delete_abandoned(path: Path) -> None:
    """Delete the temporary files of `path` that nobody has locked, because their process was killed."""
    if sys.platform == "win32":
        return
    pattern = f"{glob.escape(_start(path))}{'[0-9a-f]' * 2 * _RANDOM_BYTES}{glob.escape(path.suffix)}"
    for file in path.parent.glob(pattern):
        with contextlib.suppress(OSError):  # locked, deleted by another process, or another user's
            descriptor = os.open(file, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                file.unlink()
            finally:
                os.close(descriptor)
