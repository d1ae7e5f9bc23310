import numpy as np
from scipy.spatial.transform import Rotation

from poselift.geometry.kinematics import forward_kinematics


def test_forward_kinematics_pinned():
    """An upper arm along x turned up by 90 degrees, and a forearm turned on by 90 degrees against it."""
    quarter = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    translations = np.array([[[5.0, 0, 0], [1, 0, 0], [1, 0, 0]]])
    xyz, world = forward_kinematics((-1, 0, 1), translations, np.array([[quarter, quarter, np.eye(3)]]))
    np.testing.assert_allclose(xyz[0], [[5, 0, 0], [5, 1, 0], [4, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(world[0, 2], np.diag([-1.0, -1, 1]), atol=1e-12)
