"""Fixtures for all tests. Data that users do not have lies beside the repository; tests that need it skip without."""

import importlib.util
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import settings

from poselift.skeleton import H36M_17, Skeleton

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("POSELIFT_SHARED", ROOT.parent / "shared"))

settings.register_profile("poselift", deadline=None, max_examples=50)  # no deadline: test machines are busy
settings.load_profile("poselift")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and parity fixtures, or a skip that says where it was looked for."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"real data and fixtures are not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def archives() -> ModuleType:
    """Writers of small archives in the benchmarks' public layouts: tests/datasets/archives.py."""
    spec = importlib.util.spec_from_file_location("archives", ROOT / "tests" / "datasets" / "archives.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["archives"] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class FakeLifter:
    """A lifter without a network: x and y are the normalised keypoints of the yielded frames, z their confidence."""

    skeleton: Skeleton = H36M_17
    in_frames: int = 9
    out_frames: tuple[int, ...] = (4,)
    fps: float = 50.0
    in_channels: int = 3
    calls: list[np.ndarray] = field(default_factory=list)

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        assert windows.shape[1:] == (self.in_frames, len(self.skeleton), self.in_channels)
        assert windows.dtype == np.float32 and np.isfinite(windows).all()
        self.calls.append(windows)
        kept = windows[:, list(self.out_frames)]
        if self.in_channels == 2:
            kept = np.concatenate([kept, np.zeros_like(kept[..., :1])], -1)
        return kept


@pytest.fixture(scope="session")
def fake_lifter() -> type[FakeLifter]:
    """The class of a lifter whose output says which frame went in."""
    return FakeLifter
