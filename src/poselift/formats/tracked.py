"""Read dictionaries of tracked people: ``{id: {frame: joints}}``, or ``{frame: [people]}``."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from poselift.errors import FormatError
from poselift.formats.clip import Override, Source
from poselift.formats.detections import follow_people, frame_number, frame_numbers
from poselift.formats.person import joints_key, person_of
from poselift.sequence import Keypoints2D


def is_tracked(content: Any) -> bool:
    """Return whether this is one: its values are objects or lists of people, and the frames' keys hold numbers."""
    if not isinstance(content, dict):
        return False
    first = next((value for value in content.values() if value), None)
    if isinstance(first, list):
        return _are_frames(content) and joints_key(first[0]) is not None
    if not isinstance(first, dict) or joints_key(first) is not None:
        return False
    joints = next(iter(first.values()))
    return (_are_frames(content) or _are_frames(first)) and (joints_key(joints) is not None or isinstance(joints, list))


def _are_frames(keys: Iterable[str]) -> bool:
    return all(frame_number(key) is not None for key in keys)


def read_tracked(content: dict[str, Any], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person.

    Of ``{a: {b: joints}}``, the keys of which there are more are the frames: people are few, and frames many. With as
    many of both, the outer ones are people.

    Args:
        content: The dictionary; joints are an object with `keypoints`, or the numbers themselves.
        name: Name of the file in error messages.
        override: What the user states.

    Raises:
        FormatError: An entry is broken, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    return follow_people(_frames(content, name), Source(name), override)


def _frames(content: dict[str, Any], name: str) -> Iterator[tuple[int, list[Any]]]:
    if wrong := [key for key, value in content.items() if not isinstance(value, list | Mapping)]:
        raise FormatError(f"{name}, '{wrong[0]}': wanted the frames of a person, or the people of a frame")
    outer = list(content)
    inner = list(dict.fromkeys(key for value in content.values() if isinstance(value, Mapping) for key in value))
    outer_is_frame = len(outer) > len(inner)
    frames = outer if outer_is_frame else inner
    number = dict(zip(frames, frame_numbers(frames, name), strict=True))
    people = {key: place for place, key in enumerate(inner if outer_is_frame else outer, 1)}
    for key, value in content.items():
        if isinstance(value, list):
            yield number[key], value
            continue
        for other, joints in value.items():
            frame, person = (key, other) if outer_is_frame else (other, key)
            pose, _ = person_of(joints, f"{name}, '{key}', '{other}'")
            yield number[frame], [{"keypoints": pose.tolist(), "track_id": people[person]}]
