"""Measure `poselift lift-many`: frames a second, share of the network, memory; and kill it at random moments.

Usage: python benchmarks/bulk.py OUT [--lifter auto] [--clips 200] [--frames 300] [--fps 30] [--kills 10] [--workers 2]

The corpus is the bundled clip, played to and fro, moved and with noise, one joint in fifty unseen, as Parquet in
the joints of COCO_17. Without --kills, it is lifted by one worker and by --workers. With --kills, it is lifted once
by one worker, undisturbed, and once with that many `kill -9` of the run and its workers (every third one only of the
run, whose workers then end by themselves); the files must be the same to the byte. Processor times are those of the
workers' threads, which depend less on what else the machine does than frames a second do.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from importlib import resources
from pathlib import Path

import numpy as np

import poselift as pl
from poselift.bulk import Settings
from poselift.bulk import plan as planning
from poselift.bulk.sources import find_clips
from poselift.formats.keypoint_parquet import write_keypoints_parquet

_PER_FILE = 200
_KILLED_CLIPS = 10


def clip(person: pl.Keypoints2D, frames: int, fps: float, seed: int) -> pl.Keypoints2D:
    """Return a clip of COCO_17 made from the bundled one."""
    rng, whole = np.random.default_rng(seed), len(person)
    place = (np.arange(frames) + rng.integers(whole)) % (2 * whole - 2)
    place = np.where(place < whole, place, 2 * whole - 2 - place)
    joints = [person.skeleton.index(name) for name in pl.COCO_17.joints]
    noise = rng.normal(0, 1, (frames, 17, 2)) + rng.normal(0, 0.1, (frames, 1, 2)).cumsum(0)
    xy = person.xy[place][:, joints] * rng.uniform(0.7, 1.3) + noise
    confidence = np.where(rng.random((frames, 17)) < 0.02, 0, person.confidence[place][:, joints])
    return pl.Keypoints2D(xy, confidence, pl.COCO_17, fps, (1920, 1080))


def corpus(folder: Path, clips: int, frames: int, fps: float) -> Path:
    """Write the corpus, if it is not there."""
    if not folder.exists():
        (person,) = pl.read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
        folder.mkdir(parents=True)
        for first in range(0, clips, _PER_FILE):
            people = {
                f"clip{n:06d}": (clip(person, frames, fps, n),) for n in range(first, min(first + _PER_FILE, clips))
            }
            write_keypoints_parquet(people, folder / f"{first:06d}.parquet")
    return folder


def started(source: Path, out: Path, workers: int, lifter: str) -> subprocess.Popen:
    """Begin a run in a group of processes of its own."""
    command = [sys.executable, "-m", "poselift", "lift-many", str(source), "-o", str(out), "--workers", str(workers)]
    command += ["--lifter", lifter]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def peak_mib(process: subprocess.Popen, peak: list[float]) -> None:
    """Store the largest sum of resident memory of a run and its workers, in MiB, looking ten times a second."""
    while process.poll() is None:
        total = 0
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
                if os.getpgid(int(status.parent.name)) == process.pid:
                    total += int(fields.get("VmRSS", "0 kB").split()[0])
            except (OSError, ValueError):
                continue
        peak[0] = max(peak[0], total / 1024)
        time.sleep(0.1)


def measure(source: Path, out: Path, workers: int, lifter: str) -> None:
    """Lift the corpus from the beginning, and print what the verb says, and the memory."""
    shutil.rmtree(out, ignore_errors=True)
    process, peak = started(source, out, workers, lifter), [0.0]
    watch = threading.Thread(target=peak_mib, args=(process, peak))
    watch.start()
    told, _ = process.communicate()
    watch.join()
    print(
        f"{workers} worker(s), status {process.returncode}, at most {peak[0]:.0f} MiB all together\n{told}", flush=True
    )


def files(out: Path) -> dict[str, bytes]:
    """Return the shards' bytes by name."""
    return {file.name: file.read_bytes() for file in sorted(out.glob("poses-*.parquet"))}


def kill(source: Path, out: Path, workers: int, lifter: str, kills: int, seed: int) -> None:
    """Kill runs, let the last one end, and compare with an undisturbed one."""
    whole, killed, drawn = out / "whole", out / "killed", random.Random(seed)
    for folder in (whole, killed):
        shutil.rmtree(folder, ignore_errors=True)
    started_s = time.monotonic()
    for folder in (whole, killed):  # small shards, so that kills come between them as well as within
        folder.mkdir(parents=True)
        planning.MOST_CLIPS = _KILLED_CLIPS
        planning.planned(find_clips([source]).clips, folder, Settings(lifter=lifter).identity())
    status = started(source, whole, 1, lifter)
    status.communicate()
    seconds = time.monotonic() - started_s
    moments, done = [], 0
    for number in range(kills):
        process = started(source, killed, workers, lifter)
        before = len(files(killed))
        while number % 2 and process.poll() is None and len(files(killed)) == before:  # starting may take long
            time.sleep(0.02)
        moment = drawn.uniform(0, max(2 * seconds / kills, 2.0))
        time.sleep(moment)
        if process.poll() is None:
            done += 1
            if number % 3 == 2:
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        moments.append({"s": round(moment, 2), "shards": len(files(killed))})
    last = started(source, killed, workers, lifter)
    told, _ = last.communicate()
    one, other = files(whole), files(killed)
    names = [person.about["clip"] for file in sorted(killed.glob("poses-*")) for person in pl.read_all_poses(file)]
    print(
        json.dumps(
            {
                "kills": done, "moments": moments, "status": last.returncode, "shards": len(one),
                "same files": one.keys() == other.keys(), "same bytes": one == other,
                "clips": len(names), "doubled": len(names) - len(set(names)),
                "left over": [file.name for file in killed.glob(".*") if file.name != ".lift-many.lock"],
            },
            indent=1,
        )
    )  # fmt: skip
    print(told)


def main() -> None:
    """Read the command line, and measure or kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lifter", default="auto")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    folder = given.out / f"corpus_{given.clips}_{given.frames}_{given.fps:g}"
    source = corpus(folder, given.clips, given.frames, given.fps)
    if given.kills:
        kill(source, given.out, given.workers, given.lifter, given.kills, given.seed)
        return
    for workers in (1, given.workers):
        measure(source, given.out / "lifted", workers, given.lifter)


if __name__ == "__main__":
    main()
