"""What files of figures say about the figure: whom it shows, and what its constant bones cost."""

import logging
from typing import Any
from weakref import WeakKeyDictionary

from poselift.formats.beside import knowledge
from poselift.formats.rigs.figure import Figure
from poselift.sequence import Poses3D

_log = logging.getLogger("poselift")
_said: WeakKeyDictionary[Poses3D, set[str]] = WeakKeyDictionary()
"""By poses, the rigs of which the cost was logged: several formats hold the same figure."""


def knowledge_of(figure: Figure) -> dict[str, Any]:
    """Return `poselift.formats.beside.knowledge` of poses that a figure shows, and what the figure is and costs.

    `constant_bones` says how far the figure's joints are from the poses (`Figure.cost`), which is logged, too, once for
    the figure of some poses.
    `assumed` names the parts whose turn no joint shows: a head without ears, feet without toes.
    """
    cost = figure.cost()
    if figure.rig.name not in (said := _said.setdefault(figure.poses, set())):
        said.add(figure.rig.name)
        _log.info(
            "the bones of the %s figure are of constant length: its joints are %.0f mm off on average, %.0f mm at most "
            "(%s in frame %d)",
            *(figure.rig.name, cost["mean_mm"], cost["max_mm"], cost["joint"], cost["frame"]),
        )
    return {
        "axes": "y up; who faces +z faces the camera", "rig": figure.rig.name, **knowledge(figure.poses),
        "assumed": list(figure.body.assumed), "constant_bones": cost,
    }  # fmt: skip
