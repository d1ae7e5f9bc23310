"""Mirror images: x changes sign, and left and right joints are exchanged."""

from typing import Any

from poselift.skeleton import Skeleton

Array = Any  # numpy.ndarray or torch.Tensor


def flip(array: Array, skeleton: Skeleton) -> Array:
    """Mirror normalised keypoints or root-relative joints, numpy or torch.

    Args:
        array: (*, J, C); channel 0 is x about the mirror plane, the others (y, z, confidence) keep their sign.
        skeleton: Joint order of the array.

    Returns:
        (*, J, C) mirrored copy. Mirroring it again gives the original.
    """
    mirrored = array[..., list(skeleton.flipped), :]  # a copy: the index is a list
    mirrored[..., 0] *= -1
    return mirrored
