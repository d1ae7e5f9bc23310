"""Read and write OpenSim motion files (.mot): the coordinates of a model over time, for OpenSim and its plots.

Angles have the names and signs of the Rajagopal model (in Gait2392, knees bend to the negative); others keep our own
names, and OpenSim ignores them. The ground is OpenSim's: X forward, Y up, Z to the right of somebody who faces X.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poselift.errors import FormatError
from poselift.files import read_text
from poselift.refine.angles import JointAngles, cardan_zxy, joint_angles, to_ground
from poselift.sequence import Poses3D, spans

PELVIS = ("pelvis_tilt", "pelvis_list", "pelvis_rotation")
"""OpenSim's turns of the pelvis, about Z, X and Y in this order. Our own, whose tilt does not depend on where the
person faces, are left out."""
PLACE = ("pelvis_tx", "pelvis_ty", "pelvis_tz")
"""Place of the pelvis in metres, of poses with a path."""
_OWN_PELVIS = ("pelvis_anterior_tilt", "pelvis_obliquity", "pelvis_heading")
_END = "endheader"


@dataclass(frozen=True, eq=False)
class MotionFile:
    """What an OpenSim motion file holds."""

    names: tuple[str, ...]
    """Names of the columns besides the time."""
    values: np.ndarray
    """(T, C) numbers: degrees (`in_degrees`) or radians, and metres of translations."""
    times: np.ndarray
    """(T,) seconds."""
    in_degrees: bool
    """Whether angles are in degrees."""

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a column (T,).

        Raises:
            FormatError: There is no such column.
        """
        if name not in self.names:
            raise FormatError(f"there is no column '{name}'; there are {', '.join(self.names)}")
        return np.asarray(self.values[:, self.names.index(name)])


def write_mot(poses: Poses3D, path: Path) -> None:
    """Write the joint angles of poses, in degrees, with the turn and, where there is a path, the place of the pelvis.

    The format has no place for what is not known: angles that are not defined, as rotations of straight limbs, are
    drawn from the frames around; the header says of which columns, and how many frames are gaps.

    Raises:
        SkeletonError: The skeleton has neither arms nor legs.
    """
    angles = joint_angles(poses)
    kept = [name for name in angles.names if name not in _OWN_PELVIS]
    columns = _pelvis(angles, poses) | {name: angles[name].astype(np.float64) for name in kept}
    filled, notes = {}, []
    for name, values in columns.items():
        known = np.isfinite(values)
        if not known.any():
            notes.append(f"{name} is nowhere defined and left out")
            continue
        if not known.all():
            notes.append(f"{name} is drawn from other frames in {int((~known).sum())} of {len(values)}")
        steady = values[known] if name in PLACE else np.degrees(np.unwrap(np.radians(values[known])))
        filled[name] = np.interp(np.arange(len(values)), np.flatnonzero(known), steady)
    for first, last in spans(poses.gap) if poses.gap is not None else ():
        notes.append(f"rows {first} to {last} are invented: the person was not seen")
    times = poses.start_s + np.arange(len(poses)) / poses.fps
    rows = np.column_stack([times, *filled.values()])
    header = ["Coordinates", "version=1", f"nRows={len(rows)}", f"nColumns={rows.shape[1]}", "inDegrees=yes"]
    header += ["", "Angles by poselift, as in the Rajagopal model; left and right are the person's.", *notes, _END]
    lines = ["\t".join(f"{value:.6f}" for value in row) for row in rows]
    text = "\n".join([*header, "\t".join(["time", *filled]), *lines, ""])
    path.write_text(text, encoding="utf-8", newline="\n")


def read_mot(path: str | Path) -> MotionFile:
    """Read an OpenSim motion file, ours or another program's.

    Raises:
        FormatError: The file cannot be read, is no motion file, or its numbers do not fit its header.
    """
    path = Path(path)
    lines = [line.strip() for line in read_text(path).splitlines()]
    if _END not in lines:
        raise FormatError(f"{path} is no OpenSim motion file: the line '{_END}' is missing")
    end = lines.index(_END)
    pairs = dict(line.partition("=")[::2] for line in lines[:end] if "=" in line)
    says = {key.strip().lower(): value.strip().lower() for key, value in pairs.items()}
    body = [line.split() for line in lines[end + 1 :] if line]
    if len(body) < 2 or body[0][0].lower() != "time":
        raise FormatError(f"{path}: wanted a line of names that begins with 'time', and numbers, after '{_END}'")
    names = tuple(body[0][1:])
    try:
        table = np.array([[float(cell) for cell in row] for row in body[1:]])
    except ValueError as error:
        raise FormatError(f"{path}: wanted rows of {len(names) + 1} numbers after '{_END}' ({error})") from error
    if table.ndim != 2 or table.shape[1] != len(names) + 1:
        raise FormatError(f"{path}: wanted {len(names) + 1} numbers in each row, as there are names")
    for key, count in (("nrows", len(table)), ("ncolumns", table.shape[1])):
        if says.get(key, str(count)) != str(count):
            raise FormatError(
                f"{path}: the header says {key}={says[key]}, but there are {count}; the file is cut short"
            )
    return MotionFile(names, table[:, 1:], table[:, 0], says.get("indegrees", "no") == "yes")


def _pelvis(angles: JointAngles, poses: Poses3D) -> dict[str, np.ndarray]:
    """Return OpenSim's coordinates of the pelvis: the same turn as ours, taken apart about Z, X and Y."""
    found: dict[str, np.ndarray] = {}
    if _OWN_PELVIS[0] in angles.names:
        tilt, obliquity, heading = (np.radians(angles[name].astype(np.float64)) for name in _OWN_PELVIS)
        turns = cardan_zxy(_about(1, heading) @ _about(0, -obliquity) @ _about(2, -tilt))
        found |= dict(zip(PELVIS, turns, strict=True))
    if poses.path is not None:
        found |= dict(zip(PLACE, to_ground(poses, poses.path).T, strict=True))
    return found


def _about(axis: int, angle: np.ndarray) -> np.ndarray:
    """Return the rotations (T, 3, 3) about X, Y or Z (0, 1, 2) by angles (T,) in radians."""
    one, two = (axis + 1) % 3, (axis + 2) % 3
    turns = np.zeros((len(angle), 3, 3))
    turns[:, axis, axis] = 1
    turns[:, one, one] = turns[:, two, two] = np.cos(angle)
    turns[:, two, one], turns[:, one, two] = np.sin(angle), -np.sin(angle)
    return turns
