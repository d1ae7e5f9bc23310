"""A standing figure as BVH text, in many skeletons' ways of resting."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

Joints = dict[str, tuple[str, tuple[float, float, float]]]


def figure() -> Joints:
    """Joints of a standing figure in cm, y up, facing z: {name: (parent, offset)}, MotionBuilder names."""
    joints: Joints = {"Hips": ("", (0, 0, 0)), "Spine": ("Hips", (0, 20, 0)), "Neck": ("Spine", (0, 30, 0))}
    joints |= {"Head": ("Neck", (0, 10, 0))}
    for side, sign in (("Left", 1), ("Right", -1)):
        joints |= {f"{side}UpLeg": ("Hips", (sign * 10, 0, 0)), f"{side}Leg": (f"{side}UpLeg", (0, -45, 0))}
        joints |= {f"{side}Foot": (f"{side}Leg", (0, -40, 0)), f"{side}Shoulder": ("Spine", (sign * 2, 25, 0))}
        joints |= {f"{side}Arm": (f"{side}Shoulder", (sign * 15, 0, 0))}
        joints |= {
            f"{side}ForeArm": (f"{side}Arm", (sign * 30, 0, 0)),
            f"{side}Hand": (f"{side}ForeArm", (sign * 25, 0, 0)),
        }
    return joints


def renamed(joints: Joints, names: Mapping[str, str]) -> Joints:
    """The figure with other names."""
    spell = {"": ""} | {name: names.get(name, name) for name in joints}
    return {spell[name]: (spell[parent], offset) for name, (parent, offset) in joints.items()}


def resting_along_x(joints: Joints) -> dict[str, np.ndarray]:
    """World rotation of each joint of the pose in a skeleton whose bones rest along x where a joint has one child."""
    children = {name: [offset for parent, offset in joints.values() if parent == name] for name in joints}
    lying = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    along = {
        name: Rotation.align_vectors([offsets[0]], [[1, 0, 0]])[0].as_matrix()
        for name, offsets in children.items()
        if len(offsets) == 1 and np.any(offsets[0])
    }
    return {name: along.get(name, lying) for name in joints}


def zxy(rotation: np.ndarray) -> np.ndarray:
    """Euler angles (3,) in degrees, about z first."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gimbal lock")  # any of the equal angles will do
        return Rotation.from_matrix(rotation).as_euler("ZXY", degrees=True)


def bvh(
    joints: Joints,
    frames: Sequence[str] = ("0 85 0 0 0 0",),
    *,
    scale: float = 1.0,
    rest: Mapping[str, np.ndarray] | None = None,
) -> str:
    """A BVH whose figure keeps its pose.

    Args:
        joints: The pose.
        frames: Place of the root, and how it is turned (ZXY, degrees), in each frame.
        scale: Factor on the pose's lengths, not on the root's place.
        rest: World rotation of each joint in the pose, against the rest pose; the pose is the rest pose when None.
    """
    rest = {"": np.eye(3)} | dict(rest or dict.fromkeys(joints, np.eye(3)))
    root = next(name for name, (parent, _) in joints.items() if not parent)
    angles: list[float] = []

    def lines(name: str) -> list[str]:
        parent, offset = joints[name]
        local = (rest[parent].T @ offset) * scale
        found = [f"{'JOINT' if parent else 'ROOT'} {name}", "{", f"OFFSET {' '.join(f'{x:.8f}' for x in local)}"]
        found += [f"CHANNELS {'3' if parent else '6 Xposition Yposition Zposition'} Zrotation Xrotation Yrotation"]
        if parent:
            angles.extend(zxy(rest[parent].T @ rest[name]))
        for child, (above, _) in joints.items():
            found += lines(child) if above == name else []
        return [*found, "}"]

    text = ["HIERARCHY", *lines(root), "MOTION", f"Frames: {len(frames)}", "Frame Time: 0.02"]
    for frame in frames:
        *place, z, x, y = frame.split()
        turned = Rotation.from_euler("ZXY", [float(z), float(x), float(y)], degrees=True).as_matrix() @ rest[root]
        numbers = [*zxy(turned), *angles]
        text.append(" ".join([*place, *(f"{number:.8f}" for number in numbers)]))
    return "\n".join([*text, ""])
