"""Weights on disk: ours as safetensors, the authors' as they saved them. Nothing in a file is ever run."""

import json
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from poselift.errors import CheckpointError
from poselift.files import written_whole
from poselift.lab.export.half import fits_half
from poselift.lab.models import LIFTERS, build
from poselift.lab.models.lifter import Lifter
from poselift.lifters.outside import check_typed
from poselift.skeleton import get_skeleton


def save_weights(
    model: nn.Module,
    path: str | Path,
    *,
    lifter: str,
    config: Mapping[str, Any],
    overwrite: bool,
    part: Literal["whole", "encoder"] = "whole",
) -> None:
    """Write a lifter's weights as safetensors, with what is needed to build it again.

    Args:
        model: The lifter.
        path: The file to write.
        lifter: Name that `build` knows it by.
        config: Options it was built with.
        overwrite: Replace an existing file.
        part: What of the weights is worth keeping: with "encoder", the head is as fresh as it was.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is off.
        OutputError: The file cannot be written.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    options = json.dumps(dict(config), default=lambda value: value.name)  # a skeleton by its name
    with written_whole(path, overwrite=overwrite) as temporary:
        safetensors.torch.save_file(tensors, temporary, {"lifter": lifter, "config": options, "part": part})


def halve_weights(source: str | Path, target: str | Path, *, overwrite: bool = False) -> None:
    """A file of `save_weights` with its large tensors as float16; all that reads such files turns them back.

    Args:
        source: The file.
        target: The file to write, about half as large.
        overwrite: Replace an existing file.

    Raises:
        CheckpointError: There is no such file, or it is broken.
        OutputExistsError: `target` exists and `overwrite` is off.
        OutputError: The file cannot be written.
    """
    tensors, metadata = _read_safetensors(Path(source))
    halved = {name: value.half() if fits_half(value.numpy()) else value for name, value in tensors.items()}
    with written_whole(target, overwrite=overwrite) as temporary:
        safetensors.torch.save_file(halved, temporary, metadata)


def load_weights(path: str | Path, *, lifter: str | None = None) -> Lifter:
    """The lifter that `save_weights` has written, in evaluation mode.

    Args:
        path: The file. It says which lifter it is of.
        lifter: Which lifter it must be of. A lifter from elsewhere (`module:Class`) must be named here as well: its
            module is imported, and so run, and a file may not decide that.

    Raises:
        CheckpointError: There is no such file, it is broken, its weights do not fit the lifter it names, or that is not
            `lifter`.
        RecipeError: The lifter is unknown.
    """
    path = Path(path)
    tensors, metadata = _read_safetensors(path)
    if not {"lifter", "config"} <= set(metadata):
        raise CheckpointError(
            f"{path} does not say which lifter it is of; wanted weights that poselift wrote; for the authors' own "
            "files use poselift import-weights"
        )
    check_typed(metadata["lifter"], lifter, str(path))
    model = build(metadata["lifter"], **_options(metadata))
    wanted = model.state_dict()
    for name in wanted.keys() | tensors.keys():
        got, want = (weights[name].shape if name in weights else None for weights in (tensors, wanted))
        if got != want:
            shapes = " and ".join("nothing" if shape is None else str(tuple(shape)) for shape in (want, got))
            raise CheckpointError(
                f"{path}: {name}: wanted and got {shapes}; the file does not fit {metadata['lifter']}"
            )
    model.load_state_dict(tensors)
    return model.eval()


def load_initial(model: Lifter, path: str | Path) -> None:
    """Give a lifter weights to start from: an encoder that was pre-trained, or all of them, the head's too.

    Which of the two is in the file's metadata. The options of the file's lifter must be the model's, but for dropout,
    and for those in which the lifter can make weights fit: a lifter may have `resizable`, names of such options, and
    `resized(tensors, config)`, which turns weights of another config (of a lifter from elsewhere: its options) into its
    own.

    Args:
        model: The lifter.
        path: A file of `save_weights`, such as pre-training and training write.

    Raises:
        CheckpointError: There is no such file, it is broken, or of another lifter; or a weight is missing, unknown, or
            of another shape. Nothing is changed then.
    """
    path = Path(path)
    tensors, metadata = _read_safetensors(path)
    there = _checked_config(model, path, metadata)
    if resized := getattr(model, "resized", None):
        tensors = resized(tensors, there)
    kept = _encoder if metadata.get("part") == "encoder" else dict
    wanted, got = kept(model.state_dict()), kept(tensors)
    misfits = [
        f"{name}: wanted {_shape(wanted.get(name))}, got {_shape(got.get(name))}"
        for name in sorted(wanted.keys() | got.keys())
        if _shape(wanted.get(name)) != _shape(got.get(name))
    ]
    if misfits:
        more = f"; and {len(misfits) - 5} more" if len(misfits) > 5 else ""
        raise CheckpointError(f"{path} holds weights of another lifter: {'; '.join(misfits[:5])}{more}")
    with torch.no_grad():
        for name, value in wanted.items():
            value.copy_(got[name])


def _encoder(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights that are not the head's."""
    return {name: value for name, value in tensors.items() if not name.startswith("head.")}


