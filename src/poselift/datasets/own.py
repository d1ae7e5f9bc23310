"""Your own recordings: a folder of npz, CSV or Parquet files with 2D keypoints and 3D joints; see docs/own_data.md."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

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
from poselift.files import read_arrays, read_text
from poselift.sequence import Keypoints2D
from poselift.skeleton import SKELETONS, Skeleton, get_skeleton

_LABELS = ("subject", "action", "sequence", "camera")
_COLUMNS = (*_LABELS, "frame", "time_s", "fps", "image_width", "image_height", "valid")
_ARRAYS = (
    *(*_LABELS, "xy", "confidence", "xyz", "valid", "skeleton", "skeleton_2d", "skeleton_3d"),
    *("fps", "image_size", "unit", "R", "t"),
)
_AXES_2D, _AXES_3D = ("x", "y", "confidence"), ("x_m", "y_m", "z_m")
_UNITS_M = {"m": 1.0, "cm": 0.01, "mm": 0.001}
_UNEVEN = 0.5
"""Times may be off by this many frames: they are often rounded."""

Table = Mapping[str, list[str]]
"""Column name: cells, as text; empty for nothing."""


def load_own(folder: str | Path) -> BenchmarkSet:
    """Your own recordings as a benchmark. docs/own_data.md says what the files hold.

    Args:
        folder: A folder of `.npz` files, of one clip each, and of `.csv` and `.parquet` tables, of one or more clips.

    Returns:
        The clips by file name. Frames with a missing 3D joint, or marked as not valid, are not scored.

    Raises:
        MissingData: The folder does not exist, or holds no such files.
        DatasetError: A file is damaged, or lacks something; the message names the file and the array or column.
        UntrustedPickle: A file holds Python objects.
        SkeletonError: Joints are in no order we know.
        MissingExtraError: There are Parquet files, and pyarrow is not installed.
    """
    folder = Path(folder)
    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in (".npz", ".csv", ".parquet"))
    if not files:
        raise MissingData(f"no npz, csv or parquet files in {folder}; docs/own_data.md says what they hold")
    clips: list[BenchmarkClip] = []
    for file in files:
        try:
            found = [_npz_clip(file)] if file.suffix.lower() == ".npz" else _table_clips(_table(file), file)
        except (ShapeError, FormatError) as error:
            raise DatasetError(str(error) if str(file) in str(error) else f"{file}: {error}") from error
        check_metres(found, file)
        clips += found
    names = [(clip.subject, clip.sequence, clip.camera) for clip in clips]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DatasetError(f"{folder}: {' '.join(twice[0])} comes twice; name the recordings apart by 'sequence'")
    return BenchmarkSet(
        folder.resolve().name, clips, {"ground truth": "metres in camera axes", "files": str(len(files))}
    )


def _npz_clip(path: Path) -> BenchmarkClip:
    """The one clip of an archive."""
    arrays = read_arrays(path)
    _check_names(arrays, _ARRAYS, "array", path)
    skeletons = [_named(arrays, name, path) for name in ("skeleton_2d", "skeleton_3d")]
    xyz = _real(arrays, "xyz", (None, len(skeletons[1]), 3), path)
    frames = len(xyz)
    if {"R", "t"} & arrays.keys():
        xyz = xyz @ _real(arrays, "R", (3, 3), path).T + _real(arrays, "t", (3,), path)
    xyz = xyz * _unit_m(arrays, path)
    confidence = _real(arrays, "confidence", (frames, len(skeletons[0])), path) if "confidence" in arrays else None
    width, height = _real(arrays, "image_size", (2,), path)
    xy = _real(arrays, "xy", (frames, len(skeletons[0]), 2), path)
    fps = float(_real(arrays, "fps", (), path))
    keypoints = Keypoints2D(xy, confidence, skeletons[0], fps, (int(width), int(height)))
    valid = _real(arrays, "valid", (frames,), path) > 0 if "valid" in arrays else np.ones(frames, bool)
    return _clip(
        {name: str(arrays[name]) for name in _LABELS if name in arrays}, keypoints, xyz, skeletons[1], valid, path
    )


def _check_names(names: Iterable[str], known: Sequence[str], what: str, path: Path) -> None:
    """A name that is not known may be a misspelt one that is."""
    for name in names:
        if name not in known:
            raise DatasetError(f"{path}: unknown {what} {name!r}; {did_you_mean(name, known)}")


def _named(arrays: Mapping[str, np.ndarray], name: str, path: Path) -> Skeleton:
    key = name if name in arrays else "skeleton"
    if key not in arrays:
        raise DatasetError(f"{path} lacks {name}, the name of a joint order such as H36M_17")
    try:
        return get_skeleton(str(arrays[key]))
    except SkeletonError as error:
        raise SkeletonError(f"{path}, {key}: {error}") from error


def _real(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int | None, ...], path: Path) -> np.ndarray:
    """An array of numbers of a shape, None for any length; float64."""
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
    """A clip whose frames with unknown joints are not scored; labels that are missing have defaults."""
    known = np.isfinite(xyz).all((1, 2))
    if not (known & valid).any():
        raise DatasetError(f"{path}: no frame has all 3D joints; nothing could be scored")
    full = {"subject": "S1", "action": "all", "sequence": path.stem, "camera": "0"} | dict(labels)
    joints = np.where(known[:, None, None], xyz, 0).astype(np.float32)
    return BenchmarkClip(
        full["subject"], full["action"], full["sequence"], full["camera"], keypoints, joints, skeleton, known & valid
    )


def _table(path: Path) -> Table:
    """The columns of a CSV or Parquet file."""
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    try:
        rows = list(csv.reader([line for line in read_text(path).splitlines() if line.strip()], strict=True))
    except csv.Error as error:
        raise DatasetError(f"{path} is a broken table ({error})") from error
    if len(rows) < 2:
        raise DatasetError(f"{path}: wanted a header and at least one row of numbers, got {len(rows)} lines")
    header = [column.strip() for column in rows[0]]
    if len(set(header)) != len(header):
        raise DatasetError(f"{path}: columns come twice: {', '.join(sorted(c for c in header if header.count(c) > 1))}")
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(header):
            raise DatasetError(f"{path}, row {number}: wanted {len(header)} cells as in the header, got {len(row)}")
    return {column: [cell.strip() for cell in cells] for column, *cells in zip(header, *rows[1:], strict=True)}


def _parquet(path: Path) -> Table:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import read_table
    except ImportError as error:
        raise MissingExtraError(f"{path} needs pyarrow: pip install pyarrow, or save the table as CSV") from error
    try:
        columns = read_table(path).to_pydict()
    except (ArrowException, OSError) as error:
        raise DatasetError(f"{path} is no readable Parquet file ({error}); write it again") from error
    return {name: ["" if cell is None else str(cell) for cell in cells] for name, cells in columns.items()}


def _table_clips(table: Table, path: Path) -> list[BenchmarkClip]:
    """The clips of a table: rows with the same labels, in the order of their first rows."""
    ends = tuple(f"_{axis}" for axis in (*_AXES_2D, *_AXES_3D))
    _check_names([column for column in table if not column.endswith(ends)], _COLUMNS, "column", path)
    rows = len(next(iter(table.values())))
    used = [name for name in _LABELS if name in table]
    clips: dict[tuple[str, ...], list[int]] = {}
    for row in range(rows):
        clips.setdefault(tuple(table[name][row] for name in used), []).append(row)
    skeleton_2d, skeleton_3d = _skeleton(table, _AXES_2D, path), _skeleton(table, _AXES_3D, path)
    axes = _AXES_2D if any(column.endswith("_confidence") for column in table) else _AXES_2D[:2]
    found = []
    for labels, chosen in clips.items():
        order = _frame_order(table, chosen, path)
        values = _joints(table, order, skeleton_2d, axes, path)
        confidence = values[..., 2] if len(axes) == 3 else None
        size = [int(_constant(table, order, name, path)) for name in ("image_width", "image_height")]
        fps = _fps(table, order, path)
        keypoints = Keypoints2D(values[..., :2], confidence, skeleton_2d, fps, (size[0], size[1]))
        xyz = _joints(table, order, skeleton_3d, _AXES_3D, path)
        valid = _column(table, order, "valid", path) > 0 if "valid" in table else np.ones(len(order), bool)
        found.append(_clip(dict(zip(used, labels, strict=True)), keypoints, xyz, skeleton_3d, valid, path))
    return found


def _skeleton(columns: Iterable[str], axes: Sequence[str], path: Path) -> Skeleton:
    """The skeleton whose joints are those of the columns ``<joint>_<axis>``."""
    joints = {column.removesuffix(f"_{axis}") for column in columns for axis in axes if column.endswith(f"_{axis}")}
    if not joints:
        raise DatasetError(f"{path} has no columns <joint>_{axes[0]}, <joint>_{axes[1]}, ...")
    for skeleton in SKELETONS.values():
        if set(skeleton.joints) == joints:
            return skeleton
    near = max(SKELETONS.values(), key=lambda s: len(joints & set(s.joints)) - len(joints ^ set(s.joints)))
    missing, extra = sorted(set(near.joints) - joints), sorted(joints - set(near.joints))
    raise SkeletonError(
        f"{path}: the joints of the columns ending in _{axes[0]} are those of no skeleton; next is {near.name}, "
        f"missing: {', '.join(missing) or 'none'}; too many: {', '.join(extra) or 'none'}"
    )


def _column(table: Table, rows: Sequence[int], name: str, path: Path) -> np.ndarray:
    """(N,) numbers of a column, NaN where it is empty."""
    if name not in table:
        raise DatasetError(f"{path} lacks the column {name}; docs/own_data.md says which there are")
    words = {"": "nan", "true": "1", "false": "0"}
    cells = [table[name][row] for row in rows]
    try:
        return np.array([float(words.get(cell.lower(), cell)) for cell in cells])
    except ValueError as error:
        raise DatasetError(f"{path}, column {name}: wanted numbers ({error})") from error


def _constant(table: Table, rows: Sequence[int], name: str, path: Path) -> float:
    """The one number in a column of a clip."""
    found = np.unique(_column(table, rows, name, path))
    if len(found) != 1 or not np.isfinite(found).all() or found[0] <= 0:
        raise DatasetError(f"{path}, column {name}: wanted one positive number a clip, got {found[:3].tolist()}")
    return float(found[0])


def _joints(table: Table, rows: Sequence[int], skeleton: Skeleton, axes: Sequence[str], path: Path) -> np.ndarray:
    """(T, J, axes) numbers of the joints' columns."""
    columns = [_column(table, rows, f"{joint}_{axis}", path) for joint in skeleton.joints for axis in axes]
    return np.stack(columns, -1).reshape(len(rows), len(skeleton), len(axes))


def _frame_order(table: Table, rows: list[int], path: Path) -> list[int]:
    """Rows of one clip by frame number, which must run without gaps."""
    if "frame" not in table:
        return rows
    frames = _column(table, rows, "frame", path)
    order = np.argsort(frames, kind="stable")
    if not np.array_equal(np.diff(frames[order]), np.ones(len(rows) - 1)):
        raise DatasetError(f"{path}, column frame: wanted each frame of a clip once and none left out")
    return [rows[row] for row in order]


def _fps(table: Table, rows: Sequence[int], path: Path) -> float:
    """Frame rate of a clip, from the column fps or time_s."""
    if "time_s" not in table or "fps" in table:
        return _constant(table, rows, "fps", path)
    times: Any = _column(table, rows, "time_s", path)
    step = (times[-1] - times[0]) / max(len(times) - 1, 1)
    if not (step > 0 and np.abs(times - times[0] - step * np.arange(len(times))).max() <= _UNEVEN * step):
        raise DatasetError(f"{path}, column time_s: wanted times that grow evenly, or a column fps")
    return float(f"{1 / step:.9g}")
