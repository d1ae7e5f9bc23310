from dataclasses import replace

import numpy as np
import pytest

from poselift.errors import ShapeError
from poselift.refine.bones import bone_lengths, stature
from poselift.refine.scale import ADULT_M, heights_of, sized
from poselift.skeleton import BODY_27
from tests.refine.stage import camera_at, seen, walking

POSES = seen(*walking(seconds=1), camera_at()).poses


def test_heights_are_one_for_all_or_one_for_each():
    assert heights_of(None, 2) == [None, None]
    assert heights_of(1.8, 2) == [1.8, 1.8]
    assert heights_of([1.8, None], 2) == [1.8, None]
    assert heights_of(np.float32(1.5), 1) == [1.5]
    assert heights_of(np.array([1.5, 2.0]), 2) == [1.5, 2.0]
    for wrong in ([1.8], [1.8, 1.7, 1.6]):
        with pytest.raises(ShapeError, match="--height"):
            heights_of(wrong, 2)


@pytest.mark.parametrize(("height", "expected"), [(1.5, 1.5), (1.95, 1.95), (None, ADULT_M)])
def test_people_get_the_height_given_or_an_adult_s_mean(height, expected):
    poses, report = sized(replace(POSES, person=3), height)
    assert stature(bone_lengths(poses), BODY_27) == pytest.approx(expected, rel=0.01)
    assert bool(report.warnings) == (height is None)
    if height is None:
        assert "of person 3" in report.warnings[0]
        assert "--height" in report.warnings[0]
