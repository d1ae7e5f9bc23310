from dataclasses import replace

import numpy as np
import pytest

from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.errors import ShapeError
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, HUMANEVA_15


@pytest.fixture
def clip() -> BenchmarkClip:
    keypoints = Keypoints2D(np.zeros((4, 17, 2)), None, COCO_17, 60)
    xyz = np.ones((4, 15, 3), np.float32)
    return BenchmarkClip("S1", "Jog", "Jog 1", "C1", keypoints, xyz, HUMANEVA_15, np.ones(4, bool))


def test_lengths(clip):
    assert len(clip) == 4
    assert len(BenchmarkSet("HumanEva-I", [clip, clip])) == 2
    assert BenchmarkSet("HumanEva-I", []).notes == {}


@pytest.mark.parametrize(
    "change", [{"xyz": np.ones((3, 15, 3))}, {"xyz": np.ones((4, 17, 3))}, {"valid": np.ones(3, bool)}]
)
def test_parts_that_do_not_fit(clip, change):
    with pytest.raises(ShapeError, match="S1 Jog 1 C1: wanted 4 frames of 15 joints"):
        replace(clip, **change)
