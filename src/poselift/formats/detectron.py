"""Read the archives that VideoPose3D makes of one's own videos, and those of Detectron before they are joined.

Both hold pickled objects. They are read by `poselift.formats.archive`, which takes arrays and plain containers out of
them and runs nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from poselift.errors import FormatError
from poselift.formats.clip import Override, Source, finish
from poselift.formats.detections import follow_people
from poselift.sequence import Keypoints2D

_PROBABILITY = 3
"""Row of a detection's keypoints that holds the score, after x, y and a logit."""


def is_videopose(content: Mapping[str, Any]) -> bool:
    """Return whether this is VideoPose3D's `data_2d_custom_*.npz`."""
    return isinstance(content.get("positions_2d"), dict)


def is_detectron(content: Mapping[str, Any]) -> bool:
    """Return whether this is what its `infer_video.py` saves for one video."""
    return {"boxes", "keypoints"} <= content.keys()


def read_videopose(content: Mapping[str, Any], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of the one video in `positions_2d`; the size of its picture is in `metadata`.

    Raises:
        FormatError: It holds several videos, no video, or broken arrays; or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    clips = dict(_clips(content["positions_2d"]))
    if len(clips) != 1:
        named = ", ".join(sorted(clips)[:5])
        raise FormatError(
            f"{name} holds {len(clips)} clips ({named}); lifting wants one: prepare each video by itself, or "
            "measure on a benchmark with 'poselift evaluate --data FOLDER'"
        )
    metadata = content.get("metadata")
    videos = metadata.get("video_metadata") if isinstance(metadata, dict) else None
    found = next(iter(videos.values()), None) if isinstance(videos, dict) else None
    ((clip, array),) = clips.items()
    array = np.asarray(array)
    if array.dtype.kind not in "iuf":
        raise FormatError(f"{name}, {clip}: wanted numbers (frames, joints, 2), got {array.dtype} {array.shape}")
    return finish([array], Source(name, image_size=_size(found)), override)


def read_detectron(content: Mapping[str, Any], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person: for each frame (people, 4, joints) x, y, logit, probability.

    Raises:
        FormatError: The arrays are broken, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    frames = ((number, _people(frame, f"{name}, frame {number}")) for number, frame in enumerate(content["keypoints"]))
    return follow_people(frames, Source(name, image_size=_size(content.get("metadata"))), override)


def _clips(content: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each array in nested dicts and lists, with its path."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _clips(value, f"{path}/{key}" if path else str(key))
    elif isinstance(content, list):
        for place, value in enumerate(content):
            yield from _clips(value, f"{path}, camera {place}" if len(content) > 1 else path)
    else:
        yield path, content


def _people(frame: Any, name: str) -> list[Any]:
    """Return the people of a frame; of a pair of classes, the second one is people."""
    pair = isinstance(frame, list | tuple) or (isinstance(frame, np.ndarray) and frame.dtype.hasobject)
    found = frame[-1] if pair and len(frame) else frame
    array = np.asarray(found)
    if array.size == 0:
        return []
    if array.ndim != 3 or array.shape[1] != _PROBABILITY + 1 or array.dtype.kind not in "iuf":
        raise FormatError(f"{name}: wanted keypoints (people, 4, joints), got {array.dtype} {array.shape}")
    return [person[[0, 1, _PROBABILITY]].T.tolist() for person in array]


def _size(metadata: Any) -> tuple[int, int] | None:
    """Return the size of the picture under `w` and `h`."""
    width, height = (metadata.get("w"), metadata.get("h")) if isinstance(metadata, dict) else (None, None)
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None
