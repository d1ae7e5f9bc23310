"""Measure how often the doctor finds planted faults, and how often it reports faults that are not there.

Usage: python benchmarks/doctor.py MOCAP17.npz [--views 2] [--fit]

Each clip (at most 250 frames from a random start) is seen by cameras all around, 10 degrees below to 35 above the
person, with 2 pixels of noise in each joint. `--fit` fits and prints the constants of `poselift.doctor.sides` and
`poselift.doctor.pace` instead, with each subject weighted by the root of its number of clips, and prints how well they
do on subjects left out of the fit.
"""

import argparse
import logging
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from poselift.datasets.clip import MocapClip
from poselift.datasets.mocap import load_mocap
from poselift.doctor import pace, sides
from poselift.doctor.body import Body
from poselift.doctor.keypoints import check_keypoints
from poselift.lifters.contract import Lifter
from poselift.lifters.load import load_lifter
from poselift.measure.mocap import MocapProtocol, clip_cameras, exact_keypoints
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, H36M_17

FRAMES = 250


def views(clip: MocapClip, seed: int) -> Iterator[Keypoints2D]:
    """Yield noisy keypoints of a part of a clip from each camera, in the orders H36M_17 and COCO_17."""
    rng = np.random.default_rng((seed, zlib.crc32(clip.name.encode())))
    start = rng.integers(max(1, len(clip) - FRAMES + 1))
    part = replace(clip, xyz=clip.xyz[start : start + FRAMES])
    for camera in clip_cameras(part, MocapProtocol(cameras=1, seed=seed)):
        for source in (part, replace(part, xyz=as_coco(part.xyz), skeleton=COCO_17)):
            seen = exact_keypoints(source, camera)
            yield replace(seen, xy=seen.xy + rng.normal(0, 2, seen.xy.shape))


def as_coco(xyz: np.ndarray) -> np.ndarray:
    """Return COCO joints (T, 17, 3) of H36M_17 poses (T, 17, 3), z up, with a face between nose and head top."""

    def joint(name: str) -> np.ndarray:
        return xyz[:, H36M_17.index(name)]

    def unit(vector: np.ndarray) -> np.ndarray:
        return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-6)

    left = unit(joint("left_shoulder") - joint("right_shoulder"))
    ahead = unit(np.cross(left, unit(joint("head_top") - joint("thorax"))))
    eyes = joint("nose") + 0.3 * (joint("head_top") - joint("nose"))
    face = {"nose": joint("nose") + 0.09 * ahead}
    for side, sign in (("left", 1), ("right", -1)):
        face[f"{side}_eye"] = eyes + 0.08 * ahead + 0.03 * sign * left
        face[f"{side}_ear"] = eyes - 0.02 * ahead + 0.075 * sign * left
    return np.stack([face[name] if name in face else joint(name) for name in COCO_17.joints], 1)


def reordered(k: Keypoints2D, order: list[int]) -> Keypoints2D:
    return replace(k, xy=k.xy[:, order])


def arms_exchanged(k: Keypoints2D) -> Keypoints2D:
    arms = {j for limb in k.skeleton.limbs for j in limb if "hip" not in k.skeleton.joints[limb[0]]}
    return reordered(k, [k.skeleton.flipped[j] if j in arms else j for j in range(len(k.skeleton))])


def shuffled(k: Keypoints2D) -> Keypoints2D:
    seed = int(np.abs(k.xy[0]).sum())
    return reordered(k, np.random.default_rng(seed).permutation(len(k.skeleton)).tolist())


FAULTS: dict[str, tuple[str, Callable[[Keypoints2D], Keypoints2D]]] = {
    "left and right exchanged": ("sides", lambda k: reordered(k, list(k.skeleton.flipped))),
    "arms exchanged": ("sides", arms_exchanged),
    "the other order is claimed": (
        "order",
        lambda k: replace(k, skeleton=COCO_17 if k.skeleton == H36M_17 else H36M_17),
    ),
    "shuffled joints": ("order", shuffled),
    "y up": ("up", lambda k: replace(k, xy=k.xy * (1, -1) + (0, 1000))),
    "normalised": ("units", lambda k: replace(k, xy=k.xy / 1000)),
    "rate claimed twice too high": ("rate", lambda k: replace(k, fps=100.0)),
    "25 fps claimed as 50": ("rate", lambda k: replace(k, xy=k.xy[::2])),
    "50 fps claimed as 25": ("rate", lambda k: replace(k, fps=25.0)),
}
"""Fault: name of the check that should find it, and the function that plants it."""


