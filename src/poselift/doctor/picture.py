"""A drawing of one frame with the name of each joint beside it, as SVG: the quickest way to see a wrong order."""

from xml.sax.saxutils import escape

import numpy as np

from poselift.sequence import Keypoints2D

_COLORS = {"left": "#d1495b", "right": "#00798c", "": "#444"}
_SIZE = 800.0
_MARGIN = np.array((210.0, 90.0))
_LINE = 18.0


def clearest_frame(keypoints: Keypoints2D) -> int:
    """Return the frame that shows the most joints, and among those the one that shows them farthest apart."""
    seen = keypoints.seen
    most = np.flatnonzero(seen.sum(1) == seen.sum(1).max())
    xy = np.where(seen[most][..., None], keypoints.xy[most], np.nan)
    if not seen.any():
        return 0
    return int(most[np.nanvar(xy, axis=1).sum(-1).argmax()])


def draw(keypoints: Keypoints2D, title: str) -> str:
    """Draw `clearest_frame` as SVG: bones, joints and their names; joints named left are red, right ones blue.

    Args:
        keypoints: The person.
        title: Text above the drawing.

    Returns:
        The file's text. y points down as in the picture.
    """
    frame = clearest_frame(keypoints)
    seen, skeleton = keypoints.seen[frame], keypoints.skeleton
    xy = np.where(seen[:, None], keypoints.xy[frame], np.nan).astype(np.float64)
    low, high = (np.nanmin(xy, 0), np.nanmax(xy, 0)) if seen.any() else (np.zeros(2), np.ones(2))
    scale = _SIZE / max(float((high - low).max()), 1e-9)
    place = (xy - low) * scale + _MARGIN
    width, height = (high - low) * scale + 2 * _MARGIN
    size = f'width="{width:.0f}" height="{height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="15">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="20" y="30" font-size="18">{escape(title)}</text>',
        f'<text x="20" y="54">{skeleton.name}, frame {frame}; claimed {_tinted("left")}, {_tinted("right")}</text>',
    ]
    for parent, child in skeleton.bones:
        if seen[parent] and seen[child]:
            (x1, y1), (x2, y2) = place[parent], place[child]
            lines.append(
                f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                f'stroke="{_color(skeleton.joints[child])}" stroke-width="4" stroke-opacity="0.5"/>'
            )
    on_the_left = place[:, 0] < width / 2
    lines += _labels(place, np.flatnonzero(seen & on_the_left), skeleton.joints, 10, inner=160)
    lines += _labels(place, np.flatnonzero(seen & ~on_the_left), skeleton.joints, width - 150, inner=width - 155)
    return "\n".join([*lines, "</svg>", ""])


def _labels(place: np.ndarray, joints: np.ndarray, names: tuple[str, ...], x: float, inner: float) -> list[str]:
    """Return the SVG of joints (indices) as dots, their names in a column at x, and lines from the dots to `inner`."""
    lines, lowest = [], 0.0
    for joint in joints[np.argsort(place[joints, 1])]:
        (px, py), color = place[joint], _color(names[joint])
        lowest = max(py, lowest + _LINE)
        lines += [
            f'<line x1="{px:.0f}" y1="{py:.0f}" x2="{inner:.1f}" y2="{lowest:.1f}" stroke="{color}" stroke-width="1"/>',
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="5" fill="{color}"/>',
            f'<text x="{x:.1f}" y="{lowest + 5:.1f}" fill="{color}">{joint} {escape(names[joint])}</text>',
        ]
    return lines


def _color(joint: str) -> str:
    side = joint.partition("_")[0]
    return _COLORS.get(side, _COLORS[""])


def _tinted(side: str) -> str:
    return f'<tspan fill="{_COLORS[side]}">{side}</tspan>'
