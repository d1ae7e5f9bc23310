"""Measure focal lengths estimated from clips: built scenes of one to four people, whose camera nobody knows.

Usage: python benchmarks/focal.py mocap27.npz [--scenes 40] [--unknown-height]

Clips of the split dev, 300 frames, stand anywhere before a camera of 650 to 2200 pixels (of 1000 by 1000), 2 to 30
degrees above them, seen through the simulated detector (lab extra).
"""

import argparse
from dataclasses import replace

import numpy as np

import poselift as pl
from poselift.datasets.clip import MocapClip
from poselift.datasets.mocap import load_mocap
from poselift.geometry.camera import Camera, look_at
from poselift.lab.observe.detector import SimulatedDetector
from poselift.measure.placing import true_height
from poselift.prepare.repair import without_log
from poselift.refine.focal import assumed_camera

SIDE = 1000


def stand(clip: MocapClip, camera: Camera, distance: float, rng: np.random.Generator) -> np.ndarray | None:
    """Return the joints (T, J, 3) of a clip somewhere in the picture, turned anyhow; None where there is no room."""
    for _ in range(200):
        spot, angle = np.array([rng.uniform(-3, 3), rng.uniform(-0.6, 0.9) * distance, 0]), rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        xyz = (clip.xyz - clip.xyz[:, :1].mean(0) * [1, 1, 0]) @ turn.T + spot
        pixels, depth = camera.project(xyz), camera.to_camera(xyz)[..., 2]
        inside = pixels.min() > 5 and pixels.max() < SIDE - 5 and depth.min() > 1.5
        if inside and np.ptp(pixels[..., 1], axis=1).min() > 90:
            return xyz
    return None


def scene(
    rng: np.random.Generator, clips: list[MocapClip], lifter: pl.Lifter
) -> tuple[float, list[tuple[pl.Keypoints2D, pl.Poses3D]], list[float]]:
    """Return the true focal length, what is seen and lifted of each person, and their heights."""
    focal, people = float(np.exp(rng.uniform(np.log(650), np.log(2200)))), int(rng.integers(1, 5))
    elevation, distance = np.deg2rad(rng.uniform(2, 30)), rng.uniform(5, 11) * focal / SIDE
    place = np.array([0, -distance * np.cos(elevation), 1 + distance * np.sin(elevation)])
    R, t = look_at(place, np.array([0.0, 0, 1]), np.deg2rad(np.clip(rng.normal(), -2, 2) * 2))
    camera = Camera(R, t, Camera.from_focal(focal, (SIDE, SIDE)).K, image_size=(SIDE, SIDE))
    pairs, heights = [], []
    for _ in range(people):
        clip = clips[int(rng.integers(len(clips)))]
        if (xyz := stand(clip, camera, distance, rng)) is None:
            continue
        keypoints = SimulatedDetector()(camera.to_camera(xyz).astype(np.float32), clip.fps, int(rng.integers(1 << 30)))
        middle = SIDE / 2  # the simulated detector's own camera has 1000 pixels
        keypoints = replace(keypoints, xy=((keypoints.xy - middle) * focal / 1000 + middle).astype(np.float32))
        with without_log():
            own = assumed_camera((SIDE, SIDE))
            pairs.append((keypoints, pl.lift(keypoints, lifter, frame="camera", camera=own, check=False)))
        heights.append(true_height(clip.in_joints(pl.H36M_17)))
    return focal, pairs, heights


def main() -> None:
    """Print how often there is an estimate, and how far off it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--unknown-height", action="store_true")
    given = parser.parse_args()
    clips = [clip.first(300) for clip in load_mocap(given.path, split="dev") if len(clip) >= 250]
    clips = [clip for clip in clips if np.isfinite(clip.xyz).all()]
    rng, lifter, rows = np.random.default_rng(1), pl.load_lifter("nanohtnet.mocap27-243"), []
    for _ in range(given.scenes):
        focal, pairs, heights = scene(rng, clips, lifter)
        if not pairs:
            continue
        placed = pl.place(pairs, height_m=None if given.unknown_height else heights, still=True)
        said = [step for step in placed.report.steps if step.name == "focal"]
        assumed = assumed_camera((SIDE, SIDE)).K[0, 0]
        rows.append((len(pairs), bool(said), *(100 * abs(np.array([placed.camera.K[0, 0], assumed]) / focal - 1))))
    table = np.array(rows)
    used = table[:, 1] == 1
    print(f"{len(table)} scenes, estimated in {used.sum()} (with {np.bincount(table[used, 0].astype(int))[1:]} people)")
    for name, column in (("estimated", 2), ("assumed in these", 3)):
        off = table[used, column]
        print(
            f"{name}: {np.median(off):.1f} % off in the median, {np.percentile(off, 90):.1f} at 90 %, {off.max():.1f}"
        )
    print(f"assumed in the others: {np.median(table[~used, 3]):.1f} % off in the median")


if __name__ == "__main__":
    main()
