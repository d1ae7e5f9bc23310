"""Read what Ultralytics (YOLO pose) saves: JSON of its results, and folders of label files."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError
from poselift.files import read_text
from poselift.formats.clip import Override, Source
from poselift.formats.detections import follow, follow_people, frame_number, frame_numbers
from poselift.formats.fields import numbers
from poselift.formats.order import candidates
from poselift.sequence import Keypoints2D

_BOX = 5
"""Number of values before the joints of a label: class and box."""


def is_ultralytics_person(first: Any) -> bool:
    """Return whether an entry is a person: ``{"keypoints": {"x": [...], "y": [...], "visible": [...]}}``."""
    return isinstance(first, dict) and isinstance(first.get("keypoints"), dict) and "x" in first["keypoints"]


def is_ultralytics_text(first: Any) -> bool:
    """Return whether an entry is what `to_json` returns, a text for each frame."""
    return isinstance(first, str) and first.lstrip().startswith("[")


def read_ultralytics(content: list[Any], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person from the results of one picture, or from a list of those of each frame.

    Args:
        content: A list of people, or of lists of people, or of texts that hold lists of people.
        name: Name of the file in error messages.
        override: What the user states.

    Raises:
        FormatError: An entry is broken, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    frames = [content] if any(is_ultralytics_person(entry) for entry in content) else content
    try:
        frames = [json.loads(frame) if isinstance(frame, str) else frame for frame in frames]
    except (json.JSONDecodeError, RecursionError) as error:
        raise FormatError(f"{name}: a frame is broken JSON ({error})") from error
    if wrong := [place for place, frame in enumerate(frames) if not isinstance(frame, list)]:
        raise FormatError(f"{name}: wanted the list of people of each frame, entry {wrong[0]} is none")
    return follow_people(enumerate(frames), Source(name), override)


def label_files(folder: Path) -> list[Path]:
    """Return the label files of a folder, or of the folder `labels` in it."""
    for place in (folder, folder / "labels"):
        if files := sorted(file for file in place.glob("*.txt") if frame_number(file.stem) is not None):
            return files
    return []


def is_label(line: str) -> bool:
    """Return whether a line of text is a label with joints: class, box, then the joints, all numbers."""
    cells = line.split()
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        return False
    return len(cells) > _BOX and values[0] == int(values[0]) and all(0 <= value <= 1 for value in values[1:_BOX])


def read_labels(files: list[Path], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person from label files, one for each frame and one line for each person.

    A line is ``class x y width height``, then ``x y visibility`` of each joint, all divided by the picture's sides,
    whose size must be given. Confidence and track id may follow. The last number in a file's name is its frame.

    Raises:
        FormatError: A line is broken, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    people: dict[int, np.ndarray] = {}
    ids: dict[int, list[int | None]] = {}
    frames = frame_numbers([file.stem for file in files], name) if len(files) > 1 else [0]
    for number, file in zip(frames, files, strict=True):
        lines = [line for line in read_text(file).splitlines() if line.strip()]
        labels = [_label(line, f"{file}, line {place}") for place, line in enumerate(lines, 1)]
        if len({len(joints) for joints, _ in labels}) > 1:
            raise FormatError(f"{file}: its people have different numbers of joints")
        people[number] = np.stack([joints for joints, _ in labels]) if labels else np.empty((0, 0, 3))
        ids[number] = [track for _, track in labels]
    _flags_to_scores(list(people.values()))
    return follow(people, ids, Source(name), override)


def _label(line: str, name: str) -> tuple[np.ndarray, int | None]:
    """Return joints (J, 3) and track id of one line."""
    if not is_label(line):
        raise FormatError(f"{name}: wanted a label 'class x y width height' and joints, got '{line[:60]}'")
    values = numbers([float(cell) for cell in line.split()], "the label", name)
    for each in (3, 2):
        for after in (0, 1, 2):
            count, left = divmod(len(values) - _BOX - after, each)
            if left == 0 and candidates(count):
                joints = values[_BOX : _BOX + each * count].reshape(count, each)
                if each == 2:
                    joints = np.concatenate([joints, np.ones((count, 1))], axis=1)
                last = values[-1]
                is_id = after == 2 or (after == 1 and last == int(last) and last > 0)
                return joints, int(last) if is_id else None
    raise FormatError(f"{name}: wanted x, y, visibility of each joint after the box, got {len(values) - _BOX} numbers")


def _flags_to_scores(people: list[np.ndarray]) -> None:
    """Turn the flags of training labels, where 2 is visible and 1 hidden, into confidences, in place."""
    flags = np.concatenate([frame[..., 2].ravel() for frame in people]) if people else np.empty(0)
    if 2 in flags and np.isin(flags, (0, 1, 2)).all():
        for frame in people:
            frame[..., 2] = frame[..., 2] > 0
