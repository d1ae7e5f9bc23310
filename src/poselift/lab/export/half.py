"""Store networks with their weights in half precision, and without the exporter's notes.

Half precision makes files half as large, while all arithmetic stays float32: a large tensor is stored as float16 and
followed by a cast to float32, which ONNX Runtime does once, when it opens the file.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from poselift.errors import OutputError
from poselift.files import written_whole

LEAST_ELEMENTS = 1536
"""Number of elements from which a tensor is stored as float16. Smaller ones save too little, and graphs of joints move
joints as far as layers of a hundred times their size."""
ROUNDING = 2.0**-11
"""Largest rounding error of a tensor, as a share of its norm: float16 within its range never exceeds it. A larger error
means that values are too large, or many so small that float16 keeps only some of their digits."""
HALF_TOLERANCE = 1e-3
"""Largest difference of joints allowed between the network before and after, metres, on random windows; its mean is
near 4e-5."""
HALF_TOLERANCE_EXTRAS = 1e-2
"""The same for what else a network gives: 10 mm of spread, half a degree of up, 1 % of contact."""


def fits_half(values: np.ndarray) -> bool:
    """Return whether float16 keeps a float32 tensor to `ROUNDING`, and the tensor has `LEAST_ELEMENTS`."""
    if values.dtype != np.float32 or values.size < LEAST_ELEMENTS:
        return False
    with np.errstate(over="ignore"):
        error = values.astype(np.float16).astype(np.float64) - values
    return bool(np.linalg.norm(error) <= ROUNDING * np.linalg.norm(values.astype(np.float64)))


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a network whose large float32 weights are stored as float16.

    Args:
        model: The network. Tensors that do not fit (`fits_half`) stay as they are.

    Returns:
        The copy, with the same inputs, outputs and names.
    """
    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    casts = []
    for tensor in halved.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or not fits_half(values := numpy_helper.to_array(tensor)):
            continue
        name, stored = tensor.name, f"{tensor.name}.half"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [name], name=f"{name}.float", to=TensorProto.FLOAT))
    steps = [*casts, *halved.graph.node]
    del halved.graph.node[:]
    halved.graph.node.extend(steps)
    return halved


def strip_debug_info(model: onnx.ModelProto) -> None:
    """Drop the exporter's traces, which name folders of its machine, and the shapes of inner tensors; in place."""
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""


def store_half(source: str | Path, target: str | Path, *, overwrite: bool = False) -> float:
    """Copy an ONNX file of ours with its weights in half precision, and check the copy against the original.

    Args:
        source: A file that `poselift.lab.export.onnx.export_onnx` has written.
        target: The file to write.
        overwrite: Replace an existing file.

    Returns:
        The largest difference of joints on random windows, metres. What else the network gives may differ by
        `HALF_TOLERANCE_EXTRAS`.

    Raises:
        OutputExistsError: `target` exists and `overwrite` is off.
        OutputError: The file cannot be written, or the results differ by more than `HALF_TOLERANCE`; nothing is
            written then.
    """
    halved = halve(onnx.load(source))
    strip_debug_info(halved)
    with written_whole(target, overwrite=overwrite) as temporary:
        onnx.save(halved, temporary)
        exact, rounded = (
            onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]) for path in (source, temporary)
        )
        windows = np.random.default_rng(0).uniform(-1, 1, (16, *exact.get_inputs()[0].shape[1:])).astype(np.float32)
        feed = {exact.get_inputs()[0].name: windows}
        names = [output.name for output in exact.get_outputs()]
        before, after = exact.run(names, feed), rounded.run(names, feed)
        errors = {name: float(np.abs(b - a).max()) for name, a, b in zip(names, before, after, strict=True)}
        for name, error in errors.items():
            limit = HALF_TOLERANCE if name == "joints" else HALF_TOLERANCE_EXTRAS
            if not error <= limit:
                unit = "mm" if name in ("joints", "spread") else "thousandths"
                raise OutputError(
                    f"half precision moves {name} by {1000 * error:.2f} {unit}, more than {1000 * limit:g} {unit}; "
                    "nothing was written; keep the exact file"
                )
    return errors["joints"]
