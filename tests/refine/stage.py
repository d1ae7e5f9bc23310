"""People of `BODY_27` who walk through a world before a camera at rest: what is true, and what a lifter would give."""

from dataclasses import dataclass, replace

import numpy as np

from poselift.geometry.camera import Camera, look_at
from poselift.geometry.rotation import shortest_arc
from poselift.sequence import CAMERA, TURNED_CAMERA, Keypoints2D, Poses3D
from poselift.skeleton import BODY_27

FPS = 30.0
_STANCE_S, _STEP_S = 0.6, 0.4
_THIGH = _SHANK = 0.44


def walking(
    seconds: float = 3.0,
    ahead: tuple[float, float] = (1.0, 0.0),
    speed: float = 1.0,
    start: tuple[float, float] = (0, 0),
) -> tuple[np.ndarray, np.ndarray]:
    """Joints (T, 27, 3) metres in a world with z up, and contacts (T, 4); feet stand exactly, then step.

    Args:
        seconds: How long.
        ahead: Direction on the ground.
        speed: m/s; 0 to stand.
        start: First place on the ground.
    """
    times = np.arange(round(seconds * FPS)) / FPS
    forward = np.array([*ahead, 0.0]) / np.linalg.norm(ahead)
    left = np.array([-forward[1], forward[0], 0])
    up = np.array([0, 0, 1.0])
    root = np.array([*start, 0.88]) + times[:, None] * speed * forward
    place = {"pelvis": 0 * root, "spine": 0.25 * up, "thorax": 0.5 * up, "nose": 0.68 * up + 0.08 * forward}
    place |= {"head_top": 0.82 * up}
    contact = np.zeros((len(times), 4))
    joints = {name: root + offset for name, offset in place.items()}
    for number, side in enumerate(("left", "right")):
        out = left * (1 - 2 * number)
        for name, offset in {
            "hip": 0.12 * out, "shoulder": 0.18 * out + 0.48 * up, "elbow": 0.25 * out + 0.2 * up,
            "wrist": 0.25 * out + 0.2 * forward, "eye": 0.03 * out + 0.72 * up + 0.07 * forward,
            "ear": 0.07 * out + 0.7 * up,
        }.items():  # fmt: skip
            joints[f"{side}_{name}"] = root + offset
        cycle = (times + number * 0.5 * (_STANCE_S + _STEP_S)) / (_STANCE_S + _STEP_S)
        share = ((cycle % 1) - _STANCE_S / (_STANCE_S + _STEP_S)).clip(0) * (_STANCE_S + _STEP_S) / _STEP_S
        stride = speed * (_STANCE_S + _STEP_S)
        gone = (np.floor(cycle) + (1 - np.cos(np.pi * share)) / 2) * stride - number * 0.5 * stride + 0.3 * stride
        ankle = (
            np.array([*start, 0.08]) + gone[:, None] * forward + 0.12 * out + 0.12 * np.sin(np.pi * share)[:, None] * up
        )
        if speed == 0:
            ankle, share = np.tile(np.array([*start, 0.08]) + 0.12 * out, (len(times), 1)), 0 * share
        hip = joints[f"{side}_hip"]
        leg = ankle - hip
        length = np.linalg.norm(leg, axis=1, keepdims=True).clip(max=_THIGH + _SHANK - 1e-6)
        bend = np.cross(left, leg)
        bend *= -np.sign((bend @ forward)[:, None]) / np.linalg.norm(bend, axis=1, keepdims=True)
        joints[f"{side}_knee"] = hip + leg / 2 - bend * np.sqrt(_THIGH**2 - (length / 2) ** 2)
        joints[f"{side}_ankle"] = ankle
        joints[f"{side}_heel"] = ankle - 0.05 * forward - 0.075 * up
        joints[f"{side}_big_toe"] = ankle + 0.15 * forward - 0.075 * up - 0.01 * out
        joints[f"{side}_small_toe"] = ankle + 0.13 * forward - 0.075 * up + 0.05 * out
        contact[:, 2 * number : 2 * number + 2] = (share == 0)[:, None]
    return np.stack([joints[name] for name in BODY_27.joints], 1), contact


def camera_at(
    position: tuple[float, float, float] = (1.0, -5.0, 1.6),
    target: tuple[float, float, float] = (1.0, 0, 1.0),
    focal: float = 1000.0,
    roll_deg: float = 0.0,
) -> Camera:
    """A camera of 1280 by 720 pixels."""
    R, t = look_at(np.array(position), np.array(target), np.deg2rad(roll_deg))
    return Camera(R, t, Camera.from_focal(focal, (1280, 720)).K, image_size=(1280, 720))


@dataclass(frozen=True)
class Actor:
    """One person: what is true, what is seen, and what was lifted."""

    xyz: np.ndarray
    keypoints: Keypoints2D
    poses: Poses3D

    @property
    def pair(self) -> tuple[Keypoints2D, Poses3D]:
        """What `place` takes."""
        return self.keypoints, self.poses


def seen(
    xyz: np.ndarray,
    contact: np.ndarray,
    camera: Camera,
    *,
    noise_px: float = 1.0,
    up_error_deg: float = 2.0,
    frame: str = CAMERA,
    scale: float = 1.0,
    seed: int = 0,
) -> Actor:
    """See joints (T, 27, 3) of the world as a camera does, and lift them nearly well, `scale` times too large."""
    rng = np.random.default_rng(seed)
    there = camera.to_camera(xyz)
    pixels = camera.pixels(there) + rng.normal(0, noise_px, (*there.shape[:2], 2))
    keypoints = Keypoints2D(pixels, None, BODY_27, FPS, camera.image_size)
    joints = scale * (there - there[:, :1]) + rng.normal(0, 0.01, there.shape)
    joints[:, 0] = 0
    up = camera.R[:, 2] + np.deg2rad(up_error_deg) * rng.normal(0, 1, (len(xyz), 3))
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    own = Camera(np.eye(3), np.zeros(3), camera.K, image_size=camera.image_size)
    spread = np.full(there.shape[:2], 0.05)
    spread[:, 0] = 0
    poses = Poses3D(
        joints, BODY_27, FPS, camera=own, spread=spread, up=up, contact=contact, observed=np.ones_like(spread)
    )
    if frame == TURNED_CAMERA:
        turn = shortest_arc(np.array([0.0, 0, 1]), there[:, 0])
        poses = replace(
            poses, xyz=poses.xyz @ turn, up=(poses.up[:, None] @ turn)[:, 0], frame=TURNED_CAMERA, camera=None
        )
    return Actor(xyz, keypoints, poses)
