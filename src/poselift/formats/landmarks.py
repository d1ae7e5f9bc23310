"""Read JSON in which each joint is an object: dumps of MediaPipe's landmarks, and TensorFlow.js's poses."""

from collections.abc import Iterator
from typing import Any

from poselift.formats.clip import Override, Source
from poselift.formats.detections import follow_people, number_of
from poselift.formats.person import is_point, joints_key
from poselift.sequence import Keypoints2D

_FRAMES = ("frames", "landmarks", "results", "data")


def is_person(entry: Any) -> bool:
    """Return whether this is a person: a list of points, or an object that holds one."""
    points = entry[key] if isinstance(entry, dict) and (key := joints_key(entry)) else entry
    return isinstance(points, list) and len(points) > 1 and is_point(points[0])


def is_landmark_frame(entry: Any) -> bool:
    """Return whether this is a frame: a person, several, or an object with a list of them."""
    inside = entry[key] if isinstance(entry, dict) and (key := joints_key(entry)) else entry
    return is_person(entry) or (isinstance(inside, list) and bool(inside) and is_person(inside[0]))


def landmark_frames(content: Any) -> list[Any] | None:
    """Return the frames of a file; None if it holds no landmarks."""
    if isinstance(content, dict):
        if is_landmark_frame(content):
            return [content]
        content = next((content[key] for key in _FRAMES if isinstance(content.get(key), list)), None)
    if not isinstance(content, list):
        return None
    if is_person(content) or any(isinstance(entry, dict) and _is_pose(entry) for entry in content):
        return [content]  # one frame: a person's points, or TensorFlow.js's poses
    return content if any(is_landmark_frame(entry) for entry in content) else None


def _is_pose(entry: dict[str, Any]) -> bool:
    """Return whether this is a pose of TensorFlow.js, and no frame: it has no number."""
    return "keypoints" in entry and is_person(entry) and number_of(entry, -1) == -1


def read_landmarks(content: Any, name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person.

    Args:
        content: A list of frames, or an object with one under `frames`. A frame is a list of points
            ``{"x": 0.5, "y": 0.2, "visibility": 0.9}``, a list of such lists, or an object that holds one under
            `landmarks`, `pose_landmarks` or `keypoints`. Null and an empty list are frames without people.
        name: Name of the file in error messages.
        override: What the user states.

    Raises:
        FormatError: A frame is broken, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    return follow_people(_people(landmark_frames(content) or []), Source(name), override)


def _people(frames: list[Any]) -> Iterator[tuple[int, list[Any]]]:
    for place, frame in enumerate(frames):
        number = number_of(frame, place) if isinstance(frame, dict) else place
        inside = frame[key] if isinstance(frame, dict) and (key := joints_key(frame)) else frame
        yield number, [] if not inside else [frame] if is_person(frame) else list(inside)
