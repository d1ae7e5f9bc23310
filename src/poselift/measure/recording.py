"""Evaluation on a real recording: poses lifted from one camera, against joints triangulated from several."""

from pathlib import Path

import numpy as np

from poselift.errors import DatasetError, ShapeError
from poselift.formats.archive import read_archive
from poselift.lifters.card import RECORDING, Score
from poselift.lifters.contract import Lifter
from poselift.lifting import lift
from poselift.measure.metrics import p_mpjpe
from poselift.prepare.swaps import without_log
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import BODY_25B, H36M_17

LEAST_VALID = 9
"""Number of limb joints whose truth must be valid for a frame to count."""
_LIMBS = [joint for limb in H36M_17.limbs for joint in limb]


class Recording:
    """One person seen by several cameras, from an npz archive.

    It holds `kp2d_body25b` (cameras, T, 25, 3) pixels and confidence, `cameras` their numbers, `X3d17` (T, 17, 3)
    metres in any frame, `valid` (T, 17), and `fps`.
    """

    def __init__(self, path: str | Path) -> None:
        """Read the archive.

        Raises:
            MissingData: There is no such file.
            DatasetError: The file is broken, lacks an array, or its arrays do not fit together.
        """
        self.name = Path(path).name
        content = read_archive(path)
        if lacking := {"kp2d_body25b", "cameras", "X3d17", "valid", "fps"} - set(content):
            raise DatasetError(f"{path} lacks {', '.join(sorted(lacking))}; wanted a recording by several cameras")
        arrays = {name: np.asarray(content[name]) for name in ("X3d17", "valid", "kp2d_body25b", "cameras", "fps")}
        frames, count = len(np.atleast_1d(arrays["X3d17"])), arrays["cameras"].size
        for name, shape in (
            ("X3d17", (frames, len(H36M_17), 3)),
            ("valid", (frames, len(H36M_17))),
            ("kp2d_body25b", (count, frames, len(BODY_25B), 3)),
            ("cameras", (count,)),
            ("fps", ()),
        ):
            got = arrays[name]
            if got.shape != shape or got.dtype.kind not in ("biuf" if name != "cameras" else "biufU"):
                raise DatasetError(f"{path}, {name}: wanted numbers of shape {shape}, got {got.dtype} {got.shape}")
        self.truth, self.valid = arrays["X3d17"], arrays["valid"].astype(bool)
        try:
            self.people = {
                str(camera): Keypoints2D(seen[..., :2], seen[..., 2], BODY_25B, float(arrays["fps"]))
                for camera, seen in zip(arrays["cameras"].tolist(), arrays["kp2d_body25b"], strict=True)
            }
        except ShapeError as error:
            raise DatasetError(f"{path}: {error}") from error
        if not _scored(self.valid).any():
            raise DatasetError(f"{path}: no frame has {LEAST_VALID} valid limb joints, so nothing can be scored")

    def score(self, lifter: Lifter, camera: str, *, flip_average: bool = False) -> Score:
        """Measure P-MPJPE over the valid limb joints, with one camera's detections.

        Raises:
            DatasetError: There is no such camera.
        """
        if camera not in self.people:
            raise DatasetError(f"{self.name} has no camera '{camera}'; it has {', '.join(self.people)}")
        with without_log():
            poses = lift(self.people[camera], lifter, flip_average=flip_average, check=False)
        error, frames = limb_error(poses, self.truth, self.valid)
        protocol = {
            "camera": camera,
            "keypoints": f"{BODY_25B.name}, as the recording has them",
            "joints": f"the twelve of the limbs where valid, in frames with {LEAST_VALID} of them",
            "flip_average": flip_average,
        }
        return Score(
            kind=RECORDING, data=self.name, protocol=protocol, frames=frames, mean={"p_mpjpe": round(error, 3)}
        )


def limb_error(poses: Poses3D, truth: np.ndarray, valid: np.ndarray) -> tuple[float, int]:
    """Return P-MPJPE in millimetres over valid limb joints, and the number of frames compared.

    Args:
        poses: T poses of 17 joints.
        truth: (T, 17, 3) metres, any frame.
        valid: (T, 17) bool, joints whose truth can be used.
    """
    frames = _scored(valid)
    mask = valid[frames][:, _LIMBS]
    errors = p_mpjpe(poses.xyz[frames][:, _LIMBS], np.nan_to_num(truth[frames][:, _LIMBS]), mask)
    return 1000 * float(errors[mask].mean()), int(frames.sum())


def _scored(valid: np.ndarray) -> np.ndarray:
    """(T,) frames that count, of (T, 17) joints whose truth is valid."""
    return valid[:, _LIMBS].sum(1) >= LEAST_VALID
