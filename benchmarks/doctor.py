"""Measure how often the doctor finds planted faults, and how often it reports faults that are not there.

    python benchmarks/doctor.py MOCAP17.npz [--views 2] [--frames 250 ...] [--only-false] [--fit]
    python benchmarks/doctor.py MOCAP27.npz --feet [--views 2] [--frames 250 ...]

Each clip (at most so many of its frames as `--frames` says, from a random start) is seen by cameras all around, 10
degrees below to 35 above the person, with 2 pixels of noise in each joint: in two joint orders without scores, and in
one with scores that say nothing (0.85 +- 0.06). `--only-false` plants no faults. `--feet` takes an archive with toes
and heels, and plants only exchanged sides. `--fit` fits and prints the constants of `poselift.doctor.perspective` and
`poselift.checks.pace` instead, with each subject weighted by the root of its number of clips, and tests them on
subjects left out of the fit.
"""

import argparse
import logging
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from poselift.checks import pace
from poselift.checks.body import Body
from poselift.datasets.clip import MocapClip
from poselift.datasets.mocap import load_mocap
from poselift.doctor import diagnose, perspective
from poselift.lifters.contract import Lifter
from poselift.lifters.load import load_lifter
from poselift.measure.mocap import MocapProtocol, clip_cameras, exact_keypoints
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, H36M_17, Skeleton

FRAMES = 250
SCORED = "H36M_17 with scores"


FEET = {f"{side}_{joint}": f"{side}_ankle" for side in ("left", "right") for joint in ("big_toe", "heel")}
WITH_FEET = Skeleton(
    "H36M_17 with feet", H36M_17.joints + tuple(FEET), H36M_17.parents + tuple(map(H36M_17.index, FEET.values()))
)


def load_with_feet(path: Path) -> list[MocapClip]:
    """Clips of an archive like mocap17.npz that has toes and heels behind the 17 joints, where they are known."""
    with np.load(path) as data:
        names = data["joints"].tolist()
        feet = [names.index(name) for name in ("LBigToe", "LHeel", "RBigToe", "RHeel")]
        y_up = (data["pose"] + data["root"][:, None])[:, [*range(17), *feet]]
        world = np.stack([y_up[..., 0], -y_up[..., 2], y_up[..., 1]], -1).astype(np.float32)
        clips = zip(
            data["names"].tolist(), data["subjects"].tolist(), np.split(world, data["offsets"][1:-1]), strict=True
        )
        return [MocapClip(*clip, WITH_FEET, float(data["fps"])) for clip in clips if np.isfinite(clip[2]).all()]


def views(clip: MocapClip, seed: int, frames: int = FRAMES) -> Iterator[tuple[str, Keypoints2D]]:
    """Yield the joint order's name and noisy keypoints of a part of a clip from each camera, order by order."""
    rng = np.random.default_rng((seed, zlib.crc32(clip.name.encode())))
    start = rng.integers(max(1, len(clip) - frames + 1))
    part = replace(clip, xyz=clip.xyz[start : start + frames])
    for camera in clip_cameras(part, MocapProtocol(cameras=1, seed=seed)):
        as_detected = [] if part.skeleton == WITH_FEET else [replace(part, xyz=as_coco(part.xyz), skeleton=COCO_17)]
        for source in (part, *as_detected):
            seen = exact_keypoints(source, camera)
            seen = replace(seen, xy=seen.xy + rng.normal(0, 2, seen.xy.shape))
            yield seen.skeleton.name, seen
            if seen.skeleton == H36M_17:
                yield SCORED, replace(seen, confidence=np.clip(rng.normal(0.85, 0.06, seen.xy.shape[:2]), 0.01, 1))


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


def thinned(k: Keypoints2D) -> Keypoints2D:
    return k.with_frames(k.xy[::2], None if k.confidence is None else k.confidence[::2], k.fps)


def moved(k: Keypoints2D, xy: np.ndarray) -> Keypoints2D:
    return replace(k, xy=np.broadcast_to(xy, k.xy.shape))


def one_joint(k: Keypoints2D) -> Keypoints2D:
    return moved(k, np.where(np.arange(len(k.skeleton))[:, None] == k.skeleton.index("nose"), k.xy, np.nan))


