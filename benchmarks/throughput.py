"""Measure frames per second and memory when a long clip of keypoints is lifted, and the latency of the network alone.

Usage: OMP_WAIT_POLICY=PASSIVE python benchmarks/throughput.py [LIFTER] [--frames 10000] [--threads 2]
"""

import argparse
import platform
import resource
import time

import numpy as np

import poselift as pl


def clip(frames: int) -> pl.Keypoints2D:
    """Return a wandering BODY_25B figure at 50 fps, with one joint in twenty missing."""
    rng = np.random.default_rng(0)
    figure = rng.normal(0, 100, (1, 25, 2))
    sway = np.cumsum(rng.normal(0, 2, (frames, 25, 2)), 0)
    confidence = (rng.random((frames, 25)) > 0.05).astype(np.float32)
    return pl.Keypoints2D(figure + sway + 500, confidence, pl.BODY_25B, 50.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lifter", nargs="?", default=None)
    parser.add_argument("--frames", type=int, default=10000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    name = {"name_or_path": args.lifter} if args.lifter else {}
    lifter = pl.load_lifter(**name, threads=args.threads)
    keypoints = clip(args.frames)
    for flip in (False, True):
        rates = []
        for _ in range(args.repeats):
            start = time.perf_counter()
            pl.lift(keypoints, lifter, flip_average=flip)
            rates.append(args.frames / (time.perf_counter() - start))
        print(f"flip averaging {'on' if flip else 'off'}: {np.median(rates):.0f} frames/s (best {max(rates):.0f})")
    window = np.random.default_rng(0).normal(size=(1, lifter.in_frames, 17, lifter.in_channels)).astype(np.float32)
    times = []
    for _ in range(200):
        start = time.perf_counter()
        lifter(window)
        times.append(time.perf_counter() - start)
    print(f"one window: {1000 * np.median(times):.2f} ms")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    where = f"{platform.machine()}, Python {platform.python_version()}"
    print(f"peak memory {peak:.0f} MiB; {args.threads} threads; {where}")


if __name__ == "__main__":
    main()
