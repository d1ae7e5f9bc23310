"""Find and undo short exchanges of left and right by the detector.

Detectors mistake a person seen from the front for one seen from behind, for a few frames and with full confidence. The
arms (or legs) then jump across the body and back. Of all ways to exchange the sides in some frames, we take the one in
which the joints move least; each exchanged frame costs a little, so that a lasting exchange is left as it is.
"""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from poselift.prepare.normalize import fill_gaps
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton

_LOG = logging.getLogger("poselift.prepare.swaps")

GROUPS = {"arms": ("shoulder", "elbow", "wrist"), "legs": ("hip", "knee", "ankle")}
"""Groups of joints that change sides together."""
PRICE_PER_S = 1.0
"""Cost of a second of exchanged sides, in person sizes: a jump across the body and back is worth about one."""
PRICE_OF_CHANGE = 0.1
"""Cost of each change, in person sizes: smaller jumps are left to the lifter."""


def repair_swaps(keypoints: Keypoints2D) -> Keypoints2D:
    """Undo short exchanges of left and right, of the arms and of the legs apart.

    Args:
        keypoints: Any skeleton; joints without a left and right stay as they are.

    Returns:
        The same keypoints, or new ones with the sides exchanged back in some frames; their number is logged.
    """
    changed = np.zeros(keypoints.xy.shape[:2], bool)
    for name, exchanged in find_swaps(keypoints).items():
        left, right = _sides(keypoints.skeleton, GROUPS[name])
        changed[:, [*left, *right]] |= exchanged[:, None]
        _LOG.info(f"left and right {name} were exchanged in {exchanged.sum()} frames, and are put back")
    if not changed.any():
        return keypoints
    order = list(keypoints.skeleton.flipped)
    confidence = keypoints.confidence
    return replace(
        keypoints,
        xy=np.where(changed[..., None], keypoints.xy[:, order], keypoints.xy),
        confidence=None if confidence is None else np.where(changed, confidence[:, order], confidence),
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


def find_swaps(keypoints: Keypoints2D) -> dict[str, np.ndarray]:
    """Find the frames in which left and right are exchanged for a moment.

    Args:
        keypoints: Any skeleton.

    Returns:
        By group of joints (of `GROUPS`), (T,) bool; groups without such frames are left out.
    """
    seen = keypoints.seen
    if len(keypoints) < 3 or not seen.any():
        return {}
    xy = fill_gaps(keypoints.filled()[0][None], seen[None].astype(np.float32))[0]
    size, found = _person_size(xy, seen), {}
    for name, joints in GROUPS.items():
        left, right = _sides(keypoints.skeleton, joints)
        if left:
            exchanged = _exchanged(xy / size, seen, left, right, keypoints.fps)
            if exchanged.any():
                found[name] = exchanged
    return found


def _sides(skeleton: Skeleton, group: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """Return the left and right indices of a group's joints."""
    pairs = [pair for pair in skeleton.pairs if skeleton.joints[pair[0]].removeprefix("left_") in group]
    return [left for left, _ in pairs], [right for _, right in pairs]


def _person_size(xy: np.ndarray, seen: np.ndarray) -> float:
    """Return the root mean square distance of the joints from their mean, the median over frames."""
    frames = seen.sum(1) >= 3
    if not frames.any():
        return 1.0
    points, weight = xy[frames], seen[frames][..., None]
    centre = (points * weight).sum(1, keepdims=True) / weight.sum(1, keepdims=True)
    spread = ((points - centre) ** 2 * weight).sum((1, 2)) / weight.sum((1, 2))
    return max(float(np.sqrt(np.median(spread))), 1e-6)


def _exchanged(xy: np.ndarray, seen: np.ndarray, left: list[int], right: list[int], fps: float) -> np.ndarray:
    """Find the frames (T,) bool to exchange the sides in, so that the joints move least (Viterbi)."""
    as_is, swapped = [*left, *right], [*right, *left]
    weight = (seen[1:, as_is] & seen[:-1, as_is] & seen[1:, swapped] & seen[:-1, swapped]).astype(np.float64)
    weight /= np.maximum(weight.sum(1, keepdims=True), 1)
    stay = (weight * np.linalg.norm(xy[1:, as_is] - xy[:-1, as_is], axis=-1)).sum(1)
    cross = (weight * np.linalg.norm(xy[1:, swapped] - xy[:-1, as_is], axis=-1)).sum(1) + PRICE_OF_CHANGE
    price = PRICE_PER_S / fps
    cost, came = (0.0, price), np.zeros((len(xy), 2), bool)
    for frame, (same, other) in enumerate(zip(stay.tolist(), cross.tolist(), strict=True), 1):
        came[frame] = cost[1] + other < cost[0] + same, cost[0] + other < cost[1] + same
        cost = min(cost[0] + same, cost[1] + other), min(cost[1] + same, cost[0] + other) + price
    state = np.zeros(len(xy), bool)
    state[-1] = cost[1] < cost[0]
    for frame in range(len(xy) - 1, 0, -1):
        state[frame - 1] = state[frame] ^ came[frame, int(state[frame])]
    return state
