"""Poses as a tidy table: a row for each frame and person, columns with their units, the same in CSV and in Parquet.

========================= ====================================================================================
frame                     number of the frame, from 0 at the earliest of the people's first frames
time_s                    seconds from the beginning of the source
gap                       1 where the pose is invented, as nobody is seen far and wide; else 0
<joint>_x_m, _y_m, _z_m   metres from the root joint, in the axes that the column `axes` names
<joint>_observed          0 (a guess) to 1: confidence of the keypoints that the joint was lifted from
<joint>_spread_m          metres: expected distance of the joint from where it truly is
up_x, up_y, up_z          direction away from the ground
left_heel_contact, ...    0 to 1: probability that this part of a foot stands still on the ground
path_x_m, _y_m, _z_m      metres: position of the root joint
axes                      name of the coordinate frame, one of `poselift.sequence.FRAMES`
person                    number of the person among several
clip                      name of the clip, in shards of many (`poselift.formats.parquet`)
========================= ====================================================================================

A column stands there when its values are known of anybody, and more columns of the user's may follow (`check_columns`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from poselift.errors import FormatError, ShapeError
from poselift.formats.clip import ONE_FRAME_FPS
from poselift.formats.table_file import JOINT_AXES, Table
from poselift.sequence import CONTACTS, Poses3D
from poselift.skeleton import Skeleton

PLAIN = ("frame", "time_s", "fps", "gap", "axes", "person")
"""Columns that are no joints' and no `FRAME_FIELDS`."""
CLIP = "clip"
"""Column of tables that hold many clips."""
JOINT_FIELDS = {"observed": "observed", "spread_m": "spread"}
"""Endings of columns of joints besides places: fields of `Poses3D`."""
FRAME_FIELDS = {
    "up": ("up_x", "up_y", "up_z"),
    "contact": tuple(f"{name}_contact" for name in CONTACTS),
    "path": ("path_x_m", "path_y_m", "path_z_m"),
}
"""Fields of `Poses3D`, and their columns."""
UNITS = ("deg", "rad", "deg_per_s", "rad_per_s", "m", "m_per_s", "s", "n", "nm", "share")
"""Ends of the names of a user's columns, each behind an underscore."""
Columns = Mapping[str, np.ndarray]
"""A user's columns of one person by name, (T,) numbers each, such as the angle `right_knee_flexion_deg`."""


def number_columns(
    people: Sequence[Poses3D], columns: Columns | Sequence[Columns] | None
) -> tuple[list[str], list[np.ndarray]]:
    """Return the names of the columns of numbers, without `frame` and `time_s`, and each person's (T, columns) numbers.

    Args:
        people: Everyone, in the joints of one skeleton.
        columns: The user's columns of one person, or of each.

    Raises:
        ShapeError: People have no or the same number, or differ in skeleton, or a user's column has no unit in its
            name, a name of ours, or another length than the poses.
    """
    skeleton, numbers = people[0].skeleton, [poses.person for poses in people]
    if len(people) > 1 and (None in numbers or len(set(numbers)) < len(numbers)):
        raise ShapeError(f"wanted a number of their own for each of {len(people)} people of a table, got {numbers}")
    if others := {poses.skeleton.name for poses in people if poses.skeleton != skeleton}:
        raise ShapeError(
            f"wanted people of a table in the joints of one skeleton, got {skeleton.name} and "
            f"{', '.join(sorted(others))}; use convert_poses"
        )
    own = [{}] * len(people) if columns is None else [columns] if isinstance(columns, Mapping) else list(columns)
    if len(own) != len(people):
        raise ShapeError(f"wanted columns of each of {len(people)} people, got {len(own)}")
    blocks = [_known(poses) | check_columns(given, poses) for poses, given in zip(people, own, strict=True)]
    names = list(dict.fromkeys(name for name in _order(skeleton) if any(name in block for block in blocks)))
    names += list(dict.fromkeys(name for block in blocks for name in block if name not in names))
    missing = [np.full(len(poses), np.nan) for poses in people]
    return names, [
        np.stack([block.get(name, empty) for name in names], -1) for block, empty in zip(blocks, missing, strict=True)
    ]


def check_columns(columns: Columns, poses: Poses3D) -> dict[str, np.ndarray]:
    """Return a user's columns as (T,) float64 arrays; the errors are those of `number_columns`."""
    found, ours = {}, {*PLAIN, *_order(poses.skeleton)}
    for name, values in columns.items():
        if name in ours or not is_users(name):
            units = ", ".join(f"_{unit}" for unit in UNITS)
            raise ShapeError(
                f"wanted a column with a name of its own that ends in its unit ({units}), such as "
                f"right_knee_flexion_deg, got '{name}'"
            )
        array = np.asarray(values, np.float64)
        if array.shape != (len(poses),):
            raise ShapeError(f"wanted a number for each of {len(poses)} frames in column {name}, got {array.shape}")
        found[name] = array
    return found


def is_users(name: str) -> bool:
    """Return whether a column may be a user's: its name ends in a unit and is not that of a joint's place."""
    plain = name.isidentifier() and not name.endswith(tuple(f"_{end}" for end in (*JOINT_AXES, *JOINT_FIELDS)))
    return plain and name.endswith(tuple(f"_{unit}" for unit in UNITS)) and name not in PLAIN


