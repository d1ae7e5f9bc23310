"""`poselift convert`: between any two formats, folders, and what goes wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselift.cli import main
from poselift.cli.converting import READABLE
from poselift.formats import files_of, read_all_poses, read_poses, save_poses
from poselift.formats.bvh import read_bvh
from poselift.formats.table import POSE_FORMATS
from poselift.prepare.convert import convert_poses
from poselift.sequence import Poses3D
from poselift.skeleton import BODY_27, H36M_17, HALPE_26


def run(*arguments: object) -> int:
    return main(["convert", *(str(argument) for argument in arguments)])


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Standard output and standard error, each in one line."""
    captured = capsys.readouterr()
    return " ".join(captured.out.split()), " ".join(captured.err.split())


@pytest.fixture
def poses(person: np.ndarray) -> Poses3D:
    """A person of 27 joints who stands in the world, and moves a little."""
    xyz = np.repeat(person[None], 12, 0) + np.random.default_rng(0).normal(0, 0.005, (12, 27, 3))
    path = xyz[:, 0].copy()
    return Poses3D(
        xyz - path[:, None], BODY_27, 25.0, "world", path=path, spread=np.full((12, 27), 0.03), about={"weights": "w"}
    )


def endings(kind: str) -> list[str]:
    """Endings of the formats that can be read or written, in this environment."""
    import importlib.util

    there = [
        row for row in POSE_FORMATS.values() if row.extra is None or importlib.util.find_spec(row.extra[1]) is not None
    ]
    return [row.ending for row in there if getattr(row, kind) is not None]


@pytest.mark.parametrize("source", endings("read"))
@pytest.mark.parametrize("target", endings("write"))
def test_any_format_to_any_other(tmp_path: Path, poses: Poses3D, source: str, target: str) -> None:
    save_poses(poses, tmp_path / f"a{source}")
    assert run(tmp_path / f"a{source}", tmp_path / f"b{target}") == 0
    assert all(file.is_file() for file in files_of(tmp_path / f"b{target}"))
    if target in endings("read"):
        got, wanted = read_poses(tmp_path / f"b{target}"), read_poses(tmp_path / f"a{source}")
        shared = [joint for joint in wanted.skeleton.joints if joint in got.skeleton]
        assert len(shared) > 20
        for pose, joints in ((got, got.skeleton), (wanted, wanted.skeleton)):
            assert len(pose) == 12 and pose.path is not None, joints
        there = [(pose.xyz + pose.path[:, None])[:, pose.skeleton.indices(shared)] for pose in (got, wanted)]
        np.testing.assert_allclose(there[0], there[1], atol=2e-4)


def test_it_says_what_is_lost(tmp_path: Path, poses: Poses3D, capsys: pytest.CaptureFixture[str]) -> None:
    save_poses(poses, tmp_path / "a.npz")
    assert run(tmp_path / "a.npz", tmp_path / "b.trc") == 0
    out, _ = said(capsys)
    assert "12 frames at 25 fps, BODY_27; .trc has no place for spread" in out
    assert run(tmp_path / "a.npz", tmp_path / "b.json") == 0
    assert "has no place for" not in said(capsys)[0]


def test_joints_of_the_result(tmp_path: Path, poses: Poses3D, capsys: pytest.CaptureFixture[str]) -> None:
    save_poses(poses, tmp_path / "a.npz")
    assert run(tmp_path / "a.npz", tmp_path / "b.csv", "--skeleton-out", "halpe_26") == 0
    assert read_poses(tmp_path / "b.csv").skeleton == HALPE_26
    save_poses(Poses3D(np.zeros((2, 17, 3)), H36M_17, 25), tmp_path / "c.npz")
    assert run(tmp_path / "c.npz", tmp_path / "d.csv", "--skeleton-out", "HALPE_26") == 1
    assert "nothing gives left_eye" in said(capsys)[1]
    assert run(tmp_path / "not_there.npz", tmp_path / "d.csv", "--skeleton-out", "HALPE") == 1
    assert "unknown skeleton" in said(capsys)[1]


def test_several_people(tmp_path: Path, poses: Poses3D, capsys: pytest.CaptureFixture[str]) -> None:
    pair = (replace(poses, person=1), replace(poses, person=4))
    save_poses(pair, tmp_path / "all.csv")
    assert run(tmp_path / "all.csv", tmp_path / "one.json") == 0
    assert read_poses(tmp_path / "one_person4.json").person == 4
    assert run(tmp_path / "all.csv", tmp_path / "one.json", "--person", 4) == 0
    assert read_poses(tmp_path / "one.json").person == 4
    assert run(tmp_path / "all.csv", tmp_path / "copy.csv") == 0
    assert [p.person for p in read_all_poses(tmp_path / "copy.csv")] == [1, 4]
    assert run(tmp_path / "all.csv", tmp_path / "x.json", "--person", 2) == 1
    assert "has no person 2 (--person); it has 1, 4" in said(capsys)[1]
    assert run(tmp_path / "all.csv", tmp_path / "page.html") == 0
    save_poses((pair[0], replace(pair[1], start_s=1.0)), tmp_path / "apart.csv")
    assert run(tmp_path / "apart.csv", tmp_path / "apart.html") == 0
    names = sorted(path.name for path in tmp_path.glob("*.html"))
    assert names == ["apart_person1.html", "apart_person4.html", "page.html"]


