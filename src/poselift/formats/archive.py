"""Read benchmark archives, npz files of pickled numpy objects, without trusting the pickles.

Researchers share data sets as nested dicts of arrays, which `numpy.savez` can only store as pickles, and a pickle can
run any program. Here no class or function that a pickle names is ever called: the names that numpy's arrays need stand
for the small makers below, which take the numbers out and check them; every other name is refused.
"""

import math
import pickle
import re
import sys
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Container
from pathlib import Path
from typing import IO, Any

import numpy as np

from poselift.errors import DatasetError, MissingData, UntrustedPickle

_BROKEN = (
    pickle.UnpicklingError, zipfile.BadZipFile, zlib.error, ArithmeticError, AttributeError, EOFError, ImportError,
    LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError, ValueError, tokenize.TokenError,
)  # fmt: skip
"""What zipfile, numpy's reader of headers and pickle raise on damaged files; a RuntimeError on too deep nesting."""
_NUMBERS = re.compile(r"[biufc]\d{1,2}|[SU]\d{1,6}")
_OBJECT = re.compile(r"O\d?")


def read_archive(path: str | Path, *, owner: str = "its owner", only: Container[str] | None = None) -> dict[str, Any]:
    """Read an npz archive; arrays of objects may hold dicts, lists, tuples, scalars and arrays of numbers.

    Args:
        path: Path of the archive.
        owner: Where to get the data, for the message when it is missing or broken.
        only: Names of the arrays to read, others are skipped; None for all.

    Returns:
        Content by name; an array of no dimensions that holds one object becomes that object. Arrays may be read-only.

    Raises:
        MissingData: The file does not exist.
        UntrustedPickle: A pickle asks for more than numpy arrays and plain containers. Nothing in it was run.
        DatasetError: The file is cut short, damaged, or no npz archive.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingData(f"no file {path}; get it from {owner}")
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
            return {name: _member(archive, file) for name, file in names.items() if only is None or name in only}
    except UntrustedPickle as error:
        raise UntrustedPickle(
            f"{path}: {error}; wanted numpy arrays and plain containers only; nothing was run; get it from {owner}"
        ) from error
    except _BROKEN as error:
        reason = str(error) or type(error).__name__
        raise DatasetError(f"{path} is damaged or no npz archive ({reason}); get it again from {owner}") from error


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    with archive.open(name) as file:
        shape, fortran, dtype = _header(file, name)
        if not dtype.hasobject:
            size = math.prod(shape) * dtype.itemsize
            start = file.tell()
            if archive.getinfo(name).file_size != start + size:
                there = archive.getinfo(name).file_size - start
                raise ValueError(f"{name} claims the shape {shape}, {size} bytes, and holds {there}")
            held = file.read()
            if (
                dtype.kind == "U"
                and (np.frombuffer(held, np.dtype("u4").newbyteorder(dtype.byteorder)) > sys.maxunicode).any()
            ):
                raise ValueError(f"{name} holds text that no characters are")
            return np.ndarray(shape, dtype, buffer=held, order="F" if fortran else "C")
        content = _Unpickler(file).load()
        if file.read(1):  # reading to the end also compares the checksum
            raise ValueError(f"{name} goes on behind its pickle")
    array = _plain(content, {})
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise ValueError(f"{name} claims the shape {shape} and holds {getattr(array, 'shape', type(array).__name__)}")
    return array.item() if array.ndim == 0 else array


def _header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read shape, Fortran order and dtype from the start of an array's file."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} has format version {version}, wanted 1.0 or 2.0")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that Python 2 wrote it
        return read(file)


class _Dtype:
    """A dtype of numbers, text or objects as pickles describe it: by a code, then a state with the byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: str, *_: object) -> None:
        if not (isinstance(code, str) and (_NUMBERS.fullmatch(code) or _OBJECT.fullmatch(code))):
            raise UntrustedPickle(f"its pickle holds the data type {code!r}")
        self.code, self.order = code, "="

    def __setstate__(self, state: Any) -> None:
        _, order, *structure = state
        if order not in ("<", ">", "|", "=") or any(part is not None for part in structure[:3]):
            raise UntrustedPickle(f"its pickle holds a structured data type {state!r:.80}")
        self.order = order

    @property
    def has_objects(self) -> bool:
        return self.code.startswith("O")

    def dtype(self) -> np.dtype:
        return np.dtype(self.code).newbyteorder(self.order)  # type: ignore[arg-type, unused-ignore]


