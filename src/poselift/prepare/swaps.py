"""Find and undo short exchanges of left and right by the detector.

Detectors mistake a person seen from the front for one seen from behind, for a few frames and with full confidence. The
arms (or legs) then jump across the body and back. Of all ways to exchange the sides in some frames, we take the one in
which the joints move least; each exchanged frame costs a little, so that a lasting exchange is left as it is.
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping
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
LONGEST_STEP_S = 0.25
"""Nothing is said about people who were not seen for longer: they may have turned round."""
PRICE_OF_CHANGE = 0.1
"""Cost of each change, in person sizes: smaller jumps are left to the lifter."""


def repair_swaps(keypoints: Keypoints2D) -> Keypoints2D:
    """Undo short exchanges of left and right, of the arms and of the legs apart.

    Args:
        keypoints: Any skeleton; joints without a left and right stay as they are.

    Returns:
        The same keypoints, or new ones with the sides exchanged back in some frames; their number is logged.
    """
    found = find_swaps(keypoints)
    for name, exchanged in found.items():
        _LOG.info(f"left and right {name} were exchanged in {exchanged.sum()} frames, and are put back")
    return put_back(keypoints, found)


def put_back(keypoints: Keypoints2D, found: Mapping[str, np.ndarray]) -> Keypoints2D:
    """Exchange the sides of limbs, and of what hangs from them: hands with the arms, feet with the legs.

    Args:
        keypoints: Any skeleton.
        found: What `find_swaps` returns, of these frames.

    Returns:
        The same keypoints, or new ones.
    """
    changed = np.zeros(keypoints.xy.shape[:2], bool)
    for name, exchanged in found.items():
        changed[:, _limbs(keypoints.skeleton, GROUPS[name][0])] |= exchanged[:, None]
    if not changed.any():
        return keypoints
    order = list(keypoints.skeleton.flipped)
    confidence = keypoints.confidence
    return replace(
        keypoints,
        xy=np.where(changed[..., None], keypoints.xy[:, order], keypoints.xy),
        confidence=None if confidence is None else np.where(changed, confidence[:, order], confidence),
    )


def _limbs(skeleton: Skeleton, first: str) -> list[int]:
    """Return the joints, of both sides, that hang from the two joints of a name, with these; not other limbs."""
    others = {f"{side}_{group[0]}" for side in ("left", "right") for group in GROUPS.values() if group[0] != first}
    members = {skeleton.index(name) for side in ("left", "right") if (name := f"{side}_{first}") in skeleton}
    other = {joint for joint, name in enumerate(skeleton.joints) if name in others}
    while more := {joint for joint, parent in enumerate(skeleton.parents) if parent in members} - members - other:
        members |= more
    return sorted(joint for pair in skeleton.pairs for joint in pair if joint in members)


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
    """Find the frames (T,) bool to exchange the sides in, so that the joints move least (Viterbi).

    The steps go from one frame that shows the joints to the next one that does, however many lie in between.
    """
    as_is, swapped = [*left, *right], [*right, *left]
    state, shown = np.zeros(len(xy), bool), np.flatnonzero(seen[:, as_is].any(1))
    if len(shown) < 2:
        return state
    xy, seen, since_s = xy[shown], seen[shown], np.diff(shown) / fps
    weight = (seen[1:, as_is] & seen[:-1, as_is] & seen[1:, swapped] & seen[:-1, swapped]).astype(np.float64)
    weight *= (since_s <= LONGEST_STEP_S + 1e-6)[:, None]
    weight /= np.maximum(weight.sum(1, keepdims=True), 1)
    stay = (weight * np.linalg.norm(xy[1:, as_is] - xy[:-1, as_is], axis=-1)).sum(1)
    cross = (weight * np.linalg.norm(xy[1:, swapped] - xy[:-1, as_is], axis=-1)).sum(1) + PRICE_OF_CHANGE
    price = PRICE_PER_S * since_s
    state[shown] = _cheapest(stay.tolist(), cross.tolist(), price.tolist(), PRICE_PER_S / fps)
    return state


def _cheapest(stay: list[float], cross: list[float], price: list[float], first: float) -> np.ndarray:
    """Return the states (N,) bool, exchanged or not, whose sum of costs is smallest.

    Args:
        stay: Cost of each of the N - 1 steps between equal states.
        cross: Cost of each of them between different states.
        price: Cost of being exchanged after each of them.
        first: Cost of being exchanged at the beginning.
    """
    cost, came = (0.0, first), np.zeros((len(stay) + 1, 2), bool)
    for place, (same, other, paid) in enumerate(zip(stay, cross, price, strict=True), 1):
        came[place] = cost[1] + other < cost[0] + same, cost[0] + other < cost[1] + same
        cost = min(cost[0] + same, cost[1] + other), min(cost[1] + same, cost[0] + other) + paid
    state = np.zeros(len(came), bool)
    state[-1] = cost[1] < cost[0]
    for place in range(len(came) - 1, 0, -1):
        state[place - 1] = state[place] ^ came[place, int(state[place])]
    return state
