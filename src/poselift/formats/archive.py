"""Read benchmark archives, npz files of pickled numpy objects, without trusting the pickles.

Researchers share data sets as nested dicts of arrays, which `numpy.savez` can only store as pickles, and a pickle can
run any program. Here no class or function that a pickle names is ever called: the names that numpy's arrays need stand
for the small makers below, which take the numbers out and check them; every other name is refused.
"""

import math
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Callable, Container
from pathlib import Path
from typing import IO, Any

import numpy as np

from poselift.errors import DatasetError, FormatError, MissingData, UntrustedPickle
from poselift.files import FOLDER, NOTHING, found_at, opened
from poselift.files.arrays import BROKEN_ARCHIVE, open_member, read_header, read_numbers
from poselift.files.limits import BENCHMARK

_BROKEN = (*BROKEN_ARCHIVE, pickle.UnpicklingError, ImportError)
"""What damaged archives raise, and pickles; a RuntimeError on too deep nesting."""
_MOST_OBJECTS = 20_000_000
"""Objects in an array of objects, each counted as often as it is referred to; Human3.6M has a few thousand."""
_MEMO = ("PUT", "BINPUT", "LONG_BINPUT")
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
    if found_at(path, MissingData) in (NOTHING, FOLDER):
        raise MissingData(f"no file {path}; get it from {owner}")
    try:
        with opened(path) as content, zipfile.ZipFile(content) as archive:
            names = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
            return {name: _member(archive, file) for name, file in names.items() if only is None or name in only}
    except UntrustedPickle as error:
        raise UntrustedPickle(
            f"{path}: {error}; wanted numpy arrays and plain containers only; nothing was run; get it from {owner}"
        ) from error
    except FormatError as error:
        raise DatasetError(str(error)) from error
    except _BROKEN as error:
        reason = str(error) or type(error).__name__
        raise DatasetError(f"{path} is damaged or no npz archive ({reason}); get it again from {owner}") from error


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    with open_member(archive, name, BENCHMARK) as file:
        header = read_header(file, name)
        if not header[2].hasobject:
            return read_numbers(file, name, archive.getinfo(name).file_size, header)
        _check_pickle(file)
    with archive.open(name) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in damaged text
        read_header(file, name)
        content = _Unpickler(file).load()
        if file.read(1):  # reading to the end also compares the checksum
            raise ValueError(f"{name} goes on behind its pickle")
    array = _plain(content, {})
    _count(array, {})
    if not isinstance(array, np.ndarray) or array.shape != header[0]:
        raise ValueError(
            f"{name} claims the shape {header[0]} and holds {getattr(array, 'shape', type(array).__name__)}"
        )
    return array.item() if array.ndim == 0 else array


def _check_pickle(file: IO[bytes]) -> None:
    """Refuse a pickle that asks for memory that its content does not need.

    Lengths must be there in full, and places in the memo, a table that grows to the largest of them, follow each other.

    Raises:
        ValueError: It does, or is broken.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in damaged text
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if opcode.name in _MEMO and isinstance(argument, int) and argument > count:
                raise ValueError(f"its pickle remembers object {argument} of {count}")


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


def _count(value: Any, done: dict[int, int]) -> int:
    """How many objects `value` holds when those that it refers to twice count twice; `done` holds counts by identity.

    Raises:
        ValueError: There are more than `_MOST_OBJECTS`.
    """
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        value = value.ravel().tolist()
    if not isinstance(value, dict | list | tuple):
        return 1
    if id(value) not in done:
        parts = (part for pair in value.items() for part in pair) if isinstance(value, dict) else value
        done[id(value)] = 1 + sum(_count(part, done) for part in parts)
        if done[id(value)] > _MOST_OBJECTS:
            raise ValueError(f"its pickle holds more than {_MOST_OBJECTS:,} objects, counted as often as they occur")
    return done[id(value)]
