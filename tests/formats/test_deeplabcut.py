"""DeepLabCut's tables."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats import read_keypoints_file
from poselift.skeleton import COCO_17

People = Callable[..., np.ndarray]


def write(file: Path, people: dict[str, np.ndarray]) -> Path:
    heads = {"scorer": [], "individuals": [], "bodyparts": [], "coords": []}
    for name in people:
        for joint in COCO_17.joints:
            heads["scorer"] += ["net"] * 3
            heads["individuals"] += [name] * 3
            heads["bodyparts"] += [joint] * 3
            heads["coords"] += ["x", "y", "likelihood"]
    rows = [[str(t), *map(str, np.stack([p[t] for p in people.values()]).ravel().tolist())] for t in range(12)]
    file.write_text("\n".join(",".join(row) for row in [*([head, *cells] for head, cells in heads.items()), *rows]))
    return file


def test_several_individuals(person: People, tmp_path: Path) -> None:
    one, two = person(COCO_17, x=300, step=20), person(COCO_17, x=520, step=-20)
    clips = read_keypoints_file(write(tmp_path / "clip.csv", {"anna": one, "ben": two}), fps=30)
    assert len(clips) == 2
    for clip in clips:
        wanted = one if clip.xy[0, 0, 0] == one[0, 0, 0] else two
        np.testing.assert_array_equal(clip.xy, wanted[..., :2])
        np.testing.assert_array_equal(clip.confidence, wanted[..., 2])


def test_a_header_is_missing(person: People, tmp_path: Path) -> None:
    file = write(tmp_path / "clip.csv", {"anna": person(COCO_17)})
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:3] + lines[4:]))
    with pytest.raises(FormatError, match="wanted DeepLabCut's lines bodyparts and coords"):
        read_keypoints_file(file, fps=30)


def test_hdf5_is_refused_with_the_way_to_csv(tmp_path: Path) -> None:
    (tmp_path / "clip.h5").write_bytes(b"\x89HDF")
    with pytest.raises(FormatError, match=r"save_as_csv=True.*read_hdf\('clip.h5'\)"):
        read_keypoints_file(tmp_path / "clip.h5")
