"""Lengths of bones that somebody measured: their names, what may be said of them, and what they make of a body."""

from collections.abc import Mapping, Sequence
from typing import TypeGuard

import numpy as np

from poselift.errors import ShapeError, SkeletonError
from poselift.skeleton import Skeleton

SEGMENTS = {
    "thigh": ("hip", "knee"),
    "shank": ("knee", "ankle"),
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}
"""Segments by name, and the joints between whose centres each is measured."""
HIP_WIDTH = "hip_width"
"""Name of the distance between the centres of both hips."""
POSSIBLE_M = (0.05, 0.8)
"""Shortest and longest segment in metres that is believed: those of babies and of giants."""
SIDES = ("left", "right")

BoneLengths = Mapping[str, float]
"""Metres by name: of `SEGMENTS`, alone or after "left_" or "right_", and `HIP_WIDTH`."""


def bones_of(
    bone_lengths_m: BoneLengths | Sequence[BoneLengths | None] | None, people: int
) -> list[dict[str, float] | None]:
    """Return checked lengths, or None, for each of so many people.

    Raises:
        ShapeError: There are lengths for more or fewer people, or one is unknown, said twice or impossible.
    """
    if bone_lengths_m is None or _is_one(bone_lengths_m):
        return [checked_bones(bone_lengths_m)] * people
    if isinstance(bone_lengths_m, str) or not isinstance(bone_lengths_m, Sequence) or len(bone_lengths_m) != people:
        raise ShapeError(
            f"wanted lengths of bones as a table, such as {{'thigh': 0.43}}, for all, or one for each of {people} "
            f"people (bone_lengths_m, --bones), got {bone_lengths_m!r:.60}"
        )
    return [checked_bones(one) for one in bone_lengths_m]


def checked_bones(lengths: BoneLengths | None) -> dict[str, float] | None:
    """Return lengths in metres by the names of segments, sides averaged; None where nothing is said.

    Raises:
        ShapeError: A name is unknown, a length is impossible, or a segment is said both with sides and without.
    """
    if not lengths:
        return None
    if not _is_one(lengths):
        raise ShapeError(f"wanted lengths of bones as a table, such as {{'thigh': 0.43}}, got {lengths!r:.60}")
    found: dict[str, dict[str, float]] = {}
    for name, length in lengths.items():
        side, segment = _parts(str(name))
        found.setdefault(segment, {})[side] = _checked(str(name), length)
    for segment, sides in found.items():
        if "" in sides and len(sides) > 1:
            raise ShapeError(f"the length of {segment} is given for both sides and for one of them; give one or two")
    return {segment: float(np.mean([*sides.values()])) for segment, sides in found.items()}


def joint_lengths(lengths: Mapping[str, float], skeleton: Skeleton) -> dict[int, float]:
    """Return metres by joint: of the bones that end in these joints, left and right alike.

    Args:
        lengths: Metres by segment, as `checked_bones` returns them.
        skeleton: Joints of the body.

    Raises:
        SkeletonError: A segment is no bone of this skeleton.
    """
    found: dict[int, float] = {}
    for segment, length in lengths.items():
        for side in SIDES:
            ends = ("pelvis", f"{side}_hip")
            if segment != HIP_WIDTH:
                ends = (f"{side}_{SEGMENTS[segment][0]}", f"{side}_{SEGMENTS[segment][1]}")
            if not {*ends} <= {*skeleton.joints} or skeleton.parents[skeleton.index(ends[1])] != skeleton.index(
                ends[0]
            ):
                raise SkeletonError(
                    f"{skeleton.name} has no bone from {ends[0]} to {ends[1]}, so that the length of {segment} "
                    "(bone_lengths_m, --bones) says nothing of it; use a lifter of BODY_27 or H36M_17, or leave it out"
                )
            found[skeleton.index(ends[1])] = length / 2 if segment == HIP_WIDTH else length
    return found


def _is_one(lengths: object) -> TypeGuard[BoneLengths]:
    return isinstance(lengths, Mapping)


def _parts(name: str) -> tuple[str, str]:
    """Return the side, or "", and the segment of a name."""
    side, _, rest = name.partition("_")
    side, segment = (side, rest) if side in SIDES else ("", name)
    if segment not in SEGMENTS and (segment != HIP_WIDTH or side):
        raise ShapeError(
            f"unknown bone {name!r} (bone_lengths_m, --bones); known: {', '.join(SEGMENTS)}, each also with left_ or "
            f"right_ before it, and {HIP_WIDTH}"
        )
    return side, segment


def _checked(name: str, length: object) -> float:
    low, high = POSSIBLE_M
    if isinstance(length, int | float | np.number) and not isinstance(length, bool) and low <= float(length) <= high:
        return float(length)
    raise ShapeError(
        f"wanted the length of {name} in metres, from {low:g} to {high:g} (bone_lengths_m, --bones), got {length!r:.40}"
    )
