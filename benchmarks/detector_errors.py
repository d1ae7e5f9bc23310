"""Compare the errors of our own detector on real video with those that training simulates.

Usage: python benchmarks/detector_errors.py VIDEOS RECORDING.npz MOCAP27.npz [-o FIGURE.png]

VIDEOS and RECORDING are those of detector.py: a person whose joints were triangulated from several cameras, as the
cameras 1 and 3 saw them. The simulated detector sees clips of the motion capture. Both give, in millimetres at the
person, over twelve limb joints: how far a joint is displaced for good (the median of its error over the clip), how it
wanders around that place (robust standard deviation and root mean square), how soon it forgets (autocorrelation), how
joints err together (correlation), and what the scores say about it. Camera 3's calibration is off by a constant, which
is taken out. The figure needs matplotlib.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from detector import CAMERAS, DECODED_WIDTH, LIMBS, projected, standing_height_px

from poselift.datasets.mocap import load_mocap
from poselift.detect.people import PeopleDetector
from poselift.detect.video import read_frames
from poselift.geometry.camera import look_at
from poselift.lab.observe.detector import SimulatedDetector
from poselift.lab.observe.landmarks import SEEN
from poselift.prepare.normalize import calibrate
from poselift.skeleton import BODY_27, H36M_17, MEDIAPIPE_33

HEIGHT_M = 1.75
"""Height of the person in the recording, which is not known; lengths grow with it."""
LAGS_S = (0.02, 0.06, 0.2, 0.5)
CLIPS = 60
FRAMES = 200


@dataclass(frozen=True, eq=False)
class Errors:
    """The errors of a detector on one clip."""

    error: np.ndarray
    """(T, 12, 2) millimetres at the person, NaN where the joint was not found or the truth is not known."""
    score: np.ndarray
    """(T, 12) calibrated confidence."""
    fps: float

    @property
    def around(self) -> np.ndarray:
        """(T, 12, 2) millimetres: errors around each joint's median over the clip."""
        return self.error - np.nanmedian(self.error, 0)


def real(videos: Path, archive: dict[str, np.ndarray]) -> list[Errors]:
    found = []
    limbs = H36M_17.indices(LIMBS)
    for name, camera in CAMERAS.items():
        detector = PeopleDetector(most=1)
        frames = [detector(rgb, at) for at, rgb in read_frames(videos / f"{name}.mp4", longest_side=1920)]
        nobody = np.full((33, 3), np.nan, np.float32)
        seen = np.stack([one[np.ptp(one[..., 1], axis=1).argmax()] if len(one) else nobody for one in frames])
        seen = seen[:, MEDIAPIPE_33.indices(LIMBS)].astype(np.float64)
        seen[..., 0] *= archive["image_wh"][0] / DECODED_WIDTH.get(name, archive["image_wh"][0])
        truth = projected(archive, camera, archive["X3d17"][: len(seen), limbs])
        mm = 1000 * HEIGHT_M / standing_height_px(archive, camera)
        error = np.where(archive["valid"][: len(seen), limbs, None], (seen[..., :2] - truth) * mm, np.nan)
        if camera:
            error -= np.nanmedian(error, (0, 1))
        found.append(Errors(error, calibrate(seen[..., 2]), float(archive["fps"])))
    return found


def simulated(mocap: Path) -> list[Errors]:
    found, rng = [], np.random.default_rng(0)
    clips = [clip for clip in load_mocap(mocap, split="dev") if len(clip) > FRAMES][:CLIPS]
    for seed, clip in enumerate(clips):
        joints = clip.xyz[:FRAMES].astype(np.float64)
        joints -= joints[:, BODY_27.root].mean(0)
        angle = rng.uniform(0, 2 * np.pi)
        R, t = look_at(np.array([5 * np.cos(angle), 5 * np.sin(angle), 0.3]), np.zeros(3))
        in_camera = joints @ R.T + t
        seen = SimulatedDetector(kind="MEDIAPIPE_33")(in_camera.astype(np.float32), clip.fps, seed)
        picture = 1000 * in_camera[..., :2] / in_camera[..., 2:] + 500
        mm = in_camera[:, BODY_27.root, 2].mean()
        xy, score = seen.xy[:, SEEN.indices(LIMBS)], seen.confidence[:, SEEN.indices(LIMBS)]
        error = (xy - picture[:, BODY_27.indices(LIMBS)]) * mm
        found.append(Errors(np.where(score[..., None] > 0, error, np.nan), calibrate(score), clip.fps))
    return found


