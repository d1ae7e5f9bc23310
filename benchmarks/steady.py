"""Measure what refinement does to lifted poses: bones, smoothing, feet and joint angles, on motion capture.

Usage: python benchmarks/steady.py mocap27.npz [--cameras 2] [--every 1] [--path-noise 0.03]

Each clip of the split "dev" is seen by fixed cameras, with exact keypoints and with detector errors, and lifted. Feet
are measured in the world of the recording, with its path, vertical and floor, and with noise on the path.
"""

import argparse
import zlib
from dataclasses import dataclass, replace

import numpy as np

import poselift as pl
from poselift.datasets.clip import MocapClip
from poselift.datasets.mocap import load_mocap
from poselift.geometry.camera import Camera
from poselift.lab.observe.detector import SimulatedDetector
from poselift.measure.mocap import MocapProtocol, clip_cameras, exact_keypoints
from poselift.prepare.repair import without_log
from poselift.refine.angle_names import general
from poselift.refine.bones import bone_lengths, constant_bones, stature
from poselift.refine.feet import plant_feet, under_floor
from poselift.refine.smooth import smooth_joints
from poselift.sequence import CONTACTS, WORLD

BODY = slice(0, 17)
POINTS = list(pl.BODY_27.indices(CONTACTS))
FAST = 0.99
"""Speeds above this quantile of the true ones are peaks."""


@dataclass(frozen=True)
class View:
    """A clip seen by a camera."""

    clip: MocapClip
    camera: Camera
    height_m: float
    floor_m: float
    truth: np.ndarray
    """(T, 27, 3) metres, axes of the camera, relative to the pelvis; 0 where not known."""
    lifted: pl.Poses3D


def views(path: str, cameras: int, every: int, *, exact: bool) -> list[View]:
    """Lift every clip of the split "dev" from its first cameras."""
    archive = np.load(path)
    names, heights, floors = (archive[name].tolist() for name in ("names", "stature", "floor"))
    lifter, found = pl.load_lifter("nanohtnet.mocap27-243", threads=1), []
    for clip in load_mocap(path, split="dev")[::every]:
        for number, camera in enumerate(clip_cameras(clip.in_joints(pl.H36M_17), MocapProtocol())[:cameras]):
            there = camera.to_camera(clip.xyz)
            seed = zlib.crc32(f"0 {number} {clip.name}".encode())
            keypoints = exact_keypoints(clip, camera) if exact else SimulatedDetector()(there, clip.fps, seed)
            own = Camera(np.eye(3), np.zeros(3), camera.K, image_size=(1000, 1000))
            with without_log():
                lifted = pl.lift(keypoints, lifter, frame="camera", camera=own, check=False)
            place = names.index(clip.name)
            truth = np.nan_to_num(there - there[:, :1])
            found.append(View(clip, camera, heights[place], floors[place], truth, lifted))
    return found


def errors(name: str, seen: list[View], poses: list[pl.Poses3D], raw: list[pl.Poses3D]) -> None:
    """Print errors, shaking and peaks of poses in the axes of the camera."""
    found: dict[str, list[np.ndarray]] = {}
    for view, own, first in zip(seen, poses, raw, strict=True):
        fps = view.clip.fps
        xyz, truth, before = (array[:, BODY].astype(np.float64) for array in (own.xyz, view.truth, first.xyz))
        off = np.diff(xyz - truth, 2, axis=0) * fps**2
        row = {
            "P-MPJPE mm": 1000 * pl.p_mpjpe(xyz, truth),
            "MPJPE mm": 1000 * pl.mpjpe(xyz, truth),
            "jitter m/s3": np.linalg.norm(np.diff(xyz, 3, axis=0), axis=-1) * fps**3,
            "acceleration error m/s2": np.linalg.norm(off, axis=-1),
        }
        row |= {f"speed {key}": _speed(array, fps) for key, array in (("own", xyz), ("true", truth), ("raw", before))}
        for key, values in row.items():
            found.setdefault(key, []).append(values.ravel())
    joined = {key: np.concatenate(values) for key, values in found.items()}
    own, true, first = (joined.pop(f"speed {key}") for key in ("own", "true", "raw"))
    at_true, at_raw = (speed >= np.quantile(speed, FAST) for speed in (true, first))
    said = [f"{key} {values.mean():.2f}" for key, values in joined.items()]
    said += [f"peaks {own[at_true].mean() / first[at_true].mean():.3f} of raw at the true ones"]
    said += [f"{own[at_raw].mean() / first[at_raw].mean():.3f} at the raw ones"]
    print(f"{name}: {', '.join(said)}", flush=True)


def _speed(xyz: np.ndarray, fps: float) -> np.ndarray:
    return np.asarray(np.linalg.norm(xyz[2:] - xyz[:-2], axis=-1) * fps / 2)


def scale_error(seen: list[View], poses: list[pl.Poses3D]) -> None:
    """Print how far the size of the body is off, by the sum of legs, trunk and head."""
    found = []
    for view, own in zip(seen, poses, strict=True):
        true = bone_lengths(pl.Poses3D(view.truth[:, BODY], pl.H36M_17, view.clip.fps))
        wanted = stature(true, pl.H36M_17)
        found.append(stature(bone_lengths(own), own.skeleton) / wanted - 1)
    print(f"scale with height given: {100 * np.mean(found):+.2f} % mean, {100 * np.abs(found).max():.2f} % at most")


