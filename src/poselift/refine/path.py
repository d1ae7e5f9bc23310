"""Where the root is: robust least squares over a whole clip, solved in one pass in a banded system.

The terms are those of `poselift.refine.costs`. Gauss and Newton's steps are solved for all frames at once; a group's
weight 1 / (1 + |error|² / tail²) is computed anew at each (Cauchy's cost by iterated weights), and a step that makes
the cost larger is damped (Levenberg and Marquardt). Time and memory grow linearly with the clip.
"""

from collections.abc import Sequence

import numpy as np

from poselift.refine.costs import NEAREST_M, Term

STEPS = 30
"""Largest number of steps."""
_ENOUGH_M = 1e-5
"""Largest move of any frame by which a step ends the search."""
_DAMPING = 1e-6
"""First damping, as a share of the diagonal."""
_HARDLY = 1e-9
"""Added to the diagonal, in ordinary errors a metre squared: frames that nothing else decides stay where they are."""


def solve_path(terms: Sequence[Term], start: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Return the path (T, 3) of least cost, metres, camera axes.

    Args:
        terms: Parts of the cost.
        start: (T, 3) metres, in front of the camera.
        steps: Largest number of steps.
    """
    path, damping = np.asarray(start, np.float64), _DAMPING
    best = cost(terms, path)
    for _ in range(steps):
        bands, gradient = normal_equations(terms, path)
        while True:
            moved = path - _solve(bands, gradient, damping)
            moved[:, 2] = moved[:, 2].clip(NEAREST_M)
            if (now := cost(terms, moved)) <= best or damping > 1e6:
                break
            damping = max(damping * 10, 1e-3)
        if now > best:
            return path
        step, path, best, damping = np.abs(moved - path).max(), moved, now, max(damping / 10, _DAMPING)
        if step < _ENOUGH_M:
            break
    return path


def cost(terms: Sequence[Term], path: np.ndarray) -> float:
    """Return the cost of a path (T, 3): half the sum of squared errors, of groups with a tail Cauchy's."""
    total = 0.0
    for term in terms:
        squares = (term.error(path) ** 2).sum(-1)
        total += (squares if term.tail is None else term.tail**2 * np.log1p(squares / term.tail**2)).sum() / 2
    return float(total)


def normal_equations(terms: Sequence[Term], path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums over all terms of J' W J and J' W error.

    Returns:
        (D, T, 3, 3): at [d, m], the derivatives by frames m and m + d; and (T, 3).
    """
    frames = len(path)
    bands, gradient = np.zeros((1, frames, 3, 3)), np.zeros((frames, 3))
    for term in terms:
        error, parts = term.error(path), term.jacobian(path)
        count = len(error)
        if not count:
            continue
        weight = _weight(error, term.tail)[..., None]
        flat = [(part * np.sqrt(weight)[..., None]).reshape(count, -1, 3) for part in parts]
        weighted = (error * np.sqrt(weight)).reshape(count, -1, 1)
        if len(bands) < len(parts):
            bands = np.concatenate([bands, np.zeros((len(parts) - len(bands), frames, 3, 3))])
        for first, one in enumerate(flat):
            turned = one.swapaxes(-1, -2)
            gradient[first : first + count] += (turned @ weighted)[..., 0]
            for second in range(first, len(flat)):
                bands[second - first, first : first + count] += turned @ flat[second]
    return bands, gradient


def _weight(error: np.ndarray, tail: float | None) -> np.ndarray:
    """Return the weight (M, G) of each group of errors (M, G, E)."""
    squares = (error**2).sum(-1)
    return np.ones_like(squares) if tail is None else 1 / (1 + squares / tail**2)


def _solve(bands: np.ndarray, gradient: np.ndarray, damping: float) -> np.ndarray:
    """Return the step (T, 3) that solves the damped system."""
    from scipy.linalg import solveh_banded  # slow to import

    depth, frames = bands.shape[:2]
    lower = np.zeros((3 * depth, 3 * frames))
    for apart in range(depth):
        for row in range(3):
            for column in range(3):
                below = 3 * apart + column - row  # the transposed block lies below the diagonal
                if below >= 0:
                    count = frames - apart
                    lower[below, row : 3 * count + row : 3] = bands[apart, :count, row, column]
    lower[0] += damping * lower[0] + _HARDLY
    return solveh_banded(lower, gradient.ravel(), lower=True).reshape(-1, 3)
