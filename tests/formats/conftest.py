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
