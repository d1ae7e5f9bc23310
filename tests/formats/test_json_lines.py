"""Files with one JSON value a line."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats import read_keypoints_file
from poselift.skeleton import COCO_17

People = Callable[..., np.ndarray]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.json"])
def test_a_value_a_line(person: People, tmp_path: Path, name: str) -> None:
    array = person(COCO_17)
    lines = [json.dumps({"frame_id": t, "instances": [{"keypoints": pose.tolist()}]}) for t, pose in enumerate(array)]
    (tmp_path / name).write_text("\n".join(lines) + "\n\n")
    (clip,) = read_keypoints_file(tmp_path / name, fps=30)
    np.testing.assert_array_equal(clip.xy, array[..., :2])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"a": 1}\n{"b": \n', "line 2: wanted one JSON value a line"),
        ("a.json", '{"a": 1}\n{"b": 2}\n{"c"', "line 3: wanted one JSON value a line"),
        ("a.json", '{"a": 1}\n{"b"', "broken JSON"),
        ("a.json", "{\n[1, 2", "broken JSON"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match=message):
        read_keypoints_file(tmp_path / name, fps=30)