def first_frames(people: Sequence[Poses3D]) -> list[int]:
    """Return the number of each person's first frame, counted from the earliest of them."""
    earliest = min(poses.start_s for poses in people)
    return [round((poses.start_s - earliest) * poses.fps) for poses in people]


def _order(skeleton: Skeleton) -> list[str]:
    joints = [f"{joint}_{end}" for joint in skeleton.joints for end in (*JOINT_AXES, *JOINT_FIELDS)]
    return ["gap", *joints, *(column for columns in FRAME_FIELDS.values() for column in columns)]


def _known(poses: Poses3D) -> dict[str, np.ndarray]:
    """Return the columns of numbers of what is known of one person."""
    fields = [*np.moveaxis(poses.xyz, -1, 0)]
    ends = list(JOINT_AXES)
    for end, name in JOINT_FIELDS.items():
        if (array := getattr(poses, name)) is not None:
            fields.append(array)
            ends.append(end)
    found = {
        f"{joint}_{end}": field[:, number]
        for number, joint in enumerate(poses.skeleton.joints)
        for end, field in zip(ends, fields, strict=True)
    }
    if poses.gap is not None:
        found["gap"] = poses.gap.astype(np.float64)
    for name, columns in FRAME_FIELDS.items():
        if (array := getattr(poses, name)) is not None:
            found |= dict(zip(columns, array.T, strict=True))
    return found


def poses_of(
    table: Table, *, skeleton: Skeleton | None = None, fps: float | None = None, more: Mapping[int, Any] | None = None
) -> tuple[Poses3D, ...]:
    """Return everyone in a tidy table. Of a single frame, whose times give no rate, it is 30 frames per second.

    Args:
        table: The table, with text or numbers as cells.
        skeleton: Joints of the columns; found by their names when None.
        fps: Frames per second; those of the times when None.
        more: By a person's number, or 0 for somebody without one, other fields of their `Poses3D`.

    Raises:
        FormatError: The table is broken, has another layout, or lacks frames.
        SkeletonError: No skeleton has exactly these joints.
    """
    table = replace(table, frame_step=1.0)  # every frame must be there
    frame_columns = [column for columns in FRAME_FIELDS.values() for column in columns]
    users = [column for column in table.columns if is_users(column) and column not in frame_columns]
    table.check_columns((*PLAIN, *frame_columns, *users), (*JOINT_AXES, *JOINT_FIELDS))
    joints = replace(table, columns={name: cells for name, cells in table.columns.items() if name not in frame_columns})
    skeleton = skeleton or joints.skeleton(JOINT_AXES)
    people = [table]
    if "person" in table.columns:
        numbers = np.array(table.whole_numbers("person"))
        people = [table.rows(np.flatnonzero(numbers == number).tolist()) for number in dict.fromkeys(numbers.tolist())]
    rates = [fps or part.fps() for part in people]
    known = next((rate for rate in rates if rate is not None), None)
    if known is None and any(len(part) > 1 for part in people):
        raise FormatError(f"{table.name} lacks the column time_s, which gives the frame rate")
    return tuple(
        _person(part, skeleton, rate or known or ONE_FRAME_FPS, more or {})
        for part, rate in zip(people, rates, strict=True)
    )


def _person(table: Table, skeleton: Skeleton, fps: float, more: Mapping[int, Any]) -> Poses3D:
    """Return the poses in the rows of one person."""
    places, length = table.frames()
    if length != len(places):
        raise FormatError(f"{table.name}: {length - len(places)} frames are missing; wanted every frame")
    if (np.diff(places) != 1).any():
        table = table.rows(np.argsort(places).tolist())
    known: dict[str, Any] = {}
    for end, name in JOINT_FIELDS.items():
        if f"{skeleton.joints[0]}_{end}" in table.columns:
            known[name] = table.joints(skeleton, [end])[..., 0]
    for name, columns in FRAME_FIELDS.items():
        if set(columns) & set(table.columns):
            known[name] = table.numbers(*columns)
    if "gap" in table.columns:
        known["gap"] = table.numbers("gap")[:, 0]
    known = {name: values for name, values in known.items() if not np.isnan(values).all()}  # known of others only
    if "gap" in known:
        known["gap"] = known["gap"] > 0
    if "axes" in table.columns:
        if len(frames := {str(cell) for cell in table.columns["axes"]}) != 1:
            raise FormatError(
                f"{table.name}, column axes: wanted one frame of coordinates, got {', '.join(sorted(frames))}"
            )
        (known["frame"],) = frames
    if "person" in table.columns:
        known["person"] = int(table.constant("person"))
    if "time_s" in table.columns:
        known["start_s"] = float(table.numbers("time_s")[0, 0])
    try:
        return Poses3D(
            table.joints(skeleton, JOINT_AXES), skeleton, fps, **known, **more.get(known.get("person", 0), {})
        )
    except ShapeError as error:
        raise FormatError(f"{table.name}: {error}") from error
