"""Draw the results of every sample for docs/gallery.md, as small WebP pictures in docs/images/gallery.

    PYTHONPATH=src python scripts/make_gallery.py ../shared/data [NAME ...]

Samples that lie beside the repository are lifted as `poselift lift` does, and drawn as `poselift render` does. Frames
of a video are only shown where NOTICE names its licence; of the others, there is the figure alone.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import numpy as np
from PIL import Image

import poselift as pl
from poselift.cli import main as command
from poselift.formats import write_keypoints
from poselift.measure.recording import KEYPOINTS
from poselift.render import render

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "gallery"
BUNDLED = Path(str(resources.files("poselift") / "data"))
SECONDS = 6
WIDTH, QUALITY, ROWS = 960, 72, 3
"""Width of a picture in pixels, quality of WebP from 0 to 100, and frames that are shown below each other."""


def run(*arguments: object) -> None:
    if command([str(argument) for argument in arguments]):
        raise SystemExit(f"failed: {arguments}")


def drawn(results: Sequence[Path], folder: Path, name: str, *, video: Path | None = None) -> None:
    """Draw results at some frames, and keep the picture small."""
    poses = [pl.read_poses(path) for path in results]
    alone = poses[0].gap if len(poses) == 1 and poses[0].gap is not None else np.zeros(len(poses[0]), bool)
    there = np.flatnonzero(~alone)
    frames = there[(np.linspace(0.1, 0.9, ROWS) * (len(there) - 1)).astype(int)]
    picture = folder / "picture.png"
    title = name.replace("_", " ")
    render(poses, picture, video=video, frames=[int(frame) for frame in frames], height=300, title=title)
    with Image.open(picture) as image:
        small = image.convert("RGB")
        if small.width > WIDTH:
            small = small.resize((WIDTH, round(small.height * WIDTH / small.width)), Image.Resampling.LANCZOS)
        OUT.mkdir(parents=True, exist_ok=True)
        small.save(OUT / f"{name}.webp", quality=QUALITY, method=6)
    print(f"{name}: {(OUT / name).with_suffix('.webp').stat().st_size / 1e3:.0f} kB")


def lifted(source: Path, folder: Path, *options: object) -> list[Path]:
    run("lift", source, "-o", folder / "out", "--formats", "npz", *options)
    return sorted((folder / "out").glob("*.npz"))


def video(path: Path, *, shown: bool, options: Sequence[object] = ()) -> Callable[[Path, str], None]:
    def draw(folder: Path, name: str) -> None:
        results = lifted(path, folder, "--stop", SECONDS, *options)
        drawn(results, folder, name, video=path if shown else None)

    return draw


def keypoints(path: Path, *options: object) -> Callable[[Path, str], None]:
    return lambda folder, name: drawn(lifted(path, folder, *options), folder, name)


def recording(path: Path, array: str) -> Callable[[Path, str], None]:
    """Keypoints of one detector in an archive of a recording."""

    def draw(folder: Path, name: str) -> None:
        with np.load(path) as archive:
            frames, size, fps = archive[array][0], archive["image_wh"], float(archive["fps"])
        xy = np.where(frames[..., 2:] > 0, frames[..., :2], np.nan)
        size = (int(size[0]), int(size[1]))
        person = pl.Keypoints2D(xy, np.nan_to_num(frames[..., 2]), KEYPOINTS[array], fps, size)
        write_keypoints(person, folder / "keypoints.npz")
        drawn(lifted(folder / "keypoints.npz", folder), folder, name)

    return draw


def motion(path: Path) -> Callable[[Path, str], None]:
    def draw(folder: Path, name: str) -> None:
        run("convert", path, folder / "motion.npz")
        drawn([folder / "motion.npz"], folder, name)

    return draw


def samples(data: Path) -> dict[str, Callable[[Path, str], None]]:
    """What draws each sample, by the name of the picture."""
    videos = data / "video"
    return {
        "demo": keypoints(BUNDLED / "demo.npz"),
        "demo_video": video(BUNDLED / "demo_video.mp4", shown=True),
        "pose2sim_cam01": video(videos / "pose2sim_single_cam01.mp4", shown=True),
        "pose2sim_cam03": video(videos / "pose2sim_single_cam03.mp4", shown=True),
        "sports2d": video(videos / "sports2d_demo.mp4", shown=True),
        "mmpose": video(videos / "mmpose_demo.mp4", shown=False),
        "openpose_folder": keypoints(data / "openpose_cam01", "--fps", 60, "--image-size", 1088, 1920),
        "openpose_body25b": recording(data / "pose2sim_cams_1_3.npz", "kp2d_body25b"),
        "seated_openpose": recording(data / "keraal_ctk.npz", "kp2d_coco18_openpose"),
        "seated_alphapose": recording(data / "keraal_ctk.npz", "kp2d_coco17_alphapose"),
        "seated_blazepose": recording(data / "keraal_ctk.npz", "kp2d_blazepose33"),
        "mocap_walk": motion(data / "cmu_samples" / "02_01.amc"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    for name, draw in samples(options.data).items():
        if not options.names or name in options.names:
            with tempfile.TemporaryDirectory() as folder:
                draw(Path(folder), name)


if __name__ == "__main__":
    main()
