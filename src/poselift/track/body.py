"""A body's size and proportions, from keypoints of any skeleton.

The bones of an unknown skeleton are the shortest tree that connects the joints: rigid links are short in every pose,
while the distance of a hand from a hip is long at times. A bone looks shorter when it points at the camera, so that its
length is the upper quartile over some time.
"""

from collections.abc import Sequence

import numpy as np

_SAMPLE = 2000
"""Poses that the tree is computed from."""
_LONG, _UPPER = 0.85, 0.75


def bones_of(poses: np.ndarray) -> np.ndarray:
    """Return the bones (B, 2) of a skeleton, as pairs of joints.

    Args:
        poses: (N, J, 3) keypoints of anybody, NaN where a joint was not seen. Joints that are hardly ever seen have no
            bone.
    """
    from scipy.sparse.csgraph import minimum_spanning_tree  # scipy takes 0.1 s to import

    xy = poses[:: max(len(poses) // _SAMPLE, 1), :, :2].astype(np.float64)
    size = np.linalg.norm(np.nanmax(xy, axis=1) - np.nanmin(xy, axis=1), axis=-1)
    apart = np.linalg.norm(xy[:, :, None] - xy[:, None], axis=-1) / size.clip(min=1e-9)[:, None, None]
    often = np.isfinite(apart).mean(0) > 0.1
    apart = np.where(often, apart, 10.0)
    long = np.nanquantile(apart, _LONG, axis=0)
    tree = minimum_spanning_tree(np.triu(long.clip(min=1e-6), 1)).tocoo()
    keep = tree.data < 5
    return np.stack([tree.row[keep], tree.col[keep]], -1)


def lengths_of(poses: np.ndarray, bones: np.ndarray) -> np.ndarray:
    """Return the lengths of bones (B,) in pixels over some frames (N, J, 3); NaN for those not seen in two of them."""
    ends = poses[:, bones, :2]
    length = np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)
    seen = np.isfinite(length).sum(0) >= min(3, len(length))
    out = np.full(len(bones), np.nan)
    if seen.any():
        out[seen] = np.nanquantile(length[:, seen], _UPPER, axis=0)
    return out
