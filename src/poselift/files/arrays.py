"""Arrays in npz and npy files: each is read when it is asked for, within limits, and pickles are never opened."""

import contextlib
import math
import os
import struct
import sys
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from poselift.errors import FormatError, PoseliftError, UntrustedPickle
from poselift.files import opened, reason_of
from poselift.files.limits import ARRAY, INFLATED, INFLATION, Limit

BROKEN_ARCHIVE = (
    zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, ArithmeticError, AttributeError, EOFError,
    LookupError, MemoryError, RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip
"""Errors of zipfile and of numpy's reader of headers on damaged archives."""
_PICKLE = b"\x80"
"""First byte of a pickle of protocol 2 or later."""
_KINDS = "biufcSUO"
_CHUNK = 1 << 20

Header = tuple[tuple[int, ...], bool, np.dtype]
"""Shape, whether the order is Fortran's, and dtype of an array."""


def read_arrays(path: Path) -> Mapping[str, np.ndarray]:
    """Arrays of an npz file by name, each read when it is asked for. Pickles are never opened.

    Raises:
        UntrustedPickle: The file is a pickle; or, when an array is asked for, the array holds Python objects.
        FormatError: The file is missing or broken; or, when an array is asked for, the array is broken or too large.
    """
    return _Arrays(path)


def read_npy(path: Path) -> np.ndarray:
    """Read the array of an `.npy` file. Pickles are never opened.

    Raises:
        UntrustedPickle: The file holds Python objects.
        FormatError: The file is missing, broken or too large.
    """
    with opened(path, ARRAY) as file:
        try:
            header = read_header(file, path.name)
            if header[2].hasobject:
                raise _pickle(path)
            return read_numbers(file, path.name, os.fstat(file.fileno()).st_size, header)
        except PoseliftError:
            raise
        except BROKEN_ARCHIVE as error:
            raise FormatError(f"{path} is a broken npy file ({reason_of(error)}); write it again") from error


class _Arrays(Mapping[str, np.ndarray]):
    """The arrays of an npz file: all names, and each array once it was asked for."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, dict[str, np.ndarray]()
        with self._archive() as archive:
            self._members = {name.removesuffix(".npy"): name for name in archive.namelist()}

    @contextlib.contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        path = self._path
        with opened(path) as file:
            try:
                if (start := file.read(4))[:2] != b"PK":
                    raise _no_archive(path, start)
                with zipfile.ZipFile(file) as archive:
                    yield archive
            except PoseliftError:
                raise
            except BROKEN_ARCHIVE as error:
                raise FormatError(f"{path} is a broken npz ({reason_of(error)}); write it again") from error

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._read:
            member = self._members[name]
            with self._archive() as archive, open_member(archive, member, ARRAY) as file:
                header = read_header(file, member)
                if header[2].hasobject:
                    raise _pickle(self._path)
                length = archive.getinfo(member).file_size
                ARRAY.check(sum(array.nbytes for array in self._read.values()) + length, f"{self._path}, {member}")
                self._read[name] = read_numbers(file, member, length, header)
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def open_member(archive: zipfile.ZipFile, name: str, limit: Limit) -> IO[bytes]:
    """Open a file in an archive for reading.

    Raises:
        FormatError: The file is larger than the limit, or far larger than its compressed form.
        ValueError: The file is compressed in a way that numpy does not use. All of `BROKEN_ARCHIVE` may be raised.
    """
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed in a way that numpy does not use")
    limit.check(info.file_size, f"{archive.filename}, {name}")
    if info.file_size > INFLATION * info.compress_size:
        INFLATED.check(info.file_size, f"{archive.filename}, {name}")
    return archive.open(info)


def read_header(file: IO[bytes], name: str) -> Header:
    """Read shape, Fortran order and dtype from the start of an array; it raises the errors of `BROKEN_ARCHIVE`."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} has format version {version}, wanted 1.0 or 2.0")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that Python 2 wrote it, and of damaged text that Python is to parse
        shape, fortran, dtype = read(file)
    if dtype.kind not in _KINDS:
        raise ValueError(f"{name} holds {dtype}; wanted numbers or text")
    return shape, fortran, dtype


def read_numbers(file: IO[bytes], name: str, length: int, header: Header) -> np.ndarray:
    """Read an array of numbers or text after its header, without a copy.

    Args:
        file: The file, open behind the header.
        name: Name of the file, for the errors.
        length: Bytes of the file in all.
        header: What `read_header` returned.

    Raises:
        ValueError: The file is longer or shorter than its header says. All of `BROKEN_ARCHIVE` may be raised.
    """
    shape, fortran, dtype = header
    size, there = math.prod(shape) * max(dtype.itemsize, 1), length - file.tell()
    if size != there or (size == 0 and max(shape) > _CHUNK):
        raise ValueError(f"{name} claims the shape {shape}, {size} bytes, and holds {there}")
    held = np.empty(size, np.uint8)
    view, place = held.data, 0
    while count := file.readinto(view[place : place + _CHUNK]):  # type: ignore[attr-defined]
        place += count
    file.read(1)  # the end compares the checksum
    if place != size:
        raise EOFError(f"{name} ends after {place} of {size} bytes")
    if dtype.kind == "U" and (held.view(np.dtype("u4").newbyteorder(dtype.byteorder)) > sys.maxunicode).any():
        raise ValueError(f"{name} holds text that no characters are")
    return np.ndarray(shape, dtype, buffer=held, order="F" if fortran else "C")


def _no_archive(path: Path, start: bytes) -> FormatError | UntrustedPickle:
    if start[:1] == _PICKLE:
        return _pickle(path)
    return FormatError(f"{path} is no npz archive (it starts with {start!r}); write it with numpy.savez")


def _pickle(path: Path) -> UntrustedPickle:
    return UntrustedPickle(
        f"{path} holds pickled Python objects, which can run any program and are not opened; "
        "save plain number and text arrays with numpy.savez"
    )
