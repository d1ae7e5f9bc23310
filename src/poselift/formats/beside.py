"""Notes beside a file, as JSON: what its format has no place for."""

import json
from pathlib import Path

from poselift.formats.about import written_by
from poselift.sequence import Poses3D, spans


def write_notes(poses: Poses3D, path: Path, *, kind: str, unit: str, axes: str, first_frame: int = 0) -> None:
    """Write unit, axes, rate, gaps, and the frames in which joints were not seen.

    A span includes both its ends. `unseen` holds, for each joint that was not seen in some frames, the spans of these;
    it is null where this is unknown.

    Args:
        poses: The poses, in the joints of the file.
        path: The file of notes.
        kind: Name of the format.
        unit: Unit of length in the file.
        axes: Axes of the file in words.
        first_frame: Number of the first frame in the file.
    """

    def numbered(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
        return [(first + first_frame, last + first_frame) for first, last in found]

    unseen = None
    if poses.observed is not None:
        all_spans = {name: spans(poses.observed[:, joint] <= 0) for joint, name in enumerate(poses.skeleton.joints)}
        unseen = {name: numbered(found) for name, found in all_spans.items() if found}
    notes = {
        "format": f"poselift-{kind}-notes", "written_by": written_by(), "about": dict(poses.about),
        "unit": unit, "axes": axes, "frame": poses.frame, "at_its_place": poses.path is not None,
        "fps": poses.fps, "frames": len(poses), "first_frame": first_frame, "start_s": poses.start_s,
        "person": poses.person, "may_continue": poses.may_continue,
        "gaps": numbered(poses.gaps), "unseen": unseen,
        "camera": None if poses.camera is None else poses.camera.as_json(),
    }  # fmt: skip
    path.write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")
