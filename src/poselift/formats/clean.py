"""Clean the numbers of a keypoint file, whatever its format: which joints were seen, scores from 0 to 1, and pixels.

What is assumed about the numbers is logged as a warning, once for each file.
"""

import logging
from collections.abc import Sequence

import numpy as np

from poselift.errors import FormatError

LARGEST_PX = 1e5
"""Coordinates beyond this are no pixels."""
_NORMALIZED = 2.0
"""Coordinates up to this are no pixels either."""
_PERCENT = 100.0
_NEGATIVE_PIXELS = 0.02
"""Pixels are negative where a joint is guessed outside of the picture. If more of the coordinates are, (0, 0) may be a
place like any other."""
_NEGATIVE_SHARES = 0.2
"""Coordinates up to 2 of which more are negative are no shares of the picture, whose edge may cut the person."""
_HIGH = 0.95
"""Scores above 1 are divided by this quantile of the scores above 0, so that single ones count little."""
_DEPTH = 0.1
"""Numbers are depths, no scores, if the negative ones sum up to more than this share of what the positive ones do."""
_log = logging.getLogger("poselift")


def clean(people: Sequence[np.ndarray], source: str, image_size: tuple[int, int] | None) -> list[np.ndarray]:
    """Return keypoints as pixels with scores from 0 to 1, NaN where a joint was not seen.

    Joints without coordinates, with a score of 0 or less, or at exactly (0, 0) were not seen. Coordinates may lie
    around (0, 0) where they are no pixels; then those at (0, 0) that lie close to the person are kept.

    Args:
        people: Arrays (N, J, 2) x, y or (N, J, 3) x, y, score, all of one file: each is a person's N frames, or the N
            people of a frame. Numbers of the picture's width and height, from 0 to 1, are taken as such.
        source: Name of the file in messages.
        image_size: (width, height) of the picture in pixels; None if it is not known.

    Returns:
        float64 arrays of the same shapes, without the scores where these are none.

    Raises:
        FormatError: An array has another shape or infinite numbers, coordinates are no pixels, or they go from 0 to 1
            and the size of the picture is not known.
    """
    people = [np.asarray(person) for person in people]
    for person in people:
        if person.ndim != 3 or person.shape[2] not in (2, 3) or 0 in person.shape:
            raise FormatError(
                f"{source}: wanted keypoints (frames, joints, 2 or 3), at least one frame; got {person.shape}"
            )
    values = np.concatenate(people).astype(np.float64)
    if infinite := int(np.isinf(values).sum()):
        raise FormatError(f"{source}: {infinite} numbers are infinite; write NaN where a joint was not seen")
    xy, scores = values[..., :2], None if values.shape[2] == 2 else _scores(values[..., 2], source)
    seen = np.isfinite(xy).all(-1) & (np.ones(xy.shape[:2], bool) if scores is None else scores > 0)
    seen &= ~_unseen_zeros(xy, seen, source)
    xy[~seen] = np.nan
    if seen.any():
        xy *= _scale(xy[seen], source, image_size)
    cleaned = xy if scores is None else np.concatenate([xy, scores[..., None]], axis=-1)
    return np.split(cleaned, np.cumsum([len(person) for person in people])[:-1])


def _scores(scores: np.ndarray, source: str) -> np.ndarray | None:
    """Return scores from 0 to 1; None if the numbers are no scores."""
    scores = np.nan_to_num(scores, nan=0.0)
    positive, negative = scores[scores > 0], scores[scores < 0]
    if len(np.unique(negative)) > 1 and -negative.sum() > _DEPTH * positive.sum():  # all the same mark unseen joints
        _log.warning(
            "%s: the third number of each joint, from %.3g to %.3g, looks like a depth (z), no score; it is left out",
            source, scores.min(), scores.max(),
        )  # fmt: skip
        return None
    if len(positive) and positive.max() > 1:
        scale = max(1.0, float(np.quantile(positive, _HIGH)))
        _log.warning(
            "%s: scores up to %.3g are %scut to 1",
            source, positive.max(), f"divided by {scale:.3g}, which most are below, and " if scale > 1 else "",
        )  # fmt: skip
        scores = scores / scale
    return scores.clip(0, 1)


def _unseen_zeros(xy: np.ndarray, seen: np.ndarray, source: str) -> np.ndarray:
    """Return (N, J) bool: joints at exactly (0, 0) that were not seen, though the file gives no other sign of it."""
    zeros = seen & (xy == 0).all(-1)
    if not zeros.any():
        return zeros
    negative = xy[seen & ~zeros] < 0
    if negative.sum() > _NEGATIVE_PIXELS * negative.size:
        others = np.where((seen & ~zeros)[..., None], xy, np.nan)
        low, high = np.fmin.reduce(others, axis=1), np.fmax.reduce(others, axis=1)
        reach = (high - low).max(-1, keepdims=True) / 2
        zeros &= ~((low <= reach) & (high >= -reach)).all(-1, keepdims=True)
    if zeros.any():
        _log.warning("%s: %d joints at exactly (0, 0) are taken as not seen", source, zeros.sum())
    return zeros


def _scale(xy: np.ndarray, source: str, image_size: tuple[int, int] | None) -> np.ndarray:
    """Return by what x and y (N, 2) are to be multiplied to be pixels."""
    low, high, negative = xy.min(), xy.max(), (xy < 0).mean()
    largest = max(high, -low)
    if largest > LARGEST_PX:
        raise FormatError(f"{source}: wanted pixels, got coordinates up to {largest:.3g}; the file is damaged")
    if largest > _NORMALIZED:
        if largest <= _PERCENT and negative <= _NEGATIVE_SHARES and max(image_size or (np.inf,)) > _PERCENT:
            _log.warning(
                "%s: no coordinate is above %.3g; if they are per cent of the picture's width and height, poses come "
                "out stretched: divide by 100 and give the picture's size (--image-size WIDTH HEIGHT, image_size=...)",
                source, largest,
            )  # fmt: skip
    elif negative > _NEGATIVE_SHARES:
        _log.warning(
            "%s: coordinates from %.3g to %.3g are no pixels; they are taken as they are, and poses come out stretched "
            "if x and y were divided by different lengths",
            source, low, high,
        )  # fmt: skip
    elif image_size is None:
        raise FormatError(
            f"{source}: coordinates from {low:.3g} to {high:.3g} are shares of the picture's width and height, not "
            "pixels; give its size (--image-size WIDTH HEIGHT, image_size=...)"
        )
    else:
        width, height = image_size
        _log.warning(
            "%s: coordinates from %.3g to %.3g are shares of the picture's width and height, and are scaled to %d x %d "
            "pixels",
            source, low, high, width, height,
        )  # fmt: skip
        return np.array([width, height], np.float64)
    return np.ones(2)
