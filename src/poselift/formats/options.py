"""Choices about the files that poses are saved as, which some formats have and others do not."""

from dataclasses import dataclass

from poselift.errors import FormatError, did_you_mean
from poselift.formats.rigs import get_rig

UNITS = {"cm": 100.0, "m": 1.0, "mm": 1000.0, "in": 1 / 0.0254}
"""Units of length by name, and how many of each are a metre."""
_DECIMALS = {"cm": 4, "m": 6, "mm": 3, "in": 5}


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """How poses are written. A format without such a choice takes no notice of it."""

    rig: str = "poselift"
    """Names, chain and rest pose of the figure in BVH and GLB files, one of `poselift.formats.rigs.RIGS`."""
    unit: str = "cm"
    """Unit of length in BVH files, one of `UNITS`. GLB files are always in metres."""

    def __post_init__(self) -> None:
        """Check the choices."""
        get_rig(self.rig)
        if self.unit not in UNITS:
            raise FormatError(f"unknown unit '{self.unit}'; {did_you_mean(self.unit, tuple(UNITS))}")

    @property
    def units_per_m(self) -> float:
        """How many units are a metre."""
        return UNITS[self.unit]

    @property
    def decimals(self) -> int:
        """Decimals that show a micrometre or less of a length."""
        return _DECIMALS[self.unit]
