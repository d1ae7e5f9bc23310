"""Notes beside a file, as JSON: what its format has no place for."""

import json
from pathlib import Path
from typing import Any

from poselift.formats.about import written_by
from poselift.sequence import Poses3D, spans


def knowledge(poses: Poses3D, *, first_frame: int = 0) -> dict[str, Any]:
    """Return what is known about poses besides their joints, as JSON has it.

    A span includes both its ends. `unseen` holds, for each joint that was not seen in some frames, the spans of these;
    it is null where this is unknown.

    Args:
        poses: The poses, in the joints of the file.
        first_frame: Number of the first frame in the file.
    """

    def numbered(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
        return [(first + first_frame, last + first_frame) for first, last in found]

    unseen = None
    if poses.observed is not None:
        all_spans = {name: spans(poses.observed[:, joint] <= 0) for joint, name in enumerate(poses.skeleton.joints)}
        unseen = {name: numbered(found) for name, found in all_spans.items() if found}
    return {
        "written_by": written_by(), "about": dict(poses.about),
        "frame": poses.frame, "at_its_place": poses.path is not None,
        "fps": poses.fps, "frames": len(poses), "first_frame": first_frame, "start_s": poses.start_s,
        "person": poses.person, "may_continue": list(poses.may_continue),
        "gaps": numbered(poses.gaps), "unseen": unseen,
        "camera": None if poses.camera is None else poses.camera.as_json(),
    }  # fmt: skip


def write_notes(path: Path, *, kind: str, unit: str, known: dict[str, Any]) -> None:
    """Write a file of notes.

    Args:
        path: The file.
        kind: Name of the format.
        unit: Unit of length in the file.
        known: `knowledge` of the poses, and what else there is to say.
    """
    notes = {"format": f"poselift-{kind}-notes", "unit": unit, **known}
    path.write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")
