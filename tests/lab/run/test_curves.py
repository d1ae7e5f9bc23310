import re
from xml.etree import ElementTree

from poselift.lab.run.curves import curves_svg

LINES = [
    {"step": 0, "top1": 0.1},
    {"step": 50, "loss": 4.0, "spread": 0.5},
    {"step": 100, "loss": 2.0, "spread": 0.5, "top1": 0.3},
]
PANELS = (("loss",), ("top1", "top5"), ("spread",), ("nothing",))


def test_panels_hold_what_the_log_has():
    text = curves_svg("a < b", LINES, PANELS)
    root = ElementTree.fromstring(text)
    names = [node.text for node in root.iter() if node.tag.endswith("text")]
    assert "a < b, 100 steps" in names
    assert {"loss 2", "top1 0.3", "top5", "spread 0.5"} <= set(names)
    assert not any("nothing" in name for name in names)


def test_high_values_are_drawn_high_and_late_ones_right():
    lines = re.findall(r'<polyline points="([^"]*)"', curves_svg("run", LINES, (("loss",),)))
    (first, last) = ([float(number) for number in point.split(",")] for point in lines[0].split())
    assert last[0] > first[0]
    assert last[1] > first[1]  # down the page: the loss fell
    assert last[1] - first[1] == 90


def test_an_empty_log_and_a_flat_one_are_drawings_too():
    for lines in ([], [{"step": 0, "loss": 1.0}]):
        assert ElementTree.fromstring(curves_svg("run", lines, PANELS)).tag.endswith("svg")
