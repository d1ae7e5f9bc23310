"""Read OpenPose's JSON: a folder with one file for each frame, or one such file."""

from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError, SkeletonError
from poselift.files import files_in, read_json
from poselift.formats.clip import Override, Source
from poselift.formats.detections import follow, frame_number
from poselift.formats.fields import numbers, person_id
from poselift.sequence import Keypoints2D

_UNKNOWN_MODELS = {15: "MPI", 18: "old COCO"}
_PEOPLE = "pose_keypoints_2d"


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
    files = files_in(folder, "*_keypoints.json") or files_in(folder, "*.json")
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
    return _follow(frames, ids, str(folder), override)


def read_openpose_frame(content: dict[str, Any], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return clips of one frame from the content of one OpenPose file; the errors are those of `read_openpose`."""
    people, ids = people_of(content, name)
    return _follow({0: people}, {0: ids}, name, override)


def people_of(content: Any, name: str) -> tuple[np.ndarray, list[int | None]]:
    """Return (P, J, 3) x, y, confidence of the people in one file, and their numbers; (0, 0, 3) when there are none.

    Raises:
        FormatError: The content is not in OpenPose's layout.
    """
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise FormatError(f"{name} is not OpenPose JSON; wanted a list 'people' of objects with '{_PEOPLE}'")
    found, ids = [], []
    for person in people:
        flat = numbers(person.get(_PEOPLE, []), _PEOPLE, name)
        if flat.ndim != 1 or flat.size % 3:
            raise FormatError(f"{name}: wanted x, y, confidence of each joint in {_PEOPLE}, got {flat.shape} numbers")
        if flat.size:
            found.append(_without_edge(flat.reshape(-1, 3)))
            ids.append(person_id(person.get("person_id")))
    if len({len(person) for person in found}) > 1:
        raise FormatError(f"{name}: its people have different numbers of joints")
    return np.stack(found) if found else np.empty((0, 0, 3)), ids


def _without_edge(person: np.ndarray) -> np.ndarray:
    """Drop joints with an x or y of exactly 0: they were not seen, or put at the picture's edge, even if confident."""
    return np.where((person[:, :2] == 0).any(-1, keepdims=True), 0.0, person)


def _follow(
    frames: dict[int, np.ndarray], ids: dict[int, list[int | None]], name: str, override: Override
) -> tuple[Keypoints2D, ...]:
    joints = next((people.shape[1] for people in frames.values() if len(people)), 0)
    if override.skeleton is None and joints in _UNKNOWN_MODELS:
        raise SkeletonError(
            f"{name}: {joints} joints are OpenPose's {_UNKNOWN_MODELS[joints]} model, which is not read; "
            "run OpenPose with --model_pose BODY_25, or put the joints into a known order and name that with --skeleton"
        )
    return follow(frames, ids, Source(name), override)
