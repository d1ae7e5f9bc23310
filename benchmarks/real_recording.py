"""Compare a lifter with two real calibrated cameras: real detections against triangulated joints.

Usage: python benchmarks/real_recording.py RECORDING.npz [LIFTER] [--keypoints CAMERA1.npz CAMERA3.npz]

`poselift.measure.recording` describes the recording's file. The script prints P-MPJPE in millimetres over those of the
twelve limb joints that are valid, in frames with nine or more of them.
"""

import argparse
from pathlib import Path

import poselift as pl
from poselift.measure.recording import Recording


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("lifter", nargs="?", default=None)
    parser.add_argument("--keypoints", nargs=2, type=Path, help="our detector's keypoints instead of OpenPose's")
    parser.add_argument("--flip", action="store_true")
    args = parser.parse_args()
    recording = Recording(args.recording)
    lifter = pl.load_lifter(args.lifter) if args.lifter else pl.load_lifter()
    for number, camera in enumerate(recording.people):
        if args.keypoints:
            (recording.people[camera], *_) = pl.read_keypoints(args.keypoints[number])
        score = recording.score(lifter, camera, flip_average=args.flip)
        print(f"camera {camera}: {score.mean['p_mpjpe']:.1f} mm over {score.frames} frames")


if __name__ == "__main__":
    main()
