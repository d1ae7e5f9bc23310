"""Motion capture as training material: clips of world joints in the skeleton the lifters use."""

from pathlib import Path

import numpy as np

from poselift.datasets.archive import read_archive
from poselift.datasets.clip import MocapClip
from poselift.datasets.mocap_joints import h36m_joints
from poselift.errors import DatasetError, FormatError, MissingData, SkeletonError, did_you_mean
from poselift.formats.amc import read_amc
from poselift.formats.bvh import read_bvh
from poselift.skeleton import H36M_17

_NPZ_JOINTS = (
    "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow LWrist RShoulder RElbow RWrist"
)
_NPZ_ARRAYS = {
    # name: kinds of numpy's type codes, and dimensions
    "pose": ("f", 3), "root": ("f", 2), "offsets": ("iu", 1), "names": ("U", 1), "subjects": ("U", 1),
    "split": ("U", 1), "parents": ("iu", 1), "joints": ("U", 1), "fps": ("iuf", 0), "up": ("U", 0), "units": ("U", 0),
}  # fmt: skip

_LEG_M = 0.85
_UNITS_M = (1.0, 0.01, 0.001, 0.0254, 0.0254 / 0.45)


def z_up_from_y_up(xyz: np.ndarray) -> np.ndarray:
    """Turn points (*, 3) of a right-handed y-up frame by +90 degrees about x: (x, y, z) to (x, -z, y), no mirror."""
    return np.stack([xyz[..., 0], -xyz[..., 2], xyz[..., 1]], axis=-1)


def load_mocap(
    path: str | Path, *, split: str | None = None, amc_fps: float = 120.0, bvh_unit_m: float | None = None
) -> list[MocapClip]:
    """Motion capture clips from a `mocap17.npz` archive, a BVH or AMC file, or all of those in a folder.

    The joints of other skeletons are found by `mocap_joints`. The skeleton of `02_01.amc` is `02.asf`, or the only ASF
    file beside it.

    Args:
        path: A file, or a folder that is searched with all below it for BVH and AMC files.
        split: Only the clips of this part of an archive, such as ``"train"`` or ``"dev"``; None for all.
        amc_fps: Frames per second of AMC files, which do not hold it; nearly all of CMU has 120.
        bvh_unit_m: Metres in a BVH file's unit, which it does not hold; None picks among m, cm, mm, inch and CMU's
            unit the one that makes the legs nearest to 0.85 m.

    Returns:
        The clips as world joints of `H36M_17`, in the archive's order or by file name. Files keep their own bone
        lengths and origin.

    Raises:
        MissingData: There is nothing at `path`, no motion in the folder, or no skeleton for an AMC file.
        DatasetError: The archive does not hold what it should, or there is no such split.
        FormatError: A file is broken.
        SkeletonError: A file lacks joints.
    """
    path = Path(path)
    if not path.exists():
        raise MissingData(f"no motion capture at {path}; name a mocap17.npz archive, or BVH or AMC files")
    if path.suffix.lower() == ".npz":
        return _load_npz(path, split)
    if split is not None:
        raise DatasetError(f"{path} has no splits, so no '{split}'; name the files of that part, and no split")
    if path.is_file():
        return [_load_file(path, amc_fps, bvh_unit_m)]
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in (".bvh", ".amc"))
    if not files:
        raise MissingData(f"no BVH or AMC files in {path}; name a folder that holds some, or a mocap17.npz archive")
    twice = [file.stem for file, after in zip(files[:-1], files[1:], strict=True) if file.stem == after.stem]
    if twice:
        raise DatasetError(f"{path} holds {', '.join(twice)} more than once; keep one file of each recording")
    return [_load_file(file, amc_fps, bvh_unit_m) for file in files]


