"""What a push costs, against the window run by itself; jitter with and without delay; memory; several people.

    OMP_NUM_THREADS=1 python benchmarks/live.py [--minutes 30] [-o live.json]

Pushes and windows run by themselves take turns in one run, so that whatever else the machine does hits both. Times are
those of the wall and of the processor: on a machine that does other things as well, only the latter mean anything.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import time
from dataclasses import asdict
from importlib import resources
from pathlib import Path

import numpy as np

import poselift as pl
from poselift.measure.push import SKIPPED, measure_push, summary

LIVE, LATE = "nanohtnet.mocap27-live", "nanohtnet.mocap27-243"


def recording(frames: int, scores: bool = True) -> np.ndarray:
    """(frames, 33, 3): the bundled clip of real keypoints, forwards and backwards, at 50 frames a second."""
    (person,) = pl.read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
    confidence = person.confidence if scores else np.ones(person.xy.shape[:2], np.float32)
    clip = np.concatenate([person.xy, confidence[..., None]], -1)
    there_and_back = np.concatenate([clip, clip[-2:0:-1]])
    return there_and_back[np.arange(frames) % len(there_and_back)]


def pushes(name: str, delay_s: float, fps: float, frames: int, people: int = 1) -> dict:
    """Pushes and windows by themselves, in turns."""
    lifter = pl.load_lifter(name, threads=1)
    clip = recording(frames + SKIPPED)
    cost = measure_push(lifter, name, clip, pl.MEDIAPIPE_33, delay_s=delay_s, people=people, fps=fps)
    ratios = {ratio: getattr(cost, f"{ratio}_ratio") for ratio in ("median", "mean", "worst", "tail")}
    return asdict(cost) | {"fps": fps} | ratios


def room(frames: int) -> dict:
    """What the world costs: the same stream with and without, in turns; milliseconds of processor time."""
    lifter, taken = pl.load_lifter(LIVE, threads=1), {"with": [], "without": []}
    streams = {"with": pl.LiveLifter(lifter, image_size=(1280, 720), world=True), "without": pl.LiveLifter(lifter)}
    for i, frame in enumerate(recording(frames)):
        for name, live in streams.items():
            began = time.process_time_ns()
            live.push(frame, pl.MEDIAPIPE_33, i / 50)
            taken[name].append(time.process_time_ns() - began)
    return {name: summary(times[SKIPPED:]) for name, times in taken.items()}


def memory(minutes: float, delay_s: float) -> dict:
    """Peak memory while a stream of 50 frames a second, of one or two people by turns, runs as fast as it can."""
    live, frames = pl.LiveLifter(delay_s=delay_s), int(minutes * 60 * 50)
    keypoints, peaks, began = recording(2000), {}, time.process_time()
    for i in range(frames):
        people = keypoints[i % 2000][None] + np.array([[[0, 0, 0]], [[900, 0, 0]]], np.float32)
        live.push_people(people[: 1 + (i // 500) % 2], pl.MEDIAPIPE_33, i / 50)
        if i in (3000, frames // 2, frames - 1):
            peaks[f"minute {i / 3000:.1f}"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "minutes": minutes,
        "delay_s": live.delay_s,
        "people": live.counts.people,
        "peak MiB": peaks,
        "cpu s": time.process_time() - began,
    }


def accelerations(xyz: np.ndarray) -> float:
    """Mean length of the second differences of all joints, mm a frame squared."""
    return float(1000 * np.linalg.norm(np.diff(xyz, 2, axis=0), axis=-1).mean())


def jitter() -> list[dict]:
    """Second differences of poses, live and offline, of the bundled clip at its own 30 frames a second, and at 50."""
    (person,) = pl.read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
    frames = np.concatenate([person.xy, person.confidence[..., None]], -1)
    rows = []
    for fps in (50.0, 30.0):
        clip = pl.Keypoints2D(person.xy, person.confidence, person.skeleton, fps)
        for name, delay_s, smooth in (
            (LIVE, 0.0, False),
            (LIVE, 0.0, True),
            (LIVE, 0.16, False),
            (LIVE, 0.24, False),
            (LATE, 2.58, False),
        ):
            lifter = pl.load_lifter(name, threads=1)
            offline = pl.lift(clip, lifter, repair=False, check=False).xyz
            live = pl.LiveLifter(lifter, delay_s=delay_s, smooth=smooth)
            end = np.repeat(frames[-1:], 140, 0) if delay_s else frames[:0]
            poses = [live.push(frame, clip.skeleton, i / fps) for i, frame in enumerate(np.concatenate([frames, end]))]
            poses = [pose for pose in poses if pose is not None and pose.start_s <= (len(frames) - 2) / fps]
            late = round(fps * poses[0].start_s)
            rows.append(
                {"lifter": name, "fps": fps, "delay_s": live.delay_s, "smooth": smooth,
                 "smoothing_delay_s": live.smoothing_delay_s,
                 "live": accelerations(np.concatenate([pose.xyz for pose in poses])),
                 "offline": accelerations(offline[late : late + len(poses)])}
            )  # fmt: skip
    return rows


def machine() -> dict:
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "cpu": cpu[0].partition(":")[2].strip() if cpu else platform.processor(),
        "cores": os.cpu_count(), "load": os.getloadavg(), "python": platform.python_version(), "commit": commit,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()
    result = {"machine": machine(), "pushes": [], "jitter": jitter(), "world": room(options.frames)}
    for name, delay_s, fps, people in (
        (LIVE, 0.0, 50.0, 1),
        (LIVE, 0.0, 30.0, 1),
        (LIVE, 0.16, 50.0, 1),
        (LIVE, 0.24, 50.0, 1),
        (LATE, 2.58, 50.0, 1),
        (LIVE, 0.0, 50.0, 4),
    ):
        result["pushes"].append(pushes(name, delay_s, fps, options.frames, people))
    result["memory"] = [memory(options.minutes, delay_s) for delay_s in (0.24, 0.0) if options.minutes]
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
