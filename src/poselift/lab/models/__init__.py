"""The lifters in torch: `build` makes a fresh one, `from_reference` one with the authors' weights."""

from poselift.lab.models.registry import LIFTERS, Entry, build, from_reference, options

__all__ = ["LIFTERS", "Entry", "build", "from_reference", "options"]
