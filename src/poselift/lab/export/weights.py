"""Read and write weights: ours as safetensors, the authors' as they saved them. Code in a file is never run."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from poselift.errors import CheckpointError, FormatError
from poselift.files import check_readable, found_at, parse_json, written_whole
from poselift.files.limits import NETWORK
from poselift.lab.export.half import fits_half
from poselift.lab.models import LIFTERS, build_stored, plain_options, stored_config
from poselift.lab.models.extras import OutputsConfig
from poselift.lab.models.lifter import Lifter
from poselift.lab.run.torch_file import read_torch_file
from poselift.lifters.outside import check_typed

_OUTPUTS = tuple(field.name for field in fields(OutputsConfig))
"""Options of what a lifter gives besides joints."""


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
        lifter: The lifter's name, as for `poselift.lab.models.build`.
        config: Options that the lifter was built with.
        overwrite: Replace an existing file.
        part: Which weights are trained: "encoder" says that the head is still fresh.

    Raises:
        OutputExistsError: `path` exists and `overwrite` is off.
        OutputError: The file cannot be written.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    options = json.dumps(dict(config), default=lambda value: value.name)  # a skeleton is stored by its name
    with written_whole(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(safetensors.torch.save(tensors, {"lifter": lifter, "config": options, "part": part}))


def halve_weights(source: str | Path, target: str | Path, *, overwrite: bool = False) -> None:
    """Copy a file of `save_weights` with its large tensors as float16; readers of such files convert them to float32.

    Args:
        source: The file to copy.
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
        temporary.write_bytes(safetensors.torch.save(halved, metadata))


def load_weights(path: str | Path, *, lifter: str | None = None) -> Lifter:
    """Build the lifter that `save_weights` has written, in evaluation mode.

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
            f"{path} does not say which lifter it is of; wanted weights that poselift wrote; import the authors' own "
            "files by poselift import-weights"
        )
    check_typed(metadata["lifter"], lifter, str(path))
    model = build_stored(metadata["lifter"], _options(path, metadata), str(path))
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
    """Load weights to start a training from: those of a pre-trained encoder, or all of them with the head's.

    The file's metadata says which of the two it holds. The file's options must equal the model's, except for dropout,
    for what the lifter gives besides joints (heads that only one of the two has stay fresh, or are left out), and for
    options to which the lifter can fit weights. Such a lifter has `resizable`, the names of these options, and
    `resized(tensors, config)`, which fits weights of another config (of a lifter from elsewhere: of other options).

    Args:
        model: The lifter, which is changed in place.
        path: A file of `save_weights`, as pre-training and training write it.

    Raises:
        CheckpointError: There is no such file, it is broken, or of another lifter; or a weight is missing, unknown, or
            of another shape. Nothing is changed then.
    """
    path = Path(path)
    tensors, metadata = _read_safetensors(path)
    saved = _checked_config(model, path, metadata)
    if resized := getattr(model, "resized", None):
        tensors = resized(tensors, saved)
    kept = _encoder if metadata.get("part") == "encoder" else dict
    wanted, got = kept(model.state_dict()), kept(tensors)
    if _outputs(saved) != _outputs(getattr(model, "config", None)):
        wanted, got = ({n: x for n, x in weights.items() if not n.startswith("extras.")} for weights in (wanted, got))
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


def _outputs(config: Any) -> list[Any]:
    """Return what one of our lifters' configs asks for besides joints; alike for all other lifters."""
    return [getattr(config, name, None) for name in _OUTPUTS]


def _encoder(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights without the heads'."""
    return {name: value for name, value in tensors.items() if not name.startswith(("head.", "extras."))}


def _shape(tensor: Tensor | None) -> str:
    """Return a tensor's shape for a message, "nothing" for None."""
    return "nothing" if tensor is None else str(tuple(tensor.shape))


def _checked_config(model: Lifter, path: Path, metadata: Mapping[str, str]) -> Any:
    """Return the config of the file's lifter, or its options when it is a lifter from elsewhere.

    Options can change what weights mean without changing their shapes, so those of our lifters must equal the model's.
    """
    if not {"lifter", "config"} <= set(metadata):
        raise CheckpointError(f"{path} does not say which lifter it is of; wanted weights that poselift wrote")
    options, entry = _options(path, metadata), LIFTERS.get(metadata["lifter"])
    config = getattr(model, "config", None)
    if entry is None and not any(isinstance(config, known.config) for known in LIFTERS.values()):
        return plain_options(options, str(path))
    if entry is None or not isinstance(config, entry.config):
        raise CheckpointError(
            f"{path} is of {metadata['lifter']}, and not of {type(model).__name__}; name other weights"
        )
    saved = stored_config(metadata["lifter"], options, str(path))
    resizable = getattr(model, "resizable", ())
    for field in fields(saved):
        want, got = getattr(config, field.name), getattr(saved, field.name)
        if want != got and "drop" not in field.name and field.name not in (*resizable, *_OUTPUTS):
            can = f"; only {', '.join(resizable)} may differ" if resizable else ""
            message = f"{path} was made with {field.name}={got!r}; wanted {want!r}, as this lifter has it{can}"
            raise CheckpointError(message)
    return saved


def _options(path: Path, metadata: Mapping[str, str]) -> Any:
    """Return the options that the file's lifter was built with, as the file holds them."""
    try:
        return parse_json(metadata["config"], f"{path}, config")
    except FormatError as error:
        raise CheckpointError(str(error)) from error


def read_reference(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of an authors' checkpoint: a `.pth` file with a state dict, or safetensors.

    Raises:
        CheckpointError: There is no such file, it is broken, or holds anything but tensors by name. A pickle that would
            run code is refused, and nothing in it is run.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)[0]
    if not found_at(path, CheckpointError):
        raise CheckpointError(f"no weights at {path}")
    try:
        content = read_torch_file(path)
    except CheckpointError as error:
        wanted = "wanted the file that the authors' code saves: torch.save(model.state_dict(), path)"
        raise CheckpointError(f"{error}; {wanted}") from error
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
    if odd := [name for name, value in content.items() if not _is_whole(value)]:
        raise CheckpointError(
            f"{path}: wanted plain tensors, as many numbers as their shapes say; got another: {odd[0]}"
        )
    return dict(content)


def _is_whole(tensor: Tensor) -> bool:
    """Return whether a tensor is dense and holds as many numbers as its shape says, which may repeat one number."""
    dense = tensor.layout is torch.strided and not tensor.is_quantized and tensor.device.type == "cpu"
    return dense and tensor.nbytes <= tensor.untyped_storage().nbytes()


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors by name and the metadata of a safetensors file."""
    if not found_at(path, CheckpointError):
        raise CheckpointError(f"no weights at {path}")
    try:
        check_readable(path, NETWORK)
        with safetensors.safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}
    except FormatError as error:
        raise CheckpointError(str(error)) from error
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is not a safetensors file, or is broken: {error}") from error
