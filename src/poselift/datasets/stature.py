"""Measure the person of a motion capture file, and guess the file's unit of length from that."""

import numpy as np

from poselift.errors import FormatError, did_you_mean
from poselift.skeleton import H36M_17

UNITS_M = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "ft": 0.3048, "cmu": 0.0254 / 0.45}
"""Metres in each unit that the user can name. CMU's own unit, `cmu`, is 1/0.45 inch."""
POSSIBLE_LEGS_M = (0.41, 1.25)
"""Shortest and longest possible legs: those of a two-year-old, and of a person taller than 2 m."""
_GUESSED = dict.fromkeys(("m", "cm", "mm"), POSSIBLE_LEGS_M) | {"inch": (0.65, 1.04), "cmu": (0.65, 1.1)}
"""Unit to the shortest and longest legs, in metres, from which it is guessed; no two units fit one leg length.

Children are considered in metric units only. Legs of 0.41 m belong to two-year-olds; in inches the same number would
be a tall adult's legs, so that centimetres and inches are not confused unless the person is smaller or larger.
"""
_ADULT_LEGS_M = 0.85
USUAL_LEGS_M = (0.6, 1.1)
"""Shortest and longest legs of adults, and of children from about seven years."""
_ANKLE = 0.039
"""Share of the ankle's height in stature (Winter, Biomechanics and Motor Control of Human Movement)."""


def leg_length(xyz: np.ndarray) -> float:
    """Return the length from hip over knee to ankle: median over the frames, mean of left and right.

    Args:
        xyz: (T, 17, 3) joints of `H36M_17`, any unit.
    """
    legs = [limb for limb in H36M_17.limbs if "hip" in H36M_17.joints[limb[0]]]
    return float(np.mean([sum(_bone(xyz, *bone) for bone in zip(leg[:-1], leg[1:], strict=True)) for leg in legs]))


def stature(xyz: np.ndarray) -> float:
    """Return the height from sole to crown of the person standing straight: the sum of legs, trunk and head.

    Args:
        xyz: (T, 17, 3) joints of `H36M_17`, any unit.
    """
    middle = H36M_17.indices(("pelvis", "spine", "thorax", "head_top"))
    trunk = sum(_bone(xyz, *bone) for bone in zip(middle[:-1], middle[1:], strict=True))
    return (leg_length(xyz) + trunk) / (1 - _ANKLE)


def guess_unit(leg: float) -> str:
    """Return the unit, a name of `UNITS_M`, in which legs of this length are a person's.

    Raises:
        FormatError: There is no such unit; the message says how long the legs would be in the nearest ones.
    """
    for unit, (shortest, longest) in _GUESSED.items():
        if shortest <= leg * UNITS_M[unit] <= longest:
            return unit
    nearest = sorted(UNITS_M, key=lambda unit: abs(np.log(max(leg, 1e-9) * UNITS_M[unit] / _ADULT_LEGS_M)))[:3]
    lengths = ", ".join(f"{leg * UNITS_M[unit]:.3g} m in {unit}" for unit in nearest)
    raise FormatError(f"legs of {leg:.3g} fit no unit ({lengths}); say which it is (unit, --unit)")


def unit_metres(unit: str | float) -> tuple[str, float]:
    """Return the name of a unit, and the metres in it.

    Args:
        unit: A name of `UNITS_M`, or the number of metres, also as text.

    Raises:
        FormatError: `unit` is neither.
    """
    if unit in UNITS_M:
        return str(unit), UNITS_M[str(unit)]
    try:
        metres = float(unit)
    except ValueError:
        metres = 0.0
    if not 0 < metres < np.inf:
        known = did_you_mean(str(unit), UNITS_M)
        raise FormatError(f"wanted a unit of length or the metres in it (unit, --unit), got '{unit}'; {known}")
    return f"{metres:g} m", metres


def _bone(xyz: np.ndarray, start: int, end: int) -> float:
    return float(np.median(np.linalg.norm(xyz[:, end] - xyz[:, start], axis=-1)))
