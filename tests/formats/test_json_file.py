"""Our own JSON, and the lists of detections that share the ending."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselift.errors import FormatError, ShapeError, SkeletonError
from poselift.formats import read_keypoints_file, read_poses, save_poses, write_keypoints
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import COCO_17, H36M_17, HALPE_26

People = Callable[..., np.ndarray]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clip.json"


def test_fields(keypoints: Keypoints2D, file: Path) -> None:
    write_keypoints(keypoints, file)
    content = json.loads(file.read_text())
    assert content["skeleton"] == "H36M_17"
    assert content["joints"] == list(H36M_17.joints)
    assert content["image_size"] == [1920, 1080]
    assert content["fps"] == pytest.approx(29.97003)
    assert content["frames"][2][5] == [None, None, 0]
    assert file.read_text().count("\n") > len(keypoints)


def test_by_hand_without_names_or_confidence(person: People, file: Path) -> None:
    array = person(COCO_17)[..., :2]
    file.write_text(json.dumps({"fps": 30, "frames": array.tolist()}))
    (clip,) = read_keypoints_file(file)
    assert (clip.skeleton, clip.fps, clip.confidence) == (COCO_17, 30, None)
    np.testing.assert_array_equal(clip.xy, array)


def test_poses_carry_everything(poses: Poses3D, file: Path) -> None:
    save_poses(poses, file)
    content = json.loads(file.read_text())
    assert {k: content[k] for k in ("skeleton", "fps", "unit", "frame")} == {
        "skeleton": "H36M_17",
        "fps": 50.0,
        "unit": "m",
        "frame": "camera",
    }
    assert content["axes"].startswith("x right, y down, z away from the camera")
    assert content["parents"] == list(H36M_17.parents)
    assert content["frames"][1][2] == [round(float(value), 4) for value in poses.xyz[1, 2]]


GOOD: dict[str, Any] = {"skeleton": "H36M_17", "fps": 30, "frames": np.arange(68.0).reshape(2, 17, 2).tolist()}
BAD = {
    "nothing": ({}, "holds an empty object, which is no layout"),
    "text": ("frames", "holds a text, which is no layout.*OpenPose, .*MMPose.*docs/keypoint_files"),
    "frames": (GOOD | {"frames": None}, r"got \(\)"),
    "no frames": (GOOD | {"frames": []}, r"got \(0,\)"),
    "ragged": (GOOD | {"frames": [[[1, 2], [1]]]}, "lists of equal length"),
    "strings": (GOOD | {"frames": [[["1", "2"]]]}, "wanted numbers"),
    "objects": (GOOD | {"frames": [{"a": 1}]}, "wanted numbers"),
    "big": (GOOD | {"frames": [[[10**400, 1]]]}, "more than 308 digits"),
    "no fps": ({"skeleton": "H36M_17", "frames": GOOD["frames"]}, "--fps"),
    "fps": (GOOD | {"fps": "30"}, "wanted a number 'fps', got '30'"),
    "fps zero": (GOOD | {"fps": 0}, "frame rate from"),
    "fps true": (GOOD | {"fps": True}, "wanted a number 'fps'"),
    "size": (GOOD | {"image_size": [0, 4]}, "image_size"),
    "size text": (GOOD | {"image_size": "4x4"}, "image_size"),
    "poses": (GOOD | {"unit": "m"}, "holds 3D poses"),
    "no detections": ([], "holds an empty list"),
    "nested": ({"a": 1, "b": [2]}, "holds an object with 'a', 'b', which is no layout"),
    "lists": ([[["a"]], 3], "a list of 2, the first of which is a list of 1, the first of which is a list of 1"),
    "numbers": ([3], "a list of 1, the first of which is a number"),
    "detection": ([{"image_id": 1, "keypoints": [1, 2, 3]}, 3], "entry 1: wanted an object"),
    "no image": ([{"keypoints": [1, 2, 3]}], "entry 0: wanted an object with 'image_id'"),
    "image": ([{"image_id": "a", "keypoints": [1, 2, 3]}], "image_id: wanted a whole number.* in .a."),
    "keypoints": ([{"image_id": 1, "keypoints": [1, 2]}], "x, y, confidence"),
    "empty keypoints": ([{"image_id": 1, "keypoints": []}], "x, y, confidence"),
    "counts": ([{"image_id": i, "keypoints": [1, 2, 1] * i} for i in (1, 2)], "different numbers of joints"),
    "unseen": ([{"image_id": 1, "keypoints": [0, 0, 0] * 17}], "nobody is seen"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_contents(file: Path, case: str) -> None:
    content, reason = BAD[case]
    file.write_text(json.dumps(content))
    with pytest.raises(FormatError, match=reason) as caught:
        read_keypoints_file(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"skeleton": "H36M_18"},
        {"joints": ["a"] * 17},
        {"skeleton": "BODY_25"},
        {"skeleton": "mine", "joints": ["a", "b"], "parents": [-1, "x"]},
        {"skeleton": "mine", "joints": ["a", "b"], "parents": [-1]},
    ],
)
def test_bad_skeletons(file: Path, change: dict[str, Any]) -> None:
    file.write_text(json.dumps(GOOD | change))
    with pytest.raises(SkeletonError):
        read_keypoints_file(file)


@pytest.mark.parametrize(
    "change",
    [
        {"unit": "mm"},
        {"frame": "room"},
        {"observed": [[1]]},
        {"gaps": [[3, 99]]},
        {"gaps": [[2, 1]]},
        {"fps": None},
        {"frames": [[[1, 2]]]},
        {"fps": 0},
    ],
)
def test_poses_of_another_kind_are_refused(poses: Poses3D, file: Path, change: dict[str, Any]) -> None:
    save_poses(poses, file)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(FormatError, match=r"clip.json"):
        read_poses(file)


@pytest.mark.parametrize("text", ["[]", "{}", '{"frames": 1', "3"])
def test_no_poses(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(FormatError, match=r"clip.json"):
        read_poses(file)


@pytest.mark.parametrize("name", ["{}", "cam2_{:06d}.jp2"])
def test_detections_of_alphapose_and_coco(person: People, file: Path, name: str) -> None:
    first, second = person(HALPE_26), person(HALPE_26, x=1000)
    content = [
        {"image_id": name.format(t), "category_id": 1, "keypoints": pose[t].ravel().tolist(), "score": 2.1, "idx": 1}
        for pose in (second * (1, 1, 0.5), first)
        for t in range(12)
        if t != 5
    ]
    file.write_text(json.dumps(content))
    clips = read_keypoints_file(file, fps=30)
    assert len(clips) == 2
    seen = np.arange(12) != 5
    np.testing.assert_array_equal(clips[0].xy[seen], first[seen, :, :2])
    assert not clips[0].seen[5].any()
    assert clips[0].skeleton is HALPE_26


def test_image_ids_may_be_numbers(person: People, file: Path) -> None:
    content = [{"image_id": 100 + t, "keypoints": pose.ravel().tolist()} for t, pose in enumerate(person(COCO_17))]
    file.write_text(json.dumps(content))
    assert len(read_keypoints_file(file, fps=30)[0]) == 12


def crossing(person: People, name: Callable[[int], dict[str, Any]]) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Entries of two people, 1 and 2, who meet out of sight and turn round; and the first one's pixels."""
    there_and_back = [*range(20), *reversed(range(20))]
    first, second = (person(COCO_17, frames=40, x=x, step=step)[there_and_back] for x, step in ((300, 10), (690, -10)))
    entries = [
        {"image_id": t, "keypoints": pose[t].ravel().tolist()} | name(number)
        for t in (*range(17), *range(23, 40))
        for number, pose in ((1, first), (2, second))
    ]
    return entries, first


