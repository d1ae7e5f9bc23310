"""Networks in int8: what is rounded, how far it moves, and how small files become."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from poselift.errors import OutputError, OutputExistsError, ShapeError
from poselift.lab.export import int8
from poselift.lab.export.half import halve
from poselift.lab.export.int8 import (
    Plan,
    in_full,
    joints_of,
    mean_distance,
    products,
    store_int8,
    to_bytes,
    to_int8,
    to_nibbles,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # the quantizer's own
FRAMES, JOINTS, WIDTH = 3, 17, 64


def network() -> onnx.ModelProto:
    """Two layers, 3 frames of 17 joints to one."""
    rng = np.random.default_rng(0)
    weights = {
        "first": rng.normal(0, 0.1, (FRAMES * JOINTS * 3, WIDTH)), "second": rng.normal(0, 0.1, (WIDTH, JOINTS * 3)),
        "bias": rng.normal(0, 0.1, WIDTH),
    }  # fmt: skip
    shapes = {"flat": [0, -1], "unflat": [-1, 1, JOINTS, 3]}
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    constants += [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in shapes.items()]
    nodes = [
        helper.make_node("Reshape", ["keypoints", "flat"], ["x"], "reshape"),
        helper.make_node("MatMul", ["x", "first"], ["h"], "in"),
        helper.make_node("Add", ["h", "bias"], ["b"], "add"),
        helper.make_node("Relu", ["b"], ["r"], "relu"),
        helper.make_node("MatMul", ["r", "second"], ["y"], "out"),
        helper.make_node("Reshape", ["y", "unflat"], ["joints"], "shape"),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "net", [value("keypoints", TensorProto.FLOAT, ["batch", FRAMES, JOINTS, 3])],
        [value("joints", TensorProto.FLOAT, ["batch", 1, JOINTS, 3])], constants,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.fixture(scope="module")
def windows() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (64, FRAMES, JOINTS, 3)).astype(np.float32)


def test_rounding_is_to_the_nearest_step():
    weights = np.random.default_rng(2).normal(0, 1, (8, 5))
    numbers, scales = to_bytes(weights)
    assert np.abs(numbers).max(0).tolist() == [127] * 5
    assert np.abs(numbers * scales - weights).max() <= scales.max() / 2 + 1e-6
    numbers, scales = to_nibbles(weights)
    assert np.abs(numbers).max() <= 7
    plain = np.abs(weights).max(0) / 7
    wanted = ((np.round(weights / plain) * plain - weights) ** 2).sum(0)
    assert (((numbers * scales - weights) ** 2).sum(0) <= wanted * (1 + 1e-5)).all()
    zeros, _ = to_nibbles(np.zeros((4, 2)))
    assert not zeros.any()


def test_four_bits_come_back_as_they_were():
    numbers = np.random.default_rng(3).integers(-7, 8, (10, 6)).astype(np.int8)
    model = onnx.ModelProto()
    nodes = int8._unpacked(int8._packed(numbers), "w", model)
    out = helper.make_tensor_value_info("w", TensorProto.INT8, [10, 6])
    graph = helper.make_graph(nodes, "net", [], [out], list(model.graph.initializer))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {})[0], numbers)


@pytest.mark.parametrize(
    ("plan", "within"),
    [(Plan(("in", "out")), 0.01), (Plan(("out",)), 0.02), (Plan(), 0.03), (Plan((), ("out",)), 0.15),
     (Plan(("out",), ("out",)), 0.15)],
)  # fmt: skip
@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_int8_moves_joints_little(windows, plan, within, method):
    exact = joints_of(network(), windows)
    made = to_int8(network(), windows, plan, method=method)
    kinds = {node.op_type for node in made.graph.node}
    assert ("QuantizeLinear" in kinds) == (len(plan.floats) < 2)
    moved = mean_distance(exact, joints_of(made, windows))
    assert 0 < moved < within * np.linalg.norm(exact, axis=-1).mean()
    assert made.ByteSize() < 0.55 * network().ByteSize()
    onnx.checker.check_model(made)


def test_weights_in_half_precision_are_as_good_a_source(windows):
    halved = halve(network())
    full = in_full(halved)
    assert products(full) == products(network()) == {"in": (153, 64), "out": (64, 51)}
    np.testing.assert_allclose(joints_of(full, windows), joints_of(halved, windows), atol=1e-6)


def test_costs_say_what_to_keep(windows):
    eight, four = (int8.costs(network(), windows, windows, bits=bits) for bits in (8, 4))
    assert set(eight) == {"in", "out"}
    assert set(four) == {"out"}, "153 rows are odd"
    assert four["out"] > eight["out"] > 0
    assert int8.choose_nibbles(network(), {"out": 1.0}, 100) == ("out",)
    assert int8.choose_nibbles(network(), {"out": 1.0}, 0) == ()


def test_what_cannot_be_done_is_said(tmp_path, windows):
    source, target = tmp_path / "net.onnx", tmp_path / "int8.onnx"
    onnx.save(network(), source)
    with pytest.raises(ShapeError, match="no products of this network: other"):
        to_int8(network(), windows, Plan(("other",)))
    with pytest.raises(ShapeError, match="even number of rows"):
        to_int8(network(), windows, Plan((), ("in",)))
    assert store_int8(source, target, windows, Plan(("in", "out"))) < 0.02
    with pytest.raises(OutputExistsError):
        store_int8(source, target, windows, Plan())
    before = target.read_bytes()
    with pytest.raises(OutputError, match="keep more products in float"):
        store_int8(source, target, windows, Plan((), ("out",)), overwrite=True)
    assert target.read_bytes() == before
    assert json.dumps([path.name for path in tmp_path.iterdir() if path.name.startswith(".")]) == "[]"
