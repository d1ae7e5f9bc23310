"""How large people are: by the height given, or else by an adult's mean."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from poselift.errors import ShapeError
from poselift.refine.bones import bone_lengths, constant_bones, is_upright, stature
from poselift.refine.report import StepReport
from poselift.sequence import Poses3D

ADULT_M = 1.70
"""Mean height of adults, women and men, in metres."""
ADULT_SHARE = 0.06
"""Standard deviation of adults' heights as a share of the mean: about 0.10 m over both sexes and many countries."""
LEAST_M = 0.01
"""Height in metres below which what a lifter gives is no body."""


def heights_of(height_m: float | Sequence[float | None] | None, people: int) -> list[float | None]:
    """Return a height or None for each of so many people.

    Raises:
        ShapeError: There are more or fewer heights than people.
    """
    if height_m is None or np.isscalar(height_m):
        return [None if height_m is None else float(height_m)] * people
    assert isinstance(height_m, Sequence | np.ndarray)
    if len(height_m) == 1 < people or len(height_m) != people:
        raise ShapeError(
            f"wanted one height for all or one for each of {people} people (height_m, --height), got {len(height_m)}"
        )
    return [None if height is None else float(height) for height in height_m]


def sized(poses: Poses3D, height_m: float | None) -> tuple[Poses3D, StepReport]:
    """Return a person with bones of constant length, of a height in metres or else of `ADULT_M`, and what changed.

    Raises:
        ShapeError: The height is out of range, or what was lifted is no body.
    """
    if is_upright(poses.skeleton) and stature(bone_lengths(poses), poses.skeleton) < LEAST_M:
        raise ShapeError(
            "the body that was lifted has no size, so that it cannot be placed; check the lifter, or leave the world "
            "out (--no-world)"
        )
    guessed = height_m is None and is_upright(poses.skeleton)
    poses, report = constant_bones(poses, height_m=ADULT_M if guessed else height_m)
    who = "" if poses.person is None else f" of person {poses.person}"
    if height_m is not None:
        return poses, report
    mean = f"taken as {ADULT_M:.2f} m, an adult's mean" if guessed else "left as it was lifted"
    doubt = (
        f"The height{who} is not known and {mean}: sizes, distances and speeds may be off by {100 * ADULT_SHARE:.0f} % "
        "(more for children); --height says what it is."
    )
    return poses, replace(report, warnings=(*report.warnings, doubt))
