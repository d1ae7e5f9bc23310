"""OpenPose JSON: the real sample, and what can go wrong in a folder."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError, SkeletonError
from poselift.formats import read_keypoints_file
from poselift.skeleton import BODY_25, BODY_25B, COCO_17, HALPE_26, SKELETONS, Skeleton

People = Callable[..., np.ndarray]


def write_folder(folder: Path, *people: np.ndarray, name: str = "clip_{:012d}_keypoints.json", step: int = 1) -> Path:
    folder.mkdir(exist_ok=True)
    for frame in range(len(people[0])):
        found = [{"pose_keypoints_2d": person[frame].ravel().tolist()} for person in people]
        (folder / name.format(frame * step)).write_text(json.dumps({"version": 1.3, "people": found}))
    return folder


@pytest.mark.shared
def test_the_real_sample_is_body_25b(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="poselift"):
        person, passer_by = read_keypoints_file(shared / "data" / "openpose_cam01", fps=60)
    assert person.skeleton is BODY_25B
    assert "BODY_25B" in caplog.text
    assert (person.xy.shape, person.fps) == ((100, 25, 2), 60)
    with np.load(shared / "data" / "pose2sim_cams_1_3.npz") as archive:
        expected = archive["kp2d_body25b"][0]
    same = (np.isclose(person.xy, expected[..., :2], atol=0.01).all(-1) | ~person.seen).all(1)
    # In frame 37 the detector cut the person in two; the reference took the passer-by there.
    assert np.flatnonzero(~same).tolist() == [37]
    nose = person.xy[:, BODY_25B.index("nose")]
    assert np.isnan(nose[4]).all(), "the detector threw it to x = 0"
    assert np.nanmax(np.abs(np.diff(nose, axis=0))) < 25
    assert passer_by.seen.mean() > 0.8


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_each_model_is_told(person: People, tmp_path: Path, skeleton: Skeleton) -> None:
    array = person(skeleton)
    (clip,) = read_keypoints_file(write_folder(tmp_path, array), fps=30)
    assert clip.skeleton is skeleton
    np.testing.assert_array_equal(clip.xy, array[..., :2])
    np.testing.assert_array_equal(clip.confidence, array[..., 2])


def test_several_people_come_longest_first(person: People, tmp_path: Path) -> None:
    brief, long = person(BODY_25, x=1200, frames=12), person(BODY_25, x=300, frames=12)
    brief[:6] = 0
    first, second = read_keypoints_file(write_folder(tmp_path, brief, long), fps=30)
    np.testing.assert_array_equal(first.xy, long[..., :2])
    np.testing.assert_array_equal(second.xy[6:], brief[6:, :, :2])
    assert not second.seen[:6].any()


@pytest.mark.parametrize("ids", [((1, 2), (2, 1)), ((-1, -1), (-1, -1)), ((None, None), (None, None))])
def test_person_id_says_who_is_who(person: People, tmp_path: Path, ids: tuple) -> None:
    """Two people pass each other while they are out of sight: ids are believed, even against what the motion says."""
    right, left = person(BODY_25, frames=40, x=300, step=10), person(BODY_25, frames=40, x=690, step=-10)
    for file, t in zip(sorted(write_folder(tmp_path, right, left).iterdir()), range(40), strict=True):
        content = json.loads(file.read_text())
        for shown, id in zip(content["people"], ids[t >= 20], strict=True):
            shown |= {} if id is None else {"person_id": [id]}
        if 17 <= t < 23:
            content["people"] = []
        file.write_text(json.dumps(content))
    clips = read_keypoints_file(tmp_path, fps=30)
    assert len(clips) == 2
    (found,) = [clip for clip in clips if np.array_equal(clip.xy[0], right[0, :, :2])]
    exchanged = ids[0] != ids[1]
    np.testing.assert_array_equal(found.xy[23:], (left if exchanged else right)[23:, :, :2])


def test_zero_is_unseen(person: People, tmp_path: Path) -> None:
    array = person(BODY_25)
    array[3, 4] = 0
    (clip,) = read_keypoints_file(write_folder(tmp_path, array), fps=30)
    assert not clip.seen[3, 4]
    assert np.isnan(clip.xy[3, 4]).all()
    assert clip.seen.sum() == array[..., 0].size - 1


def test_frames_are_ordered_by_number_and_gaps_are_unseen(person: People, tmp_path: Path) -> None:
    array = person(BODY_25, frames=12)
    folder = write_folder(tmp_path, array, name="cam1.{}.json")
    (folder / "cam1.5.json").unlink()
    (clip,) = read_keypoints_file(folder, fps=30)
    assert len(clip) == 12
    assert np.flatnonzero(~clip.seen.any(1)).tolist() == [5]
    np.testing.assert_array_equal(clip.xy[10], array[10, :, :2])


def test_an_absurd_gap_is_an_error(person: People, tmp_path: Path) -> None:
    folder = write_folder(tmp_path, person(BODY_25, frames=2), step=5000)
    with pytest.raises(FormatError, match="jump from 0 to 5000, by 5000 frames.*--frame-step"):
        read_keypoints_file(folder, fps=30)


def test_one_file_is_a_clip_of_one_frame_for_each_person(person: People, tmp_path: Path) -> None:
    left, right = person(BODY_25, frames=1), person(BODY_25, frames=1, x=900)
    folder = write_folder(tmp_path, left, right)
    clips = read_keypoints_file(folder / "clip_000000000000_keypoints.json")
    assert [len(clip) for clip in clips] == [1, 1]
    assert {float(clip.xy[0, 0, 0]) for clip in clips} == {float(left[0, 0, 0]), float(right[0, 0, 0])}
    assert len(read_keypoints_file(folder)) == 2


def test_other_joint_counts_are_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SkeletonError, match=r"21 joints fit no skeleton.*BODY_25 \(25\)"):
        read_keypoints_file(write_folder(tmp_path, np.full((3, 21, 3), 200.0)), fps=30)


def test_what_cannot_be_told_names_the_candidates(person: People, tmp_path: Path) -> None:
    array = person(BODY_25)
    array[:, 7:] = 0
    with pytest.raises(SkeletonError, match=r"BODY_25, BODY_25B.*--skeleton"):
        read_keypoints_file(write_folder(tmp_path, array), fps=30)
    (clip,) = read_keypoints_file(tmp_path, fps=30, skeleton="body-25")
    assert clip.skeleton is BODY_25


def test_the_user_overrides_with_a_warning(person: People, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (clip,) = read_keypoints_file(write_folder(tmp_path, person(BODY_25)), fps=30, skeleton=BODY_25B)
    assert clip.skeleton is BODY_25B
    assert "look like BODY_25;" in caplog.text
    with pytest.raises(SkeletonError, match="HALPE_26 has 26 joints, the keypoints have 25"):
        read_keypoints_file(tmp_path, fps=30, skeleton=HALPE_26)
    with pytest.raises(SkeletonError, match="did you mean"):
        read_keypoints_file(tmp_path, fps=30, skeleton="BODY_26")


def test_frame_rate_must_be_given(person: People, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="--fps"):
        read_keypoints_file(write_folder(tmp_path, person(BODY_25)))


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1e-4, 1e9])
def test_an_absurd_frame_rate_is_refused(person: People, tmp_path: Path, fps: float) -> None:
    with pytest.raises(ValueError, match="frame rate from"):
        read_keypoints_file(write_folder(tmp_path, person(BODY_25)), fps=fps)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no .json files"):
        read_keypoints_file(tmp_path)


def test_nobody_in_any_frame(tmp_path: Path) -> None:
    for frame in range(3):
        (tmp_path / f"{frame}_keypoints.json").write_text('{"people": []}')
    with pytest.raises(FormatError, match="nobody is seen in any of 3 frames"):
        read_keypoints_file(tmp_path, fps=30)


BROKEN = {
    "truncated": ('{"people": [{"pose_keypoints_2d": [1, 2', "broken JSON"),
    "empty": ("", "broken JSON"),
    "people": ('{"people": {"a": 1}}', "not OpenPose"),
    "person": ('{"people": [3]}', "not OpenPose"),
    "text": ('{"people": [{"pose_keypoints_2d": ["a", 2, 3]}]}', "wanted numbers"),
    "dict": ('{"people": [{"pose_keypoints_2d": {"a": 2}}]}', "wanted numbers"),
    "nested": ('{"people": [{"pose_keypoints_2d": [[1, 2, 3, 4]]}]}', "of each joint"),
    "nameless": ('{"people": [{"face_keypoints_2d": [1, 2, 3]}]}', "wanted a person's joints under 'keypoints', got"),
    "ragged": ('{"people": [{"pose_keypoints_2d": [1, 2, 3, 4]}]}', "of each joint"),
    "uneven": (
        '{"people": [{"pose_keypoints_2d": [1,2,1]}, {"pose_keypoints_2d": [1,2,1,1,2,1]}]}',
        "numbers of joints",
    ),
    "huge": ('{"people": [{"pose_keypoints_2d": [1e999, 2, 1]}]}', "infinite|numbers of joints|joints"),
    "deep": ("[" * 100_000, "nested too deeply|broken JSON"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_named(person: People, tmp_path: Path, case: str) -> None:
    content, reason = BROKEN[case]
    folder = write_folder(tmp_path / "clip", person(BODY_25, frames=4))
    (folder / "clip_000000000002_keypoints.json").write_text(content)
    with pytest.raises(FormatError, match=reason) as caught:
        read_keypoints_file(folder, fps=30)
    assert str(folder) in str(caught.value)


def test_infinite_coordinates(person: People, tmp_path: Path) -> None:
    array = person(BODY_25)
    array[2, 3, 0] = np.inf
    with pytest.raises(FormatError, match="infinite"):
        read_keypoints_file(write_folder(tmp_path, array), fps=30)


def test_joint_counts_that_change(person: People, tmp_path: Path) -> None:
    write_folder(tmp_path, person(BODY_25, frames=3))
    write_folder(tmp_path, person(COCO_17, frames=1), name="clip_{:01d}00_keypoints.json")
    (tmp_path / "clip_000_keypoints.json").rename(tmp_path / "clip_7_keypoints.json")
    with pytest.raises(FormatError, match="17 and 25 joints"):
        read_keypoints_file(tmp_path, fps=30)


def test_two_cameras_in_one_folder(person: People, tmp_path: Path) -> None:
    write_folder(tmp_path, person(BODY_25), name="a_{}_keypoints.json")
    write_folder(tmp_path, person(BODY_25), name="b_{}_keypoints.json")
    with pytest.raises(
        FormatError, match="'a_0_keypoints' and 'b_0_keypoints'; put each camera and each take into its own folder"
    ):
        read_keypoints_file(tmp_path, fps=30)


def test_two_takes_in_one_folder(person: People, tmp_path: Path) -> None:
    """Their numbers do not meet, so that they could pass for one clip."""
    write_folder(tmp_path, person(BODY_25, frames=3), name="take1_{:06d}_keypoints.json")
    for number, file in enumerate(sorted(write_folder(tmp_path / "b", person(BODY_25, frames=3)).iterdir()), 3):
        file.rename(tmp_path / f"take2_{number:06d}_keypoints.json")
    with pytest.raises(FormatError, match="2 clips, such as 'take1_000000_keypoints' and 'take2_000003_keypoints'"):
        read_keypoints_file(tmp_path, fps=30)


@pytest.mark.parametrize("name", ["clip_{:012d}_keypoints.json", "{:06d}.json"])
def test_strays_are_left_out(person: People, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    array = person(BODY_25, frames=4)
    folder = write_folder(tmp_path, array, name=name)
    (folder / f"._{name.format(1)}").write_bytes(b"\x00\x05\x16\x07\xff")
    for stray in ("settings.json", "camera_1.json"):
        (folder / stray).write_text('{"model_pose": "BODY_25"}')
    (folder / "empty.json").write_text("")
    (clip,) = read_keypoints_file(folder, fps=30)
    np.testing.assert_array_equal(clip.xy, array[..., :2])
    assert ("settings.json" in caplog.text) == ("keypoints" not in name)
    assert "._" not in caplog.text


@pytest.mark.parametrize("content", ["", '{"people": [{"pose_keypoints_2d": [1, 2'])
def test_the_last_file_may_be_cut_off(
    person: People, tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    array = person(BODY_25, frames=4)
    folder = write_folder(tmp_path, array)
    (folder / "clip_000000000003_keypoints.json").write_text(content)
    (clip,) = read_keypoints_file(folder, fps=30)
    assert len(clip) == 4
    np.testing.assert_array_equal(clip.xy[:3], array[:3, :, :2])
    assert not clip.seen[3].any()
    assert "cut off: clip_000000000003_keypoints.json" in " ".join(caplog.text.split())


def test_few_files_may_be_cut_off(person: People, tmp_path: Path) -> None:
    folder = write_folder(tmp_path, person(BODY_25, frames=30))
    (folder / "clip_000000000007_keypoints.json").write_text("")
    (clip,) = read_keypoints_file(folder, fps=30)
    assert np.flatnonzero(~clip.seen.any(1)).tolist() == [7]
    for number in (9, 11):
        (folder / f"clip_{number:012d}_keypoints.json").write_text("")
    with pytest.raises(FormatError, match="clip_000000000007_keypoints.json is broken JSON"):
        read_keypoints_file(folder, fps=30)


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    for frame in range(3):
        (tmp_path / f"{frame}.json").write_text('{"frames": []}')
    with pytest.raises(FormatError, match="not OpenPose"):
        read_keypoints_file(tmp_path, fps=30)


def test_file_names_that_hold_times(person: People, tmp_path: Path) -> None:
    array = person(BODY_25, frames=40)
    for file in sorted(write_folder(tmp_path, array).iterdir()):
        number = round(int(file.name[5:17]) * 1000 / 30)
        file.rename(tmp_path / f"img_{number:06d}.json")
    with pytest.raises(FormatError, match=r"milliseconds \((29\.9|30).* frames per second\).*--frame-step 33.3"):
        read_keypoints_file(tmp_path, fps=30)
    (tmp_path / "img_000667.json").unlink()
    (clip,) = read_keypoints_file(tmp_path, fps=30, frame_step=33.4)
    assert np.flatnonzero(~clip.seen.any(1)).tolist() == [20]
    np.testing.assert_array_equal(clip.xy[21:], array[21:, :, :2])


def test_names_without_numbers(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text('{"people": []}')
    with pytest.raises(FormatError, match="wanted a whole number in the name of each frame, got none, in .one."):
        read_keypoints_file(tmp_path, fps=30)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match="not text"):
        read_keypoints_file(tmp_path, fps=30)
