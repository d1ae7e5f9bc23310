import builtins
import csv
import re
from pathlib import Path

import numpy as np
import pytest

from poselift.datasets.own import load_own
from poselift.errors import DatasetError, MissingData, MissingExtraError, SkeletonError, UntrustedPickle
from poselift.skeleton import COCO_17, H36M_17, SKELETONS

FRAMES = 6


@pytest.fixture
def xyz(archives) -> np.ndarray:
    """(6, 17, 3) someone 3 m before a camera."""
    world = archives.motion(FRAMES, 0).astype(float) - (0, 0, 0.9)
    return np.stack([world[..., 0], -world[..., 2], world[..., 1] + 3], -1)


def pixels(xyz: np.ndarray) -> np.ndarray:
    return 1000 * xyz[..., :2] / xyz[..., 2:] + (960, 540)


def arrays(joints: np.ndarray, /, **changes: object) -> dict[str, object]:
    whole = {"xy": pixels(joints), "xyz": joints, "skeleton": "H36M_17", "fps": 100.0, "image_size": [1920, 1080]}
    return {name: value for name, value in (whole | changes).items() if value is not None}


def rows(xyz: np.ndarray, **columns: object) -> list[dict[str, object]]:
    """Rows of a table: everything that must be there, and `columns`, one value or one a row."""
    table = []
    for frame, (joints, points) in enumerate(zip(xyz, pixels(xyz), strict=True)):
        row: dict[str, object] = {"image_width": 1920, "image_height": 1080, "fps": 100}
        for name, joint, point in zip(H36M_17.joints, joints, points, strict=True):
            row |= {f"{name}_x_m": joint[0], f"{name}_y_m": joint[1], f"{name}_z_m": joint[2]}
            row |= {f"{name}_x": point[0], f"{name}_y": point[1]}
        row |= {name: value[frame] if isinstance(value, list) else value for name, value in columns.items()}
        table.append({name: value for name, value in row.items() if value is not None})
    return table


def write_csv(path: Path, table: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


def test_an_archive_with_what_it_must_have(tmp_path, xyz):
    np.savez(tmp_path / "walk.npz", **arrays(xyz))
    data = load_own(tmp_path)
    (clip,) = data.clips
    assert data.name == tmp_path.name
    assert (clip.subject, clip.action, clip.sequence, clip.camera) == ("S1", "all", "walk", "0")
    assert clip.skeleton == clip.keypoints.skeleton == H36M_17
    assert (clip.keypoints.fps, clip.keypoints.image_size, clip.keypoints.confidence) == (100, (1920, 1080), None)
    np.testing.assert_allclose(clip.xyz, xyz, rtol=1e-6)
    np.testing.assert_allclose(clip.keypoints.xy, pixels(xyz), rtol=1e-6)
    assert clip.valid.all() and clip.xyz.dtype == np.float32


def test_an_archive_with_everything(tmp_path, xyz):
    """World millimetres, a camera, two joint orders, frames that do not count."""
    quarter = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # z up to y down
    t = np.array([100.0, 200, 3000])
    world = (1000 * xyz - t) @ quarter
    world[1, 3] = np.nan
    labels = {"subject": "anna", "action": "walk", "sequence": "walk 1", "camera": "left"}
    content = arrays(
        world, skeleton=None, skeleton_2d="COCO_17", skeleton_3d="h36m-17", xy=np.ones((FRAMES, 17, 2)),
        confidence=np.full((FRAMES, 17), 0.5), unit="mm", R=quarter, t=t, valid=[1, 1, 1, 1, 1, 0], **labels,
    )  # fmt: skip
    np.savez(tmp_path / "a.npz", **content)
    (clip,) = load_own(tmp_path).clips
    assert {name: getattr(clip, name) for name in labels} == labels
    assert clip.keypoints.skeleton == COCO_17 and (clip.keypoints.confidence == 0.5).all()
    assert clip.valid.tolist() == [True, False, True, True, True, False]
    kept = [0, 2, 3, 4, 5]
    np.testing.assert_allclose(clip.xyz[kept], xyz[kept], atol=1e-5)
    assert not clip.xyz[1].any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"xyz": None}, "lacks xyz"),
        ({"fps": None}, "lacks fps"),
        ({"image_size": None}, "lacks image_size"),
        ({"image_size": [np.inf, 1080]}, r"image_size: wanted \(width, height\) in pixels, got \[inf, 1080"),
        ({"image_size": [0, 1080]}, "image_size: wanted"),
        ({"skeleton": None}, "lacks skeleton_2d"),
        ({"R": np.eye(3)}, "lacks t"),
        ({"skeleton": "H36M"}, "skeleton: unknown skeleton 'H36M'"),
        ({"xy": np.ones((5, 17, 2))}, r"xy: wanted numbers of shape \(6, 17, 2\), got float64 \(5, 17, 2\)"),
        ({"xyz": np.ones((6, 16, 3))}, r"xyz: wanted numbers of shape \('frames', 17, 3\)"),
        ({"xyz": np.full((6, 17, 3), np.nan)}, "no frame has all 3D joints"),
        ({"xy": np.full((6, 17, 2), "a")}, "xy: wanted numbers"),
        ({"unit": "inch"}, "unit: wanted m, cm, mm, got 'inch'"),
        ({"unit": "mm"}, "thighs"),
        ({"fps": 0.0}, "frame rate"),
        ({"fps": [1.0, 2.0]}, "fps: wanted numbers of shape"),
        ({"valid": np.ones(5)}, "valid: wanted"),
        ({"confidence": np.full((6, 17), -1.0)}, "confidence"),
        ({"Subject": "anna"}, "unknown array 'Subject'; did you mean 'subject'"),
    ],
)
def test_archives_that_lack_something(tmp_path, xyz, changes, message):
    np.savez(tmp_path / "walk.npz", **arrays(xyz, **changes))
    with pytest.raises((DatasetError, SkeletonError), match=rf"walk\.npz.*{message}"):
        load_own(tmp_path)


