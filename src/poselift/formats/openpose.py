"""Read OpenPose's JSON: a folder with one file for each frame, or one such file."""

from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError
from poselift.files import read_json
from poselift.formats.clip import Override, Source
from poselift.formats.detections import follow, frame_number
from poselift.formats.person import joints_key, person_of
from poselift.sequence import Keypoints2D

_PEOPLE = ("people", "bodies")
"""What the list of people is called by OpenPose, and by AlphaPose's `cmu` form."""


def is_people(content: Any) -> bool:
    """Whether this is the content of one of OpenPose's files: ``{"people": [...]}``."""
    return isinstance(content, dict) and any(isinstance(content.get(key), list) for key in _PEOPLE)


def read_openpose(folder: Path, override: Override) -> tuple[Keypoints2D, ...]:
    """Read the keypoints of each person in a folder of OpenPose JSON.

    The frame number is the last number in each file name. BODY_25 and BODY_25B have equally many joints; they are
    distinguished by the places of the joints, and the choice is logged. Joints with an x or y of exactly 0 were not
    seen. `person_id` identifies people, if it distinguishes them.

    Args:
        folder: Path of the folder of `*_keypoints.json`, or else of any `*.json`, one file for each frame.
        override: Frame rate, which the files do not hold; and the skeleton, else it is identified from the data.

    Raises:
        FormatError: There are no files, one is broken or has no number in its name, no person is seen, or there is no
            frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    files = sorted(folder.glob("*_keypoints.json")) or sorted(folder.glob("*.json"))
    if not files:
        raise FormatError(f"{folder} holds no .json files; wanted OpenPose's, one a frame")
    frames: dict[int, np.ndarray] = {}
    ids: dict[int, list[int | None]] = {}
    names: dict[int, str] = {}
    for file in files:
        number = frame_number(file.stem) if len(files) > 1 else 0
        if number is None:
            raise FormatError(
                f"{file} has no frame number in its name; wanted names such as clip_000012_keypoints.json"
            )
        if number in frames:
            raise FormatError(
                f"{folder} holds two files for frame {number}: {names[number]} and {file.name}; "
                "put each camera into its own folder"
            )
        frames[number], ids[number] = people_of(read_json(file), str(file))
        names[number] = file.name
    return follow(frames, ids, Source(str(folder)), override)


def read_openpose_frame(content: dict[str, Any], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return clips of one frame from the content of one OpenPose file; the errors are those of `read_openpose`."""
    people, ids = people_of(content, name)
    return follow({0: people}, {0: ids}, Source(name), override)


def read_openpose_frames(frames: Any, name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person from one file with the people of all frames.

    Args:
        frames: A list of frames as OpenPose writes them into files (ComfyUI), or an object with the picture's name for
            each (AlphaPose's `open` and `cmu` forms).
        name: What to call the file in errors.
        override: What the user states.

    Raises:
        FormatError: A frame is broken, a name has no number, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    people: dict[int, np.ndarray] = {}
    ids: dict[int, list[int | None]] = {}
    size = None
    for place, key in enumerate(frames):
        number, content = (
            (place, key) if isinstance(frames, list) else (frame_number(key.rsplit(".", 1)[0]), frames[key])
        )
        if number is None:
            raise FormatError(f"{name}: wanted a frame number in the name of each picture, got '{key}'")
        people[number], ids[number] = people_of(content, f"{name}, frame {number}")
        size = size or _canvas(content)
    return follow(people, ids, Source(name, image_size=size), override)


def _canvas(content: dict[str, Any]) -> tuple[int, int] | None:
    """Size of the picture, as ComfyUI says it."""
    sides = [content.get(f"canvas_{side}") for side in ("width", "height")]
    return (sides[0], sides[1]) if isinstance(sides[0], int) and isinstance(sides[1], int) else None


def people_of(content: Any, name: str) -> tuple[np.ndarray, list[int | None]]:
    """Return (P, J, 3) x, y, confidence of the people in one file, and their numbers; (0, 0, 3) when there are none.

    Raises:
        FormatError: The content is not in OpenPose's layout.
    """
    people = content
    if isinstance(content, dict):
        people = next((content[key] for key in _PEOPLE if isinstance(content.get(key), list)), None)
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise FormatError(f"{name} is not OpenPose JSON; wanted a list 'people' of objects with 'pose_keypoints_2d'")
    found, ids = [], []
    for person in people:
        if joints_key(person) is None or person[str(joints_key(person))]:  # OpenPose may list a hand without a body
            pose, number = person_of(person, name)
            found.append(_without_edge(pose))
            ids.append(number)
    if len({len(person) for person in found}) > 1:
        raise FormatError(f"{name}: its people have different numbers of joints")
    return np.stack(found) if found else np.empty((0, 0, 3)), ids


def _without_edge(person: np.ndarray) -> np.ndarray:
    """Drop joints with an x or y of exactly 0: they were not seen, or put at the picture's edge, even if confident."""
    return np.where((person[:, :2] == 0).any(-1, keepdims=True), 0.0, person)
