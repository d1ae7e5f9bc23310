"""What a lifter is to everything that uses one, and the lifters that ship: ONNX files with a card beside them."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from poselift.card import Card
from poselift.choose import Choice, choose
from poselift.errors import CheckpointError, ShapeError, SkeletonError, did_you_mean
from poselift.normalize import NORMALIZATIONS
from poselift.skeleton import Skeleton, get_skeleton

DEFAULT_LIFTER = "nanohtnet.mocap-81"
"""Name of the weights that are measured, and used, when none are asked for and there is no clip to choose by."""
AUTO = "auto"
"""Name that asks for the weights that suit the clip."""


@runtime_checkable
class Lifter(Protocol):
    """A network that turns windows of 2D keypoints into 3D joints.

    It may also have `normalization`, one of `poselift.normalize.NORMALIZATIONS`; without it, it is `PERSON_SCALE`.
    """

    @property
    def skeleton(self) -> Skeleton:
        """Joints in and out."""

    @property
    def in_frames(self) -> int:
        """Frames in a window (T)."""

    @property
    def out_frames(self) -> tuple[int, ...]:
        """Places in the window that it yields (S of them)."""

    @property
    def fps(self) -> float:
        """Frames per second it was trained at."""

    @property
    def in_channels(self) -> int:
        """2 (x, y), or 3 with confidence."""

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """(B, T, J, C) float32 normalised keypoints to (B, S, J, 3) float32 metres, root-relative, camera axes."""


class OnnxLifter:
    """A lifter from an ONNX file and its card, run by ONNX Runtime on the CPU."""

    def __init__(self, path: str | Path, *, threads: int = 0) -> None:
        """Open the weights.

        Args:
            path: The `.onnx` file; its card has the same name with the ending `.json`.
            threads: Threads that one call uses; 0 lets ONNX Runtime take all cores.

        Raises:
            CheckpointError: The file or its card is missing, broken, or they contradict each other.
        """
        path = Path(path)
        if not path.is_file():
            raise CheckpointError(f"no weights at {path}")
        self.path, self.card = path, Card.read(path.with_suffix(".json"))
        self.normalization = self.card.normalization
        if self.normalization not in NORMALIZATIONS:
            raise CheckpointError(
                f"{path}: unknown normalisation '{self.normalization}'; this version knows {', '.join(NORMALIZATIONS)}"
            )
        self.skeleton = get_skeleton(self.card.skeleton)
        self.in_frames, self.out_frames = self.card.in_frames, self.card.out_frames
        self.fps, self.in_channels = self.card.fps, self.card.in_channels
        self._session = _open_session(path, threads)
        self._check_shapes(path)

    def _check_shapes(self, path: Path) -> None:
        (inputs,), (outputs,) = self._session.get_inputs(), self._session.get_outputs()
        wanted = ([self.in_frames, len(self.skeleton), self.in_channels], [len(self.out_frames), len(self.skeleton), 3])
        if (list(inputs.shape[1:]), list(outputs.shape[1:])) != wanted:
            raise CheckpointError(
                f"{path}: the card says windows {wanted[0]} to joints {wanted[1]}, "
                f"the network takes {inputs.shape[1:]} and gives {outputs.shape[1:]}"
            )
        if inputs.type != "tensor(float)" or isinstance(inputs.shape[0], int):
            raise CheckpointError(
                f"{path}: wanted any number of float32 windows, the network takes {inputs.shape} {inputs.type}; "
                "export it with a dynamic batch axis"
            )
        self._input, self._output = inputs.name, outputs.name

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """(B, T, J, C) float32 normalised keypoints to (B, S, J, 3) float32 metres, root-relative, camera axes.

        Raises:
            ShapeError: The windows have another shape.
        """
        wanted = (self.in_frames, len(self.skeleton), self.in_channels)
        if windows.ndim != 4 or windows.shape[1:] != wanted:
            raise ShapeError(f"wanted windows (B, {', '.join(map(str, wanted))}), got {windows.shape}")
        (joints,) = self._session.run([self._output], {self._input: np.ascontiguousarray(windows, np.float32)})
        return joints


def _open_session(path: Path, threads: int) -> Any:
    import onnxruntime  # slow to import: only where a network is opened
    from onnxruntime.capi import onnxruntime_pybind11_state as failures

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    broken = (failures.Fail, failures.InvalidProtobuf, failures.InvalidGraph, failures.InvalidArgument)
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except (*broken, failures.NoSuchFile, failures.NotImplemented) as error:
        raise CheckpointError(f"{path} is no network that ONNX Runtime can open: {error}") from error
    if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1:
        raise CheckpointError(f"{path}: wanted one input and one output")
    return session


def shipped_lifters() -> Sequence[str]:
    """Names of the weights that come with the package."""
    folder = resources.files("poselift") / "weights"
    if not folder.is_dir():
        return []
    return sorted(item.name.removesuffix(".onnx") for item in folder.iterdir() if item.name.endswith(".onnx"))


def shipped_cards() -> list[Card]:
    """Cards of the weights that come with the package.

    Raises:
        CheckpointError: One is broken.
    """
    return [Card.read(_shipped(name).with_suffix(".json")) for name in shipped_lifters()]


def choose_shipped(*, fps: float | None = None, length: int | None = None, live: bool = False) -> Choice:
    """The shipped weights that suit a clip, or a stream; see `poselift.choose.choose`."""
    return choose(shipped_cards(), fps=fps, length=length, live=live)


def load_lifter(
    name_or_path: str | Path = DEFAULT_LIFTER,
    *,
    fps: float | None = None,
    length: int | None = None,
    live: bool = False,
    threads: int = 0,
) -> "OnnxLifter | Lifter":
    """Open a lifter.

    Args:
        name_or_path: A name of `shipped_lifters()`; "auto" for those that suit a clip or a stream
            (`poselift.choose.choose`); the path of an `.onnx` file with its card beside it; or `module:Class` for a
            lifter of your own, whose module is imported.
        fps: With "auto": frames per second of the clip.
        length: With "auto": frames of the clip.
        live: With "auto": for a stream; the newest frame out is the newest frame in.
        threads: Threads that one call uses; 0 for all cores.

    Returns:
        The lifter; an `OnnxLifter`, which has a `card`, unless it is your own.

    Raises:
        CheckpointError: There is no such lifter, its files are broken, or "auto" has nothing to choose by or among.
        SkeletonError: A lifter of your own lacks a part of the contract.
    """
    if ":" in str(name_or_path) and not str(name_or_path).endswith(".onnx"):
        return _load_own(str(name_or_path))
    if str(name_or_path).endswith(".onnx"):
        return OnnxLifter(name_or_path, threads=threads)
    if str(name_or_path) == AUTO:
        name_or_path = choose_shipped(fps=fps, length=length, live=live).card.name
    known = shipped_lifters()
    if str(name_or_path) not in known:
        raise CheckpointError(
            f"unknown lifter '{name_or_path}'; {did_you_mean(str(name_or_path), known)} or the path of an .onnx file"
        )
    return OnnxLifter(_shipped(str(name_or_path)), threads=threads)


def _shipped(name: str) -> Path:
    return Path(str(resources.files("poselift") / "weights" / f"{name}.onnx"))


@contextmanager
def importing_from_here() -> Iterator[None]:
    """Let `module:Class` name a module in the working folder, as `python -m` does."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _load_own(name: str) -> Lifter:
    """An instance of the class that `module:Class` names."""
    module, _, attribute = name.partition(":")
    try:
        kind = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise CheckpointError(f"no module '{module}' for '{name}'; run in its folder, or install it") from error
    if not isinstance(kind, type):
        raise CheckpointError(f"{module} has no class '{attribute}'")
    if any(base.__module__.partition(".")[0] == "torch" for base in kind.__mro__):
        raise CheckpointError(
            f"{name} is a torch network, which needs its trained weights; train it (poselift train mocap --lifter "
            f"{name} ...) and name the .onnx file that comes out"
        )
    lifter = kind()
    check_lifter(lifter)
    return lifter


def check_lifter(lifter: Any) -> None:
    """Check that something keeps the contract of `Lifter`.

    Raises:
        SkeletonError: It does not; the message says which part is missing.
    """
    if not isinstance(lifter, Lifter):
        wanted = ("skeleton", "in_frames", "out_frames", "fps", "in_channels", "__call__")
        missing = [name for name in wanted if not hasattr(lifter, name)]
        raise SkeletonError(f"{type(lifter).__name__} is no lifter: it lacks {', '.join(missing)}")
