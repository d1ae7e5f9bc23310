"""Find poselift's joints in a motion capture file, by naming conventions or by a map that the user gives."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from poselift.errors import FormatError, SkeletonError, did_you_mean
from poselift.files import read_json, read_text
from poselift.skeleton import H36M_17

_LEGS = (
    # a program or collection, and its names of hip, knee and ankle (a side is added)
    ("CMU", ("femur", "tibia", "foot")),
    ("MotionBuilder", ("upleg", "leg", "foot")),  # also Mixamo, LAFAN1
    ("Poser", ("thigh", "shin", "foot")),  # also Blender, Rokoko, Motive
    ("Biped", ("thigh", "calf", "foot")),  # also Unreal
    ("Unity", ("upperleg", "lowerleg", "foot")),  # also VRM, Xsens, Bandai Namco
    ("Daz", ("thighbend", "shin", "foot")),
    ("plain", ("hip", "knee", "ankle")),  # also SMPL, Kinect
    ("plain", ("hip", "knee", "foot")),
    ("old BVH", ("upleg", "lowleg", "foot")),
)
_ARMS = (
    # the same, with the names of shoulder, elbow and wrist
    ("CMU", ("humerus", "radius", "hand")),
    ("MotionBuilder", ("arm", "forearm", "hand")),
    ("Poser", ("shldr", "forearm", "hand")),
    ("Biped", ("upperarm", "forearm", "hand")),  # also Blender, Xsens
    ("Unity", ("upperarm", "lowerarm", "hand")),  # also Unreal
    ("Motive", ("uarm", "farm", "hand")),
    ("Daz", ("shldrbend", "forearmbend", "hand")),
    ("plain", ("shoulder", "elbow", "wrist")),
    ("plain", ("shoulder", "elbow", "hand")),
    ("old BVH", ("uparm", "lowarm", "hand")),
)
_NECK = ("upperneck", "neck", "neck01", "neck1", "necklower", "necktwist01", "lowerneck")
_HEAD = ("head",)
_LIMBS = ((("hip", "knee", "ankle"), _LEGS), (("shoulder", "elbow", "wrist"), _ARMS))
_MOST_PAIRS = 1000
_SEPARATOR = re.compile(r"\s*[,;=\t]\s*")
MAPPED = (*H36M_17.joints, "neck", "head")
"""Joints that a map may name: those of `H36M_17`, and the bases of neck and head."""


@dataclass(frozen=True)
class FoundJoints:
    """Indices of poselift's joints in a file."""

    index: dict[str, int]
    """Index of the limb joints; of `neck` and `head` (their bases) where the file has them; of others if mapped."""
    convention: str
    """The naming convention of legs and arms, or that a map was given."""


def find_joints(names: Sequence[str], joint_map: Mapping[str, str] | None = None) -> FoundJoints:
    """Find poselift's joints by their names in a file.

    Joints that the map does not name are found by the first convention of legs, and the first of arms, whose joints all
    exist in the file. Case, separators, namespaces (`mixamorig:`) and a prefix shared by all joints (Bip01 L Thigh) do
    not count.

    Args:
        names: The file's joints.
        joint_map: poselift's name of a joint, one of `MAPPED`, to the file's.

    Raises:
        SkeletonError: Joints of the limbs are not found, or the map names joints that the file does not have.
    """
    mapped = _mapped(names, joint_map or {})
    own = set(H36M_17.joints) <= set(names)
    found = {joint: list(names).index(joint) for joint in H36M_17.joints if own} | mapped
    by, prefixes = ["a joint map"] * bool(mapped) + [H36M_17.name] * own, [""]
    for joints, conventions in _LIMBS:
        wanted = [f"{side}_{joint}" for side in ("left", "right") for joint in joints]
        if not set(wanted) <= set(found):
            label, prefix, limb_joints = _limb(names, found, wanted, conventions)
            found |= limb_joints
            by += [] if label in by else [label]
            prefixes.append(prefix)
    index = _index(names)
    for joint, words in (("neck", _NECK), ("head", _HEAD)):
        forms = (prefix + form for word in words for prefix in prefixes for form in (word, f"c{word}", f"{word}m"))
        there = [index[form] for form in forms if form in index]
        found |= {joint: there[0]} if joint not in found and there else {}
    return FoundJoints(found, " and ".join(by))


