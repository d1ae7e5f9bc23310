"""Find keypoints in arrays without names: `.npy` files, and archives of one array."""

import logging
import math
import tokenize
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from poselift.errors import FormatError, UntrustedPickle
from poselift.formats.order import candidates
from poselift.formats.whole_body import WHOLE_BODIES

_log = logging.getLogger("poselift")


def read_npy(path: Path) -> np.ndarray:
    """Read the array of an `.npy` file. Pickles are never opened.

    Raises:
        UntrustedPickle: It holds Python objects.
        FormatError: It is not there, or broken.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that Python 2 wrote it
                shape, fortran, dtype = read(file)
            if dtype.hasobject:
                raise UntrustedPickle(
                    f"{path} holds pickled Python objects, which can run any program and are not opened; "
                    "save a plain array of numbers with numpy.save"
                )
            size = math.prod(shape) * dtype.itemsize
            content = file.read(size + 1)
    except OSError as error:
        raise FormatError(f"cannot read {path}: {error.strerror or error}") from error
    except (MemoryError, OverflowError, SyntaxError, tokenize.TokenError, TypeError, ValueError) as error:
        if isinstance(error, UntrustedPickle):
            raise
        raise FormatError(f"{path} is a broken npy file ({error}); write it again with numpy.save") from error
    if len(content) != size:
        raise FormatError(f"{path} claims an array of shape {shape}, {size} bytes, and is cut off or goes on behind it")
    return np.ndarray(shape, dtype, buffer=content, order="F" if fortran else "C")


def name_keypoints(arrays: Mapping[str, np.ndarray], source: str) -> dict[str, np.ndarray]:
    """Return the arrays with the one that can be keypoints under the name `keypoints`, unless one has that name.

    Keypoints are (T, J, 2 or 3), or with an axis for people; flat, (T, 2 J or 3 J); or one frame, (J, 2 or 3).

    Args:
        arrays: Content of a file by name.
        source: Name of the file in messages.

    Raises:
        FormatError: Several arrays can be keypoints.
    """
    if {"xy", "keypoints", "xyz"} & arrays.keys():
        return dict(arrays)
    found = {name: shaped for name, array in arrays.items() if (shaped := _shaped(array)) is not None}
    if len(found) > 1:
        raise FormatError(f"{source}: each of {', '.join(found)} can be keypoints; save the right one as 'keypoints'")
    for name in found:
        _log.info("%s: the array '%s' of shape %s is taken as keypoints", source, name, arrays[name].shape)
    return {"keypoints" if name in found else name: found.get(name, array) for name, array in arrays.items()}


def _shaped(array: np.ndarray) -> np.ndarray | None:
    """Return an array as keypoints, (T, J, 2 or 3) or (P, T, J, 2 or 3); None where it can be none."""
    if array.dtype.kind not in "iuf" or array.size == 0:
        return None
    if array.ndim in (3, 4) and array.shape[-1] in (2, 3):
        return array
    if array.ndim != 2:
        return None
    rows, columns = array.shape
    if columns in (2, 3) and _is_person(rows):
        return array[None]
    for each in (3, 2):
        if columns % each == 0 and _is_person(columns // each):
            return array.reshape(rows, columns // each, each)
    return None


def _is_person(joints: int) -> bool:
    return bool(candidates(joints)) or joints in WHOLE_BODIES
