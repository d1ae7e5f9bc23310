"""Where the root is: robust least squares over a whole clip, solved in one pass in a banded system.

The terms are those of `poselift.refine.costs`. Gauss and Newton's steps are solved for all frames at once; a group's
weight 1 / (1 + |error|² / tail²) is computed anew at each (Cauchy's cost by iterated weights), and a step that makes
the cost larger is damped (Levenberg and Marquardt). Time and memory grow linearly with the clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from poselift.refine.costs import NEAREST_M, OnFloor, Planted, Reprojection, Smoothness, Term
from poselift.refine.gravity import Feet, Ground

STEPS = 30
"""Largest number of steps."""
_ENOUGH_M = 1e-5
"""Largest move of any frame by which a step ends the search."""
_DAMPING = 1e-6
"""First damping, as a share of the diagonal."""
_HARDLY = 1e-9
"""Added to the diagonal, in ordinary errors a metre squared: frames that nothing else decides stay where they are."""


DETECTOR_ERROR_M = 0.01
"""Ordinary error of a keypoint of confidence 1, at the person's distance: detectors err in proportion to the person."""
LEAST_CONFIDENCE = 0.2
"""Confidence below which a seen keypoint gets no worse; the ordinary error is divided by the confidence."""
SPREAD_SHARE = 0.5
"""Ordinary error of a lifted joint across the ray, as a share of its spread, which is a mean distance in space."""
USUAL_SPREAD_M = 0.1
"""Spread of joints of poses that have none."""
ACCELERATION = 3.0
"""Ordinary acceleration of the root in m/s², of a brisk walk."""
SLIDE_M_S = 0.15
"""Ordinary speed of a planted point that is lifted frame by frame, in m/s."""
FLOOR_ERROR_M = 0.05
"""Ordinary height error of a planted point that is lifted frame by frame, in metres."""
_LEAST_CONTACT = 0.3
"""Probability of contact below which a point is taken not to stand."""
_SMALLEST_PX = 0.5


@dataclass(frozen=True, eq=False)
class Seen:
    """One person as a camera sees them: all that the path is found from."""

    joints: np.ndarray
    """(T, J, 3) metres, relative to the root, camera axes."""
    pixels: np.ndarray
    """(T, J, 2) pixels without distortion; 0 where unseen."""
    confidence: np.ndarray
    """(T, J) calibrated confidence, 0 where unseen."""
    spread: np.ndarray | None
    """(T, J) metres, as in `Poses3D`."""
    K: np.ndarray
    """(3, 3) intrinsics of the camera."""
    fps: float
    """Frames per second."""


def find_path(
    seen: Seen, feet: Feet | None = None, ground: Ground | None = None, start: np.ndarray | None = None
) -> np.ndarray:
    """Return the root's path (T, 3) in camera axes, metres, of one person.

    Args:
        seen: The person.
        feet: Feet that do not slide while they are planted; None where this is not to be believed.
        ground: The floor on which planted feet stand; None while it is not known.
        start: (T, 3) path to begin with.
    """
    start = first_guess(seen) if start is None else start
    spread = USUAL_SPREAD_M if seen.spread is None else seen.spread.astype(np.float64)
    unsure = DETECTOR_ERROR_M / seen.confidence.clip(LEAST_CONFIDENCE)
    metre = seen.K[0, 0] / start[:, 2].clip(NEAREST_M)  # pixels, at the person's distance
    size = np.hypot(unsure, SPREAD_SHARE * spread) * metre[:, None]
    size = np.where(seen.confidence > 0, size.clip(_SMALLEST_PX), np.inf)
    terms: list[Term] = [
        Reprojection(seen.joints, seen.pixels, size, seen.K),
        Smoothness(seen.fps, ACCELERATION),
    ]
    if feet is not None and feet.known:
        stands = np.minimum(feet.contact[1:], feet.contact[:-1])
        terms.append(Planted(feet.points, _size(SLIDE_M_S, stands), seen.fps))
        if ground is not None:
            size = _size(FLOOR_ERROR_M, feet.contact)
            terms.append(OnFloor(feet.points, size, ground.up, ground.height, feet.heights))
    return solve_path(terms, start)


def first_guess(seen: Seen) -> np.ndarray:
    """Return a path (T, 3): one depth for the clip, from the person's size in the picture; places frame by frame."""
    weight = (seen.confidence > 0).astype(np.float64)
    some = weight.sum(1) >= 2
    weight[~some] = 1
    pixel, joint = (_mean(array, weight) for array in (seen.pixels, seen.joints))
    sizes = [
        np.sqrt((((array - mean[:, None])[..., :2] ** 2).sum(-1) * weight).sum(1))
        for array, mean in ((seen.pixels, pixel), (seen.joints, joint))
    ]
    depth = np.median((seen.K[0, 0] * sizes[1] / sizes[0].clip(1e-6))[some]) if some.any() else 1.0
    frames = np.arange(len(pixel))
    if some.any():
        pixel = np.stack([np.interp(frames, frames[some], pixel[some, axis]) for axis in (0, 1)], 1)
    screen = (pixel - seen.K[:2, 2]) @ np.linalg.inv(seen.K[:2, :2]).T
    path = np.concatenate([screen, np.ones((len(screen), 1))], 1) * depth - joint
    path[:, 2] = path[:, 2].clip(NEAREST_M)
    return path


def _mean(array: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the means (T, C) over joints of (T, J, C) with weights (T, J)."""
    return (array * weight[..., None]).sum(1) / weight.sum(1)[:, None]


def _size(ordinary: float, contact: np.ndarray) -> np.ndarray:
    """Return the size of errors for probabilities of contact, infinite for improbable ones."""
    return np.where(contact > _LEAST_CONTACT, ordinary / np.sqrt(contact.clip(1e-6)), np.inf)


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
