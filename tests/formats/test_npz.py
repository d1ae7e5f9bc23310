"""npz archives of keypoints and poses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselift.errors import FormatError, MissingRate, SkeletonError, UntrustedPickle
from poselift.formats import read_keypoints_file, read_poses, save_poses, write_keypoints
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import BODY_25B, COCO_17, H36M_17, MPI_INF_3DHP_17, Skeleton

People = Callable[..., np.ndarray]


def written(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clip.npz"


def test_own_layout(person: People, file: Path) -> None:
    array = person(COCO_17)
    fields = {"confidence": array[..., 2], "skeleton": "COCO_17", "fps": 24.0, "image_size": [640, 480]}
    (clip,) = read_keypoints_file(written(file, xy=array[..., :2], **fields))
    np.testing.assert_array_equal(clip.xy, array[..., :2])
    np.testing.assert_array_equal(clip.confidence, array[..., 2])
    assert (clip.skeleton, clip.fps, clip.image_size) == (COCO_17, 24.0, (640, 480))


def test_third_channel_is_confidence(person: People, file: Path) -> None:
    array = person(COCO_17)
    (clip,) = read_keypoints_file(written(file, keypoints=array), fps=25)
    np.testing.assert_array_equal(clip.confidence, array[..., 2])


def test_confidence_zero_is_unseen(person: People, file: Path) -> None:
    array = person(COCO_17)
    array[3, 2, 2], array[4, 2, 2] = 0, np.nan
    (clip,) = read_keypoints_file(written(file, keypoints=array), fps=25)
    assert np.argwhere(np.isnan(clip.xy).any(-1)).tolist() == [[3, 2], [4, 2]]


def test_several_people(person: People, file: Path) -> None:
    array = np.stack([person(COCO_17), person(COCO_17, x=900)])
    clips = read_keypoints_file(written(file, xy=array[..., :2], fps=25))
    assert len(clips) == 2
    np.testing.assert_array_equal(clips[1].xy, array[1, ..., :2])
    assert clips[1].confidence is None


def test_several_frames_of_one_person(person: People, file: Path) -> None:
    array = person(COCO_17)
    (clip,) = read_keypoints_file(written(file, keypoints=array[:, None]), fps=25)
    np.testing.assert_array_equal(clip.xy, array[..., :2])
    with pytest.raises(MissingRate):
        read_keypoints_file(file)


def test_several_people_of_each_frame_in_no_order(person: People, file: Path) -> None:
    people = np.stack([person(COCO_17), person(COCO_17, x=900)], axis=1)
    people[4:7] = people[4:7, ::-1]
    people[9, 1] = 0
    clips = read_keypoints_file(written(file, keypoints=people[..., :2], scores=people[..., 2], fps=25))
    assert [len(clip) for clip in clips] == [12, 12]
    left, right = sorted(clips, key=lambda clip: np.nanmean(clip.xy[..., 0]))
    np.testing.assert_array_equal(left.xy, person(COCO_17)[..., :2])
    assert np.flatnonzero(~right.seen.any(1)).tolist() == [9]


def test_people_who_are_never_seen_are_left_out(person: People, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    array = np.stack([person(COCO_17), 0 * person(COCO_17)])
    (clip,) = read_keypoints_file(written(file, keypoints=array, fps=25))
    np.testing.assert_array_equal(clip.xy, array[0, ..., :2])
    assert "1 of 2 people are never seen" in caplog.text


@pytest.mark.parametrize("name", ["scores", "keypoint_scores", "conf", "Confidences"])
@pytest.mark.parametrize("shape", [(12, 17), (12, 17, 1)])
def test_scores_under_another_name(person: People, file: Path, name: str, shape: tuple[int, ...]) -> None:
    array = person(COCO_17)
    scores = {name: array[..., 2].reshape(shape), "box_score": np.ones(12)}
    (clip,) = read_keypoints_file(written(file, keypoints=array[..., :2], fps=25, **scores))
    np.testing.assert_array_equal(clip.confidence, array[..., 2])


def test_arrays_that_are_not_read_are_named(person: People, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_keypoints_file(written(file, xy=person(COCO_17)[..., :2], fps=25, bbox=np.ones((12, 4)), quality=1.0))
    assert "not read: bbox, quality" in " ".join(caplog.text.split())


@pytest.mark.parametrize("skeleton", [COCO_17, H36M_17, MPI_INF_3DHP_17], ids=lambda s: s.name)
def test_17_joints_are_told(person: People, file: Path, skeleton: Skeleton) -> None:
    (clip,) = read_keypoints_file(written(file, xy=person(skeleton)[..., :2], fps=25))
    assert clip.skeleton is skeleton


def test_a_wrong_claim_is_an_error_that_the_user_can_overrule(
    person: People, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(file, xy=person(COCO_17)[..., :2], fps=25, skeleton="H36M_17")
    with pytest.raises(SkeletonError, match=r"H36M_17, but look like COCO_17.*--skeleton"):
        read_keypoints_file(file)
    assert not caplog.records
    (clip,) = read_keypoints_file(file, skeleton=H36M_17)
    assert clip.skeleton is H36M_17
    assert "look like COCO_17" in caplog.text
    assert read_keypoints_file(file, skeleton=COCO_17)[0].skeleton is COCO_17


@pytest.mark.shared
@pytest.mark.parametrize(("name", "skeleton"), [("kp2d_body25b", BODY_25B), ("kp2d17", H36M_17)])
def test_real_detections(shared: Path, file: Path, name: str, skeleton: Skeleton) -> None:
    with np.load(shared / "data" / "pose2sim_cams_1_3.npz") as archive:
        array = archive[name]
    clips = read_keypoints_file(written(file, keypoints=array, fps=60))
    assert [clip.skeleton for clip in clips] == [skeleton, skeleton]


@pytest.mark.parametrize(
    "arrays", [{"xy": np.array([[None]])}, {"xy": np.ones((1, 17, 2)), "skeleton": np.array(None)}]
)
def test_pickles_are_not_opened(file: Path, arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(UntrustedPickle, match="not opened"):
        read_keypoints_file(written(file, **arrays))
    poses = {"xyz": np.ones((1, 17, 3)), "skeleton": "H36M_17", "fps": 30.0, "unit": "m", "frame": "camera"}
    renamed = {"xyz" if name == "xy" else name: array for name, array in arrays.items()}
    with pytest.raises(UntrustedPickle):
        read_poses(written(file, **poses | renamed))


def test_a_bare_pickle_is_not_opened(file: Path) -> None:
    file.write_bytes(b"\x80\x04\x95cos\nsystem\n")
    with pytest.raises(UntrustedPickle):
        read_keypoints_file(file)


XY = np.random.default_rng(2).uniform(100, 500, (4, 17, 2))
BAD = {
    "no keypoints": ({"other": XY[..., 0]}, "wanted an array 'xy'.*it holds other"),
    "poses": ({"xyz": XY}, "holds 3D poses"),
    "axes": ({"xy": XY[0]}, r"got \(17, 2\)"),
    "channels": ({"xy": XY.transpose(0, 2, 1)}, r"got \(4, 2, 17\)"),
    "no frames": ({"xy": XY[:0]}, r"got \(0, 17, 2\)"),
    "nobody": ({"xy": XY[None][:0]}, r"got \(0, 4, 17, 2\)"),
    "text": ({"xy": XY.astype(str)}, "wanted numbers"),
    "complex": ({"xy": XY.astype(complex)}, "wanted numbers"),
    "infinite": ({"xy": XY * np.inf}, "136 numbers are infinite"),
    "unseen": ({"xy": XY * np.nan}, "no joint is seen in any of 4 frames"),
    "absurd": ({"xy": XY * 1e9}, "file is damaged"),
    "confidence shape": ({"xy": XY, "confidence": np.ones((4, 16))}, r"'confidence' of shape \(4, 17\)"),
    "negative": ({"xy": XY, "confidence": np.full((4, 17), -0.5)}, "no joint is seen in any of 4 frames"),
    "shares": ({"xy": XY / 500, "fps": 9}, "coordinates from 0.205 to 0.986 are shares .*--image-size"),
    "people or frames": ({"xy": np.stack([XY, XY[::-1]]), "fps": 9}, "2 people of 4 frames or 2 frames of 4 people"),
    "no fps": ({"xy": XY, "skeleton": "H36M_17"}, "--fps"),
    "fps": ({"xy": XY, "skeleton": "H36M_17", "fps": -5.0}, "frame rate from 0.1 to 10,000 frames per second, got -5"),
    "fps nan": ({"xy": XY, "skeleton": "H36M_17", "fps": np.nan}, "frame rate from"),
    "fps text": ({"xy": XY, "fps": "fast"}, "'fps': wanted numbers"),
    "fps many": ({"xy": XY, "fps": [1.0, 2.0]}, "one number 'fps'"),
    "size": ({"xy": XY, "skeleton": "H36M_17", "fps": 9, "image_size": [-3, 4]}, r"got \(-3, 4\)"),
    "size huge": ({"xy": XY, "skeleton": "H36M_17", "fps": 9, "image_size": [10**9, 4]}, "image_size"),
    "size nan": ({"xy": XY, "skeleton": "H36M_17", "fps": 9, "image_size": [np.nan, 4]}, "image_size"),
    "size shape": ({"xy": XY, "skeleton": "H36M_17", "fps": 9, "image_size": 4}, "image_size"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_contents(file: Path, case: str) -> None:
    arrays, reason = BAD[case]
    with pytest.raises(FormatError, match=reason) as caught:
        read_keypoints_file(written(file, **arrays))
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("claim", ["COCO_18", "BODY_25"])
def test_a_skeleton_that_is_unknown_or_of_another_size(file: Path, claim: str) -> None:
    with pytest.raises(SkeletonError):
        read_keypoints_file(written(file, xy=XY, fps=30, skeleton=claim))


def test_random_points_fit_no_skeleton(file: Path) -> None:
    with pytest.raises(SkeletonError, match="H36M_17, COCO_17, MPI_INF_3DHP_17"):
        read_keypoints_file(written(file, xy=XY, fps=30))


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.95])
def test_a_truncated_archive(person: People, file: Path, kept: float) -> None:
    data = written(file, xy=person(COCO_17), fps=30).read_bytes()
    file.write_bytes(data[: int(kept * len(data))])
    for read in (read_keypoints_file, read_poses):
        with pytest.raises(FormatError, match=r"clip.npz"):
            read(file)


def test_a_damaged_archive(person: People, file: Path) -> None:
    data = bytearray(written(file, xy=person(COCO_17), fps=30).read_bytes())
    data[400:420] = bytes(20)
    file.write_bytes(data)
    with pytest.raises(FormatError, match="broken npz"):
        read_keypoints_file(file)


def test_an_archive_that_claims_more_than_it_holds(file: Path) -> None:
    import zipfile

    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999, 17, 2), }"
    npy = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xy.npy", npy)
    with pytest.raises(FormatError, match="broken npz"):
        read_keypoints_file(file)


def test_keypoints_are_no_poses(keypoints: Keypoints2D, file: Path) -> None:
    write_keypoints(keypoints, file)
    with pytest.raises(FormatError, match="holds 2D keypoints, no poses; lift it with poselift lift"):
        read_poses(file)


def test_poses_carry_everything(poses: Poses3D, file: Path) -> None:
    save_poses(poses, file)
    with np.load(file) as archive:
        wanted = {"xyz", "joints", "parents", "skeleton", "fps", "unit", "frame", "start_s", "about", "written_by"}
        assert set(archive.files) == wanted
        assert str(archive["written_by"]).startswith("poselift 0.")
        assert (str(archive["unit"]), str(archive["frame"]), str(archive["skeleton"])) == ("m", "camera", "H36M_17")
        assert tuple(archive["joints"]) == H36M_17.joints
        assert tuple(archive["parents"]) == H36M_17.parents


@pytest.mark.parametrize(("field", "value"), [("unit", "mm"), ("frame", "room"), ("fps", 0.0), ("xyz", XY)])
def test_poses_of_another_kind_are_refused(poses: Poses3D, file: Path, field: str, value: Any) -> None:
    save_poses(poses, file)
    with np.load(file) as archive:
        arrays = dict(archive)
    with pytest.raises(FormatError, match=r"clip.npz"):
        read_poses(written(file, **arrays | {field: value}))
    del arrays[field]
    with pytest.raises(FormatError, match=f"{field} missing"):
        read_poses(written(file, **arrays))
