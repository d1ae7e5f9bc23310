"""The class `Skeleton`: a joint order with its tree of bones, and everything that is derived from names and parents."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from poselift.errors import SkeletonError, did_you_mean

_LIMBS = (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist"))


@dataclass(frozen=True)
class Skeleton:
    """A named joint order with its tree of bones.

    Two skeletons are equal when all three fields are equal.
    """

    name: str
    """Identifier, as in `poselift.skeleton.SKELETONS`."""
    joints: tuple[str, ...]
    """Joint names in array order."""
    parents: tuple[int, ...]
    """Index of each joint's parent; -1 for a root. Detector layouts without a pelvis have several roots."""

    def __post_init__(self) -> None:
        """Check that names are unique and that the parents form a forest."""
        count = len(self.joints)
        if len(set(self.joints)) != count:
            raise SkeletonError(f"{self.name}: joint names repeat: {', '.join(self.joints)}")
        if len(self.parents) != count or not all(-1 <= p < count for p in self.parents):
            raise SkeletonError(f"{self.name}: wanted {count} parents in [-1, {count - 1}], got {self.parents}")
        if any(self._depth(j) < 0 for j in range(count)):
            raise SkeletonError(f"{self.name}: the parents hold a cycle; give each root the parent -1")

    def _depth(self, joint: int) -> int:
        for depth in range(len(self.joints)):
            if self.parents[joint] < 0:
                return depth
            joint = self.parents[joint]
        return -1

    def __len__(self) -> int:
        """Return the number of joints."""
        return len(self.joints)

    def __contains__(self, joint: str) -> bool:
        """Return whether a joint of this name exists."""
        return joint in self._index

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.joints)}

    def index(self, joint: str) -> int:
        """Return the array index of a joint.

        Raises:
            SkeletonError: There is no joint of this name.
        """
        if joint not in self._index:
            raise SkeletonError(f"{self.name} has no joint '{joint}'; {did_you_mean(joint, self.joints)}")
        return self._index[joint]

    def indices(self, joints: Sequence[str]) -> tuple[int, ...]:
        """Return the array indices of several joints, in the order of `joints`.

        Raises:
            SkeletonError: One of them does not exist.
        """
        return tuple(self.index(name) for name in joints)

    @cached_property
    def root(self) -> int:
        """Index of the first joint without a parent."""
        return self.parents.index(-1)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) indices of every bone, ordered by child."""
        return tuple((p, j) for j, p in enumerate(self.parents) if p >= 0)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(left, right) indices of every joint that exists on both sides, ordered by the left index."""
        return tuple(
            (i, self._index["right" + name[4:]])
            for i, name in enumerate(self.joints)
            if name.startswith("left_") and "right" + name[4:] in self._index
        )

    @cached_property
    def flipped(self) -> tuple[int, ...]:
        """Joint order after a mirror: `array[..., flipped, :]` exchanges left and right."""
        order = list(range(len(self)))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return tuple(order)

    @cached_property
    def limbs(self) -> tuple[tuple[int, int, int], ...]:
        """Arms and legs as (proximal, middle, distal) triples, ordered by their first joint.

        For `H36M_17`: right leg, left leg, left arm, right arm.
        """
        found = []
        for side in ("left", "right"):
            for limb in _LIMBS:
                names = [f"{side}_{joint}" for joint in limb]
                if all(name in self._index for name in names):
                    first, middle, last = self.indices(names)
                    found.append((first, middle, last))
        return tuple(sorted(found))

    @cached_property
    def hops(self) -> tuple[int, ...]:
        """Number of bones between each joint and its root."""
        return tuple(self._depth(j) for j in range(len(self)))

    @cached_property
    def topological(self) -> tuple[int, ...]:
        """Joint indices with every parent before its children."""
        return tuple(sorted(range(len(self)), key=lambda j: self.hops[j]))

    @cached_property
    def adjacency(self) -> np.ndarray:
        """(J, J) float32 symmetric matrix: 1 where a bone connects two joints, else 0; the diagonal is 0."""
        matrix = np.zeros((len(self), len(self)), np.float32)
        for parent, child in self.bones:
            matrix[parent, child] = matrix[child, parent] = 1
        return matrix
