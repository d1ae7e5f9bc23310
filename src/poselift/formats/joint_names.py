"""Find joints by their usual names: `LShoulder`, `l_shoulder`, `Left Shoulder` and `ShoulderLeft` are one."""

import logging
import re
from collections.abc import Sequence

from poselift.errors import SkeletonError
from poselift.skeleton import BODY_27, COCO_17, HALPE_26, SKELETONS, Skeleton

_FEWEST = 5
"""Fewer joints than this are too few for a person."""
_SIDES = {"left": "left", "l": "left", "lt": "left", "right": "right", "r": "right", "rt": "right"}
_SYNONYMS = {
    "sho": "shoulder", "shldr": "shoulder", "elb": "elbow", "wri": "wrist", "kne": "knee", "ank": "ankle",
    "bigtoe": "big_toe", "smalltoe": "small_toe", "toe": "big_toe", "footindex": "foot_index", "handtip": "hand_tip",
    "eyeinner": "eye_inner", "inner_eye": "eye_inner", "eyeouter": "eye_outer", "outer_eye": "eye_outer",
    "hip": "pelvis", "hips": "pelvis", "root": "pelvis", "midhip": "pelvis", "mid_hip": "pelvis",
    "hip_center": "pelvis", "center_hip": "pelvis", "body_center": "pelvis", "spine_base": "pelvis",
    "shoulder_center": "thorax", "spine_shoulder": "thorax", "spine_mid": "spine", "belly": "spine",
    "spine_navel": "navel", "spine_chest": "chest", "face": "head", "headtop": "head_top", "top_head": "head_top",
    "top_of_head": "head_top", "head_bottom": "upper_neck", "upperneck": "upper_neck", "neck_nose": "nose",
}  # fmt: skip
"""Name of a joint without its side: name in `poselift.skeleton`."""
_JOINTS = {joint for skeleton in SKELETONS.values() for joint in skeleton.joints}
_log = logging.getLogger("poselift")


def joint_name(name: str) -> str | None:
    """Return the name in `poselift.skeleton` of a joint that people call `name`; None if it is not known."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=^[LR])(?=[A-Z][a-z])", "_", name.strip())
    words = [word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word]
    if len(words) == 1 and words[0] not in _SYNONYMS:
        words = _split_side(words[0])
    sides = [_SIDES[word] for word in words if word in _SIDES]
    rest = "_".join(word for word in words if word not in _SIDES)
    if len(sides) > 1:
        return None
    rest = rest if sides and rest == "hip" else _SYNONYMS.get(rest, rest)
    joint = f"{sides[0]}_{rest}" if sides else rest
    return joint if joint in _JOINTS else None


def _split_side(word: str) -> list[str]:
    """Split `leftshoulder`, `lshoulder` or `shoulderleft` into side and rest."""
    for side in _SIDES:
        for rest in (word.removeprefix(side), word.removesuffix(side)):
            if rest != word and f"left_{_SYNONYMS.get(rest, rest) if rest != 'hip' else rest}" in _JOINTS:
                return [side, rest]
    return [word]


def place_joints(names: Sequence[str], source: str, claimed: Skeleton | None = None) -> tuple[Skeleton, list[int]]:
    """Return the skeleton that joints of these names belong to, and where each of its joints is among them.

    The skeleton is the one that has most of them, and of several the one that lacks the fewest; joints that it has
    besides were not seen, and names that it lacks are left out with a warning.

    Args:
        names: Names of the joints in the order of the file.
        source: Name of the file in messages.
        claimed: The skeleton that the user names, if any.

    Returns:
        The skeleton, and for each of its joints the index into `names`, -1 for one that is not there.

    Raises:
        SkeletonError: Fewer than five of the joints are known.
    """
    found: dict[str, int] = {}
    for place, name in enumerate(names):
        joint = name if claimed is not None and name in claimed else joint_name(name)
        if joint is not None:
            found.setdefault(joint, place)
    if "right_foot" in found and "right_ankle" not in found:  # the ends of Human3.6M's legs
        ends = {"left_foot": "left_ankle", "right_foot": "right_ankle"}
        ends |= {"head": "head_top"} if {"thorax", "nose"} <= found.keys() else {}
        found = {ends.get(joint, joint): place for joint, place in found.items()}
    among = [COCO_17, *SKELETONS.values()] if claimed is None else [claimed]
    skeleton = max(among, key=lambda s: (len(found.keys() & set(s.joints)), -len(s)))
    places = [found.get(joint, -1) for joint in skeleton.joints]
    if sum(place >= 0 for place in places) < min(_FEWEST, len(skeleton)):
        raise SkeletonError(
            f"{source}: of the joints {', '.join(names[:40])}, only {', '.join(sorted(found)) or 'none'} are known; "
            f"wanted names such as {', '.join(skeleton.joints[5:9])}"
        )
    if extra := [name for place, name in enumerate(names) if place not in places]:
        _log.warning("%s: joints that %s does not have are left out: %s", source, skeleton.name, ", ".join(extra))
    if missing := [joint for joint, place in zip(skeleton.joints, places, strict=True) if place < 0]:
        _log.info("%s: joints of %s that are not there: %s", source, skeleton.name, ", ".join(missing))
    return skeleton, places


def skeleton_with(joints: Sequence[str]) -> Skeleton:
    """Return the skeleton that has exactly these joints, in any order, or make one whose tree is that of `HALPE_26`.

    A joint hangs from the nearest of the given joints on its way to the root in the first known skeleton that has it;
    a name that no skeleton has is a root of its own.

    Args:
        joints: Names in `poselift.skeleton`, or other names, each once.
    """
    for skeleton in SKELETONS.values():
        if set(skeleton.joints) == set(joints):
            return skeleton
    parents = []
    for joint in joints:
        tree = next((skeleton for skeleton in (HALPE_26, BODY_27, *SKELETONS.values()) if joint in skeleton), None)
        at = -1 if tree is None else tree.parents[tree.index(joint)]
        while tree is not None and at >= 0 and tree.joints[at] not in joints:
            at = tree.parents[at]
        parents.append(-1 if tree is None or at < 0 else list(joints).index(tree.joints[at]))
    return Skeleton(f"JOINTS_{len(joints)}", tuple(joints), tuple(parents))
