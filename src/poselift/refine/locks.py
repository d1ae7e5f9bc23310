"""Feet that stand in a stream: each foot stays where it came to stand, and goes on from there without a jump.

A clip knows when a foot will be lifted again; a stream does not. So a foot that stands is held by a shift of the whole
foot, the knee follows by inverse kinematics, and the shift fades within `LET_GO_S` once the foot has left the ground.
"""

import numpy as np

from poselift.geometry.two_bones import put_end
from poselift.refine.contacts import FAST_M_S, SOLE_M, STEP_M
from poselift.refine.curves import LET_GO_S
from poselift.refine.feet import SIDES, SOLE
from poselift.skeleton import Skeleton

ON, OFF = 0.5, 0.3
"""Probabilities at which a foot comes to stand, and at which it leaves the ground."""
FARTHEST_M = 0.12
"""Largest shift of a foot; one that would need more is carried along, and slides."""
SPEED_S = 0.1
"""Seconds, of an exponential, over which the speed of a point is averaged: frame by frame, poses shake."""
SINK_S = 0.15
"""Seconds, of an exponential, in which a foot that stands comes down to the floor."""


class FootLocks:
    """Holds the feet of one person."""

    def __init__(self, skeleton: Skeleton) -> None:
        """Start with both feet free; for skeletons without heels and toes, nothing is held."""
        self.works = all(f"{side}_{part}" in skeleton for side in SIDES for part in ("hip", "knee", "ankle", *SOLE[:2]))
        self._velocity = np.zeros((2, 2, 3))
        self._before: np.ndarray | None = None
        self._time_s = -np.inf
        if not self.works:
            return
        self._legs = [list(skeleton.indices([f"{s}_{part}" for part in ("hip", "knee", "ankle")])) for s in SIDES]
        names = [[f"{s}_{part}" for part in SOLE if f"{s}_{part}" in skeleton] for s in SIDES]
        self._soles = [list(skeleton.indices(found)) for found in names]
        points = len(self._soles[0])
        self._shift, self._anchor = np.zeros((2, points, 3)), np.zeros((2, points, 3))
        self._stands = np.zeros((2, points), bool)

    def __call__(self, joints: np.ndarray, contact: np.ndarray, time_s: float) -> np.ndarray:
        """Return the joints (J, 3) of the next frame with standing feet held.

        Args:
            joints: (J, 3) metres in the world, z up, floor at 0.
            contact: (4,) probabilities of `poselift.sequence.CONTACTS`; 0 where they are not to be used.
            time_s: Time of the frame.
        """
        if not self.works:
            return joints
        step_s, self._time_s = time_s - self._time_s, time_s
        if not 0 < step_s <= 0.5:
            self._shift[:], self._velocity[:], self._stands[:], self._before = 0, 0, False, None
        for side in range(2):
            self._hold(side, joints, contact[2 * side : 2 * side + 2], step_s)
        self._before = joints.copy()
        if not self._shift.any():
            return joints
        found = joints.copy()
        ankles = joints[[leg[2] for leg in self._legs]] + self._shift.mean(1)
        legs = put_end(joints[self._legs], ankles, np.broadcast_to(self._forward(joints), (2, 3)))
        for side in range(2):
            found[self._legs[side]] = legs[side]
            found[self._soles[side]] = joints[self._soles[side]] + self._shift[side] + legs[side, 2] - ankles[side]
        return found

    def _hold(self, side: int, joints: np.ndarray, contact: np.ndarray, step_s: float) -> None:
        """Find the shift of each point of one foot."""
        sole = self._soles[side]
        points, shift, anchor, held = joints[sole], self._shift[side], self._anchor[side], self._stands[side]
        contact = contact.copy()
        if self._before is not None:
            moved = (points[:2] - self._before[sole[:2]]) / step_s
            self._velocity[side] += (1 - np.exp(-step_s / SPEED_S)) * (moved - self._velocity[side])
            contact /= 1 + (np.linalg.norm(self._velocity[side], axis=-1) / FAST_M_S) ** 4
        stands = contact > np.where(held[:2], OFF, ON)
        stands = np.append(stands, stands[1])[: len(sole)]  # the small toe stands when the big one does
        new = stands & ~held
        anchor[new] = points[new] + shift[new]
        step_s = min(step_s, 0.5)
        low = stands & (anchor[:, 2] < STEP_M)
        anchor[low, 2] += (SOLE_M - anchor[low, 2]) * (1 - np.exp(-step_s / SINK_S))
        wanted = anchor - points
        far = np.maximum(np.linalg.norm(wanted, axis=-1, keepdims=True) / FARTHEST_M, 1)
        anchor[:] = points + wanted / far
        rest = (wanted / far)[stands].mean(0) if stands.any() else np.zeros(3)
        shift = np.where(stands[:, None], wanted / far, rest + (shift - rest) * np.exp(-step_s / LET_GO_S))
        under = np.maximum(-(points[:, 2] + shift[:, 2]), 0)
        if under.any():
            shift[:, 2] += under if stands.any() else under.max()
        self._stands[side], self._shift[side] = stands, shift

    def _forward(self, joints: np.ndarray) -> np.ndarray:
        """Return the direction (3,) in which knees bend: forward."""
        (left, _, left_end), (right, _, right_end) = self._legs
        down = joints[left_end] + joints[right_end] - joints[left] - joints[right]
        return np.asarray(np.cross(down, joints[left] - joints[right]))
