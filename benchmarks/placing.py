"""Measure how well people are placed in the world: motion capture, the real recording, two people, and speed.

Usage: python benchmarks/placing.py DATA [--views N] [--every N] [--lifter NAME] [--only PART ...]

DATA is the folder with mocap27.npz and pose2sim_cams_1_3.npz. Parts: noise, detector, unknown, bones, recording, pair,
speed.
The simulated detector needs the lab extra. Every line is printed as it is found.
"""

import argparse
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

import poselift as pl
from poselift.datasets.clip import MocapClip
from poselift.datasets.mocap import load_mocap
from poselift.formats.archive import read_archive
from poselift.geometry.camera import Camera
from poselift.measure.mocap import MocapProtocol, clip_cameras
from poselift.measure.placing import WorldProtocol, evaluate_world, height_of, true_height
from poselift.measure.world import along_and_across
from poselift.refine.bones import bone_lengths
from poselift.refine.scale import sized
from poselift.refine.smooth import smooth_joints
from poselift.skeleton import BODY_25B, BODY_27, H36M_17

PARTS = ("noise", "detector", "unknown", "bones", "recording", "pair", "speed")
RECORDED_HEIGHT_M = 1.66
"""Height of the person in the recording, which nobody wrote down: the triangulated thighs and shanks have 0.815 m, and
are 49.1 % of stature (Winter, Biomechanics and Motor Control of Human Movement)."""


def say(name: str, values: dict[str, float]) -> None:
    """Print one line."""
    print(f"{name:34}", "  ".join(f"{key} {value:.2f}" for key, value in values.items()), flush=True)


def recording(lifter: pl.Lifter, path: Path) -> None:
    """Place the person of the real recording, from each camera, with the true focal length and height."""
    data = read_archive(path)
    size = tuple(int(side) for side in data["image_wh"])
    truth, valid = np.asarray(data["X3d17"], np.float64), np.asarray(data["valid"], bool)
    hips = valid[:, [H36M_17.index("left_hip"), H36M_17.index("right_hip")]].all(1)
    ankles = truth[:, H36M_17.indices(("left_ankle", "right_ankle")), 2]
    floor = (
        np.nanpercentile(np.where(valid[:, H36M_17.indices(("left_ankle", "right_ankle"))], ankles, np.nan), 5) - 0.08
    )
    for number, name in enumerate(np.asarray(data["cameras"]).tolist()):
        K, R, t, dist = (np.asarray(data[key][number], np.float64) for key in ("K", "R", "t", "dist"))
        seen = np.asarray(data["kp2d_body25b"][number])
        keypoints = pl.Keypoints2D(seen[..., :2], seen[..., 2], BODY_25B, float(data["fps"]), size)
        camera = Camera(np.eye(3), np.zeros(3), K, dist, image_size=size)
        poses = pl.lift(keypoints, lifter, frame="camera", camera=camera, check=False)
        scene = pl.place([(keypoints, poses)], height_m=RECORDED_HEIGHT_M, still=True)
        found = scene.camera.to_camera(scene.people[0].absolute().astype(np.float64))
        true = Camera(R, t, K).to_camera(truth)
        along, across = along_and_across(found[hips, 0], true[hips, 0])
        up = np.rad2deg(np.arccos((scene.camera.R[:, 2] @ R[:, 2]).clip(-1, 1)))
        height = float(np.median(scene.people[0].path[hips, 2] - (truth[hips, 0, 2] - floor)))
        values = {"up deg": up, "across mm": 1000 * np.median(across), "along mm": 1000 * np.median(along)}
        away = np.median(np.linalg.norm(true[hips, 0], axis=1))
        values |= {"depth %": 100 * np.median(along) / away, "distance m": away, "pelvis height mm": 1000 * height}
        say(f"recording, camera {name}", values)


def bones(lifter: pl.Lifter, clips: list[MocapClip], detector: object, cameras: int) -> None:
    """Compare the size of bodies whose thighs and shanks are known, or nothing, with the true one."""
    off: dict[str, list[float]] = {"thigh and shank": [], "thigh alone": [], "nothing": []}
    for clip in clips:
        body = clip.in_joints(H36M_17)
        lengths = bone_lengths(pl.Poses3D(body.xyz - body.xyz[:, :1], H36M_17, clip.fps))
        known = {"thigh": lengths[H36M_17.index("left_knee")], "shank": lengths[H36M_17.index("left_ankle")]}
        for camera in clip_cameras(body, MocapProtocol(cameras=cameras)):
            keypoints = detector(camera.to_camera(clip.xyz), clip.fps, zlib.crc32(clip.name.encode()))
            poses, _ = smooth_joints(pl.lift(keypoints, lifter, check=False))
            for name, count in (("thigh and shank", 2), ("thigh alone", 1), ("nothing", 0)):
                sizes, _ = sized(poses, None, dict([*known.items()][:count]))
                off[name].append(100 * abs(height_of(sizes) / true_height(body) - 1))
    for name, errors in off.items():
        values = {"scale error %, median": np.median(errors), "95 %": np.percentile(errors, 95), "most": max(errors)}
        say(f"bones known: {name}", values)


