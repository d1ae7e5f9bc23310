"""Read and write TRC files: markers in space for OpenSim, y up; and read those in the picture, as Sports2D writes them.

Poses are written as Pose2Sim writes those of its model `HALPE_26`, whose markers its OpenSim model knows by name: Hip,
RHip, RKnee, RAnkle, RBigToe, ..., Neck, Head, Nose, RShoulder, ..., and besides these the eyes and ears, in metres.

Source: OpenSim's documentation of the format; the names of the markers are those of Pose2Sim 0.10.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError, ShapeError
from poselift.files import read_text
from poselift.formats.about import written_by
from poselift.formats.beside import knowledge, write_notes
from poselift.formats.clip import Override, Source
from poselift.formats.columns import Rows, clips_of
from poselift.formats.digits import decimal_rows
from poselift.formats.joint_names import joint_name
from poselift.formats.markers import poses_of_markers
from poselift.prepare.convert import convert_poses, missing_joints
from poselift.sequence import WORLD, Keypoints2D, Poses3D
from poselift.skeleton import HALPE_26

_HEADERS = 5
"""Number of lines before the numbers; an empty one may follow."""
_MM_PER_M = 1000.0
_UNITS = {"m": 1.0, "mm": 1 / _MM_PER_M, "cm": 0.01}
_PARTS = {
    "pelvis": "Hip", "head_top": "Head", "spine": "Spine", "thorax": "Thorax",
    "hip": "Hip", "big_toe": "BigToe", "small_toe": "SmallToe",
}  # fmt: skip
"""Joints without their side: markers without theirs, where that is not the joint's name with a capital letter."""
_NEEDED = ("left_big_toe", "left_heel", "right_big_toe", "right_heel")
_log = logging.getLogger("poselift")
_HIGH, _LOW = ("nose", "head", "head_top", "neck", "left_shoulder", "right_shoulder"), ("left_ankle", "right_ankle")


