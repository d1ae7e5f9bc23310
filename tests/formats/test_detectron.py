"""Archives of VideoPose3D and Detectron: arrays are taken out of them, and nothing in them is run."""

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError, UntrustedPickle
from poselift.formats import read_keypoints_file
from poselift.skeleton import COCO_17

People = Callable[..., np.ndarray]


def videopose(file: Path, positions: dict) -> Path:
    np.savez(file, positions_2d=np.array(positions, object), metadata=np.array({"layout_name": "coco"}, object))
    return file


def test_several_clips_are_named(person: People, tmp_path: Path) -> None:
    array = person(COCO_17)[..., :2]
    file = videopose(tmp_path / "a.npz", {"S1": {"Walking": [array, array]}, "S5": {"Eating": [array]}})
    with pytest.raises(FormatError, match=r"holds 3 clips \(S1/Walking, camera 0, .*S5/Eating\).*poselift evaluate"):
        read_keypoints_file(file, fps=50)


@pytest.mark.parametrize("positions", [{}, {"a": {"custom": ["text"]}}, {"a": {"custom": [{}]}}, {"a": None}])
def test_broken_positions_are_named(tmp_path: Path, positions: dict) -> None:
    with pytest.raises(FormatError, match=r"a\.npz"):
        read_keypoints_file(videopose(tmp_path / "a.npz", positions), fps=50)


def test_people_and_empty_frames_of_detectron(person: People, tmp_path: Path) -> None:
    one, two = person(COCO_17), person(COCO_17, x=900)
    keypoints, boxes = np.empty((12, 2), object), np.empty((12, 2), object)
    for t in range(12):
        found = [np.stack([p[t, :, 0], p[t, :, 1], np.zeros(17), p[t, :, 2]]) for p in (two, one)]
        keypoints[t] = [], (np.array(found, np.float32) if t != 5 else [])
        boxes[t] = [], np.ones((2, 5), np.float32)
    np.savez(tmp_path / "a.npz", boxes=boxes, keypoints=keypoints, metadata=np.array({"w": 1920, "h": 1080}, object))
    clips = read_keypoints_file(tmp_path / "a.npz", fps=30)
    assert [clip.image_size for clip in clips] == [(1920, 1080)] * 2
    for clip in clips:
        wanted = one if clip.xy[0, 0, 0] == one[0, 0, 0] else two
        assert not clip.seen[5].any()
        np.testing.assert_array_equal(np.delete(clip.xy, 5, 0), np.delete(wanted[..., :2], 5, 0))
        np.testing.assert_allclose(clip.confidence[0], wanted[0, :, 2])


class _Harm:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_a_pickle_that_does_more_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "|O", "fortran_order": False, "shape": ()})
    member.write(pickle.dumps(np.array({"a": {"custom": [_Harm()]}}, object)))
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("positions_2d.npy", member.getvalue())
    with pytest.raises(UntrustedPickle, match="nothing was run"):
        read_keypoints_file("a.npz", fps=30)
    assert not Path("harm").exists()


def test_other_archives_of_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", clips=np.array({"a": np.zeros(3)}, object))
    with pytest.raises(UntrustedPickle, match="not opened.*only those of VideoPose3D"):
        read_keypoints_file(tmp_path / "a.npz", fps=30)