def _shape(tensor: Tensor | None) -> str:
    return "nothing" if tensor is None else str(tuple(tensor.shape))


def _checked_config(model: Lifter, path: Path, metadata: Mapping[str, str]) -> Any:
    """The config of the file's lifter; its options when it is one from elsewhere, of which nothing is known.

    Options change what weights mean without changing their shapes, so that those of ours are compared.
    """
    if not {"lifter", "config"} <= set(metadata):
        raise CheckpointError(f"{path} does not say which lifter it is of; wanted weights that poselift wrote")
    options, entry = _options(metadata), LIFTERS.get(metadata["lifter"])
    if entry is None:
        return options
    config = getattr(model, "config", None)
    if not isinstance(config, entry.config):
        raise CheckpointError(f"{path} is of {metadata['lifter']}, and not of {type(model).__name__}")
    if "skeleton" in options:
        options["skeleton"] = get_skeleton(options["skeleton"])
    there = entry.config(**options)
    resizable = getattr(model, "resizable", ())
    for field in fields(there):
        want, got = getattr(config, field.name), getattr(there, field.name)
        if want != got and "drop" not in field.name and field.name not in resizable:
            can = f"; only {' and '.join(resizable)} may differ" if resizable else ""
            message = f"{path} was made with {field.name}={got!r}; wanted {want!r}, as this lifter has it{can}"
            raise CheckpointError(message)
    return there


def _options(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The options a lifter was built with."""
    config = json.loads(metadata["config"])
    return {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}


def read_reference(path: str | Path) -> dict[str, Tensor]:
    """The tensors of an authors' checkpoint: a `.pth` file with a state dict, or safetensors.

    Raises:
        CheckpointError: There is no such file, it is broken, or holds anything but tensors by name; a pickle that would
            run code is refused and runs nothing.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)[0]
    if not path.is_file():
        raise CheckpointError(f"no weights at {path}")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")  # it is refused or read all the same
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} holds more than tensors, or is broken; it was refused and nothing in it was run. Wanted the file "
            "that the authors' code saves: torch.save(model.state_dict(), path)"
        ) from error
    except (RuntimeError, OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} is no checkpoint, or is broken: {error}") from error
    if isinstance(content, Mapping) and len(content) == 1 and isinstance(next(iter(content.values())), Mapping):
        (content,) = content.values()  # {"state_dict": {...}} and the like
    if not isinstance(content, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        kinds = sorted({type(value).__name__ for value in content.values()}) if isinstance(content, Mapping) else []
        raise CheckpointError(
            f"{path}: wanted tensors by name, got {type(content).__name__} of {', '.join(kinds) or 'nothing'}; save "
            "the model's state_dict() alone"
        )
    return dict(content)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise CheckpointError(f"no weights at {path}")
    try:
        with safetensors.safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is no safetensors file, or is broken: {error}") from error
