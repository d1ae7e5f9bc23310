"""Opens the networks of the detector: those of the package, and files that the user names."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import DetectionError, FormatError
from poselift.files import FILE, check_readable, found_at
from poselift.files.limits import NETWORK

BUILD = "python scripts/build_detector.py"
"""Command that makes the files of the networks."""


class Network:
    """An ONNX network with one input, run by ONNX Runtime on the CPU."""

    def __init__(self, path: Path, outputs: Sequence[str], *, threads: int) -> None:
        """Open a network.

        Args:
            path: The `.onnx` file.
            outputs: Names of the outputs that are wanted, in this order.
            threads: Number of threads that one call uses.

        Raises:
            DetectionError: The file is missing, broken, too large, or a network without these outputs.
        """
        if found_at(path, DetectionError) != FILE:
            raise DetectionError(f"the detector's model {path} is not a file; {BUILD} makes one")
        try:
            check_readable(path, NETWORK)
        except FormatError as error:
            raise DetectionError(str(error)) from error
        self.path, self._session = path, _open_session(path, threads)
        try:
            inputs, found = self._session.get_inputs(), self._session.get_outputs()
            self.shapes = {value.name: list(value.shape) for value in [*inputs, *found]}
        except UnicodeDecodeError as error:
            raise DetectionError(f"{path} holds names that are no text; {BUILD} makes it again") from error
        self.inputs, self._outputs = [(value.name, value.type) for value in inputs], list(outputs)

    def __call__(self, values: np.ndarray) -> list[np.ndarray]:
        """Run the network on its input.

        Raises:
            DetectionError: The network fails on it.
        """
        try:
            return self._session.run(self._outputs, {self.inputs[0][0]: values})
        except _runtime_errors() as error:
            raise DetectionError(
                f"the detector's model {self.path} fails on {values.shape}: {str(error).strip()}; "
                f"{BUILD} makes it again"
            ) from error


def shipped_network(name: str) -> Path:
    """Return the file of a network of the package: "blazepose_full" or "movenet_multipose"."""
    return Path(str(resources.files("poselift") / "detect" / "models" / f"{name}.onnx"))


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return the errors that ONNX Runtime raises; they have no base in common."""
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    own = [kind for kind in vars(runtime).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return (*own, MemoryError, RuntimeError, ValueError)


def _open_session(path: Path, threads: int) -> Any:
    import onnxruntime  # slow to import, so only when a network is opened

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads would take the decoder's
    options.log_severity_level = 4  # errors are raised, too
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except _runtime_errors() as error:
        raise DetectionError(
            f"the detector's model {path} is no network that ONNX Runtime can open ({str(error).strip()}); {BUILD} "
            "makes one"
        ) from error
