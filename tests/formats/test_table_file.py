"""Reading tables: what is a row, what is a comment, and what columns say."""

from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError, SkeletonError
from poselift.formats.table_file import JOINT_AXES, KEYPOINT_AXES, Table, read_table
from poselift.skeleton import COCO_17, H36M_17


def table(**columns: str) -> Table:
    """A table from ``column="cell cell cell"``; ``-`` is an empty cell."""
    cells = {name: ["" if cell == "-" else cell for cell in text.split()] for name, text in columns.items()}
    return Table("t.csv", cells, [f"line {number}" for number in range(2, 2 + len(next(iter(cells.values()))))])


def test_comments_may_stand_anywhere_and_a_row_may_start_with_a_hash(tmp_path: Path) -> None:
    """A subject called #2 is no comment."""
    file = tmp_path / "t.csv"
    file.write_text("# made by hand\nsubject,fps\n#1,50\n\n# half-way\n#2,50\n")
    read = read_table(file)
    assert read.columns == {"subject": ["#1", "#2"], "fps": ["50", "50"]}
    assert read.comments == ["# made by hand", "# half-way"]
    assert read.places == ["line 3", "line 6"]


def test_numbers_of_columns() -> None:
    np.testing.assert_array_equal(table(a="1 -", b="2.5 1e3").numbers("b", "a"), [[2.5, 1], [1000, np.nan]])
    with pytest.raises(FormatError, match=r"t\.csv lacks the columns c, d$"):
        table(a="1").numbers("a", "c", "d")
    with pytest.raises(FormatError, match=r"t\.csv, line 3: wanted a number in column a, got 'true'"):
        table(a="1 true").numbers("a")


def test_some_rows_in_another_order_know_where_they_stood() -> None:
    chosen = table(a="1 2 3").rows([2, 0])
    assert (chosen.columns, list(chosen.places), len(chosen)) == ({"a": ["3", "1"]}, ["line 4", "line 2"], 2)


def test_one_number_for_all_rows() -> None:
    assert table(a="3 3 3").constant("a") == 3
    for cells in ("3 4", "0 0", "- -", "3 -", "inf inf"):
        with pytest.raises(FormatError, match="column a: wanted one positive number"):
            table(a=cells).constant("a")


@pytest.mark.parametrize(
    ("columns", "fps"),
    [
        ({"fps": "25 25"}, 25),
        ({"fps": "25 25", "time_s": "0 0.5"}, 25),
        ({"time_s": "0 0.02 0.04"}, 50),
        ({"time_s": "0.04 0 0.02", "frame": "9 7 8"}, 50),
        ({"time_s": "0 0.04 0.06", "frame": "0 2 3"}, 50),
        ({"time_s": "7"}, None),
        ({"frame": "1 2"}, None),
    ],
)
def test_the_frame_rate(columns: dict[str, str], fps: float | None) -> None:
    assert table(**columns).fps() == fps


def test_frames_left_out_are_counted() -> None:
    places, length = table(frame="12 10 13").frames()
    assert (places.tolist(), length) == ([2, 0, 3], 4)
    assert table(a="1 2").frames()[1] == 2


def test_the_skeleton_of_the_columns() -> None:
    def named(joints: tuple[str, ...]) -> Table:
        return table(**{f"{joint}_{axis}": "1" for joint in joints for axis in ("x", "y")})

    assert named(COCO_17.joints[::-1]).skeleton(KEYPOINT_AXES) is COCO_17
    assert named(COCO_17.joints).axes_2d() == ("x", "y")
    with pytest.raises(SkeletonError, match="columns ending in _x .* next is COCO_17, missing: nose; too many: tail"):
        named(("tail", *COCO_17.joints[1:])).skeleton(KEYPOINT_AXES)
    with pytest.raises(SkeletonError, match="next is H36M_17"):
        named(COCO_17.joints).skeleton(KEYPOINT_AXES, [H36M_17])
    with pytest.raises(FormatError, match="has no columns <joint>_x_m, <joint>_y_m, <joint>_z_m"):
        named(COCO_17.joints).skeleton(JOINT_AXES)


def test_a_misspelt_column_is_named() -> None:
    table(frame="1", nose_x="1").check_columns(("frame",), KEYPOINT_AXES)
    with pytest.raises(FormatError, match="unknown column 'nose_likelihood'; known: frame, <joint>_x, <joint>_y"):
        table(frame="1", nose_likelihood="1").check_columns(("frame",), KEYPOINT_AXES)
    with pytest.raises(FormatError, match="unknown column 'farme'; did you mean 'frame'"):
        table(farme="1").check_columns(("frame",), KEYPOINT_AXES)
