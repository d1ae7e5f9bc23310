"""Read dictionaries of tracked people: ``{id: {frame: joints}}``, or ``{frame: [people]}``."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from poselift.errors import FormatError
from poselift.formats.clip import Override, Source
from poselift.formats.detections import follow_people, frame_number
from poselift.formats.person import joints_key, person_of
from poselift.sequence import Keypoints2D


def is_tracked(content: Any) -> bool:
    """Whether this is one: every value is an object or a list of people, and every key holds a number."""
    if not isinstance(content, dict) or not content or any(frame_number(key) is None for key in content):
        return False
    first = next((value for value in content.values() if value), None)
    if isinstance(first, dict):
        first = None if joints_key(first) else next(iter(first.values()))
        return joints_key(first) is not None or isinstance(first, list)
    return isinstance(first, list) and joints_key(first[0]) is not None


def read_tracked(content: dict[str, Any], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person.

    Of ``{a: {b: joints}}``, the keys of which there are more are the frames: people are few, and frames many. With as
    many of both, the outer ones are people.

    Args:
        content: The dictionary; joints are an object with `keypoints`, or the numbers themselves.
        name: What to call the file in errors.
        override: What the user states.

    Raises:
        FormatError: An entry is broken, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    return follow_people(_frames(content, name), Source(name), override)


def _frames(content: dict[str, Any], name: str) -> Iterator[tuple[int, list[Any]]]:
    inner = {key for value in content.values() if isinstance(value, Mapping) for key in value}
    outer_frames = len(content) > len(inner)
    for place, (outer, value) in enumerate(content.items()):
        if isinstance(value, list):
            yield _number(outer, name), value
        elif isinstance(value, Mapping):
            for key, joints in value.items():
                frame, person = (outer, key) if outer_frames else (key, outer)
                known = frame_number(str(person))
                yield (
                    _number(frame, name),
                    [_entry(joints, place if known is None else known, f"{name}, {outer}, {key}")],
                )
        else:
            raise FormatError(f"{name}, '{outer}': wanted the frames of a person, or the people of a frame")


def _number(key: str, name: str) -> int:
    number = frame_number(key.rsplit(".", 1)[0])
    if number is None:
        raise FormatError(f"{name}: wanted a frame number, got '{key}'")
    return number


def _entry(joints: Any, number: int, name: str) -> dict[str, Any]:
    pose, _ = person_of(joints, name)
    return {"keypoints": np.asarray(pose).tolist(), "track_id": number}
