"""What a video costs: frames a second from the file to the poses and where the time goes, or memory over many minutes.

    python benchmarks/video.py cost VIDEO [--seconds 60] [--size 1920 1080] [--fps 30] [--model heavy.onnx]
    python benchmarks/video.py memory VIDEO [--seconds 600] [--size 540 960] [--fps 15]

VIDEO is played forward and backward until the copy that is measured is long enough, so that nobody jumps.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import numpy as np

import poselift as pl
from poselift.detect import detect_video
from poselift.detect.people import open_detector
from poselift.detect.video import probe, read_frames


def there_and_back(path: Path, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield the pictures of a video at a size, forward and backward, without end."""
    pictures = [
        av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(*size, format="yuv420p").to_ndarray()
        for _, rgb in read_frames(path, longest_side=max(size))
    ]
    yield from cycle(pictures + pictures[-2:0:-1])


def make(path: Path, out: Path, seconds: float, size: tuple[int, int], fps: int) -> None:
    """Write a long H.264 video."""
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt, stream.options = "yuv420p", {"preset": "veryfast", "crf": "20"}
        for number, picture in enumerate(islice(there_and_back(path, size), round(seconds * fps))):
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


class Timed:
    """A detector that adds up its seconds, of the clock and of its thread."""

    def __init__(self, model: Path | None) -> None:
        self.detector = open_detector(model)
        self.skeleton, self.seconds, self.cpu, self.people = self.detector.skeleton, 0.0, 0.0, 0

    def __call__(self, rgb: np.ndarray, time_s: float) -> np.ndarray:
        start, cpu = time.perf_counter(), time.thread_time()
        found = self.detector(rgb, time_s)
        self.seconds += time.perf_counter() - start
        self.cpu += time.thread_time() - cpu
        self.people += len(found)
        return found


def spent(start: tuple[float, float]) -> tuple[float, float]:
    """Return the seconds of the clock and of all threads since `start`."""
    return time.perf_counter() - start[0], time.process_time() - start[1]


def now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def cost(video: Path, model: Path | None) -> None:
    """Print the time of every stage, alone and together."""
    info = probe(video)
    print(f"{info.width} x {info.height}, {info.frames} frames at {info.fps:g} fps")
    rows = []
    start = now()
    frames = sum(1 for _ in read_frames(video, longest_side=1920))
    rows.append(("decode, to RGB (alone)", *spent(start)))
    detector, start = Timed(model), now()
    people = detect_video(video, detector=detector)
    together = spent(start)
    rows += [("detect (of the next row)", detector.seconds, detector.cpu), ("decode and detect", *together)]
    start = now()
    for person in people:
        pl.lift(person, check=False)
    lifting = spent(start)
    rows.append((f"lift {len(people)} people", *lifting))
    rows.append(("everything", together[0] + lifting[0], together[1] + lifting[1]))
    print(f"{detector.people / frames:.2f} people in a frame; frames a second by the clock, and CPU ms a frame:")
    for name, clock, cpu in rows:
        print(f"  {name:28s} {clock:8.2f} s {frames / clock:8.1f} frames/s {1000 * cpu / frames:8.2f} ms")


def memory_mib() -> float:
    """Return the resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def memory(video: Path, model: Path | None) -> None:
    """Print the memory for every minute of video."""
    info, seen = probe(video), []
    print(f"{info.width} x {info.height}, {info.frames} frames at {info.fps:g} fps; before: {memory_mib():.0f} MiB")

    def tick(done: int, total: int | None) -> None:
        seen.append(memory_mib())
        if done % round(60 * info.fps) == 0:
            recent = seen[-round(30 * info.fps) :]
            print(
                f"  minute {done / 60 / info.fps:.0f}: {np.mean(recent):.1f} MiB, at most {max(recent):.1f}", flush=True
            )

    start = now()
    people = detect_video(video, model=model, progress=tick)
    print(f"{len(people)} people after {spent(start)[0]:.0f} s: {memory_mib():.1f} MiB")
    for person in people:
        pl.lift(person, check=False)
    print(f"lifted: {memory_mib():.1f} MiB; peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cost", "memory"))
    parser.add_argument("video", type=Path)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--size", type=int, nargs=2)
    parser.add_argument("--fps", type=int)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--keep", type=Path, help="the long video; made if it is not there, and deleted without this")
    args = parser.parse_args()
    seconds, size, fps = (60.0, (1920, 1080), 30) if args.what == "cost" else (600.0, (540, 960), 15)
    with tempfile.TemporaryDirectory() as folder:
        long = args.keep or Path(folder) / "long.mp4"
        if not long.exists():
            make(args.video, long, args.seconds or seconds, tuple(args.size or size), args.fps or fps)
        (cost if args.what == "cost" else memory)(long, args.model)


if __name__ == "__main__":
    main()
