"""Where the joints of `H36M_17` are in a motion capture file's own skeleton."""

from collections.abc import Sequence

import numpy as np

from poselift.errors import FormatError, SkeletonError
from poselift.formats.motion import Motion
from poselift.skeleton import H36M_17

_LIMB_JOINTS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
_CONVENTIONS = (
    # what the limb joints are called (side added), then the base of the neck and of the head
    ("CMU ASF", ("femur", "tibia", "foot", "humerus", "radius", "hand"), "upperneck", "head"),
    ("MotionBuilder or Mixamo", ("upleg", "leg", "foot", "arm", "forearm", "hand"), "neck", "head"),
    ("Poser or DAZ", ("thigh", "shin", "foot", "shldr", "forearm", "hand"), "neck", "head"),
    ("Blender", ("thigh", "shin", "foot", "upperarm", "forearm", "hand"), "neck", "head"),
    ("Unreal", ("thigh", "calf", "foot", "upperarm", "lowerarm", "hand"), "neck01", "head"),
    ("plain", ("hip", "knee", "ankle", "shoulder", "elbow", "wrist"), "neck", "head"),
    ("old BVH", ("upleg", "lowleg", "foot", "uparm", "lowarm", "hand"), "neck", "head"),
)
_SPINE_HEIGHT = 0.45
"""Where the spine is looked for on the way from pelvis to thorax; in CMU's skeletons it is at 0.42."""
_NOSE = np.array([0.0, 0.0895, 0.0413])
_HEAD_TOP = np.array([0.0, 0.2780, -0.0685])
"""Left, up and forward of the base of the head, in trunk lengths (hips to spine to thorax)."""


def h36m_joints(motion: Motion) -> tuple[np.ndarray, np.ndarray, int]:
    """The joints of `H36M_17` in a motion.

    Limb joints are the file's own. The pelvis is half-way between the hips; the thorax half-way between the base of the
    neck and the middle of the shoulders; the spine the file's joint nearest to the middle of the two. Nose and head
    top, which motion capture does not mark, keep their place in the head: ahead of and above its base, in proportion to
    the trunk. These are the rules that `mocap17.npz` was made by, measured on CMU 02_01.

    Args:
        motion: A figure whose rest pose stands upright, along y or z.

    Returns:
        (T, 17, 3) positions in the motion's frame and unit, (17, 3) the same at rest, and the index of the axis that
        points up.

    Raises:
        SkeletonError: Joints are missing.
        FormatError: The rest pose does not stand.
    """
    rest = motion.at_rest().xyz
    if set(H36M_17.joints) <= set(motion.joints):
        order = [list(motion.joints).index(name) for name in H36M_17.joints]
        at_rest = rest[0, order]
        trunk = at_rest[H36M_17.index("thorax")] - at_rest[H36M_17.index("pelvis")]
        return motion.xyz[:, order], at_rest, _up_axis(trunk)
    found = _find_joints(motion.joints)
    pelvis, thorax = _trunk(rest, found)
    spine = _spine_joint(motion.parents, rest[0], found, pelvis[0], thorax[0])
    up = _up_axis(thorax[0] - pelvis[0])
    head = _head_at_rest(rest[0], found, spine, up)
    at_rest = _place(rest, np.broadcast_to(np.eye(3), (*rest.shape, 3)), found, spine, head)
    return _place(motion.xyz, motion.rotations, found, spine, head), at_rest[0], up


def _place(
    xyz: np.ndarray, rotations: np.ndarray, found: dict[str, int], spine: int | None, head: dict[str, np.ndarray]
) -> np.ndarray:
    """(T, 17, 3) joints of `H36M_17`; `head` holds the offsets (3,) of nose and head top from the base of the head."""
    pelvis, thorax = _trunk(xyz, found)
    points = {name: xyz[:, joint] for name, joint in found.items()}
    points |= {"pelvis": pelvis, "thorax": thorax}
    points["spine"] = (pelvis + thorax) / 2 if spine is None else xyz[:, spine]
    points |= {name: xyz[:, found["head"]] + rotations[:, found["head"]] @ offset for name, offset in head.items()}
    return np.stack([points[name] for name in H36M_17.joints], axis=1)


