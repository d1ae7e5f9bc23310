"""Store networks in int8: large products are computed in int8, and no weight takes more than a byte.

A product x W with a constant W (K, N) becomes one of int8 numbers: x is rounded to 256 steps over the range that it
had in calibration, each column of W to 63 steps either way of zero. That is ONNX's QDQ form, made by
`onnxruntime.quantization`; ONNX Runtime computes it in int8. Weights whose products stay in float32, because rounding x
would cost too much there, are rounded all the same, to 127 steps, and turned back when the file is opened. Where it
costs least, weights take 4 bits. What is left is stored in half precision (`poselift.lab.export.half`).

Ranges and costs are measured on windows that the network was trained for, as `poselift.lab.windows` draws them.
"""

import contextlib
import io
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from poselift.errors import OutputError, ShapeError
from poselift.files import written_whole
from poselift.lab.export.half import LEAST_ELEMENTS, halve, strip_debug_info

Method = Literal["minmax", "entropy", "percentile"]
"""How the range of a product's input is found: all values, those that keep the most information, or 99.999 %."""
METHODS: Mapping[Method, CalibrationMethod] = {
    "minmax": CalibrationMethod.MinMax, "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}  # fmt: skip
CALIBRATION_WINDOWS = 256
"""Windows that ranges are found on; as many others measure costs."""
INT8_TOLERANCE = 0.02
"""Largest mean distance allowed between joints before and after, metres, on the windows of calibration: a network that
is off by more is broken, not rounded."""
FLOAT_FROM = 1.5e-3
"""Mean distance in metres by which joints may move when one product alone is computed in int8."""
_NODES_BYTES = 700
"""Bytes that unpacking takes in a file for each product of 4 bits."""
_BATCH = 32
_CLIPS = np.linspace(0.5, 1, 16)
"""Shares of a column's largest entry that are tried as the largest number of 4 bits."""


@dataclass(frozen=True)
class Plan:
    """What is done with the products of a network, by the names of their nodes; the rest is computed in int8."""

    floats: tuple[str, ...] = ()
    """Products that stay in float32."""
    nibbles: tuple[str, ...] = ()
    """Products whose weights take 4 bits."""


def in_full(model: ModelProto) -> ModelProto:
    """Return a copy of a network whose weights in half precision (`halve`) are float32 again."""
    full = ModelProto()
    full.CopyFrom(model)
    stored = {tensor.name: tensor for tensor in full.graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    nodes = []
    for node in full.graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            tensor = stored[node.input[0]]
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, node.output[0]))
        else:
            nodes.append(node)
    del full.graph.node[:]
    full.graph.node.extend(nodes)
    return full


def products(model: ModelProto) -> dict[str, tuple[int, int]]:
    """Return the products of a float32 network that int8 is for, by name, with the shape (K, N) of their weights.

    These are the matrix products by constant matrices of `LEAST_ELEMENTS` or more.
    """
    weights = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT}
    found = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights and node.input[0] not in weights:
            shape = tuple(weights[node.input[1]].dims)
            if len(shape) == 2 and shape[0] * shape[1] >= LEAST_ELEMENTS:
                found[node.name] = shape
    return found


def to_int8(model: ModelProto, windows: np.ndarray, plan: Plan, *, method: Method = "percentile") -> ModelProto:
    """Return a network in int8.

    Args:
        model: A float32 network with one input.
        windows: (N, T, J, C) float32 input to calibrate on.
        plan: Which products are treated otherwise.
        method: How ranges are found.

    Raises:
        ShapeError: The plan names products that the network does not have.
    """
    known = products(model)
    if odd := [name for name in plan.nibbles if known.get(name, (0, 0))[0] % 2]:
        raise ShapeError(f"wanted an even number of rows for 4 bits, got {known[odd[0]]} in {odd[0]}")
    if unknown := sorted({*plan.floats, *plan.nibbles} - set(known)):
        raise ShapeError(f"no products of this network: {', '.join(unknown[:5])}; wanted some of {', '.join(known)}")
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(model, given)
        chosen = [name for name in known if name not in plan.floats]
        if chosen:
            _quantize(given, made, windows, chosen, method)
        rounded = onnx.load(made if chosen else given)
    return _stored(rounded, model, plan)


def store_int8(source: Path, target: Path, windows: np.ndarray, plan: Plan, *, method: Method = "percentile",
               overwrite: bool = False) -> float:  # fmt: skip
    """Copy an ONNX file of ours into int8.

    Args:
        source: A file that `poselift.lab.export.onnx.export_onnx` has written, in full or in half precision.
        target: The file to write.
        windows: (N, T, J, C) float32 input to calibrate on.
        plan: Which products are treated otherwise.
        method: How ranges are found.
        overwrite: Replace an existing file.

    Returns:
        The mean distance of joints before and after, metres, on these windows.

    Raises:
        OutputExistsError: `target` exists and `overwrite` is off.
        OutputError: The file cannot be written, or joints differ by more than `INT8_TOLERANCE`; nothing is written
            then.
        ShapeError: The plan names products that the network does not have.
    """
    full = in_full(onnx.load(source))
    rounded = to_int8(full, windows, plan, method=method)
    with written_whole(target, overwrite=overwrite) as temporary:
        onnx.save(rounded, temporary)
        moved = mean_distance(joints_of(full, windows), joints_of(rounded, windows))
        if not moved <= INT8_TOLERANCE:
            raise OutputError(
                f"int8 moves joints by {1000 * moved:.1f} mm, more than {1000 * INT8_TOLERANCE:g}; nothing was "
                "written; keep more products in float"
            )
    return moved