def in_world(view: View, poses: pl.Poses3D, noise_m: float, seed: int) -> tuple[pl.Poses3D, np.ndarray]:
    """Return poses in the world of the recording, its floor at 0, and the true joints (T, 27, 3) there."""
    from scipy.ndimage import gaussian_filter1d

    truth = view.clip.xyz.astype(np.float64) - [0, 0, view.floor_m]
    path = truth[:, 0].copy()
    if noise_m:
        noise = np.random.default_rng(seed).normal(size=path.shape)
        noise = gaussian_filter1d(noise, 0.5 * view.clip.fps, axis=0, mode="nearest")
        path += noise * noise_m / noise.std()
    turn = view.camera.R
    up = None if poses.up is None else poses.up @ turn
    return replace(poses, xyz=poses.xyz @ turn, up=up, path=path, frame=WORLD, camera=None), truth


def feet(name: str, seen: list[View], poses: list[pl.Poses3D], noise_m: float) -> None:
    """Print slide, floor and contacts before and after feet are planted."""
    placed = [in_world(view, own, noise_m, seed) for seed, (view, own) in enumerate(zip(seen, poses, strict=True))]
    after = [plant_feet(own)[0] for own, _ in placed]
    for step, worlds in (("before", [own for own, _ in placed]), ("planted", after)):
        slides, own_slides, deep, off, hits = [], [], [], [], np.zeros(3)
        for view, own, (_, truth) in zip(seen, worlds, placed, strict=True):
            assert own.path is not None and own.contact is not None and view.clip.contact is not None
            xyz, said, true = own.xyz.astype(np.float64) + own.path[:, None], own.contact >= 0.5, view.clip.contact
            moved = np.linalg.norm(np.diff(xyz[:, POINTS], axis=0), axis=-1) * 1000 * own.fps / 30
            slides.append(moved[(true[1:] == 1) & (true[:-1] == 1)])
            own_slides.append(moved[said[1:] & said[:-1]])
            deep.append(1000 * under_floor(xyz).max(1))
            off.append(1000 * np.linalg.norm(xyz[:, BODY] - truth[:, BODY], axis=-1).ravel())
            known = true >= 0
            hits += [(said & (true == 1)).sum(), (said & (true == 0)).sum(), (~said & known & (true == 1)).sum()]
        slide, own_slide, deepest = (np.concatenate(parts) for parts in (slides, own_slides, deep))
        print(
            f"{name}, path noise {noise_m:g} m, {step}: slide {slide.mean():.2f} mm a frame at 30 fps (median "
            f"{np.median(slide):.2f}; where we say so {own_slide.mean():.2f}), deepest joint "
            f"{np.quantile(deepest, 0.95):.1f} mm under the floor (95 %), contact F1 "
            f"{2 * hits[0] / (2 * hits[0] + hits[1] + hits[2]):.3f}, joints {np.concatenate(off).mean():.1f} mm off",
            flush=True,
        )


def angles(name: str, seen: list[View], poses: list[pl.Poses3D]) -> None:
    """Print the centred RMSE, the bias and the mean absolute error of each angle, in degrees."""
    found: dict[str, list[np.ndarray]] = {}
    for view, own in zip(seen, poses, strict=True):
        true_up = np.tile(view.camera.R[:, 2], (len(own), 1))
        truth = pl.joint_angles(replace(own, xyz=view.truth, up=true_up, gap=None))
        lifted = pl.joint_angles(replace(own, gap=None))
        known = view.clip.known.all()
        for angle in lifted.names:
            if known or not angle.startswith(("ankle", "neck")):
                error = (lifted[angle].astype(np.float64) - truth[angle] + 180) % 360 - 180
                found.setdefault(general(angle), []).append(error[np.isfinite(error)])
    for angle, parts in found.items():
        parts = [part for part in parts if len(part)]
        every = np.concatenate(parts)
        centred = np.concatenate([part - part.mean() for part in parts])
        print(
            f"{name}, {angle}: centred RMSE {np.sqrt((centred**2).mean()):.1f}, bias {every.mean():+.1f}, mean "
            f"absolute error {np.abs(every).mean():.1f} degrees",
            flush=True,
        )


def main() -> None:
    """Measure with exact keypoints and with detector errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("--cameras", type=int, default=2)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--path-noise", type=float, default=0.03)
    given = parser.parse_args()
    for name, exact in (("detector errors", False), ("exact 2D", True)):
        seen = views(given.path, given.cameras, given.every, exact=exact)
        raw = [view.lifted for view in seen]
        smooth = [smooth_joints(poses)[0] for poses in raw]
        steady = [constant_bones(poses)[0] for poses in smooth]
        tall = [constant_bones(poses, height_m=view.height_m)[0] for poses, view in zip(smooth, seen, strict=True)]
        for step, poses in (("raw", raw), ("smoothed", smooth), ("constant bones", steady), ("height", tall)):
            errors(f"{name}, {step}", seen, poses, raw)
        scale_error(seen, tall)
        floored = [
            place
            for place, view in enumerate(seen)
            if np.isfinite(view.floor_m) and view.clip.contact is not None and (view.clip.contact >= 0).any()
        ]
        for noise in (0.0, given.path_noise):
            feet(name, [seen[place] for place in floored], [tall[place] for place in floored], noise)
        angles(name, seen, steady)


if __name__ == "__main__":
    main()
