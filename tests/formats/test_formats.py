"""What all formats share: round trips, endings, output that is whole or not there."""

import errno
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poselift import formats
from poselift.errors import FormatError, MissingExtraError, OutputError, OutputExistsError, ShapeError, SkeletonError
from poselift.formats import (
    KEYPOINT_ENDINGS,
    POSE_ENDINGS,
    files_of,
    read_keypoints_file,
    read_poses,
    save_poses,
    write_keypoints,
)
from poselift.geometry.camera import Camera
from poselift.sequence import EXTRAS, Keypoints2D, Poses3D
from poselift.skeleton import COCO_17, H36M_17, SKELETONS, Skeleton

People = Callable[..., np.ndarray]
every_ending = pytest.mark.parametrize("ending", KEYPOINT_ENDINGS)


def assert_same(got: Keypoints2D, wanted: Keypoints2D, *, image_size: bool = True) -> None:
    np.testing.assert_allclose(got.xy, np.where(wanted.seen[..., None], wanted.xy, np.nan), atol=1e-6)
    assert (got.confidence is None) == (wanted.confidence is None)
    if got.confidence is not None and wanted.confidence is not None:
        np.testing.assert_allclose(got.confidence, wanted.confidence, atol=1e-6)
    assert got.skeleton == wanted.skeleton
    assert got.fps == pytest.approx(wanted.fps, rel=1e-8)
    assert got.image_size == (wanted.image_size if image_size else None)


@every_ending
def test_keypoints_come_back(keypoints: Keypoints2D, tmp_path: Path, ending: str) -> None:
    write_keypoints(keypoints, tmp_path / f"clip{ending}")
    (got,) = read_keypoints_file(str(tmp_path / f"clip{ending}"))
    assert_same(got, keypoints, image_size=ending != ".csv")


def test_assert_same_notices_a_difference(keypoints: Keypoints2D) -> None:
    with pytest.raises(AssertionError):
        assert_same(keypoints.with_frames(keypoints.xy + 0.01, keypoints.confidence, keypoints.fps), keypoints)


@every_ending
@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_every_skeleton_comes_back(person: People, tmp_path: Path, ending: str, skeleton: Skeleton) -> None:
    clip = Keypoints2D(person(skeleton)[..., :2], None, skeleton, 30)
    write_keypoints(clip, tmp_path / f"clip{ending}")
    assert_same(read_keypoints_file(tmp_path / f"clip{ending}")[0], clip)


@every_ending
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    frames=st.integers(1, 6), fps=st.floats(0.1, 1000), seed=st.integers(0, 99), skeleton=st.sampled_from([*SKELETONS])
)
def test_poses_come_back(tmp_path: Path, ending: str, frames: int, fps: float, seed: int, skeleton: str) -> None:
    xyz = np.random.default_rng(seed).normal(size=(frames, len(SKELETONS[skeleton]), 3))
    file = tmp_path / f"poses{ending}"
    save_poses(Poses3D(xyz, SKELETONS[skeleton], fps), file, overwrite=True)
    got = read_poses(file)
    np.testing.assert_allclose(got.xyz, xyz, atol=5.1e-5)
    assert got.skeleton == SKELETONS[skeleton]
    assert got.fps == pytest.approx(30 if ending == ".csv" and frames == 1 else fps, rel=1e-8)


@pytest.fixture
def known() -> Poses3D:
    """Poses of which everything is known; frames 3 to 5 show nobody, and 4 is a gap."""
    rng = np.random.default_rng(0)
    observed = rng.uniform(0.1, 1, (9, 17)).round(3)
    observed[3:6] = observed[0, 13] = 0
    return Poses3D(
        rng.normal(size=(9, 17, 3)).round(3), H36M_17, 10.0, "turned_camera", observed=observed,
        gap=np.arange(9) == 4, path=rng.normal(size=(9, 3)).round(3), camera=Camera.from_focal(900.0, (640, 480)),
        spread=rng.uniform(0.01, 0.1, (9, 17)).round(3), up=np.tile([0.6, -0.8, 0], (9, 1)),
        contact=rng.uniform(size=(9, 4)).round(3), start_s=1.5,
    )  # fmt: skip


