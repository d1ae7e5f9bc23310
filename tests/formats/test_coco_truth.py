"""Ground truth laid out like COCO's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats import read_keypoints_file
from poselift.skeleton import COCO_17

People = Callable[..., np.ndarray]


def truth(pose: np.ndarray) -> dict[str, Any]:
    images = [{"id": "b", "file_name": "a_2.jpg", "width": 64, "height": 48}, {"id": "a", "file_name": "a_1.jpg"}]
    flags = np.concatenate([pose[..., :2], np.full((*pose.shape[:2], 1), 2.0)], -1)
    found = [{"id": n, "image_id": id, "keypoints": flags[n].ravel().tolist()} for n, id in enumerate("ab")]
    return {"images": images, "annotations": found, "categories": [{"id": 1}]}


def read(tmp_path: Path, content: Any) -> Any:
    (tmp_path / "a.json").write_text(json.dumps(content))
    return read_keypoints_file(tmp_path / "a.json", fps=30)


def test_flags_and_the_order_of_the_pictures(person: People, tmp_path: Path) -> None:
    pose = person(COCO_17, frames=2)
    content = truth(pose)
    content["annotations"][1]["keypoints"][2::3] = [0, 1, *[2] * 15]
    (clip,) = read(tmp_path, content)
    assert np.argwhere(~clip.seen).tolist() == [[1, 0]]
    np.testing.assert_array_equal(clip.xy[0], pose[0, :, :2])
    assert set(clip.confidence[clip.seen]) == {1.0}
    assert clip.image_size is None, "the pictures do not agree on it"


def test_the_names_of_joints_say_their_order(person: People, tmp_path: Path) -> None:
    pose = person(COCO_17, frames=2)
    content = truth(pose[:, ::-1])
    content["categories"] = [{"id": 1, "name": "person", "keypoints": [*COCO_17.joints[::-1]]}]
    (clip,) = read(tmp_path, content)
    np.testing.assert_array_equal(clip.xy, pose[..., :2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": "c"}, "annotation 0: there is no image 'c'"),
        ({"image_id": [1]}, "annotation 0: there is no image"),
        ({"keypoints": [1, 2]}, "annotation 0: wanted x, y, v of each joint"),
        ({"keypoints": [1, 2, 2]}, "17 and 1 joints|1 and 17 joints"),
    ],
)
def test_broken_annotations_are_named(person: People, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    content = truth(person(COCO_17, frames=2))
    content["annotations"][0] |= change
    with pytest.raises(FormatError, match=message):
        read(tmp_path, content)
