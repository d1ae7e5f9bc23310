"""Ultralytics' label files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats import read_keypoints_file
from poselift.skeleton import COCO_17

People = Callable[..., np.ndarray]
SIZE = (1920, 1080)


def line(pose: np.ndarray, *after: object) -> str:
    cells = (pose * (1 / SIZE[0], 1 / SIZE[1], 1)[: pose.shape[1]]).ravel().tolist()
    return " ".join(map(str, [0, 0.5, 0.5, 0.2, 0.6, *cells, *after]))


def write(folder: Path, *people: np.ndarray, after: Callable[[int], tuple[object, ...]] = lambda _: ()) -> Path:
    for t in range(len(people[0])):
        lines = [line(person[t], *after(number)) for number, person in enumerate(people, 1)]
        (folder / f"clip_{t + 1}.txt").write_text("\n".join(lines if t % 2 else lines[::-1]))
    (folder / "classes.txt").write_text("person\n")
    return folder


@pytest.mark.parametrize("after", [lambda n: (n,), lambda n: (0.9, n)])
def test_track_ids_say_who_is_who(person: People, tmp_path: Path, after: Callable[[int], tuple[object, ...]]) -> None:
    one, two = person(COCO_17, x=300, step=20), person(COCO_17, x=520, step=-20)
    clips = read_keypoints_file(write(tmp_path, one, two, after=after), fps=30, image_size=SIZE)
    assert len(clips) == 2
    for clip in clips:
        wanted = one if abs(clip.xy[0, 0, 0] - one[0, 0, 0]) < 1 else two
        np.testing.assert_allclose(clip.xy, wanted[..., :2], atol=1e-3)


def test_labels_for_training_have_flags(person: People, tmp_path: Path) -> None:
    pose = person(COCO_17)
    pose[..., 2] = 2
    pose[3, 4, 2], pose[3, 5, 2] = 0, 1
    (clip,) = read_keypoints_file(write(tmp_path, pose), fps=30, image_size=SIZE)
    assert np.argwhere(~clip.seen).tolist() == [[3, 4]]
    assert set(clip.confidence[clip.seen]) == {1.0}


def test_without_visibility_and_one_file(person: People, tmp_path: Path) -> None:
    pose = person(COCO_17)[..., :2]
    write(tmp_path, pose)
    (clip,) = read_keypoints_file(tmp_path / "clip_3.txt", image_size=SIZE)
    np.testing.assert_allclose(clip.xy, pose[2:3], atol=1e-3)


def test_the_size_of_the_picture_is_asked_for(person: People, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="--image-size"):
        read_keypoints_file(write(tmp_path, person(COCO_17)), fps=30)


@pytest.mark.parametrize("text", ["0 0.5 0.5 0.2", "0 0.5 0.5 0.2 0.6 0.1 0.2", "a b c d e f", "0 9 9 9 9 9 9 9"])
def test_a_broken_label_is_named(person: People, tmp_path: Path, text: str) -> None:
    write(tmp_path, person(COCO_17))
    (tmp_path / "clip_4.txt").write_text(text)
    with pytest.raises(FormatError, match=r"clip_4\.txt, line 1: wanted"):
        read_keypoints_file(tmp_path, fps=30, image_size=SIZE)
