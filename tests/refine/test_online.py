"""The world of a stream: it converges to that of a clip, holds, and says when the camera was moved."""

import logging
from dataclasses import replace

import numpy as np
import pytest

import poselift as pl
from poselift.errors import FormatError, ShapeError
from poselift.geometry.camera import Camera
from poselift.refine.gravity import Ground
from poselift.refine.locks import FootLocks
from poselift.refine.online import MOVED, OnlineRoom, WorldOptions
from poselift.refine.root import RootFilter, Sight
from poselift.sequence import CAMERA
from poselift.skeleton import BODY_27

SIZE, FPS = (1000, 1000), 50.0


def camera(pitch_deg=15.0, height_m=1.5):
    """A camera that looks down, at a height above the floor z = 0, along y."""
    pitch = np.deg2rad(pitch_deg)
    R = np.array([[1, 0, 0], [0, -np.sin(pitch), -np.cos(pitch)], [0, np.cos(pitch), -np.sin(pitch)]])
    K = Camera.from_focal(1000.0, SIZE).K
    return Camera(R, -R @ np.array([0, 0, height_m]), K, image_size=SIZE)


def walker(frames):
    """(T, 27, 3) metres: somebody who walks to the right, feet planted in turn, and (T, 4) contacts."""
    height = {
        "pelvis": 0.95, "hip": 0.93, "knee": 0.5, "ankle": 0.09, "heel": 0.005, "toe": 0.005, "spine": 1.2,
        "thorax": 1.45, "neck": 1.5, "head_top": 1.75, "head": 1.65, "nose": 1.6, "eye": 1.63, "ear": 1.62,
        "shoulder": 1.42, "elbow": 1.15, "wrist": 0.9,
    }  # fmt: skip
    body = np.zeros((27, 3))
    for joint, name in enumerate(BODY_27.joints):
        key = next(k for k in sorted(height, key=len, reverse=True) if name.endswith(k))
        body[joint] = [0.0, -0.1 if "toe" in name else 0.0, height[key]]
        body[joint, 0] += 0.12 * name.startswith("left") - 0.12 * name.startswith("right")
    times = np.arange(frames) / FPS
    xyz = np.repeat(body[None], frames, 0)
    xyz[..., 0] += 0.6 * times[:, None] - 1.5
    xyz[..., 1] += 4.0
    contact = np.zeros((frames, 4))
    for side, phase in (("left", 0.0), ("right", 0.5)):
        cycle = (times + phase) % 1.0
        stands = cycle < 0.5
        foot = [j for j, n in enumerate(BODY_27.joints) if n.startswith(side) and n.endswith(("ankle", "heel", "toe"))]
        shift = np.where(stands, 0.15 - 0.6 * cycle, -0.15 + 0.6 * (cycle - 0.5))
        lift = np.where(stands, 0.0, 0.1 * np.sin((cycle - 0.5) * 2 * np.pi))
        xyz[:, foot, 0] += shift[:, None]
        xyz[:, foot, 2] += lift[:, None]
        contact[:, [0, 1] if side == "left" else [2, 3]] = stands[:, None]
    return xyz, contact


def seen(frames, view=None, noise=0.0, seed=0, scale=1.0):
    """Poses of one frame each in camera axes, and keypoints with the person's place, of somebody who walks."""
    view, rng = view or camera(), np.random.default_rng(seed)
    xyz, contact = walker(frames)
    there, up = view.to_camera(xyz), view.R[:, 2]
    pixels = view.pixels(there) + rng.normal(0, 1, (frames, 27, 2)) * (noise > 0)
    lifted = scale * (there - there[:, :1]) + rng.normal(0, 1, there.shape) * noise
    lifted -= lifted[:, :1]
    for t in range(frames):
        poses = pl.Poses3D(
            lifted[t, None], BODY_27, FPS, CAMERA, observed=np.ones((1, 27)), gap=np.zeros(1, bool),
            spread=np.full((1, 27), 0.05), up=up[None], contact=contact[t, None], start_s=t / FPS,
        )  # fmt: skip
        yield poses, np.concatenate([pixels[t], np.ones((27, 1))], 1), pixels[t, 0]


def placed(room, frames, **how):
    return [room.place(*one) for one in seen(frames, **how)]


OPTIONS = WorldOptions(height_m=1.75, focal_px=1000.0)


def test_the_root_is_found_from_a_frame_and_followed():
    view = camera()
    xyz, contact = walker(100)
    there = view.to_camera(xyz)
    follow = RootFilter(view.K)
    feet = list(BODY_27.indices(("left_heel", "left_big_toe", "right_heel", "right_big_toe")))
    for t in range(100):
        joints = there[t] - there[t, 0]
        sight = Sight(
            joints, view.pixels(there[t]), np.ones(27), np.full(27, 0.05), joints[feet], contact[t], np.zeros(4)
        )
        root = follow.step(sight, t / FPS, view.R[:, 2], None)
        assert np.linalg.norm(root - there[t, 0]) < 0.02
    blind = replace(sight, confidence=np.zeros(27))
    later = [follow.step(blind, 2 + t / FPS, view.R[:, 2], None) for t in range(10)]
    assert np.linalg.norm(later[-1] - there[99, 0]) < 0.3  # it goes on as it went
    follow.scaled(2.0)
    assert np.linalg.norm(follow.step(blind, 2.2, view.R[:, 2], None)) == pytest.approx(
        2 * np.linalg.norm(later[-1]), rel=0.02
    )


