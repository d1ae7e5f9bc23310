"""Lifters from elsewhere, named `module:Class`: any torch module that fulfils the contract of `Lifter`."""

import inspect
from typing import Any

import torch
from torch import nn

from poselift.errors import RecipeError, ShapeError, did_you_mean
from poselift.lifters.outside import import_class
from poselift.sequence import check_fps
from poselift.skeleton import Skeleton

_ATTRIBUTES = {
    "skeleton": "a Skeleton",
    "fps": "frames per second",
    "in_frames": "frames in a window",
    "in_channels": "2, or 3 with confidence",
    "out_frames": "indices of the window's frames that it returns",
    "encode": "maps keypoints to features",
    "head": "maps features to joints",
}


def outside_class(name: str) -> type[nn.Module]:
    """Return the class that `module:Class` names; importing its module runs the module's code.

    Raises:
        CheckpointError: There is no such module or class.
        RecipeError: The class is not a `torch.nn.Module`.
    """
    found = import_class(name)
    if not issubclass(found, nn.Module):
        raise RecipeError(f"wanted a torch.nn.Module as the lifter '{name}', found {found!r}")
    return found


def outside_options(name: str) -> dict[str, Any]:
    """Return the options of a lifter from elsewhere: its class's arguments that have a default, with the default.

    Raises:
        CheckpointError: There is no such class.
        RecipeError: The class is not a `torch.nn.Module`.
    """
    parameters = inspect.signature(outside_class(name)).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def build_outside(name: str, config: dict[str, Any]) -> Any:
    """Build a lifter from elsewhere and check that it fulfils the contract.

    Args:
        name: `module:Class`.
        config: Keyword arguments of the class.

    Raises:
        CheckpointError: There is no such class.
        RecipeError: The class has no such argument, wants another one, or lacks a part of the contract.
        ShapeError: The lifter returns other shapes than it announces.
    """
    kind = outside_class(name)
    known = list(inspect.signature(kind).parameters)
    for option in config:
        if option not in known:
            raise RecipeError(f"{name} has no option '{option}'; {did_you_mean(option, known)}")
    try:
        model = kind(**config)
    except TypeError as error:
        raise RecipeError(f"{name} cannot be made with the options {config}: {error}") from error
    missing = [f"{part} ({what})" for part, what in _ATTRIBUTES.items() if not hasattr(model, part)]
    if missing:
        raise RecipeError(f"{name} is not a lifter: it lacks {', '.join(missing)}; see docs/own_lifter.md")
    _check_values(name, model)
    _check_shapes(name, model)
    return model


def _check_values(name: str, model: Any) -> None:
    """Raise a RecipeError that names the first attribute whose value is not allowed, if there is one."""
    check_fps(model.fps, f"{name}, fps", error=RecipeError)
    places = tuple(model.out_frames)
    consecutive = places == tuple(range(places[0], places[0] + len(places))) if places else False
    for good, wanted, got in (
        (isinstance(model.skeleton, Skeleton), "skeleton: a poselift Skeleton", model.skeleton),
        (model.in_channels in (2, 3), "in_channels: 2, or 3 with confidence", model.in_channels),
        (model.in_frames >= 1, "in_frames: 1 or more", model.in_frames),
        (consecutive and places[0] >= 0 and places[-1] < model.in_frames, "out_frames: consecutive indices", places),
    ):
        if not good:
            raise RecipeError(f"{name}: wanted {wanted}, got {got!r}")


def _check_shapes(name: str, model: Any) -> None:
    """Raise a ShapeError unless `forward` returns (B, S, J, 3) and equals `head(encode(x))`, in evaluation mode."""
    training = model.training
    x = torch.zeros(2, model.in_frames, len(model.skeleton), model.in_channels)
    try:
        with torch.no_grad():
            joints = model.eval()(x)
            again = model.head(model.encode(x))
    finally:
        model.train(training)
    wanted = (2, len(model.out_frames), len(model.skeleton), 3)
    if tuple(joints.shape) != wanted:
        raise ShapeError(f"{name}: wanted joints {wanted} for keypoints {tuple(x.shape)}, got {tuple(joints.shape)}")
    if not torch.allclose(joints, again):
        raise ShapeError(f"{name}: wanted forward(x) to equal head(encode(x)), but they differ")
