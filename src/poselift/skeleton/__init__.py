"""Skeletons: the names of the joints, their order in arrays, and the parent of each joint.

Only `orders` holds joint orders. Everything else (left/right pairs, limbs, bones, hops, graphs) is derived from names
and parents, so a new skeleton works wherever it has the joints that the code asks for.

Joint names are shared between skeletons: `left_wrist` is the same point everywhere, and `poselift.prepare.convert`
relies on that. `head_top` is the crown, `head` the middle of the head, `neck` the base of the neck between
the shoulders, `thorax` the same height inside the body, `spine` half-way between pelvis and thorax.
"""

from poselift.errors import SkeletonError, did_you_mean
from poselift.skeleton.orders import (
    BODY_25,
    BODY_25B,
    BODY_27,
    COCO_17,
    COCO_18,
    COCO_23,
    COCO_24,
    H36M_17,
    HALPE_26,
    HUMANEVA_15,
    JHMDB_15,
    KINECT_20,
    KINECT_25,
    KINECT_32,
    MEDIAPIPE_33,
    MPI_15,
    MPI_INF_3DHP_17,
    MPII_16,
    PANOPTIC_19,
    SKELETONS,
)
from poselift.skeleton.tree import Skeleton

__all__ = [
    "BODY_25",
    "BODY_25B",
    "BODY_27",
    "COCO_17",
    "COCO_18",
    "COCO_23",
    "COCO_24",
    "H36M_17",
    "HALPE_26",
    "HUMANEVA_15",
    "JHMDB_15",
    "KINECT_20",
    "KINECT_25",
    "KINECT_32",
    "MEDIAPIPE_33",
    "MPII_16",
    "MPI_15",
    "MPI_INF_3DHP_17",
    "PANOPTIC_19",
    "SKELETONS",
    "Skeleton",
    "get_skeleton",
]


def get_skeleton(name: Skeleton | str) -> Skeleton:
    """Return the skeleton of this name, in upper or lower case, with `-` or `_`; return a `Skeleton` as it is.

    Raises:
        SkeletonError: No skeleton has this name, or `name` is neither a string nor a skeleton.
    """
    if isinstance(name, Skeleton):
        return name
    if not isinstance(name, str):
        raise SkeletonError(f"wanted a skeleton or its name, got {type(name).__name__}; known: {', '.join(SKELETONS)}")
    key = name.upper().replace("-", "_")
    if key not in SKELETONS:
        if len(near := [known for known in SKELETONS if known.startswith(key)]) > 1:
            raise SkeletonError(f"unknown skeleton '{name}'; name one of {', '.join(near)}")
        raise SkeletonError(f"unknown skeleton '{name}'; {did_you_mean(key, SKELETONS)}")
    return SKELETONS[key]
