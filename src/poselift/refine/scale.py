"""How large people are: by the height given, by lengths of bones, or else by an adult's mean."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from poselift.errors import ShapeError
from poselift.refine.bones import bone_lengths, checked_height, constant_bones, is_upright, scaled, stature
from poselift.refine.known import joint_lengths
from poselift.refine.report import StepReport
from poselift.sequence import Poses3D

ADULT_M = 1.70
"""Mean height of adults, women and men, in metres."""
ADULT_SHARE = 0.06
"""Standard deviation of adults' heights as a share of the mean: about 0.10 m over both sexes and many countries."""
CONTRADICTION = 0.15
"""Share by which lengths of bones may differ from those that a height gives before it is said."""
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


def sized(
    poses: Poses3D, height_m: float | None, bones: Mapping[str, float] | None = None
) -> tuple[Poses3D, StepReport]:
    """Return a person with bones of constant length and the size that is known, and what changed.

    Bones whose length is given have it, whatever else is said. The size of all others follows from the height; without
    it, from the bones given, which then are as many times longer together as everything else; without both, from
    `ADULT_M`.

    Args:
        poses: One person.
        height_m: Height in metres, or None.
        bones: Metres by segment, as `poselift.refine.known.checked_bones` returns them, or None.

    Raises:
        ShapeError: The height is out of range, or what was lifted is no body.
        SkeletonError: The skeleton has no such bone.
    """
    if is_upright(poses.skeleton) and stature(bone_lengths(poses), poses.skeleton) < LEAST_M:
        raise ShapeError(
            "the body that was lifted has no size, so that it cannot be placed; check the lifter, or leave the world "
            "out (--no-world)"
        )
    if bones:
        return _of_bones(poses, height_m, bones)
    guessed = height_m is None and is_upright(poses.skeleton)
    poses, report = constant_bones(poses, height_m=ADULT_M if guessed else height_m)
    who = "" if poses.person is None else f" of person {poses.person}"
    if height_m is not None:
        return poses, report
    mean = f"taken as {ADULT_M:.2f} m, an adult's mean" if guessed else "left as it was lifted"
    doubt = (
        f"The height{who} is not known and {mean}: sizes, distances and speeds may be off by {100 * ADULT_SHARE:.0f} % "
        "(more for children); --height says what it is, or --bones."
    )
    return poses, replace(report, warnings=(*report.warnings, doubt))


def _of_bones(poses: Poses3D, height_m: float | None, bones: Mapping[str, float]) -> tuple[Poses3D, StepReport]:
    """Return a person some of whose bones have a known length, and what changed."""
    known, lengths = joint_lengths(bones, poses.skeleton), bone_lengths(poses)
    by_bones = sum(known.values()) / max(sum(lengths[joint] for joint in known), 1e-9)
    scale = by_bones
    if height_m is not None:
        scale = checked_height(height_m) / stature(lengths, poses.skeleton)
    lengths = lengths * scale
    for joint, length in known.items():
        lengths[joint] = length
    poses, report = constant_bones(scaled(poses, scale), lengths=lengths)
    said = ", ".join(f"{name} {length:g} m" for name, length in bones.items())
    warnings = []
    if not 1 - CONTRADICTION < by_bones / scale < 1 + CONTRADICTION:
        warnings.append(
            f"The lengths of bones given ({said}) are {by_bones / scale:.2f} times those of a body of {height_m:g} m; "
            "check --bones and --height."
        )
    elif not 0.75 < scale < 1.35:
        warnings.append(f"The lengths of bones given ({said}) make the body {scale:.2f} times what was lifted.")
    size = "to fit them" if height_m is None else f"to {height_m:g} m"
    says = f"{report.says[:-1]}; bones as given ({said}; both sides alike), the others scaled by {scale:.3f} {size}."
    values = {**report.values, "scale": scale, "scale_by_bones": by_bones}
    return poses, replace(report, says=says, values=values, warnings=tuple(warnings))
