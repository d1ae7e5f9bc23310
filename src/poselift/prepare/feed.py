"""Turn keypoints into a network's input. Lifting, every evaluation and every training source do it with this code.

A clip in the lifter's joints -> `Feed.clip`: coordinates and calibrated confidence of every frame -> windows, held at
the clip's ends -> `Feed.windows`: gaps filled, coordinates normalised, channels chosen.

Arrays are numpy or torch: training runs the same code on batches of simulated clips.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from poselift.errors import FormatError
from poselift.prepare.normalize import (
    PERSON_SCALE,
    SCREEN,
    calibrate,
    fill_edges,
    fill_gaps,
    normalize_screen,
    person_scale,
    person_scale_planes,
    person_scale_single,
    pixels_from_screen,
    window_places,
)
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton

Array = Any  # numpy.ndarray or torch.Tensor


@dataclass(frozen=True)
class Feed:
    """The form of input that a lifter takes."""

    skeleton: Skeleton
    """Joint order of the input."""
    channels: int
    """2 (x, y), or 3 with confidence."""
    normalization: str = PERSON_SCALE
    """One of `poselift.prepare.normalize.NORMALIZATIONS`."""

    @staticmethod
    def of(lifter: Any) -> "Feed":
        """Return the feed of a lifter of numpy or torch. A lifter that names no normalisation gets `PERSON_SCALE`."""
        return Feed(lifter.skeleton, lifter.in_channels, getattr(lifter, "normalization", PERSON_SCALE))

    def clip(self, keypoints: Keypoints2D) -> np.ndarray:
        """Return the coordinates and confidence of a whole clip.

        Args:
            keypoints: T frames in the lifter's joints and at its rate.

        Returns:
            (T, J, 3) float32: x, y (pixels, or screen coordinates for `SCREEN`; any numbers where unseen) and the
            confidence calibrated over the clip, 0 where unseen.

        Raises:
            FormatError: The lifter needs the picture's size, which the keypoints do not have.
        """
        xy, scores = keypoints.filled()
        return self.frames(xy, calibrate(scores), keypoints.image_size)

    def frames(self, xy: np.ndarray, confidence: np.ndarray, image_size: tuple[int, int] | None) -> np.ndarray:
        """Return coordinates and confidence of frames whose scores are calibrated already; a stream calls it by itself.

        Args:
            xy: (T, J, 2) pixels, finite.
            confidence: (T, J) calibrated, 0 where unseen.
            image_size: (width, height) of the picture in pixels.

        Returns:
            (T, J, 3) as `clip` returns it.

        Raises:
            FormatError: As for `clip`.
        """
        if self.normalization == SCREEN:
            if image_size is None:
                raise FormatError(
                    "these weights want to know where in the picture the person is, and the keypoints come without the "
                    "picture's size; give image_size (--image-size WIDTH HEIGHT)"
                )
            xy = normalize_screen(xy, image_size)
        return self.join(xy, confidence)

    @staticmethod
    def join(xy: Array, confidence: Array) -> Array:
        """Join (*, J, 2) coordinates and (*, J) confidence to (*, J, 3), numpy or torch."""
        if isinstance(xy, np.ndarray):
            return np.concatenate([xy, confidence[..., None]], -1, dtype=np.float32)
        import torch  # only reached with torch tensors

        return torch.cat([xy, confidence[..., None]], -1)

    def filled_clip(self, keypoints: Keypoints2D) -> np.ndarray:
        """Return what `clip` returns, with the gaps of the clip filled, so that `windows` has little left to fill."""
        clip = self.clip(keypoints)
        clip[..., :2] = fill_gaps(clip[None, ..., :2], clip[None, ..., 2])[0]
        return clip

    def windows(self, clip: Array, inside: Array, *, filled: bool = False) -> Array:
        """Return the network's input.

        Args:
            clip: (B, T, J, 3) windows of `Feed.clip`, held at the clip's ends.
            inside: (B, T) bool: the frame lies within the clip; the others count as unseen.
            filled: The windows are those of `filled_clip`; gaps at their ends are filled in place.

        Returns:
            (B, T, J, C) float32.
        """
        if not filled and self.normalization == PERSON_SCALE and isinstance(clip, np.ndarray) and len(clip) == 1:
            single = person_scale_single(clip[0], inside[0], self.skeleton)
            if single is not None:
                return single[None, ..., : self.channels]
        xy, confidence = _filled(clip, inside, edges_only=filled)
        if filled and self.normalization == PERSON_SCALE:
            return person_scale_planes(clip, confidence, self.skeleton)[..., : self.channels]
        if self.normalization == PERSON_SCALE:
            xy = person_scale(xy, confidence, self.skeleton)
        return self.join(xy, confidence)[..., : self.channels]

    def places(self, clip: Array, inside: Array, image_size: tuple[int, int] | None) -> Array:
        """Return where in the picture the person is in each window, (B, 2) pixels; arguments as for `windows`."""
        places = window_places(*_filled(clip, inside), self.skeleton)
        if self.normalization == SCREEN and image_size is not None:
            places = pixels_from_screen(places, image_size)
        return places


def _filled(clip: Array, inside: Array, *, edges_only: bool = False) -> tuple[Array, Array]:
    """Return coordinates (B, T, J, 2) with gaps filled in each window, and confidence (B, T, J), 0 where unseen."""
    confidence = clip[..., 2] * inside[..., None]
    if edges_only:
        return fill_edges(clip[..., :2], confidence, inside), confidence
    return fill_gaps(clip[..., :2], confidence), confidence