def _mapped(names: Sequence[str], joint_map: Mapping[str, str]) -> dict[str, int]:
    """Return the index of each joint that the map names."""
    if missing := [theirs for theirs in joint_map.values() if theirs not in names]:
        hint = did_you_mean(missing[0], names)
        raise SkeletonError(f"the file has no joints {', '.join(missing)}, which the joint map names; {hint}")
    return {ours: list(names).index(theirs) for ours, theirs in joint_map.items()}


def _limb(
    names: Sequence[str], known: Mapping[str, int], wanted: Sequence[str], conventions: Sequence[tuple]
) -> tuple[str, str, dict[str, int]]:
    """Return convention and prefix of both legs or both arms, and the indices of their joints that were not known."""
    index, closest = _index(names), (0, "", [""])
    for label, words in conventions:
        spelt = dict(zip(wanted, [(side, word) for side in ("left", "right") for word in words], strict=True))
        for prefix in _prefixes(index, words):
            forms = {joint: [prefix + form for form in _forms(*spelt[joint])] for joint in wanted if joint not in known}
            found = {joint: index[form] for joint in forms for form in reversed(forms[joint]) if form in index}
            if len(found) == len(forms):
                return label, prefix, found
            missing = [f"{joint} ('{''.join(spelt[joint])}')" for joint in forms if joint not in found]
            closest = max(closest, (len(found), label, missing), key=lambda near: near[0])
    lacking = (
        f"{', '.join(closest[2])} by {closest[1]} names" if closest[0] else f"{', '.join(wanted)} by names we know"
    )
    there = ", ".join(names[:60]) + (f" and {len(names) - 60} more" if len(names) > 60 else "")
    raise SkeletonError(f"no joints for {lacking}; the file has {there}; name them in a map (joints, --joints)")


def _index(names: Sequence[str]) -> dict[str, int]:
    """Return the index of each joint by its plain name; of several equal names, the first."""
    return {_plain(name): i for i, name in reversed(list(enumerate(names)))}


def _forms(side: str, word: str) -> list[str]:
    """Return the ways in which a joint's name is written without separators."""
    return [form for shown in (side, side[0]) for form in (shown + word, word + shown)]


def _prefixes(index: Mapping[str, int], words: Sequence[str]) -> list[str]:
    """Return what may precede every joint's name, found from the left joints; the shortest first."""
    forms = [form for word in words for form in _forms("left", word)]
    return sorted({"", *(name.removesuffix(form) for form in forms for name in index if name.endswith(form))}, key=len)


def _plain(name: str) -> str:
    """Return a joint name without namespace (`mixamorig:`), case and separators."""
    return "".join(letter for letter in name.split(":")[-1].lower() if letter.isalnum())


def read_joint_map(path: str | Path) -> dict[str, str]:
    """Read a map from poselift's joints to a file's: a JSON object, or lines of `left_hip, LeftUpLeg` (`#` comments).

    Raises:
        FormatError: The file cannot be read, or is no such map.
        SkeletonError: The map names a joint that poselift does not have, or one twice.
    """
    path = Path(path)
    text = read_text(path)
    if text.lstrip().startswith("{"):
        content = read_json(path)
        pairs = list(content.items())
    else:
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        pairs = [tuple(_SEPARATOR.split(line, maxsplit=1)) for line in lines]
    if len(pairs) > _MOST_PAIRS:
        raise FormatError(f"{path}: wanted up to {len(MAPPED)} joints, got {len(pairs)} lines; is it a joint map?")
    for pair in pairs:
        if len(pair) != 2 or not isinstance(pair[1], str) or not pair[1]:
            raise FormatError(f"{path}: wanted our joint and the file's, such as 'left_hip, LeftUpLeg', got {pair[:2]}")
    names = [ours for ours, _ in pairs]
    if wrong := [name for name in names if name not in MAPPED or names.count(name) > 1]:
        hint = "keep one line of it" if wrong[0] in MAPPED else did_you_mean(wrong[0], MAPPED)
        raise SkeletonError(f"{path}: wanted each of our joints once, got '{wrong[0]}'; {hint}")
    theirs = [name for _, name in pairs]
    if not pairs or len(set(theirs)) < len(theirs):
        got = f"'{next(name for name in theirs if theirs.count(name) > 1)}' more than once" if pairs else "no joints"
        raise FormatError(f"{path}: wanted lines such as 'left_hip, LeftUpLeg', each joint once, got {got}")
    return dict(pairs)
