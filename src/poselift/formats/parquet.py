"""Read and write poses as Parquet, by pyarrow (extra `parquet`): the columns of `poselift.formats.tidy`, float32.

The schema's metadata hold under `poselift`, as JSON: `written_by`, `unit`, `fps`, `skeleton` with `joints` and
`parents`, and for each person `person`, `may_continue`, `camera` and `about`.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError, PoseliftError
from poselift.files import check_readable, parse_json, reason_of
from poselift.files.limits import ARRAY
from poselift.formats.about import parse_about, written_by
from poselift.formats.fields import named_skeleton
from poselift.formats.table_file import Table
from poselift.formats.tidy import Columns, first_frames, number_columns, poses_of
from poselift.geometry.camera import Camera
from poselift.sequence import Poses3D

_KEY = b"poselift"


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
    from pyarrow import parquet

    names, numbers = number_columns(people, columns)
    values = np.concatenate(numbers).astype(np.float32)
    frames = [np.arange(len(poses)) + first for poses, first in zip(people, first_frames(people), strict=True)]
    times = [poses.start_s + np.arange(len(poses)) / poses.fps for poses in people]
    table = {"frame": arrow.array(np.concatenate(frames)), "time_s": arrow.array(np.concatenate(times))}
    for name, column in zip(names, values.T, strict=True):
        cells = arrow.array(np.ascontiguousarray(column), from_pandas=True)  # NaN is null
        table[name] = cells.cast(arrow.bool_()) if name == "gap" else cells
    table["axes"] = arrow.array(np.repeat([poses.frame for poses in people], [len(poses) for poses in people]))
    if people[0].person is not None:
        table["person"] = arrow.array(np.repeat([poses.person for poses in people], [len(poses) for poses in people]))
    skeleton = people[0].skeleton
    notes = {
        "written_by": written_by(), "unit": "m", "fps": people[0].fps,
        "skeleton": skeleton.name, "joints": skeleton.joints, "parents": skeleton.parents,
        "people": [
            {
                "person": poses.person, "may_continue": poses.may_continue, "about": dict(poses.about),
                "camera": None if poses.camera is None else poses.camera.as_json(),
            }
            for poses in people
        ],
    }  # fmt: skip
    whole = arrow.table(table).replace_schema_metadata({_KEY: json.dumps(notes).encode()})
    parquet.write_table(whole, path, compression="zstd", use_dictionary=["axes"], write_statistics=False)


def read_poses_parquet(path: Path) -> tuple[Poses3D, ...]:
    """Read everyone's poses from a file that `write_poses_parquet` wrote.

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
        if column != "axes" and cells.dtype.kind not in "iuf":
            raise FormatError(f"{name}, column {column}: wanted numbers, got {found.schema.field(column).type}")
    notes = parse_json(found.schema.metadata[_KEY].decode("utf-8", "replace"), f"{name}, metadata")
    try:
        skeleton = named_skeleton(notes["skeleton"], notes["joints"], notes["parents"], name)
        people = {(person["person"] or 0): _more(person, name) for person in notes["people"]}
        fps = float(notes["fps"])
    except PoseliftError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{name}: its metadata are not those of poses ({error}); write it again") from error
    table = Table(name, columns, [f"row {row}" for row in range(found.num_rows)])
    return poses_of(table, skeleton=skeleton, fps=fps, more=people)


def _cells(arrow: Any, column: Any) -> np.ndarray:
    """Return the cells (N,) of a column; what is null becomes NaN."""
    if arrow.types.is_boolean(column.type):
        column = column.cast(arrow.int8())
    return column.to_numpy()


def _more(person: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the fields of one person's poses that no column holds."""
    camera = person["camera"]
    return {
        "may_continue": tuple(person["may_continue"]),
        "about": parse_about(person["about"], name),
        "camera": None if camera is None else Camera.from_json(camera),
    }
