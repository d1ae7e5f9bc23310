"""Bodies and clips for the tests of the training side: synthetic, so that they need no data."""

import numpy as np
import pytest

from poselift.datasets.mocap import MocapClip
from poselift.skeleton import H36M_17

# World axes, z up; the person looks along +y, so the left hand is at -x. Knees bend forward, elbows backward.
_MIDDLE = {
    "pelvis": (0, 0, 0.95),
    "spine": (0, -0.02, 1.18),
    "thorax": (0, 0, 1.42),
    "nose": (0, 0.05, 1.53),
    "head_top": (0, 0.02, 1.67),
}
_LEFT = {
    "hip": (-0.12, 0, 0.95),
    "knee": (-0.12, 0.04, 0.5),
    "ankle": (-0.12, -0.02, 0.08),
    "shoulder": (-0.18, 0, 1.42),
    "elbow": (-0.2, -0.03, 1.14),
    "wrist": (-0.2, 0.1, 0.92),
}


@pytest.fixture
def body():
    """(17, 3) metres: a standing person who looks along +y."""
    points = dict(_MIDDLE)
    for joint, (x, y, z) in _LEFT.items():
        points |= {f"left_{joint}": (x, y, z), f"right_{joint}": (-x, y, z)}
    return np.array([points[name] for name in H36M_17.joints], np.float32)


def _swing(points, joint, angle):
    """Turn what hangs from a joint about the axis through it that points to the person's right."""
    first = points[:, H36M_17.index(joint)]
    limb = next(limb for limb in H36M_17.limbs if limb[0] == H36M_17.index(joint))
    cos, sin = np.cos(angle), np.sin(angle)
    for member in limb[1:]:
        _, y, z = (points[:, member] - first).T
        points[:, member, 1] = first[:, 1] + y * cos - z * sin
        points[:, member, 2] = first[:, 2] + y * sin + z * cos


@pytest.fixture
def walk(body):
    """Makes clips of a person who walks on a curve, swinging arms and legs."""

    def make(frames=60, *, name="walk", subject="one", fps=50.0, seed=0):
        rng = np.random.default_rng(seed)
        time = np.arange(frames) / fps
        points = np.repeat(body[None].astype(np.float64), frames, 0)
        stride = np.sin(2 * np.pi * time + rng.uniform(0, 6))
        for joint, sign in (("left_hip", 1), ("right_hip", -1), ("left_shoulder", -1), ("right_shoulder", 1)):
            _swing(points, joint, 0.5 * sign * stride)
        heading = rng.uniform(0, 6) + 0.4 * time
        cos, sin = np.cos(heading)[:, None], np.sin(heading)[:, None]
        x, y = points[..., 0], points[..., 1]
        path = np.cumsum(np.stack([-sin[:, 0], cos[:, 0]], 1) / fps, 0)
        points = np.stack([x * cos - y * sin + path[:, :1], x * sin + y * cos + path[:, 1:], points[..., 2]], -1)
        return MocapClip(name, subject, points.astype(np.float32), H36M_17, fps)

    return make
