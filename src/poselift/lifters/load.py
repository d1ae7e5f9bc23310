"""Open a lifter by name: shipped weights, an ONNX file, or a class of your own."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from poselift.errors import CheckpointError, did_you_mean
from poselift.lifters.card import Card
from poselift.lifters.choose import Choice, choose
from poselift.lifters.contract import Lifter, check_lifter
from poselift.lifters.onnx import Engine, OnnxLifter
from poselift.lifters.outside import import_class, is_outside
from poselift.skeleton import Skeleton

DEFAULT_LIFTER = "nanohtnet.mocap-81"
"""Name of the weights to use when none are named and there is no clip to choose by."""
AUTO = "auto"
"""Name that asks for the weights that suit the clip."""


def shipped_lifters() -> Sequence[str]:
    """Return the names of the weights that come with the package."""
    folder = resources.files("poselift") / "weights"
    if not folder.is_dir():
        return []
    return sorted(item.name.removesuffix(".onnx") for item in folder.iterdir() if item.name.endswith(".onnx"))


def shipped_cards() -> list[Card]:
    """Read the cards of the weights that come with the package.

    Raises:
        CheckpointError: A card is broken.
    """
    return [Card.read(_shipped(name).with_suffix(".json")) for name in shipped_lifters()]


def choose_shipped(
    *,
    fps: float | None = None,
    length: int | None = None,
    live: bool = False,
    delay_s: float = 0.0,
    skeleton: Skeleton | str | None = None,
) -> Choice:
    """Choose the shipped weights that suit a clip, or a stream; see `poselift.lifters.choose.choose`."""
    return choose(shipped_cards(), fps=fps, length=length, live=live, delay_s=delay_s, skeleton=skeleton)


def load_lifter(
    name_or_path: str | Path = DEFAULT_LIFTER,
    *,
    fps: float | None = None,
    length: int | None = None,
    live: bool = False,
    threads: int = 0,
    engine: Engine = "onnxruntime",
) -> "OnnxLifter | Lifter":
    """Open a lifter.

    Args:
        name_or_path: One of `shipped_lifters()`; "auto" for those that suit a clip or a stream
            (`poselift.lifters.choose.choose`); the path of an `.onnx` file with its card beside it; or `module:Class`
            for a lifter of your own, whose module is imported; it may be in the working folder.
        fps: With "auto": frames per second of the clip.
        length: With "auto": frames of the clip.
        live: With "auto": choose for a stream, where the newest frame in must come out at once.
        threads: Number of threads that one call uses; 0 for all cores.
        engine: What runs the network: "onnxruntime", or "openvino" (`poselift.lifters.openvino`).

    Returns:
        The lifter; an `OnnxLifter`, which has a `card`, unless it is your own.

    Raises:
        CheckpointError: There is no such lifter, its files are broken, or "auto" has nothing to choose by or among; or
            a lifter of your own cannot be made without arguments, lacks a part of the contract, or is to be run by an
            engine.
        MissingExtraError: The engine is not installed.
    """
    if is_outside(str(name_or_path)):
        if engine != "onnxruntime":
            raise CheckpointError(f"{name_or_path} runs itself; leave out the engine {engine}, or name an .onnx file")
        return _load_own(str(name_or_path))
    if str(name_or_path).endswith(".onnx"):
        return OnnxLifter(name_or_path, threads=threads, engine=engine)
    if str(name_or_path) == AUTO:
        name_or_path = choose_shipped(fps=fps, length=length, live=live).card.name
    known = shipped_lifters()
    if str(name_or_path) not in known:
        raise CheckpointError(
            f"unknown lifter '{name_or_path}'; {did_you_mean(str(name_or_path), known)} or the path of an .onnx file"
        )
    return OnnxLifter(_shipped(str(name_or_path)), threads=threads, engine=engine)


def _shipped(name: str) -> Path:
    return Path(str(resources.files("poselift") / "weights" / f"{name}.onnx"))


def _load_own(name: str) -> Lifter:
    """Make an instance of the class that `module:Class` names."""
    kind = import_class(name)
    if any(base.__module__.partition(".")[0] == "torch" for base in kind.__mro__):
        raise CheckpointError(
            f"{name} is a torch network, which needs its trained weights; train it (poselift train mocap --lifter "
            f"{name} ...) and name the .onnx file that comes out"
        )
    try:
        lifter = kind()
        check_lifter(lifter)
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{name} cannot be used as a lifter: {error} ({type(error).__name__}); wanted a class that is made without "
            "arguments and keeps the contract of poselift.lifters.contract.Lifter"
        ) from error
    return lifter
