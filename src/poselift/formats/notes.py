"""Notes beside a file that cannot hold them itself, as JSON."""

import json
import logging
from pathlib import Path
from typing import Any

from poselift.formats.options import FileOptions
from poselift.formats.rigs.figure import Figure
from poselift.sequence import Poses3D, spans

_log = logging.getLogger("poselift")


def knowledge(poses: Poses3D) -> dict[str, Any]:
    """Return what is known about poses besides their joints, as JSON has it.

    Frames count from 0, and a span includes both its ends. `unseen` holds, for each joint that was not seen in some
    frames, the spans of these; it is null where this is unknown.
    """
    known: dict[str, Any] = {
        "frame": poses.frame, "fps": poses.fps, "frames": len(poses), "start_s": poses.start_s,
        "person": poses.person, "may_continue": list(poses.may_continue), "gaps": poses.gaps, "unseen": None,
    }  # fmt: skip
    if poses.observed is not None:
        joints = {name: spans(poses.observed[:, joint] <= 0) for joint, name in enumerate(poses.skeleton.joints)}
        known["unseen"] = {name: found for name, found in joints.items() if found}
    return known


def knowledge_of(figure: Figure) -> dict[str, Any]:
    """Return `knowledge` of poses that a figure shows, and what the figure is and costs.

    `constant_bones` says how far the figure's joints are from the poses (`Figure.cost`), which is logged, too.
    `assumed` names the parts whose turn no joint shows: a head without ears, feet without toes.
    """
    cost = figure.cost()
    _log.info(
        "the bones of the %s figure are of constant length: its joints are %.0f mm off on average, %.0f mm at most "
        "(%s in frame %d)",
        *(figure.rig.name, cost["mean_mm"], cost["max_mm"], cost["joint"], cost["frame"]),
    )
    return {
        "axes": "y up; who faces +z faces the camera", "rig": figure.rig.name, **knowledge(figure.poses),
        "assumed": list(figure.body.assumed), "constant_bones": cost,
    }  # fmt: skip


def write_bvh_notes(figure: Figure, path: Path, options: FileOptions) -> None:
    """Write what a BVH file cannot hold: its unit, and `knowledge_of` its figure."""
    notes = {"format": "poselift-bvh-notes", "unit": options.unit, **knowledge_of(figure)}
    path.write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")
