"""Fixtures for all tests. Data that users do not have lies beside the repository; tests that need it skip without."""

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from poselift.datasets.clip import MocapClip
from poselift.sequence import Keypoints2D
from poselift.skeleton import BODY_27, H36M_17, Skeleton

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("POSELIFT_SHARED", ROOT.parent / "shared"))

# Nothing is judged by time: test machines are busy.
settings.register_profile("poselift", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("poselift")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and parity fixtures, or a skip that says where it was looked for."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"real data and fixtures are not at {SHARED}")
    return SHARED


def _helper(name: str, room: str = "datasets") -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / room / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def load_script() -> Callable[[str], ModuleType]:
    """Load a program of the folder scripts by its name, as it is when it runs: with its neighbours beside it."""
    folder = ROOT / "scripts"
    if not folder.is_dir():
        pytest.skip("not a checkout")
    sys.path.insert(0, str(folder))

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def archives() -> ModuleType:
    """Writers of small archives in the benchmarks' public layouts: tests/datasets/archives.py."""
    return _helper("archives")


@pytest.fixture(scope="session")
def figures() -> ModuleType:
    """A standing figure as BVH text: tests/datasets/figures.py."""
    return _helper("figures")


@pytest.fixture(scope="session")
def stroll() -> Callable[..., Any]:
    """Make a walk: frames, fps, strides_hz, turn_deg, noise in pixels (tests/checks/walker.py)."""
    return _helper("walker", "checks").walk


@pytest.fixture(scope="session")
def exchanged() -> Callable[..., Keypoints2D]:
    """Exchange left and right of all joints, or of some (tests/checks/walker.py)."""
    return _helper("walker", "checks").exchange


@pytest.fixture(scope="session")
def reordered() -> Callable[..., Keypoints2D]:
    """Put the joints into another order, under the same names (tests/checks/walker.py)."""
    return _helper("walker", "checks").reorder


@pytest.fixture(scope="session")
def acrobat() -> Callable[..., Any]:
    """Make a person of constant bones with known rotations: seed, frames, skeleton (tests/geometry/acrobat.py)."""
    return _helper("acrobat", "geometry").acrobat


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


@pytest.fixture
def person(body):
    """(27, 3) metres: the same person with face and feet."""
    points = np.zeros((len(BODY_27), 3), np.float32)
    points[: len(body)] = body
    nose = body[H36M_17.index("nose")]
    for side, sign in (("left", -1), ("right", 1)):
        points[BODY_27.index(f"{side}_eye")] = nose + (sign * 0.032, -0.03, 0.035)
        points[BODY_27.index(f"{side}_ear")] = nose + (sign * 0.075, -0.112, 0.018)
        ankle = body[H36M_17.index(f"{side}_ankle")]
        points[BODY_27.index(f"{side}_big_toe")] = ankle + (0, 0.17, -0.06)
        points[BODY_27.index(f"{side}_small_toe")] = ankle + (sign * 0.06, 0.13, -0.06)
        points[BODY_27.index(f"{side}_heel")] = ankle + (0, -0.06, -0.06)
    return points


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


NPZ_JOINTS = (
    "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow LWrist RShoulder RElbow RWrist"
)


@pytest.fixture
def write_archive():
    """Writes clips laid out like mocap17.npz: y up, poses against the root."""

    def write(path, clips, splits):
        world = np.concatenate([clip.xyz for clip in clips])
        y_up = np.stack([world[..., 0], world[..., 2], -world[..., 1]], -1)
        np.savez(
            path, pose=y_up - y_up[:, :1], root=y_up[:, 0], offsets=np.cumsum([0, *map(len, clips)]),
            names=np.array([clip.name for clip in clips]), subjects=np.array([clip.subject for clip in clips]),
            split=np.array(splits), parents=np.array(H36M_17.parents), joints=np.array(NPZ_JOINTS.split()), fps=50.0,
            up="y", units="m", notice="The data used in this project was obtained from mocap.cs.cmu.edu.",
        )  # fmt: skip
        return path

    return write


@pytest.fixture
def archive(walk, write_archive, tmp_path):
    """A tiny archive laid out like mocap17.npz."""
    clips = [walk(30), walk(20, name="other", seed=1), walk(12, name="last", subject="two", seed=2)]
    return write_archive(tmp_path / "tiny.npz", clips, ["train", "train", "dev"])
