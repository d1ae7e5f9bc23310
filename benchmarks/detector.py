"""Measure the detector of people: how exact it is, whom it misses or makes up, and what it costs.

Usage: python benchmarks/detector.py VIDEOS RECORDING.npz [--model BLAZEPOSE.onnx] [--frames N]

VIDEOS is a folder with pose2sim_single_cam01.mp4, pose2sim_single_cam03.mp4, mmpose_demo.mp4 and sports2d_demo.mp4;
`poselift.measure.recording` describes the recording's file, which belongs to the first two. Errors are means over the
twelve limb joints, in percent of the standing height in pixels: of legs, trunk and head as triangulated, and 8 cm from
the ankle to the floor. CPU times are measured in turns, frame by frame, with mediapipe's if it is installed (0.10.21
was compared), so that a busy machine slows all of them.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from poselift.detect.people import PeopleDetector
from poselift.detect.video import read_frames
from poselift.skeleton import H36M_17, MEDIAPIPE_33

JOINTS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
LIMBS = [f"{side}_{joint}" for side in ("left", "right") for joint in JOINTS]
CAMERAS = {"pose2sim_single_cam01": 0, "pose2sim_single_cam03": 1}
DECODED_WIDTH = {"pose2sim_single_cam01": 1080}
"""The video of camera 1 holds 1080 columns of the 1088 that were calibrated."""
ANKLE_M = 0.08

Frames = list[tuple[float, np.ndarray]]


def projected(archive: dict[str, np.ndarray], camera: int, joints: np.ndarray) -> np.ndarray:
    """Joints (..., 3) in metres of the world as pixels (..., 2)."""
    points = joints @ archive["R"][camera].T + archive["t"][camera]
    x, y = np.moveaxis(points[..., :2] / points[..., 2:], -1, 0)
    k1, k2, p1, p2 = archive["dist"][camera]
    square = x**2 + y**2
    radial = 1 + k1 * square + k2 * square**2
    x, y = (
        x * radial + 2 * p1 * x * y + p2 * (square + 2 * x**2),
        y * radial + p1 * (square + 2 * y**2) + 2 * p2 * x * y,
    )
    camera_matrix = archive["K"][camera]
    return np.stack([x, y, np.ones_like(x)], -1) @ camera_matrix[:2].T


def standing_height_px(archive: dict[str, np.ndarray], camera: int) -> float:
    """Height of the person at the mean distance from a camera, standing upright."""
    joints = archive["X3d17"]

    def bone(first: str, second: str) -> float:
        ends = joints[:, [H36M_17.index(first), H36M_17.index(second)]]
        return float(np.nanmedian(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1)))

    legs = [bone(f"{side}_hip", f"{side}_knee") + bone(f"{side}_knee", f"{side}_ankle") for side in ("left", "right")]
    trunk = bone("pelvis", "spine") + bone("spine", "thorax") + bone("thorax", "head_top")
    depth = np.nanmedian((joints[:, 0] @ archive["R"][camera].T + archive["t"][camera])[:, 2])
    return float((np.mean(legs) + trunk + ANKLE_M) * archive["K"][camera][0, 0] / depth)


def measure_errors(videos: Path, archive: dict[str, np.ndarray], model: Path | None) -> None:
    for name, camera in CAMERAS.items():
        frames = list(read_frames(videos / f"{name}.mp4", longest_side=1920))
        detector = PeopleDetector(model)
        found = [detector(rgb, time_s) for time_s, rgb in frames]
        missed = sum(not len(people) for people in found)
        largest = [people[np.ptp(people[..., 1], axis=1).argmax()] if len(people) else None for people in found]
        nobody = np.full((33, 3), np.nan, np.float32)
        limbs = np.stack([nobody if one is None else one for one in largest])[:, MEDIAPIPE_33.indices(LIMBS), :2]
        limbs[..., 0] *= archive["image_wh"][0] / DECODED_WIDTH.get(name, archive["image_wh"][0])
        of_limbs = H36M_17.indices(LIMBS)
        valid = archive["valid"][: len(limbs), of_limbs]
        truth = projected(archive, camera, archive["X3d17"][: len(limbs), of_limbs])
        openpose = archive["kp2d17"][camera, : len(limbs), of_limbs].transpose(1, 0, 2)
        height_px = standing_height_px(archive, camera)
        to_truth = np.nanmean(np.linalg.norm(limbs - truth, axis=-1)[valid]) / height_px
        seen = openpose[..., 2] > 0.3
        to_openpose = np.nanmean(np.linalg.norm(limbs - openpose[..., :2], axis=-1)[seen]) / height_px
        print(
            f"{name}: missed in {missed} of {len(frames)} frames; {to_truth:.2%} of the height ({height_px:.0f} px) "
            f"from the projected truth, {to_openpose:.2%} from OpenPose"
        )


def count_people(videos: Path, model: Path | None) -> None:
    for name in ("mmpose_demo", "sports2d_demo"):
        detector = PeopleDetector(model)
        frames = read_frames(videos / f"{name}.mp4", longest_side=1920)
        print(f"{name}: people in each frame: {''.join(f'{len(detector(rgb, at)):x}' for at, rgb in frames)}")


def look_at_nothing(videos: Path, model: Path | None) -> None:
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, 1280).astype(np.uint8)[None, :, None].repeat(720, 0).repeat(3, 2)
    pictures = {"black": np.zeros_like(ramp), "noise": rng.integers(0, 256, ramp.shape, np.uint8), "ramp": ramp}
    (*_, (_, pictures["empty street"])) = read_frames(videos / "sports2d_demo.mp4", longest_side=1920)
    for name, picture in pictures.items():
        detector = PeopleDetector(model)
        print(f"{name}: {max(len(detector(picture, frame * 0.2)) for frame in range(5))} people")


def mediapipe_detector() -> Callable[[np.ndarray, float], object] | None:
    """MediaPipe's full model with tracking, as far as it is installed."""
    try:
        import mediapipe
    except ImportError:
        return None
    pose = mediapipe.solutions.pose.Pose(static_image_mode=False, model_complexity=1, smooth_landmarks=False)
    pose.process(np.zeros((64, 64, 3), np.uint8))
    return lambda rgb, time_s: pose.process(rgb)