@pytest.mark.parametrize(
    "name",
    [
        lambda number: {"idx": number},
        lambda number: {"idx": [float(number)]},
        lambda number: {"idx": [[float(number)], [float(number)]]},
        lambda number: {"track_id": number},
    ],
)
def test_the_tracker_of_the_file_says_who_is_who(person: People, file: Path, name: Callable[[int], dict]) -> None:
    entries, first = crossing(person, name)
    file.write_text(json.dumps(entries))
    clips = read_keypoints_file(file, fps=30)
    assert len(clips) == 2
    (found,) = [clip for clip in clips if np.array_equal(clip.xy[0], first[0, :, :2])]
    np.testing.assert_array_equal(found.xy[23:], first[23:, :, :2])


@pytest.mark.parametrize("id", [0, -1, [0.0], "a", None, [1, 2], 1.5])
def test_without_a_tracker_people_go_on_as_they_did(person: People, file: Path, id: Any) -> None:
    entries, first = crossing(person, lambda number: {"idx": id})
    file.write_text(json.dumps(entries))
    clips = read_keypoints_file(file, fps=30)
    assert len(clips) == 2
    (found,) = [clip for clip in clips if np.array_equal(clip.xy[0], first[0, :, :2])]
    assert not np.array_equal(found.xy[23], first[23, :, :2])


def test_a_person_hidden_for_a_fifth_of_a_second_is_one_at_any_rate(person: People, file: Path) -> None:
    pose = person(COCO_17, frames=120, step=0)
    entries = [
        {"image_id": t, "keypoints": pose[t].ravel().tolist()} for t in range(120) if t < 40 or t > 40 + 0.2 * 240
    ]
    file.write_text(json.dumps(entries))
    assert len(read_keypoints_file(file, fps=240)) == 1


