"""Compare a lifter with real calibrated cameras: real detections against triangulated joints.

Usage: python benchmarks/real_recording.py RECORDING.npz [LIFTER] [--keypoints CAMERA1.npz CAMERA3.npz]

`poselift.measure.recording` describes the recording's file. The script prints P-MPJPE in millimetres over those of the
twelve limb joints that are valid, in frames with nine or more of them, and the angle of the limbs' bones. Where the
file also holds the cameras' `K`, `R` and `t` it parts the error: what a lifter that knew every depth would have,
because the keypoints lie beside the joints, and what this lifter has with the exact projection of the true joints.
"""

import argparse
from pathlib import Path

import numpy as np

import poselift as pl
from poselift.formats.archive import read_archive
from poselift.geometry.camera import Camera
from poselift.measure.recording import Recording, limb_errors
from poselift.prepare.convert import convert
from poselift.prepare.repair import repair, without_log


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("lifter", nargs="?", default=None)
    parser.add_argument("--keypoints", nargs="+", type=Path, help="our detector's keypoints instead of the file's")
    parser.add_argument("--flip", action="store_true")
    args = parser.parse_args()
    recording = Recording(args.recording)
    if args.keypoints and len(args.keypoints) != len(recording.people):
        parser.error(f"wanted a file of keypoints for each of {', '.join(recording.people)}")
    lifter = pl.load_lifter(args.lifter) if args.lifter else pl.load_lifter()
    cameras = cameras_of(args.recording)
    for number, view in enumerate(recording.people):
        if args.keypoints:
            (recording.people[view], *_) = pl.read_keypoints(args.keypoints[number])
        score = recording.score(lifter, view, flip_average=args.flip)
        print(f"camera {view}, {score.frames} frames: {say(score.mean)}")
        if camera := cameras.get(view.split()[0]):
            person, truth, valid = recording.people[view], recording.truth, recording.valid
            with without_log():
                there = at_true_depths(person, truth, valid, camera)
                lifted = pl.lift(projected(person, truth, valid, camera), lifter, flip_average=args.flip, check=False)
            print(f"  the keypoints at the true depths: {say(limb_errors(there, truth, valid))}")
            print(f"  lifted from the true joints' projection: {say(limb_errors(lifted, truth, valid))}")


def say(errors: dict[str, float]) -> str:
    """Return errors in words."""
    return f"P-MPJPE {errors['p_mpjpe']:.1f} mm, bones {errors['bone_direction_aligned']:.1f} degrees"


def cameras_of(path: Path) -> dict[str, Camera]:
    """Return a recording's cameras by their numbers; none where the file does not hold them."""
    content = read_archive(path)
    if {"K", "R", "t"} - set(content):
        return {}
    lenses = content["dist"] if "dist" in content else [None] * len(content["K"])
    found = zip(content["cameras"].tolist(), content["R"], content["t"], content["K"], lenses, strict=True)
    return {str(name): Camera(R, t, K, lens) for name, R, t, K, lens in found}


def at_true_depths(person: pl.Keypoints2D, truth: np.ndarray, valid: np.ndarray, camera: Camera) -> pl.Poses3D:
    """Return joints (T, 17, 3) in the camera's axes: along the rays of the keypoints, at the depths of the truth.

    Args:
        person: Keypoints of T frames; they are repaired as in use. A joint that is not seen is where the truth is.
        truth: (T, 17, 3) joints of `H36M_17` in the world's axes, metres.
        valid: (T, 17) whether the truth can be used; other joints are at 0.
        camera: The camera that saw them.
    """
    seen = convert(repair(person), pl.H36M_17)
    true = camera.to_camera(np.where(valid[..., None], truth, 0.0))
    found = camera.rays(np.nan_to_num(seen.xy)) * true[..., 2:]
    known = valid & seen.seen
    return pl.Poses3D(np.where(known[..., None], found, true).astype(np.float32), pl.H36M_17, person.fps)


def projected(person: pl.Keypoints2D, truth: np.ndarray, valid: np.ndarray, camera: Camera) -> pl.Keypoints2D:
    """Return the valid true joints (T, 17, 3) as a camera sees them, at the person's frame rate; scores are unknown."""
    xy = np.where(valid[..., None], camera.project(truth), np.nan)
    return pl.Keypoints2D(xy, None, pl.H36M_17, person.fps, image_size=person.image_size)


if __name__ == "__main__":
    main()