def pair(lifter: pl.Lifter, clips: list[MocapClip], detector: object) -> None:
    """Place two clips of different people in one built scene, and compare the distance of their pelvises."""
    long = [clip for clip in clips if len(clip) >= 300]
    errors, signed = [], []
    for index in range(len(long) - 1):
        first, second = long[index].first(300), long[-1 - index].first(300)
        if first.name == second.name:
            continue
        stand = first.xyz[:, 0].mean(0) * (1, 1, 0)
        other = second.xyz - second.xyz[:, :1].mean(0) * (1, 1, 0) + stand + (1.5, 1.0, 0)
        second = replace(second, xyz=other.astype(np.float32))
        camera = clip_cameras(first.in_joints(H36M_17), MocapProtocol(distance=(4.5, 6.0)))[index % 4]
        people = []
        for clip in (first, second):
            seed = zlib.crc32(clip.name.encode())
            keypoints = detector(camera.to_camera(clip.xyz), clip.fps, seed)
            own = Camera.from_focal(1000.0, (1000, 1000))
            people.append((keypoints, pl.lift(keypoints, lifter, frame="camera", camera=own, check=False)))
        heights = [true_height(clip.in_joints(H36M_17)) for clip in (first, second)]
        scene = pl.place(people, height_m=heights, still=True)
        found = np.linalg.norm(scene.people[0].path - scene.people[1].path, axis=1)
        true = np.linalg.norm(first.xyz[:, 0] - second.xyz[:, 0], axis=1)
        errors.append(100 * np.median(np.abs(found / true - 1)))
        signed.append(100 * np.median(found / true - 1))
    say(f"pair, {len(errors)} scenes", {"distance error %": np.median(errors), "90 %": np.percentile(errors, 90),
                                        "signed %": np.median(signed)})  # fmt: skip


def speed(lifter: pl.Lifter, clips: list[MocapClip]) -> None:
    """Time the placing of 10,000 frames and of 2,500."""
    clip = max((clip for clip in clips if clip.skeleton == BODY_27), key=len)
    camera = clip_cameras(clip.in_joints(H36M_17), MocapProtocol())[0]
    own = Camera.from_focal(1000.0, (1000, 1000))
    for frames in (2500, 10000):
        there = np.concatenate([clip.xyz, clip.xyz[::-1]] * (frames // len(clip) + 1))[:frames]
        xy = camera.project(there) + np.random.default_rng(0).normal(0, 4, (*there.shape[:2], 2))
        keypoints = pl.Keypoints2D(xy, None, BODY_27, clip.fps, (1000, 1000))
        poses = pl.lift(keypoints, lifter, frame="camera", camera=own, check=False)
        start, used = time.perf_counter(), time.process_time()
        pl.place([(keypoints, poses)], height_m=1.7, still=True)
        say(f"speed, {frames} frames", {"s": time.perf_counter() - start, "CPU s": time.process_time() - used})


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--lifter", default="nanohtnet.mocap27-243")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    args = parser.parse_args()
    lifter, clips = pl.load_lifter(args.lifter), load_mocap(args.data / "mocap27.npz", split="dev")
    views, detector = MocapProtocol(cameras=args.views, every=args.every), None
    if {"detector", "unknown", "bones", "pair"} & {*args.only}:
        from poselift.lab.observe.detector import SimulatedDetector

        detector = SimulatedDetector()
    if "noise" in args.only:
        say("noise of 4 px", evaluate_world(lifter, clips, WorldProtocol(views=views, noise_px=4)).mean)
    if "detector" in args.only:
        say("detector", evaluate_world(lifter, clips, WorldProtocol(views=views), observe=detector).mean)
    if "unknown" in args.only:
        for height, focal in (("unknown", "given"), ("given", "unknown"), ("unknown", "unknown")):
            protocol = WorldProtocol(views=views, height=height, focal=focal)
            found = evaluate_world(lifter, clips, protocol, observe=detector).mean
            say(f"height {height}, focal {focal}", found)
    if "bones" in args.only:
        bones(lifter, clips[:: args.every], detector, args.views)
    if "recording" in args.only:
        recording(lifter, args.data / "pose2sim_cams_1_3.npz")
    if "pair" in args.only:
        pair(lifter, clips, detector)
    if "speed" in args.only:
        speed(lifter, clips)


if __name__ == "__main__":
    main()
