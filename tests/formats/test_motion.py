import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats.motion import MOST_JOINTS, Motion, check_size


def test_the_rest_pose_hangs_from_the_origin():
    offsets = np.array([[9.0, 9, 9], [2, 0, 0], [0, 3, 0]])
    turned = np.broadcast_to([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], (4, 3, 3, 3))
    motion = Motion(("a", "b", "c"), (-1, 0, 1), offsets, np.ones((4, 3, 3)), turned, fps=50)
    rest = motion.at_rest()
    np.testing.assert_array_equal(rest.xyz, [[[0, 0, 0], [2, 0, 0], [2, 3, 0]]])
    np.testing.assert_array_equal(rest.rotations, np.broadcast_to(np.eye(3), (1, 3, 3, 3)))
    assert (rest.joints, rest.fps, len(motion.xyz)) == (("a", "b", "c"), 50, 4)


def test_motions_that_take_far_more_memory_than_their_files():
    check_size("a.bvh", 500_000, 70, 210)
    check_size("a.bvh", 10, MOST_JOINTS, 0)
    with pytest.raises(FormatError, match=r"a\.bvh: wanted up to 2000 joints, got 2001"):
        check_size("a.bvh", 1, MOST_JOINTS + 1, 9000)
    with pytest.raises(FormatError, match=r"a\.bvh: 100000 frames of 2000 joints with 3 numbers a frame in all"):
        check_size("a.bvh", 100_000, 2000, 3)
