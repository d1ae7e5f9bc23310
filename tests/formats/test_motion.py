import numpy as np

from poselift.formats.motion import Motion


def test_the_rest_pose_hangs_from_the_origin():
    offsets = np.array([[9.0, 9, 9], [2, 0, 0], [0, 3, 0]])
    turned = np.broadcast_to([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], (4, 3, 3, 3))
    motion = Motion(("a", "b", "c"), (-1, 0, 1), offsets, np.ones((4, 3, 3)), turned, fps=50)
    rest = motion.at_rest()
    np.testing.assert_array_equal(rest.xyz, [[[0, 0, 0], [2, 0, 0], [2, 3, 0]]])
    np.testing.assert_array_equal(rest.rotations, np.broadcast_to(np.eye(3), (1, 3, 3, 3)))
    assert (rest.joints, rest.fps, len(motion.xyz)) == (("a", "b", "c"), 50, 4)
