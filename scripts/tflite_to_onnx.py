"""Converts convolutional TFLite networks, such as those that find people, to ONNX. Needs `onnx` and `tflite`.

TFLite keeps channels last, ONNX's convolutions want them first: pictures are transposed once, behind the input, and the
outputs back. The first axis of all inputs and outputs becomes dynamic. Weights that the file holds in half precision
stay so, each with a Cast behind it, so that the numbers are the same and the file is half as large.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

_OPERATORS = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
_DTYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
    tflite.TensorType.UINT8: np.uint8,
}
_ONNX_TYPES = {tflite.TensorType.FLOAT32: TensorProto.FLOAT, tflite.TensorType.UINT8: TensorProto.UINT8}
_OPSET, _IR_VERSION = 17, 8
_INPUT, _BATCH = "image", "pictures"
"""Name of the input, and of the first axis of the input and the outputs."""
_ANY_EVEN = 64
"""Stands for a side that the file leaves open; such sides are even wherever a stride of 2 halves them."""


@dataclass(frozen=True)
class Operator:
    """One step of a TFLite network."""

    name: str
    """TFLite's name, such as CONV_2D."""
    inputs: list[int]
    """Numbers of the tensors that go in; -1 where an optional one is missing."""
    output: int
    """Number of the tensor that comes out."""
    table: Any
    """The options as flatbuffers' table, or None."""

    def options(self, kind: type) -> Any:
        """Return the options as an object of the schema's class `kind`."""
        options = kind()
        options.Init(self.table.Bytes, self.table.Pos)
        return options


class Network:
    """The first graph of a TFLite file."""

    def __init__(self, content: bytes) -> None:
        model = tflite.Model.GetRootAsModel(content, 0)
        self._model, self._graph = model, model.Subgraphs(0)
        self.inputs = self._graph.InputsAsNumpy().tolist()
        self.outputs = self._graph.OutputsAsNumpy().tolist()
        self.operators = [self._operator(number) for number in range(self._graph.OperatorsLength())]
        self.made_by = {operator.output: operator for operator in self.operators}

    def _operator(self, number: int) -> Operator:
        raw = self._graph.Operators(number)
        code = self._model.OperatorCodes(raw.OpcodeIndex())
        name = _OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        return Operator(name, raw.InputsAsNumpy().tolist(), int(raw.Outputs(0)), raw.BuiltinOptions())

    def named(self, name: str) -> int:
        """Return the number of the tensor of a name, inner ones too."""
        names = [self._graph.Tensors(tensor).Name().decode() for tensor in range(self._graph.TensorsLength())]
        return names.index(name)

    def shape(self, tensor: int) -> list[int]:
        """Return the shape of a tensor; -1 for sides that are open."""
        raw = self._graph.Tensors(tensor)
        shape = raw.ShapeSignatureAsNumpy() if raw.ShapeSignatureLength() else raw.ShapeAsNumpy()
        return [int(side) for side in shape] if raw.ShapeLength() else []

    def type(self, tensor: int) -> int:
        return self._graph.Tensors(tensor).Type()

    def constant(self, tensor: int) -> np.ndarray | None:
        """Return the value of a tensor that the file holds, in the precision in which it holds it, or None."""
        raw = self._graph.Tensors(tensor)
        buffer = self._model.Buffers(raw.Buffer())
        if buffer.DataLength():
            if raw.Sparsity() is not None:
                raise NotImplementedError("sparse weights")
            return np.frombuffer(buffer.DataAsNumpy().tobytes(), _DTYPES[raw.Type()]).reshape(self.shape(tensor))
        maker = self.made_by.get(tensor)
        return self.constant(maker.inputs[0]) if maker is not None and maker.name == "DEQUANTIZE" else None


