"""Compare a lifter with two real calibrated cameras: real detections against triangulated joints.

Usage: python benchmarks/real_recording.py RECORDING.npz [LIFTER] [--keypoints CAMERA1.npz CAMERA3.npz]

The recording holds `kp2d_body25b` (cameras, T, 25, 3), `X3d17` (T, 17, 3) metres, `valid` (T, 17) and `fps`. Printed is
P-MPJPE in millimetres over the valid ones of the twelve limb joints, frames with nine or more of them.
"""

import argparse
from pathlib import Path

import numpy as np

import poselift as pl


def limb_error(poses: pl.Poses3D, truth: np.ndarray, valid: np.ndarray) -> tuple[float, int]:
    """P-MPJPE in millimetres over valid limb joints, and the number of frames compared.

    Args:
        poses: (T, 17) poses.
        truth: (T, 17, 3) metres, any frame.
        valid: (T, 17) bool.
    """
    limbs = [joint for limb in pl.H36M_17.limbs for joint in limb]
    frames = valid[:, limbs].sum(1) >= 9
    mask = valid[frames][:, limbs]
    errors = pl.p_mpjpe(poses.xyz[frames][:, limbs], np.nan_to_num(truth[frames][:, limbs]), mask)
    return 1000 * float(errors[mask].mean()), int(frames.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("lifter", nargs="?", default=None)
    parser.add_argument("--keypoints", nargs=2, type=Path, help="our detector's keypoints instead of OpenPose's")
    parser.add_argument("--flip", action="store_true")
    args = parser.parse_args()
    data = np.load(args.recording, allow_pickle=False)
    lifter = pl.load_lifter(args.lifter) if args.lifter else pl.load_lifter()
    for camera, found in enumerate(data["kp2d_body25b"]):
        if args.keypoints:
            (person, *_) = pl.read_keypoints(args.keypoints[camera])
        else:
            person = pl.Keypoints2D(found[..., :2], found[..., 2], pl.BODY_25B, float(data["fps"]))
        poses = pl.lift(person, lifter, flip_average=args.flip)
        error, frames = limb_error(poses, data["X3d17"], data["valid"])
        print(f"camera {data['cameras'][camera]}: {error:.1f} mm over {frames} frames")


if __name__ == "__main__":
    main()
