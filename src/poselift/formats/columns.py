"""Find out what the columns of tables mean: joints by name or number, scores under any name, several people."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from poselift.errors import FormatError, did_you_mean
from poselift.formats.clip import Override, Source, finish
from poselift.formats.detections import follow, frame_number, frame_numbers
from poselift.formats.fields import frame_rows, person_id
from poselift.formats.joint_names import joint_name, place_joints
from poselift.formats.table_file import MISSING, Table
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton

AXES = {
    "x": ("x",),
    "y": ("y",),
    "confidence": (
        "confidence",
        "conf",
        "c",
        "score",
        "s",
        "likelihood",
        "visibility",
        "visible",
        "vis",
        "v",
        "p",
        "prob",
    ),
}
"""Endings of columns: coordinates in pixels, and the names of scores."""
_UNUSED = ("z", "presence")
"""Endings of columns of joints that are not used."""
_NAMES = {
    "frame": (
        *("frame", "frame_id", "frame_number", "frame_index", "frame_num", "frame_no", "frames", "frameid"),
        *("image", "image_id", "image_name", "img", "file", "filename", "file_name"),
    ),
    "person": ("person", "person_id", "track_id", "track", "id", "player", "player_id", "individual", "individuals"),
    "time_s": ("time_s", "time", "t", "timestamp", "timestamp_s", "seconds"),
    "joint": (
        *("joint", "landmark", "keypoint", "bodypart", "part", "name", "marker", "joint_name", "landmark_name"),
        *("keypoint_name", "joint_id", "landmark_id", "keypoint_id", "landmark_index"),
    ),
    "fps": ("fps",),
    "image_width": ("image_width",),
    "image_height": ("image_height",),
}
_INDEX = ("", "unnamed: 0", "index")
"""Names of a column that pandas writes its index into."""
_ENDS = {name: axis for axis, names in AXES.items() for name in names} | dict.fromkeys(_UNUSED, "unused")
_END = re.compile(r"(.*?)[\s_.:\-]*\(?(" + "|".join(sorted(_ENDS, key=len, reverse=True)) + r")\)?", re.IGNORECASE)
_START = re.compile(r"(" + "|".join(sorted(_ENDS, key=len, reverse=True)) + r")[\s_.:\-]*(\d+)", re.IGNORECASE)
_LONGEST_COLUMN = 100
_NUMBERED = re.compile(r"(?:kp|kpt|keypoint|landmark|lm|joint|point|j|p)?[\s_.\-]*(\d+)", re.IGNORECASE)
_log = logging.getLogger("poselift")


@dataclass(frozen=True)
class Rows:
    """The content of a table: each row is one person in one frame."""

    joints: Sequence[str | int]
    """Names, or numbers, of the joints."""
    values: np.ndarray
    """(N, J, 2 or 3) x, y, confidence; NaN where nothing is known."""
    frames: Sequence[int]
    """(N,) frame of each row."""
    people: Sequence[int | None] | None
    """(N,) number of each row's person; None where the table does not say who it is."""


