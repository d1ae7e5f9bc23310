"""The content of a motion capture file of any format."""

from dataclasses import dataclass, replace

import numpy as np


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
