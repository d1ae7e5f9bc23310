"""The table of lifters that can be built by name, and two ways to build one: fresh, or with the authors' weights."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from poselift.errors import CheckpointError, FormatError, RecipeError, SkeletonError, did_you_mean
from poselift.lab.models import convformer, htnet, nanohtnet, posessm
from poselift.lab.models.baselines import mixste, motionagformer, poseformerv2, simplebaseline, videopose3d
from poselift.lab.models.lifter import Lifter
from poselift.lab.models.outside import build_outside, outside_options
from poselift.lab.models.reference import Reference, load_reference
from poselift.lifters.outside import is_outside
from poselift.records import record
from poselift.skeleton import Skeleton, get_skeleton

MOST_BLOCKS = 100
"""Most blocks of a lifter that a file describes; the papers' have up to 8."""
MOST_OPTION = 10_000
"""Largest whole number among its options; the papers have layers of up to 1024 and windows of up to 351."""
MOST_WEIGHTS = 100_000_000
"""Most weights of a lifter that a file describes; the largest of the papers' has 4 million."""


@dataclass(frozen=True)
class Entry:
    """A lifter that can be built by name."""

    model: Callable[[Any], Lifter]
    """Makes the network from its config."""
    config: type
    """The dataclass of the lifter's options."""
    reference: Reference | None
    """How the authors' code saves the weights; None where the authors released no code."""


LIFTERS: dict[str, Entry] = {
    "nanohtnet": Entry(nanohtnet.NanoHTNet, nanohtnet.NanoHTNetConfig, nanohtnet.REFERENCE),
    "htnet": Entry(htnet.HTNet, htnet.HTNetConfig, htnet.REFERENCE),
    "convformer": Entry(convformer.ConvFormer, convformer.ConvFormerConfig, None),
    "posessm": Entry(posessm.PoseSSM, posessm.PoseSSMConfig, posessm.REFERENCE),
    "simplebaseline": Entry(simplebaseline.SimpleBaseline, simplebaseline.SimpleBaselineConfig, None),
    "videopose3d": Entry(videopose3d.VideoPose3D, videopose3d.VideoPose3DConfig, None),
    "mixste": Entry(mixste.MixSTE, mixste.MixSTEConfig, None),
    "motionagformer": Entry(motionagformer.MotionAGFormer, motionagformer.MotionAGFormerConfig, None),
    "poseformerv2": Entry(poseformerv2.PoseFormerV2, poseformerv2.PoseFormerV2Config, None),
}
"""Every lifter by name."""


def build(name: str, **config: Any) -> Lifter:
    """Build a lifter with freshly initialized weights, in training mode.

    Args:
        name: A key of `LIFTERS`, or `module:Class` for a lifter from elsewhere, whose module is imported and so run:
            a name that the user typed, not one that a file holds (`poselift.lifters.outside.check_typed`).
        **config: Fields of the lifter's config, or arguments of the class; `skeleton` may be a skeleton's name.

    Raises:
        CheckpointError: There is no class `module:Class`.
        RecipeError: The name or a field is unknown, or a value is out of range.
        SkeletonError: The skeleton is unknown, or lacks a limb.
        ShapeError: A lifter from elsewhere returns another shape than it announces.
    """
    if isinstance(config.get("skeleton"), str):
        config["skeleton"] = get_skeleton(config["skeleton"])
    if is_outside(name):
        return build_outside(name, config)
    entry = _entry(name)
    known = [field.name for field in fields(entry.config)]
    for field in config:
        if field not in known:
            raise RecipeError(f"{name} has no option '{field}'; {did_you_mean(field, known)}")
    return entry.model(entry.config(**config))


def stored_config(name: str, options: Any, where: str) -> Any:
    """Return the config of one of our lifters from options that a file holds.

    Args:
        name: A key of `LIFTERS`.
        options: What the file holds, in JSON's containers; options that are not in it have their defaults.
        where: Name of the file, for the errors.

    Raises:
        CheckpointError: An option is unknown, of another type or out of range.
    """
    kind = _entry(name).config
    try:
        if not isinstance(options, dict):
            raise FormatError(f"wanted them by name, got {type(options).__name__}")
        given: dict[str, Any] = {field.name: field.default for field in fields(kind)} | options
        if isinstance(given["skeleton"], str):
            given["skeleton"] = get_skeleton(given["skeleton"])
        return record(kind, given, f"{name}'s options")
    except (FormatError, RecipeError, SkeletonError) as error:
        raise CheckpointError(f"{where}: the options of {name} are broken: {error}") from error