def _trunk(xyz: np.ndarray, found: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Pelvis and thorax (T, 3)."""

    def middle(part: str) -> np.ndarray:
        return (xyz[:, found[f"left_{part}"]] + xyz[:, found[f"right_{part}"]]) / 2

    return middle("hip"), (middle("shoulder") + xyz[:, found["neck"]]) / 2


def _spine_joint(
    parents: Sequence[int], rest: np.ndarray, found: dict[str, int], pelvis: np.ndarray, thorax: np.ndarray
) -> int | None:
    """The joint below the neck that is nearest to the middle of the trunk; None when all are near its ends."""
    best, nearest = None, 0.25
    joint = parents[found["neck"]]
    while joint >= 0:
        below, above = np.linalg.norm(rest[joint] - pelvis), np.linalg.norm(rest[joint] - thorax)
        distance = abs(float(below / max(float(below + above), 1e-9)) - _SPINE_HEIGHT)
        if distance < nearest:
            best, nearest = joint, distance
        joint = parents[joint]
    return best


def _head_at_rest(rest: np.ndarray, found: dict[str, int], spine: int | None, up: int) -> dict[str, np.ndarray]:
    """Offsets (3,) of nose and head top from the base of the head, in the rest pose."""
    pelvis, thorax = (ends[0] for ends in _trunk(rest[None], found))
    middle = (pelvis + thorax) / 2 if spine is None else rest[spine]
    trunk = np.linalg.norm(middle - pelvis) + np.linalg.norm(thorax - middle)
    upward = np.eye(3)[up]
    left = rest[found["left_hip"]] - rest[found["right_hip"]]
    left = (left - left @ upward * upward) / max(np.linalg.norm(left), 1e-9)
    axes = np.stack([left, upward, np.cross(left, upward)], axis=-1)
    return {"nose": axes @ _NOSE * trunk, "head_top": axes @ _HEAD_TOP * trunk}


def _up_axis(trunk: np.ndarray) -> int:
    """Index of the axis that points from pelvis to thorax (3,)."""
    axis = int(np.abs(trunk).argmax())
    if axis == 0 or not trunk[axis] > 0.8 * np.linalg.norm(trunk):
        raise FormatError(
            f"wanted a rest pose that stands along y or z, got a trunk along {np.round(trunk, 3).tolist()}"
        )
    return axis


def _find_joints(names: Sequence[str]) -> dict[str, int]:
    """Index of both sides' limb joints, `neck` and `head`, by the first naming convention that has them all."""
    index = {_plain(name): i for i, name in reversed(list(enumerate(names)))}
    closest: list[str] = []
    label = ""
    for convention, limbs, neck, head in _CONVENTIONS:
        wanted = {
            f"{side}_{joint}": [form for s in (side, side[0]) for form in (s + word, word + s)]
            for side in ("left", "right")
            for joint, word in zip(_LIMB_JOINTS, limbs, strict=True)
        } | {"neck": [neck], "head": [head]}
        found = {joint: index[form] for joint, forms in wanted.items() for form in forms if form in index}
        if len(found) == len(wanted):
            return found
        missing = [f"{joint} ('{forms[0]}')" for joint, forms in wanted.items() if joint not in found]
        if not label or len(missing) < len(closest):
            closest, label = missing, convention
    raise SkeletonError(
        f"no joints for {', '.join(closest)} by {label} names; the file has {', '.join(names)}; rename its joints"
    )


def _plain(name: str) -> str:
    """A joint name without namespace (`mixamorig:`), case and separators."""
    return "".join(letter for letter in name.split(":")[-1].lower() if letter.isalnum())
