"""The table of pose formats: each row is complete and true, and what it says of a format holds."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError, MissingExtraError, ShapeError
from poselift.formats import files_of, read_all_poses, read_poses, save_poses
from poselift.formats.table import POSE_FORMATS, PoseFormat, in_module, pose_format
from poselift.geometry.camera import Camera
from poselift.sequence import EXTRAS, Poses3D

every_row = pytest.mark.parametrize("row", POSE_FORMATS.values(), ids=POSE_FORMATS)


@every_row
def test_rows_are_complete(row: PoseFormat) -> None:
    assert row.ending.startswith(".")
    assert row.what
    assert row.read or row.write
    assert not row.holds or row.read, "what comes back needs a reader"


@pytest.fixture
def all_known() -> Poses3D:
    """Poses of somebody among several of whom everything is known."""
    rng = np.random.default_rng(0)
    xyz = rng.normal(size=(4, 17, 3))
    return Poses3D(
        xyz - xyz[:, :1], "H36M_17", 25.0, "world", observed=rng.uniform(size=(4, 17)),
        gap=np.arange(4) == 2, path=rng.normal(size=(4, 3)), camera=Camera.from_focal(900.0, (640, 480)),
        spread=rng.uniform(0.01, 0.1, (4, 17)), up=np.tile([0.0, 0, 1], (4, 1)), contact=rng.uniform(size=(4, 4)),
        start_s=2.0, person=2, may_continue=(1,),
    )  # fmt: skip


def test_lost_fields_are_those_not_held(all_known: Poses3D) -> None:
    row = PoseFormat(ending=".x", what="", holds=("observed", "frame", "start_s", "person", "camera"))
    assert row.lost(all_known) == ("gap", "path", "spread", "up", "contact", "may_continue")
    noted = replace(row, noted=("gap", "up"))
    assert noted.lost(all_known) == ("path", "spread", "contact", "may_continue")
    bare = Poses3D(all_known.xyz, "H36M_17", 25.0)
    assert PoseFormat(ending=".x", what="").lost(bare) == ("frame",)


@pytest.mark.parametrize("ending", [ending for ending, row in POSE_FORMATS.items() if row.read])
def test_what_a_row_says_comes_back_does_so_and_the_rest_not(tmp_path: Path, ending: str, all_known: Poses3D) -> None:
    known = all_known
    if (extra := POSE_FORMATS[ending].extra) is not None:
        pytest.importorskip(extra[1])
    save_poses(known, tmp_path / f"clip{ending}")
    got = read_poses(tmp_path / f"clip{ending}")
    for name in (*EXTRAS, "frame", "camera", "start_s", "person", "may_continue"):
        value, wanted = getattr(got, name), getattr(known, name)
        if name not in POSE_FORMATS[ending].holds:
            assert value is None or value in (0.0, ()) or name == "frame", name
        elif name == "camera":
            np.testing.assert_allclose(value.K, wanted.K)
        elif name in EXTRAS:
            kept = slice(0, 2) if ending == ".c3d" else slice(None)  # there gaps are missing, and residuals whole mm
            off = 6e-4 if (ending, name) == (".c3d", "spread") else 1e-4
            np.testing.assert_allclose(value[kept], wanted[kept], atol=off, err_msg=name)
        else:
            assert value == wanted, name


def test_a_file_of_one_person_takes_no_more(tmp_path: Path, all_known: Poses3D) -> None:
    with pytest.raises(FormatError, match=r"a .json file holds one person, got 2; write a file for each"):
        save_poses((all_known, replace(all_known, person=1)), tmp_path / "clip.json")
    save_poses([all_known], tmp_path / "clip.json")
    (got,) = read_all_poses(tmp_path / "clip.json")
    assert got.person == 2
    assert read_poses(tmp_path / "clip.json", person=2).person == 2
    with pytest.raises(FormatError, match="holds 1 people, with the numbers 2; name one of them"):
        read_poses(tmp_path / "clip.json", person=1)


def test_a_page_shows_everybody(tmp_path: Path, all_known: Poses3D) -> None:
    save_poses((all_known, replace(all_known, person=1)), tmp_path / "both.html", title="Two of them")
    text = (tmp_path / "both.html").read_text("utf-8")
    (data,) = re.findall(r"<script[^>]*json[^>]*>(.*?)</script>", text, re.DOTALL)
    assert [one["number"] for one in json.loads(data)["people"]] == [2, 1]
    assert "Two of them" in text
    with pytest.raises(ShapeError):  # of different clips
        save_poses((all_known, replace(all_known, fps=50.0)), tmp_path / "clips.html")
    assert not (tmp_path / "clips.html").exists()


def test_options_that_a_format_does_not_take_are_refused(tmp_path: Path, all_known: Poses3D) -> None:
    with pytest.raises(FormatError, match=r"\.npz takes no rig"):
        save_poses(all_known, tmp_path / "clip.npz", rig="mixamo")
    assert not list(tmp_path.iterdir())


def test_formats_that_are_only_written_say_so() -> None:
    with pytest.raises(FormatError, match=r"'.html'; this format is only written; known: .npz, "):
        pose_format(Path("clip.html"), to="read")


def test_functions_are_imported_when_they_are_called() -> None:
    late = in_module("nowhere", "nothing")
    assert late.__name__ == "nothing"
    with pytest.raises(ModuleNotFoundError, match=r"poselift\.nowhere"):
        late()


def test_notes_lie_beside() -> None:
    for ending, row in POSE_FORMATS.items():
        assert len(files_of(f"a/clip{ending.upper()}")) == 1 + (row.notes is not None)


def test_a_library_that_is_not_there_is_named_before_anything_is_written(
    tmp_path: Path, all_known: Poses3D, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = replace(POSE_FORMATS[".c3d"], extra=("c3d", "no_such_library"))
    monkeypatch.setitem(POSE_FORMATS, ".c3d", row)
    for use in (lambda path: save_poses(all_known, path), read_poses):
        with pytest.raises(MissingExtraError, match=r"\.c3d files need no_such_library; run: pip install .*\[c3d\]"):
            use(tmp_path / "clip.c3d")
    assert not list(tmp_path.iterdir())