def displacement(errors: list[Errors]) -> np.ndarray:
    """(12,) mm: root mean square over clips and both axes of the median error of each joint."""
    return np.sqrt(np.nanmean([np.nanmedian(one.error, 0) ** 2 for one in errors], (0, 2)))


def wander(errors: list[Errors]) -> tuple[np.ndarray, np.ndarray]:
    """(12,) mm each: robust standard deviation (1.48 median absolute deviations) and root mean square."""
    around = np.concatenate([one.around for one in errors])
    return 1.48 * np.nanmedian(np.abs(around), (0, 2)), np.sqrt(np.nanmean(around**2, (0, 2)))


def memory(errors: list[Errors]) -> np.ndarray:
    """(lags,) mean autocorrelation of the joints' errors, of each clip by its own variance."""
    found = []
    for one in errors:
        around = _clipped(one.around)
        steps = [max(round(lag * one.fps), 1) for lag in LAGS_S]
        found.append([np.nanmean(around[k:] * around[:-k]) / np.nanmean(around**2) for k in steps])
    return np.mean(found, 0)


def together(errors: list[Errors]) -> np.ndarray:
    """(12, 12) correlation of the joints' errors, both axes."""
    rows = np.ma.masked_invalid(
        np.concatenate([np.moveaxis(_clipped(one.around), 2, 1).reshape(-1, len(LIMBS)) for one in errors])
    )
    return np.ma.corrcoef(rows, rowvar=False).filled(0)


def by_score(errors: list[Errors]) -> tuple[np.ndarray, np.ndarray]:
    """Mean distance around the median place in mm, and share of joints, by calibrated score in five steps."""
    distance = np.concatenate([np.linalg.norm(one.around, axis=-1).ravel() for one in errors])
    score = np.concatenate([one.score.ravel() for one in errors])
    good = np.isfinite(distance)
    step = np.minimum((score[good] * 5).astype(int), 4)
    count = np.bincount(step, minlength=5)
    return np.bincount(step, distance[good], minlength=5) / np.maximum(count, 1), count / count.sum()


def _clipped(around: np.ndarray) -> np.ndarray:
    """Errors, no further than 100 mm, so that single jumps do not decide a correlation."""
    return around.clip(-100, 100)


def table(kinds: dict[str, list[Errors]]) -> None:
    for name, errors in kinds.items():
        robust, rms = wander(errors)
        distance, share = by_score(errors)
        correlation = together(errors)
        apart = correlation[~np.eye(len(LIMBS), dtype=bool)]
        print(f"{name}: {len(errors)} clips, {sum(len(one.error) for one in errors)} frames")
        for j, joint in enumerate(LIMBS[:6]):
            pair = [j, j + 6]
            print(
                f"  {joint.removeprefix('left_'):9s} displaced {displacement(errors)[pair].mean():3.0f} mm, wanders "
                f"{robust[pair].mean():3.0f} mm (root mean square {rms[pair].mean():3.0f})"
            )
        print(f"  autocorrelation after {LAGS_S} s: {memory(errors).round(2)}")
        print(f"  correlation between joints: mean {apart.mean():.2f}, mean size {np.abs(apart).mean():.2f}")
        print(f"  mean distance in mm by calibrated score, in fifths: {distance.round(0)}, shares {share.round(2)}")


def draw(kinds: dict[str, list[Errors]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(13, 3.8), constrained_layout=True)
    names = [joint.removeprefix("left_") for joint in LIMBS[:6]]
    for offset, (name, errors) in zip((-0.2, 0.2), kinds.items(), strict=True):
        robust, _ = wander(errors)
        panels[0].bar(np.arange(6) + offset, (robust[:6] + robust[6:]) / 2, 0.36, label=name)
        panels[1].plot(LAGS_S, memory(errors), "o-", label=name)
        distance, share = by_score(errors)
        there = share > 0.005
        panels[2].plot(np.linspace(0.1, 0.9, 5)[there], distance[there], "o-", label=name)
    panels[0].set(xticks=range(6), xticklabels=names, ylabel="wanders by, mm (robust standard deviation)")
    panels[1].set(xlabel="seconds later", ylabel="autocorrelation of the error", ylim=(-0.1, 1))
    panels[2].set(xlabel="calibrated score", ylabel="mean distance from its usual place, mm", ylim=(0, None))
    panels[0].legend()
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("-o", "--figure", type=Path)
    args = parser.parse_args()
    with np.load(args.recording) as archive:
        kinds = {"our detector": real(args.videos, dict(archive)), "simulated": simulated(args.mocap)}
    table(kinds)
    if args.figure is not None:
        draw(kinds, args.figure)


if __name__ == "__main__":
    main()
