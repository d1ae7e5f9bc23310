"""A person of constant bones who turns every joint at random, with the truth about it."""

import numpy as np
from scipy.spatial.transform import Rotation

from poselift.sequence import Poses3D
from poselift.skeleton import H36M_17, Skeleton

FACE = {
    "nose": (0, -0.018, 0.04), "head_top": (0, 0.093, 0.005), "left_eye": (0.032, 0.018, 0.01),
    "left_ear": (0.075, 0, -0.07),
}  # fmt: skip
"""Places in the head's frame. The eyes are as far above the ears as the nose is below."""
FOOT = {"big_toe": (-0.02, -0.07, 0.17), "small_toe": (0.05, -0.07, 0.13), "heel": (0.0, -0.07, -0.05)}


def turns(rng: np.random.Generator, frames: int, degrees: float) -> np.ndarray:
    """(T, 3, 3) rotations that change smoothly, each up to about `degrees` about some axis."""
    t = np.arange(frames)[:, None] / 25
    waves = np.sin(2 * np.pi * rng.uniform(0.1, 0.6, 3) * t + rng.uniform(0, 2 * np.pi, 3))
    return Rotation.from_rotvec(np.radians(degrees) * waves * rng.uniform(0.4, 0.8, 3)).as_matrix()


def acrobat(
    seed: int = 0, frames: int = 60, skeleton: Skeleton = H36M_17, fps: float = 50.0, path: np.ndarray | None = None
) -> tuple[Poses3D, dict[str, np.ndarray]]:
    """Poses in camera axes, and the world rotations (T, 3, 3) of the segments in axes with y up.

    Elbows and knees are hinges, bent by 25 to 115 degrees.
    """
    rng = np.random.default_rng(seed)
    at, frame = {"pelvis": np.zeros((frames, 3))}, {"pelvis": turns(rng, frames, 60)}
    size = rng.uniform(0.9, 1.1)

    def put(name: str, start: str, segment: str, offset: tuple[float, ...] | np.ndarray) -> None:
        at[name] = at[start] + frame[segment] @ (size * np.array(offset))

    put("spine", "pelvis", "pelvis", (0, 0.22, 0))
    frame["chest"] = frame["pelvis"] @ turns(rng, frames, 30)
    put("thorax", "spine", "chest", (0, 0.25, 0))
    frame["head"] = frame["chest"] @ turns(rng, frames, 35)
    at["skull"] = at["thorax"] + frame["head"] @ (size * np.array([0, 0.11, 0]))
    for name, place in FACE.items():
        put(name, "skull", "head", place)
        if name.startswith("left"):
            put("right" + name[4:], "skull", "head", np.multiply(place, (-1, 1, 1)))
    for side, sign in (("left", 1), ("right", -1)):
        for start, begin, rest, hinge, joints, base in (
            ("thorax", (0.17 * sign, 0, 0), (sign, 0, 0), (0, -sign, 0), ("shoulder", "elbow", "wrist"), "chest"),
            ("pelvis", (0.1 * sign, 0, 0), (0, -1, 0), (1, 0, 0), ("hip", "knee", "ankle"), "pelvis"),
        ):
            upper, lower = ("upper_arm", "lower_arm") if joints[0] == "shoulder" else ("upper_leg", "lower_leg")
            put(f"{side}_{joints[0]}", start, base, begin)
            frame[f"{side}_{upper}"] = frame[base] @ turns(rng, frames, 60)
            bend = np.radians(70 + 45 * np.sin(np.arange(frames) / 9 + rng.uniform(0, 6)))
            bent = Rotation.from_rotvec(bend[:, None] * np.array(hinge)).as_matrix()
            frame[f"{side}_{lower}"] = frame[f"{side}_{upper}"] @ bent
            put(f"{side}_{joints[1]}", f"{side}_{joints[0]}", f"{side}_{upper}", np.multiply(rest, 0.35))
            put(f"{side}_{joints[2]}", f"{side}_{joints[1]}", f"{side}_{lower}", np.multiply(rest, 0.3))
        frame[f"{side}_foot"] = frame[f"{side}_lower_leg"] @ turns(rng, frames, 25)
        for name, place in FOOT.items():
            put(f"{side}_{name}", f"{side}_ankle", f"{side}_foot", np.multiply(place, (sign, 1, 1)))
    xyz = np.stack([at[name] for name in skeleton.joints], axis=1) * (1, -1, -1)
    return Poses3D(xyz, skeleton, fps, path=path), frame