def detections(person: People, names: Sequence[object]) -> str:
    """A list of one person, with an image id for each frame."""
    poses = person(COCO_17, frames=len(names))
    return json.dumps(
        [{"image_id": name, "keypoints": pose.ravel().tolist()} for name, pose in zip(names, poses, strict=True)]
    )


@pytest.mark.parametrize("name", ["session1.2_{}", "v1.2_{}.png", "{}.0", "clip/{:06d}.jp2", "a.{:04d}.mp4"])
def test_an_image_id_may_hold_dots(person: People, file: Path, name: str) -> None:
    file.write_text(detections(person, [name.format(number) for number in range(100, 106)]))
    (clip,) = read_keypoints_file(file, fps=30)
    np.testing.assert_array_equal(clip.xy, person(COCO_17, frames=6)[..., :2])


def test_an_image_id_may_be_a_whole_float(person: People, file: Path) -> None:
    file.write_text(detections(person, [7.0, 8.0, 9.0]))
    assert len(read_keypoints_file(file, fps=30)[0]) == 3


BAD_IDS = {
    "times": ([0.0, 0.033, 0.067], "got a time.* in '0.033'"),
    "times as text": (["0.000", "0.033", "0.067"], "got a time.* in '0.033'"),
    "times of pictures": (["0.000.jpg", "0.033.jpg", "0.067.jpg", "0.100.jpg"], "milliseconds"),
    "two videos": (["a/1.jpg", "a/2.jpg", "b/3.jpg"], "2 clips, such as 'a/1.jpg' and 'b/3.jpg'"),
    "every fifth": (range(0, 30, 5), "one frame in 5 of a video.*--frame-step 5,"),
    "huge": (["1.jpg", "99999999999999999999.jpg"], "up to 9007199254740992, got one of 20 digits"),
    "too large": ([1, 2**53 + 2], "up to 9007199254740992, got 9007199254740994"),
    "the same": (["frame1_cam2"] * 5, "all 5 people are in one frame and stand in the same place"),
    "far apart": ([*range(0, 100_000, 999), 1, 3], "would be a clip of 99901 frames, most of them empty"),
}


@pytest.mark.parametrize("case", BAD_IDS)
def test_image_ids_that_are_no_frame_numbers(person: People, file: Path, case: str) -> None:
    names, reason = BAD_IDS[case]
    file.write_text(detections(person, names))
    with pytest.raises(FormatError, match=reason) as caught:
        read_keypoints_file(file, fps=30)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(("step", "length"), [(5, 6), (1, 26)])
def test_the_user_says_how_frame_numbers_grow(person: People, file: Path, step: float, length: int) -> None:
    file.write_text(detections(person, range(0, 30, 5)))
    (clip,) = read_keypoints_file(file, fps=30, frame_step=step)
    assert len(clip) == length
    np.testing.assert_array_equal(clip.xy[clip.seen.any(1)], person(COCO_17, frames=6)[..., :2])


@pytest.mark.parametrize("step", [0, -5, float("nan"), float("inf")])
def test_a_frame_step_that_is_none(person: People, file: Path, step: float) -> None:
    file.write_text(detections(person, range(6)))
    with pytest.raises(ShapeError, match="--frame-step.*positive"):
        read_keypoints_file(file, fps=30, frame_step=step)


def test_a_frame_step_that_is_too_long(person: People, file: Path) -> None:
    file.write_text(detections(person, [0, 10, 12]))
    with pytest.raises(FormatError, match="from 10 to 12, by 0 frames"):
        read_keypoints_file(file, fps=30, frame_step=10)


def test_zeros_with_scores_do_not_mislead_the_tracker(
    person: People, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    array = person(COCO_17)
    array[4:7, 7:, :2] = 0
    array[..., 2] = 0.9
    entries = [{"image_id": t, "keypoints": pose.ravel().tolist()} for t, pose in enumerate(array)]
    file.write_text(json.dumps(entries))
    (clip,) = read_keypoints_file(file, fps=30)
    assert np.isnan(clip.xy[4:7, 7:]).all()
    assert clip.seen.sum() == 12 * 17 - 30
    assert [record.getMessage() for record in caplog.records if "(0, 0)" in record.getMessage()] == [
        f"{file}: 30 joints at exactly (0, 0) are taken as not seen"
    ]


def test_depths_in_a_list_are_no_scores(person: People, file: Path) -> None:
    array = person(COCO_17)
    array[..., 2] -= 0.6
    entries = [{"image_id": t, "keypoints": pose.ravel().tolist()} for t, pose in enumerate(array)]
    file.write_text(json.dumps(entries))
    (clip,) = read_keypoints_file(file, fps=30)
    assert clip.confidence is None
    np.testing.assert_array_equal(clip.xy, array[..., :2])