def joints_of(model: ModelProto, windows: np.ndarray) -> np.ndarray:
    """Return the joints (N, S, J, 3), metres, that a network finds in windows (N, T, J, C)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    names = [output.name for output in session.get_outputs()]
    wanted = ["joints" if "joints" in names else names[0]]
    parts = [session.run(wanted, {name: part})[0] for part in _parts(windows)]
    return np.concatenate(parts)


def mean_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the mean distance between joints (..., 3)."""
    return float(np.linalg.norm(first - second, axis=-1).mean())


def costs(model: ModelProto, windows: np.ndarray, checked: np.ndarray, *, bits: Literal[4, 8]) -> dict[str, float]:
    """Measure how far joints move when one product alone is rounded.

    Args:
        model: A float32 network.
        windows: (N, T, J, C) float32 input to calibrate on.
        checked: (N, T, J, C) float32 input to measure on.
        bits: 8 to compute the product in int8; 4 to round its weights to 4 bits, and compute in float32.

    Returns:
        The mean distance in metres, by the name of the product; for 4 bits, of those with an even number of rows.
    """
    names = products(model)
    stored = joints_of(to_int8(model, windows, Plan(tuple(names))), checked)
    found = {}
    for name, (rows, _) in names.items():
        if bits == 4 and rows % 2:
            continue
        plan = Plan(tuple(names), (name,)) if bits == 4 else Plan(tuple(other for other in names if other != name))
        found[name] = mean_distance(stored, joints_of(to_int8(model, windows, plan, method="minmax"), checked))
    return found


def choose_plan(model: ModelProto, windows: np.ndarray, checked: np.ndarray, *, smaller: float = 4.0) -> Plan:
    """Choose what stays in float32 and what takes 4 bits, by measuring each product alone.

    Products that move joints by more than `FLOAT_FROM` stay in float32. Then weights take 4 bits, those first that move
    joints least for each byte, until the file is small enough.

    Args:
        model: A float32 network.
        windows: (N, T, J, C) float32 input to calibrate on.
        checked: (N, T, J, C) float32 input to measure on.
        smaller: How many times smaller than the float32 file the result must be.
    """
    floats = tuple(name for name, cost in costs(model, windows, checked, bits=8).items() if cost > FLOAT_FROM)
    excess = to_int8(model, windows, Plan(floats)).ByteSize() - int(model.ByteSize() / smaller)
    of_nibbles = costs(model, windows, checked, bits=4) if excess > 0 else {}
    return Plan(floats, choose_nibbles(model, of_nibbles, excess))


def choose_nibbles(model: ModelProto, of_nibbles: Mapping[str, float], saved: int) -> tuple[str, ...]:
    """Choose products for 4 bits: those that cost least, until so many bytes are saved.

    Args:
        model: A float32 network.
        of_nibbles: Cost of 4 bits, metres, by product (`costs`).
        saved: Bytes to save.
    """
    shapes, chosen = products(model), []
    for name in sorted(of_nibbles, key=lambda name: of_nibbles[name] / np.prod(shapes[name])):
        if saved <= 0:
            break
        chosen.append(name)
        saved -= int(np.prod(shapes[name])) // 2 - _NODES_BYTES
    return tuple(chosen)


class _Reader(CalibrationDataReader):
    """Gives windows to ONNX Runtime's calibration, some at a time."""

    def __init__(self, name: str, windows: np.ndarray) -> None:
        self._parts = ({name: part} for part in _parts(windows))

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next windows, None at the end."""
        return next(self._parts, None)


def _parts(windows: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(windows), _BATCH):
        yield windows[first : first + _BATCH]


def _quantize(source: Path, target: Path, windows: np.ndarray, chosen: Sequence[str], method: Method) -> None:
    """Copy a network with some of its products in QDQ form.

    Their outputs are not rounded, because ONNX Runtime computes int8 products to float32 as fast. Weights are rounded
    to 7 bits, so that sums of two products fit into 16 bits on processors without VNNI.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # it tells of its progress
        quantize_static(
            source, target, _Reader(onnx.load(source).graph.input[0].name, windows), quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul"], nodes_to_quantize=list(chosen), per_channel=True, reduce_range=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=METHODS[method],
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
        )  # fmt: skip