def _load_file(path: Path, amc_fps: float, bvh_unit_m: float | None) -> MocapClip:
    """The one clip of a BVH or AMC file."""
    if path.suffix.lower() == ".amc":
        motion = read_amc(_skeleton_file(path), path)
        unit_m = motion.unit_m
    elif path.suffix.lower() == ".bvh":
        motion, unit_m = read_bvh(path), bvh_unit_m
    else:
        raise FormatError(f"wanted mocap17.npz, BVH or AMC, got {path}; for motion in ASF and AMC name the AMC file")
    try:
        xyz, rest, up = h36m_joints(motion)
    except SkeletonError as error:
        raise SkeletonError(f"{path}: {error}") from error
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    xyz = xyz * (_unit_m(path, rest) if unit_m is None else unit_m)
    world = z_up_from_y_up(xyz) if "xyz"[up] == "y" else xyz
    subject = path.stem.rpartition("_")[0] or path.stem
    return MocapClip(path.stem, subject, world.astype(np.float32), H36M_17, motion.fps or amc_fps)


def _skeleton_file(path: Path) -> Path:
    """The ASF file that an AMC file is of."""
    found = [file for file in path.parent.iterdir() if file.suffix.lower() == ".asf"]
    named = [file for file in found if file.stem == path.stem.rpartition("_")[0]] or found
    if len(named) != 1:
        got = ", ".join(file.name for file in found) or "no ASF file"
        raise MissingData(f"wanted one skeleton beside {path}, such as 02.asf for 02_01.amc, got {got}")
    return named[0]


def _unit_m(path: Path, rest: np.ndarray) -> float:
    """Metres in the unit of a figure at rest (17, 3), told from the length of its legs."""
    leg = 0.0
    for hip, knee, ankle in H36M_17.limbs:
        if "hip" in H36M_17.joints[hip]:
            leg += float(np.linalg.norm(rest[hip] - rest[knee]) + np.linalg.norm(rest[knee] - rest[ankle])) / 2
    unit = min(_UNITS_M, key=lambda metres: abs(np.log(max(leg, 1e-9) * metres / _LEG_M)))
    if not 0.5 < leg * unit / _LEG_M < 2:
        raise FormatError(f"{path}: legs {leg:.3g} long are a human's in no unit we know; give bvh_unit_m")
    return unit


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
    data = read_archive(path, only=_NPZ_ARRAYS)
    if missing := [name for name in _NPZ_ARRAYS if name not in data]:
        raise DatasetError(f"{path} lacks the arrays {', '.join(missing)}; wanted an archive like mocap17.npz")
    for name, (kinds, dimensions) in _NPZ_ARRAYS.items():
        kind, shape = getattr(data[name], "dtype", np.dtype(object)).kind, np.shape(data[name])
        if kind not in kinds or len(shape) != dimensions:
            what = "text" if kinds == "U" else "numbers"
            raise DatasetError(f"{path}: wanted '{name}' as {what} of {dimensions} dimensions, got {kind}{shape}")
    joints = " ".join(data["joints"].tolist())
    if joints != _NPZ_JOINTS or tuple(data["parents"].tolist()) != H36M_17.parents:
        raise DatasetError(f"{path}: wanted the joints of {H36M_17.name} ({_NPZ_JOINTS}), got {joints}")
    if (str(data["up"]), str(data["units"])) != ("y", "m") or not 0 < float(data["fps"]) < np.inf:
        got = f"units '{data['units']}', up '{data['up']}' and {data['fps']} fps"
        raise DatasetError(f"{path}: wanted metres with y up and a positive frame rate, got {got}")
    frames, clips, offsets = len(data["pose"]), len(data["names"]), data["offsets"]
    if (
        data["pose"].shape != (frames, len(H36M_17), 3)
        or data["root"].shape != (frames, 3)
        or len(data["subjects"]) != clips
        or len(data["split"]) != clips
        or offsets.shape != (clips + 1,)
        or (offsets[1:] <= offsets[:-1]).any()
        or (offsets[0], offsets[-1]) != (0, frames)
    ):
        raise DatasetError(f"{path}: frames, offsets and names do not fit together ({frames} frames, {clips} clips)")
    if not (np.isfinite(data["pose"]).all() and np.isfinite(data["root"]).all()):
        raise DatasetError(f"{path} holds NaN or infinite joints; copy it again")
    return data
