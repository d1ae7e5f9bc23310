"""Tables with one row a frame, for spreadsheets and pandas.

Keypoints: ``frame,time_s,left_hip_x,left_hip_y,left_hip_confidence,...`` in pixels. Poses:
``frame,time_s,left_hip_x_m,left_hip_y_m,left_hip_z_m,...`` in metres, camera axes. Columns may come in any order. The
names of the joints tell the skeleton, the times tell the frame rate.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from poselift.errors import FormatError, ShapeError
from poselift.formats.clip import ONE_FRAME_FPS, Source, Wish, finish
from poselift.formats.table_file import JOINT_AXES, KEYPOINT_AXES, read_table
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import SKELETONS, Skeleton

_SIZE = ("image_width", "image_height")
_COLUMNS = ("frame", "time_s", "fps", *_SIZE)


def read_keypoints_csv(path: Path, wish: Wish) -> tuple[Keypoints2D, ...]:
    """One person's keypoints from a table; empty cells are joints that were not seen.

    The frame rate is that of the column `fps` or `time_s`, or of a comment line ``# fps: 50``; the columns
    `image_width` and `image_height` tell the size of the picture. Missing frame numbers become frames without a person.

    Raises:
        FormatError: The table is broken or empty, or there is no frame rate.
        SkeletonError: The joints are those of no skeleton.
    """
    table = read_table(path)
    if any(column.endswith(JOINT_AXES) for column in table.columns):
        raise FormatError(f"{path} holds 3D poses; wanted 2D keypoints (columns left_hip_x, left_hip_y, ...)")
    table.check_columns(_COLUMNS, KEYPOINT_AXES)
    among = SKELETONS.values() if wish.skeleton is None else [wish.skeleton]
    skeleton, axes = table.skeleton(KEYPOINT_AXES, tuple(among)), table.axes_2d()
    places, length = table.frames()
    frames = np.full((length, len(skeleton), len(axes)), np.nan)
    frames[places] = table.joints(skeleton, axes)
    size = None
    if any(column in table.columns for column in _SIZE):
        size = (int(table.constant("image_width")), int(table.constant("image_height")))
    return finish([frames], Source(str(path), skeleton, table.fps(), size), wish)


def read_poses_csv(path: Path) -> Poses3D:
    """Poses from a file that `write_poses_csv` wrote. A single frame, whose rate means nothing, gets 30 fps.

    Raises:
        FormatError: The table is broken, or not such a file.
        SkeletonError: The joints are those of no skeleton.
    """
    table = read_table(path)
    table.check_columns(_COLUMNS, JOINT_AXES)
    skeleton = table.skeleton(JOINT_AXES)
    places, length = table.frames()
    if length != len(places):
        raise FormatError(f"{path}: {length - len(places)} frames are missing; wanted every frame")
    fps = table.fps()
    if fps is None and length > 1:
        raise FormatError(f"{path} lacks the column time_s, which tells the frame rate")
    try:
        return Poses3D(table.joints(skeleton, JOINT_AXES)[np.argsort(places)], skeleton, fps or ONE_FRAME_FPS)
    except ShapeError as error:
        raise FormatError(f"{path}: {error}") from error


def write_keypoints_csv(keypoints: Keypoints2D, path: Path) -> None:
    """Write the table that `read_keypoints_csv` reads. The image size is not kept."""
    values = keypoints.xy
    if keypoints.confidence is not None:
        values = np.concatenate([values, keypoints.confidence[..., None]], axis=-1)
    _write(values, KEYPOINT_AXES[: values.shape[-1]], keypoints.skeleton, keypoints.fps, path)


def write_poses_csv(poses: Poses3D, path: Path) -> None:
    """Write metres in camera axes, to 0.1 mm."""
    _write(poses.xyz.astype(np.float64).round(4), JOINT_AXES, poses.skeleton, poses.fps, path)


def _write(values: np.ndarray, axes: Sequence[str], skeleton: Skeleton, fps: float, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["frame", "time_s", *(f"{joint}_{axis}" for joint in skeleton.joints for axis in axes)])
        for frame, row in enumerate(values.reshape(len(values), -1)):
            writer.writerow([frame, frame / fps, *("" if np.isnan(value) else f"{value:.9g}" for value in row)])
