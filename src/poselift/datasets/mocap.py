"""Read motion capture as training data: clips of world joints in the skeleton that the lifters use."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from poselift.datasets.clip import MocapClip, as_single
from poselift.datasets.joint_names import read_joint_map
from poselift.datasets.motion_file import MOTION_ENDINGS, MotionOptions, load_motion_file
from poselift.datasets.upright import z_up_from
from poselift.errors import DatasetError, MissingData, PoseliftError, did_you_mean
from poselift.files import FOLDER, found_at
from poselift.formats.archive import read_archive
from poselift.sequence import check_fps
from poselift.skeleton import BODY_27, H36M_17, Skeleton

_NPZ_JOINTS = (
    "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow LWrist RShoulder RElbow RWrist"
)
_NPZ_FEET = "LEye REye LEar REar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
_NPZ_SKELETONS = {_NPZ_JOINTS: H36M_17, f"{_NPZ_JOINTS} {_NPZ_FEET}": BODY_27}
"""By the archive's names of its joints, their skeleton."""
_NPZ_ARRAYS = {
    # name: kinds of numpy's type codes, and dimensions
    "pose": ("f", 3), "root": ("f", 2), "offsets": ("iu", 1), "names": ("U", 1), "subjects": ("U", 1),
    "split": ("U", 1), "parents": ("iu", 1), "joints": ("U", 1), "fps": ("iuf", 0), "up": ("U", 0), "units": ("U", 0),
}  # fmt: skip
_NPZ_EXTRAS = {"contact": ("i", 2), "feet_quality": ("iu", 1)}
"""Arrays that archives of 27 joints may have besides."""
_BODY = len(H36M_17)
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
    """Read motion capture from a `mocap17.npz` or `mocap27.npz` archive, a BVH or AMC file, or a folder of such files.

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
        The clips as world joints of `H36M_17`, or of `BODY_27` for an archive that has feet and face, in the archive's
        order or by file name, with the bone lengths and the origin of the file. A clip from a folder is named by its
        path there: `02/walk`.

    Raises:
        MissingData: There is nothing at `path`, no motion in the folder, or no skeleton for an AMC file.
        DatasetError: The archive lacks arrays, there is no such split, or no file of a folder can be used.
        FormatError: A file is broken, its unit cannot be guessed, or an option is wrong.
        SkeletonError: A file lacks joints, or the map does not fit.
    """
    path, options = Path(path), MotionOptions(unit, up, fps, None if joints is None else read_joint_map(joints))
    at = found_at(path, MissingData)
    if not at:
        raise MissingData(f"no motion capture at {path}; name a mocap17.npz archive, or BVH or AMC files")
    if path.suffix.lower() == ".npz" and at != FOLDER:
        if options != MotionOptions():
            raise DatasetError(
                f"{path} says its unit, axes, rate and joints itself; leave out unit, up, fps and joints"
            )
        return _load_npz(path, split)
    if split is not None:
        raise DatasetError(f"{path} has no splits, so no '{split}'; name the files of that part, and no split")
    if at != FOLDER:
        return [load_motion_file(path, path.stem, _subject(path.stem), options)]
    return _load_folder(path, options, skipped)


def motion_files(folder: Path) -> list[Path]:
    """Return the BVH and AMC files in a folder and its subfolders, by name.

    Raises:
        MissingData: A folder cannot be read.
    """
    try:
        found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in MOTION_ENDINGS)
        return [file for file in found if found_at(file, MissingData) != FOLDER]
    except MissingData:
        raise
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
    xyz = z_up_from(data["pose"] + data["root"][:, None], "y")
    offsets, names, subjects = data["offsets"].tolist(), data["names"].tolist(), data["subjects"].tolist()
    skeleton, contact, quality = data["skeleton"], data.get("contact"), data.get("feet_quality")
    clips = []
    for i, (start, stop) in enumerate(zip(offsets[:-1], offsets[1:], strict=True)):
        weak = quality is not None and quality[i] == 0
        trusted = np.array([not (weak and _is_foot(joint)) for joint in skeleton.joints]) if weak else None
        touching = None if contact is None or weak else contact[start:stop].copy()
        if split in (None, splits[i]):
            clips.append(
                MocapClip(
                    names[i],
                    subjects[i],
                    xyz[start:stop].copy(),
                    skeleton,
                    float(data["fps"]),
                    trusted=trusted,
                    contact=touching,
                    source=path.stem,
                )  # fmt: skip
            )
    return clips


