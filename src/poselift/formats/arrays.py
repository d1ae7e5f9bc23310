"""Find keypoints in arrays without names: `.npy` files, and archives of one array."""

import logging
from collections.abc import Mapping

import numpy as np

from poselift.errors import FormatError
from poselift.formats.order import candidates
from poselift.formats.whole_body import WHOLE_BODIES

_log = logging.getLogger("poselift")


def name_keypoints(arrays: Mapping[str, np.ndarray], source: str) -> Mapping[str, np.ndarray]:
    """Return the arrays with the one that can be keypoints under the name `keypoints`, unless one has that name.

    Keypoints are (T, J, 2 or 3), or with an axis for people; flat, (T, 2 J or 3 J); or one frame, (J, 2 or 3).

    Args:
        arrays: Content of a file by name.
        source: Name of the file in messages.

    Raises:
        FormatError: Several arrays can be keypoints.
    """
    if {"xy", "keypoints", "xyz"} & arrays.keys():
        return arrays
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
