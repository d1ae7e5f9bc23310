"""Read your own recordings: npz, CSV or Parquet files with 2D keypoints and 3D joints (docs/own_data.md)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.datasets.positions import check_metres
from poselift.errors import (
    DatasetError,
    FormatError,
    MissingData,
    MissingExtraError,
    ShapeError,
    SkeletonError,
    did_you_mean,
)
from poselift.files import check_readable, files_in
from poselift.files.arrays import read_arrays
from poselift.files.limits import DOCUMENT
from poselift.formats.table_file import JOINT_AXES, KEYPOINT_AXES, Table, read_table
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton, get_skeleton

_LABELS = ("subject", "action", "sequence", "camera")
_COLUMNS = (*_LABELS, "frame", "time_s", "fps", "image_width", "image_height", "valid")
_ARRAYS = (
    *(*_LABELS, "xy", "confidence", "xyz", "valid", "skeleton", "skeleton_2d", "skeleton_3d"),
    *("fps", "image_size", "unit", "R", "t"),
)
_ENDINGS = (".npz", ".csv", ".parquet")
_UNITS_M = {"m": 1.0, "cm": 0.01, "mm": 0.001}
_TRUTH = {"true": "1", "false": "0"}


def load_own(folder: str | Path) -> BenchmarkSet:
    """Read your own recordings as a benchmark. docs/own_data.md describes the files.

    Args:
        folder: Path of a folder of `.npz` files, with one clip each, and `.csv` and `.parquet` tables of clips.

    Returns:
        The clips in order of file names. Frames with a missing 3D joint, or marked as not valid, are not scored.

    Raises:
        MissingData: The folder does not exist, or holds no such files.
        DatasetError: A file is damaged, or lacks something; the message names the file and the array or column.
        UntrustedPickle: A file holds Python objects.
        SkeletonError: Joints are in no known order.
        MissingExtraError: There are Parquet files, and pyarrow is not installed.
    """
    folder = Path(folder)
    files = [file for file in files_in(folder, "*", refuse=MissingData) if file.suffix.lower() in _ENDINGS]
    if not files:
        raise MissingData(f"no npz, csv or parquet files in {folder}; docs/own_data.md says what they hold")
    clips: list[BenchmarkClip] = []
    for file in files:
        try:
            found = [_npz_clip(file)] if file.suffix.lower() == ".npz" else _table_clips(file)
        except (ShapeError, FormatError) as error:
            raise DatasetError(str(error) if str(file) in str(error) else f"{file}: {error}") from error
        check_metres(found, file)
        clips += found
    names = [(clip.subject, clip.sequence, clip.camera) for clip in clips]
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DatasetError(f"{folder}: {' '.join(twice[0])} comes twice; name the recordings apart by 'sequence'")
    return BenchmarkSet(
        folder.resolve().name, clips, {"ground truth": "metres in camera axes", "files": str(len(files))}
    )


def _npz_clip(path: Path) -> BenchmarkClip:
    """Read the one clip of an archive."""
    arrays = read_arrays(path)
    for name in arrays:
        if name not in _ARRAYS:
            raise DatasetError(f"{path}: unknown array {name!r}; {did_you_mean(name, _ARRAYS)}")
    skeletons = [_named(arrays, name, path) for name in ("skeleton_2d", "skeleton_3d")]
    xyz = _real(arrays, "xyz", (None, len(skeletons[1]), 3), path)
    frames = len(xyz)
    if {"R", "t"} & arrays.keys():
        xyz = xyz @ _real(arrays, "R", (3, 3), path).T + _real(arrays, "t", (3,), path)
    xyz = xyz * _unit_m(arrays, path)
    confidence = _real(arrays, "confidence", (frames, len(skeletons[0])), path) if "confidence" in arrays else None
    width, height = size = _real(arrays, "image_size", (2,), path)
    if not ((size > 0) & np.isfinite(size)).all():
        raise DatasetError(f"{path}, image_size: wanted (width, height) in pixels, got {size.tolist()}")
    xy = _real(arrays, "xy", (frames, len(skeletons[0]), 2), path)
    fps = float(_real(arrays, "fps", (), path))
    keypoints = Keypoints2D(xy, confidence, skeletons[0], fps, (int(width), int(height)))
    valid = _real(arrays, "valid", (frames,), path) > 0 if "valid" in arrays else np.ones(frames, bool)
    return _clip(
        {name: str(arrays[name]) for name in _LABELS if name in arrays}, keypoints, xyz, skeletons[1], valid, path
    )


def _named(arrays: Mapping[str, np.ndarray], name: str, path: Path) -> Skeleton:
    key = name if name in arrays else "skeleton"
    if key not in arrays:
        raise DatasetError(f"{path} lacks {name}, the name of a joint order such as H36M_17")
    try:
        return get_skeleton(str(arrays[key]))
    except SkeletonError as error:
        raise SkeletonError(f"{path}, {key}: {error}") from error


def _real(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int | None, ...], path: Path) -> np.ndarray:
    """Return an array as float64, checked to hold numbers of this shape (None: any length)."""
    if name not in arrays:
        raise DatasetError(f"{path} lacks {name}; docs/own_data.md says what a file holds")
    array = arrays[name]
    fits = array.ndim == len(shape) and all(side in (None, got) for side, got in zip(shape, array.shape, strict=True))
    if array.dtype.kind not in "biuf" or not fits:
        wanted = tuple("frames" if side is None else side for side in shape)
        raise DatasetError(f"{path}, {name}: wanted numbers of shape {wanted}, got {array.dtype} {array.shape}")
    return array.astype(np.float64)


def _unit_m(arrays: Mapping[str, np.ndarray], path: Path) -> float:
    unit = str(arrays.get("unit", "m"))
    if unit not in _UNITS_M:
        raise DatasetError(f"{path}, unit: wanted {', '.join(_UNITS_M)}, got '{unit}'")
    return _UNITS_M[unit]


def _clip(
    labels: Mapping[str, str],
    keypoints: Keypoints2D,
    xyz: np.ndarray,
    skeleton: Skeleton,
    valid: np.ndarray,
    path: Path,
) -> BenchmarkClip:
    """Return a clip whose frames with unknown joints are not scored; labels that are missing have defaults."""
    known = np.isfinite(xyz).all((1, 2))
    if not (known & valid).any():
        raise DatasetError(f"{path}: no frame has all 3D joints; nothing could be scored")
    full = {"subject": "S1", "action": "all", "sequence": path.stem, "camera": "0"} | dict(labels)
    joints = np.where(known[:, None, None], xyz, 0)
    return BenchmarkClip(
        full["subject"], full["action"], full["sequence"], full["camera"], keypoints, joints, skeleton, known & valid
    )


def _table_clips(path: Path) -> list[BenchmarkClip]:
    """Read the clips of a table: rows with the same labels, in the order of their first rows."""
    table = _read_parquet(path) if path.suffix.lower() == ".parquet" else read_table(path)
    table.check_columns(_COLUMNS, (*KEYPOINT_AXES, *JOINT_AXES))
    used = [name for name in _LABELS if name in table.columns]
    clips: dict[tuple[str, ...], list[int]] = {}
    for row in range(len(table)):
        clips.setdefault(tuple(table.columns[name][row] for name in used), []).append(row)
    return [_table_clip(table.rows(rows), dict(zip(used, labels, strict=True)), path) for labels, rows in clips.items()]


def _table_clip(table: Table, labels: Mapping[str, str], path: Path) -> BenchmarkClip:
    """Return the clip that the rows of a table hold."""
    table = replace(table, frame_step=1.0)  # every frame must be there
    places, length = table.frames()
    if length != len(table):
        raise DatasetError(f"{path}, column frame: wanted each frame of a clip, {length - len(table)} are left out")
    table = table.rows(np.argsort(places).tolist())
    skeleton_2d, skeleton_3d, axes = table.skeleton(KEYPOINT_AXES), table.skeleton(JOINT_AXES), table.axes_2d()
    values = table.joints(skeleton_2d, axes)
    fps = table.fps()
    if fps is None:
        raise DatasetError(f"{path} lacks the column fps, or time_s; docs/own_data.md says what a table holds")
    size = (int(table.constant("image_width")), int(table.constant("image_height")))
    keypoints = Keypoints2D(values[..., :2], values[..., 2] if len(axes) == 3 else None, skeleton_2d, fps, size)
    return _clip(labels, keypoints, table.joints(skeleton_3d, JOINT_AXES), skeleton_3d, _valid(table), path)


def _valid(table: Table) -> np.ndarray:
    """Return for each frame (T,) whether it is scored; all are where the table does not say."""
    if "valid" not in table.columns:
        return np.ones(len(table), bool)
    marks = [_TRUTH.get(cell.lower(), cell) for cell in table.columns["valid"]]
    return replace(table, columns={"valid": marks}).numbers("valid")[:, 0] > 0


def _read_parquet(path: Path) -> Table:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import read_table as read_parquet
    except ImportError as error:
        raise MissingExtraError(f"{path} needs pyarrow: pip install pyarrow, or save the table as CSV") from error
    check_readable(path, DOCUMENT)
    try:
        columns = read_parquet(path).to_pydict()
    except (ArrowException, OSError) as error:
        raise DatasetError(f"{path} is no readable Parquet file ({error}); write it again") from error
    cells = {name: ["" if cell is None else str(cell) for cell in column] for name, column in columns.items()}
    rows = len(next(iter(cells.values()), []))
    if not rows:
        raise DatasetError(f"{path}: wanted at least one row of numbers, got none")
    return Table(str(path), cells, [f"row {row}" for row in range(1, rows + 1)])
