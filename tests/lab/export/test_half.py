import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("torch")

import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from poselift.errors import OutputError, OutputExistsError
from poselift.lab.export.half import fits_half, halve, store_half, strip_debug_info

WEIGHT = np.random.default_rng(0).normal(size=(48, 48)).astype(np.float32)


def network(weight=WEIGHT):
    """A file's network: windows (B, 48) times a matrix, plus a small vector."""
    constants = {"weight": weight, "bias": np.full(48, 1 / 3, np.float32)}
    nodes = [
        helper.make_node("MatMul", ["windows", "weight"], ["product"], doc_string="line 3 of /home/me/model.py"),
        helper.make_node("Add", ["product", "bias"], ["joints"]),
    ]
    kinds = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 48]) for name in ("windows", "joints")]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", kinds[:1], kinds[1:], tensors, value_info=[kinds[1]])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.fixture
def source(tmp_path):
    onnx.save(network(0.1 * WEIGHT), tmp_path / "exact.onnx")
    return tmp_path / "exact.onnx"


def test_large_weights_are_halved_and_small_ones_kept():
    before = network()
    halved = halve(before)
    onnx.checker.check_model(halved, full_check=True)
    kinds = {tensor.name: tensor.data_type for tensor in halved.graph.initializer}
    assert kinds == {"weight.half": TensorProto.FLOAT16, "bias": TensorProto.FLOAT}
    assert [tensor.name for tensor in before.graph.initializer] == ["weight", "bias"]
    assert halved.ByteSize() < 0.6 * before.ByteSize()


def test_nothing_is_cast_while_the_network_runs(source, tmp_path):
    """The casts are done when the file is opened, and all arithmetic is float32 on the rounded weights."""
    store_half(source, tmp_path / "half.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "as_run.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "half.onnx", options)
    as_run = onnx.load(tmp_path / "as_run.onnx")
    assert "Cast" not in {node.op_type for node in as_run.graph.node}
    assert {tensor.data_type for tensor in as_run.graph.initializer} == {TensorProto.FLOAT}
    x = np.random.default_rng(1).normal(size=(5, 48)).astype(np.float32)
    rounded = (0.1 * WEIGHT).astype(np.float16).astype(np.float32)
    np.testing.assert_allclose(session.run(None, {"windows": x})[0], x @ rounded + np.float32(1 / 3), atol=1e-5)


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        (WEIGHT, True),
        (WEIGHT * 1e-3, True),  # a few beneath what float16 keeps whole
        (WEIGHT * 1e5, False),
        (WEIGHT * 1e-6, False),
        (WEIGHT.astype(np.float64), False),
        (WEIGHT[:10], False),
        (np.zeros((48, 48), np.float32), True),
    ],
)
def test_what_float16_does_not_keep_stays(values, fits):
    assert fits_half(values) is fits


def test_weights_that_move_joints_too_far_are_refused(tmp_path):
    onnx.save(network(30 * WEIGHT), tmp_path / "exact.onnx")
    with pytest.raises(OutputError, match="half precision moves joints by .* mm, more than 1 mm; nothing was written"):
        store_half(tmp_path / "exact.onnx", tmp_path / "half.onnx")
    assert not (tmp_path / "half.onnx").exists()


def test_the_difference_is_told_and_files_are_kept(tmp_path):
    onnx.save(network(0.1 * WEIGHT), tmp_path / "exact.onnx")
    error = store_half(tmp_path / "exact.onnx", tmp_path / "half.onnx")
    assert 0 < error < 1e-3
    with pytest.raises(OutputExistsError):
        store_half(tmp_path / "exact.onnx", tmp_path / "half.onnx")


def test_the_exporters_notes_are_dropped():
    noted = network()
    noted.graph.node[0].metadata_props.add(key="stack", value="/home/me/model.py")
    strip_debug_info(noted)
    assert b"/home/me" not in noted.SerializeToString()
    assert not noted.graph.value_info
    assert len(noted.graph.node) == 2