def read_columns(table: Table, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person in a table with a row for each frame, person, or joint.

    Raises:
        FormatError: A column is missing, a cell holds no number, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    table = _with_usual_names(table)
    size = None
    if any(column in table.columns for column in ("image_width", "image_height")):
        size = (int(table.constant("image_width")), int(table.constant("image_height")))
    frames = _frames(table)
    if "frame" in table.columns:
        table = replace(table, columns={**table.columns, "frame": [str(frame) for frame in frames]})
    rows = _long(table) if {"joint", "x", "y"} <= table.columns.keys() else _wide(table, override.skeleton)
    first = {frame: row for row, frame in reversed(list(enumerate(frames)))}
    return clips_of(rows, Source(table.name, fps=table.rows(list(first.values())).fps(), image_size=size), override)


def clips_of(rows: Rows, source: Source, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person in rows; missing frame numbers become frames without a person.

    Raises:
        FormatError: A frame is far from all others, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    values, skeleton = rows.values, None
    if rows.joints and isinstance(rows.joints[0], str):
        skeleton, places = place_joints([str(joint) for joint in rows.joints], source.name, override.skeleton)
        values = np.where(np.array(places)[:, None] >= 0, values[:, places], np.nan)
        source = replace(source, skeleton=skeleton)
    if rows.people is None and len(set(rows.frames)) == len(rows.frames):
        row_of, length = frame_rows(list(rows.frames), source.name, override.frame_step)
        person = np.full((length, *values.shape[1:]), np.nan)
        person[row_of] = values
        return finish([person], source, override)
    if rows.people is None:
        _log.info("%s: frames have several rows each, which are taken as several people", source.name)
    own: dict[int, list[int]] = {}
    for row, frame in enumerate(rows.frames):
        own.setdefault(frame, []).append(row)
    ids = {frame: [None if rows.people is None else rows.people[row] for row in found] for frame, found in own.items()}
    return follow({frame: values[found] for frame, found in own.items()}, ids, source, override)


def _with_usual_names(table: Table) -> Table:
    """Return the table with the names of this module for the columns that are no joints'."""
    columns: dict[str, Sequence[str] | np.ndarray] = {}
    for column, cells in table.columns.items():
        lower = column.strip().lower().replace(" ", "_")
        usual = next((name for name, names in _NAMES.items() if lower in names), None)
        if usual in columns:
            usual = None
        columns[usual or (lower if lower in _ENDS else column)] = cells
    index = next((column for column in columns if column.lower() in _INDEX), None)
    if index is not None and "frame" not in columns and len(set(columns[index])) == len(table):
        columns["frame"] = columns[index]
    if index is not None:
        del columns[index]
    return replace(table, columns=columns)


def _frames(table: Table) -> list[int]:
    """Return the frame of each row: a number, the last number of a name, or else its place among the person's rows."""
    if "frame" not in table.columns:
        done: Counter[str] = Counter()
        frames = []
        for who in table.columns.get("person", [""] * len(table)):
            frames.append(done[who])
            done[who] += 1
        return frames
    cells = list(table.columns["frame"])
    if all(
        re.search(r"[a-zA-Z_/]", cell) and frame_number(cell) is not None and not _is_number(cell) for cell in cells
    ):
        cells = [str(number) for number in frame_numbers(cells, table.name)]
    return replace(table, columns={"frame": cells}).whole_numbers("frame")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _people(table: Table) -> list[int | None] | None:
    """Return the number of each row's person; names are numbered in their order."""
    if "person" not in table.columns:
        return None
    cells = table.columns["person"]
    if all(person_id(cell) is not None or cell.lower() in (*MISSING, "-1") for cell in cells):
        return [person_id(cell) for cell in cells]
    numbered = {cell: number for number, cell in enumerate(dict.fromkeys(cells), 1)}
    return [numbered[cell] for cell in cells]


def _wide(table: Table, claimed: Skeleton | None) -> Rows:
    """Return the rows of a table with columns ``<joint>_x``, or ``x1``."""
    joints: dict[str | int, dict[str, str]] = {}
    unknown = []
    for column in table.columns:
        if column in _NAMES or column in _ENDS:
            continue
        joint, axis = _joint_column(column)
        named = isinstance(joint, str) and joint_name(joint) is None and (claimed is None or joint not in claimed)
        if joint is None or axis is None or named:
            unknown.append(column)
        elif axis != "unused":
            joints.setdefault(joint, {}).setdefault(axis, column)
    numbered = [joint for joint in joints if isinstance(joint, int)]
    if len(numbered) < len(joints):
        joints = {joint: columns for joint, columns in joints.items() if isinstance(joint, str)}
    if not joints:
        raise FormatError(
            f"{table.name} has no columns of joints such as left_hip_x, left_hip_y or x1, y1; "
            f"got {', '.join(table.columns)}"
        )
    scored = any("confidence" in columns for columns in joints.values())
    axes = list(AXES)[: 2 + scored]
    missing = [f"{joint}_{axis}" for joint, columns in joints.items() for axis in axes if axis not in columns]
    if missing:
        also = f"; unknown columns: {', '.join(unknown)}" if unknown else ""
        raise FormatError(f"{table.name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}{also}")
    if unknown:
        known = [*_NAMES, *(f"<joint>_{axis}" for axis in AXES)]
        hints = "; ".join(f"{column!r} ({did_you_mean(column, known)})" for column in unknown[:3])
        _log.warning("%s: columns that are not understood are left out: %s", table.name, hints)
    order = sorted(joints, key=int) if numbered and len(numbered) == len(joints) else list(joints)
    values = table.numbers(*(joints[joint][axis] for joint in order for axis in axes))
    return Rows(order, values.reshape(len(table), len(order), len(axes)), _frames(table), _people(table))


def _joint_column(column: str) -> tuple[str | int | None, str | None]:
    """Return joint and axis of a column; (None, None) for a column that is no joint's."""
    if len(column) > _LONGEST_COLUMN:
        return None, None
    if match := _START.fullmatch(column):
        return int(match[2]), _ENDS[match[1].lower()]
    match = _END.fullmatch(column)
    if match is None or not match[1]:
        return None, None
    if number := _NUMBERED.fullmatch(match[1]):
        return int(number[1]), _ENDS[match[2].lower()]
    separated = not column[len(match[1])].isalnum() or joint_name(match[1]) is not None
    return (match[1], _ENDS[match[2].lower()]) if separated else (None, None)


def _long(table: Table) -> Rows:
    """Return the rows of a table with a row for each joint, and columns for the joint, x and y."""
    score = next((column for column in AXES["confidence"] if column in table.columns), None)
    values = table.numbers("x", "y", *([score] if score else []))
    frames, people = _frames(table), _people(table)
    if "frame" not in table.columns:
        frames = [0] * len(table)
    names = list(dict.fromkeys(table.columns["joint"]))
    joints: list[str | int] = list(map(int, names)) if all(name.isdigit() for name in names) else list(names)
    place = {name: number for number, name in enumerate(names)}
    keys = [(frame, None if people is None else people[row]) for row, frame in enumerate(frames)]
    rows = {key: row for row, key in enumerate(dict.fromkeys(keys))}
    wide = np.full((len(rows), len(joints), values.shape[1]), np.nan)
    taken: set[tuple[int, int]] = set()
    for row, (key, name) in enumerate(zip(keys, table.columns["joint"], strict=True)):
        cell = rows[key], place[name]
        if cell in taken:
            where = f"{table.name}, {table.places[row]}"
            raise FormatError(f"{where}: {name} comes twice in frame {key[0]}; add the columns frame and person_id")
        taken.add(cell)
        wide[cell] = values[row]
    if isinstance(joints[0], int):
        wide = wide[:, np.argsort(np.array(joints))]
    return Rows(joints, wide, [frame for frame, _ in rows], None if people is None else [who for _, who in rows])
