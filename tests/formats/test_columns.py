"""Tables as people have them."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError, SkeletonError
from poselift.formats import read_keypoints_file
from poselift.skeleton import COCO_17

People = Callable[..., np.ndarray]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clip.csv"


def write(file: Path, *people: np.ndarray, before: Callable[[int, int], dict[str, object]], sep: str = ",") -> Path:
    """Rows of each person one after the other, with other columns before the joints' (from person and frame)."""
    joints = [f"{joint}_{axis}" for joint in COCO_17.joints for axis in ("x", "y", "confidence")]
    rows = [
        [*map(str, before(number, frame).values()), *map(str, pose.ravel().tolist())]
        for number, person in enumerate(people)
        for frame, pose in enumerate(person)
    ]
    file.write_text("\n".join(sep.join(row) for row in [[*before(0, 0), *joints], *rows]))
    return file


@pytest.mark.parametrize("names", [("1", "2"), ("anna", "ben")])
@pytest.mark.parametrize("column", ["person_id", "Track_ID", "individual"])
def test_people_by_number_or_name(person: People, file: Path, column: str, names: tuple[str, str]) -> None:
    """They walk past each other, and only the column says who is who."""
    one, two = person(COCO_17, x=300, step=20), person(COCO_17, x=520, step=-20)
    write(file, one, two, before=lambda number, frame: {"Frame": frame, column: names[number]})
    clips = read_keypoints_file(file, fps=30)
    assert {float(clip.xy[0, 0, 0]) for clip in clips} == {float(one[0, 0, 0]), float(two[0, 0, 0])}
    for clip in clips:
        wanted = one if clip.xy[0, 0, 0] == one[0, 0, 0] else two
        np.testing.assert_array_equal(clip.xy, wanted[..., :2])


def test_people_without_frames_have_their_rows_in_order(person: People, file: Path) -> None:
    one, two = person(COCO_17), person(COCO_17, x=900)
    clips = read_keypoints_file(write(file, one, two, before=lambda number, _: {"id": number + 1}), fps=30)
    assert [len(clip) for clip in clips] == [12, 12]


def test_several_rows_of_a_frame_are_several_people(person: People, file: Path, caplog) -> None:
    one, two = person(COCO_17), person(COCO_17, x=900)
    write(file, one, two, before=lambda _, frame: {"image": f"clip_{frame:04}.jpg"})
    with caplog.at_level(logging.INFO, logger="poselift"):
        clips = read_keypoints_file(file, fps=30)
    assert len(clips) == 2
    assert "taken as several people" in caplog.text
    assert {clip.xy[0, 0, 0] for clip in clips} == {one[0, 0, 0], two[0, 0, 0]}


@pytest.mark.parametrize("sep", [",", ";", "\t", "|", " "])
def test_separators(person: People, file: Path, sep: str) -> None:
    array = person(COCO_17)
    (clip,) = read_keypoints_file(write(file, array, before=lambda _, frame: {"frame": frame}, sep=sep), fps=30)
    np.testing.assert_array_equal(clip.xy, array[..., :2])
    np.testing.assert_array_equal(clip.confidence, array[..., 2])


def test_pandas_index_and_missing_cells(person: People, file: Path) -> None:
    array = person(COCO_17)
    write(file, array, before=lambda _, frame: {"": frame + 3})
    lines = file.read_text().splitlines()
    lines[2] = ",".join(["4", "NaN", "None", "NA", *lines[2].split(",")[4:]])
    file.write_text("\n".join(lines))
    (clip,) = read_keypoints_file(file, fps=30)
    assert np.argwhere(~clip.seen).tolist() == [[1, 0]]


def test_columns_that_are_not_understood_are_named(
    person: People, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    array = person(COCO_17)
    write(file, array, before=lambda _, frame: {"frame": frame, "bbox_x": 3, "mood": "good", "frmae": 1})
    (clip,) = read_keypoints_file(file, fps=30)
    np.testing.assert_array_equal(clip.xy, array[..., :2])
    assert "left out: 'bbox_x'" in caplog.text
    assert "'frmae' (did you mean 'frame'?)" in caplog.text


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("frame,mood\n0,1\n", FormatError, "no columns of joints such as left_hip_x.*got frame, mood"),
        ("x1,y1,x2\n1,2,3\n", FormatError, "lacks the column 2_y"),
        ("x1,y1\n100,200\n", SkeletonError, "1 joints fit no skeleton"),
        ("frame,joint,x,y\n0,nose,1,2\n0,nose,1,2\n", FormatError, "line 3: nose comes twice in frame 0; add"),
        ("frame,nose_x,nose_y\n0,1,2\n", SkeletonError, "only nose are known"),
    ],
)
def test_tables_that_lack_something(file: Path, text: str, error: type[Exception], message: str) -> None:
    file.write_text(text)
    with pytest.raises(error, match=message):
        read_keypoints_file(file, fps=30)