def test_up_floor_and_size_converge_and_then_hold():
    room = OnlineRoom(OPTIONS, SIZE)
    people = placed(room, 560, noise=0.01, scale=0.9)
    assert room.settled and room.restarts == 0
    up = camera().R[:, 2]
    assert np.rad2deg(np.arccos(room.ground.up @ up)) < 1.0
    assert -room.ground.height == pytest.approx(1.5, abs=0.08)
    last = people[-1]
    assert last.frame == "world" and len(last.path) == 1
    true, _ = walker(560)
    absolute = np.stack([pose.xyz[0] + pose.path[0] for pose in people]).astype(float)
    assert absolute[200:, :, 2].min() > -0.01  # nothing under the floor
    assert np.abs(absolute[300:, 0, 2] - true[300:, 0, 2]).mean() < 0.05
    went, wanted = absolute[550, 0] - absolute[300, 0], true[550, 0] - true[300, 0]
    assert np.linalg.norm(went) == pytest.approx(np.linalg.norm(wanted), rel=0.05)
    lengths = [
        np.linalg.norm(pose.xyz[0, BODY_27.index("left_knee")] - pose.xyz[0, BODY_27.index("left_hip")])
        for pose in people[-50:]
    ]
    assert np.mean(lengths) == pytest.approx(0.43, rel=0.05)  # at the height that was given, not 0.9 of it
    held = room.ground
    again = [room.place(replace(p, start_s=p.start_s + 11.2), k, at) for p, k, at in seen(60)]
    assert room.ground is held and again[-1].camera is last.camera


def test_planted_feet_stay_and_nobody_jumps():
    room = OnlineRoom(OPTIONS, SIZE)
    people = placed(room, 300, noise=0.008)
    feet = list(BODY_27.indices(("left_heel", "left_big_toe", "right_heel", "right_big_toe")))
    _, contact = walker(300)
    absolute = np.stack([pose.xyz[0] + pose.path[0] for pose in people])
    steps = np.linalg.norm(np.diff(absolute, axis=0), axis=-1)
    stands = (contact[1:] == 1) & (contact[:-1] == 1)
    inside = stands.copy()
    inside[4:] &= stands[:-4]  # away from where a foot comes down
    assert np.median(steps[100:, feet][inside[100:]]) < 0.001
    free = np.linalg.norm(np.diff(np.stack([p.xyz[0] for p, _, _ in seen(300, noise=0.008)]), axis=0), axis=-1)
    assert steps[100:, feet].max() < 1.5 * free[100:, feet].max()
    assert steps[10:, 0].max() < 0.1


def test_a_camera_that_was_moved_is_noticed_and_said(caplog):
    room = OnlineRoom(OPTIONS, SIZE)
    placed(room, 520)
    assert room.settled
    with caplog.at_level(logging.WARNING):
        for poses, keypoints, place in seen(420, view=camera(pitch_deg=45.0, height_m=3.0)):
            room.place(replace(poses, start_s=poses.start_s + 10.5), keypoints, place)
    assert room.restarts == 1 and MOVED in caplog.text
    assert np.rad2deg(np.arccos(room.ground.up @ camera(45.0).R[:, 2])) < 2.0


def test_people_share_a_floor_and_memory_is_constant():
    room = OnlineRoom(OPTIONS, SIZE)
    for poses, keypoints, place in seen(150):
        one, other = room.place(poses, keypoints, place, 0), room.place(poses, keypoints, place, 1)
        assert one.camera is other.camera
        np.testing.assert_allclose(one.path, other.path, atol=2e-3)
    assert len(room._samples) <= 400
    room.forget(1)
    assert list(room._walkers) == [0]


def test_given_angles_are_kept():
    room = OnlineRoom(replace(OPTIONS, pitch_deg=10.0, roll_deg=0.0), SIZE)
    placed(room, 60)
    pitch = np.rad2deg(np.arcsin(-room.ground.up[2]))
    assert pitch == pytest.approx(10.0, abs=1e-6)
    assert isinstance(room.ground, Ground)


def test_feet_of_other_skeletons_are_left_alone():
    joints = np.random.default_rng(0).normal(size=(17, 3))
    locks = FootLocks(pl.H36M_17)
    assert locks(joints, np.ones(4), 0.0) is joints


def test_what_is_not_known_is_said():
    assert len(OnlineRoom(WorldOptions(), SIZE).guesses) == 2
    assert not OnlineRoom(OPTIONS, SIZE).guesses
    with pytest.raises(ShapeError, match="height"):
        WorldOptions(height_m=9.0)
    with pytest.raises(ShapeError, match="pitch_deg"):
        WorldOptions(pitch_deg=200.0)
    with pytest.raises(FormatError, match="picture's size"):
        pl.LiveLifter(world=True)