@every_ending
def test_what_is_known_of_poses_comes_back(tmp_path: Path, ending: str, known: Poses3D) -> None:
    save_poses(known, tmp_path / f"clip{ending}")
    got = read_poses(tmp_path / f"clip{ending}")
    assert (got.frame, got.start_s, got.gaps, got.unseen) == ("turned_camera", 1.5, [(4, 4)], [(3, 5)])
    for name in ("xyz", "observed", "gap", "spread", "up", "contact", "path"):
        np.testing.assert_allclose(getattr(got, name), getattr(known, name), atol=1e-6, err_msg=name)
    if ending == ".csv":  # a table of joints has no place for it
        assert got.camera is None
    else:
        np.testing.assert_array_equal(got.camera.K, known.camera.K)


@every_ending
def test_what_is_not_known_of_poses_stays_so(tmp_path: Path, ending: str, poses: Poses3D) -> None:
    save_poses(poses, tmp_path / f"clip{ending}")
    got = read_poses(tmp_path / f"clip{ending}")
    assert all(getattr(got, name) is None for name in (*EXTRAS, "camera"))
    assert (got.frame, got.start_s) == ("camera", 0.0)


def test_what_a_bvh_cannot_say_lies_beside_it(tmp_path: Path, known: Poses3D) -> None:
    save_poses(known, tmp_path / "clip.bvh")
    notes = json.loads((tmp_path / "clip.bvh.json").read_text())
    assert (notes["gaps"], notes["frame"], notes["unit"], notes["frames"]) == ([[4, 4]], "turned_camera", "cm", 9)
    assert notes["unseen"]["left_wrist"] == [[0, 0], [3, 5]]
    assert notes["unseen"]["pelvis"] == [[3, 5]]
    save_poses(replace(known, observed=None, gap=None), tmp_path / "clip.bvh", overwrite=True)
    notes = json.loads((tmp_path / "clip.bvh.json").read_text())
    assert (notes["gaps"], notes["unseen"]) == ([], None)  # nothing stale is left


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_a_skeleton_of_the_user_comes_back(tmp_path: Path, ending: str) -> None:
    skeleton = Skeleton("mine", ("a", "b", "c"), (-1, 0, 1))
    save_poses(Poses3D(np.ones((2, 3, 3)), skeleton, 30), tmp_path / f"poses{ending}")
    assert read_poses(tmp_path / f"poses{ending}").skeleton == skeleton
    write_keypoints(Keypoints2D(np.full((2, 3, 2), 50), None, skeleton, 30), tmp_path / f"clip{ending}")
    assert read_keypoints_file(tmp_path / f"clip{ending}")[0].skeleton == skeleton


@every_ending
def test_one_frame_needs_no_rate(keypoints: Keypoints2D, tmp_path: Path, ending: str) -> None:
    clip = keypoints.with_frames(keypoints.xy[:1], None, 30)
    write_keypoints(clip, tmp_path / f"clip{ending}")
    (got,) = read_keypoints_file(tmp_path / f"clip{ending}")
    assert (len(got), got.fps) == (1, 30)


@every_ending
@pytest.mark.parametrize("read", [read_keypoints_file, read_poses])
def test_what_is_not_there(tmp_path: Path, ending: str, read: Callable[[Path], Any]) -> None:
    with pytest.raises(FormatError, match="is not there"):
        read(tmp_path / f"clip{ending}")


@pytest.mark.parametrize("name", ["clip.xyz", "clip", "clip.mp4"])
def test_unknown_endings_list_the_known(tmp_path: Path, poses: Poses3D, keypoints: Keypoints2D, name: str) -> None:
    with pytest.raises(FormatError, match=r"known: \.npz, \.npy, \.csv, .*\.trc$"):
        read_keypoints_file(tmp_path / name)
    with pytest.raises(FormatError, match=r"known: \.npz, \.csv, \.json$"):
        write_keypoints(keypoints, tmp_path / name)
    with pytest.raises(FormatError, match=r"known: \.npz, \.csv, \.json, .*\.trc"):
        read_poses(tmp_path / name)
    with pytest.raises(FormatError, match=r"known: \.npz, \.csv, \.json, .*\.bvh, .*\.html$"):
        save_poses(poses, tmp_path / name)
    assert not list(tmp_path.iterdir())


@every_ending
def test_a_folder_is_no_file(tmp_path: Path, poses: Poses3D, ending: str) -> None:
    (tmp_path / f"clip{ending}").mkdir()
    with pytest.raises(FormatError):
        read_keypoints_file(tmp_path / f"clip{ending}")
    with pytest.raises(FormatError):
        read_poses(tmp_path / f"clip{ending}")
    with pytest.raises(OutputExistsError):
        save_poses(poses, tmp_path / f"clip{ending}", overwrite=True)


