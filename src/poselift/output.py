"""Writing files so that nothing is ever half-written, and nothing is lost."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from poselift.errors import OutputError, OutputExistsError, PoseliftError


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
