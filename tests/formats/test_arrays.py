"""Arrays without names."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError, UntrustedPickle
from poselift.formats import read_keypoints_file
from poselift.skeleton import COCO_17, HALPE_26

People = Callable[..., np.ndarray]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clip.npy"


def test_one_frame(person: People, file: Path) -> None:
    array = person(HALPE_26)[0]
    np.save(file, array)
    (clip,) = read_keypoints_file(file)
    np.testing.assert_array_equal(clip.xy, array[None, :, :2])


@pytest.mark.parametrize("numbers", [2, 3])
def test_flat_rows_in_fortran_order(person: People, file: Path, numbers: int) -> None:
    array = person(COCO_17)[..., :numbers]
    np.save(file, np.asfortranarray(array.reshape(12, -1)))
    (clip,) = read_keypoints_file(file, fps=30)
    np.testing.assert_array_equal(clip.xy, array[..., :2])
    assert (clip.confidence is None) == (numbers == 2)


def test_the_array_that_is_taken_is_said(person: People, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    array = person(COCO_17)
    np.savez(tmp_path / "a.npz", kpts=array, names=np.array(["a"]), boxes=np.zeros((12, 4)))
    with caplog.at_level(logging.INFO, logger="poselift"):
        (clip,) = read_keypoints_file(tmp_path / "a.npz", fps=30)
    np.testing.assert_array_equal(clip.xy, array[..., :2])
    assert "the array 'kpts' of shape (12, 17, 3) is taken as keypoints" in caplog.text


def test_two_arrays_that_can_be_keypoints(person: People, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", left=person(COCO_17), right=person(COCO_17))
    with pytest.raises(FormatError, match="each of left, right can be keypoints; save the right one as 'keypoints'"):
        read_keypoints_file(tmp_path / "a.npz", fps=30)


@pytest.mark.parametrize("values", [np.zeros((0, 17, 2)), np.zeros(3), np.array([["a", "b"]]), np.zeros((4, 5, 6, 7))])
def test_arrays_that_are_no_keypoints(file: Path, values: np.ndarray) -> None:
    np.save(file, values)
    with pytest.raises(FormatError, match="wanted an array 'xy'.*it holds clip.npy"):
        read_keypoints_file(file, fps=30)


def test_pickles_are_not_opened(file: Path) -> None:
    np.save(file, np.array({"a": 1}, object))
    with pytest.raises(UntrustedPickle, match="not opened"):
        read_keypoints_file(file)


@pytest.mark.parametrize("end", [0, 5, 30, -1])
def test_a_broken_file_is_named(person: People, file: Path, end: int) -> None:
    np.save(file, person(COCO_17))
    file.write_bytes(file.read_bytes()[:end])
    with pytest.raises(FormatError, match=r"clip\.npy"):
        read_keypoints_file(file, fps=30)


def test_a_shape_that_is_not_there_takes_no_memory(person: People, file: Path) -> None:
    np.save(file, person(COCO_17))
    file.write_bytes(file.read_bytes().replace(b"(12, 17, 3)", b"(9999999999999, 17, 3)"[:11].ljust(11)))
    with pytest.raises(FormatError, match=r"clip\.npy"):
        read_keypoints_file(file, fps=30)
