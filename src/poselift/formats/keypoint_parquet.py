"""Keypoints as Parquet, by pyarrow (extra `bulk`): a row for each frame, person and clip.

========================= ====================================================================================
clip                      name of the clip, whose rows follow each other; without it, the file is one clip
person                    number of the person; without it, each clip shows one
frame                     number of the frame; without it, the rows are in order. Missing frames show nobody
time_s                    seconds from the beginning of the source; gives the frame rate where `fps` is missing
fps                       frames per second, the same in all rows of a clip
image_width, image_height pixels, the same in all rows of a clip
<joint>_x, <joint>_y      pixels, x right, y down; null or NaN where the joint was not seen
<joint>_confidence        from 0 to 1
========================= ====================================================================================

Only the frames from a person's first to the last row belong to the person.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError, MissingExtraError, did_you_mean, install_hint
from poselift.files import opened, reason_of
from poselift.formats.clip import Override, Source, finish
from poselift.formats.joint_names import place_joints
from poselift.formats.table_file import KEYPOINT_AXES, Table
from poselift.formats.tidy import CLIP
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton

_FACTS = ("person", "frame", "time_s", "fps", "image_width", "image_height")
_ROWS_AT_ONCE = 1 << 14
_ROW_GROUP = 1 << 16


@dataclass(frozen=True, slots=True)
class ClipRows:
    """The rows of a file that hold a clip."""

    clip: str
    """Name of the clip; empty where the file has no column `clip`."""
    first: int
    """Number of the first row, from 0."""
    after: int
    """Number of the row after the last one."""


class KeypointParquet:
    """A Parquet file of keypoints, which is read clip by clip from its beginning to its end."""

    def __init__(self, path: str | Path) -> None:
        """Open the file and understand its columns.

        Raises:
            FormatError: The file is missing or broken, or has other columns.
            SkeletonError: Too few of the joints are known.
            MissingExtraError: pyarrow is not installed.
        """
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError as error:
            raise MissingExtraError(f"{path} needs pyarrow; run: {install_hint('bulk')}") from error
        self.path = Path(path)
        self._broken = (arrow.ArrowException, OSError)
        with opened(self.path):
            pass
        try:
            words = [CLIP] if CLIP in parquet.read_schema(self.path, memory_map=False).names else None
            self._file = parquet.ParquetFile(
                self.path, read_dictionary=words, memory_map=False, pre_buffer=False, buffer_size=1 << 20
            )
            schema = self._file.schema_arrow
        except self._broken as error:
            raise self._error(error) from error
        self._columns = set(schema.names)
        ends = {f"_{axis}" for axis in KEYPOINT_AXES}
        joints = list(dict.fromkeys(name.removesuffix("_x") for name in schema.names if name.endswith("_x")))
        if not joints:
            raise FormatError(
                f"{path} has no columns of joints such as left_hip_x, left_hip_y; got {', '.join(schema.names[:8])}"
            )
        known = [CLIP, *_FACTS, *(f"{joint}{end}" for joint in joints for end in ends)]
        if others := [name for name in schema.names if name not in known]:
            raise FormatError(f"{path}: unknown column '{others[0]}'; {did_you_mean(others[0], known)}")
        scored = any(f"{joint}_confidence" in self._columns for joint in joints)
        self._axes = KEYPOINT_AXES if scored else KEYPOINT_AXES[:2]
        self._joints = joints
        self._numbers = [f"{joint}_{axis}" for joint in joints for axis in self._axes]
        if missing := [name for name in self._numbers if name not in self._columns]:
            raise FormatError(f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing[:6])}")
        self._facts = [name for name in _FACTS if name in self._columns]
        for name in (*self._facts, *self._numbers):
            kind = schema.field(name).type
            if not (arrow.types.is_floating(kind) or arrow.types.is_integer(kind)):
                raise FormatError(f"{path}, column {name}: wanted numbers, got {kind}")
        self._at, self._batches, self._rest = 0, iter(()), {}  # type: ignore[var-annotated]

    def __len__(self) -> int:
        """Number of rows."""
        return int(self._file.metadata.num_rows)

    def clips(self) -> Iterator[ClipRows]:
        """Yield the rows of each clip; only the column `clip` is read.

        Raises:
            FormatError: The rows of a clip do not follow each other, or the file is broken.
        """
        if CLIP not in self._columns:
            if len(self):
                yield ClipRows("", 0, len(self))
            return
        done: set[str] = set()
        name, first, row = "", 0, 0
        try:
            for batch in self._file.iter_batches(_ROWS_AT_ONCE, columns=[CLIP], use_threads=False):
                column = batch.column(0)
                words = column.dictionary.to_pylist() if hasattr(column, "dictionary") else None
                cells = column.indices.to_numpy(zero_copy_only=False) if words is not None else column.to_numpy(False)
                starts = np.flatnonzero(cells[1:] != cells[:-1]) + 1
                for start in (0, *starts.tolist()):
                    cell = cells[start] if words is None else None if np.isnan(cells[start]) else words[cells[start]]
                    if cell is None or str(cell) == "":
                        raise FormatError(f"{self.path}, row {row + start}: the column clip is empty; name every clip")
                    if str(cell) == name:
                        continue
                    if name:
                        yield ClipRows(name, first, row + start)
                    if str(cell) in done:
                        raise FormatError(
                            f"{self.path}, row {row + start}: the clip {cell} comes again after others; sort the rows "
                            "by clip, person and frame"
                        )
                    name, first = str(cell), row + start
                    done.add(name)
                row += len(cells)
        except self._broken as error:
            raise self._error(error) from error
        if name:
            yield ClipRows(name, first, row)

    def read(self, clip: ClipRows, override: Override) -> tuple[Keypoints2D, ...]:
        """Read everyone in a clip. Clips that come later in the file are read without reading those before again.

        Args:
            clip: Its rows.
            override: What the user states.

        Raises:
            FormatError: The clip is broken, nobody is seen, or there is no frame rate.
            SkeletonError: The joints are not those of the skeleton that the user states.
        """
        cells = self._take(clip.first, clip.after)
        name = f"{self.path}, clip {clip.clip}" if clip.clip else str(self.path)
        values = np.stack([cells[column] for column in self._numbers], -1)
        values = values.reshape(len(values), -1, len(self._axes))
        skeleton, places = self._skeleton if override.skeleton is None else self._placed(override.skeleton)
        values = np.where(np.array(places)[:, None] >= 0, values[:, places], np.nan)
        facts = Table(name, {fact: cells[fact] for fact in self._facts}, range(clip.first, clip.after))  # type: ignore[arg-type]
        facts = replace(facts, frame_step=override.frame_step)
        numbers = np.full(len(values), np.nan) if "person" not in cells else cells["person"].astype(np.float64)
        if np.isnan(numbers).all():
            return _people([(None, facts, values)], skeleton, override)
        numbers = np.array(facts.whole_numbers("person"))
        chosen = {int(number): np.flatnonzero(numbers == number) for number in np.unique(numbers)}
        found = [(number, facts.rows(rows.tolist()), values[rows]) for number, rows in chosen.items()]
        return _people(found, skeleton, override)

    @cached_property
    def _skeleton(self) -> tuple[Skeleton, list[int]]:
        return self._placed(None)

    def _placed(self, claimed: Skeleton | None) -> tuple[Skeleton, list[int]]:
        return place_joints(self._joints, str(self.path), claimed)

    def _take(self, first: int, after: int) -> dict[str, np.ndarray]:
        """Return the cells of some rows by column; what is null is NaN."""
        try:
            if first < self._at or not self._rest:
                self._go_to(first)
            parts: list[dict[str, np.ndarray]] = []
            while self._at < after:
                if not len(next(iter(self._rest.values()), ())):
                    self._rest = self._next()
                length = len(next(iter(self._rest.values())))
                skipped = min(max(first - self._at, 0), length)
                taken = min(after - self._at, length)
                if taken > skipped:
                    parts.append({name: cells[skipped:taken] for name, cells in self._rest.items()})
                self._rest = {name: cells[taken:] for name, cells in self._rest.items()}
                self._at += taken
        except self._broken as error:
            raise self._error(error) from error
        return (
            parts[0] if len(parts) == 1 else {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        )

    def _go_to(self, row: int) -> None:
        """Begin to read at the row group that holds a row."""
        meta, start, group = self._file.metadata, 0, 0
        while group < meta.num_row_groups - 1 and start + meta.row_group(group).num_rows <= row:
            start += meta.row_group(group).num_rows
            group += 1
        self._at, self._rest = start, {}
        self._batches = self._file.iter_batches(
            _ROWS_AT_ONCE, row_groups=range(group, meta.num_row_groups), columns=[*self._facts, *self._numbers],
            use_threads=False,
        )  # fmt: skip
        self._rest = self._next()

    def _next(self) -> dict[str, np.ndarray]:
        batch: Any = next(self._batches)
        names = batch.schema.names
        return {name: batch.column(place).to_numpy(zero_copy_only=False) for place, name in enumerate(names)}

    def _error(self, error: Exception) -> FormatError:
        return FormatError(f"{self.path} is a broken Parquet file ({reason_of(error)}); write it again")


def _people(
    found: Sequence[tuple[int | None, Table, np.ndarray]], skeleton: Skeleton, override: Override
) -> tuple[Keypoints2D, ...]:
    """Return the people of one clip, of whom each has a number, rows of facts, and (N, J, C) values in these rows."""
    rates = [facts.fps() for _, facts, _ in found]
    known = next((rate for rate in rates if rate is not None), None)
    people: list[tuple[int | None, float, np.ndarray]] = []
    for number, facts, values in found:
        rows, length = facts.frames()
        person = values if length == len(values) and (np.diff(rows) == 1).all() else _placed_rows(values, rows, length)
        people.append((number, _start_s(facts, override.fps or known), person))
    shown = [person for person in people if np.isfinite(person[2][..., :2]).all(-1).any()]
    people = shown or people  # whoever is never seen is left out, as `finish` leaves them out
    first = found[0][1]
    sizes = [int(first.constant(name)) for name in ("image_width", "image_height") if name in first.columns]
    source = Source(first.name, skeleton, known, (sizes[0], sizes[1]) if len(sizes) == 2 else None)
    made = finish([person for _, _, person in people], source, override)
    return tuple(
        replace(person, person=number, start_s=start) for person, (number, start, _) in zip(made, people, strict=True)
    )


def _placed_rows(values: np.ndarray, rows: np.ndarray, length: int) -> np.ndarray:
    person = np.full((length, *values.shape[1:]), np.nan)
    person[rows] = values
    return person


def _start_s(facts: Table, fps: float | None) -> float:
    """Return the time of the first frame of a person's rows in seconds."""
    if "time_s" in facts.columns:
        return float(facts.numbers("time_s").min())
    if "frame" in facts.columns and fps is not None:
        return min(facts.whole_numbers("frame")) / fps
    return 0.0


