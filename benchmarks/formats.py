"""Measure how long poses take to write, and to read back, in every format, and how large the files are.

    python benchmarks/formats.py mocap27.npz [--frames 36000] [--rounds 3]

The poses are motion capture whose numbers are all different, with path, observed, spread, up, contact and camera, so
that every format writes all it has a place for. Times are processor time; the best of the rounds. The last line is the
sum over all formats, each once (of BVH, the figure `poselift`).
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from poselift.formats import read_all_poses, save_poses
from poselift.formats.table import POSE_FORMATS
from poselift.geometry.camera import Camera
from poselift.sequence import WORLD, Poses3D
from poselift.skeleton import BODY_27

OTHERS = ({"ending": ".bvh", "rig": "mixamo"},)


def poses_of(archive: dict[str, np.ndarray], count: int) -> Poses3D:
    """So many frames of which everything is known."""
    rng = np.random.default_rng(0)
    known = np.flatnonzero((archive["split"] == "dev") & archive["known"].all(1))
    starts = archive["offsets"]
    xyz = np.concatenate([archive["pose"][starts[clip] : starts[clip + 1]] for clip in known]).astype(np.float32)
    xyz = np.resize(xyz, (count, *xyz.shape[1:]))[..., [0, 2, 1]] * (1, -1, 1)
    xyz = xyz + rng.normal(scale=1e-3, size=xyz.shape)
    path = np.cumsum(rng.normal(scale=0.01, size=(count, 3)), axis=0)
    return Poses3D(
        xyz, BODY_27, 50.0, WORLD, observed=rng.uniform(0.5, 1, xyz.shape[:2]), path=path,
        spread=rng.uniform(0.01, 0.1, xyz.shape[:2]), up=np.tile([0.0, 0, 1], (count, 1)),
        contact=rng.uniform(size=(count, 4)), gap=np.zeros(count, bool),
        camera=Camera.from_focal(1500.0, (1920, 1080)), about={"weights": "none"},
    )  # fmt: skip


def spent(work: Callable[[], object], rounds: int) -> float:
    """The least processor time of some rounds in seconds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--frames", type=int, default=36_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    poses, total = poses_of(dict(np.load(options.mocap)), options.frames), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for case in ({"ending": ending} for ending in POSE_FORMATS):
            total += measure(poses, case, Path(folder), options.rounds)
        for case in OTHERS:
            measure(poses, case, Path(folder), options.rounds)
    print(f"{'all formats':16} write {total:6.2f} s")


def measure(poses: Poses3D, case: dict[str, str], folder: Path, rounds: int) -> float:
    """Print a format's times and size; returns the time to write."""
    case = dict(case)
    ending = case.pop("ending")
    file = folder / f"clip{ending}"
    write = spent(lambda: save_poses(poses, file, overwrite=True, **case), rounds)
    read = ""
    if POSE_FORMATS[ending].read is not None:
        read = f"read {spent(lambda: read_all_poses(file), rounds):6.2f} s"
    print(
        f"{ending + ' ' + ' '.join(case.values()):16} write {write:6.2f} s  {file.stat().st_size / 1e6:6.1f} MB  {read}"
    )
    return write


if __name__ == "__main__":
    main()