def test_nothing_is_overwritten(tmp_path: Path, poses: Poses3D, capsys: pytest.CaptureFixture[str]) -> None:
    save_poses(poses, tmp_path / "a.npz")
    (tmp_path / "b.json").write_text("precious")
    assert run(tmp_path / "a.npz", tmp_path / "b.json") == 1
    assert "b.json exists and is kept" in said(capsys)[1]
    assert (tmp_path / "b.json").read_text() == "precious"
    assert run(tmp_path / "a.npz", tmp_path / "b.json", "--force") == 0
    before = (tmp_path / "a.npz").read_bytes()
    assert run(tmp_path / "a.npz", tmp_path / "a.npz", "--force") == 1
    assert "is an input and is never overwritten; name another target" in " ".join(said(capsys)[1].split())
    assert (tmp_path / "a.npz").read_bytes() == before
    (tmp_path / "c.trc.json").write_text("precious")
    assert run(tmp_path / "a.npz", tmp_path / "c.trc") == 1
    assert not (tmp_path / "c.trc").exists()


def test_what_a_hurried_user_does(tmp_path: Path, poses: Poses3D, capsys: pytest.CaptureFixture[str]) -> None:
    save_poses(poses, tmp_path / "a.npz")
    for arguments, words in {
        (tmp_path / "a.npz", tmp_path / "b.fbx"): "unknown ending '.fbx'; known: .npz, .csv",
        (tmp_path / "a.npz", tmp_path / "b"): "unknown ending ''",
        (tmp_path / "no.npz", tmp_path / "b.csv"): "no.npz is not there; check the name",
        (tmp_path / "a.mp4", tmp_path / "b.csv"): "unknown ending '.mp4'; known: .npz, ",
        (tmp_path / "a.npz", tmp_path / "b.csv", "--fps", 30): "axes, rate and joints itself; leave out --fps",
        (tmp_path / "a.npz", tmp_path / "b.csv", "--to", "csv"): "--to and --of are for folders",
        (tmp_path, tmp_path / "out"): "is a folder; say the format of the results (--to csv)",
        (tmp_path, tmp_path / "out", "--to", "fbx"): "unknown ending '.fbx'",
        (tmp_path, tmp_path / "out", "--to", "csv", "--of", "mp4"): ".mp4 cannot be read (--of)",
        (tmp_path, tmp_path / "out", "--to", "csv", "--of", "trc"): "no files of poses in",
    }.items():  # fmt: skip
        assert run(*arguments) == 1
        assert words in said(capsys)[1], arguments
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.npz"]


def test_a_folder_with_a_broken_file(tmp_path: Path, poses: Poses3D, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.npz", "b.trc", "c.npz", "c.csv"):
        save_poses(poses, tmp_path / "in" / name)
    (tmp_path / "in" / "d.json").write_text("{}")
    (tmp_path / "in" / "readme.md").write_text("-")
    assert run(tmp_path / "in", tmp_path / "out", "--to", "json") == 1
    out, err = said(capsys)
    assert "3 of 5 files converted" in out
    assert "d.json holds no poses" in err
    assert "would both be written as" in err and "choose one of their formats (--of)" in err
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a.json", "b.json", "c.json"]
    assert run(tmp_path / "in", tmp_path / "out", "--to", ".json", "--of", "npz", "--force") == 0
    assert "2 of 2 files converted" in said(capsys)[0]


def test_motion_files(tmp_path: Path, figures: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "stand.bvh").write_text(figures.bvh(figures.figure()))
    assert run(tmp_path / "stand.bvh", tmp_path / "stand.npz") == 0
    out, _ = said(capsys)
    assert "stand: unit" in out and "to read them otherwise, give --unit" in out
    got = read_poses(tmp_path / "stand.npz")
    assert (got.skeleton, got.frame, got.about) == (H36M_17, "world", {"converted from": "stand.bvh"})
    assert got.path is not None and not got.xyz[:, 0].any()
    assert (got.xyz[:, H36M_17.index("head_top"), 2] > 0.4).all()  # z is up
    assert run(tmp_path / "stand.bvh", tmp_path / "slow.npz", "--fps", 15) == 0
    assert read_poses(tmp_path / "slow.npz").fps == 15
    assert run(tmp_path / "stand.bvh", tmp_path / "x.npz", "--unit", "ells") == 1
    assert "ells" in said(capsys)[1]


def test_figures_take_a_rig(tmp_path: Path, poses: Poses3D) -> None:
    save_poses(poses, tmp_path / "a.npz")
    assert run(tmp_path / "a.npz", tmp_path / "b.bvh", "--rig", "mixamo", "--unit-out", "m") == 0
    bvh = read_bvh(tmp_path / "b.bvh")
    assert bvh.joints[0] == "mixamorig:Hips"
    assert 0.5 < np.ptp(bvh.xyz[0, :, 1]) < 2.5  # metres
    assert run(tmp_path / "b.bvh", tmp_path / "c.csv") == 0
    found, wanted = read_poses(tmp_path / "c.csv"), convert_poses(poses, H36M_17)
    knees = [found.skeleton.index(f"{side}_knee") for side in ("left", "right")]
    assert np.linalg.norm(found.xyz - wanted.xyz, axis=-1)[:, knees].max() < 0.05


def test_every_ending_that_can_be_read_is_listed_once() -> None:
    assert len(READABLE) == len(set(READABLE))
    assert {".npz", ".csv", ".json", ".parquet", ".trc", ".c3d", ".bvh", ".amc"} <= set(READABLE)
