"""The lifters in torch: `build` makes a fresh one, `from_reference` one with the authors' weights."""

from poselift.lab.models.registry import (
    LIFTERS,
    Entry,
    build,
    build_stored,
    from_reference,
    options,
    plain_options,
    stored_config,
)

__all__ = ["LIFTERS", "Entry", "build", "build_stored", "from_reference", "options", "plain_options", "stored_config"]
