"""A body's bones and proportions, from keypoints of any skeleton.

The bones of an unknown skeleton are the shortest tree that connects its joints: neighbours are near each other in every
pose, while a hand is far from a hip at times. A bone looks short when it points at the camera; what is taken for its
length is therefore the upper quartile over some time.
"""

import numpy as np

_SAMPLE = 2000
"""Poses from which the tree is computed."""
_FAR, _LENGTH = 0.85, 0.75
"""Quantiles over the poses: of the distance of two joints for the tree, and of a bone for its length."""
_OFTEN = 0.1
"""Two joints are compared if they are seen together in this share of the poses."""
_FEWEST_BONES = 4
"""Proportions of two bodies are compared over this many common bones."""
_WORST = 0.5
"""A bone's logarithm of a ratio counts up to this; larger ones are errors of the detector."""


def bones_of(poses: np.ndarray) -> np.ndarray:
    """Return the bones (B, 2) of a skeleton, as pairs of joints; joints that are hardly ever seen have none.

    Args:
        poses: (N, J, 3) keypoints of anybody, NaN where a joint was not seen; one joint is seen in each.
    """
    from scipy.sparse.csgraph import minimum_spanning_tree  # scipy takes 0.1 s to import

    xy = poses[:: max(len(poses) // _SAMPLE, 1), :, :2].astype(np.float64)
    size = np.linalg.norm(np.nanmax(xy, axis=1) - np.nanmin(xy, axis=1), axis=-1).clip(min=1e-9)
    apart = np.linalg.norm(xy[:, :, None] - xy[:, None], axis=-1) / size[:, None, None]
    often = np.isfinite(apart).mean(0) >= _OFTEN
    far = np.zeros(often.shape)
    far[often] = np.nanquantile(apart[:, often], _FAR, axis=0)
    tree = minimum_spanning_tree(np.triu(np.where(often, far.clip(min=1e-6), 0), 1)).tocoo()
    return np.stack([tree.row, tree.col], -1)


def lengths_of(poses: np.ndarray, bones: np.ndarray) -> np.ndarray:
    """Return the lengths of bones (B,) in pixels over some frames (N, J, 3); NaN for those hardly seen."""
    ends = poses[:, bones, :2]
    length = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)
    seen = np.isfinite(length).sum(0) >= min(3, len(length))
    out = np.full(len(bones), np.nan)
    if seen.any():
        out[seen] = np.nanquantile(length[:, seen], _LENGTH, axis=0)
    return out


def unlike(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> tuple[float, float] | None:
    """Compare two bodies by the lengths (B,) of their bones.

    Args:
        one: Lengths in pixels, NaN where not seen.
        other: Lengths of the other body.
        weights: (B,) weights of the bones: long ones are measured better.

    Returns:
        How much larger the other body is in the picture, and how much its proportions differ: the root mean square
        of what remains. Both are logarithms of ratios. None if too few bones are seen of both.
    """
    seen = (one > 0) & (other > 0) & (weights > 0)
    if seen.sum() < _FEWEST_BONES:
        return None
    ratio, weights = np.log(other[seen] / one[seen]), weights[seen]
    order = np.argsort(ratio)
    total = np.cumsum(weights[order])
    larger = float(ratio[order][np.searchsorted(total, total[-1] / 2)])  # the weighted median
    rest = (ratio - larger).clip(-_WORST, _WORST)
    return larger, float(np.sqrt(np.average(rest**2, weights=weights)))