@every_ending
def test_upper_case_endings(tmp_path: Path, poses: Poses3D, ending: str) -> None:
    file = tmp_path / f"POSES{ending.upper()}"
    save_poses(poses, file)
    assert read_poses(file).skeleton is H36M_17
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@every_ending
def test_output_is_not_overwritten_unless_asked(
    tmp_path: Path, poses: Poses3D, keypoints: Keypoints2D, ending: str
) -> None:
    file = tmp_path / f"poses{ending}"
    file.write_text("precious")
    for write in (lambda: save_poses(poses, file), lambda: write_keypoints(keypoints, file)):
        with pytest.raises(OutputExistsError, match="--force"):
            write()
    assert file.read_text() == "precious"
    save_poses(poses, file, overwrite=True)
    assert len(read_poses(file)) == len(poses)


@every_ending
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, poses: Poses3D, keypoints: Keypoints2D, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    real_open = Path.open

    def full(self: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return real_open(Path("/dev/full") if "w" in mode else self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    for write in (
        lambda: save_poses(poses, tmp_path / f"p{ending}"),
        lambda: write_keypoints(keypoints, tmp_path / f"k{ending}"),
    ):
        with pytest.raises(OutputError, match="No space left on device"):
            write()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, poses: Poses3D, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = tmp_path / "poses.npz"
    file.write_text("precious")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"poses.npz.*No space left"):
        save_poses(poses, file, overwrite=True)
    assert file.read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("ending", POSE_ENDINGS)
def test_every_pose_format_is_written_kept_and_overwritten(tmp_path: Path, poses: Poses3D, ending: str) -> None:
    file = tmp_path / f"dance{ending}"
    try:
        save_poses(poses, file)
    except MissingExtraError as error:
        pytest.skip(str(error))
    first = file.read_bytes()
    assert ending != ".html" or b"<title>dance</title>" in first
    with pytest.raises(OutputExistsError, match=f"dance{ending} exists and is kept"):
        save_poses(poses, file)
    file.write_text("old")
    save_poses(poses, file, overwrite=True)
    assert len(file.read_bytes()) == len(first)
    assert sorted(tmp_path.iterdir()) == [*files_of(file)]


@every_ending
def test_shares_of_the_picture_are_scaled_by_its_size(
    person: People, tmp_path: Path, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    array, file = person(COCO_17), tmp_path / f"clip{ending}"
    write_keypoints(Keypoints2D(array[..., :2] / (1080, 1920), None, COCO_17, 30), file)
    with pytest.raises(FormatError, match=r"shares of the picture's width and height.*--image-size"):
        read_keypoints_file(file)
    (clip,) = read_keypoints_file(file, image_size=(1080, 1920))
    assert "scaled to 1080 x 1920" in " ".join(caplog.text.split())
    assert clip.image_size == (1080, 1920)
    np.testing.assert_allclose(clip.xy, array[..., :2], atol=2e-3)


@pytest.mark.parametrize("size", [(0, 9), (-1, 9), (9, 1e9)])
def test_a_size_out_of_range(person: People, tmp_path: Path, size: tuple[int, int]) -> None:
    np.savez(tmp_path / "clip.npz", xy=person(COCO_17)[..., :2], fps=30)
    with pytest.raises(ShapeError, match="--image-size.*wanted width and height in pixels"):
        read_keypoints_file(tmp_path / "clip.npz", image_size=size)


def test_pixels_are_taken_without_a_word(
    keypoints: Keypoints2D, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_keypoints(keypoints, tmp_path / "clip.npz")
    read_keypoints_file(tmp_path / "clip.npz")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_joints_in_no_known_order_are_refused(person: People, tmp_path: Path) -> None:
    array = person(COCO_17)[:, np.random.default_rng(0).permutation(17)]
    np.savez(tmp_path / "clip.npz", keypoints=array, fps=30)
    with pytest.raises(SkeletonError, match="--skeleton"):
        read_keypoints_file(tmp_path / "clip.npz")


def test_public_names() -> None:
    for name in ("read_keypoints_file", "save_poses", "read_poses", "write_keypoints"):
        assert callable(getattr(formats, name))
