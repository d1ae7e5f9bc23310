"""Opening the files that users name, so that a broken one is told by name and reason."""

import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError, SkeletonError, UntrustedPickle
from poselift.skeleton import SKELETONS, Skeleton, get_skeleton

LONGEST_GAP = 1000
"""More missing frame numbers than this in a row are a naming error, not a person out of sight."""
_PICKLE = b"\x80"


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


def numbers(content: Any, what: str, source: str) -> np.ndarray:
    """Nested lists as a float64 array; None becomes NaN.

    Raises:
        FormatError: It is no regular array of numbers.
    """
    try:
        if np.asarray(content).dtype.kind in "USb":
            raise ValueError("text or truth values among the numbers")
        return np.asarray(content, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(f"{source}: wanted numbers in {what}, as lists of equal length; got {error}") from error


def frame_rows(frame_numbers: Sequence[int], source: str) -> tuple[np.ndarray, int]:
    """Row of each frame when the missing numbers between the first and the last get rows too.

    Args:
        frame_numbers: Frame numbers, in any order.
        source: What to call the data in an error.

    Returns:
        (N,) rows, and the number of rows in all.

    Raises:
        FormatError: A number comes twice, or the numbering jumps.
    """
    found, counts = np.unique(np.asarray(frame_numbers, np.int64), return_counts=True)
    if counts.max() > 1:
        raise FormatError(
            f"{source}: frame {found[counts.argmax()]} comes {counts.max()} times; wanted each frame once"
        )
    gaps = np.diff(found)
    if gaps.size and gaps.max() > LONGEST_GAP:
        before = gaps.argmax()
        raise FormatError(
            f"{source}: frame numbers jump from {found[before]} to {found[before + 1]}; "
            f"at most {LONGEST_GAP} may be missing in a row: number the frames of one clip one by one"
        )
    return np.asarray(frame_numbers, np.int64) - found[0], int(found[-1] - found[0]) + 1


def named_skeleton(name: object, joints: object, parents: object, source: str) -> Skeleton:
    """The skeleton that a file names, or describes by joint names and parents.

    Raises:
        SkeletonError: It is unknown and not described, or its joints contradict its name.
    """
    known = SKELETONS.get(str(name).upper().replace("-", "_"))
    described = isinstance(joints, list) and isinstance(parents, list)
    if known is not None:
        if isinstance(joints, list) and tuple(joints) != known.joints:
            raise SkeletonError(f"{source} says {known.name}, but its joints are {', '.join(map(str, joints))}")
        return known
    if not described:
        return get_skeleton(str(name))
    if not all(isinstance(parent, int) for parent in parents):  # type: ignore[attr-defined]
        raise SkeletonError(f"{source}: wanted the index of a joint as each parent, got {parents}")
    return Skeleton(str(name), tuple(map(str, joints)), tuple(parents))  # type: ignore[arg-type, call-overload]
