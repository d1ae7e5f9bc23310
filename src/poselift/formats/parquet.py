"""Read and write poses as Parquet, by pyarrow (extra `parquet`): the columns of `poselift.formats.tidy`, float32.

The schema's metadata hold under `poselift`, as JSON: `written_by`, `unit`, `fps`, `skeleton` with `joints` and
`parents`, and for each person `person`, `may_continue`, `camera` and `about`.

A shard of `poselift lift-many` holds the people of many clips (`write_shard`). It has a column `clip` besides, people
carry their `clip` and `fps` in the metadata, and `frame` counts from the beginning of the clip's source. Read back, the
clip's name is `Poses3D.about["clip"]`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError, PoseliftError
from poselift.files import check_readable, parse_json, reason_of
from poselift.files.limits import ARRAY
from poselift.formats.about import parse_about, written_by
from poselift.formats.fields import named_skeleton
from poselift.formats.table_file import Table
from poselift.formats.tidy import CLIP, Columns, first_frames, number_columns, poses_of
from poselift.geometry.camera import Camera
from poselift.sequence import Poses3D
from poselift.skeleton import H36M_17, Skeleton

_KEY = b"poselift"
_ROW_GROUP = 1 << 16
_CLIP_COLUMNS = ("clip", "frame", "time_s", "axes", "person")


def write_poses_parquet(
    people: Sequence[Poses3D], path: Path, *, columns: Columns | Sequence[Columns] | None = None
) -> None:
    """Write a row for each frame and person, one person after the other.

    Args:
        people: One person, or several with their numbers.
        path: The file.
        columns: More columns of one person, or of each.

    Raises:
        ShapeError: People or columns do not fit; `poselift.formats.tidy.number_columns` says how.
    """
    import pyarrow as arrow

    table = _rows(people, columns, first_frames(people))
    if people[0].person is not None:
        table["person"] = arrow.array(np.repeat([poses.person for poses in people], [len(poses) for poses in people]))
    notes = _notes(people[0].skeleton, [_person_notes(poses) for poses in people]) | {"fps": people[0].fps}
    _write(arrow.table(table), notes, path)


@dataclass(frozen=True, eq=False)
class ShardPart:
    """Everyone in one clip, as a shard holds them."""

    rows: Any
    """Arrow table."""
    people: Sequence[Mapping[str, Any]]
    """What no column holds of each person."""
    skeleton: Skeleton
    """Joints of the columns."""

    @classmethod
    def of(cls, people: Sequence[Poses3D], clip: str) -> "ShardPart":
        """Return the part of a clip of this name.

        Raises:
            ShapeError: People do not fit into one table.
        """
        import pyarrow as arrow

        table = _rows(people, None, [round(poses.start_s * poses.fps) for poses in people])
        lengths = [len(poses) for poses in people]
        names = arrow.DictionaryArray.from_arrays(np.zeros(sum(lengths), np.int32), [clip]).cast(arrow.string())
        numbers = np.repeat([np.nan if poses.person is None else poses.person for poses in people], lengths)
        person = arrow.array(numbers, from_pandas=True).cast(arrow.int64())
        notes = [_person_notes(poses) | {CLIP: clip, "fps": poses.fps} for poses in people]
        return cls(arrow.table({CLIP: names} | table | {"person": person}), notes, people[0].skeleton)


def write_shard(parts: Sequence[ShardPart], path: Path, notes: Mapping[str, Any]) -> None:
    """Write the poses of many clips.

    Args:
        parts: The clips, all in the joints of one skeleton. There may be none.
        path: The file.
        notes: More metadata, as JSON holds them; `shard_notes` returns them.
    """
    import pyarrow as arrow

    kinds = (arrow.string(), arrow.int64(), arrow.float64(), arrow.string(), arrow.int64())
    table = arrow.table({name: arrow.array([], kind) for name, kind in zip(_CLIP_COLUMNS, kinds, strict=True)})
    if parts:
        table = arrow.concat_tables([part.rows for part in parts], promote_options="default")
    people = [person for part in parts for person in part.people]
    skeleton = parts[0].skeleton if parts else H36M_17
    _write(table, _notes(skeleton, people) | {"fps": None, **notes}, path)


def shard_notes(path: Path) -> dict[str, Any]:
    """Return the metadata of a file of poses; only its end is read.

    Raises:
        FormatError: The file is missing, broken, or none of ours.
    """
    import pyarrow as arrow
    from pyarrow import parquet

    check_readable(path, ARRAY)
    try:
        found = parquet.read_metadata(path).metadata or {}
    except (arrow.ArrowException, OSError) as error:
        raise FormatError(f"{path} is a broken Parquet file ({reason_of(error)}); write it again") from error
    if _KEY not in found:
        raise FormatError(f"{path} holds no poses that poselift wrote")
    return parse_json(found[_KEY].decode("utf-8", "replace"), f"{path}, metadata")


def read_poses_parquet(path: Path) -> tuple[Poses3D, ...]:
    """Read everyone's poses from a file that `write_poses_parquet` or `write_shard` wrote.

    Raises:
        FormatError: The file is missing, broken, or has another layout.
        SkeletonError: The skeleton is unknown and not described.
    """
    import pyarrow as arrow
    from pyarrow import parquet

    check_readable(path, ARRAY)
    try:
        found = parquet.read_table(path, memory_map=False)
        columns = {name: _cells(arrow, found.column(name)) for name in found.column_names}
    except (arrow.ArrowException, OSError) as error:
        raise FormatError(f"{path} is a broken Parquet file ({reason_of(error)}); write it again") from error
    name = str(path)
    if _KEY not in (found.schema.metadata or {}):
        raise FormatError(f"{name} holds no poses that poselift wrote; its columns are {', '.join(list(columns)[:8])}")
    for column, cells in columns.items():
        if column not in ("axes", CLIP) and cells.dtype.kind not in "iuf":
            raise FormatError(f"{name}, column {column}: wanted numbers, got {found.schema.field(column).type}")
    notes = parse_json(found.schema.metadata[_KEY].decode("utf-8", "replace"), f"{name}, metadata")
    table = Table(name, columns, [f"row {row}" for row in range(found.num_rows)])
    try:
        skeleton = named_skeleton(notes["skeleton"], notes["joints"], notes["parents"], name)
        if CLIP in columns:
            return _poses_of_clips(table, skeleton, notes["people"])
        people = {(person["person"] or 0): _more(person, name) for person in notes["people"]}
        fps = float(notes["fps"])
    except PoseliftError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{name}: its metadata are not those of poses ({error}); write it again") from error
    return poses_of(table, skeleton=skeleton, fps=fps, more=people)


def _poses_of_clips(table: Table, skeleton: Skeleton, people: Sequence[Mapping[str, Any]]) -> tuple[Poses3D, ...]:
    """Return everyone in a shard, clip by clip."""
    by_clip: dict[str, list[Mapping[str, Any]]] = {}
    for person in people:
        by_clip.setdefault(str(person[CLIP]), []).append(person)
    names = np.asarray(table.columns[CLIP])
    edges = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1).tolist(), len(names)] if len(names) else [0]
    everyone: list[Poses3D] = []
    for first, after in zip(edges[:-1], edges[1:], strict=True):
        found = by_clip.pop(str(names[first]), None)
        if found is None:
            raise FormatError(f"{table.name}: its metadata do not know the clip {names[first]}; write it again")
        rows = table.rows(range(first, after))
        columns = {name: cells for name, cells in rows.columns.items() if name != CLIP}
        if found[0]["person"] is None:
            columns.pop("person", None)
        clip = f"{table.name}, clip {names[first]}"
        more = {(person["person"] or 0): _more(person, clip) for person in found}
        for poses in more.values():
            poses["about"] = poses["about"] | {CLIP: str(names[first])}
        rows = replace(rows, name=clip, columns=columns)
        everyone += poses_of(rows, skeleton=skeleton, fps=float(found[0]["fps"]), more=more)
    if by_clip:
        raise FormatError(f"{table.name} lacks the rows of the clip {next(iter(by_clip))}; write it again")
    return tuple(everyone)


def _rows(
    people: Sequence[Poses3D], columns: Columns | Sequence[Columns] | None, first: Sequence[int]
) -> dict[str, Any]:
    """Return the columns of everyone in a clip, whose first frames have these numbers, except `person`."""
    import pyarrow as arrow

    names, numbers = number_columns(people, columns)
    values = np.concatenate(numbers).astype(np.float32)
    frames = [np.arange(len(poses)) + start for poses, start in zip(people, first, strict=True)]
    times = [poses.start_s + np.arange(len(poses)) / poses.fps for poses in people]
    table = {"frame": arrow.array(np.concatenate(frames)), "time_s": arrow.array(np.concatenate(times))}
    for name, column in zip(names, values.T, strict=True):
        cells = arrow.array(np.ascontiguousarray(column), from_pandas=True)  # NaN is null
        table[name] = cells.cast(arrow.bool_()) if name == "gap" else cells
    table["axes"] = arrow.array(np.repeat([poses.frame for poses in people], [len(poses) for poses in people]))
    return table


def _notes(skeleton: Skeleton, people: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "written_by": written_by(), "unit": "m",
        "skeleton": skeleton.name, "joints": skeleton.joints, "parents": skeleton.parents, "people": people,
    }  # fmt: skip


def _person_notes(poses: Poses3D) -> dict[str, Any]:
    """Return what no column holds of a person; `_more` reads it back."""
    return {
        "person": poses.person, "may_continue": poses.may_continue, "about": dict(poses.about),
        "camera": None if poses.camera is None else poses.camera.as_json(),
    }  # fmt: skip


def _write(table: Any, notes: Mapping[str, Any], path: Path) -> None:
    from pyarrow import parquet

    whole = table.replace_schema_metadata({_KEY: json.dumps(notes).encode()})
    words = [name for name in ("axes", CLIP) if name in table.column_names]
    statistics = [CLIP] if CLIP in words else False  # by which queries leave out the row groups of other clips
    parquet.write_table(
        whole, path, compression="zstd", use_dictionary=words, write_statistics=statistics, row_group_size=_ROW_GROUP
    )


def _cells(arrow: Any, column: Any) -> np.ndarray:
    """Return the cells (N,) of a column; what is null becomes NaN."""
    if arrow.types.is_boolean(column.type):
        column = column.cast(arrow.int8())
    return column.to_numpy()


def _more(person: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the fields of one person's poses that no column holds."""
    camera = person["camera"]
    return {
        "may_continue": tuple(person["may_continue"]),
        "about": parse_about(person["about"], name),
        "camera": None if camera is None else Camera.from_json(camera),
    }
