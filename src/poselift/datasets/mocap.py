"""Read motion capture as training data: clips of world joints in the skeleton that the lifters use."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from poselift.datasets.clip import MocapClip
from poselift.datasets.joint_names import read_joint_map
from poselift.datasets.motion_file import MOTION_ENDINGS, MotionOptions, load_motion_file
from poselift.datasets.upright import z_up_from
from poselift.errors import DatasetError, MissingData, PoseliftError, did_you_mean
from poselift.formats.archive import read_archive
from poselift.sequence import check_fps
from poselift.skeleton import H36M_17

_NPZ_JOINTS = (
    "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow LWrist RShoulder RElbow RWrist"
)
_NPZ_ARRAYS = {
    # name: kinds of numpy's type codes, and dimensions
    "pose": ("f", 3), "root": ("f", 2), "offsets": ("iu", 1), "names": ("U", 1), "subjects": ("U", 1),
    "split": ("U", 1), "parents": ("iu", 1), "joints": ("U", 1), "fps": ("iuf", 0), "up": ("U", 0), "units": ("U", 0),
}  # fmt: skip
_PERSON = re.compile(r"(subject|subj|actor|person|s|p)\d+", re.IGNORECASE)


def load_mocap(
    path: str | Path,
    *,
    split: str | None = None,
    unit: str | float | None = None,
    up: str | None = None,
    fps: float | None = None,
    joints: str | Path | None = None,
    skipped: Callable[[Path, PoseliftError], None] | None = None,
) -> list[MocapClip]:
    """Read motion capture clips from a `mocap17.npz` archive, a BVH or AMC file, or all such files in a folder.

    An archive holds everything needed. What a motion file does not say is guessed; `MocapClip.reading` says what was
    chosen and why (docs/motion_files.md), and `unit`, `up`, `fps` and `joints` override it.

    Args:
        path: A file, or a folder that is searched, with its subfolders, for BVH and AMC files. The skeleton of
            `02_01.amc` is `02.asf`, or the only ASF file beside it.
        split: Name of a part of an archive, such as ``"train"`` or ``"dev"``; None for all clips.
        unit: Unit of length of motion files: m, dm, cm, mm, inch, ft, cmu, or the metres in it.
        up: The axis that points up in motion files: x, y, z, -x, -y or -z.
        fps: Frames per second of motion files.
        joints: A file that maps poselift's joints to those of motion files (`joint_names.read_joint_map`).
        skipped: Called with each file of a folder that cannot be read, and the error; None to raise the first error.

    Returns:
        The clips as world joints of `H36M_17`, in the archive's order or by file name, with the bone lengths and the
        origin of the file. A clip from a folder is named by its path there: `02/walk`.

    Raises:
        MissingData: There is nothing at `path`, no motion in the folder, or no skeleton for an AMC file.
        DatasetError: The archive lacks arrays, there is no such split, or no file of a folder can be used.
        FormatError: A file is broken, its unit cannot be guessed, or an option is wrong.
        SkeletonError: A file lacks joints, or the map does not fit.
    """
    path, options = Path(path), MotionOptions(unit, up, fps, None if joints is None else read_joint_map(joints))
    try:
        found = path.is_dir() or path.exists()
    except OSError as error:
        raise MissingData(f"cannot look at {path}: {error.strerror}; check its permissions") from error
    if not found:
        raise MissingData(f"no motion capture at {path}; name a mocap17.npz archive, or BVH or AMC files")
    if path.suffix.lower() == ".npz" and not path.is_dir():
        if options != MotionOptions():
            raise DatasetError(
                f"{path} says its unit, axes, rate and joints itself; leave out unit, up, fps and joints"
            )
        return _load_npz(path, split)
    if split is not None:
        raise DatasetError(f"{path} has no splits, so no '{split}'; name the files of that part, and no split")
    if not path.is_dir():
        return [load_motion_file(path, path.stem, _subject(path.stem), options)]
    return _load_folder(path, options, skipped)


def motion_files(folder: Path) -> list[Path]:
    """Return the BVH and AMC files in a folder and its subfolders, by name.

    Raises:
        MissingData: A folder cannot be read.
    """
    try:
        return sorted(file for file in folder.rglob("*") if file.suffix.lower() in MOTION_ENDINGS and not file.is_dir())
    except OSError as error:
        raise MissingData(f"cannot look into {folder}: {error.strerror}; check its permissions") from error


def _load_folder(
    folder: Path, options: MotionOptions, skipped: Callable[[Path, PoseliftError], None] | None
) -> list[MocapClip]:
    files = motion_files(folder)
    if not files:
        raise MissingData(f"no BVH or AMC files in {folder}; name a folder that holds some, or a mocap17.npz archive")
    names = [file.relative_to(folder).with_suffix("").as_posix() for file in files]
    twice = {name for name, count in Counter(names).items() if count > 1}  # in several formats
    clips = []
    for file, name in zip(files, names, strict=True):
        where, _, stem = name.rpartition("/")
        try:
            clip_name = name + file.suffix if name in twice else name
            clips.append(load_motion_file(file, clip_name, where or _subject(stem), options))
        except PoseliftError as error:
            if skipped is None:
                raise
            skipped(file, error)
    if not clips:
        raise DatasetError(f"none of the {len(files)} BVH and AMC files in {folder} can be used")
    return clips


def _subject(stem: str) -> str:
    """Return the person's name from a file's: subject1 of walk1_subject1, or what is before the last _: 02 of 02_01."""
    people = [part for part in stem.split("_") if _PERSON.fullmatch(part)]
    return people[0] if people else stem.rpartition("_")[0] or stem


def _load_npz(path: Path, split: str | None) -> list[MocapClip]:
    data = _npz_arrays(path)
    splits = data["split"].tolist()
    if split is not None and split not in splits:
        raise DatasetError(f"{path} has no split '{split}'; {did_you_mean(split, sorted(set(splits)))}")
    xyz = z_up_from(data["pose"].astype(np.float32) + data["root"].astype(np.float32)[:, None], "y")
    offsets, names, subjects = data["offsets"].tolist(), data["names"].tolist(), data["subjects"].tolist()
    return [
        MocapClip(names[i], subjects[i], xyz[start:stop].copy(), H36M_17, float(data["fps"]))
        for i, (start, stop) in enumerate(zip(offsets[:-1], offsets[1:], strict=True))
        if split in (None, splits[i])
    ]


def _npz_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the archive's arrays, checked to fit together and to have the joints, units and axes that we expect."""
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
    if (str(data["up"]), str(data["units"])) != ("y", "m"):
        raise DatasetError(f"{path}: wanted metres with y up, got units '{data['units']}' and up '{data['up']}'")
    check_fps(float(data["fps"]), str(path), error=DatasetError)
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
