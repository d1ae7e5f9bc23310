"""Import lifters from outside the package, named `module:Class`; only this file imports a module by a given name.

Importing a module runs it. So only names that the user has typed are imported, never names from a file, and the working
folder is searched last: a file there with the name of an installed package is not imported instead of it.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from poselift.errors import CheckpointError, did_you_mean


def is_outside(name: str) -> bool:
    """Whether a lifter's name is `module:Class`."""
    return ":" in name and not name.endswith(".onnx")


def import_class(name: str) -> type:
    """Import the class that `module:Class` names; this runs its module.

    Args:
        name: Name as the user typed it. The module is searched on Python's path, then in the working folder.

    Raises:
        CheckpointError: The name is not of this form, or there is no such module or class. An error inside the module
            is raised as it is.
    """
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise CheckpointError(f"wanted a lifter of your own as module:Class, such as my_lifter:MyLifter, got '{name}'")
    try:
        with _working_folder_last():
            found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise CheckpointError(
            f"no module '{module}' for the lifter '{name}'; run in the folder that holds it, or install it"
        ) from error
    kind = getattr(found, attribute, None)
    if not isinstance(kind, type):
        classes = [key for key, value in vars(found).items() if isinstance(value, type)]
        where = getattr(found, "__file__", None) or "built in"
        raise CheckpointError(f"{module} ({where}) has no class '{attribute}'; {did_you_mean(attribute, classes)}")
    return kind


def check_typed(named: str, typed: str | None, source: str) -> None:
    """Check that a lifter from outside that a file names was also named by the user.

    Args:
        named: The lifter that the file names.
        typed: The lifter that the user has named; None when there is none.
        source: Name of the file in the error.

    Raises:
        CheckpointError: `named` is a `module:Class` and not what the user typed, or the two differ.
    """
    if typed is not None and typed != named:
        raise CheckpointError(f"{source} is of the lifter '{named}', and not of '{typed}'")
    if typed is None and is_outside(named):
        raise CheckpointError(
            f"{source} is of '{named}', a class that does not come with poselift; nothing of it was imported, as that "
            f"would run its module. If you trust it, name it: --lifter {named} (lifter='{named}')"
        )


@contextmanager
def _working_folder_last() -> Iterator[None]:
    """Search the working folder for modules after everything else, in a `with` block."""
    here = str(Path.cwd())
    if here in sys.path:
        yield
        return
    sys.path.append(here)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if here in sys.path:
            sys.path.remove(here)