def write_keypoints_parquet(clips: Mapping[str, Sequence[Keypoints2D]], path: Path) -> None:
    """Write the keypoints of many clips in the columns that `KeypointParquet` reads.

    Args:
        clips: Everyone in each clip by its name, all of one skeleton; several with their numbers.
        path: The file.
    """
    import pyarrow as arrow
    from pyarrow import parquet

    rows = [_rows_of(person, name) for name, people in clips.items() for person in people]
    columns = list(dict.fromkeys(name for table in rows for name in table))
    tables = [
        arrow.table({name: arrow.array(cells, from_pandas=True) for name, cells in part.items()}) for part in rows
    ]
    whole = arrow.concat_tables(tables, promote_options="default").select(columns)
    parquet.write_table(whole, path, compression="zstd", use_dictionary=[CLIP], row_group_size=_ROW_GROUP)


def _rows_of(person: Keypoints2D, clip: str) -> dict[str, np.ndarray]:
    """Return the columns of one person."""
    length = len(person)
    frames = np.arange(length) + round(person.start_s * person.fps)
    columns: dict[str, Any] = {CLIP: np.full(length, clip, object), "frame": frames, "fps": np.full(length, person.fps)}
    columns["time_s"] = person.start_s + np.arange(length) / person.fps
    if person.person is not None:
        columns["person"] = np.full(length, person.person)
    if person.image_size is not None:
        columns |= {"image_width": np.full(length, person.image_size[0])}
        columns |= {"image_height": np.full(length, person.image_size[1])}
    planes = [*np.moveaxis(person.xy, -1, 0), *([] if person.confidence is None else [person.confidence])]
    for number, joint in enumerate(person.skeleton.joints):
        for axis, plane in zip(KEYPOINT_AXES, planes, strict=False):
            columns[f"{joint}_{axis}"] = np.ascontiguousarray(plane[:, number])
    return columns
