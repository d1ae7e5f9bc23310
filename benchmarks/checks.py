"""Measure what the checks before lifting cost: milliseconds of the checks and of lifting, and their ratio.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/checks.py KEYPOINTS... [--mocap MOCAP17.npz] [--repeats 9]

Both are timed in turns in one run. Lifting is `poselift.lift` without its check, with weights that are loaded already
("lift") and as `poselift.lift(keypoints)` without a lifter does it, which loads them ("with loading"). `--mocap` adds
clips of 1 to 10,000 frames that a camera sees of motion capture.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from poselift.checks import check
from poselift.datasets.mocap import load_mocap
from poselift.lifters.load import AUTO, load_lifter
from poselift.lifting import lift
from poselift.measure.mocap import MocapProtocol, clip_cameras, exact_keypoints
from poselift.read import read_keypoints
from poselift.sequence import Keypoints2D

FRAMES = (1, 2, 5, 15, 60, 300, 1000, 10000)


def seen_by_a_camera(path: Path) -> list[tuple[str, Keypoints2D]]:
    """Return clips of `FRAMES`, of the longest clip of the archive, there and back again where it is too short."""
    clip = max(load_mocap(path, split="dev"), key=len)
    seen = exact_keypoints(clip, clip_cameras(clip, MocapProtocol(cameras=1))[0])
    there_and_back = np.concatenate([seen.xy, seen.xy[-2:0:-1]])
    rng = np.random.default_rng(0)
    clips = []
    for frames in FRAMES:
        xy = np.resize(there_and_back, (frames, *seen.xy.shape[1:]))
        scores = rng.uniform(0.7, 1, xy.shape[:2])
        clips.append((f"mocap {frames}", Keypoints2D(xy, scores, seen.skeleton, seen.fps, seen.image_size)))
    return clips


def milliseconds(called: Callable[[], object]) -> float:
    start = time.perf_counter()
    called()
    return 1000 * (time.perf_counter() - start)


def measure(name: str, person: Keypoints2D, repeats: int) -> None:
    """Print the medians of one person's times."""
    lifter = load_lifter(AUTO, fps=person.fps, length=len(person))
    ways: tuple[Callable[[], object], ...] = (
        lambda: check(person),
        lambda: lift(person, lifter, check=False),
        lambda: lift(person, check=False),
    )
    times = np.array([[milliseconds(way) for way in ways] for _ in range(repeats + 1)])[1:]
    checks, alone, loading = np.median(times, 0)
    share, share_loading = (100 * np.median(times[:, 0] / times[:, n]) for n in (1, 2))
    print(
        f"{name:34s} {len(person):6d} frames  checks {checks:7.2f} ms  lift {alone:8.1f} ({share:5.1f} %)  "
        f"with loading {loading:8.1f} ({share_loading:4.1f} %)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("keypoints", type=Path, nargs="*")
    parser.add_argument("--mocap", type=Path)
    parser.add_argument("--fps", type=float)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    people = [
        (f"{path.name} {number}", person)
        for path in arguments.keypoints
        for number, person in enumerate(read_keypoints(path, fps=arguments.fps), 1)
    ]
    for name, person in people + (seen_by_a_camera(arguments.mocap) if arguments.mocap else []):
        measure(name, person, arguments.repeats)


if __name__ == "__main__":
    main()
