"""The content of a motion capture file of any format."""

from dataclasses import dataclass, replace

import numpy as np

from poselift.errors import FormatError

MOST_JOINTS = 2000
"""Joints of a file; a figure with face and fingers has 300."""
_MOST_UNMOVED = 1_000_000


@dataclass(frozen=True, eq=False)
class Motion:
    """A tree of joints and its motion, in the file's own axes and unit of length."""

    joints: tuple[str, ...]
    """Joint names in file order; the far end of a last joint is named after it: `Head_end`."""
    parents: tuple[int, ...]
    """Index of each joint's parent, which is smaller than the joint's own; -1 for the root."""
    offsets: np.ndarray
    """(J, 3) float64 position of each joint in its parent's frame at rest."""
    xyz: np.ndarray
    """(T, J, 3) float64 world positions."""
    rotations: np.ndarray
    """(T, J, 3, 3) float64 world rotations; the identity is the rest pose."""
    fps: float | None = None
    """Frames per second; None where the file does not say."""
    unit_m: float | None = None
    """Metres per unit of length; None where the file does not say."""
    remarks: tuple[str, ...] = ()
    """Unusual things in the file that did not prevent reading it, a sentence each."""

    def at_rest(self) -> "Motion":
        """Return a motion of one frame, the rest pose, with the root at the origin."""
        xyz = np.zeros((1, len(self.joints), 3))
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                xyz[:, joint] = xyz[:, parent] + self.offsets[joint]
        return replace(self, xyz=xyz, rotations=np.broadcast_to(np.eye(3), (*xyz.shape, 3)))


def check_size(name: str, frames: int, joints: int, channels: int) -> None:
    """Check that a motion takes no more memory than its numbers need, before room for it is made.

    Args:
        name: The file's name.
        frames: Number of frames.
        joints: Number of joints, with the ends of the last ones.
        channels: Number of numbers in a frame.

    Raises:
        FormatError: There are too many joints, or most of them never move in many frames.
    """
    if joints > MOST_JOINTS:
        raise FormatError(f"{name}: wanted up to {MOST_JOINTS} joints, got {joints}; the file is damaged")
    if frames * (joints - channels) > _MOST_UNMOVED:
        raise FormatError(
            f"{name}: {frames} frames of {joints} joints with {channels} numbers a frame in all; wanted three a joint"
        )
