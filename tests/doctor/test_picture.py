from dataclasses import replace
from xml.etree import ElementTree

import numpy as np

from poselift.doctor.picture import clearest_frame, draw
from poselift.skeleton import H36M_17


def drawn(keypoints, title="clip"):
    root = ElementTree.fromstring(draw(keypoints, title))
    return root, {name: list(root.iter(f"{{http://www.w3.org/2000/svg}}{name}")) for name in ("circle", "line", "text")}


def test_every_joint_is_drawn_with_its_name_and_every_bone(stroll):
    keypoints = stroll(turn_deg=0).keypoints
    _, parts = drawn(keypoints)
    said = {part.text for part in parts["text"]}
    assert {f"{j} {name}" for j, name in enumerate(H36M_17.joints)} <= said
    assert len(parts["circle"]) == 17
    assert len(parts["line"]) == 16 + 17
    labels = {part.text: float(part.get("y")) for part in parts["text"]}
    assert labels["10 head_top"] < labels["2 right_knee"]  # y down, as in the picture
    left, right = (labels_x(parts, name) for name in ("11 left_shoulder", "14 right_shoulder"))
    assert left > right  # who faces the camera has their left on the picture's right


def labels_x(parts: dict, name: str) -> float:
    return next(float(part.get("x")) for part in parts["text"] if part.text == name)


def test_names_do_not_overlap_and_stay_inside(stroll):
    keypoints = stroll(turn_deg=90).keypoints
    root, parts = drawn(keypoints)
    width, height = float(root.get("width")), float(root.get("height"))
    columns: dict[float, list[float]] = {}
    for part in parts["text"][2:]:
        columns.setdefault(float(part.get("x")), []).append(float(part.get("y")))
        assert 0 < float(part.get("x")) < width and 0 < float(part.get("y")) < height
    for ys in columns.values():
        assert len(ys) < 2 or np.diff(sorted(ys)).min() > 17.9


def test_unseen_joints_are_left_out_and_the_fullest_frame_is_shown(stroll):
    keypoints = stroll().keypoints
    xy = keypoints.xy.copy()
    xy[:, 5] = np.nan
    xy[:40, 6] = np.nan
    xy[41:, 7] = np.nan
    partly = replace(keypoints, xy=xy)
    assert clearest_frame(partly) == 40
    _, parts = drawn(partly)
    assert len(parts["circle"]) == 16
    grown = replace(keypoints, xy=keypoints.xy * (1 + 0.01 * np.arange(150))[:, None, None])
    assert clearest_frame(grown) > 100
    unseen = replace(keypoints, xy=np.full_like(xy, np.nan))
    assert len(drawn(unseen)[1]["circle"]) == 0


def test_titles_may_hold_anything(stroll):
    _, parts = drawn(stroll().keypoints, "a <b> & c")
    assert parts["text"][0].text == "a <b> & c"
