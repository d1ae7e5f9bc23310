"""Check whether an array of 2D keypoints can be in the joint order that its file or its user names.

Two things are measured on the distances between joints, which do not change when the person moves, turns in the picture
or appears larger. Neither needs training or a scale:

* *likeness*: correlation of the distances with those of a standing figure, whose joints are known by name;
* *sprawl*: length of the claimed bones over the length of the shortest tree that connects the same points. Bones that
  join neighbours give 1 to 2.6 in any pose and view; bones that jump about the body give 3 and more.

The score is ``likeness - log(sprawl)``. Likeness alone fails when the camera looks along the body; sprawl alone fails
when wrong bones happen to lie inside the face. The bounds below are set so that mocap seen from anywhere (also straight
from above, lying, upside down) passes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from poselift.errors import SkeletonError
from poselift.sequence import Keypoints2D
from poselift.skeleton import SKELETONS, Skeleton

IMPLAUSIBLE = -1.0
"""A score below this means: no person in this order. True orders reach -0.95 in the worst views; random ones are about
-1.1 with 17 joints and -1.6 with 25 and more."""
OTHER_IS_RIGHT = 0.5
"""The claimed order is wrong if another one scores this much more. The right order loses by 0.35 at most."""
CLEAR_LEAD = 0.25
"""An order is identified when its score exceeds the next one's by this much, ..."""
LIKELY = 0.0
"""... and is at least this, as for true orders unless the camera looks along the body."""

_FEWEST_JOINTS = 11
_SHORTEST_SPRAWL = 0.3
"""A score exceeds its likeness by less: where bones are missing, those left may be shorter than those of the tree."""
_FEWEST_PAIRS = 0.7
"""At least this share of the pairs of joints must be seen together in some frame."""
_MOST_FRAMES = 300

_SIDE = {
    "eye_inner": (0.02, 0.70),
    "eye": (0.03, 0.70),
    "eye_outer": (0.045, 0.70),
    "ear": (0.075, 0.68),
    "mouth": (0.025, 0.62),
    "shoulder": (0.18, 0.48),
    "elbow": (0.26, 0.22),
    "wrist": (0.32, -0.02),
    "thumb": (0.31, -0.07),
    "index": (0.33, -0.10),
    "pinky": (0.35, -0.10),
    "hand": (0.33, -0.07),
    "hand_tip": (0.34, -0.13),
    "clavicle": (0.05, 0.48),
    "hip": (0.10, 0.0),
    "knee": (0.11, -0.43),
    "ankle": (0.12, -0.85),
    "heel": (0.12, -0.91),
    "big_toe": (0.13, -0.95),
    "small_toe": (0.17, -0.95),
    "foot": (0.13, -0.93),
    "foot_index": (0.14, -0.95),
}
_MIDDLE = {
    "pelvis": (0.0, 0.0),
    "navel": (0.0, 0.17),
    "spine": (0.0, 0.25),
    "chest": (0.0, 0.34),
    "thorax": (0.0, 0.50),
    "neck": (0.0, 0.50),
    "upper_neck": (0.0, 0.56),
    "nose": (0.0, 0.66),
    "head": (0.0, 0.70),
    "head_top": (0.0, 0.85),
}
_FIGURE = _MIDDLE | {
    f"{side}_{j}": (s * x, y) for j, (x, y) in _SIDE.items() for side, s in (("left", 1), ("right", -1))
}
"""A standing person from the front: joint name to (x, y) in metres, y up."""


def candidates(joints: int) -> tuple[Skeleton, ...]:
    """Return the skeletons that have this many joints."""
    return tuple(skeleton for skeleton in SKELETONS.values() if len(skeleton) == joints)


def order_score(xy: np.ndarray, skeleton: Skeleton) -> float:
    """Return how well the keypoints fit the joint order: about 0.5 for the right one, -1 and less for a wrong one.

    Args:
        xy: (N, J, 2) keypoints in any unit, of one person or several; NaN where a joint was not seen.
        skeleton: The order to try; J joints.

    Returns:
        The score, or NaN when too few joints are seen (or known by name) for a judgement.
    """
    return _score(_distances(xy), skeleton)


