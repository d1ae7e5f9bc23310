"""Tables with one row for each frame: named columns, the joints of a skeleton, order of the frames, frame rate.

Joints are in the columns ``<joint>_<axis>``; the set of their names identifies the skeleton.
"""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from poselift.errors import FormatError, SkeletonError, did_you_mean
from poselift.files import read_text
from poselift.formats.fields import LARGEST_NUMBER, frame_rows
from poselift.skeleton import SKELETONS, Skeleton

KEYPOINT_AXES = ("x", "y", "confidence")
"""Endings of the columns of 2D keypoints: x and y in pixels, confidence from 0 to 1."""
JOINT_AXES = ("x_m", "y_m", "z_m")
"""Endings of the columns of 3D joints: metres in camera axes."""
_FPS_COMMENT = re.compile(r"#\s*fps\s*[:=]\s*(\S+)", re.IGNORECASE)
MOST_COLUMNS = 5000
"""Columns of a table; 133 joints with five numbers each make 665."""
_SEPARATORS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"^([+-]?\d+),(\d+(?:[eE][+-]?\d+)?)$")
MISSING = ("", "na", "n/a", "nan", "none", "null", "<na>")
"""What a cell holds, in either case, where nothing is known."""
_UNEVEN = 0.5
"""Times may be off by this many frames, because they are often rounded."""


@dataclass(frozen=True)
class Table:
    """The cells of a table, as text, or as numbers where the file holds them as such."""

    name: str
    """Name of the table in error messages."""
    columns: Mapping[str, Sequence[str] | np.ndarray]
    """Cells of each column by its name; an empty string, or NaN, where a value is unknown."""
    places: Sequence[str]
    """Place of each row in the file, such as ``"line 4"``."""
    comments: Sequence[str] = ()
    """Lines that start with #."""
    frame_step: float | None = None
    """By how much the column `frame` grows from one frame to the next; None if it counts frames."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.places)

    def rows(self, chosen: Sequence[int]) -> "Table":
        """Return the table with only the chosen rows, in the order given."""
        columns = {
            column: cells[list(chosen)] if isinstance(cells, np.ndarray) else [cells[row] for row in chosen]
            for column, cells in self.columns.items()
        }
        return replace(self, columns=columns, places=[self.places[row] for row in chosen])

    def check_columns(self, known: Sequence[str], axes: Sequence[str]) -> None:
        """Refuse a column that is neither known nor a joint's: its name may be misspelt.

        Args:
            known: Names that columns may have.
            axes: Endings that the columns of joints may have.

        Raises:
            FormatError: A column is neither; the message names it.
        """
        ends = tuple(f"_{axis}" for axis in axes)
        names = [*known, *(f"<joint>{end}" for end in ends)]
        for column in self.columns:
            if column not in known and not column.endswith(ends):
                raise FormatError(f"{self.name}: unknown column {column!r}; {did_you_mean(column, names)}")

    def numbers(self, *columns: str) -> np.ndarray:
        """Return the numbers (N, columns) of some columns, NaN where a cell is empty.

        Raises:
            FormatError: A column is missing, or a cell holds no number.
        """
        if missing := [column for column in columns if column not in self.columns]:
            raise FormatError(f"{self.name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
        values = np.empty((len(self), len(columns)))
        for place, column in enumerate(columns):
            if (quick := _numbers(self.columns[column])) is not None:
                values[:, place] = quick
                continue
            for row, cell in enumerate(self.columns[column]):
                try:
                    values[row, place] = np.nan if cell.lower() in MISSING else float(cell)
                except ValueError as error:
                    where = f"{self.name}, {self.places[row]}"
                    raise FormatError(f"{where}: wanted a number in column {column}, got '{cell}'") from error
        return values

    def constant(self, column: str) -> float:
        """Return the one positive number that a column holds in all rows.

        Raises:
            FormatError: The column is missing, or holds something else.
        """
        found = np.unique(self.numbers(column))
        if len(found) != 1 or not np.isfinite(found).all() or found[0] <= 0:
            raise FormatError(
                f"{self.name}, column {column}: wanted one positive number in all rows of a clip, "
                f"got {found[:3].tolist()}"
            )
        return float(found[0])

    def axes_2d(self) -> tuple[str, ...]:
        """Return `KEYPOINT_AXES`, without the confidence where no joint has one."""
        scored = any(column.endswith("_confidence") for column in self.columns)
        return KEYPOINT_AXES if scored else KEYPOINT_AXES[:2]

    def skeleton(self, axes: Sequence[str], among: Sequence[Skeleton] = tuple(SKELETONS.values())) -> Skeleton:
        """Return the skeleton whose joints are those of the columns ``<joint>_<axis>``.

        Args:
            axes: Endings of the columns.
            among: Skeletons to choose from.

        Raises:
            FormatError: The table has no such columns.
            SkeletonError: No skeleton has exactly these joints; the message names the nearest one.
        """
        ends = [f"_{axis}" for axis in axes]
        joints = {column.removesuffix(end) for column in self.columns for end in ends if column.endswith(end)}
        if not joints:
            raise FormatError(f"{self.name} has no columns {', '.join(f'<joint>{end}' for end in ends)}")
        for skeleton in among:
            if set(skeleton.joints) == joints:
                return skeleton
        near = max(among, key=lambda s: len(joints & set(s.joints)) - len(joints ^ set(s.joints)))
        missing, extra = sorted(set(near.joints) - joints), sorted(joints - set(near.joints))
        raise SkeletonError(
            f"{self.name}: the joints of the columns ending in {ends[0]} are those of no skeleton; next is "
            f"{near.name}, missing: {', '.join(missing) or 'none'}; too many: {', '.join(extra) or 'none'}"
        )

    def joints(self, skeleton: Skeleton, axes: Sequence[str]) -> np.ndarray:
        """Return the numbers (N, J, axes) of the joints' columns; the errors are those of `numbers`."""
        names = [f"{joint}_{axis}" for joint in skeleton.joints for axis in axes]
        return self.numbers(*names).reshape(len(self), len(skeleton), len(axes))

    def frames(self) -> tuple[np.ndarray, int]:
        """Return each row's frame (N,), counted from the first one, and the number of frames including missing ones.

        The numbers are in the column `frame`; without it, the rows are in order.

        Raises:
            FormatError: The column holds other values than whole numbers, a number twice, or too large a jump.
        """
        if "frame" not in self.columns:
            return np.arange(len(self)), len(self)
        return frame_rows(self.whole_numbers("frame"), self.name, self.frame_step)

    def whole_numbers(self, column: str) -> list[int]:
        """Return the whole numbers (N,) of a column.

        Raises:
            FormatError: The column is missing, or holds something else.
        """
        found = self.numbers(column)[:, 0]
        whole = np.isfinite(found).all() and (found == found.round()).all() and np.abs(found).max() < LARGEST_NUMBER
        if not whole:
            raise FormatError(f"{self.name}: wanted whole numbers in column {column}")
        return [int(number) for number in found]

    def fps(self) -> float | None:
        """Return the frame rate in the column `fps`, else of the times in `time_s`, else in a comment ``# fps: 50``.

        Returns:
            Frames per second; None where the table does not say.

        Raises:
            FormatError: The rate is no number, or the times do not grow evenly.
        """
        if "fps" in self.columns:
            return self.constant("fps")
        if "time_s" in self.columns and len(self) > 1:
            times, (frames, _) = self.numbers("time_s")[:, 0], self.frames()
            first, last = frames.argmin(), frames.argmax()
            with np.errstate(over="ignore", invalid="ignore"):
                step = (times[last] - times[first]) / frames[last]
                even = step > 0 and np.abs(times - times[first] - step * frames).max() <= _UNEVEN * step
            if not even:
                raise FormatError(f"{self.name}: wanted times that grow evenly in column time_s, or a column fps")
            return float(f"{1 / step:.9g}")
        for comment in self.comments:
            if match := _FPS_COMMENT.match(comment):
                return _rate(match[1], self.name)
        return None


