"""Reports on motion files for the command line: which ones could not be read, and how the others were read."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from poselift.cli.console import say_error
from poselift.datasets.clip import MocapClip
from poselift.errors import DatasetError, PoseliftError


class Skipped:
    """Prints an error for each file that cannot be used, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, path: Path, error: PoseliftError) -> None:
        """Print the error of a file that `load_mocap` cannot read."""
        self.count += 1
        say_error(error, path)

    def without_velocity(self, clips: list[MocapClip], data: Path) -> list[MocapClip]:
        """Return the clips of two or more frames (one frame has no velocity), or all clips where there are none."""
        kept = [clip for clip in clips if len(clip) > 1]
        for clip in clips if kept else ():
            if len(clip) < 2:
                self(data / clip.name, DatasetError("wanted two frames or more, got one, which has no velocity"))
        return kept or clips


def describe_readings(clips: Sequence[MocapClip]) -> tuple[str, ...]:
    """Return lines that say how motion files were read, one for files read alike; none for archives."""
    alike: dict[Any, list[MocapClip]] = {}
    for clip in clips:
        if clip.reading is not None:
            key = (replace(clip.reading, height_m=0.0, notes=()), clip.fps)
            alike.setdefault(key, []).append(clip)
    lines = []
    for (reading, fps), group in alike.items():
        heights = [clip.reading.height_m for clip in group if clip.reading]
        tall = f"{min(heights):.2f}" + (f" to {max(heights):.2f}" if max(heights) > min(heights) else "")
        lines.append(
            f"{_names(group)}: unit {reading.unit} ({reading.unit_from}), up {reading.up} ({reading.up_from}), "
            f"{tall} m tall, {fps:g} fps ({reading.fps_from}), joints by {reading.joints}"
        )
        notes: dict[str, list[MocapClip]] = {}
        for clip in group:
            for note in clip.reading.notes if clip.reading else ():
                notes.setdefault(note, []).append(clip)
        lines += [f"  note, {_names(noted)}: {note}" for note, noted in notes.items()]
    return (*lines, "to read them otherwise, give --unit, --up, --fps or --joints") if lines else ()


def _names(clips: Sequence[MocapClip]) -> str:
    named = ", ".join(clip.name for clip in clips[:3])
    return named if len(clips) <= 3 else f"{named} and {len(clips) - 3} more"