def _score(distances: np.ndarray, skeleton: Skeleton, least: float = -np.inf) -> float:
    """Return `order_score` of joints with these mean distances (J, J), or something smaller than `least` if it is."""
    figure = _figure(skeleton)
    kept = np.flatnonzero(figure.known & np.isfinite(np.diag(distances)))
    if len(kept) < _FEWEST_JOINTS:
        return float("nan")
    distances, expected = distances[np.ix_(kept, kept)], figure.expected[np.ix_(kept, kept)]
    parents, children = figure.bones_among(kept)
    pairs = np.isfinite(distances) & ~np.tri(len(kept), dtype=bool)
    apart, count = distances[pairs], int(pairs.sum())
    if count < _FEWEST_PAIRS * len(kept) * (len(kept) - 1) / 2 or np.ptp(apart) == 0:
        return float("nan")
    bones = distances[parents, children]
    bones = bones[np.isfinite(bones)]
    if not len(bones):
        return float("nan")
    likeness = _correlation(apart, expected[pairs])
    if likeness < least - _SHORTEST_SPRAWL:
        return likeness
    return likeness - float(np.log(bones.mean() / _shortest_tree(distances).mean()))


def identify_skeleton(xy: np.ndarray, source: str, among: Sequence[Skeleton]) -> Skeleton:
    """Return the skeleton, among all of the same size, in whose joint order the keypoints are.

    Args:
        xy: (N, J, 2) keypoints; NaN where a joint was not seen.
        source: Name of the data in error messages.
        among: Skeletons of J joints.

    Raises:
        SkeletonError: None of them fits, also where there is only one, or several do.
    """
    names = ", ".join(skeleton.name for skeleton in among)
    ranked = sorted(((order_score(xy, skeleton), skeleton.name) for skeleton in among), reverse=True)
    best, name = ranked[0]
    if len(among) == 1 and best < IMPLAUSIBLE:
        raise SkeletonError(
            f"{source}: {xy.shape[1]} joints, but their places do not look like a person in the order of {names}; "
            "reorder the joints, or name the skeleton with --skeleton (skeleton=...)"
        )
    lead = best - ranked[1][0] if len(among) > 1 else np.inf
    if not (lead >= CLEAR_LEAD and best >= LIKELY):
        which = "which" if len(among) > 1 else "that they are"
        raise SkeletonError(
            f"{source}: {xy.shape[1]} joints can be {names}, and these keypoints do not show {which}; "
            "name their skeleton with --skeleton (skeleton=...)"
        )
    return SKELETONS[name]


def check_order(keypoints: Keypoints2D) -> str | None:
    """Return a message when the joints cannot be in the order of `keypoints.skeleton`, else None.

    The message comes only when the order is surely wrong: another skeleton with as many joints fits far better, or none
    fits at all. A swap of left and right is not found; nor is any error when fewer than eleven joints are seen.
    """
    claimed = keypoints.skeleton
    distances = _distances(np.where(keypoints.seen[..., None], keypoints.xy, np.nan))
    score = _score(distances, claimed)
    if np.isnan(score):
        return None
    least = score + OTHER_IS_RIGHT
    others = {other.name: _score(distances, other, least) for other in candidates(len(claimed)) if other != claimed}
    for name in sorted(others, key=lambda name: -others[name]):
        if others[name] > least:
            return f"the joints are said to be in the order of {claimed.name}, but look like {name}"
    if score < IMPLAUSIBLE:
        return f"the joints are said to be in the order of {claimed.name}, but do not look like a person in that order"
    return None


