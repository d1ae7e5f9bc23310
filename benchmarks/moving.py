"""Measure how often a camera that moves is noticed, and one at rest is taken to move.

Usage: python benchmarks/moving.py feet mocap27.npz [--every 2]      by planted feet, from keypoints alone
       python benchmarks/moving.py video VIDEO ...                   by the background; videos of cameras at rest

Clips of motion capture (split dev, up to 20 s) are seen by virtual cameras that rest, tremble, pan or go along, through
the simulated detector (lab extra). Videos are cut to a window of 70 % that rests, trembles, or pans over the picture.
"""

import argparse
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

import poselift as pl
from poselift.datasets.mocap import load_mocap
from poselift.detect.background import Background
from poselift.detect.people import open_detector
from poselift.detect.video import read_frames
from poselift.footage import MOVED, Footage
from poselift.geometry.camera import Camera
from poselift.measure.mocap import MocapProtocol, clip_cameras
from poselift.prepare.repair import without_log

PERIOD_S = 4.0
"""Seconds of one pan there and back."""
MOTIONS = (
    "rests",
    "trembles 0.5",
    "pans 3",
    "pans 8",
    "pans 15",
    "turns 3",
    "turns 8",
    "follows",
    "goes 0.3",
    "goes 0.6",
)
"""Degrees of trembling (standard deviation) and pans (amplitude); degrees a second; largest speed in m/s, sideways."""
WINDOWS = (("rests", 0.0), ("rests, noise", 0.0), ("trembles", 0.003), ("pans", 0.03), ("pans", 0.1), ("goes on", 0.05))
"""Shares of the longer side: standard deviation of trembling, amplitude of pans, way a second."""
WINDOW = 0.7


def turned(there: np.ndarray, axis: int, angle: np.ndarray) -> np.ndarray:
    """Return points (T, J, 3) before a camera that is turned by (T,) radians about one of its axes."""
    one, two = [(1, 2), (2, 0), (0, 1)][axis]
    found, cos, sin = there.copy(), np.cos(angle)[:, None], np.sin(angle)[:, None]
    found[..., one] = cos * there[..., one] - sin * there[..., two]
    found[..., two] = sin * there[..., one] + cos * there[..., two]
    return found


def filmed(there: np.ndarray, fps: float, motion: str) -> np.ndarray:
    """Return joints (T, J, 3) of a resting camera's axes in those of one that moves."""
    kind, _, size = motion.partition(" ")
    times, wave = np.arange(len(there)) / fps, np.sin(2 * np.pi * np.arange(len(there)) / fps / PERIOD_S)
    if kind == "trembles":
        noise = gaussian_filter1d(np.random.default_rng(0).normal(size=(2, len(there))), 0.3 * fps, mode="nearest")
        noise *= np.deg2rad(float(size)) / noise.std(1, keepdims=True)
        return turned(turned(there, 0, noise[0]), 1, noise[1])
    if kind == "pans":
        return turned(there, 1, np.deg2rad(float(size)) * wave)
    if kind == "turns":
        return turned(there, 1, np.deg2rad(float(size)) * (times - times.mean()))
    if kind == "follows":
        pelvis = gaussian_filter1d(there[:, 0], 0.25 * fps, axis=0, mode="nearest")
        return turned(there, 1, -np.arctan2(pelvis[:, 0], pelvis[:, 2]))
    if kind == "goes":
        return there - np.outer(float(size) * PERIOD_S / (2 * np.pi) * wave, [1, 0, 0])[:, None]
    return there


def by_feet(path: str, every: int) -> None:
    """Print for each motion how many clips are said to be of a moving camera."""
    from poselift.lab.observe.detector import SimulatedDetector

    lifter, own = pl.load_lifter("nanohtnet.mocap27-243"), Camera.from_focal(1000.0, (1000, 1000))
    found: dict[str, list[bool]] = {}
    for clip in load_mocap(path, split="dev")[::every]:
        clip = clip.first(round(20 * clip.fps))
        for number, camera in enumerate(clip_cameras(clip.in_joints(pl.H36M_17), MocapProtocol())):
            for motion in MOTIONS if number == 0 else MOTIONS[:1]:
                there = filmed(camera.to_camera(clip.xyz).astype(np.float64), clip.fps, motion)
                seed = zlib.crc32(f"{number} {clip.name}".encode())
                keypoints = SimulatedDetector()(there.astype(np.float32), clip.fps, seed)
                with without_log():
                    poses = pl.lift(keypoints, lifter, frame="camera", camera=own, check=False)
                (person,) = pl.place([(keypoints, poses)]).people
                found.setdefault(motion, []).append(person.path is None)
    for motion, said in found.items():
        print(f"{motion:14} moving: {sum(said)} of {len(said)}", flush=True)


def windows(frames: list, kind: str, size: float) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Yield times, pictures cut to a window that moves, and the people in it."""
    rng = np.random.default_rng(0)
    sides = np.array(frames[0][1].shape[1::-1])
    small = (WINDOW * sides).astype(int)
    for time_s, rgb, people in frames:
        away = {"trembles": size * rng.normal(size=2), "goes on": np.array([size * time_s, 0])}.get(kind, np.zeros(2))
        if kind == "pans":
            away = np.array([size * np.sin(2 * np.pi * time_s / PERIOD_S), 0])
        x, y = np.clip((sides - small) / 2 + away * sides.max(), 0, sides - small).astype(int)
        cut = rgb[y : y + small[1], x : x + small[0]]
        if "noise" in kind:
            cut = np.clip(cut + rng.normal(0, 10, cut.shape), 0, 255).astype(np.uint8)
        yield time_s, cut, people - np.array([x, y, 0], np.float32)


def by_background(path: str, most: int = 150) -> None:
    """Print how far the background goes, in the video and in windows that move over it, and what it costs."""
    detector, frames, used = open_detector(), [], time.process_time()
    for time_s, rgb in read_frames(path, longest_side=1920):
        frames.append((time_s, rgb, detector(rgb, time_s)))
        if len(frames) == most:
            break
    detecting, background = time.process_time() - used, Background()
    used = time.process_time()
    for frame in frames:
        background.add(*frame)
    share = (time.process_time() - used) / detecting
    print(f"{path}: moved {background.moved}, cost {100 * share:.1f} % of decoding and detecting", flush=True)
    for kind, size in WINDOWS:
        background = Background()
        for frame in windows(frames, kind, size):
            background.add(*frame)
        moves = replace(Footage(), moved=background.moved).moves
        print(f"  {kind} {size:g}: {background.moved} ({'moves' if moves else 'rests'}, limit {MOVED})", flush=True)


def main() -> None:
    """Run the part that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("feet", "video"))
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--every", type=int, default=2)
    given = parser.parse_args()
    for path in given.paths:
        by_feet(path, given.every) if given.part == "feet" else by_background(path)


if __name__ == "__main__":
    main()
