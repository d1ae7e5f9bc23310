"""A lifter from an ONNX file with a card beside it."""

import os
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from poselift.errors import CheckpointError, FormatError, ShapeError, did_you_mean
from poselift.files import check_readable, found_at
from poselift.files.limits import NETWORK
from poselift.lifters.card import Card
from poselift.lifters.openvino import OpenVinoSession
from poselift.prepare.normalize import NORMALIZATIONS
from poselift.sequence import CONTACTS
from poselift.skeleton import get_skeleton

Engine = Literal["onnxruntime", "openvino"]
"""What runs networks."""
PIECE = 32
"""Windows that a call of ONNX Runtime takes at a time on one thread; more threads take as many more. What lies between
two layers of more windows does not fit a core's cache, and every step has to fetch it: of batches of 8 to 256, those of
32 are the fastest or within 4 % of it for all shipped networks (docs/log.md)."""


class OnnxLifter:
    """A lifter from an ONNX file and its card, run on the CPU by ONNX Runtime or, if asked for, by OpenVINO."""

    def __init__(self, path: str | Path, *, threads: int = 0, engine: Engine = "onnxruntime") -> None:
        """Open the weights.

        Args:
            path: The `.onnx` file; its card has the same name with the ending `.json`.
            threads: Number of threads that one call uses; 0 lets the engine take all cores.
            engine: "onnxruntime", or "openvino", which needs the extra of that name.

        Raises:
            MissingExtraError: The engine is not installed.
            CheckpointError: The file or its card is missing, broken, or they contradict each other.
        """
        path = Path(path)
        if not found_at(path, CheckpointError):
            raise CheckpointError(f"no weights at {path}")
        try:
            check_readable(path, NETWORK)
        except FormatError as error:
            raise CheckpointError(str(error)) from error
        self.path, self.card = path, Card.read(path.with_suffix(".json"))
        self.normalization = self.card.normalization
        if self.normalization not in NORMALIZATIONS:
            raise CheckpointError(
                f"{path}: unknown normalisation '{self.normalization}'; this version knows {', '.join(NORMALIZATIONS)}"
            )
        self.skeleton = get_skeleton(self.card.skeleton)
        self.in_frames, self.out_frames = self.card.in_frames, self.card.out_frames
        self.fps, self.in_channels = self.card.fps, self.card.in_channels
        self._session = _open_session(path, threads, engine)
        self._piece = PIECE * (threads or os.cpu_count() or 1)
        try:
            self._check_shapes(path)
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{path} holds names that are no text; export the network again") from error

    def _check_shapes(self, path: Path) -> None:
        (inputs,), outputs = self._session.get_inputs(), {out.name: out for out in self._session.get_outputs()}
        if len(outputs) == 1:  # it may have any name
            outputs = {"joints": next(iter(outputs.values()))}
        frames, joints = len(self.out_frames), len(self.skeleton)
        known = {"joints": [frames, joints, 3], "spread": [frames, joints], "up": [frames, 3]}
        known |= {"contact": [frames, len(CONTACTS)]}
        wanted = [self.in_frames, joints, self.in_channels]
        if list(inputs.shape[1:]) != wanted:
            raise CheckpointError(
                f"{path}: the card says windows {wanted} to joints {known['joints']}, the network takes "
                f"{inputs.shape[1:]}"
            )
        for name, shape in known.items():
            if name in outputs and list(outputs[name].shape[1:]) != shape:
                raise CheckpointError(
                    f"{path}: the card says windows {wanted} to {name} {shape}, the network gives "
                    f"{outputs[name].shape[1:]}"
                )
        if inputs.type != "tensor(float)" or isinstance(inputs.shape[0], int):
            raise CheckpointError(
                f"{path}: wanted any number of float32 windows, the network takes {inputs.shape} {inputs.type}; "
                "export it with a dynamic batch axis"
            )
        self._input = inputs.name
        self._outputs = {name: out.name for name, out in outputs.items() if name in known}

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what `answer` returns: "joints", and any of "spread", "up", "contact"."""
        return tuple(self._outputs)

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Lift (B, T, J, C) float32 normalised keypoints to (B, S, J, 3) float32 metres, root-relative, camera axes.

        Raises:
            ShapeError: The windows have another shape.
            CheckpointError: The network fails on them.
        """
        return self._run(windows, ("joints",))["joints"]

    def answer(self, windows: np.ndarray) -> dict[str, np.ndarray]:
        """Lift (B, T, J, C) to everything that the network gives, by name, as `poselift.lifters.contract.Lifter` says.

        Raises:
            ShapeError: The windows have another shape.
            CheckpointError: The network fails on them.
        """
        return self._run(windows, self.outputs)

    def _run(self, windows: np.ndarray, outputs: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Return some of the network's outputs by our names; errors as `answer`."""
        wanted = (self.in_frames, len(self.skeleton), self.in_channels)
        if windows.ndim != 4 or windows.shape[1:] != wanted:
            raise ShapeError(f"wanted windows (B, {', '.join(map(str, wanted))}), got {windows.shape}")
        try:
            given = np.ascontiguousarray(windows, np.float32)
            found = self._in_pieces([self._outputs[name] for name in outputs], given)
        except _runtime_errors() as error:
            raise CheckpointError(
                f"{self.path} fails on {len(windows)} windows {wanted}: {str(error).strip()}; export the network "
                "again, or use another"
            ) from error
        return dict(zip(outputs, found, strict=True))

    def _in_pieces(self, names: list[str], windows: np.ndarray) -> list[np.ndarray]:
        """Run the network on windows (B, T, J, C), no more than `PIECE` at a time for each thread."""
        if len(windows) <= self._piece:
            return list(self._session.run(names, {self._input: windows}))
        starts = range(0, len(windows), self._piece)
        parts = [self._session.run(names, {self._input: windows[at : at + self._piece]}) for at in starts]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _runtime_errors() -> tuple[type[Exception], ...]:
    """Return the errors that ONNX Runtime raises; they have no base in common."""
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    own = [kind for kind in vars(runtime).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return (*own, MemoryError, RuntimeError, ValueError)


def _open_session(path: Path, threads: int, engine: Engine) -> Any:
    if engine not in get_args(Engine):
        raise CheckpointError(f"unknown engine '{engine}'; {did_you_mean(engine, get_args(Engine))}")
    session = OpenVinoSession(path, threads) if engine == "openvino" else _open_by_onnxruntime(path, threads)
    names = [out.name for out in session.get_outputs()]
    if len(session.get_inputs()) != 1 or not (len(names) == 1 or "joints" in names):
        raise CheckpointError(f"{path}: wanted one input and one output, or several with one called joints")
    return session


def _open_by_onnxruntime(path: Path, threads: int) -> Any:
    import onnxruntime  # slow to import, so only when a network is opened

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # errors are raised, too
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except _runtime_errors() as error:
        raise CheckpointError(f"{path} is no network that ONNX Runtime can open: {error}") from error
