"""Read and write tables with one row for each frame, for spreadsheets and pandas.

Keypoints: ``frame,time_s,left_hip_x,left_hip_y,left_hip_confidence,...`` in pixels. Poses:
``frame,time_s,gap,left_hip_x_m,left_hip_y_m,left_hip_z_m,left_hip_observed,...,axes,person`` in metres, as
`poselift.formats.tidy` says. Columns may come in any order. The names of the joints identify the skeleton, the times
give the frame rate.
"""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from poselift.errors import FormatError
from poselift.formats.clip import Override
from poselift.formats.columns import read_columns
from poselift.formats.deeplabcut import is_deeplabcut, read_deeplabcut
from poselift.formats.digits import decimal_rows
from poselift.formats.table_file import JOINT_AXES, KEYPOINT_AXES, read_cells, read_table
from poselift.formats.tidy import Columns, first_frames, number_columns, poses_of
from poselift.sequence import Keypoints2D, Poses3D


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


def read_poses_csv(path: Path) -> tuple[Poses3D, ...]:
    """Read everyone's poses from a file that `write_poses_csv` wrote; the errors are those of `poses_of`."""
    return poses_of(read_table(path))


def write_keypoints_csv(keypoints: Keypoints2D, path: Path) -> None:
    """Write the table that `read_keypoints_csv` reads. The image size is not kept."""
    values = keypoints.xy
    if keypoints.confidence is not None:
        values = np.concatenate([values, keypoints.confidence[..., None]], axis=-1)
    _write(values, KEYPOINT_AXES[: values.shape[-1]], keypoints, path)


def write_poses_csv(
    people: Sequence[Poses3D], path: Path, *, columns: Columns | Sequence[Columns] | None = None
) -> None:
    """Write a row for each frame and person, as `poselift.formats.tidy` says, with lengths to 0.1 mm.

    The camera is in .npz, .json and .parquet only.

    Args:
        people: One person, or several with their numbers, one after the other.
        path: The file.
        columns: More columns of one person, or of each.

    Raises:
        ShapeError: People or columns do not fit; `poselift.formats.tidy.number_columns` says how.
    """
    names, numbers = number_columns(people, columns)
    if gap := names[:1] == ["gap"]:
        names = names[1:]
    person = ["person"] if people[0].person is not None else []
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(",".join(["frame", "time_s", *(["gap"] if gap else []), *names, "axes", *person]) + "\n")
        for poses, values, first in zip(people, numbers, first_frames(people), strict=True):
            end = f",{poses.frame},{poses.person}" if person else f",{poses.frame}"
            rows = "".join(decimal_rows(values[:, gap:], 4, [","] * (len(names) - 1) + [f"{end}\n"])).splitlines(True)
            gaps = [f"{'' if np.isnan(cell) else int(cell)}," for cell in values[:, 0].tolist()] if gap else []
            for frame, row in enumerate(rows):
                file.write(f"{first + frame},{poses.start_s + frame / poses.fps},{gaps[frame] if gap else ''}{row}")


def _write(values: np.ndarray, axes: Sequence[str], keypoints: Keypoints2D, path: Path) -> None:
    """Write joints' values (T, J, axes)."""
    joints = [f"{joint}_{axis}" for joint in keypoints.skeleton.joints for axis in axes]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["frame", "time_s", *joints])
        for frame, row in enumerate(values.reshape(len(values), -1)):
            cells = ("" if np.isnan(value) else f"{value:.9g}" for value in row)
            writer.writerow([frame, keypoints.start_s + frame / keypoints.fps, *cells])