def uniform_noise(k: Keypoints2D) -> Keypoints2D:
    return moved(k, np.random.default_rng(int(np.abs(k.xy[0]).sum())).uniform(0, 1000, k.xy.shape))


def nobody(k: Keypoints2D) -> Keypoints2D:
    """Put 10 s without any joint into the middle of the clip."""
    gap, middle = round(10 * k.fps), len(k) // 2
    scores = None if k.confidence is None else np.insert(k.confidence, [middle] * gap, 0, axis=0)
    return k.with_frames(np.insert(k.xy, [middle] * gap, np.nan, axis=0), scores, k.fps)


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
    "25 fps claimed as 50": ("rate", thinned),
    "50 fps claimed as 25": ("rate", lambda k: replace(k, fps=25.0)),
    "(y, x) instead of (x, y)": ("up", lambda k: replace(k, xy=k.xy[..., ::-1])),
    "all joints at one point": ("extent", lambda k: moved(k, k.xy[:1, :1])),
    "all coordinates 0": ("missing", lambda k: moved(k, np.zeros(2))),
    "one joint in every frame": ("missing", one_joint),
    "uniform noise": ("order jitter", uniform_noise),
    "a jump of 5000 px each frame": ("jumps", lambda k: moved(k, k.xy + 5000 * np.arange(len(k))[:, None, None])),
    "10 s without a joint": ("missing", nobody),
}
"""Fault: names of the checks that should find it, and the function that plants it."""


def measure(clips: list[MocapClip], lifter: Lifter, seeds: int, frames: int, *, only_false: bool) -> None:
    """Print the shares of views in which each planted fault was found, and in which each check found one without it."""
    counts: Counter[tuple[str, str]] = Counter()
    faults = {name: FAULTS[name] for name in FAULTS if clips[0].skeleton == H36M_17 or FAULTS[name][0] == "sides"}
    for clip in clips:
        for seed in range(seeds):
            for name, seen in views(clip, seed, frames):
                if not seen.seen.all() or len(seen) < min(50, frames):
                    continue
                counts[name, "clips"] += 1
                found = diagnose(seen, lifter=lifter)
                for severity in ("error", "warning"):
                    counts[name, f"false {severity}s"] += any(finding.severity == severity for finding in found)
                for finding in found:
                    counts[name, f"false {finding.severity}: {finding.check}"] += 1
                for fault, (checks, plant) in () if only_false else faults.items():
                    found = diagnose(plant(seen), lifter=lifter)
                    severities = {finding.severity for finding in found if finding.check in checks.split()}
                    counts[name, fault] += bool(severities - {"info"})
                    counts[name, f"{fault}, or a hint"] += bool(severities)
    for name in dict.fromkeys(owner for owner, _ in counts):
        print(f"{name}, at most {frames} frames: {counts[name, 'clips']} views")
        for (owner, what), count in counts.items():
            if owner == name and what != "clips":
                print(f"  {what:42s} {100 * count / counts[name, 'clips']:6.1f} %")


def fit(clips: list[MocapClip], lifter: Lifter, seeds: int) -> None:
    """Fit the constants of the checks of sides and rate, and print them with their error rates on other subjects."""
    near, paces, who = [], [], []
    for clip in clips:
        for seed in range(100, 100 + seeds):
            _, seen = next(views(clip, seed))
            if not seen.seen.all() or len(seen) < 100:
                continue
            rates = [pace.limb_features(Body(replace(seen, fps=fps))) for fps in (50.0, 100.0)]
            if any(features is None for features in rates):
                continue
            near.append(perspective.features(seen, lifter))
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
    parser.add_argument("--frames", type=int, nargs="+", default=[FRAMES])
    parser.add_argument("--only-false", action="store_true")
    parser.add_argument("--feet", action="store_true")
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    logging.getLogger("poselift").setLevel(logging.ERROR)
    clips = load_with_feet(arguments.mocap) if arguments.feet else load_mocap(arguments.mocap, split=arguments.split)
    lifter = load_lifter(threads=1)
    if arguments.fit:
        fit(clips, lifter, arguments.views)
    else:
        for frames in arguments.frames:
            measure(clips, lifter, arguments.views, frames, only_false=arguments.only_false)


if __name__ == "__main__":
    main()
