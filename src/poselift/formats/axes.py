"""Distinguish arrays (people, frames, joints, xy) from (frames, people, joints, xy) by how people move.

From one frame to the next a joint moves by a small part of its person's size; from one person to the next it does not.
"""

import numpy as np

from poselift.errors import FormatError

_SAME, _ANOTHER = 0.25, 0.5
"""Ways of a joint from one entry to the next, in sizes of the person: at most for one person in the next frame, and at
least for another person. Someone who runs moves by 0.1 sizes in a thirtieth of a second."""
_CLEARLY = 2.0
"""Along the people, joints move so many times as far as along the frames."""


def people_are_first(xy: np.ndarray, source: str) -> bool:
    """Return whether the first axis is that of people, and the second that of frames; False if it is the other way.

    Args:
        xy: (A, B, J, 2) keypoints in any unit, NaN where a joint was not seen.
        source: Name of the data in error messages.

    Raises:
        FormatError: The joints do not show it.
    """
    a, b = xy.shape[:2]
    ways = (_way(xy), _way(xy.swapaxes(0, 1)))
    frames, people = sorted((0, 1), key=lambda axis: (np.isnan(ways[axis]), ways[axis]))
    if a == b == 1:
        return True
    if ways[people] > max(_CLEARLY * ways[frames], _SAME):
        return people == 0
    if np.isnan(ways[people]) and ways[frames] <= _SAME:
        return people == 0
    if xy.shape[people] == 1 and ways[frames] >= _ANOTHER:  # people of one frame
        return frames == 0
    raise FormatError(
        f"{source}: {a} x {b} can be {a} people of {b} frames or {a} frames of {b} people, and the joints do not show "
        "which; save an array (frames, joints, 2 or 3) of one person"
    )


def one_person(people: np.ndarray) -> bool:
    """Return whether (P, J, 2 or more) are rather one person again and again, over time, than P people."""
    return len(people) > 3 and _way(people[:, None, :, :2]) <= _SAME


def _way(xy: np.ndarray) -> float:
    """Return how far joints move from one entry (A, B, J, 2) to the next along the first axis, in sizes of the person.

    The median over all joints; NaN where no joint is seen in two entries, or people have no size.
    """
    ways = np.linalg.norm(np.diff(xy, axis=0), axis=-1)
    sizes = (np.fmax.reduce(xy, axis=2) - np.fmin.reduce(xy, axis=2)).max(-1)
    ways, sizes = ways[np.isfinite(ways)], sizes[sizes > 0]
    return float(np.median(ways) / np.median(sizes)) if len(ways) and len(sizes) else float("nan")