def order_gain(xy: np.ndarray, skeleton: Skeleton) -> float:
    """Return how much more like a person the keypoints become when pairs of joints are exchanged as long as it helps.

    This also finds orders that no skeleton has. It is slower than `order_score`.

    Args:
        xy: (N, J, 2) keypoints in any unit; NaN where a joint was not seen.
        skeleton: The claimed order.

    Returns:
        Gain in likeness: at most 0.2 for a true order seen by any usual camera, 0.5 by one that looks along the body;
        0.6 and more for most shuffled ones. NaN when fewer than eleven known joints are seen together.
    """
    distances, figure = _distances(xy), _figure(skeleton)
    kept = np.flatnonzero(figure.known & np.isfinite(np.diag(distances)))
    distances, expected = distances[np.ix_(kept, kept)], figure.expected[np.ix_(kept, kept)]
    upper = np.triu_indices(len(kept), 1)
    if len(kept) < _FEWEST_JOINTS or not np.isfinite(distances).all() or np.ptp(distances[upper]) == 0:
        return float("nan")
    scale = len(upper[0]) * distances[upper].std() * expected[upper].std()  # an exchange leaves mean and spread alike
    gain = 0.0
    for _ in range(2 * len(kept)):
        gains = _gains(distances, expected) / scale
        a, b = np.unravel_index(gains.argmax(), gains.shape)
        if gains[a, b] < 1e-6:
            break
        gain += float(gains[a, b])
        order = np.arange(len(kept))
        order[[a, b]] = b, a
        distances = distances[np.ix_(order, order)]
    return gain


def _gains(distances: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return (K, K): by how much the sum of distances times expected ones grows when two joints are exchanged."""
    product = distances @ expected
    own = np.diag(product)
    return product + product.T - own[:, None] - own[None] + 2 * distances * expected


@dataclass(frozen=True, eq=False)
class _Figure:
    """The standing person in the joint order of a skeleton."""

    known: np.ndarray
    """(J,) bool: the person has a joint of this name."""
    expected: np.ndarray
    """(J, J) distances in metres; NaN for joints that the person does not have."""
    bones: np.ndarray
    """(2, B) parents and children."""

    def bones_among(self, kept: np.ndarray) -> np.ndarray:
        """Return the bones (2, B) whose ends are both among some joints, as places among these."""
        place = np.full(len(self.known), -1)
        place[kept] = np.arange(len(kept))
        bones = place[self.bones]
        return bones[:, (bones >= 0).all(0)]


@cache
def _figure(skeleton: Skeleton) -> _Figure:
    places = np.array([_FIGURE.get(name, (np.nan, np.nan)) for name in skeleton.joints])
    expected = np.linalg.norm(places[:, None] - places[None], axis=-1)
    return _Figure(np.isfinite(places[:, 0]), expected, np.array(skeleton.bones, int).reshape(-1, 2).T)


def _distances(xy: np.ndarray) -> np.ndarray:
    """(J, J) mean distance of each two joints over the frames that show both; NaN where none does.

    Of many frames of (N, J, 2) keypoints, `_MOST_FRAMES` are looked at.
    """
    frames = xy[np.isfinite(xy).all(-1).any(-1)]
    frames = frames[:: max(1, len(frames) // _MOST_FRAMES)]
    x, y = frames[..., 0], frames[..., 1]
    # hypot takes 7 times as long
    apart = np.sqrt((x[:, :, None] - x[:, None]) ** 2 + (y[:, :, None] - y[:, None]) ** 2)
    both = np.isfinite(apart)
    count = both.sum(0)
    return np.divide(
        np.where(both, apart, 0).sum(0, dtype=np.float64), count, out=np.full(count.shape, np.nan), where=count > 0
    )


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation of two series; np.corrcoef takes three times as long."""
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def _shortest_tree(distances: np.ndarray) -> np.ndarray:
    """Return the lengths of the branches of the shortest tree, or trees where joints are unconnected (Prim)."""
    lengths = np.nan_to_num(distances, nan=np.inf)
    outside, reach = np.ones(len(lengths), bool), lengths[0].copy()
    outside[0], branches = False, []
    for _ in range(len(lengths) - 1):
        nearest = int(np.where(outside, reach, np.inf).argmin())
        if not outside[nearest]:
            nearest = int(outside.argmax())  # no distance leads to the others: another tree begins
        else:
            branches.append(reach[nearest])
        outside[nearest] = False
        np.minimum(reach, lengths[nearest], out=reach)
    return np.array(branches)