def build_stored(name: str, options: Any, where: str) -> Lifter:
    """Build the lifter that a file describes; a lifter from elsewhere (`module:Class`) must be named by the user.

    Args:
        name: The lifter's name, as for `build`.
        options: What the file holds; see `stored_config`.
        where: Name of the file, for the errors.

    Raises:
        CheckpointError: An option is unknown, of another type or out of range, or the lifter would be huge.
        RecipeError: The name is unknown.
    """
    if is_outside(name):
        return build(name, **plain_options(options, where))
    return _build_sized(_entry(name), stored_config(name, options, where), where)


def _build_sized(entry: Entry, config: Any, where: str) -> Lifter:
    """Build a lifter whose options nobody vouches for.

    Raises:
        CheckpointError: The lifter would be huge.
    """
    numbers = {field.name: value for field in fields(config) if type(value := getattr(config, field.name)) is int}
    blocks = [value for name, value in numbers.items() if name.startswith("num_")]
    if (
        max(numbers.values()) > MOST_OPTION
        or max(blocks) > MOST_BLOCKS
        or len(getattr(config, "kernels", ())) > MOST_BLOCKS
    ):
        raise CheckpointError(f"{where}: wanted up to {MOST_BLOCKS} blocks, numbers up to {MOST_OPTION}, got {numbers}")
    with torch.device("meta"):  # takes no memory
        size = sum(value.numel() for value in entry.model(config).state_dict().values())
    if size > MOST_WEIGHTS:
        raise CheckpointError(f"{where}: wanted a lifter of up to {MOST_WEIGHTS:,} weights, got {size:,}")
    return entry.model(config)


def plain_options(options: Any, where: str) -> dict[str, Any]:
    """Return options that a file holds for a lifter from elsewhere, with tuples in the place of lists.

    Raises:
        CheckpointError: The file holds no options by name.
    """
    if not isinstance(options, dict):
        raise CheckpointError(f"{where}: wanted options by name, got {type(options).__name__}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def options(name: str) -> dict[str, Any]:
    """Return every option of a lifter with its default; a skeleton is given by its name.

    Args:
        name: The lifter's name, as for `build`.

    Raises:
        CheckpointError: There is no class `module:Class`.
        RecipeError: The name is unknown.
    """
    if is_outside(name):
        found = outside_options(name)
    else:
        found = {field.name: field.default for field in fields(_entry(name).config) if field.default is not MISSING}
    return {option: value.name if isinstance(value, Skeleton) else value for option, value in found.items()}


def from_reference(name: str, state_dict: Mapping[str, Tensor]) -> Lifter:
    """Build a lifter with weights that the authors' code has saved, in evaluation mode.

    Depth, widths, frames and channels are read from the weights' shapes. The prefix `module.` is dropped from names.

    Args:
        name: A key of `LIFTERS`.
        state_dict: Weights by the authors' names.

    Raises:
        CheckpointError: A weight is missing, unknown, or of the wrong shape; the message names it. Or this lifter's
            authors released no code.
        RecipeError: The name is unknown.
    """
    entry = _entry(name)
    if entry.reference is None:
        has = ", ".join(key for key, other in LIFTERS.items() if other.reference)
        raise CheckpointError(f"weights by the authors of {name} cannot be imported, only those of {has}")
    return load_reference(
        name, entry.reference, lambda config: _build_sized(entry, entry.config(**config), "the weights"), state_dict
    )


def _entry(name: str) -> Entry:
    """Look a lifter up by name; the error for an unknown name suggests the nearest one."""
    if name not in LIFTERS:
        raise RecipeError(f"unknown lifter '{name}'; {did_you_mean(name, LIFTERS)}; or module:Class for your own")
    return LIFTERS[name]
