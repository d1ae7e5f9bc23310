"""Puts one frame together: the picture on the left, the view from the side on the right, the time below."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from poselift.errors import MissingExtraError, install_hint
from poselift.render.figure import Figure, draw_figure
from poselift.render.placement import Placement
from poselift.render.stage import GRID_M, Stage
from poselift.sequence import Poses3D

_FINER = 2
"""Everything is drawn this many times as large, and made smaller again, so that lines are smooth."""
_BACKGROUND, _BAR, _GRID = (24, 26, 31), (45, 48, 56), (84, 91, 105)
_TEXT, _GAP, _UNSEEN = (235, 235, 235), (240, 90, 80), (120, 120, 120)
_BAR_SHARE = 0.02
_TEXT_SHARE = 0.034
_BONE_SHARE = 0.0085
_VERTICAL_SHARE = 0.12
"""Share of the height that the view from the side leaves free at its ends."""


@dataclass(frozen=True, eq=False)
class Page:
    """What all frames of a film share."""

    people: Sequence[Poses3D]
    """Everyone, over the same frames."""
    placements: Sequence[Placement | None]
    """Where each of them is in the picture."""
    picture_size: tuple[int, int]
    """(width, height) in pixels of the picture that the placements are in."""
    side: Stage
    """The view from the side."""
    front: Stage | None
    """The view from the front, in the place of a picture; None when there is a picture."""
    title: str
    """What is shown."""
    caption: str
    """How the figure came into the picture, or which view there is in its place."""
    height: int
    """Height of the panels in pixels."""

    @property
    def panel(self) -> tuple[int, int]:
        """(width, height) in pixels of the left panel; even numbers."""
        width, height = self.picture_size
        return (round(self.height * width / height / 2) * 2, self.height) if self.front is None else (self.height,) * 2

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of a frame; even numbers."""
        return self.panel[0] + self.height, self.height + self._bar

    @property
    def _bar(self) -> int:
        return max(4, round(_BAR_SHARE * self.height) * 2)

    def draw(self, frame: int, picture: np.ndarray | None) -> np.ndarray:
        """Return a frame (H, W, 3) uint8.

        Args:
            frame: Its number, from 0.
            picture: (H, W, 3) uint8 picture of the video; None for a dark panel.
        """
        image_of, draw_on, font_of = pillow()
        width, height = (_FINER * side for side in self.size)
        left, right = _FINER * self.panel[0], _FINER * self.height
        image = image_of.new("RGB", (width, height), _BACKGROUND)
        if picture is not None:
            image.paste(image_of.fromarray(picture).resize((left, right), image_of.Resampling.BILINEAR), (0, 0))
        draw, bone = draw_on.Draw(image, "RGBA"), _FINER * _BONE_SHARE * self.height
        if self.front is None:
            scale = np.array([left / self.picture_size[0], right / self.picture_size[1]])
            for poses, placement in zip(self.people, self.placements, strict=True):
                if placement is not None:
                    radii = None if placement.radii is None else placement.radii[frame] * scale
                    draw_figure(draw, _figure(poses, frame, (placement.xy[frame] + 0.5) * scale, radii), bone)
        else:
            self._stage(draw, self.front, frame, (left, right), 0, bone)
        image.paste(_BACKGROUND, (left, 0, width, right))
        self._stage(draw, self.side, frame, (right, right), left, bone)
        self._time(image, frame, right, width, height)
        small = image.reduce(_FINER)  # words are drawn at their size, which is sharper and faster
        self._words(draw_on.Draw(small), font_of(round(_TEXT_SHARE * self.height)), frame, *self.panel)
        return np.asarray(small)

    def _stage(self, draw: Any, stage: Stage, frame: int, size: tuple[int, int], left: int, bone: float) -> None:
        """Draw everyone on the floor of a panel."""
        inner = (size[0], round(size[1] * (1 - 2 * _VERTICAL_SHARE)))
        shift = np.array([left, size[1] * _VERTICAL_SHARE])
        for line in stage.screen(stage.grid(frame), frame, inner) + shift:
            if (line[:, 0] >= left).all() and (line[:, 0] < left + size[0]).all():
                draw.line([*line[0], *line[1]], fill=_GRID, width=_FINER)
            else:
                _clipped(draw, line, left, left + size[0])
        scale = inner[1] / stage.height
        for poses, points, radius in zip(self.people, stage.people, stage.radii, strict=True):
            radii = None if radius is None else np.repeat(scale * radius[frame][:, None], 2, -1)
            draw_figure(draw, _figure(poses, frame, stage.screen(points[frame], frame, inner) + shift, radii), bone)

    def _words(self, draw: Any, font: Any, frame: int, left: int, right: int) -> None:
        """Write what is shown, the time, and what is to be known of the frame."""
        first, size = self.people[0], font.size
        time_s, last = first.start_s + frame / first.fps, len(first) - 1
        _write(draw, font, (size / 2, size / 2), f"{self.title}   {time_s:.2f} s, frame {frame} of 0 to {last}")
        _write(draw, font, (size / 2, right - 1.6 * size), self.caption)
        _write(draw, font, (left + size / 2, right - 1.6 * size), f"from the side; grid {100 * GRID_M:.0f} cm")
        if not self.side.placed and len(self.people) > 1:
            _write(draw, font, (left + size / 2, right - 3.0 * size), "beside each other: places not known")
        said = [words for poses in self.people if (words := _doubt(poses, frame))]
        for line, words in enumerate(dict.fromkeys(said), 1):
            _write(draw, font, (left + size / 2, size / 2 + 1.4 * size * (line - 1)), words, _GAP)

    def _time(self, image: Any, frame: int, top: int, width: int, bottom: int) -> None:
        """Draw the line of time, with the gaps and unseen frames of anybody."""
        frames = len(self.people[0])
        image.paste(_BAR, (0, top, width, bottom))
        for colour, spans in (
            (_UNSEEN, [span for poses in self.people for span in poses.unseen]),
            (_GAP, [span for poses in self.people for span in poses.gaps]),
        ):
            for first, last in spans:
                end = max(width * (last + 1) // frames, width * first // frames + 1)
                image.paste(colour, (width * first // frames, top, end, bottom))
        at = round(width * (frame + 0.5) / frames)
        image.paste(_TEXT, (max(at - 3, 0), top, min(at + 3, width), bottom))


def _figure(poses: Poses3D, frame: int, xy: np.ndarray, radii: np.ndarray | None) -> Figure:
    seen = np.ones(len(poses.skeleton), bool) if poses.observed is None else poses.observed[frame] > 0
    return Figure(poses.skeleton, xy, radii, seen, poses.gap is not None and bool(poses.gap[frame]))


def _doubt(poses: Poses3D, frame: int) -> str:
    who = "" if poses.person is None else f"person {poses.person}: "
    if poses.gap is not None and poses.gap[frame]:
        return f"{who}gap, the pose is invented"
    if poses.observed is not None and not (poses.observed[frame] > 0).any():
        return f"{who}not seen, filled in"
    return ""


def _write(draw: Any, font: Any, at: tuple[float, float], words: str, colour: tuple[int, int, int] = _TEXT) -> None:
    draw.text(at, words, font=font, fill=colour, stroke_width=1, stroke_fill=(0, 0, 0))


def _clipped(draw: Any, line: np.ndarray, left: float, right: float) -> None:
    """Draw the part of a line of the grid that is between two columns."""
    (x0, y0), (x1, y1) = line
    if abs(x1 - x0) < 1e-6:
        return
    shares = sorted(((left - x0) / (x1 - x0), (right - 1 - x0) / (x1 - x0)))
    first, last = max(shares[0], 0.0), min(shares[1], 1.0)
    if first < last:
        ends = [(x0 + share * (x1 - x0), y0 + share * (y1 - y0)) for share in (first, last)]
        draw.line([*ends[0], *ends[1]], fill=_GRID, width=_FINER)


def pillow() -> tuple[Any, Any, Any]:
    """Return Pillow's `Image` and `ImageDraw`, and a function that returns its font of a size.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise MissingExtraError(f"drawing needs Pillow; run: {install_hint('render')}") from error
    return Image, ImageDraw, ImageFont.load_default
