"""The body is taken out of joints of body, face and hands."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import SkeletonError
from poselift.formats import read_keypoints_file
from poselift.formats.whole_body import WHOLE_BODIES, take_body
from poselift.skeleton import COCO_23, HALPE_26, Skeleton

People = Callable[..., np.ndarray]


@pytest.mark.parametrize("joints", WHOLE_BODIES)
def test_the_body_is_taken_and_this_is_said(person: People, tmp_path: Path, caplog, joints: int) -> None:
    whole = WHOLE_BODIES[joints]
    array = np.full((12, joints, 3), (300.0, 250.0, 0.5), np.float32)
    array[:, whole.places] = person(whole.body)
    np.save(tmp_path / "a.npy", array)
    with caplog.at_level(logging.INFO, logger="poselift"):
        (clip,) = read_keypoints_file(tmp_path / "a.npy", fps=30)
    assert clip.skeleton is whole.body
    np.testing.assert_array_equal(clip.xy, person(whole.body)[..., :2])
    assert f"its body is taken as {whole.body.name}, without face and hands" in caplog.text


def test_another_order_of_as_many_joints_is_noticed(person: People, tmp_path: Path) -> None:
    shuffled = np.random.default_rng(1).permutation(23)
    array = np.concatenate([person(COCO_23)[:, shuffled], np.ones((12, 110, 3), np.float32)], axis=1)
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(SkeletonError, match="said to be in the order of COCO_23"):
        read_keypoints_file(tmp_path / "a.npy", fps=30)


def test_the_users_word_counts(person: People, tmp_path: Path) -> None:
    array = np.concatenate([person(HALPE_26), np.ones((12, 110, 3), np.float32)], axis=1)
    own = Skeleton("mine", tuple(f"joint_{n}" for n in range(136)), (-1, *range(135)))
    assert take_body([array], "clip", own)[1] is None
    np.save(tmp_path / "a.npy", array)
    assert read_keypoints_file(tmp_path / "a.npy", fps=30, skeleton=own)[0].skeleton is own
    assert read_keypoints_file(tmp_path / "a.npy", fps=30, skeleton="HALPE_26")[0].skeleton is HALPE_26
    with pytest.raises(SkeletonError, match="COCO_17 has 17 joints, the keypoints have 26"):
        read_keypoints_file(tmp_path / "a.npy", fps=30, skeleton="COCO_17")
