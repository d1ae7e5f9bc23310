"""A person to write into files."""

from collections.abc import Callable

import numpy as np
import pytest

from poselift.formats import order as plausibility
from poselift.sequence import Keypoints2D, Poses3D
from poselift.skeleton import H36M_17, Skeleton

People = Callable[..., np.ndarray]


@pytest.fixture
def person() -> People:
    """Makes (T, J, 3) pixels and confidence of a standing person who sways and walks to the right."""

    def make(skeleton: Skeleton, frames: int = 12, x: float = 300.0, step: float = 4.0, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        places = np.array([plausibility._FIGURE[joint] for joint in skeleton.joints]) * (200, -200)
        xy = places + rng.normal(size=(frames, len(skeleton), 2)) + (x, 400)
        xy[..., 0] += step * np.arange(frames)[:, None]
        return np.concatenate([xy, rng.uniform(0.3, 1.0, (*xy.shape[:2], 1))], axis=-1).astype(np.float32)

    return make


@pytest.fixture
def poses() -> Poses3D:
    rng = np.random.default_rng(3)
    return Poses3D(rng.normal(size=(7, 17, 3)).astype(np.float32), H36M_17, 50.0)


@pytest.fixture
def keypoints(person: People) -> Keypoints2D:
    """A clip with unseen joints, a frame without anybody, and an odd frame rate."""
    array = person(H36M_17, frames=9)
    array[2, 5] = (np.nan, np.nan, 0)
    array[4] = (np.nan, np.nan, 0)
    return Keypoints2D(array[..., :2], array[..., 2], H36M_17, 30000 / 1001, (1920, 1080))


@pytest.fixture
def person27() -> np.ndarray:
    """(27, 3) metres: a standing person who looks along +y, z up, the floor at 0."""
    from poselift.skeleton import BODY_27

    body = {
        "pelvis": (0, 0, 0.95), "spine": (0, -0.02, 1.18), "thorax": (0, 0, 1.42), "nose": (0, 0.1, 1.55),
        "head_top": (0, 0.02, 1.72),
    }  # fmt: skip
    half = {
        "hip": (0.12, 0, 0.95), "knee": (0.12, 0.04, 0.5), "ankle": (0.12, -0.02, 0.08), "shoulder": (0.18, 0, 1.42),
        "elbow": (0.2, -0.03, 1.14), "wrist": (0.2, 0.1, 0.92), "eye": (0.03, 0.08, 1.59), "ear": (0.07, 0, 1.57),
        "big_toe": (0.12, 0.17, 0.02), "small_toe": (0.18, 0.13, 0.02), "heel": (0.12, -0.08, 0.02),
    }  # fmt: skip
    for part, (x, y, z) in half.items():
        body |= {f"left_{part}": (-x, y, z), f"right_{part}": (x, y, z)}
    return np.array([body[joint] for joint in BODY_27.joints])
