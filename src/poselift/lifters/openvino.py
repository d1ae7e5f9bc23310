"""Run ONNX files by OpenVINO instead of ONNX Runtime, on the CPU and in float32; needs the extra `openvino`."""

import importlib.util
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import CheckpointError, MissingExtraError, install_hint

_TYPES = {"f32": "tensor(float)", "f16": "tensor(float16)"}
"""ONNX Runtime's names of types, by OpenVINO's."""


@dataclass(frozen=True)
class Value:
    """Name, shape and type of an input or output, as ONNX Runtime describes them."""

    name: str
    """Its name."""
    shape: tuple[int | str, ...]
    """Its shape, with a text for what is not fixed."""
    type: str
    """Its type."""


class OpenVinoSession:
    """A network opened by OpenVINO, with the methods of ONNX Runtime's sessions that lifters use."""

    def __init__(self, path: Path, threads: int) -> None:
        """Open a network.

        Processors with AMX or AVX512-BF16 would compute in bfloat16 without the hint, and be off by millimetres.

        Args:
            path: The `.onnx` file.
            threads: Number of threads that one call uses; 0 for all cores.

        Raises:
            MissingExtraError: OpenVINO is not installed.
            CheckpointError: It cannot open the file.
        """
        if importlib.util.find_spec("openvino") is None:
            raise MissingExtraError(f"the engine openvino is not installed; run: {install_hint('openvino')}")
        logging.getLogger("openvino").setLevel(logging.ERROR)
        import openvino

        options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "1"}
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            self._network = openvino.Core().compile_model(str(path), "CPU", options)
        except RuntimeError as error:
            raise CheckpointError(f"{path} is no network that OpenVINO can open: {error}") from error
        self._request = self._network.create_infer_request()

    def get_inputs(self) -> list[Value]:
        """Return what goes in."""
        return [_value(port) for port in self._network.inputs]

    def get_outputs(self) -> list[Value]:
        """Return what comes out."""
        return [_value(port) for port in self._network.outputs]

    def run(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return outputs by name, as arrays of their own.

        Raises:
            RuntimeError: The network fails on this input.
        """
        found = self._request.infer(dict(feed))
        return [np.array(found[self._network.output(name)]) for name in names]


def _value(port: Any) -> Value:
    shape = tuple(part.get_length() if part.is_static else "any" for part in port.get_partial_shape())
    kind = port.get_element_type().get_type_name()
    return Value(port.get_any_name(), shape, _TYPES.get(kind, kind))