def read_table(path: Path) -> Table:
    """Read a table: lines that start with # are comments, the first other line names the columns.

    A line that starts with # but has as many cells as the header is a row; see `read_cells` for what separates cells.

    Raises:
        FormatError: The file is broken, has a column twice, or no row.
    """
    rows, places, comments = read_cells(path)
    if len(rows) < 2:
        raise FormatError(f"{path}: wanted a header and at least one row of numbers, got {len(rows)} lines")
    columns = rows[0]
    if len(columns) > MOST_COLUMNS:
        raise FormatError(f"{path}: wanted up to {MOST_COLUMNS} columns, got {len(columns)}; is a line end missing?")
    if repeated := sorted(column for column, count in Counter(columns).items() if count > 1):
        raise FormatError(f"{path}: columns come twice: {', '.join(repeated)}")
    cells = {column: found for column, *found in zip(*rows, strict=True)}
    return Table(str(path), cells, places[1:], comments)


def read_cells(path: Path) -> tuple[list[list[str]], list[str], list[str]]:
    """Read the cells of each row of a table, the place of each row in the file, and the comments.

    Cells are separated by what the first line has most of: commas, semicolons, tabs, bars, or else blanks. A comma in a
    number is a decimal one where commas do not separate.

    Raises:
        FormatError: The file is broken, a cell goes over several lines, or rows differ in length.
    """
    lines = [(number, line.strip(" \r")) for number, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
    first = next((line for _, line in lines if not line.startswith("#")), "")
    mark = max(_SEPARATORS, key=first.count)
    marks = first.count(mark)
    commented = [line.startswith("#") and (line.count(mark) != marks or not marks) for _, line in lines]
    comments = [line for (_, line), skip in zip(lines, commented, strict=True) if skip]
    kept = [(number, line) for (number, line), skip in zip(lines, commented, strict=True) if not skip]
    places = [f"line {number}" for number, _ in kept]
    if not marks and len(first.split()) > 1:
        rows = [line.split() for _, line in kept]
    else:
        try:
            rows = list(csv.reader([line for _, line in kept], delimiter=mark, strict=True))
        except csv.Error as error:
            raise FormatError(f"{path} is a broken table ({error})") from error
    if len(rows) != len(kept):
        raise FormatError(f"{path}: a cell goes over several lines; wanted one row of numbers a line")
    for place, row in zip(places, rows, strict=True):
        if len(row) != len(rows[0]):
            wanted = f"wanted {len(rows[0])} cells as in the header, got {len(row)}"
            raise FormatError(f"{path}, {place}: {wanted}; is the file cut off?")
    point = mark == "," and marks
    cells = [[cell.strip() if point else _DECIMAL_COMMA.sub(r"\1.\2", cell.strip()) for cell in row] for row in rows]
    return cells, places, comments


def _numbers(cells: Sequence[str] | np.ndarray) -> np.ndarray | None:
    """Return (N,) numbers at once, ten times as fast as one by one; None where a cell is empty or no number."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "iuf":
        return cells.astype(np.float64)
    try:
        return np.asarray(list(map(float, cells)))
    except ValueError:
        return None


def _rate(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise FormatError(f"{name}: wanted a number in the comment '# fps: ', got '{text}'") from error
