"""Guess which axis of a motion capture file points up, and turn it to z."""

import numpy as np

from poselift.datasets.stature import leg_length
from poselift.errors import FormatError, did_you_mean
from poselift.skeleton import H36M_17

_X, _Y, _Z = np.eye(3)
AXES = {"y": _Y, "z": _Z, "-y": -_Y, "-z": -_Z, "x": _X, "-x": -_X}
"""Axes that may point up in a file, as unit vectors (3,)."""
_CONVENTION = "y"
_REST, _MOTION = ("y", "z", "-y", "-z"), ("y", "z", "-y")
"""Axes that are accepted as up from a rest pose, and from the motion alone: along the others people may lie."""
_UPRIGHT = 0.5
"""Least mean cosine between an axis and the line from ankles to thorax in a motion that is upright along it."""
_STANDING = 0.8
"""Least cosine between an axis and both trunk and legs of a rest pose that stands along it."""
_FLOOR, _HIPS = 0.15, 0.05
"""A person who lies has the lowest joint nearer to 0 than the first, and hips above the second (medians, in legs)."""
_SOMETIMES = 0.02
"""A person who lies stands in more than this share of the frames, or has no floor at the feet."""


def z_up_from(xyz: np.ndarray, up: str) -> np.ndarray:
    """Turn points (*, 3) of a right-handed frame, without a mirror, so that its axis `up` becomes z.

    Raises:
        FormatError: `up` is not one of `AXES`.
    """
    if up not in AXES:
        raise FormatError(f"wanted the axis that points up (up, --up), got '{up}'; {did_you_mean(up, AXES)}")
    z = AXES[up]
    axes = (_X, np.cross(z, _X), z) if z[0] == 0 else (np.cross(_Y, z), _Y, z)
    return xyz @ np.stack(axes, axis=-1).astype(xyz.dtype)


def standing_axis(trunk: np.ndarray, legs: np.ndarray) -> str | None:
    """Return the axis of `AXES` along which a pose stands, by trunk (3,) and legs (3,), both upward; else None."""
    for name in AXES:
        if min(_along(trunk, name), _along(legs, name)) > _STANDING:
            return name
    return None


def guess_up(xyz: np.ndarray, rest: np.ndarray, points: np.ndarray) -> tuple[str, str, bool]:
    """Guess which axis points up from the person's motion and rest pose.

    People are upright most of the time, so up is the axis along which the thorax is above the ankles in the mean over
    the frames. It should be the axis that the rest pose stands along or, if that does not stand, y by convention. If it
    is another, either the root turns the person from the axes of one program into those of another, or the person lies.
    A person who lies has the hips above the floor, which is at 0 of the presumed axis, and either stands in some frames
    or has no floor at the feet.

    Args:
        xyz: (T, 17, 3) joints of `H36M_17`, any unit.
        rest: (17, 3) the same joints in the rest pose.
        points: (T, J, 3) all joints of the file.

    Returns:
        The axis, of `AXES`; the evidence for it; whether it is certain.
    """
    pelvis, thorax, ankles = _stance(xyz)
    upright = {axis: _along(thorax - ankles, axis) for axis in _REST}
    rest_pelvis, rest_thorax, rest_ankles = _stance(rest[None])
    standing = standing_axis((rest_thorax - rest_pelvis)[0], (rest_pelvis - rest_ankles)[0])
    stands = standing in upright
    presumed, evidence = (standing, "rest pose") if standing in upright else (_CONVENTION, "convention")
    if upright[presumed].mean() >= _UPRIGHT:
        return presumed, "rest pose and motion" if stands else "motion", True
    moving = max(_MOTION, key=lambda axis: float(upright[axis].mean()))
    if upright[moving].mean() < _UPRIGHT:
        return presumed, evidence, False
    lowest = {axis: float(np.median((points @ AXES[axis]).min(-1))) for axis in (presumed, moving)}
    leg, hips = leg_length(xyz), float(np.median(pelvis @ AXES[presumed]))
    lies = abs(lowest[presumed]) < _FLOOR * leg and hips > _HIPS * leg
    sometimes = (upright[presumed] > _STANDING).mean() > _SOMETIMES
    if lies and (sometimes or abs(lowest[moving]) >= _FLOOR * leg):
        return presumed, f"{evidence} and floor", False
    return moving, "motion against the rest pose" if stands else "motion", False


def _stance(xyz: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pelvis, thorax and the middle of the ankles (T, 3)."""
    ankles = xyz[:, H36M_17.indices(("left_ankle", "right_ankle"))].mean(1)
    return xyz[:, H36M_17.index("pelvis")], xyz[:, H36M_17.index("thorax")], ankles


def _along(vectors: np.ndarray, axis: str) -> np.ndarray:
    """Return the cosine (*) between vectors (*, 3) and an axis of `AXES`; 0 for vectors of length 0."""
    return vectors @ AXES[axis] / np.maximum(np.linalg.norm(vectors, axis=-1), 1e-12)