def measure(clips: list[MocapClip], lifter: Lifter, seeds: int) -> None:
    """Print the shares of views in which each planted fault was found, and in which each check found one without it."""
    counts: Counter[tuple[str, str]] = Counter()
    for clip in clips:
        for seed in range(seeds):
            for seen in views(clip, seed):
                if not seen.seen.all() or len(seen) < 50:
                    continue
                name = seen.skeleton.name
                counts[name, "clips"] += 1
                for finding in check_keypoints(Body(seen), lifter):
                    kind = " hint" if finding.severity == "info" else ""
                    counts[name, f"false {finding.check}{kind}"] += 1
                for fault, (check, plant) in FAULTS.items():
                    severities = {f.severity for f in check_keypoints(Body(plant(seen)), lifter) if f.check == check}
                    counts[name, fault] += bool(severities - {"info"})
                    counts[name, f"{fault}, or a hint"] += bool(severities)
    for name in (H36M_17.name, COCO_17.name):
        print(f"{name}: {counts[name, 'clips']} views")
        for (owner, what), count in counts.items():
            if owner == name and what != "clips":
                print(f"  {what:32s} {100 * count / counts[name, 'clips']:6.1f} %")


def fit(clips: list[MocapClip], lifter: Lifter, seeds: int) -> None:
    """Fit the constants of the checks of sides and rate, and print them with their error rates on other subjects."""
    near, paces, who = [], [], []
    for clip in clips:
        for seed in range(100, 100 + seeds):
            seen = next(views(clip, seed))
            if not seen.seen.all() or len(seen) < 100:
                continue
            rates = [pace.limb_features(Body(replace(seen, fps=fps))) for fps in (50.0, 100.0)]
            if any(features is None for features in rates):
                continue
            near.append(sides.perspective_features(seen, lifter))
            paces.append([np.append(features, 1) for features in rates])
            who.append(clip.subject)
    near, paces, who = np.array(near), np.array(paces), np.array(who)
    names, counts = np.unique(who, return_counts=True)
    weight = 1 / np.sqrt(counts[np.searchsorted(names, who)])
    part = np.random.default_rng(0).integers(5, size=len(names))[np.searchsorted(names, who)]
    for name, right, wrong in (
        ("WEIGHTS", near, -near),
        ("TOO_HIGH", paces[:, 1], paces[:, 0]),
    ):
        odds = np.zeros((2, len(who)))
        for left_out in range(5):
            kept = part != left_out
            w = logistic(right[kept], wrong[kept], weight[kept])
            odds[:, ~kept] = right[~kept] @ w, wrong[~kept] @ w
        print(name, "=", tuple(np.round(logistic(right, wrong, weight), 2).tolist()))
        for limit in (1, 2, 2.5, 3, 4):
            rates = [100 * ((o > limit) * weight).sum() / weight.sum() for o in odds]
            print(f"  log odds over {limit}: right in {rates[0]:.1f} %, wrong in {rates[1]:.1f} %")


def logistic(right: np.ndarray, wrong: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weights (F,) of a logistic regression that separates features `right` from `wrong`, (N, F) each."""
    x = np.concatenate([right, wrong])
    y, weight = np.repeat([1.0, 0.0], [len(right), len(wrong)]), np.concatenate([weight, weight])
    w = np.zeros(x.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        slope = (x * (weight * p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(w))
        w -= 0.5 * np.linalg.solve(slope, x.T @ (weight * (p - y)) + 1e-3 * w)
    return w


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--split", default=None)
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    logging.getLogger("poselift").setLevel(logging.ERROR)
    clips = load_mocap(arguments.mocap, split=arguments.split)
    (fit if arguments.fit else measure)(clips, load_lifter(threads=1), arguments.views)


if __name__ == "__main__":
    main()
