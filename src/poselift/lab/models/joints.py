"""Weights of a lifter of one skeleton, for the same lifter of a skeleton with more or other joints.

A joint that both have keeps its weights. A joint that is new starts as the nearest joint above it that the old skeleton
has (a toe as the ankle, an eye as the nose), and its own input counts for nothing until training changes that.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from poselift.errors import CheckpointError
from poselift.skeleton import Skeleton

JointAxes = Mapping[str, tuple[int, bool]]
"""Where a lifter's weights have joints: a regular expression for the weights' names, the axis, and whether weights of a
new joint are copied from the joint above it (True) or zero (False). Several joints in a row of an axis, as of an input
(J * C), count as that axis; a name that ends in "2" after "#" is a second axis of the same weights."""


def for_joints(tensors: Mapping[str, Tensor], old: Skeleton, new: Skeleton, axes: JointAxes) -> dict[str, Tensor]:
    """Return weights for another skeleton.

    Args:
        tensors: Weights by name.
        old: The skeleton that they are of.
        new: The skeleton that they are for.
        axes: Where they have joints.

    Raises:
        CheckpointError: A joint of the new skeleton has no joint above it that the old one has.
    """
    source = torch.tensor([_above(joint, old, new) for joint in range(len(new))])
    known = torch.tensor([name in old for name in new.joints])
    made = dict(tensors)
    for pattern, (axis, copied) in axes.items():
        for name in [name for name in tensors if re.fullmatch(pattern.split("#")[0], name)]:
            parts = made[name].unflatten(axis, (len(old), -1)).index_select(axis, source)
            if not copied:
                shape = [1] * parts.ndim
                shape[axis] = len(new)
                parts = parts * known.view(shape)
            made[name] = parts.flatten(axis, axis + 1)
    return made


def _above(joint: int, old: Skeleton, new: Skeleton) -> int:
    """Return the index in `old` of a joint of `new`, or of the nearest one above it."""
    above = joint
    while new.joints[above] not in old:
        above = new.parents[above]
        if above < 0:
            raise CheckpointError(
                f"wanted weights of the joints of {new.name}, or of joints above them; got {old.name}, which has "
                f"neither {new.joints[joint]} nor a joint above it"
            )
    return old.index(new.joints[above])
