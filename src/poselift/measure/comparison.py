"""Choose the joints to compare when the lifter and the truth have different skeletons.

A joint that both have is compared as it is: a name means the same point everywhere (`poselift.skeleton`). A joint of
the truth that the lifter lacks is compared if it is a mid-point by definition. It is then made on both sides by its
rule in `poselift.prepare.convert.RULES`, from the joints of the prediction and from those of the truth, so that two
definitions of it never count as an error. All other joints are left out, those of the head among them: their rules are
guesses, good enough for a network's input but not for a truth.
"""

from dataclasses import dataclass, field

import numpy as np

from poselift.errors import SkeletonError
from poselift.prepare.convert import RULES
from poselift.skeleton import Skeleton

MIDPOINTS = ("pelvis", "thorax", "neck", "spine")
"""Joints that lie half-way between others by definition."""
LEAST = 3
"""Number of joints that a comparison needs; fewer have no orientation."""

CHOICES = ("joints compared", "joints left out")
"""What a comparison adds to the choices of a result."""

Mixture = dict[str, float]
"""Weights by joint."""


@dataclass(frozen=True)
class Comparison:
    """The joints of two skeletons that are compared; all of them where the skeletons are one."""

    lifter: Skeleton
    """Joint order of the predictions."""
    truth: Skeleton
    """Joint order of the truth."""
    skeleton: Skeleton
    """The joints that are compared, with those bones of the truth whose two ends are among them. Where the skeletons
    differ, the root comes first."""
    rules: dict[str, Mixture] = field(default_factory=dict)
    """By joint, the mixture that makes it on both sides; joints without one are found by name on both."""

    @property
    def moves_root(self) -> bool:
        """Whether predictions are moved to the root that is compared, because it is not the lifter's own."""
        root = self.skeleton.joints[self.skeleton.root]
        return root in self.rules or root != self.lifter.joints[self.lifter.root]

    @property
    def choices(self) -> dict[str, str]:
        """What is compared and what is left out, in words; empty where the skeletons are one."""
        if self.lifter == self.truth:
            return {}
        named = [joint for joint in self.skeleton.joints if joint not in self.rules]
        made = [f"{joint} as {_words(rule)} on both sides" for joint, rule in self.rules.items()]
        left = []
        for whole in (self.truth, self.lifter):
            joints = [joint for joint in whole.joints if joint not in self.skeleton]
            left += [f"{', '.join(joints)} of {whole.name}"] if joints else []
        compared = [f"{', '.join(named)} by name", *made]
        return dict(zip(CHOICES, ("; ".join(compared), "; ".join(left)), strict=True))

    def of_lifter(self, joints: np.ndarray) -> np.ndarray:
        """Turn predictions (*, lifter's joints, 3) into the joints compared (*, K, 3), in the same axes and unit.

        They stay relative to the lifter's own root, unless they must be moved (`moves_root`).
        """
        found = self._taken(joints, self.lifter)
        root = self.skeleton.root
        return found - found[..., root : root + 1, :] if self.moves_root else found

    def of_truth(self, joints: np.ndarray) -> np.ndarray:
        """Turn true joints (*, truth's joints, 3) into the joints compared (*, K, 3), in the same frame and unit."""
        return self._taken(joints, self.truth)

    def _taken(self, joints: np.ndarray, source: Skeleton) -> np.ndarray:
        if source == self.skeleton:
            return joints
        weights = np.zeros((len(self.skeleton), len(source)), joints.dtype)
        for row, joint in enumerate(self.skeleton.joints):
            for name, weight in self.rules.get(joint, {joint: 1.0}).items():
                weights[row, source.index(name)] = weight
        return weights @ joints


def compare_joints(lifter: Skeleton, truth: Skeleton) -> Comparison:
    """Choose the joints in which predictions of one skeleton are compared with a truth of another.

    The root is the pelvis, by name or half-way between the hips, or else the truth's own root.

    Args:
        lifter: Joint order of the predictions.
        truth: Joint order of the truth.

    Raises:
        SkeletonError: They share fewer than three joints, or no root.
    """
    if lifter == truth:
        return Comparison(lifter, truth, truth)
    wanted = dict.fromkeys(("pelvis", truth.joints[truth.root], *truth.joints))  # the root first
    rules = {joint: _rule(joint, lifter, truth) for joint in wanted}
    joints = [joint for joint in wanted if (joint in lifter and joint in truth) or rules[joint]]
    roots = {"pelvis", truth.joints[truth.root]}
    if len(joints) < LEAST or joints[0] not in roots:
        raise SkeletonError(
            f"a lifter of {lifter.name} cannot be measured on {truth.name}: wanted three joints or more that both have "
            f"and among them the pelvis, both hips, or the truth's root; got {', '.join(joints) or 'none'}"
        )
    parents = [truth.parents[truth.index(joint)] if joint in truth else -1 for joint in joints]
    above = [truth.joints[parent] if parent >= 0 else "" for parent in parents]
    tree = tuple(joints.index(name) if name in joints and row else -1 for row, name in enumerate(above))
    skeleton = Skeleton(f"what {truth.name} and {lifter.name} share", tuple(joints), tree)
    return Comparison(lifter, truth, skeleton, {joint: rules[joint] for joint in joints if rules[joint]})


def _rule(joint: str, lifter: Skeleton, truth: Skeleton) -> Mixture:
    """Return the mixture that makes a joint on both sides; empty if both have it, or if it is not such a mid-point."""
    if joint not in MIDPOINTS or (joint in lifter and joint in truth):
        return {}
    mixtures = (rule for rule in RULES[joint] if len(rule) > 1)
    return next((rule for rule in mixtures if all(name in lifter and name in truth for name in rule)), {})


def _words(rule: Mixture) -> str:
    return " + ".join(f"{weight:g} {joint}" for joint, weight in rule.items())
