"""OpenVINO runs shipped weights as ONNX Runtime does."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import poselift as pl
from poselift.cli import main
from poselift.errors import CheckpointError, MissingExtraError, ShapeError
from poselift.lifters.load import load_lifter
from poselift.lifters.onnx import OnnxLifter

DEMO = Path(pl.__file__).parent / "data" / "demo.npz"


@pytest.fixture(scope="module")
def openvino():
    pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install -e '.[openvino]')")


@pytest.mark.parametrize("name", ["nanohtnet.mocap27-81", "htnet.mocap"])
def test_it_gives_what_onnxruntime_gives(openvino, name):
    one, other = (load_lifter(name, threads=1, engine=engine) for engine in ("onnxruntime", "openvino"))
    assert one.outputs == other.outputs
    rng = np.random.default_rng(0)
    for batch in (1, 7, 1):  # results are copies: a later call does not change them
        windows = rng.uniform(-1, 1, (batch, one.in_frames, len(one.skeleton), 3)).astype(np.float32)
        wanted, found = one.answer(windows), other.answer(windows)
        for output in one.outputs:
            np.testing.assert_allclose(found[output], wanted[output], rtol=0, atol=1e-5, err_msg=output)
        kept = found["joints"].copy()
        other(windows[:1] * 0.5)
        np.testing.assert_array_equal(found["joints"], kept)
    with pytest.raises(ShapeError, match="wanted windows"):
        other(np.zeros((1, 3, 17, 3), np.float32))


def test_broken_files_are_refused(openvino, tmp_path):
    path = tmp_path / "net.onnx"
    shutil.copy(load_lifter("nanohtnet.mocap27-81").path.with_suffix(".json"), path.with_suffix(".json"))
    path.write_bytes(b"no network")
    with pytest.raises(CheckpointError, match="no network that OpenVINO can open"):
        OnnxLifter(path, engine="openvino")


def test_the_verb_lifts_by_it(openvino, tmp_path):
    poses = {}
    for engine in ("onnxruntime", "openvino"):
        out = tmp_path / engine
        arguments = ["lift", str(DEMO), "-o", str(out), "--formats", "npz", "--no-world", "--engine", engine]
        assert main(arguments) == 0
        poses[engine] = pl.read_poses(out / "demo.npz")
    np.testing.assert_allclose(poses["openvino"].xyz, poses["onnxruntime"].xyz, rtol=0, atol=1e-5)


def test_what_cannot_run_says_why(monkeypatch):
    with pytest.raises(CheckpointError, match="unknown engine 'openvin'; did you mean 'openvino'"):
        load_lifter("nanohtnet.mocap27-81", engine="openvin")
    with pytest.raises(CheckpointError, match="runs itself; leave out the engine"):
        load_lifter("some.module:Net", engine="openvino")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"\[openvino\]"):
        load_lifter("nanohtnet.mocap27-81", engine="openvino")
