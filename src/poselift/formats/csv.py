"""Read and write tables with one row for each frame, for spreadsheets and pandas.

Keypoints: ``frame,time_s,left_hip_x,left_hip_y,left_hip_confidence,...`` in pixels. Poses:
``frame,time_s,gap,left_hip_x_m,left_hip_y_m,left_hip_z_m,left_hip_observed,...,axes`` in metres. Columns may come in
any order. The names of the joints identify the skeleton, the times give the frame rate.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError, ShapeError
from poselift.formats.clip import ONE_FRAME_FPS, Override
from poselift.formats.columns import read_columns
from poselift.formats.deeplabcut import is_deeplabcut, read_deeplabcut
from poselift.formats.table_file import JOINT_AXES, KEYPOINT_AXES, read_cells, read_table
from poselift.sequence import CONTACTS, Keypoints2D, Poses3D

_COLUMNS = ("frame", "time_s", "fps", "image_width", "image_height")
_JOINT_EXTRAS = {"observed": "observed", "spread_m": "spread"}
"""Endings of columns of poses: fields of `Poses3D`."""
_FRAME_EXTRAS = {
    "path": ("path_x", "path_y", "path_z"),
    "up": ("up_x", "up_y", "up_z"),
    "contact": tuple(f"{name}_contact" for name in CONTACTS),
}
"""Fields of `Poses3D`, and their columns."""


def read_keypoints_csv(path: Path, override: Override) -> tuple[Keypoints2D, ...]:
    """Read the keypoints of each person from a table; empty cells are joints that were not seen.

    `poselift.formats.columns` says which columns are understood. The frame rate is that of the column `fps` or
    `time_s`, or of a comment line ``# fps: 50``; the columns `image_width` and `image_height` hold the size of the
    picture. Missing frame numbers become frames without a person.

    Raises:
        FormatError: The table is broken or empty, or there is no frame rate.
        SkeletonError: Too few joints are known, or they could be of several skeletons.
    """
    rows, places, _ = read_cells(path)
    if is_deeplabcut(rows):
        return read_deeplabcut(rows, places, str(path), override)
    table = replace(read_table(path), frame_step=override.frame_step)
    if any(column.endswith(JOINT_AXES) for column in table.columns):
        raise FormatError(f"{path} holds 3D poses; wanted 2D keypoints (columns left_hip_x, left_hip_y, ...)")
    return read_columns(table, override)


def read_poses_csv(path: Path) -> Poses3D:
    """Read poses from a file that `write_poses_csv` wrote. A single frame, whose rate means nothing, gets 30 fps.

    Raises:
        FormatError: The table is broken, or has another layout.
        SkeletonError: No skeleton has exactly these joints.
    """
    table = replace(read_table(path), frame_step=1.0)  # every frame must be there
    frame_columns = [column for columns in _FRAME_EXTRAS.values() for column in columns]
    table.check_columns((*_COLUMNS, "gap", "axes", "person", *frame_columns), (*JOINT_AXES, *_JOINT_EXTRAS))
    skeleton = table.skeleton(JOINT_AXES)
    places, length = table.frames()
    if length != len(places):
        raise FormatError(f"{path}: {length - len(places)} frames are missing; wanted every frame")
    table = table.rows(np.argsort(places).tolist())
    fps = table.fps()
    if fps is None and length > 1:
        raise FormatError(f"{path} lacks the column time_s, which gives the frame rate")
    known: dict[str, Any] = {
        _JOINT_EXTRAS[end]: table.joints(skeleton, [end])[..., 0]
        for end in _JOINT_EXTRAS
        if f"{skeleton.joints[0]}_{end}" in table.columns
    }
    known |= {
        name: table.numbers(*columns) for name, columns in _FRAME_EXTRAS.items() if set(columns) & set(table.columns)
    }
    if "gap" in table.columns:
        known["gap"] = table.numbers("gap")[:, 0] > 0
    if "axes" in table.columns:
        if len(frames := set(table.columns["axes"])) != 1:
            raise FormatError(f"{path}, column axes: wanted one frame of coordinates, got {', '.join(sorted(frames))}")
        (known["frame"],) = frames
    if "person" in table.columns:
        known["person"] = int(table.constant("person"))
    if "time_s" in table.columns:
        known["start_s"] = float(table.numbers("time_s")[0, 0])
    try:
        return Poses3D(table.joints(skeleton, JOINT_AXES), skeleton, fps or ONE_FRAME_FPS, **known)
    except ShapeError as error:
        raise FormatError(f"{path}: {error}") from error


def write_keypoints_csv(keypoints: Keypoints2D, path: Path) -> None:
    """Write the table that `read_keypoints_csv` reads. The image size is not kept."""
    values = keypoints.xy
    if keypoints.confidence is not None:
        values = np.concatenate([values, keypoints.confidence[..., None]], axis=-1)
    _write(values, KEYPOINT_AXES[: values.shape[-1]], keypoints, path)


def write_poses_csv(poses: Poses3D, path: Path) -> None:
    """Write metres, to 0.1 mm, in the axes that the column `axes` names, and how far each joint was observed.

    The columns `gap` (0 or 1), ``<joint>_observed`` (0 to 1), ``<joint>_spread_m``, `path_x`, `path_y`, `path_z`,
    `up_x`, `up_y`, `up_z` and `left_heel_contact` and the like (0 to 1) are written where the values are known, and
    `person` where there are several. Joints are relative to the root; with the path added, they are where they are.
    The camera is in .npz and .json only.
    """
    values, axes = [poses.xyz.astype(np.float64).round(4)], list(JOINT_AXES)
    for end, name in _JOINT_EXTRAS.items():
        if (array := getattr(poses, name)) is not None:
            values.append(array.astype(np.float64).round(4)[..., None])
            axes.append(end)
    gap = {} if poses.gap is None else {"gap": poses.gap.astype(int).tolist()}
    after: dict[str, list[Any]] = {}
    for name, columns in _FRAME_EXTRAS.items():
        if (array := getattr(poses, name)) is not None:
            after |= dict(zip(columns, array.astype(np.float64).round(4).T.tolist(), strict=True))
    after["axes"] = [poses.frame] * len(poses)
    if poses.person is not None:
        after["person"] = [str(poses.person)] * len(poses)
    _write(np.concatenate(values, -1), axes, poses, path, before=gap, after=after)


def _write(
    values: np.ndarray,
    axes: Sequence[str],
    sequence: Keypoints2D | Poses3D,
    path: Path,
    *,
    before: Mapping[str, list[int]] | None = None,
    after: Mapping[str, list[Any]] | None = None,
) -> None:
    """Write joints' values (T, J, axes), and other columns before and after them."""
    before, after, start_s = before or {}, after or {}, getattr(sequence, "start_s", 0.0)
    joints = [f"{joint}_{axis}" for joint in sequence.skeleton.joints for axis in axes]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["frame", "time_s", *before, *joints, *after])
        for frame, row in enumerate(values.reshape(len(values), -1)):
            cells = ("" if np.isnan(value) else f"{value:.9g}" for value in row)
            first, last = ([column[frame] for column in columns.values()] for columns in (before, after))
            writer.writerow([frame, start_s + frame / sequence.fps, *first, *cells, *last])
