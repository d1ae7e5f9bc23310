"""Read lists of detections in the layout of AlphaPose and of the COCO evaluation."""

import re
from typing import Any

import numpy as np

from poselift.errors import FormatError
from poselift.formats.clip import Override, Source
from poselift.formats.detections import follow, frame_numbers
from poselift.formats.fields import numbers, person_id
from poselift.sequence import Keypoints2D

_FRACTION = re.compile(r"^([0-9]+)\.0+$")


def read_detections(content: list[Any], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person in a list ``[{"image_id": 12, "keypoints": [x, y, confidence, ...]}, ...]``.

    `image_id` is the frame number, or a file name whose last number is the frame number. `idx` (AlphaPose) or
    `track_id` (PoseTrack) identifies people, if it distinguishes them. Other entries (`score`, `box`) are not used.

    Raises:
        FormatError: An entry is broken, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    if not content:
        raise FormatError(f"{name} is an empty list; wanted detections with 'image_id' and 'keypoints'")
    people: dict[int, list[np.ndarray]] = {}
    ids: dict[int, list[int | None]] = {}
    poses = [_pose(entry, f"{name}, entry {place}") for place, entry in enumerate(content)]
    frames = frame_numbers([_image_id(entry) for entry in content], f"{name}, image_id")
    for number, pose, entry in zip(frames, poses, content, strict=True):
        people.setdefault(number, []).append(pose)
        ids.setdefault(number, []).append(person_id(entry.get("idx", entry.get("track_id"))))
    if len({len(pose) for poses in people.values() for pose in poses}) > 1:
        raise FormatError(f"{name}: its people have different numbers of joints; wanted one joint count")
    return follow({number: np.stack(poses) for number, poses in people.items()}, ids, Source(name), override)


def _image_id(entry: dict[str, Any]) -> str:
    """Return an entry's image id as text, without the fraction of a whole number."""
    return _FRACTION.sub(r"\1", str(entry["image_id"]))


def _pose(entry: Any, name: str) -> np.ndarray:
    """Return an entry's keypoints (J, 3)."""
    if not isinstance(entry, dict) or not {"image_id", "keypoints"} <= entry.keys():
        raise FormatError(f"{name}: wanted an object with 'image_id' and 'keypoints'")
    flat = numbers(entry["keypoints"], "'keypoints'", name)
    if flat.ndim != 1 or flat.size == 0 or flat.size % 3:
        raise FormatError(f"{name}: wanted x, y, confidence of each joint in 'keypoints', got {flat.shape} numbers")
    return flat.reshape(-1, 3)
