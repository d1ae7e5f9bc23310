"""Find and undo short exchanges of left and right by the detector.

Detectors mistake a person seen from the front for one seen from behind, for a few frames and with full confidence. The
arms (or legs) then jump across the body and back. Of all ways to exchange the sides in some frames, we take the one in
which the joints move least (Viterbi); each exchanged frame costs a little, so that a lasting exchange is left as it is,
and so does a trunk that is crossed, as the shoulders are exchanged and the hips are not.

Steps go from one frame that shows a joint to the next one that does, unless the person may have turned in between.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from poselift.prepare.normalize import fill_gaps
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton

GROUPS = {"arms": ("shoulder", "elbow", "wrist"), "legs": ("hip", "knee", "ankle")}
"""Groups of joints that change sides together."""
PRICE_PER_S = 1.0
"""Cost of a second of exchanged sides, in person sizes: a jump across the body and back is worth about one."""
LONGEST_STEP_S = 0.25
"""Nothing is said about people who were not seen for longer: they may have turned round."""
PRICE_OF_TWIST_PER_S = 4.0
"""Cost of a second of shoulders and hips that point opposite ways, for each person size of the shorter of them."""
PRICE_OF_CHANGE = 0.1
"""Cost of each change, in person sizes: smaller jumps are left to the lifter."""


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
    groups = {name: _sides(keypoints.skeleton, joints) for name, joints in GROUPS.items()}
    groups = {name: sides for name, sides in groups.items() if sides[0]}
    frames = np.flatnonzero(seen[:, [joint for sides in groups.values() for side in sides for joint in side]].any(1))
    if len(frames) < 2:
        return {}
    xy, seen, times_s = xy[frames] / _person_size(xy, seen), seen[frames], frames / keypoints.fps
    steps = [_steps(xy, seen, times_s, *sides) for sides in groups.values()]
    since_s = np.diff(times_s, prepend=times_s[0] - 1 / keypoints.fps)
    states = _cheapest(steps, PRICE_PER_S * since_s, PRICE_OF_TWIST_PER_S * since_s * _opposed(xy, seen, groups))
    found = {}
    for name, state in zip(groups, states, strict=True):
        if state.any():
            found[name] = np.zeros(len(keypoints), bool)
            found[name][frames] = state
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


def _steps(
    xy: np.ndarray, seen: np.ndarray, times_s: np.ndarray, left: list[int], right: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a group costs from each frame to the next (N - 1,): if it stays as it is, and if the sides change.

    A joint steps from where it was seen last. Where nothing of the group is seen, it cannot change.

    Args:
        xy: (N, J, 2) places in person sizes.
        seen: (N, J) bool.
        times_s: (N,) time of each frame.
        left: Joints of the left side.
        right: Those of the right side, in the same order.
    """
    order = [*range(len(left), 2 * len(left)), *range(len(left))]  # the other side
    xy, seen = xy[:, [*left, *right]], seen[:, [*left, *right]]
    last = np.maximum.accumulate(np.where(seen, np.arange(len(seen))[:, None], -1))[:-1]
    near = (last >= 0) & (times_s[1:, None] - times_s[last] <= LONGEST_STEP_S + 1e-6)
    before = np.take_along_axis(xy, last.clip(min=0)[..., None], 0)
    known = seen[1:] & near
    weight = (known & known[:, order]).astype(np.float64)
    weight /= np.maximum(weight.sum(1, keepdims=True), 1)
    stay = (weight * np.linalg.norm(xy[1:] - before, axis=-1)).sum(1)
    cross = (weight * np.linalg.norm(xy[1:, order] - before, axis=-1)).sum(1) + PRICE_OF_CHANGE
    return stay, np.where(seen[1:].any(1), cross, np.inf)


def _opposed(xy: np.ndarray, seen: np.ndarray, groups: Mapping[str, tuple[list[int], list[int]]]) -> np.ndarray:
    """Return how far shoulders and hips point the same way (N,): below 0 they are opposed, and the trunk is crossed.

    The cosine between the two, times the shorter of them; 0 where one is not seen.
    """
    if len(groups) < 2:
        return np.zeros(len(xy))
    (shoulders, hips) = ((left[0], right[0]) for left, right in groups.values())
    across, below = (xy[:, left] - xy[:, right] for left, right in (shoulders, hips))
    lengths = np.linalg.norm(across, axis=-1), np.linalg.norm(below, axis=-1)
    both = seen[:, [*shoulders, *hips]].all(1)
    return np.where(both, (across * below).sum(-1) / np.maximum(np.maximum(*lengths), 1e-9), 0.0)


def _cheapest(
    steps: Sequence[tuple[np.ndarray, np.ndarray]], price: np.ndarray, agreement: np.ndarray
) -> list[np.ndarray]:
    """Return for each group the frames (N,) bool in which it is exchanged, so that all costs together are smallest.

    Args:
        steps: Of each group the costs (N - 1,) of staying and of changing from one frame to the next.
        price: (N,) cost of a group that is exchanged in a frame.
        agreement: (N,) cost of exchanging one of two groups and not the other; below 0, of doing both or neither.
    """
    states = np.array(list(itertools.product((0, 1), repeat=len(steps))))  # (S, G)
    change = states[:, None] != states  # (S, S, G)
    paid = np.zeros((len(price) - 1, *change.shape[:2]))
    for group, (stay, cross) in enumerate(steps):
        paid += np.where(change[..., group], cross[:, None, None], stay[:, None, None])
    torn = states.any(1) & ~states.all(1)
    own = price[:, None] * states.sum(1) + np.where(torn, agreement.clip(0)[:, None], -agreement.clip(max=0)[:, None])
    if (own[:, :1] <= own).all() and (paid[:, :1, :1] <= paid).all():  # nothing is gained by any exchange, as mostly
        return [np.zeros(len(own), bool) for _ in steps]
    cost, came = own[0], np.zeros(own.shape, np.int64)
    for frame in range(1, len(own)):
        total = cost[:, None] + paid[frame - 1]
        came[frame] = total.argmin(0)
        cost = total.min(0) + own[frame]
    path = np.zeros(len(own), np.int64)
    path[-1] = cost.argmin()
    for frame in range(len(own) - 1, 0, -1):
        path[frame - 1] = came[frame, path[frame]]
    return list(states[path].T.astype(bool))
