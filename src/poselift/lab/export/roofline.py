"""The rate of matrix products that a machine reaches: what a network's speed is held against.

It is that of ONNX Runtime itself, of a product of two matrices of 1,024 by 1,024 in float32, one of them constant as
weights are. It is measured in turns with the networks, as the clock of a processor changes with what else runs.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIDE = 1024
"""Rows and columns of the matrices."""
MACS = SIDE**3
"""Multiply-accumulates of the product."""


def product(threads: int = 1) -> Callable[[], Any]:
    """Return a call that makes the product, on so many threads."""
    rng = np.random.default_rng(0)
    values, weights = (rng.normal(size=(SIDE, SIDE)).astype(np.float32) for _ in range(2))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [SIDE, SIDE])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": values})
