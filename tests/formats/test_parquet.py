"""Poses as Parquet, read back by us and by pyarrow itself."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError, ShapeError
from poselift.formats import read_all_poses, read_poses, save_poses
from poselift.geometry.camera import Camera
from poselift.sequence import EXTRAS, Poses3D
from poselift.skeleton import Skeleton

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def pair() -> tuple[Poses3D, Poses3D]:
    """Two people, the second of whom comes a second later and of whom less is known."""
    rng = np.random.default_rng(0)
    first = Poses3D(
        rng.normal(size=(30, 17, 3)), "H36M_17", 25.0, "world", observed=rng.uniform(size=(30, 17)),
        gap=np.arange(30) == 2, path=rng.normal(size=(30, 3)), camera=Camera.from_focal(900.0, (640, 480)),
        spread=rng.uniform(0.01, 0.1, (30, 17)), up=np.tile([0.0, 0, 1], (30, 1)), contact=rng.uniform(size=(30, 4)),
        start_s=2.0, person=1, about={"weights": "nanohtnet.mocap-81"},
    )  # fmt: skip
    return first, Poses3D(
        rng.normal(size=(5, 17, 3)), "H36M_17", 25.0, "world", start_s=3.0, person=2, may_continue=(1,)
    )


def test_two_people_come_back_bit_for_bit(tmp_path: Path, pair: tuple[Poses3D, Poses3D]) -> None:
    save_poses(pair, tmp_path / "all.parquet")
    for got, wanted in zip(read_all_poses(tmp_path / "all.parquet"), pair, strict=True):
        for name in ("xyz", *EXTRAS):
            np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name), err_msg=name)
        for name in ("skeleton", "fps", "frame", "start_s", "person", "may_continue", "about"):
            assert getattr(got, name) == getattr(wanted, name), name
    assert read_poses(tmp_path / "all.parquet", person=1).camera.K[0, 0] == 900
    with pytest.raises(FormatError, match="holds 2 people, with the numbers 1, 2"):
        read_poses(tmp_path / "all.parquet")


def test_columns_are_plain_for_others(tmp_path: Path, pair: tuple[Poses3D, Poses3D]) -> None:
    angle = np.linspace(0, 90, 30)
    save_poses(pair, tmp_path / "all.parquet", columns=[{"right_knee_flexion_deg": angle}, {}])
    table = parquet.read_table(tmp_path / "all.parquet")
    assert table.column_names[:5] == ["frame", "time_s", "gap", "pelvis_x_m", "pelvis_y_m"]
    assert table.column_names[-3:] == ["right_knee_flexion_deg", "axes", "person"]
    kinds = {name: str(table.schema.field(name).type) for name in ("frame", "gap", "nose_x_m", "axes", "person")}
    assert kinds == {"frame": "int64", "gap": "bool", "nose_x_m": "float", "axes": "string", "person": "int64"}
    rows = table.to_pylist()
    assert [rows[n]["frame"] for n in (0, 29, 30)] == [0, 29, 25]  # on one clock
    assert rows[30]["time_s"] == 3.0
    assert rows[30]["nose_spread_m"] is None
    assert rows[29]["right_knee_flexion_deg"] == 90
    notes = json.loads(table.schema.metadata[b"poselift"])
    assert (notes["unit"], notes["fps"]) == ("m", 25.0)
    assert notes["written_by"].startswith("poselift 0.")
    assert len(read_all_poses(tmp_path / "all.parquet")) == 2  # the user's columns are no obstacle


def test_a_skeleton_of_the_user_comes_back(tmp_path: Path) -> None:
    skeleton = Skeleton("mine", ("a", "b"), (-1, 0))
    save_poses(Poses3D(np.ones((1, 2, 3)), skeleton, 120), tmp_path / "clip.parquet")
    got = read_poses(tmp_path / "clip.parquet")
    assert (got.skeleton, got.fps) == (skeleton, 120)


def test_files_of_others_are_refused(tmp_path: Path, pair: tuple[Poses3D, Poses3D]) -> None:
    parquet.write_table(pyarrow.table({"a": [1, 2]}), tmp_path / "a.parquet")
    with pytest.raises(FormatError, match="holds no poses that poselift wrote; its columns are a$"):
        read_poses(tmp_path / "a.parquet")
    save_poses(pair[0], tmp_path / "b.parquet")
    whole = (tmp_path / "b.parquet").read_bytes()
    for broken in (whole[:-30], whole[:40], b"", b"PAR1"):
        (tmp_path / "b.parquet").write_bytes(broken)
        with pytest.raises(FormatError, match=r"b\.parquet"):
            read_poses(tmp_path / "b.parquet")
    table = pyarrow.table({"frame": [0], "nose_x_m": [[1.0]]})
    notes = json.dumps({"skeleton": "H36M_17", "joints": 3, "parents": None, "people": [], "fps": 3}).encode()
    parquet.write_table(table.replace_schema_metadata({b"poselift": notes}), tmp_path / "c.parquet")
    with pytest.raises(FormatError, match="column nose_x_m: wanted numbers, got list"):
        read_poses(tmp_path / "c.parquet")


def test_people_that_do_not_fit_together_are_refused(tmp_path: Path, pair: tuple[Poses3D, Poses3D]) -> None:
    with pytest.raises(ShapeError, match=r"a number of their own for each of 2 people of a table, got \[1, 1\]"):
        save_poses((pair[0], pair[0]), tmp_path / "a.parquet")
    other = Poses3D(np.ones((2, 27, 3)), "BODY_27", 25.0, person=3)
    with pytest.raises(ShapeError, match="one skeleton, got H36M_17 and BODY_27"):
        save_poses((pair[0], other), tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ShapeError, match="columns of each of 2 people, got 1"):
        save_poses(pair, tmp_path / "a.parquet", columns={"speed_m_per_s": np.ones(30)})
    assert replace(pair[0], about={"a": 1}).about == {"a": "1"}
