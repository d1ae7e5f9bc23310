"""Tables with one row a frame, for spreadsheets and pandas.

Keypoints: ``frame,time_s,left_hip_x,left_hip_y,left_hip_confidence,...`` in pixels. Poses:
``frame,time_s,left_hip_x_m,left_hip_y_m,left_hip_z_m,...`` in metres, camera axes. Columns may come in any order. The
names of the joints tell the skeleton, the times tell the frame rate.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poselift.errors import FormatError, ShapeError, SkeletonError
from poselift.files import read_text
from poselift.formats.clip import ONE_FRAME_FPS, Source, Wish, finish
from poselift.formats.fields import frame_rows
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import SKELETONS, Skeleton

_FPS_COMMENT = re.compile(r"#\s*fps\s*[:=]\s*(\S+)", re.IGNORECASE)
_EXTRA = ("frame", "time_s")
_UNEVEN = 0.5
"""Times may be off by this many frames: they are often rounded."""
_AXES_2D = ("x", "y", "confidence")
_AXES_3D = ("x_m", "y_m", "z_m")


@dataclass(frozen=True)
class _Table:
    name: str
    columns: list[str]
    values: np.ndarray
    comments: list[str]

    def column(self, name: str) -> np.ndarray | None:
        """Values (T,) of a column, None when there is none of this name."""
        return self.values[:, self.columns.index(name)] if name in self.columns else None


def read_keypoints_csv(path: Path, wish: Wish) -> tuple[Keypoints2D, ...]:
    """One person's keypoints from a table; empty cells are joints that were not seen.

    The frame rate is that of the column `time_s`, or of a comment line ``# fps: 50``. Missing frame numbers become
    frames without a person.

    Raises:
        FormatError: The table is broken or empty, or there is no frame rate.
        SkeletonError: The joints are those of no skeleton.
    """
    table = _read(path)
    if any(column.endswith(_AXES_3D) for column in table.columns):
        raise FormatError(f"{path} holds 3D poses; wanted 2D keypoints (columns left_hip_x, left_hip_y, ...)")
    skeleton = _skeleton(table, _AXES_2D, wish.skeleton)
    axes = _AXES_2D if any(column.endswith("_confidence") for column in table.columns) else _AXES_2D[:2]
    rows, length = _rows(table)
    frames = np.full((length, len(skeleton), len(axes)), np.nan)
    frames[rows] = _joints(table, skeleton, axes)
    return finish([frames], Source(str(path), skeleton, _fps(table)), wish)


def read_poses_csv(path: Path) -> Poses3D:
    """Poses from a file that `write_poses_csv` wrote. A single frame, whose rate means nothing, gets 30 fps.

    Raises:
        FormatError: The table is broken, or not such a file.
        SkeletonError: The joints are those of no skeleton.
    """
    table = _read(path)
    skeleton = _skeleton(table, _AXES_3D, None)
    rows, length = _rows(table)
    if length != len(rows):
        raise FormatError(f"{path}: {length - len(rows)} frames are missing; wanted every frame")
    fps = _fps(table)
    if fps is None and length > 1:
        raise FormatError(f"{path} has no column time_s, which tells the frame rate")
    try:
        return Poses3D(_joints(table, skeleton, _AXES_3D)[np.argsort(rows)], skeleton, fps or ONE_FRAME_FPS)
    except ShapeError as error:
        raise FormatError(f"{path}: {error}") from error


def write_keypoints_csv(keypoints: Keypoints2D, path: Path) -> None:
    """Write the table that `read_keypoints_csv` reads. The image size is not kept."""
    values = keypoints.xy
    if keypoints.confidence is not None:
        values = np.concatenate([values, keypoints.confidence[..., None]], axis=-1)
    _write(values, _AXES_2D[: values.shape[-1]], keypoints.skeleton, keypoints.fps, path)


def write_poses_csv(poses: Poses3D, path: Path) -> None:
    """Write metres in camera axes, to 0.1 mm."""
    _write(poses.xyz.astype(np.float64).round(4), _AXES_3D, poses.skeleton, poses.fps, path)


def _write(values: np.ndarray, axes: Sequence[str], skeleton: Skeleton, fps: float, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_EXTRA, *(f"{joint}_{axis}" for joint in skeleton.joints for axis in axes)])
        for frame, row in enumerate(values.reshape(len(values), -1)):
            writer.writerow([frame, frame / fps, *("" if np.isnan(value) else f"{value:.9g}" for value in row)])


def _read(path: Path) -> _Table:
    lines = read_text(path).splitlines()
    comments = [line for line in lines if line.lstrip().startswith("#")]
    kept = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and line not in comments]
    if len(kept) < 2:
        raise FormatError(f"{path}: wanted a header and at least one row of numbers, got {len(kept)} lines")
    try:
        header, *rows = csv.reader(io.StringIO("\n".join(line for _, line in kept)), strict=True)
    except csv.Error as error:
        raise FormatError(f"{path} is a broken table ({error})") from error
    columns = [column.strip() for column in header]
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise FormatError(f"{path}: columns come twice: {', '.join(repeated)}")
    if len(rows) != len(kept) - 1:
        raise FormatError(f"{path}: a cell goes over several lines; wanted one row of numbers a line")
    values = [_cells(row, columns, f"{path}, line {number}") for (number, _), row in zip(kept[1:], rows, strict=True)]
    return _Table(str(path), columns, np.array(values), comments)


def _cells(row: list[str], columns: list[str], where: str) -> list[float]:
    if len(row) != len(columns):
        raise FormatError(
            f"{where}: wanted {len(columns)} cells as in the header, got {len(row)}; is the file cut off?"
        )
    values = []
    for cell, column in zip(row, columns, strict=True):
        try:
            values.append(float(cell) if cell.strip() else float("nan"))
        except ValueError as error:
            raise FormatError(f"{where}: wanted a number in column {column}, got '{cell}'") from error
    return values


def _skeleton(table: _Table, axes: Sequence[str], wished: Skeleton | None) -> Skeleton:
    """The skeleton whose joints are exactly those of the columns."""
    ends = "|".join(axes)
    split = {column: re.fullmatch(rf"(.+)_({ends})", column) for column in table.columns if column not in _EXTRA}
    odd = [column for column, match in split.items() if match is None]
    if odd or not split:
        wanted = ", ".join((*_EXTRA, *(f"<joint>_{axis}" for axis in axes)))
        raise FormatError(f"{table.name}: wanted columns {wanted}; got {', '.join(odd) or 'none with joints'}")
    joints = {match[1] for match in split.values() if match}
    for skeleton in [wished] if wished else SKELETONS.values():
        if set(skeleton.joints) == joints:
            return skeleton
    best = wished or max(SKELETONS.values(), key=lambda s: len(joints & set(s.joints)) - len(joints ^ set(s.joints)))
    missing, extra = sorted(set(best.joints) - joints), sorted(joints - set(best.joints))
    raise SkeletonError(
        f"{table.name}: its joints are those of no skeleton; next is {best.name}, "
        f"missing: {', '.join(missing) or 'none'}; too many: {', '.join(extra) or 'none'}"
    )


def _joints(table: _Table, skeleton: Skeleton, axes: Sequence[str]) -> np.ndarray:
    """(N, J, axes) values of the joint columns."""
    names = [f"{joint}_{axis}" for joint in skeleton.joints for axis in axes]
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise FormatError(f"{table.name}: columns are missing: {', '.join(missing)}")
    order = [table.columns.index(name) for name in names]
    return table.values[:, order].reshape(len(table.values), len(skeleton), len(axes))


def _rows(table: _Table) -> tuple[np.ndarray, int]:
    frames = table.column("frame")
    if frames is None:
        return np.arange(len(table.values)), len(table.values)
    if not (np.isfinite(frames).all() and (frames == frames.round()).all() and np.abs(frames).max() < 2**53):
        raise FormatError(f"{table.name}: wanted whole numbers in column frame")
    return frame_rows([int(frame) for frame in frames], table.name)


def _fps(table: _Table) -> float | None:
    """Frame rate of the times, or of the comment; None when there is neither."""
    times = table.column("time_s")
    if times is not None and len(times) > 1:
        rows, _ = _rows(table)
        step = (times[rows.argmax()] - times[rows.argmin()]) / np.ptp(rows)
        even = times[rows.argmin()] + step * rows
        if not (step > 0 and np.abs(times - even).max() <= _UNEVEN * step):
            raise FormatError(f"{table.name}: wanted times that grow evenly in column time_s")
        return float(f"{1 / step:.9g}")
    for comment in table.comments:
        if match := _FPS_COMMENT.match(comment.strip()):
            return _number(match[1], table.name)
    return None


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise FormatError(f"{name}: wanted a number in the comment '# fps: ', got '{text}'") from error
