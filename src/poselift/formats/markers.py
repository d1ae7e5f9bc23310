"""Poses from markers in space, as files of motion capture hold them: some are missing at times."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from poselift.errors import FormatError
from poselift.formats.joint_names import skeleton_with
from poselift.sequence import Poses3D

_log = logging.getLogger("poselift")


def poses_of_markers(
    points: np.ndarray, joints: Sequence[str], fps: float, name: str, *, frame: str, **extras: Any
) -> Poses3D:
    """Return poses whose root is the pelvis, the middle of the hips, or else the first joint.

    Args:
        points: (T, J, 3) metres in the axes of `frame`; NaN where a marker is missing. There it is put on the line
            between the frames around, and is not observed.
        joints: (J,) name of each marker's joint.
        fps: Frames per second.
        name: Name of the source in messages.
        frame: Name of the coordinate frame.
        **extras: Other fields of `Poses3D`.

    Raises:
        FormatError: Two markers are the same joint, or a marker is never there.
        ShapeError: The poses are not what `Poses3D` takes.
    """
    if repeated := sorted({joint for joint in joints if list(joints).count(joint) > 1}):
        raise FormatError(f"{name}: several markers are {', '.join(repeated)}; leave all but one of each out")
    there = np.isfinite(points).all(-1)
    if never := [joint for joint, seen in zip(joints, there.any(0), strict=True) if not seen]:
        raise FormatError(f"{name}: the markers {', '.join(never)} are missing in every frame; leave them out")
    skeleton = skeleton_with(joints)
    order = [list(joints).index(joint) for joint in skeleton.joints]
    points, there = points[:, order].astype(np.float64), there[:, order]
    times = np.arange(len(points))
    for joint in np.flatnonzero(~there.all(0)):
        seen = there[:, joint]
        for axis in range(3):
            points[~seen, joint, axis] = np.interp(times[~seen], times[seen], points[seen, joint, axis])
    if not there.all():
        _log.warning(
            "%s: markers are missing %d times; they were put on a line between the frames around, and are marked as "
            "not observed",
            *(name, int((~there).sum())),
        )
        extras.setdefault("observed", there.astype(np.float32))
    if "pelvis" in skeleton:
        root = points[:, skeleton.index("pelvis")]
    elif "left_hip" in skeleton and "right_hip" in skeleton:
        root = points[:, skeleton.indices(["left_hip", "right_hip"])].mean(1)
    else:
        root = points[:, skeleton.root]
    path = root if np.abs(root).max() > 0 else None  # poses without a path are written with their root at the origin
    return Poses3D(points - root[:, None], skeleton, fps, frame, path=path, **extras)
