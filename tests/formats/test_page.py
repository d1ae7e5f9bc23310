"""docs/keypoint_files.md: each of its examples is written to a file and read, to the same person every time."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import poselift as pl
from poselift.formats import KEYPOINT_READERS, read_keypoints_file
from poselift.formats.layouts import LAYOUTS
from poselift.sequence import Keypoints2D
from poselift.skeleton import SKELETONS

PAGE = Path(__file__).parents[2] / "docs" / "keypoint_files.md"
if not PAGE.is_file():
    pytest.skip("not a checkout", allow_module_level=True)

# Pixels of the person of the page; the left hand is on the right side of the picture.
PERSON = {
    "nose": (320, 110), "left_eye": (326, 104), "right_eye": (314, 104), "left_ear": (334, 107),
    "right_ear": (306, 107), "left_shoulder": (350, 160), "right_shoulder": (290, 160), "left_elbow": (365, 215),
    "right_elbow": (276, 216), "left_wrist": (372, 268), "right_wrist": (270, 266), "left_hip": (338, 260),
    "right_hip": (302, 260), "left_knee": (342, 335), "right_knee": (300, 337), "left_ankle": (345, 410),
    "right_ankle": (298, 408), "neck": (320, 160), "thorax": (320, 160), "upper_neck": (320, 135), "pelvis": (320, 260),
    "spine": (320, 210), "head_top": (320, 75), "left_mouth": (325, 116), "right_mouth": (315, 116),
} | {
    f"{side}_{part}": (x + sign * dx, y + dy)
    for side, sign, (x, y), (ax, ay), (ex, ey) in (
        ("left", 1, (372, 268), (345, 410), (326, 104)), ("right", -1, (270, 266), (298, 408), (314, 104)),
    )
    for part, x, y, dx, dy in (
        ("pinky", x, y, 6, 16), ("index", x, y, 3, 18), ("thumb", x, y, -4, 10), ("heel", ax, ay, 0, 12),
        ("foot_index", ax, ay, 8, 18), ("big_toe", ax, ay, 8, 18), ("small_toe", ax, ay, 14, 16),
        ("eye_inner", ex, ey, -2, 0), ("eye_outer", ex, ey, 3, 0),
    )
}  # fmt: skip
LIMBS = {f"{side}_{j}" for side in ("left", "right") for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")}


def examples() -> Iterator[Any]:
    """(language, file, options, text) of each example: a block whose first line names a file."""
    for info, text in re.findall(r"^```(\w+ \S.*?)\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        language, file, *options = shlex.split(info)
        yield pytest.param(language, file, options, text, id=file)


def person(order: str) -> np.ndarray:
    """(J, 2) pixels."""
    return np.array([PERSON[joint] for joint in SKELETONS[order].joints])


def assert_is_person(clip: Keypoints2D) -> None:
    """Every joint that was seen is where it is in the person, and all limbs were seen."""
    for joint, xy, seen in zip(clip.skeleton.joints, clip.xy[-1], clip.seen[-1], strict=True):
        if seen:
            np.testing.assert_allclose(xy, PERSON[joint], atol=0.05, err_msg=joint)
    assert LIMBS <= {joint for joint, seen in zip(clip.skeleton.joints, clip.seen[-1], strict=True) if seen}
    scores = np.ones(1) if clip.confidence is None else np.unique(clip.confidence[clip.seen].round(3))
    assert scores.tolist() in ([1.0], [pytest.approx(0.9)])


def test_another_person_is_noticed() -> None:
    exchanged = person("COCO_17")[list(pl.COCO_17.flipped)]
    with pytest.raises(AssertionError, match="left_eye"):
        assert_is_person(Keypoints2D(exchanged[None], None, pl.COCO_17, 30))


@pytest.mark.parametrize(("language", "file", "options", "text"), [*examples()])
def test_each_example_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, file: str, options: list[str], text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(file)
    path.parent.mkdir(exist_ok=True)
    if language == "python":
        names = {"np": np, "pl": pl, "json": json, "Path": Path, "person": person}
        exec(text, names)  # the page is ours
    else:
        path.write_text(text, encoding="utf-8")
    wanted: dict[str, Any] = {}
    if options:
        assert options[0] == "--image-size"
        wanted["image_size"] = (int(options[1]), int(options[2]))
    (clip,) = read_keypoints_file(path if path.parent == Path() else path.parent, **wanted)
    assert_is_person(clip)


def test_every_ending_layout_and_joint_order_is_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    files = [example.values[1] for example in examples()]
    assert set(KEYPOINT_READERS) - {".tsv", ".txt", ".ndjson"} <= {Path(file).suffix for file in files}
    assert all(name in page for name in SKELETONS)
    assert len(LAYOUTS) <= sum(file.endswith(".json") for file in files)