def read_trc(path: Path, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of a TRC file whose third coordinate is 0 everywhere; markers become joints by name.

    TRC files have y up: where the ankles have smaller y than head and shoulders, y is negated.

    Raises:
        FormatError: It is broken, holds markers in space, shows nobody, or there is no frame rate.
        SkeletonError: Too few of the markers are joints that we know.
    """
    markers, table, points, fps, _ = _read_markers(path)
    if not markers or np.nanmax(np.abs(points[..., 2]), initial=0.0) > 0:
        raise FormatError(
            f"{path} holds markers in space, which need no lifting; wanted 2D keypoints. To measure a lifter on them, "
            "save them with their keypoints as docs/own_data.md says"
        )
    frames = [int(number) for number in np.nan_to_num(table[:, 0])]
    xy = points[..., :2]
    if _is_y_up(xy, markers):
        xy = xy * (1, -1)
    return clips_of(Rows(markers, xy, frames, None), Source(str(path), fps=fps), override)


def _is_y_up(xy: np.ndarray, markers: list[str]) -> bool:
    """Return whether the ankles have smaller y than head and shoulders, in most frames."""
    names = [joint_name(marker) for marker in markers]
    high, low = ([place for place, name in enumerate(names) if name in part] for part in (_HIGH, _LOW))
    if not high or not low:
        return True
    return bool(np.nanmedian(xy[:, low, 1]) < np.nanmedian(xy[:, high, 1]))


def marker_name(joint: str) -> str:
    """Return the name of a joint's marker in Pose2Sim's files: RBigToe for right_big_toe, Hip for pelvis."""
    for side, letter in (("left_", "L"), ("right_", "R")):
        if joint.startswith(side):
            part = joint.removeprefix(side)
            return letter + _PARTS.get(part, part.title().replace("_", ""))
    return _PARTS.get(joint, joint.title().replace("_", ""))


def write_trc(poses: Poses3D, path: Path) -> None:
    """Write markers in metres with y up, to 0.1 mm, at their place in space where `path` is known.

    Poses of `BODY_27` are written in the joints of `HALPE_26`. Others without feet get a warning: OpenSim's model then
    lacks the markers that turn the feet. `write_trc_notes` writes what the file has no place for.

    Args:
        poses: The poses.
        path: The file.
    """
    poses = _as_markers(poses)
    if missing := [marker_name(joint) for joint in _NEEDED if joint not in poses.skeleton]:
        _log.warning(
            "the TRC file of %s lacks the markers %s: OpenSim cannot turn the feet by it. Lift with --skeleton-out "
            "BODY_27 for all markers of Pose2Sim's HALPE_26",
            *(poses.skeleton.name, ", ".join(missing)),
        )
    world = poses.xyz if poses.path is None else poses.xyz + poses.path[:, None]
    points = poses.y_up(world)
    names = [marker_name(joint) for joint in poses.skeleton.joints]
    count, rate = len(poses), f"{poses.fps:.10g}"
    head = [
        ["PathFileType", "4", "(X/Y/Z)", f"{written_by().replace(' ', '_')}.trc"],
        [
            *("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units"),
            *("OrigDataRate", "OrigDataStartFrame", "OrigNumFrames"),
        ],
        [rate, rate, str(count), str(len(names)), "m", rate, "1", str(count)],
        ["Frame#", "Time", *(cell for name in names for cell in (name, "", ""))],
        ["", "", *(f"{axis}{number}" for number in range(1, len(names) + 1) for axis in "XYZ")],
    ]
    ends = ["\t"] * (3 * len(names) - 1) + ["\n"]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines("\t".join(line) + "\n" for line in head)
        rows = "".join(decimal_rows(points.reshape(count, -1), 4, ends)).splitlines(True)
        file.writelines(
            f"{frame + 1}\t{poses.start_s + frame / poses.fps:.10g}\t{row}" for frame, row in enumerate(rows)
        )


def write_trc_notes(poses: Poses3D, path: Path, *, made: None = None) -> None:
    """Write what a TRC file has no place for beside it: `poselift.formats.beside`."""
    write_notes(path, kind="trc", unit="m", known={"axes": "y up"} | knowledge(_as_markers(poses), first_frame=1))


def _as_markers(poses: Poses3D) -> Poses3D:
    return poses if missing_joints(poses.skeleton, HALPE_26) else convert_poses(poses, HALPE_26)


def read_poses_trc(path: Path) -> Poses3D:
    """Read markers in space as poses in the frame "world", z up; those of Pose2Sim become joints by name.

    A marker that is missing in some frames is put on a line between the frames around, and is not observed there.

    Raises:
        FormatError: The file is broken, holds 2D keypoints, or a marker that is never there.
    """
    markers, table, points, fps, unit = _read_markers(path)
    if not markers or not np.nanmax(np.abs(points[..., 2]), initial=0.0) > 0:
        raise FormatError(f"{path} holds 2D keypoints (z is 0 everywhere), no poses; lift it with poselift lift")
    if unit not in _UNITS:
        raise FormatError(f"{path}: wanted Units m, cm or mm, got '{unit}'")
    known = {marker_name(joint): joint for joint in HALPE_26.joints}
    joints = [known.get(marker) or joint_name(marker) or marker for marker in markers]
    times = table[:, 1]
    extras: dict[str, Any] = {"start_s": float(times[0])} if np.isfinite(times).all() else {}
    try:
        world = points[..., [0, 2, 1]] * (1, -1, 1) * _UNITS[unit]
        return poses_of_markers(world, joints, fps, str(path), frame=WORLD, **extras)
    except ShapeError as error:
        raise FormatError(f"{path}: {error}") from error


def _read_markers(path: Path) -> tuple[list[str], np.ndarray, np.ndarray, float, str]:
    """Return the markers' names, the table (T, 2 + 3 M), the points (T, M, 3), the frame rate and the unit."""
    lines = read_text(path).splitlines()
    if len(lines) <= _HEADERS or not lines[0].startswith("PathFileType"):
        raise FormatError(f"{path} is no TRC file; wanted 'PathFileType' and four more lines of headers")
    markers = [cell.strip() for cell in lines[3].split("\t")[2:] if cell.strip()]
    try:
        said = dict(zip(lines[1].split(), lines[2].split(), strict=False))
        fps = float(said["DataRate"])
        width = 2 + 3 * len(markers)
        rows = [line.split("\t")[:width] for line in lines[_HEADERS:] if line.strip()]
        table = np.array([[float(cell.strip() or "nan") for cell in row] for row in rows], np.float64)
        points = table[:, 2:].reshape(len(table), len(markers), 3)
    except (ValueError, IndexError, KeyError) as error:
        raise FormatError(
            f"{path} is a broken TRC file ({error}); wanted frame, time and x, y, z of each marker"
        ) from error
    return markers, table, points, fps, said.get("Units", "m")
