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
from importlib import resources
from pathlib import Path

import numpy as np

import poselift as pl

WINDOW = np.random.default_rng(0).normal(size=(1, 81, 17, 3)).astype(np.float32)


def recording(frames: int, scores: bool = True) -> np.ndarray:
    """(frames, 33, 3): the bundled clip of real keypoints, forwards and backwards, at 50 frames a second."""
    (person,) = pl.read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
    confidence = person.confidence if scores else np.ones(person.xy.shape[:2], np.float32)
    clip = np.concatenate([person.xy, confidence[..., None]], -1)
    there_and_back = np.concatenate([clip, clip[-2:0:-1]])
    return there_and_back[np.arange(frames) % len(there_and_back)]


class Times:
    """Milliseconds of wall and processor of many calls."""

    def __init__(self) -> None:
        self.wall, self.cpu = [], []

    def run(self, call):
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        result = call()
        self.cpu.append((time.process_time_ns() - cpu) / 1e6)
        self.wall.append((time.perf_counter_ns() - wall) / 1e6)
        return result

    @property
    def quiet(self) -> np.ndarray:
        """Calls during which the processor did nothing else, by the difference of the two clocks."""
        return np.subtract(self.wall, self.cpu) < 0.1

    def summary(self, skip: int = 100) -> dict:
        found = {}
        for name, values in (("wall", self.wall[skip:]), ("cpu", self.cpu[skip:])):
            found[name] = {"median": float(np.median(values)), "mean": float(np.mean(values))} | {
                f"p{share:g}": float(np.percentile(values, share)) for share in (5, 95, 99)
            }
        return found


def pushes(name: str, delay_s: float, fps: float, frames: int, people: int = 1) -> dict:
    """Pushes and windows by themselves, in turns."""
    lifter = pl.load_lifter(name, threads=1)
    live, keypoints = pl.LiveLifter(lifter, delay_s=delay_s), recording(frames)
    window = np.resize(WINDOW, (1, lifter.in_frames, len(lifter.skeleton), lifter.in_channels))
    alone, push = Times(), Times()
    for i, frame in enumerate(keypoints):
        alone.run(lambda: lifter(window))
        if people == 1:
            push.run(lambda: live.push(frame, pl.MEDIAPIPE_33, i / fps))  # noqa: B023
        else:
            everybody = frame[None] + np.arange(people)[:, None, None] * np.array([900, 0, 0], np.float32)
            push.run(lambda: live.push_people(everybody, pl.MEDIAPIPE_33, i / fps))  # noqa: B023
    result = {"lifter": name, "delay_s": live.delay_s, "fps": fps, "people": people, "frames": frames}
    result |= {"windows a push": live.counts.windows / frames, "window": alone.summary(), "push": push.summary()}
    quiet = alone.quiet & push.quiet & np.roll(alone.quiet & push.quiet, 1)
    quiet[:100] = False
    result["turns that nothing interrupted"] = int(quiet.sum())
    if quiet.any():
        result["uninterrupted: push / window"] = float(
            np.median(np.array(push.wall)[quiet]) / np.median(np.array(alone.wall)[quiet])
        )
    for clock in ("wall", "cpu"):
        one = result["window"][clock]["median"]
        cost = np.array(getattr(push, clock)[100:]) / one
        result[f"{clock}: push / window"] = float(np.median(cost))
        result[f"{clock}: p5 of push / p5 of window"] = result["push"][clock]["p5"] / result["window"][clock]["p5"]
        result[f"{clock}: mean push / window"] = float(np.mean(cost))
        result[f"{clock}: p99 of push / median of push"] = float(np.percentile(cost, 99) / np.median(cost))
        result[f"{clock}: most of a push / window"] = float(np.max(cost))
        result[f"{clock}: p99 of push / window"] = float(np.percentile(cost, 99))
    return result


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
            ("nanohtnet.mocap-live", 0.0, False),
            ("nanohtnet.mocap-live", 0.0, True),
            ("nanohtnet.mocap-live", 0.16, False),
            ("nanohtnet.mocap-live", 0.24, False),
            ("nanohtnet.mocap-81", 0.96, False),
        ):
            lifter = pl.load_lifter(name, threads=1)
            offline = pl.lift(clip, lifter, repair=False, check=False).xyz
            live = pl.LiveLifter(lifter, delay_s=delay_s, smooth=smooth)
            end = np.repeat(frames[-1:], 60, 0) if delay_s else frames[:0]
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
    result = {"machine": machine(), "pushes": [], "jitter": jitter()}
    for name, delay_s, fps, people in (
        ("nanohtnet.mocap-live", 0.0, 50.0, 1),
        ("nanohtnet.mocap-live", 0.0, 30.0, 1),
        ("nanohtnet.mocap-live", 0.16, 50.0, 1),
        ("nanohtnet.mocap-live", 0.24, 50.0, 1),
        ("nanohtnet.mocap-81", 0.96, 50.0, 1),
        ("nanohtnet.mocap-live", 0.0, 50.0, 4),
    ):
        result["pushes"].append(pushes(name, delay_s, fps, options.frames, people))
    result["memory"] = [memory(options.minutes, delay_s) for delay_s in (0.24, 0.0) if options.minutes]
    text = json.dumps(result, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
