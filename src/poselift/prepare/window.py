"""Cut a clip of any length into a lifter's windows, and join the windows' results again."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from poselift.errors import ShapeError

FEWEST_BLENDED = 3
"""Windows that yield fewer frames are not blended: a jump cannot be told from motion."""


@dataclass(frozen=True)
class Windows:
    """The frames of a clip that each window holds.

    Windows step by as many frames as a window yields, so every frame of the clip is yielded once.
    """

    index: np.ndarray
    """(W, T) frame of the clip at each place of each window; its first or last one beyond its ends."""
    inside: np.ndarray
    """(W, T) bool: the place lies within the clip."""
    num_frames: int
    """Number of frames in the clip."""

    def stitch(self, outputs: np.ndarray) -> np.ndarray:
        """Put results (W, S, ...) in the order of the clip, (num_frames, ...)."""
        return outputs.reshape(-1, *outputs.shape[2:])[: self.num_frames]


def cut(num_frames: int, in_frames: int, out_frames: tuple[int, ...]) -> Windows:
    """Cut a clip into windows.

    Args:
        num_frames: Number of frames in the clip, one or more.
        in_frames: Number of frames in a window.
        out_frames: Places in the window that the lifter yields, consecutive.

    Returns:
        The windows; the first and last ones reach beyond the clip.

    Raises:
        ShapeError: The clip is empty, or the yielded places are not consecutive.
    """
    if num_frames < 1:
        raise ShapeError("a clip needs at least one frame")
    step, first = len(out_frames), min(out_frames, default=0)
    if step == 0 or tuple(out_frames) != tuple(range(first, first + step)):
        raise ShapeError(f"wanted consecutive output frames, got {out_frames}")
    starts = np.arange(0, num_frames, step) - first
    index = starts[:, None] + np.arange(in_frames)
    return Windows(index.clip(0, num_frames - 1), (index >= 0) & (index < num_frames), num_frames)


def frames_after(in_frames: int, out_frames: tuple[int, ...]) -> int:
    """Return how many frames a window holds after the last one that it yields."""
    return in_frames - 1 - max(out_frames)


def stream_delay(in_frames: int, out_frames: tuple[int, ...]) -> int:
    """Return how many frames late a stream gives what `cut` and `blend_seams` give of a clip, at a constant delay.

    The frames after the middle one of a window are blended with the next window, which is as late (`block_delay`).
    """
    yielded = len(out_frames)
    return block_delay(in_frames, out_frames) + (yielded // 2 if yielded >= FEWEST_BLENDED else 0)


def block_delay(in_frames: int, out_frames: tuple[int, ...]) -> int:
    """Return how many frames late windows that step by as many frames as they yield are lifted, at a constant delay.

    A window that yields K frames is full `frames_after` frames after the last of them, so that the first of them waits
    for K - 1 frames more.
    """
    return frames_after(in_frames, out_frames) + len(out_frames) - 1


def blend_seams(outputs: np.ndarray, num_frames: int) -> np.ndarray:
    """Remove the jumps between the results of successive windows.

    The miss at a seam is the distance from one window's last frame, carried on at the mean speed of both windows, to
    the next one's first frame. Each window moves by half of the miss at the seam and by less towards its middle frame,
    which stays. No frame is lifted twice.

    Args:
        outputs: (W, S, ...) results of windows that step by S frames.
        num_frames: Number of frames in the clip; results of the last window beyond them are ignored.

    Returns:
        (W, S, ...); the same for one window, for motion without jumps, or when a window yields fewer than three frames.
    """
    count, yielded = outputs.shape[:2]
    if count < 2 or yielded < FEWEST_BLENDED:
        return outputs
    leaving, entering = outputs[:-1, -1] - outputs[:-1, -2], outputs[1:, 1] - outputs[1:, 0]
    if num_frames == (count - 1) * yielded + 1:  # the last window has a single frame, and no speed
        entering[-1] = leaving[-1]
    miss = (outputs[1:, 0] - outputs[:-1, -1] - (leaving + entering) / 2)[:, None]
    ramp = np.linspace(-1, 1, yielded, dtype=outputs.dtype).clip(0)
    ramp = ramp.reshape(1, yielded, *(1,) * (outputs.ndim - 2)) / 2
    blended = outputs.copy()
    blended[:-1] += ramp * miss
    blended[1:] -= ramp[:, ::-1] * miss
    return blended


def follow_on(outputs: np.ndarray) -> np.ndarray:
    """Remove the jump between a window's results and those before it, which have been given out already.

    As `blend_seams`, but the new window alone makes up for the miss: wholly in its first frame, and less and less over
    two thirds of the window. Poses then jitter as with `blend_seams`, and are 1.6 mm farther off (docs/log.md).

    Args:
        outputs: (B, 2 + S, ...): the last two frames before the window, and the window.

    Returns:
        (B, S, ...); the window unchanged if it yields fewer than three frames.
    """
    before, after = outputs[:, :2], outputs[:, 2:]
    yielded = after.shape[1]
    if yielded < FEWEST_BLENDED:
        return after
    leaving, entering = before[:, 1] - before[:, 0], after[:, 1] - after[:, 0]
    miss = (after[:, 0] - before[:, 1] - (leaving + entering) / 2)[:, None]
    return after - _ramp_down(yielded).reshape(1, yielded, *(1,) * (outputs.ndim - 2)) * miss


@cache
def _ramp_down(yielded: int) -> np.ndarray:
    """Return the share (S,) of a miss that each frame of a window makes up for, over two thirds of it."""
    return np.linspace(1, -0.5, yielded, dtype=np.float32).clip(0)
