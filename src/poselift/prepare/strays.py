"""Find joints that a detector puts far away for a moment: a wrist on the door, an ankle in the picture's corner.

Networks know small errors from their training, and confidence tells of many. One joint that is several bodies away
moves the scale of the whole window, by which all coordinates are divided.
"""

from functools import partial

import numpy as np

from poselift.prepare.jumps import around, kept, longest_steps
from poselift.prepare.outliers import LONGEST_STEP_S, person_sizes
from poselift.sequence import Keypoints2D

ENDS = ("elbow", "wrist", "knee", "ankle", "heel", "big_toe", "small_toe")
"""Ends of the names of the joints that are looked at; others are held by their neighbours, or follow from several."""
JUMP = 0.7
"""Displacement from a frame to another that is no jump, in person sizes (`poselift.prepare.outliers`)."""
FASTEST_PER_S = 25.0
"""Person sizes a second on top of that, about 12 m/s: as fast as a fist."""
PRICE_OF_JUMP_S = 0.15
"""What a jump costs, as seconds of frames left out: up to 0.3 s between two jumps is left out."""


def find_strays(keypoints: Keypoints2D) -> dict[str, np.ndarray]:
    """Find the frames in which a joint is far away for a moment.

    Args:
        keypoints: Any skeleton.

    Returns:
        By the joint's name, (T,) bool; joints without such frames are left out.
    """
    size = person_sizes(keypoints)
    if size is None or len(keypoints) < 3:
        return {}
    found = {}
    for joint, name in enumerate(keypoints.skeleton.joints):
        if name.endswith(ENDS) and (away := _away(keypoints, joint, size)).any():
            found[name] = away
    return found


def _away(keypoints: Keypoints2D, joint: int, size: np.ndarray) -> np.ndarray:
    """Return the frames (T,) bool in which a joint is away for a moment; `size` (T,) is the person's."""
    away, fps = np.zeros(len(keypoints), bool), keypoints.fps
    frames = np.flatnonzero(keypoints.seen[:, joint])
    if len(frames) < 3:
        return away
    xy, times_s, sizes = keypoints.xy[frames, joint].astype(np.float64), frames / fps, size[frames]

    def jumps(part: slice, lag: int) -> np.ndarray:
        here, large = xy[part], sizes[part]
        moved = np.linalg.norm(here[lag:] - here[:-lag], axis=-1)
        step_s = longest_steps(times_s[part], lag, max(LONGEST_STEP_S, 1 / fps))
        return moved > (JUMP + FASTEST_PER_S * step_s) * np.sqrt(large[lag:] * large[:-lag])

    price = PRICE_OF_JUMP_S * fps
    for part in around(np.flatnonzero(jumps(slice(None), 1)), price, len(frames)):
        count = len(frames[part])
        away[frames[part]] = ~kept(count, price, partial(jumps, part))
    return away
