"""Motion capture as training material: clips of world joints in the skeleton the lifters use."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poselift.errors import DatasetError, MissingData, did_you_mean
from poselift.skeleton import H36M_17, Skeleton

_NPZ_JOINTS = (
    "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow LWrist RShoulder RElbow RWrist"
)
_NPZ_ARRAYS = ("pose", "root", "offsets", "names", "subjects", "split", "parents", "joints", "fps", "up", "units")


@dataclass(frozen=True, eq=False)
class MocapClip:
    """One continuous recording of one body."""

    name: str
    """Name of the recording, unique within its data set."""
    subject: str
    """Who moves; clips of one subject share their limb lengths."""
    xyz: np.ndarray
    """(T, J, 3) float32 metres, world frame: right-handed, x and y on the ground, z up."""
    skeleton: Skeleton
    """Joint order of `xyz`."""
    fps: float
    """Frames per second."""

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.xyz)


def z_up_from_y_up(xyz: np.ndarray) -> np.ndarray:
    """Turn points (*, 3) of a right-handed y-up frame by +90 degrees about x: (x, y, z) to (x, -z, y), no mirror."""
    return np.stack([xyz[..., 0], -xyz[..., 2], xyz[..., 1]], axis=-1)


def load_mocap(path: str | Path, *, split: str | None = None) -> list[MocapClip]:
    """Motion capture clips from a `mocap17.npz` archive.

    Args:
        path: The archive.
        split: Only the clips of this part, such as ``"train"`` or ``"dev"``; None for all.

    Returns:
        The clips in the archive's order, as world joints of `H36M_17`.

    Raises:
        MissingData: There is no such file.
        DatasetError: It is not such an archive, or has no such split.
    """
    path = Path(path)
    if not path.exists():
        raise MissingData(f"no motion capture at {path}; name a mocap17.npz archive")
    return _load_npz(path, split)


def _load_npz(path: Path, split: str | None) -> list[MocapClip]:
    data = _npz_arrays(path)
    splits = data["split"].tolist()
    if split is not None and split not in splits:
        raise DatasetError(f"{path} has no split '{split}'; {did_you_mean(split, sorted(set(splits)))}")
    xyz = z_up_from_y_up(data["pose"].astype(np.float32) + data["root"].astype(np.float32)[:, None])
    offsets, names, subjects = data["offsets"].tolist(), data["names"].tolist(), data["subjects"].tolist()
    return [
        MocapClip(names[i], subjects[i], xyz[start:stop].copy(), H36M_17, float(data["fps"]))
        for i, (start, stop) in enumerate(zip(offsets[:-1], offsets[1:], strict=True))
        if split in (None, splits[i])
    ]


def _npz_arrays(path: Path) -> dict[str, np.ndarray]:
    """The archive's arrays, checked to fit together and to mean what `_load_npz` takes them for."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in _NPZ_ARRAYS if name not in archive.files]
            if missing:
                raise DatasetError(f"{path} lacks the arrays {', '.join(missing)}; wanted an archive like mocap17.npz")
            data = {name: archive[name] for name in _NPZ_ARRAYS}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, AttributeError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{path} is not a readable npz archive ({error}); copy it again") from error
    joints = " ".join(data["joints"].tolist())
    if joints != _NPZ_JOINTS or tuple(data["parents"].tolist()) != H36M_17.parents:
        raise DatasetError(f"{path}: wanted the joints of {H36M_17.name} ({_NPZ_JOINTS}), got {joints}")
    if (str(data["up"]), str(data["units"])) != ("y", "m"):
        raise DatasetError(f"{path}: wanted metres with y up, got units '{data['units']}' and up '{data['up']}'")
    frames, clips, offsets = len(data["pose"]), len(data["names"]), data["offsets"]
    if (
        data["pose"].shape != (frames, len(H36M_17), 3)
        or data["root"].shape != (frames, 3)
        or len(data["subjects"]) != clips
        or len(data["split"]) != clips
        or offsets.shape != (clips + 1,)
        or (np.diff(offsets) <= 0).any()
        or (offsets[0], offsets[-1]) != (0, frames)
    ):
        raise DatasetError(f"{path}: frames, offsets and names do not fit together ({frames} frames, {clips} clips)")
    if not (np.isfinite(data["pose"]).all() and np.isfinite(data["root"]).all()):
        raise DatasetError(f"{path} holds NaN or infinite joints; copy it again")
    return data