class _Array:
    """An array as pickles describe it, not yet made."""

    __slots__ = ("content", "dtype", "fortran", "shape")
    content: Any
    dtype: _Dtype
    fortran: bool
    shape: tuple[int, ...]

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, self.fortran, content = state
        if not isinstance(dtype, _Dtype) or not all(isinstance(side, int) and side >= 0 for side in shape):
            raise ValueError(f"an array of shape {shape!r:.80} and type {type(dtype).__name__}")
        self.shape, self.dtype = tuple(shape), dtype
        self.content = content.encode("latin1") if isinstance(content, str) else content

    def make(self, done: dict[int, Any]) -> np.ndarray:
        """Return the array, if its content has the size that its shape and type require."""
        order: Any = "F" if self.fortran else "C"
        count = math.prod(self.shape)
        objects = self.dtype.has_objects
        wanted = count if objects else count * self.dtype.dtype().itemsize
        if not isinstance(self.content, list if objects else bytes | bytearray) or len(self.content) != wanted:
            raise ValueError(f"an array of shape {self.shape} has the wrong amount of content, wanted {wanted}")
        if isinstance(self.content, bytes | bytearray):
            return np.ndarray(self.shape, self.dtype.dtype(), buffer=self.content, order=order)
        flat = np.empty(count, object)
        for place, item in enumerate(self.content):
            flat[place] = _plain(item, done)
        return flat.reshape(self.shape, order=order)


class _Maker:
    """Stand-in for a name in a pickle. It can only be called: it has no attributes to change."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setstate__(self, state: object) -> None:
        raise UntrustedPickle("its pickle changes a function")


def _reconstruct(kind: object, *_: object) -> _Array:
    if kind is not _NDARRAY:
        raise UntrustedPickle(f"its pickle holds an array of class {kind!r:.80}")
    return _Array()


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", content))
    return array


def _scalar(dtype: _Dtype, content: Any) -> Any:
    array = _Array()
    array.__setstate__((1, (), dtype, False, content))
    if dtype.has_objects:
        raise UntrustedPickle("its pickle holds a numpy scalar of objects")
    return array.make({}).item()


def _encode(text: str, codec: str = "utf-8") -> bytes:
    if codec not in ("latin1", "latin-1"):
        raise UntrustedPickle(f"its pickle asks for the codec {codec!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


def _refused(*_: object) -> None:
    raise UntrustedPickle("its pickle calls numpy.ndarray")


_NDARRAY = _Maker(_refused)
_ADMITTED = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _Maker(_Dtype),
    ("_codecs", "encode"): _Maker(_encode),  # how protocol 2 writes bytes,
    ("builtins", "bytes"): _Maker(_no_bytes),  # and how it writes none
}
for _core in ("numpy.core", "numpy._core"):  # numpy 1 and numpy 2
    _ADMITTED |= {
        (f"{_core}.multiarray", "_reconstruct"): _Maker(_reconstruct),
        (f"{_core}.multiarray", "scalar"): _Maker(_scalar),
        (f"{_core}.numeric", "_frombuffer"): _Maker(_from_buffer),
    }


class _Unpickler(pickle.Unpickler):
    """Unpickler that knows only the names that numpy arrays need."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="latin1")  # text and array content of Python 2, as numpy advises

    def find_class(self, module: str, name: str) -> Any:
        """Return the maker for a name."""
        if (module, name) not in _ADMITTED:
            raise UntrustedPickle(f"its pickle asks for {module}.{name}")
        return _ADMITTED[module, name]

    def persistent_load(self, pid: object) -> Any:
        """Refuse objects from outside the file."""
        raise UntrustedPickle("its pickle asks for an object outside the file")


def _plain(value: Any, done: dict[int, Any]) -> Any:
    """Return `value` with its arrays made; `done` holds the values made so far, by identity."""
    if id(value) in done:
        return done[id(value)]
    made: Any
    if isinstance(value, _Array):
        made = value.make(done)
    elif isinstance(value, dict):
        made = {_plain(key, done): _plain(item, done) for key, item in value.items()}
    elif isinstance(value, list | tuple):
        made = type(value)(_plain(item, done) for item in value)
    elif value is None or isinstance(value, bool | int | float | complex | str | bytes | bytearray):
        return value
    else:
        raise UntrustedPickle(f"its pickle holds a bare {type(value).__name__.strip('_')}")
    done[id(value)] = made
    return made
