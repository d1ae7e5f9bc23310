"""Compare a lifter with two real calibrated cameras: real detections against triangulated joints.

Usage: python benchmarks/real_recording.py RECORDING.npz [LIFTER] [--keypoints CAMERA1.npz CAMERA3.npz]

The recording holds `kp2d_body25b` (cameras, T, 25, 3), `X3d17` (T, 17, 3) metres, `valid` (T, 17) and `fps`. Printed is
P-MPJPE in millimetres over the valid ones of the twelve limb joints, frames with nine or more of them.
"""

import argparse
from collections.abc import Mapping, Sequence
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


def errors_by_camera(
    data: Mapping[str, np.ndarray], lifter: pl.Lifter, *, keypoints: Sequence[Path] = (), flip: bool = False
) -> list[tuple[int, float, int]]:
    """Camera, P-MPJPE in millimetres over valid limb joints, and frames compared, of each camera of a recording.

    Args:
        data: The recording's arrays.
        lifter: Any lifter.
        keypoints: A file for each camera, in place of the recording's own keypoints.
        flip: Average with the mirror image.
    """
    errors = []
    for camera, found in enumerate(data["kp2d_body25b"]):
        if keypoints:
            (person, *_) = pl.read_keypoints(keypoints[camera])
        else:
            person = pl.Keypoints2D(found[..., :2], found[..., 2], pl.BODY_25B, float(data["fps"]))
        poses = pl.lift(person, lifter, flip_average=flip)
        errors.append((int(data["cameras"][camera]), *limb_error(poses, data["X3d17"], data["valid"])))
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("lifter", nargs="?", default=None)
    parser.add_argument("--keypoints", nargs=2, type=Path, help="our detector's keypoints instead of OpenPose's")
    parser.add_argument("--flip", action="store_true")
    args = parser.parse_args()
    data = np.load(args.recording, allow_pickle=False)
    lifter = pl.load_lifter(args.lifter) if args.lifter else pl.load_lifter()
    for camera, error, frames in errors_by_camera(data, lifter, keypoints=args.keypoints or (), flip=args.flip):
        print(f"camera {camera}: {error:.1f} mm over {frames} frames")


if __name__ == "__main__":
    main()
