"""Tables of keypoints and poses."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats import read_keypoints_file, read_poses, save_poses, write_keypoints
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import COCO_17, H36M_17, Skeleton

People = Callable[..., np.ndarray]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clip.csv"


@pytest.fixture
def lines(person: People, file: Path) -> list[str]:
    """The lines of a good table: COCO, 12 frames, 25 fps."""
    array = person(COCO_17)
    write_keypoints(Keypoints2D(array[..., :2], array[..., 2], COCO_17, 25), file)
    return file.read_text().splitlines()


def test_header(lines: list[str]) -> None:
    assert lines[0].startswith("frame,time_s,nose_x,nose_y,nose_confidence,left_eye_x,")
    assert lines[2].startswith("1,0.04,")


def test_columns_in_any_order_without_times(person: People, file: Path) -> None:
    array = person(COCO_17)
    columns = [f"{joint}_{axis}" for joint in COCO_17.joints for axis in "xy"]
    values = array[..., :2].reshape(12, -1)
    order = np.random.default_rng(0).permutation(len(columns))
    rows = [",".join(str(values[t, c]) for c in order) for t in range(12)]
    file.write_text("\ufeff# a comment\n# fps: 25\n" + ",".join(columns[c] for c in order) + "\n" + "\n".join(rows))
    (clip,) = read_keypoints_file(file)
    np.testing.assert_array_equal(clip.xy, array[..., :2])
    assert (clip.skeleton, clip.fps, clip.confidence) == (COCO_17, 25, None)


def test_missing_frames_become_unseen_and_order_does_not_matter(lines: list[str], file: Path) -> None:
    (whole,) = read_keypoints_file(file)
    header, *rows = lines
    del rows[4:6]
    file.write_text("\n".join([header, *rows[::-1]]))
    (clip,) = read_keypoints_file(file)
    assert clip.fps == 25
    assert np.flatnonzero(~clip.seen.any(1)).tolist() == [4, 5]
    np.testing.assert_array_equal(clip.xy[6:], whole.xy[6:])


def test_empty_cells_are_unseen(lines: list[str], file: Path) -> None:
    cells = lines[3].split(",")
    cells[2:4] = ["", " "]
    file.write_text("\n".join([*lines[:3], ",".join(cells), *lines[4:]]))
    (clip,) = read_keypoints_file(file)
    assert np.argwhere(~clip.seen).tolist() == [[2, 0]]


@pytest.mark.parametrize("fps", [29.97, 30000 / 1001, 23.976, 50.0, 59.94, 240.0, 0.5])
def test_rounded_times_tell_the_frame_rate(person: People, file: Path, fps: float) -> None:
    array = person(COCO_17, frames=60)
    write_keypoints(Keypoints2D(array[..., :2], None, COCO_17, fps), file)
    assert read_keypoints_file(file)[0].fps == pytest.approx(fps, rel=1e-8)
    header, *rows = file.read_text().splitlines()
    rounded = [",".join([c[0], f"{float(c[1]):.3f}", *c[2:]]) for c in (row.split(",") for row in rows)]
    file.write_text("\n".join([header, *rounded]))
    assert read_keypoints_file(file)[0].fps == pytest.approx(fps, rel=0.01)


def test_the_user_gives_the_frame_rate(lines: list[str], file: Path) -> None:
    assert read_keypoints_file(file, fps=100)[0].fps == 100
    text = "\n".join(",".join(line.split(",")[2:]) for line in lines)
    file.write_text(text)
    with pytest.raises(FormatError, match="--fps"):
        read_keypoints_file(file)
    assert read_keypoints_file(file, fps=100)[0].fps == 100


def test_columns_tell_the_frame_rate_and_the_size_of_the_picture(lines: list[str], file: Path) -> None:
    header, *rows = lines
    file.write_text("\n".join([f"{header},fps,image_width,image_height", *(f"{row},25,1920,1080" for row in rows)]))
    (clip,) = read_keypoints_file(file)
    assert (clip.fps, clip.image_size) == (25, (1920, 1080))
    file.write_text("\n".join([f"{header},image_width", *(f"{row},1920" for row in rows)]))
    with pytest.raises(FormatError, match="lacks the column image_height"):
        read_keypoints_file(file)


def edited(lines: list[str], file: Path, row: int, column: int, cell: str) -> None:
    cells = lines[row].split(",")
    cells[column] = cell
    file.write_text("\n".join([*lines[:row], ",".join(cells), *lines[row + 1 :]]))


EDITS = {
    "text": (3, 5, "abc", "line 4: wanted a number in column left_eye_x, got 'abc'"),
    "infinite": (3, 5, "inf", "infinite"),
    "absurd": (3, 5, "1e30", "damaged"),
    "frame": (3, 0, "1.5", "whole numbers"),
    "frame empty": (3, 0, "", "whole numbers"),
    "frame far": (12, 0, "99999", "jump from 10 to 99999"),
    "frame huge": (12, 0, "1e300", "whole numbers"),
    "time": (3, 1, "0.9", "grow evenly"),
    "time back": (3, 1, "-0.9", "grow evenly"),
    "time empty": (3, 1, "", "grow evenly"),
    "column twice": (0, 5, "nose_x", "twice: nose_x"),
    "column": (0, 5, "person", "lacks the column left_eye_x$"),
}


@pytest.mark.parametrize("case", EDITS)
def test_a_bad_cell_is_named(lines: list[str], file: Path, case: str) -> None:
    row, column, cell, reason = EDITS[case]
    edited(lines, file, row, column, cell)
    with pytest.raises(FormatError, match=reason) as caught:
        read_keypoints_file(file)
    assert str(file) in str(caught.value)


def test_a_joint_too_many(lines: list[str], file: Path) -> None:
    edited(lines, file, 0, 5, "tail_x")
    with pytest.raises(FormatError, match="lacks the column left_eye_x; unknown columns: tail_x"):
        read_keypoints_file(file)


def test_a_column_too_few(lines: list[str], file: Path) -> None:
    file.write_text("\n".join(line.rsplit(",", 1)[0] for line in lines))
    with pytest.raises(FormatError, match="right_ankle_confidence"):
        read_keypoints_file(file)


@pytest.mark.parametrize("text", ["", "\n\n", "frame,nose_x,nose_y\n", "# fps: 3\n"])
def test_no_rows(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(FormatError, match="at least one row"):
        read_keypoints_file(file)


def test_a_truncated_table(lines: list[str], file: Path) -> None:
    text = "\n".join(lines)
    file.write_text(text[: len(text) - 200])
    with pytest.raises(FormatError, match=r"line 13: wanted 53 cells.*cut off"):
        read_keypoints_file(file)


@pytest.mark.parametrize("quoted", ['"', '"1\n1,2"'])
def test_odd_quotes(lines: list[str], file: Path, quoted: str) -> None:
    edited(lines, file, 12, 3, quoted)
    with pytest.raises(FormatError, match=r"clip.csv"):
        read_keypoints_file(file)


@pytest.mark.parametrize("comment", ["# fps: fast", "# fps: -3", "# fps: nan"])
def test_a_bad_comment(lines: list[str], file: Path, comment: str) -> None:
    file.write_text("\n".join([comment, *(",".join(line.split(",")[2:]) for line in lines)]))
    with pytest.raises(FormatError, match="fps|frame rate"):
        read_keypoints_file(file)


def test_no_text(file: Path) -> None:
    file.write_bytes(b"frame,\xff\xff\n1,2\n")
    with pytest.raises(FormatError, match="not text"):
        read_keypoints_file(file)


def test_poses_are_plain_for_pandas(poses: Poses3D, file: Path) -> None:
    save_poses(poses, file)
    header, first, *_ = file.read_text().splitlines()
    assert header.startswith("frame,time_s,pelvis_x_m,pelvis_y_m,pelvis_z_m,right_hip_x_m")
    assert [float(cell) for cell in first.split(",")[:3]] == [0, 0, pytest.approx(poses.xyz[0, 0, 0], abs=5e-5)]
    assert header.endswith(",axes") and first.endswith(",camera")
    assert np.loadtxt(file, delimiter=",", skiprows=1, usecols=range(53)).shape == (7, 2 + 51)


def test_poses_and_keypoints_are_not_confused(poses: Poses3D, lines: list[str], file: Path) -> None:
    with pytest.raises(FormatError, match="unknown column 'nose_x'; known: .*<joint>_x_m"):
        read_poses(file)
    save_poses(poses, file, overwrite=True)
    with pytest.raises(FormatError, match="holds 3D poses"):
        read_keypoints_file(file)


def test_poses_need_every_frame_and_number(poses: Poses3D, file: Path) -> None:
    save_poses(poses, file)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *lines[:0:-1]]))
    np.testing.assert_allclose(read_poses(file).xyz, poses.xyz, atol=5.1e-5)
    file.write_text("\n".join(lines[:3] + lines[4:]))
    with pytest.raises(FormatError, match="1 frames are missing"):
        read_poses(file)
    edited(lines, file, 3, 5, "")
    with pytest.raises(FormatError, match="NaN"):
        read_poses(file)
    file.write_text("\n".join(",".join(line.split(",")[2:]) for line in lines))
    with pytest.raises(FormatError, match="time_s"):
        read_poses(file)


def test_a_skeleton_of_the_user(file: Path) -> None:
    skeleton = Skeleton("mine", H36M_17.joints[:9], H36M_17.parents[:9])
    xy = np.random.default_rng(0).uniform(0, 100, (5, 9, 2)).astype(np.float32)
    write_keypoints(Keypoints2D(xy, None, skeleton, 10), file)
    (clip,) = read_keypoints_file(file)
    assert clip.skeleton is H36M_17
    np.testing.assert_array_equal(clip.seen.all(0), [joint in skeleton for joint in H36M_17.joints])
    assert read_keypoints_file(file, skeleton=skeleton)[0].skeleton == skeleton


def test_a_table_of_every_fifth_frame(lines: list[str], file: Path) -> None:
    (whole,) = read_keypoints_file(file)
    header, *rows = lines
    file.write_text("\n".join([header, *rows[::5]]))
    with pytest.raises(FormatError, match="one frame in 5 of a video.*--frame-step 5"):
        read_keypoints_file(file)
    (clip,) = read_keypoints_file(file, frame_step=5)
    np.testing.assert_array_equal(clip.xy, whole.xy[::5])
    assert clip.fps == pytest.approx(whole.fps / 5)


def test_a_path_is_kept_and_puts_joints_where_they_are(file):
    path = np.array([[0.0, 1, 2], [0.1, 1, 2.5]])
    poses = Poses3D(np.zeros((2, 17, 3)), H36M_17, 25.0, "world", path=path)
    save_poses(poses, file)
    back = read_poses(file)
    np.testing.assert_allclose(back.path, path, atol=1e-4)
    np.testing.assert_allclose(back.absolute()[:, 3], path, atol=1e-4)
    assert back.frame == "world"
