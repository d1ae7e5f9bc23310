"""Draws a stick figure: the right side blue, the left orange; joints that were not seen hollow, their bones dashed."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from poselift.skeleton import Skeleton

LEFT, RIGHT, MIDDLE = (255, 150, 40), (70, 150, 255), (235, 235, 235)
_GUESSED_ALPHA, _GAP_ALPHA, _DISC_ALPHA = 130, 90, 46
_DASH = 5.0
"""Length of dashes and of the gaps between them, in widths of the line."""
_SMALLEST_DISC_PX = 2.0


@dataclass(frozen=True, eq=False)
class Figure:
    """One person in one frame, in pixels of a panel."""

    skeleton: Skeleton
    """Joint order."""
    xy: np.ndarray
    """(J, 2) pixels; joints with NaN are left out."""
    radii: np.ndarray | None
    """(J, 2) pixels: half axes of the ellipse around each joint."""
    observed: np.ndarray
    """(J,) bool: the joint was seen."""
    gap: bool
    """Whether the pose is invented."""


def draw_figure(draw: Any, figure: Figure, width: float) -> None:
    """Draw a figure with Pillow's `ImageDraw` of mode RGBA.

    Args:
        draw: What draws.
        figure: The person.
        width: Width of bones in pixels.
    """
    there = np.isfinite(figure.xy).all(-1)
    names = figure.skeleton.joints
    if figure.radii is not None:
        for joint in np.flatnonzero(there & (figure.radii > _SMALLEST_DISC_PX).all(-1)):
            (x, y), (across, along) = figure.xy[joint], figure.radii[joint]
            box = (x - across, y - along, x + across, y + along)
            draw.ellipse(
                box, fill=(*_colour(names[joint]), _DISC_ALPHA), outline=(*_colour(names[joint]), 2 * _DISC_ALPHA)
            )
    for parent, child in figure.skeleton.bones:
        if not there[[parent, child]].all():
            continue
        seen = bool(figure.observed[[parent, child]].all()) and not figure.gap
        colour = (*_colour(names[child]), _alpha(seen, figure.gap))
        if seen:
            draw.line([*figure.xy[parent], *figure.xy[child]], fill=colour, width=round(width))
        else:
            _dashed(draw, figure.xy[parent], figure.xy[child], colour, width)
    for joint in np.flatnonzero(there):
        seen = bool(figure.observed[joint]) and not figure.gap
        x, y = figure.xy[joint]
        size = 0.8 * width
        colour = (*_colour(names[joint]), _alpha(seen, figure.gap))
        box = (x - size, y - size, x + size, y + size)
        if seen:
            draw.ellipse(box, fill=colour)
        else:
            draw.ellipse(box, outline=colour, width=max(1, round(width / 3)))


def _colour(joint: str) -> tuple[int, int, int]:
    return LEFT if joint.startswith("left_") else RIGHT if joint.startswith("right_") else MIDDLE


def _alpha(seen: bool, gap: bool) -> int:
    return _GAP_ALPHA if gap else 255 if seen else _GUESSED_ALPHA


def _dashed(draw: Any, start: np.ndarray, end: np.ndarray, colour: tuple[int, ...], width: float) -> None:
    """Draw a dashed line."""
    length = float(np.linalg.norm(end - start))
    step = _DASH * width / 2
    count = min(int(length // step) + 1, 500)
    for piece in range(0, count, 2):
        first, last = (start + (end - start) * min(at * step / max(length, 1e-9), 1.0) for at in (piece, piece + 1))
        draw.line([*first, *last], fill=colour, width=round(width))
