"""Curves over time, each found in one pass that is linear in frames and memory."""

from collections.abc import Mapping

import numpy as np

LET_GO_S = 0.08
"""Seconds, of an exponential, in which a foot returns to its own movement before and after it stands."""
ROUND_S = 0.05
"""Seconds over which the corners of such shifts are rounded."""
_HARD = 1e3
"""Weight of a standing point against the smoothness of its shift."""
_DIFFERENCES = {1: (-1.0, 1.0), 2: (1.0, -2.0, 1.0), 3: (-1.0, 3.0, -3.0, 1.0)}
"""Differences in time by order. The third is the jerk, when divided by the cube of the time between frames."""


def banded_path(places: np.ndarray, weights: np.ndarray, stiff: Mapping[int, np.ndarray]) -> np.ndarray:
    """Return the path (T, k) that minimizes weights |x - places|^2 + stiff |difference of x|^2, summed over frames.

    Args:
        places: (T, k) any unit.
        weights: (T,) positive.
        stiff: (T - n,) weights of the differences in time of order n, which is 1, 2 or 3, for one order or several; the
            clip has more frames than that.
    """
    from scipy.linalg import solveh_banded  # takes 0.1 s to import

    frames = len(places)
    matrix = np.zeros((max(stiff) + 1, frames))  # the lower diagonals
    matrix[0] = weights
    for order, weight in stiff.items():
        difference = _DIFFERENCES[order]
        for row in range(order + 1):
            for column in range(row + 1):
                part = slice(column, column + frames - order)
                matrix[row - column, part] += difference[row] * difference[column] * weight
    return np.asarray(solveh_banded(matrix, weights[:, None] * places, lower=True))


def let_go(wanted: np.ndarray, weight: np.ndarray, fps: float, seconds: float | None = None) -> np.ndarray:
    """Return the smooth shift (T, k) that is as wanted where there is a weight (T,), and goes to 0 elsewhere.

    It minimizes weight |x - wanted|^2 + |x|^2 + n^2 |difference of x|^2, so that it returns to 0 as exp(-t / n frames)
    without swinging over, whatever the speed it begins with; its corners are then rounded.
    """
    if not weight.any() or len(wanted) < 3:
        return np.where(weight[:, None] > 0, wanted, 0.0)
    frames, square = len(wanted), max((LET_GO_S if seconds is None else seconds) * fps, 1.0) ** 2
    hard = _HARD * square * weight
    shift = banded_path((hard / (hard + 1))[:, None] * wanted, hard + 1, {1: np.full(frames - 1, square)})
    corner = (ROUND_S * fps) ** 4
    return banded_path(shift, 1 + _HARD * corner * weight, {2: np.full(frames - 2, corner)})


def above_all(need: np.ndarray, fps: float) -> np.ndarray:
    """Return a smooth curve (T,) that is at least (T,) `need`, and 0 far from where there is any."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d  # slow to import

    if not need.any():
        return np.zeros(len(need))
    width = 2 * max(round(LET_GO_S * fps / 2), 1) + 1
    # the mean of maxima over a window is at least what is in its middle
    return np.asarray(uniform_filter1d(maximum_filter1d(need, width, mode="nearest"), width, mode="nearest"))
