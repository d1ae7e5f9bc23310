"""Draw a run's log: small panels below each other in one SVG file, without a plotting library."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _GAP, _LEFT = 640, 90, 46, 70
_COLOURS = ("#0b62a4", "#c0392b", "#1e8449", "#7d3c98")


def curves_svg(title: str, lines: Sequence[Mapping[str, Any]], panels: Sequence[Sequence[str]]) -> str:
    """Draw values of a log over its steps.

    Args:
        title: Title at the top of the drawing.
        lines: Lines of the log, each with "step"; a field may be missing from some.
        panels: For each panel the names of the fields that share it and its scale; panels without values are left out.

    Returns:
        The text of the SVG file.
    """
    shown = [names for names in panels if any(name in line for name in names for line in lines)]
    last = max((line["step"] for line in lines), default=0) or 1
    height = 40 + len(shown) * (_HEIGHT + _GAP)
    box = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 20} {height}"'
    parts = [
        f'<svg {box} font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14">{escape(title)}, {last} steps</text>',
    ]
    for number, names in enumerate(shown):
        parts += _panel(names, lines, last, 56 + number * (_HEIGHT + _GAP))
    return "\n".join([*parts, "</svg>\n"])


def _panel(names: Sequence[str], lines: Sequence[Mapping[str, Any]], last: int, top: int) -> list[str]:
    """Return the SVG elements of one panel, whose upper edge is at `top` pixels."""
    points = {name: [(line["step"], line[name]) for line in lines if name in line] for name in names}
    values = [value for found in points.values() for _, value in found]
    low, high = min(values), max(values)
    span = (high - low) or 1
    parts = [f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#bbb"/>']
    for value, y in ((high, top + 10), (low, top + _HEIGHT)):
        parts.append(f'<text x="{_LEFT - 6}" y="{y}" text-anchor="end">{value:.4g}</text>')
    for place, (name, found) in enumerate(points.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        path = " ".join(
            f"{_LEFT + _WIDTH * step / last:.1f},{top + _HEIGHT * (high - value) / span:.1f}" for step, value in found
        )
        latest = f" {found[-1][1]:.4g}" if found else ""
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        x = _LEFT + 160 * place
        parts.append(f'<text x="{x}" y="{top - 5}" fill="{colour}">{escape(name)}{latest}</text>')
    return parts