def _is_foot(joint: str) -> bool:
    return "toe" in joint or "heel" in joint


def _npz_arrays(path: Path) -> dict[str, Any]:
    """Return the archive's arrays, checked to have the joints, units and axes that we expect, and its skeleton."""
    data = read_archive(path, only=(*_NPZ_ARRAYS, *_NPZ_EXTRAS))
    if missing := [name for name in _NPZ_ARRAYS if name not in data]:
        raise DatasetError(f"{path} lacks the arrays {', '.join(missing)}; wanted an archive like mocap17.npz")
    for name, (kinds, dimensions) in (_NPZ_ARRAYS | _NPZ_EXTRAS).items():
        if name not in data:
            continue
        kind, shape = getattr(data[name], "dtype", np.dtype(object)).kind, np.shape(data[name])
        if kind not in kinds or len(shape) != dimensions:
            what = "text" if kinds == "U" else "numbers"
            raise DatasetError(f"{path}: wanted '{name}' as {what} of {dimensions} dimensions, got {kind}{shape}")
    joints = " ".join(data["joints"].tolist())
    skeleton = _NPZ_SKELETONS.get(joints)
    if skeleton is None or tuple(data["parents"].tolist()) != skeleton.parents:
        wanted = skeleton or H36M_17
        raise DatasetError(f"{path}: wanted the joints of {wanted.name} ({_NPZ_JOINTS}), got {joints}")
    if (str(data["up"]), str(data["units"])) != ("y", "m"):
        raise DatasetError(f"{path}: wanted metres with y up, got units '{data['units']}' and up '{data['up']}'")
    check_fps(float(data["fps"]), str(path), error=DatasetError)
    _check_npz_sizes(path, data, skeleton)
    data["pose"], data["root"] = as_single(data["pose"]), as_single(data["root"])
    _check_npz_numbers(path, data)
    return data | {"skeleton": skeleton}


def _check_npz_sizes(path: Path, data: dict[str, Any], skeleton: Skeleton) -> None:
    """Check that an archive's arrays fit together."""
    frames, clips, offsets = len(data["pose"]), len(data["names"]), data["offsets"]
    if (
        data["pose"].shape != (frames, len(skeleton), 3)
        or data["root"].shape != (frames, 3)
        or len(data["subjects"]) != clips
        or len(data["split"]) != clips
        or offsets.shape != (clips + 1,)
        or (offsets[1:] <= offsets[:-1]).any()
        or (offsets[0], offsets[-1]) != (0, frames)
    ):
        raise DatasetError(f"{path}: frames, offsets and names do not fit together ({frames} frames, {clips} clips)")
    for name, shape in (("contact", (frames, 4)), ("feet_quality", (clips,))):
        if name in data and data[name].shape != shape:
            raise DatasetError(f"{path}: wanted '{name}' of shape {shape}, got {data[name].shape}")


def _check_npz_numbers(path: Path, data: dict[str, Any]) -> None:
    """Check that the joints of the body are finite, and those of head and feet finite or unknown for a whole clip."""
    pose, starts = data["pose"], data["offsets"][:-1]
    lengths = np.diff(data["offsets"])[:, None]
    lacking = np.add.reduceat(np.isnan(pose).any(-1)[:, _BODY:], starts, axis=0, dtype=np.int64)
    broken = not (np.isfinite(pose[:, :_BODY]).all() and np.isfinite(data["root"]).all()) or np.isinf(pose).any()
    if broken or ((lacking != 0) & (lacking != lengths)).any():
        raise DatasetError(f"{path} holds NaN or infinite joints; copy it again")
    if "contact" in data and not np.isin(data["contact"], (-1, 0, 1)).all():
        raise DatasetError(f"{path}: wanted contacts of -1 (not known), 0 and 1; copy it again")