def test_python_objects_and_broken_files(tmp_path):
    np.savez(tmp_path / "a.npz", skeleton="H36M_17", xyz=np.array([print], dtype=object))
    with pytest.raises(UntrustedPickle, match=r"a\.npz"):
        load_own(tmp_path)
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(DatasetError, match=r"a\.npz"):
        load_own(tmp_path)


def test_nothing_there(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(MissingData, match=r"docs/own_data\.md"):
            load_own(folder)


def test_a_table_of_several_clips(tmp_path, xyz):
    left = rows(xyz, subject="anna", action="walk", camera="left", frame=list(range(10, 16)))
    right = rows(xyz + (0.1, 0, 0), subject="anna", action="walk", camera="right", frame=list(range(10, 16)))
    mixed = [row for pair in zip(left, reversed(right), strict=True) for row in pair]
    write_csv(tmp_path / "walk.csv", mixed)
    first, second = load_own(tmp_path).clips
    assert (first.subject, first.action, first.sequence, first.camera) == ("anna", "walk", "walk", "left")
    assert second.camera == "right"
    np.testing.assert_allclose(first.xyz, xyz, atol=1e-6)
    np.testing.assert_allclose(second.xyz, xyz + (0.1, 0, 0), atol=1e-6)
    np.testing.assert_allclose(second.keypoints.xy, pixels(xyz + (0.1, 0, 0)), rtol=1e-6)
    assert (first.keypoints.fps, first.keypoints.image_size) == (100, (1920, 1080))


def test_empty_cells_times_and_marks(tmp_path, xyz):
    times = [round(frame / 30, 3) for frame in range(FRAMES)]
    table = rows(xyz, fps=None, time_s=times, valid=["true", 1, 1, "False", 1, 1])
    table[1]["left_wrist_z_m"] = table[2]["nose_x"] = ""
    write_csv(tmp_path / "walk.csv", table)
    (clip,) = load_own(tmp_path).clips
    assert clip.keypoints.fps == pytest.approx(30, abs=0.1)
    assert clip.valid.tolist() == [True, False, True, False, True, True]
    assert clip.keypoints.seen.sum() == FRAMES * 17 - 1 and not clip.keypoints.seen[2, H36M_17.index("nose")]


def test_confidence_in_a_table(tmp_path, xyz):
    scores = {f"{joint}_confidence": 0.25 for joint in H36M_17.joints}
    write_csv(tmp_path / "walk.csv", rows(xyz, **scores))
    assert (load_own(tmp_path).clips[0].keypoints.confidence == 0.25).all()
    del scores["nose_confidence"]
    write_csv(tmp_path / "walk.csv", rows(xyz, **scores))
    with pytest.raises(DatasetError, match="lacks the column nose_confidence"):
        load_own(tmp_path)


def renamed(old, new):
    return lambda table: [{new if name == old else name: value for name, value in row.items()} for row in table]


def without(pattern):
    return lambda table: [{k: v for k, v in row.items() if not re.fullmatch(pattern, k)} for row in table]


def with_values(name, values):
    return lambda table: [row | {name: value} for row, value in zip(table, values, strict=True)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (renamed("fps", "rate"), "unknown column 'rate'"),
        (renamed("image_width", "image_widht"), "unknown column 'image_widht'; did you mean 'image_width'"),
        (renamed("nose_x", "noze_x"), "no skeleton; next is H36M_17, missing: none; too many: noze"),
        (without("nose.*"), "no skeleton; next is H36M_17, missing: nose"),
        (without(".*_m"), "no columns <joint>_x_m"),
        (without(".*_[xy]"), "no columns <joint>_x,"),
        (without("nose_y"), "lacks the column nose_y"),
        (without("image_height"), "lacks the column image_height"),
        (without("fps"), "lacks the column fps"),
        (with_values("nose_y", ["high"] * FRAMES), "line 2: wanted a number in column nose_y, got 'high'"),
        (with_values("fps", range(50, 50 + FRAMES)), "column fps: wanted one positive number"),
        (with_values("frame", range(0, 2 * FRAMES, 2)), "column frame: wanted each frame of a clip, 5 are left out"),
        (with_values("time_s", [0, 1, 4, 9, 16, 25]), "column time_s"),
        (with_values("valid", ["yes"] * FRAMES), "line 2: wanted a number in column valid, got 'yes'"),
    ],
)
def test_tables_that_lack_something(tmp_path, xyz, change, message):
    table = change(rows(xyz))
    write_csv(tmp_path / "walk.csv", without("fps")(table) if "time_s" in table[0] else table)
    with pytest.raises((DatasetError, SkeletonError), match=rf"walk\.csv.*{message}"):
        load_own(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got 0 lines"),
        ("fps\n", "got 1 lines"),
        ("fps,fps\n1,2\n", "columns come twice: fps"),
        ("fps,frame\n1\n", "line 2: wanted 2 cells as in the header, got 1"),
        ('fps\n"1\n', "broken table"),
    ],
)
def test_broken_tables(tmp_path, text, message):
    (tmp_path / "walk.csv").write_text(text)
    with pytest.raises(DatasetError, match=rf"walk\.csv.*{message}"):
        load_own(tmp_path)


