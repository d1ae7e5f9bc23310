"""Write a page of several people for minutes, and measure its size, and how fast a headless Chromium plays it.

    python benchmarks/page.py clip_person1.npz clip_person2.npz --keypoints people.npz [--minutes 10] [-o long.html]

The results of one clip are played forth and back for so many minutes, with noise that keeps them from becoming small
unduly: 2 mm for joints and path, 0.3 pixels for keypoints. Printed are the size, seconds until the page is ready,
milliseconds that JavaScript takes for a frame, frames a second while it plays, and milliseconds of CPU that the
page's thread takes for one, which depend less on how busy the machine is.
"""

import argparse
import importlib.util
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import poselift as pl

DRIVER = Path(__file__).resolve().parents[1] / "tests" / "viewer" / "chromium.py"
DRAW = """(() => {
  const start = performance.now();
  for (let i = 0; i < 60; i++) { seek(60 + i); draw(performance.now()); }
  return (performance.now() - start) / 60;
})()"""
PLAY = """new Promise(done => {
  setPlaying(true);
  let count = 0;
  const start = performance.now();
  const look = now => {
    count++;
    if (now - start < 5000) requestAnimationFrame(look); else done([count, 1000 * count / (now - start)]);
  };
  requestAnimationFrame(look);
})"""


def write_page(args: argparse.Namespace) -> None:
    """Write the page of all results that are named."""
    rng = np.random.default_rng(0)
    everyone = [pl.read_poses(path) for path in args.poses]
    shown = {person.person: person for person in pl.read_keypoints(args.keypoints, people="all")}
    length, frames = len(everyone[0]), round(60 * args.minutes * everyone[0].fps)
    forth = np.arange(frames) % max(1, 2 * length - 2)
    order = np.where(forth < length, forth, 2 * length - 2 - forth)

    def longer(values: np.ndarray | None, noise: float = 0.0) -> np.ndarray | None:
        return None if values is None else values[order] + rng.normal(0, 1, values[order].shape) * noise

    people, keypoints = [], []
    for number, poses in enumerate(everyone, 1):
        observed = None if poses.observed is None else np.clip(longer(poses.observed, 0.01), 0, 1)
        spread = None if poses.spread is None else np.abs(longer(poses.spread, 0.0005))
        arrays = {name: longer(getattr(poses, name)) for name in ("gap", "up", "contact")}
        arrays |= {"xyz": longer(poses.xyz, 0.002), "path": longer(poses.path, 0.002)}
        people.append(replace(poses, **arrays, observed=observed, spread=spread, person=number))
        seen = shown[poses.person]
        confidence = None if seen.confidence is None else np.clip(longer(seen.confidence, 0.01), 0, 1)
        keypoints.append(replace(seen, xy=longer(seen.xy, 0.3), confidence=confidence))
    start = time.process_time()
    pl.write_viewer(people, args.out, keypoints=keypoints, overwrite=True)
    print(f"{len(people)} people, {frames} frames: {args.out.stat().st_size / 1e6:.1f} MB", end=", ")
    print(f"written in {time.process_time() - start:.1f} s of CPU")


def play(page: Path) -> None:
    """Print how fast a headless Chromium opens and plays a page."""
    spec = importlib.util.spec_from_file_location("chromium", DRIVER)
    driver = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(driver)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = driver.Chromium(Path(profile))
        try:
            browser.send(
                "Emulation.setDeviceMetricsOverride", width=1280, height=800, deviceScaleFactor=1, mobile=False
            )
            start = time.perf_counter()
            browser.open(page.resolve().as_uri())
            print(f"ready after {time.perf_counter() - start:.1f} s, {browser.run(DRAW):.1f} ms a frame", end=", ")
            browser.send("Performance.enable", timeDomain="threadTicks")
            before = busy_s(browser)
            count, rate = browser.run(PLAY)
            took_s = (busy_s(browser) - before) / count
            print(f"{rate:.0f} frames a second; {1000 * took_s:.1f} ms of CPU a frame in the page's thread")
        finally:
            browser.close()


def busy_s(browser: object) -> float:
    """Return the seconds of CPU that the page's thread has taken."""
    metrics = browser.send("Performance.getMetrics")["metrics"]
    return next(one["value"] for one in metrics if one["name"] == "TaskDuration")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("poses", type=Path, nargs="+", help="results of the people of one clip; one may come twice")
    parser.add_argument("--keypoints", type=Path, required=True, help="what --keypoints-out wrote for the clip")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("-o", "--out", type=Path, default=Path("long.html"))
    args = parser.parse_args()
    write_page(args)
    play(args.out)


if __name__ == "__main__":
    main()
