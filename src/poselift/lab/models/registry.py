"""The one table of lifters that can be built by name, and the two ways to build one."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

from poselift.errors import CheckpointError, RecipeError, did_you_mean
from poselift.lab.models import convformer, htnet, nanohtnet
from poselift.lab.models.lifter import Lifter
from poselift.skeleton import get_skeleton


@dataclass(frozen=True)
class Entry:
    """A lifter that can be built."""

    model: Callable[[Any], Lifter]
    """The network, made from its config."""
    config: type
    """Its config, a dataclass."""
    keys_from_reference: tuple[tuple[str, str], ...]
    """Patterns from our names of the weights to the authors'."""
    config_from_reference: Callable[[dict[str, tuple[int, ...]]], dict[str, Any]] | None
    """Fields of the config that the shapes of the authors' weights tell; None where the authors released none."""


LIFTERS: dict[str, Entry] = {
    "nanohtnet": Entry(
        nanohtnet.NanoHTNet,
        nanohtnet.NanoHTNetConfig,
        nanohtnet.KEYS_FROM_REFERENCE,
        nanohtnet.config_from_reference,
    ),
    "htnet": Entry(htnet.HTNet, htnet.HTNetConfig, htnet.KEYS_FROM_REFERENCE, htnet.config_from_reference),
    "convformer": Entry(convformer.ConvFormer, convformer.ConvFormerConfig, (), None),
}
"""Every lifter by name."""


def build(name: str, **config: Any) -> Lifter:
    """A freshly initialized lifter, in training mode.

    Args:
        name: A key of `LIFTERS`.
        **config: Fields of its config; `skeleton` may be a name.

    Raises:
        RecipeError: The name or a field is unknown, or a value out of range.
        SkeletonError: The skeleton is unknown, or lacks a limb.
    """
    entry = _entry(name)
    known = [field.name for field in fields(entry.config)]
    for field in config:
        if field not in known:
            raise RecipeError(f"{name} has no option '{field}'; {did_you_mean(field, known)}")
    if isinstance(config.get("skeleton"), str):
        config["skeleton"] = get_skeleton(config["skeleton"])
    return entry.model(entry.config(**config))


def from_reference(name: str, state_dict: Mapping[str, Tensor]) -> Lifter:
    """A lifter with weights that the authors' code has saved, in evaluation mode.

    Depth, widths, frames and channels are read from the shapes. `module.` before the names is dropped.

    Args:
        name: A key of `LIFTERS`.
        state_dict: Weights by the authors' names.

    Raises:
        CheckpointError: A weight is missing, unknown, or of the wrong shape (the message names it), or the authors
            released none.
        RecipeError: The name is unknown.
    """
    entry = _entry(name)
    if entry.config_from_reference is None:
        raise CheckpointError(f"{name}: no official weights exist; train it, or load weights saved by this library")
    given = {key.removeprefix("module."): value for key, value in state_dict.items()}
    try:
        config = entry.config(**entry.config_from_reference({key: tuple(value.shape) for key, value in given.items()}))
    except (KeyError, IndexError, ZeroDivisionError, RecipeError) as error:
        raise CheckpointError(f"these are no weights of {name}: {error}; check the name and the file") from error
    model = entry.model(config)
    ours = model.state_dict()
    names = {_reference_key(key, entry.keys_from_reference): key for key in ours}
    _check_keys(name, set(names), set(given))
    loaded = {}
    for reference, key in names.items():
        value = _as_linear(given[reference]) if key.endswith(".mix.weight") else given[reference]
        if value.shape != ours[key].shape:
            got, wanted = tuple(value.shape), tuple(ours[key].shape)
            raise CheckpointError(
                f"{reference}: wanted shape {wanted}, got {got}; the file holds a mixture of variants"
            )
        loaded[key] = value
    model.load_state_dict(loaded)
    return model.eval()


def _entry(name: str) -> Entry:
    if name not in LIFTERS:
        raise RecipeError(f"unknown lifter '{name}'; {did_you_mean(name, LIFTERS)}")
    return LIFTERS[name]


def _reference_key(key: str, patterns: tuple[tuple[str, str], ...]) -> str:
    for ours, theirs in patterns:
        key = re.sub(ours, theirs, key)
    return key


def _as_linear(weight: Tensor) -> Tensor:
    """(out, in, limb) of a convolution over the joints of a limb to (out, limb * in), which does the same."""
    return weight.transpose(1, -1).flatten(1)


def _check_keys(name: str, wanted: set[str], given: set[str]) -> None:
    problems = [
        f"{len(keys)} {what}: {', '.join(sorted(keys)[:5])}{', ...' if len(keys) > 5 else ''}"
        for what, keys in (("missing", wanted - given), ("unknown", given - wanted))
        if keys
    ]
    if problems:
        raise CheckpointError(f"these weights do not fit {name}; {'; '.join(problems)}; check the name and the file")
