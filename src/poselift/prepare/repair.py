"""Repair what detectors do for a moment: frames of something else, exchanged sides, joints that are far away."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from poselift.prepare.outliers import find_outliers
from poselift.prepare.strays import find_strays
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
    strays: Mapping[str, np.ndarray]
    """What `find_strays` returns, once sides are put back."""

    def mended(self, keypoints: Keypoints2D) -> Keypoints2D:
        """Return the same keypoints, or new ones: outliers and strays unseen, and sides put back.

        Args:
            keypoints: Those in which the faults were found, or the same frames in other joints.
        """
        keypoints = put_back(unseen(keypoints, self.outliers[:, None]), self.swaps)
        away = np.zeros(keypoints.xy.shape[:2], bool)
        for name in self.strays.keys() & set(keypoints.skeleton.joints):
            away[:, keypoints.skeleton.index(name)] = self.strays[name]
        return unseen(keypoints, away)


def find_faults(keypoints: Keypoints2D) -> Faults:
    """Find what is wrong with a person's keypoints for a moment; any skeleton."""
    outliers = find_outliers(keypoints)
    rest = unseen(keypoints, outliers[:, None])
    swaps = find_swaps(rest)
    return Faults(outliers, swaps, find_strays(put_back(rest, swaps)))


def repair(keypoints: Keypoints2D) -> Keypoints2D:
    """Leave out frames that show something else, undo short exchanges of arms or legs, and leave out stray joints.

    Args:
        keypoints: Any skeleton; joints without a left and right stay as they are.

    Returns:
        The same keypoints, or new ones of as many frames. The log says what was left out and what was exchanged.
    """
    faults = find_faults(keypoints)
    if faults.outliers.any():
        _LOG.info(f"frames {say_spans(spans(faults.outliers))}: {OUTLIERS}")
    for name, exchanged in faults.swaps.items():
        _LOG.info(f"left and right {name} were exchanged in {exchanged.sum()} frames, and are put back")
    for name, away in faults.strays.items():
        _LOG.info(f"frames {say_spans(spans(away))}: {name} jumps far away and back; it counts as not observed there")
    return faults.mended(keypoints)


def unseen(keypoints: Keypoints2D, where: np.ndarray) -> Keypoints2D:
    """Return keypoints without some joints, (T, J) or (T, 1) bool; the same ones if there are none."""
    if not where.any():
        return keypoints
    scores = keypoints.confidence
    return replace(
        keypoints,
        xy=np.where(where[..., None], np.float32(np.nan), keypoints.xy),
        confidence=None if scores is None else np.where(where, np.float32(0), scores),
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
