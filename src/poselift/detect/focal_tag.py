"""The focal length that phones and cameras write into their videos, in terms of 35 mm film.

Apple's phones write it as a QuickTime tag, others in the EXIF of pictures, which videos of single JPEG pictures keep.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

TAGS = (
    "com.apple.quicktime.camera.focal_length.35mm_equivalent",
    "focallengthin35mmfilm",
    "focallengthin35mmformat",
)
"""Names of tags in small letters, without what FFmpeg puts before the names of EXIF."""
FILM_DIAGONAL_MM = math.hypot(36, 24)
"""Diagonal of 35 mm film, by which CIPA DCG-001 defines the equivalent focal length."""
_POSSIBLE_MM = (5.0, 1500.0)
"""Equivalent focal lengths that lenses have; EXIF says 0 where it is not known."""
_NUMBER = re.compile(r"\s*(\d{1,8}(?:\.\d{1,8})?)(?:/(\d{1,8}))?\s*(?:mm)?\s*")


def focal_of_tags(tags: Mapping[str, Any], size: tuple[int, int]) -> tuple[float, str] | None:
    """Return the focal length in pixels, and what says it; None where nothing does.

    Args:
        tags: Metadata by name, of a container, a stream or a frame.
        size: Sides of the picture in pixels.
    """
    for name, millimetres in _said(tags):
        if _POSSIBLE_MM[0] <= millimetres <= _POSSIBLE_MM[1]:
            return focal_px(millimetres, size), f"{millimetres:g} mm in terms of 35 mm film by {name}"
    return None


def focal_px(millimetres: float, size: tuple[int, int]) -> float:
    """Return the focal length in pixels of one in terms of 35 mm film.

    The equivalent is by the diagonal of the picture that the sensor takes (CIPA DCG-001). A picture of up to 3 to 2 is
    that picture. A wider one, as of most videos, is cut out of a sensor's of 4 to 3, as phones have them, and keeps the
    longer side, which is 0.8 of the diagonal. What stabilization cuts off besides is not written down.

    Args:
        millimetres: The equivalent focal length.
        size: Sides of the picture in pixels, in any order.
    """
    longer, shorter = max(size), min(size)
    share = longer / math.hypot(longer, shorter) if 2 * longer <= 3.001 * shorter else 0.8
    return millimetres / (share * FILM_DIAGONAL_MM) * longer


def _said(tags: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield names of the tags that are there, and millimetres."""
    short = {str(name).lower().rpartition("/")[2]: (str(name), str(value)) for name, value in tags.items()}
    for tag in TAGS:
        name, value = short.get(tag, ("", ""))
        if (match := _NUMBER.fullmatch(value)) and float(match[2] or 1) > 0:
            yield name, float(match[1]) / float(match[2] or 1)
