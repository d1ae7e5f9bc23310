"""Read DeepLabCut's tables, whose headers are several lines: scorer, individuals, body parts, coordinates."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from poselift.errors import FormatError
from poselift.formats.clip import Override, Source
from poselift.formats.columns import AXES, Rows, clips_of
from poselift.formats.table_file import Table
from poselift.sequence import Keypoints2D

_HEADERS = ("scorer", "individuals", "bodyparts", "coords")


def is_deeplabcut(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a table's rows begin with DeepLabCut's headers."""
    return len(rows) > 2 and rows[0][0].lower() == "scorer" and rows[1][0].lower() in _HEADERS


def read_deeplabcut(
    rows: Sequence[Sequence[str]], places: Sequence[str], name: str, override: Override
) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each individual.

    Args:
        rows: Cells of the table, headers first. The first column of the others is the frame's number.
        places: Where each row is in the file.
        name: Name of the file in error messages.
        override: What the user states.

    Raises:
        FormatError: A header is missing, a cell holds no number, no person is seen, or there is no frame rate.
        SkeletonError: Too few of the body parts are joints that we know.
    """
    headers = {row[0].lower(): row[1:] for row in rows[: len(_HEADERS)] if row[0].lower() in _HEADERS}
    if missing := {"bodyparts", "coords"} - headers.keys() or len(rows) == len(headers):
        raise FormatError(f"{name}: wanted DeepLabCut's lines bodyparts and coords and rows of numbers; got {missing}")
    body = rows[len(headers) :]
    columns = [str(number) for number in range(len(headers["coords"]))]
    cells = {column: [row[1 + place] for row in body] for place, column in enumerate(columns)}
    table = Table(name, {**cells, "frame": [row[0] for row in body]}, places[len(headers) :])
    individuals = headers.get("individuals", [""] * len(columns))
    joints = list(dict.fromkeys(headers["bodyparts"]))
    found = {
        (who, part, "confidence" if axis.lower() in AXES["confidence"] else axis.lower()): column
        for who, part, axis, column in zip(individuals, headers["bodyparts"], headers["coords"], columns, strict=True)
    }
    table_values = table.numbers(*columns)
    blocks = []
    for who in dict.fromkeys(individuals):
        block = np.full((len(body), len(joints), 3), np.nan)
        for place, part in enumerate(joints):
            for number, axis in enumerate(AXES):
                if (column := found.get((who, part, axis))) is not None:
                    block[:, place, number] = table_values[:, int(column)]
        blocks.append(block)
    frames, people = table.whole_numbers("frame"), None
    if len(blocks) > 1:
        people = [number for number in range(1, len(blocks) + 1) for _ in body]
    return clips_of(Rows(joints, np.concatenate(blocks), frames * len(blocks), people), Source(name), override)


def refuse_h5(path: Path) -> FormatError:
    """Return the error for DeepLabCut's tables in HDF5, which need a library that poselift does not depend on."""
    return FormatError(
        f"{path}: HDF5 is not read; save the table as CSV (DeepLabCut: analyze_videos(..., save_as_csv=True); "
        f"pandas: read_hdf('{path.name}').to_csv('{path.stem}.csv'))"
    )
