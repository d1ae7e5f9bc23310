"""Read the JSON of Kinetics-Skeleton, which ST-GCN and other classifiers of actions take."""

from typing import Any

from poselift.errors import FormatError
from poselift.formats.clip import Override, Source
from poselift.formats.detections import follow_people, number_of
from poselift.sequence import Keypoints2D


def is_stgcn(content: Any) -> bool:
    """Return whether this is such a clip: ``{"data": [{"frame_index": 1, "skeleton": [{"pose": [...]}]}]}``."""
    frames = content.get("data") if isinstance(content, dict) else None
    return isinstance(frames, list) and any(isinstance(frame, dict) and "skeleton" in frame for frame in frames)


def read_stgcn(content: dict[str, Any], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person; `pose` holds x, y of each joint, `score` their confidence.

    Raises:
        FormatError: A frame is broken, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    frames = []
    for place, frame in enumerate(content["data"]):
        people = frame.get("skeleton") if isinstance(frame, dict) else None
        if not isinstance(people, list):
            raise FormatError(f"{name}, entry {place} of 'data': wanted a frame with a list 'skeleton'")
        frames.append((number_of(frame, place), people))
    return follow_people(frames, Source(name), override)