def in_turns(frames: Frames, detectors: dict[str, Callable[[np.ndarray, float], object]]) -> dict[str, float]:
    """Mean CPU milliseconds a frame of each detector."""
    spent = dict.fromkeys(detectors, 0.0)
    for time_s, rgb in frames:
        for name, detector in detectors.items():
            start = time.process_time()
            detector(rgb, time_s)
            spent[name] += time.process_time() - start
    return {name: 1000 * seconds / len(frames) for name, seconds in spent.items()}


def measure_cost(videos: Path, model: Path | None, count: int) -> None:
    frames = list(read_frames(videos / "pose2sim_single_cam03.mp4", longest_side=1920))[:count]
    detectors: dict[str, Callable[[np.ndarray, float], object]] = {"ours": PeopleDetector(model)}
    if (mediapipe := mediapipe_detector()) is not None:
        detectors["mediapipe"] = mediapipe
    spent = in_turns(frames, detectors)
    print(f"one person, 1088 x 1920, 60 frames/s: CPU ms a frame: {spent}")
    if mediapipe is not None:
        print(f"  ours / mediapipe: {spent['ours'] / spent['mediapipe']:.2f}")
    for name, start in (("pose2sim_single_cam01", 0), ("sports2d_demo", 60)):
        frames = list(read_frames(videos / f"{name}.mp4", longest_side=1920))[start : start + count]
        spent = in_turns(frames, {"one": PeopleDetector(model, most=1), "two": PeopleDetector(model)})
        print(f"{name}, one person followed, and two: CPU ms a frame: {spent}: {spent['two'] / spent['one']:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--model", type=Path, help="another BlazePose file than the package's")
    parser.add_argument("--frames", type=int, default=100, help="frames of each video of which the cost is measured")
    args = parser.parse_args()
    with np.load(args.recording) as archive:
        measure_errors(args.videos, dict(archive), args.model)
    count_people(args.videos, args.model)
    look_at_nothing(args.videos, args.model)
    measure_cost(args.videos, args.model, args.frames)


if __name__ == "__main__":
    main()
