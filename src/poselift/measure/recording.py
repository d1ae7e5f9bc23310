"""Evaluation on a real recording: poses lifted from one camera, against joints triangulated from several."""

from pathlib import Path

import numpy as np

from poselift.errors import DatasetError, ShapeError
from poselift.formats.archive import read_archive
from poselift.geometry.align import procrustes
from poselift.lifters.card import RECORDING, Score
from poselift.lifters.contract import Lifter
from poselift.lifting import lift
from poselift.measure.anatomy import bone_angles
from poselift.measure.metrics import p_mpjpe
from poselift.prepare.repair import without_log
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import BODY_25B, COCO_17, COCO_18, H36M_17, MEDIAPIPE_33

LEAST_VALID = 9
"""Number of limb joints whose truth must be valid for a frame to count."""
KEYPOINTS = {
    "kp2d_body25b": BODY_25B,
    "kp2d_coco17_alphapose": COCO_17,
    "kp2d_coco18_openpose": COCO_18,
    "kp2d_blazepose33": MEDIAPIPE_33,
}
"""Arrays of a recording's archive that hold keypoints, with their joint orders."""
_LIMBS = [joint for limb in H36M_17.limbs for joint in limb]
_LIMB_BONES = [(3 * limb + end, 3 * limb + end + 1) for limb in range(len(H36M_17.limbs)) for end in (0, 1)]
"""Upper and lower bone of each limb, as places in `_LIMBS`."""


class Recording:
    """One person seen by one camera or several, and by one 2D detector or several, from an npz archive.

    It holds one or more of `KEYPOINTS`, each (cameras, T, J, 3) pixels and confidence, `cameras` their numbers,
    `X3d17` (T, 17, 3) metres in any frame, `valid` (T, 17), and `fps`.
    """

    def __init__(self, path: str | Path) -> None:
        """Read the archive.

        Raises:
            MissingData: There is no such file.
            DatasetError: The file is broken, lacks an array, or its arrays do not fit together.
        """
        self.name = Path(path).name
        content = read_archive(path)
        detected = {name: skeleton for name, skeleton in KEYPOINTS.items() if name in content}
        lacking = {"cameras", "X3d17", "valid", "fps"} - set(content)
        if lacking or not detected:
            lacking |= set() if detected else {f"one of {', '.join(KEYPOINTS)}"}
            raise DatasetError(
                f"{path} lacks {', '.join(sorted(lacking))}; wanted a recording with keypoints and truth"
            )
        arrays = {name: np.asarray(content[name]) for name in ("X3d17", "valid", *detected, "cameras", "fps")}
        frames, count = len(np.atleast_1d(arrays["X3d17"])), arrays["cameras"].size
        for name, shape in (
            ("X3d17", (frames, len(H36M_17), 3)),
            ("valid", (frames, len(H36M_17))),
            *((name, (count, frames, len(skeleton), 3)) for name, skeleton in detected.items()),
            ("cameras", (count,)),
            ("fps", ()),
        ):
            got = arrays[name]
            if got.shape != shape or got.dtype.kind not in ("biuf" if name != "cameras" else "biufU"):
                raise DatasetError(f"{path}, {name}: wanted numbers of shape {shape}, got {got.dtype} {got.shape}")
        self.truth, self.valid = arrays["X3d17"], arrays["valid"].astype(bool)
        self.people: dict[str, Keypoints2D] = {}
        """The person's keypoints by camera, or by camera and joint order where there are several detectors."""
        try:
            for name, skeleton in detected.items():
                for camera, seen in zip(arrays["cameras"].tolist(), arrays[name], strict=True):
                    view = str(camera) if len(detected) == 1 else f"{camera} {skeleton.name}"
                    self.people[view] = Keypoints2D(seen[..., :2], seen[..., 2], skeleton, float(arrays["fps"]))
        except ShapeError as error:
            raise DatasetError(f"{path}: {error}") from error
        if not _scored(self.valid).any():
            raise DatasetError(f"{path}: no frame has {LEAST_VALID} valid limb joints, so nothing can be scored")

    def score(self, lifter: Lifter, view: str, *, flip_average: bool = False) -> Score:
        """Measure P-MPJPE over the valid limb joints, and the directions of the limbs' bones, of one of `people`.

        Raises:
            DatasetError: There is no such view.
        """
        if view not in self.people:
            raise DatasetError(f"{self.name} has no camera '{view}'; it has {', '.join(self.people)}")
        person = self.people[view]
        with without_log():
            poses = lift(person, lifter, flip_average=flip_average, check=False)
        errors = limb_errors(poses, self.truth, self.valid)
        protocol = {
            "camera": view,
            "keypoints": f"{person.skeleton.name}, as the recording has them",
            "joints": f"the twelve of the limbs where valid, in frames with {LEAST_VALID} of them",
            "flip_average": flip_average,
        }
        mean = {name: round(error, 3) for name, error in errors.items()}
        frames = int(_scored(self.valid).sum())
        return Score(kind=RECORDING, data=self.name, protocol=protocol, frames=frames, mean=mean)


def limb_errors(poses: Poses3D, truth: np.ndarray, valid: np.ndarray) -> dict[str, float]:
    """Return errors over the valid limb joints of the frames that have enough of them.

    Args:
        poses: T poses whose joints begin with those of `H36M_17`.
        truth: (T, 17, 3) metres, any frame.
        valid: (T, 17) bool, joints whose truth can be used.

    Returns:
        By name: `p_mpjpe`, mm, and `bone_direction_aligned`, the mean angle in degrees between the eight bones of arms
        and legs and the true ones, where both ends are valid, after the best rotation of these joints.
    """
    frames = _scored(valid)
    mask = valid[frames][:, _LIMBS]
    pred, true = poses.xyz[frames][:, _LIMBS], np.nan_to_num(truth[frames][:, _LIMBS])
    errors = p_mpjpe(pred, true, mask)
    angles = bone_angles(procrustes(pred, true, mask), true, _LIMB_BONES)
    both = np.stack([mask[:, parent] & mask[:, child] for parent, child in _LIMB_BONES], 1)
    return {
        "p_mpjpe": 1000 * float(errors[mask].mean()),
        "bone_direction_aligned": float(angles[both].mean()),
    }


def _scored(valid: np.ndarray) -> np.ndarray:
    """(T,) frames that count, of (T, 17) joints whose truth is valid."""
    return valid[:, _LIMBS].sum(1) >= LEAST_VALID