def test_clips_of_one_name(tmp_path, xyz):
    for name in ("a.npz", "b.npz"):
        np.savez(tmp_path / name, **arrays(xyz, sequence="walk"))
    with pytest.raises(DatasetError, match="S1 walk 0 comes twice"):
        load_own(tmp_path)


def test_parquet(tmp_path, xyz):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = rows(xyz, subject="anna", valid=[True, True, False, True, True, True])
    table[1]["left_wrist_z_m"] = None
    parquet.write_table(pyarrow.Table.from_pylist(table), tmp_path / "walk.parquet")
    (clip,) = load_own(tmp_path).clips
    assert clip.subject == "anna" and clip.valid.tolist() == [True, False, False, True, True, True]
    np.testing.assert_allclose(clip.xyz[3:], xyz[3:], rtol=1e-6)
    parquet.write_table(
        pyarrow.Table.from_pylist([row | {"nose_x": "high"} for row in table]), tmp_path / "walk.parquet"
    )
    with pytest.raises(DatasetError, match="walk.parquet, row 1: wanted a number in column nose_x, got 'high'"):
        load_own(tmp_path)
    parquet.write_table(pyarrow.table({"fps": pyarrow.array([], "float64")}), tmp_path / "walk.parquet")
    with pytest.raises(DatasetError, match="at least one row"):
        load_own(tmp_path)
    (tmp_path / "walk.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="no readable Parquet"):
        load_own(tmp_path)


def test_parquet_without_pyarrow_says_how_to_install_it(tmp_path, monkeypatch):
    real = builtins.__import__

    def blocked(name, *rest, **options):
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", blocked)
    (tmp_path / "walk.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingExtraError, match="pip install pyarrow"):
        load_own(tmp_path)


def test_the_page_names_every_skeleton():
    page = Path(__file__).parents[2] / "docs" / "own_data.md"
    if not page.is_file():
        pytest.skip("not a checkout")
    assert all(f"`{name}`" in page.read_text("utf-8") for name in SKELETONS)
