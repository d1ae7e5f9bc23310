"""Load the authors' weights into our models; every weight must have its place, and every shape must fit."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from poselift.errors import CheckpointError, RecipeError
from poselift.lab.models.lifter import Lifter

_log = logging.getLogger("poselift")

Shapes = dict[str, tuple[int, ...]]
"""Shape of each weight, by the authors' names."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """How the authors' code saves its weights."""

    keys: tuple[tuple[str, str], ...]
    """Regular expressions that turn our names of weights into the authors', applied in this order."""
    config: Callable[[Shapes], dict[str, Any]]
    """Derives fields of the config from the shapes of the authors' weights; raises KeyError if a weight is missing."""
    convert: Callable[[str, Tensor], Tensor] = lambda key, value: value
    """Converts the authors' tensor to our layout, given our name of it."""
    restore: Callable[[str, Tensor], Tensor] = lambda key, value: value
    """Converts our tensor to the authors' layout, given our name of it: the inverse of `convert`."""
    unused: tuple[str, ...] = ()
    """Regular expressions for the authors' names of weights that their code saves and never uses."""
    code: str = ""
    """Where the authors' code is, with its commit."""

    def name(self, key: str) -> str:
        """Return the authors' name of our weight `key`."""
        for ours, theirs in self.keys:
            key = re.sub(ours, theirs, key)
        return key

    def is_unused(self, key: str) -> bool:
        """Return whether the authors' code saves its weight `key` and never uses it."""
        return any(re.search(pattern, key) for pattern in self.unused)


def load_reference(
    name: str, reference: Reference, make: Callable[[dict[str, Any]], Lifter], state_dict: Mapping[str, Tensor]
) -> Lifter:
    """Build a lifter with the authors' weights.

    Args:
        name: Name of the lifter, for messages.
        reference: How the authors' code saves the weights.
        make: Makes the lifter from fields of its config.
        state_dict: Weights by the authors' names; a prefix `module.` is dropped.

    Returns:
        The lifter, in evaluation mode.

    Raises:
        CheckpointError: A weight is missing, unknown, or of the wrong shape; the message names it.
    """
    given = {key.removeprefix("module."): value for key, value in state_dict.items()}
    shapes = {key: tuple(value.shape) for key, value in given.items()}
    try:
        model = make(reference.config(shapes))
    except KeyError as error:
        raise CheckpointError(f"these are not weights of {name}: {error.args[0]} is missing; check the file") from error
    except (IndexError, ValueError, ZeroDivisionError, RecipeError) as error:
        raise CheckpointError(f"these are not weights of {name}: {error}; check the name and the file") from error
    ours = model.state_dict()
    names = {reference.name(key): key for key in ours}
    unused = {key for key in given if reference.is_unused(key)}
    _check_keys(name, set(names), set(given) - unused)
    loaded = {}
    for theirs, key in names.items():
        wanted = tuple(reference.restore(key, ours[key]).shape)
        if shapes[theirs] != wanted:
            raise CheckpointError(f"{theirs}: wanted shape {wanted}, got {shapes[theirs]}; the file mixes variants")
        loaded[key] = reference.convert(key, given[theirs])
    model.load_state_dict(loaded)
    if unused:
        count = sum(given[key].numel() for key in unused)
        kinds = sorted({re.sub(r"\.\d+\.", ".*.", key) for key in unused})
        _log.info("left out %d weights that the authors' code never uses: %s", count, ", ".join(kinds))
    return model.eval()


def _check_keys(name: str, wanted: set[str], given: set[str]) -> None:
    """Raise a CheckpointError that lists the first weights that are missing or unknown, if there are any."""
    problems = [
        f"{len(keys)} {what}: {', '.join(sorted(keys)[:5])}{', ...' if len(keys) > 5 else ''}"
        for what, keys in (("missing", wanted - given), ("unknown", given - wanted))
        if keys
    ]
    if problems:
        raise CheckpointError(f"these weights do not fit {name}; {'; '.join(problems)}; check the name and the file")