class Converter:
    """Writes the operators that the wanted outputs need as nodes of ONNX; `convert` is the entrance."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._done: set[str] = set()

    def value(self, tensor: int) -> str:
        """Return the name of a tensor, channels first; writes whatever it is computed from."""
        constant = self._network.constant(tensor)
        if constant is not None:
            constant = constant.reshape(1, 1, 1, -1) if constant.ndim == 1 else constant
            return self._constant(f"c{tensor}", constant.transpose(0, 3, 1, 2) if constant.ndim == 4 else constant)
        name = f"t{tensor}"
        if name not in self._done:
            self._done.add(name)
            if tensor in self._network.inputs:
                self._node("Transpose", [_INPUT], name, perm=[0, 3, 1, 2])
            else:
                operator = self._network.made_by[tensor]
                write = getattr(self, f"_{operator.name.lower()}", None)
                if write is None:
                    raise NotImplementedError(f"no rule for TFLite's {operator.name}")
                write(operator, name)
        return name

    def output(self, tensor: int, name: str) -> None:
        """Write an output in TFLite's order of axes."""
        source = self.value(tensor)
        if len(self._network.shape(tensor)) == 4:
            self._node("Transpose", [source], name, perm=[0, 2, 3, 1])
        else:
            self._node("Identity", [source], name)

    def graph(self) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
        return self._nodes, list(self._constants.values())

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output], name=f"{kind}_{output}", **attributes))

    def _constant(self, name: str, value: np.ndarray) -> str:
        if name in self._done:
            return name
        self._done.add(name)
        half = value.dtype == np.float16
        stored = f"{name}_half" if half else name
        self._constants[stored] = numpy_helper.from_array(np.ascontiguousarray(value), stored)
        if half:
            self._node("Cast", [stored], name, to=TensorProto.FLOAT)
        return name

    def _activated(self, activation: int, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        """Write a node and the activation that TFLite has fused into it."""
        kinds = tflite.ActivationFunctionType
        if activation == kinds.NONE:
            self._node(kind, inputs, output, **attributes)
            return
        self._node(kind, inputs, f"{output}_linear", **attributes)
        if activation == kinds.RELU:
            self._node("Relu", [f"{output}_linear"], output)
        elif activation == kinds.RELU6:
            bounds = [self._constant(f"{bound}", np.array(bound, np.float32)) for bound in (0, 6)]
            self._node("Clip", [f"{output}_linear", *bounds], output)
        else:
            raise NotImplementedError(f"no rule for TFLite's activation {activation}")

    def _padding(self, padding: int, tensor: int, kernel: list[int], strides: list[int]) -> list[int]:
        """Return ONNX's pads for VALID or SAME; SAME puts the odd pixel behind."""
        if padding == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        before, after = [], []
        for side, size, stride in zip(self._network.shape(tensor)[1:3], kernel, strides, strict=True):
            side = _ANY_EVEN if side < 0 else side
            total = max((-(-side // stride) - 1) * stride + size - side, 0)
            before.append(total // 2)
            after.append(total - total // 2)
        return before + after

    def _conv_2d(self, operator: Operator, name: str) -> None:
        self._convolution(operator, name, operator.options(tflite.Conv2DOptions), depthwise=False)

    def _depthwise_conv_2d(self, operator: Operator, name: str) -> None:
        self._convolution(operator, name, operator.options(tflite.DepthwiseConv2DOptions), depthwise=True)

    def _convolution(self, operator: Operator, name: str, options: Any, *, depthwise: bool) -> None:
        if (options.DilationHFactor(), options.DilationWFactor()) != (1, 1):
            raise NotImplementedError("dilated convolutions")
        picture, kernel, *bias = operator.inputs
        weights = self._network.constant(kernel)
        # (1, h, w, out) of one input channel each, or (out, h, w, in)
        weights = weights.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
        size, strides = list(weights.shape[2:]), [options.StrideH(), options.StrideW()]
        inputs = [self.value(picture), self._constant(f"w{kernel}", weights)]
        inputs += [self._constant(f"b{place}", self._network.constant(place)) for place in bias if place >= 0]
        self._activated(
            options.FusedActivationFunction(), "Conv", inputs, name,
            kernel_shape=size, strides=strides, group=self._network.shape(picture)[3] if depthwise else 1,
            pads=self._padding(options.Padding(), picture, size, strides),
        )  # fmt: skip

    def _binary(self, kind: str, operator: Operator, name: str, options: type) -> None:
        activation = operator.options(options).FusedActivationFunction()
        self._activated(activation, kind, [self.value(tensor) for tensor in operator.inputs], name)

    def _add(self, operator: Operator, name: str) -> None:
        self._binary("Add", operator, name, tflite.AddOptions)

    def _sub(self, operator: Operator, name: str) -> None:
        self._binary("Sub", operator, name, tflite.SubOptions)

    def _mul(self, operator: Operator, name: str) -> None:
        self._binary("Mul", operator, name, tflite.MulOptions)

    def _cast(self, operator: Operator, name: str) -> None:
        self._node("Cast", [self.value(operator.inputs[0])], name, to=_ONNX_TYPES[self._network.type(operator.output)])

    def _logistic(self, operator: Operator, name: str) -> None:
        self._node("Sigmoid", [self.value(operator.inputs[0])], name)

    def _pad(self, operator: Operator, name: str) -> None:
        picture, amounts = operator.inputs
        pads = self._network.constant(amounts)[[0, 3, 1, 2]].T.reshape(-1).astype(np.int64)
        self._node("Pad", [self.value(picture), self._constant(f"pads{amounts}", pads)], name)

    def _max_pool_2d(self, operator: Operator, name: str) -> None:
        options, (picture,) = operator.options(tflite.Pool2DOptions), operator.inputs
        size, strides = [options.FilterHeight(), options.FilterWidth()], [options.StrideH(), options.StrideW()]
        pads = self._padding(options.Padding(), picture, size, strides)
        self._node("MaxPool", [self.value(picture)], name, kernel_shape=size, strides=strides, pads=pads)

    def _resize_bilinear(self, operator: Operator, name: str) -> None:
        options, (picture, size) = operator.options(tflite.ResizeBilinearOptions), operator.inputs
        mode = "half_pixel" if options.HalfPixelCenters() else "asymmetric"
        mode = "align_corners" if options.AlignCorners() else mode
        scales = np.array([1, 1, *self._enlargement(picture, size)], np.float32)
        inputs = [self.value(picture), "", self._constant(f"scales{operator.output}", scales)]
        self._node("Resize", inputs, name, mode="linear", coordinate_transformation_mode=mode)

    def _enlargement(self, picture: int, size: int) -> np.ndarray:
        """Return by how much a picture is enlarged: to a constant size, or to its own size times a constant."""
        wanted = self._network.constant(size)
        if wanted is not None:
            return wanted / np.array(self._network.shape(picture)[1:3])
        times = self._network.made_by[size]
        sliced = self._network.made_by.get(times.inputs[0])
        shape = self._network.made_by.get(sliced.inputs[0]) if sliced is not None else None
        factor = self._network.constant(times.inputs[1])
        if shape is None or factor is None or (times.name, shape.name) != ("MUL", "SHAPE"):
            raise NotImplementedError("resizing to a size that is not a multiple of the picture's")
        if shape.inputs[0] != picture:
            raise NotImplementedError("resizing to another picture's size")
        return factor

    def _reshape(self, operator: Operator, name: str) -> None:
        (picture, _), shape = operator.inputs, self._network.shape(operator.output)
        if self._network.shape(picture)[1:3] != [1, 1] or len(shape) != 2:
            raise NotImplementedError(f"reshaping {self._network.shape(picture)} to {shape}")
        self._node("Flatten", [self.value(picture)], name, axis=1)


def convert(content: bytes, outputs: Mapping[str, str]) -> onnx.ModelProto:
    """Convert a network.

    Args:
        content: The TFLite file.
        outputs: Names of the tensors to return, inner ones too, by the names that they get.

    Returns:
        The ONNX network, whose input is "image". Input and outputs have the shapes and the order of axes of the TFLite
        file.

    Raises:
        NotImplementedError: The network uses what has no rule here.
    """
    network = Network(content)
    (picture,) = network.inputs
    converter = Converter(network)
    tensors = {name: network.named(source) for name, source in outputs.items()}
    for name, tensor in tensors.items():
        converter.output(tensor, name)
    nodes, constants = converter.graph()
    described = [
        helper.make_tensor_value_info(name, _ONNX_TYPES[network.type(tensor)], _axes(network.shape(tensor)))
        for name, tensor in {_INPUT: picture, **tensors}.items()
    ]
    graph = helper.make_graph(nodes, "network", described[:1], described[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def _axes(shape: list[int]) -> list[int | str | None]:
    return [_BATCH, *(side if side > 0 else None for side in shape[1:])]
