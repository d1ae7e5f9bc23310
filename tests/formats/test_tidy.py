"""Tables of poses with a row for each frame and person; CSV is read by Python's own csv module."""

import csv
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError, ShapeError
from poselift.formats import read_all_poses, read_poses, save_poses
from poselift.sequence import Poses3D


@pytest.fixture
def three() -> tuple[Poses3D, ...]:
    """Three people on one clock; of the second the errors are known, and the third is there from frame 5."""
    rng = np.random.default_rng(0)
    return (
        Poses3D(rng.normal(size=(9, 17, 3)), "H36M_17", 30.0, "world", person=1, gap=np.arange(9) == 3),
        Poses3D(rng.normal(size=(9, 17, 3)), "H36M_17", 30.0, "world", person=2, spread=np.full((9, 17), 0.02)),
        Poses3D(rng.normal(size=(1, 17, 3)), "H36M_17", 30.0, "world", person=3, start_s=5 / 30),
    )


def test_people_of_a_csv_come_back(tmp_path: Path, three: tuple[Poses3D, ...]) -> None:
    save_poses(three, tmp_path / "all.csv")
    got = read_all_poses(tmp_path / "all.csv")
    assert [(p.person, len(p), p.fps, p.frame) for p in got] == [
        (1, 9, 30, "world"), (2, 9, 30, "world"), (3, 1, 30, "world")
    ]  # fmt: skip
    for found, wanted in zip(got, three, strict=True):
        np.testing.assert_allclose(found.xyz, wanted.xyz, atol=5.1e-5)
        assert found.gaps == wanted.gaps
        assert found.start_s == pytest.approx(wanted.start_s)
        assert (found.spread is None) == (wanted.spread is None)
    assert got[0].gap is not None and got[1].gap is None  # nobody looked for gaps of the second


def test_a_csv_is_tidy(tmp_path: Path, three: tuple[Poses3D, ...]) -> None:
    save_poses(three, tmp_path / "all.csv", columns=[{"speed_m_per_s": np.arange(9.0)}, {}, {}])
    with (tmp_path / "all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 19
    assert len({(row["person"], row["frame"]) for row in rows}) == 19
    assert (rows[18]["frame"], float(rows[18]["time_s"])) == ("5", pytest.approx(5 / 30))
    assert [rows[n]["gap"] for n in (3, 4, 9)] == ["1", "0", ""]
    assert [rows[n]["nose_spread_m"] for n in (0, 9)] == ["", "0.0200"]
    assert [rows[n]["speed_m_per_s"] for n in (8, 9)] == ["8.0000", ""]
    assert float(rows[10]["left_wrist_y_m"]) == pytest.approx(three[1].xyz[1, 13, 1], abs=5.1e-5)
    assert read_all_poses(tmp_path / "all.csv")[1].person == 2


def test_a_table_of_before_is_read(tmp_path: Path) -> None:
    """Written by the version before this one: no path, no people after each other."""
    poses = Poses3D(np.random.default_rng(1).normal(size=(3, 17, 3)).round(4), "H36M_17", 10.0)
    names = [f"{joint}_{axis}_m" for joint in poses.skeleton.joints for axis in "xyz"]
    rows = [
        ",".join([str(n), str(n / 10), "0", *(f"{v:.9g}" for v in poses.xyz[n].ravel()), "camera", "2"])
        for n in range(3)
    ]
    (tmp_path / "old.csv").write_text(
        "\n".join([",".join(["frame", "time_s", "gap", *names, "axes", "person"]), *rows])
    )
    got = read_poses(tmp_path / "old.csv")
    np.testing.assert_allclose(got.xyz, poses.xyz, atol=1e-6)
    assert (got.person, got.fps, got.gaps, got.path) == (2, 10, [], None)


@pytest.mark.parametrize(
    "name", ["speed", "knee", "nose_x_m", "time_s", "frame", "path_x_m", "a b_deg", "nose_spread_m"]
)
def test_columns_need_a_unit_and_a_name_of_their_own(tmp_path: Path, three: tuple[Poses3D, ...], name: str) -> None:
    with pytest.raises(ShapeError, match=f"ends in its unit .*_deg.*, got '{name}'"):
        save_poses(three[0], tmp_path / "a.csv", columns={name: np.ones(9)})
    with pytest.raises(ShapeError, match="a number for each of 9 frames in column knee_deg"):
        save_poses(three[0], tmp_path / "a.csv", columns={"knee_deg": np.ones(8)})


def test_a_column_without_a_unit_is_not_understood(tmp_path: Path, three: tuple[Poses3D, ...]) -> None:
    save_poses(three[0], tmp_path / "a.csv", columns={"knee_deg": np.ones(9)})
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "b.csv").write_text(text.replace("knee_deg", "knee"))
    with pytest.raises(FormatError, match="unknown column 'knee'"):
        read_poses(tmp_path / "b.csv")


def test_pandas_reads_it(tmp_path: Path, three: tuple[Poses3D, ...]) -> None:
    pandas = pytest.importorskip("pandas")
    save_poses(three, tmp_path / "all.csv")
    table = pandas.read_csv(tmp_path / "all.csv")
    assert table.groupby("person")["frame"].agg(["min", "max"]).to_numpy().tolist() == [[0, 8], [0, 8], [5, 5]]
    wrist = table.loc[table.person == 2, [f"left_wrist_{axis}_m" for axis in "xyz"]].to_numpy()
    np.testing.assert_allclose(wrist, three[1].xyz[:, 13], atol=5.1e-5)
    assert table.gap.isna().sum() == 10 and table.gap.sum() == 1
