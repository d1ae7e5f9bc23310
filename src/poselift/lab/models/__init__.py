"""The lifters, in torch: `build` a fresh one, or take the authors' weights `from_reference`."""

from poselift.lab.models.registry import LIFTERS, Entry, build, from_reference, options

__all__ = ["LIFTERS", "Entry", "build", "from_reference", "options"]