def _stored(rounded: ModelProto, model: ModelProto, plan: Plan) -> ModelProto:
    """Return a network of `_quantize` with all its large weights in a byte or less."""
    shapes = products(model)
    weight_of = {node.name: node.input[1] for node in model.graph.node if node.name in shapes}
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    tensors = {tensor.name: tensor for tensor in rounded.graph.initializer}
    nodes: list[NodeProto] = []
    for product, name in weight_of.items():
        in_int8 = product not in plan.floats
        if product in plan.nibbles:
            numbers, scales = to_nibbles(values[name])
            whole = f"{name}_quantized" if in_int8 else f"{name}.int8"
            nodes += _unpacked(_packed(numbers), whole, rounded)
            tensors[whole if in_int8 else name].name += ".unused"
        elif in_int8:
            continue
        else:
            numbers, scales = to_bytes(values[name])
            whole = f"{name}.int8"
            rounded.graph.initializer.append(numpy_helper.from_array(numbers, whole))
            tensors[name].name += ".unused"
        if in_int8:
            tensors[f"{name}_scale"].CopyFrom(numpy_helper.from_array(scales, f"{name}_scale"))
        else:
            rounded.graph.initializer.append(numpy_helper.from_array(scales[None], f"{name}.scale"))
            nodes += [
                helper.make_node("Cast", [whole], [f"{name}.cast"], to=TensorProto.FLOAT),
                helper.make_node("Mul", [f"{name}.cast", f"{name}.scale"], [name]),
            ]
    kept = [tensor for tensor in rounded.graph.initializer if not tensor.name.endswith(".unused")]
    steps = [*nodes, *rounded.graph.node]
    del rounded.graph.initializer[:], rounded.graph.node[:]
    rounded.graph.initializer.extend(kept)
    rounded.graph.node.extend(steps)
    stored = halve(rounded)
    strip_debug_info(stored)
    _rename(stored)
    return stored


def to_bytes(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round weights (K, N) to int8 numbers (K, N) and scales (N,), whose product they are nearly."""
    scales = np.maximum(np.abs(weights).max(0) / 127, 1e-12).astype(np.float32)
    return np.round(weights / scales).astype(np.int8), scales


def to_nibbles(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round weights (K, N) to int8 numbers (K, N) of -7 to 7 and scales (N,), with the least squared error."""
    largest = np.maximum(np.abs(weights).max(0), 1e-12)
    scales = np.stack([largest * clip / 7 for clip in _CLIPS])
    errors = np.stack([((_nearest(weights, scale) * scale - weights) ** 2).sum(0) for scale in scales])
    best = np.take_along_axis(scales, errors.argmin(0)[None], 0)[0].astype(np.float32)
    return _nearest(weights, best).astype(np.int8), best


def _nearest(weights: np.ndarray, scales: np.ndarray) -> np.ndarray:
    return np.clip(np.round(weights / scales), -7, 7)


def _packed(numbers: np.ndarray) -> np.ndarray:
    """Pack numbers (K, N) of -7 to 7 two to a byte: the first half of the rows above, the second one below."""
    high, low = np.split((numbers + 8).astype(np.uint8), 2)
    return high * 16 + low


def _unpacked(packed: np.ndarray, name: str, model: ModelProto) -> list[NodeProto]:
    """Add packed numbers to a network, and return the nodes that turn them back, once, when it is opened."""
    constants = {"sixteen": np.float32(16), "eight": np.float32(8)}
    for constant, value in constants.items():
        if constant not in {tensor.name for tensor in model.graph.initializer}:
            model.graph.initializer.append(numpy_helper.from_array(np.array(value), constant))
    model.graph.initializer.append(numpy_helper.from_array(packed, f"{name}.packed"))
    both, high, upper, low = (f"{name}.{part}" for part in ("both", "high", "upper", "low"))
    return [
        helper.make_node("Cast", [f"{name}.packed"], [both], to=TensorProto.FLOAT),
        helper.make_node("Div", [both, "sixteen"], [f"{name}.ratio"]),
        helper.make_node("Floor", [f"{name}.ratio"], [high]),
        helper.make_node("Mul", [high, "sixteen"], [upper]),
        helper.make_node("Sub", [both, upper], [low]),
        helper.make_node("Concat", [high, low], [f"{name}.rows"], axis=0),
        helper.make_node("Sub", [f"{name}.rows", "eight"], [f"{name}.shifted"]),
        helper.make_node("Cast", [f"{name}.shifted"], [name], to=TensorProto.INT8),
    ]


def _rename(model: ModelProto) -> None:
    """Give inner values and nodes short names, which is several percent of a file; in place."""
    kept: Collection[str] = {value.name for value in (*model.graph.input, *model.graph.output)}
    names: dict[str, str] = {"": ""}

    def short(name: str) -> str:
        return name if name in kept else names.setdefault(name, f"v{len(names)}")

    for tensor in model.graph.initializer:
        tensor.name = short(tensor.name)
    for node in model.graph.node:
        node.name = ""
        node.input[:] = [short(name) for name in node.input]
        node.output[:] = [short(name) for name in node.output]
