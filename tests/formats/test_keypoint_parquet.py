"""Parquet of keypoints: clips in any order of reading, people, missing frames, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError, MissingRate
from poselift.formats.clip import Override
from poselift.formats.keypoint_parquet import KeypointParquet, write_keypoints_parquet
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def clip(frames: int, seed: int) -> Keypoints2D:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(100, 900, (frames, 17, 2))
    return Keypoints2D(xy, rng.uniform(0.1, 1, (frames, 17)), COCO_17, 25.0, (1000, 1000))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_keypoints_parquet({f"c{n}": (clip(5 + n, n),) for n in range(4)}, tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


def changed(path: Path, change) -> Path:
    """The file with another table in it."""
    parquet.write_table(change(parquet.read_table(path)), path)
    return path


def test_clips_come_back_in_any_order(path):
    table = KeypointParquet(path)
    clips = list(table.clips())
    assert [(one.clip, one.first, one.after) for one in clips] == [
        ("c0", 0, 5), ("c1", 5, 11), ("c2", 11, 18), ("c3", 18, 26)
    ]  # fmt: skip
    for number in (0, 1, 3, 2, 0):
        (person,) = table.read(clips[number], Override())
        np.testing.assert_array_equal(person.xy, clip(5 + number, number).xy)
        np.testing.assert_array_equal(person.confidence, clip(5 + number, number).confidence)
        assert (person.skeleton, person.fps, person.image_size, person.person) == (COCO_17, 25.0, (1000, 1000), None)


def test_missing_frames_show_nobody_and_null_is_unseen(path):
    changed(path, lambda table: table.take([0, 1, 3, 4]).drop_columns(["time_s"]))
    table = KeypointParquet(path)
    (person,) = table.read(next(table.clips()), Override())
    assert len(person) == 5
    assert person.seen.any(1).tolist() == [True, True, False, True, True]
    nose = [None, *parquet.read_table(path)["nose_x"].to_pylist()[1:]]
    nulls = changed(path, lambda t: t.set_column(t.column_names.index("nose_x"), "nose_x", [nose]))
    table = KeypointParquet(nulls)
    (person,) = table.read(next(table.clips()), Override())
    assert person.seen[:, 0].tolist() == [False, True, False, True, True]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.rename_columns(["clpi" if n == "clip" else n for n in t.column_names]), "did you mean 'clip'"),
        (lambda t: t.drop_columns(["nose_y"]), "lacks the column nose_y"),
        (lambda t: t.select(["clip", "frame"]), "no columns of joints"),
        (lambda t: t.set_column(1, "frame", [["one"] * len(t)]), "column frame: wanted numbers, got string"),
    ],
)
def test_other_columns_are_refused(path, change, said):
    changed(path, change)
    with pytest.raises(FormatError, match=said):
        KeypointParquet(path)


def test_without_a_column_of_clips_the_file_is_one(path):
    changed(path, lambda t: t.slice(5, 6).drop_columns(["clip"]))
    table = KeypointParquet(path)
    (one,) = table.clips()
    assert (one.clip, one.first, one.after) == ("", 0, 6)
    np.testing.assert_array_equal(table.read(one, Override())[0].xy, clip(6, 1).xy)


def test_rows_of_a_clip_follow_each_other(path):
    changed(path, lambda t: arrow.concat_tables([t, t.slice(0, 5)]))
    with pytest.raises(FormatError, match="the clip c0 comes again"):
        list(KeypointParquet(path).clips())


def test_without_a_rate_it_must_be_said(path):
    table = KeypointParquet(changed(path, lambda t: t.drop_columns(["fps", "time_s"])))
    first = next(table.clips())
    with pytest.raises(MissingRate, match="--fps"):
        table.read(first, Override())
    assert table.read(first, Override(fps=20.0))[0].fps == 20.0


def test_what_is_no_parquet_says_so(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="broken Parquet file"):
        KeypointParquet(tmp_path / "bad.parquet")
    with pytest.raises(FormatError):
        KeypointParquet(tmp_path / "gone.parquet")
