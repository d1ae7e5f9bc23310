"""Repair what detectors do for a moment: frames that show something else, and sides that are exchanged."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from poselift.prepare.outliers import find_outliers
from poselift.prepare.swaps import find_swaps, put_back
from poselift.sequence import Keypoints2D, say_spans, spans

_LOG = logging.getLogger("poselift.prepare.repair")

OUTLIERS = (
    "the keypoints collapse, or jump to something else and back; they count as not observed, and poses are filled in "
    "(--no-repair, or repair=False, takes them as they are)"
)
"""What is said of frames that are left out."""


@dataclass(frozen=True, eq=False)
class Faults:
    """What is wrong with a person's keypoints for a moment."""

    outliers: np.ndarray
    """(T,) bool: the frame shows something else than the person (`poselift.prepare.outliers`)."""
    swaps: Mapping[str, np.ndarray]
    """What `find_swaps` returns, of the other frames."""

    def mended(self, keypoints: Keypoints2D) -> Keypoints2D:
        """Return the same keypoints, or new ones: outliers unseen, and sides put back.

        Args:
            keypoints: Those in which the faults were found, or the same frames in other joints.
        """
        return put_back(unseen(keypoints, self.outliers), self.swaps)


def find_faults(keypoints: Keypoints2D) -> Faults:
    """Find what is wrong with a person's keypoints for a moment; any skeleton."""
    outliers = find_outliers(keypoints)
    return Faults(outliers, find_swaps(unseen(keypoints, outliers)))


def repair(keypoints: Keypoints2D) -> Keypoints2D:
    """Leave out frames that show something else than the person, and undo short exchanges of arms or legs.

    Args:
        keypoints: Any skeleton; joints without a left and right stay as they are.

    Returns:
        The same keypoints, or new ones of as many frames. The log says which frames were left out, and how many had
        their sides exchanged.
    """
    faults = find_faults(keypoints)
    if faults.outliers.any():
        _LOG.info(f"frames {say_spans(spans(faults.outliers))}: {OUTLIERS}")
    for name, exchanged in faults.swaps.items():
        _LOG.info(f"left and right {name} were exchanged in {exchanged.sum()} frames, and are put back")
    return faults.mended(keypoints)


def unseen(keypoints: Keypoints2D, frames: np.ndarray) -> Keypoints2D:
    """Return keypoints without what was seen in some frames (T,) bool; the same ones if there are none."""
    if not frames.any():
        return keypoints
    scores = keypoints.confidence
    return replace(
        keypoints,
        xy=np.where(frames[:, None, None], np.float32(np.nan), keypoints.xy),
        confidence=None if scores is None else np.where(frames[:, None], np.float32(0), scores),
    )


@contextlib.contextmanager
def without_log() -> Iterator[None]:
    """Repair without a log in a `with` block: measuring on many clips would fill it."""
    before = _LOG.level
    _LOG.setLevel(logging.WARNING)
    try:
        yield
    finally:
        _LOG.setLevel(before)
