"""Which axis of an array is that of people."""

from collections.abc import Callable

import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats.axes import one_person, people_are_first
from poselift.skeleton import COCO_17

People = Callable[..., np.ndarray]


@pytest.fixture
def two(person: People) -> np.ndarray:
    """(2, 12, 17, 2) keypoints of two people."""
    return np.stack([person(COCO_17)[..., :2], person(COCO_17, x=600)[..., :2]])


@pytest.mark.parametrize("unseen", [False, True])
def test_people_are_far_apart_and_frames_are_not(two: np.ndarray, unseen: bool) -> None:
    if unseen:
        two[np.random.default_rng(0).random(two.shape[:3]) < 0.4] = np.nan
    assert people_are_first(two, "clip")
    assert not people_are_first(two.swapaxes(0, 1), "clip")


@pytest.mark.parametrize("frames", [2, 12])
def test_one_person(two: np.ndarray, frames: int) -> None:
    assert people_are_first(two[:1, :frames], "clip")
    assert not people_are_first(two[:1, :frames].swapaxes(0, 1), "clip")


def test_people_of_one_frame(two: np.ndarray) -> None:
    assert people_are_first(two[:, :1], "clip")
    assert not people_are_first(two[:, :1].swapaxes(0, 1), "clip")
    assert people_are_first(two[:1, :1], "clip")


def test_a_person_who_is_never_seen(two: np.ndarray) -> None:
    two[1] = np.nan
    assert people_are_first(two, "clip")
    assert not people_are_first(two.swapaxes(0, 1), "clip")


def test_what_does_not_show_is_refused(two: np.ndarray) -> None:
    close = np.stack([two[0], two[0] + (1, 0)])
    for array in (close, two[:, :1] * (0.4, 1), two * np.nan, 0 * two):
        with pytest.raises(FormatError, match="2 people of .* frames? or 2 frames of .* people"):
            people_are_first(array, "clip")


def test_one_person_again_and_again(two: np.ndarray, person: People) -> None:
    assert one_person(two[0])
    assert not one_person(two[0, :2])
    assert not one_person(np.concatenate([person(COCO_17, frames=1, x=x) for x in (0, 200, 400, 600)]))
