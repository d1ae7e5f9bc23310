import importlib.util
from pathlib import Path

import numpy as np
import pytest

from poselift.formats.table import POSE_FORMATS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def benchmark():
    """Loaded under another name, as poselift has a room called formats."""
    spec = importlib.util.spec_from_file_location("benchmark_formats", ROOT / "benchmarks" / "formats.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def poses(benchmark, acrobat):
    made, _ = acrobat(0, 40, benchmark.BODY_27)
    archive = {
        "pose": made.y_up(), "offsets": np.array([0, 40]), "split": np.array(["dev"]), "known": np.ones((1, 27), bool)
    }  # fmt: skip
    return benchmark.poses_of(archive, 60)


def test_of_what_is_written_everything_is_known(benchmark, poses):
    assert len(poses) == 60 and not POSE_FORMATS[".npz"].lost(poses)
    assert all(getattr(poses, name) is not None for name in ("observed", "path", "spread", "up", "contact", "camera"))
    assert poses.xyz[:, 10, 2].mean() > poses.xyz[:, 3, 2].mean()  # heads are above feet, z up


def test_times_and_sizes_are_printed(benchmark, poses, tmp_path, capsys):
    assert benchmark.measure(poses, {"ending": ".npz"}, tmp_path, 1) >= 0
    benchmark.measure(poses, {"ending": ".bvh", "rig": "mixamo"}, tmp_path, 1)
    first, second = capsys.readouterr().out.splitlines()
    assert "read" in first and " MB" in first
    assert second.startswith(".bvh mixamo") and "read" not in second
