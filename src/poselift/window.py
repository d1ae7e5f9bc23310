"""Cutting a clip of any length into a lifter's windows, and putting the windows' results back together."""

from dataclasses import dataclass

import numpy as np

from poselift.errors import ShapeError


@dataclass(frozen=True)
class Windows:
    """Which frames of a clip each window holds, and which of its outputs are kept.

    Windows step by as many frames as a window yields, so every frame of the clip is yielded once.
    """

    index: np.ndarray
    """(W, T) frame of the clip at each place of each window, held at the clip's ends."""
    inside: np.ndarray
    """(W, T) bool: the place lies within the clip."""
    num_frames: int
    """Frames in the clip."""

    def stitch(self, outputs: np.ndarray) -> np.ndarray:
        """Results in clip order: (W, S, ...) to (num_frames, ...)."""
        return outputs.reshape(-1, *outputs.shape[2:])[: self.num_frames]


def cut(num_frames: int, in_frames: int, out_frames: tuple[int, ...]) -> Windows:
    """Windows over a clip.

    Args:
        num_frames: Frames in the clip, one or more.
        in_frames: Frames in a window.
        out_frames: Places in the window that the lifter yields, consecutive.

    Returns:
        The windows; those at the clip's ends reach over it.

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
