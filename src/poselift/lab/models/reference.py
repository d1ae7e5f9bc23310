"""The authors' weights into our models: names, shapes, and what to leave out, strictly."""

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
    """Patterns from our names of the weights to the authors', applied in this order."""
    config: Callable[[Shapes], dict[str, Any]]
    """Fields of the config that the shapes of the authors' weights tell; it raises KeyError where one is missing."""
    convert: Callable[[str, Tensor], Tensor] = lambda key, value: value
    """Our name and their tensor to ours, where they are laid out differently."""
    restore: Callable[[str, Tensor], Tensor] = lambda key, value: value
    """Our name and tensor to theirs: the inverse of `convert`."""
    unused: tuple[str, ...] = ()
    """Patterns of the authors' names of weights that their code saves and never uses."""
    code: str = ""
    """The authors' code, with its commit."""

    def name(self, key: str) -> str:
        """The authors' name of our weight `key`."""
        for ours, theirs in self.keys:
            key = re.sub(ours, theirs, key)
        return key

    def is_unused(self, key: str) -> bool:
        """Whether the authors' code never uses its weight `key`."""
        return any(re.search(pattern, key) for pattern in self.unused)


def load_reference(
    name: str, reference: Reference, make: Callable[[dict[str, Any]], Lifter], state_dict: Mapping[str, Tensor]
) -> Lifter:
    """A lifter with the authors' weights.

    Args:
        name: Name of the lifter, for messages.
        reference: How its authors save it.
        make: The lifter from fields of its config.
        state_dict: Weights by the authors' names; `module.` before them is dropped.

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
        raise CheckpointError(f"these are no weights of {name}: {error.args[0]} is missing; check the file") from error
    except (IndexError, ValueError, ZeroDivisionError, RecipeError) as error:
        raise CheckpointError(f"these are no weights of {name}: {error}; check the name and the file") from error
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
    problems = [
        f"{len(keys)} {what}: {', '.join(sorted(keys)[:5])}{', ...' if len(keys) > 5 else ''}"
        for what, keys in (("missing", wanted - given), ("unknown", given - wanted))
        if keys
    ]
    if problems:
        raise CheckpointError(f"these weights do not fit {name}; {'; '.join(problems)}; check the name and the file")
