"""Read JSON files of keypoints in many layouts, which are distinguished by their content."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from poselift.errors import FormatError
from poselift.formats.clip import Override, Source, finish
from poselift.formats.coco import read_detections
from poselift.formats.coco_truth import is_truth, read_truth
from poselift.formats.fields import numbers
from poselift.formats.json_file import read_keypoints_json
from poselift.formats.landmarks import landmark_frames, read_landmarks
from poselift.formats.mmpose import is_mmpose_file, is_mmpose_frame, is_mmpose_person, read_mmpose
from poselift.formats.openpose import is_people, read_openpose_frame, read_openpose_frames
from poselift.formats.stgcn import is_stgcn, read_stgcn
from poselift.formats.tracked import is_tracked, read_tracked
from poselift.formats.ultralytics import is_ultralytics_person, is_ultralytics_text, read_ultralytics
from poselift.sequence import Keypoints2D

_MOST_KEYS = 8


@dataclass(frozen=True)
class Layout:
    """One way to write keypoints as JSON."""

    name: str
    """Name in error messages."""
    matches: Callable[[Any], bool]
    """Return whether the content of a file is in this layout."""
    read: Callable[[Any, str, Override], tuple[Keypoints2D, ...]]
    """Function that takes the content, the name of the file, and what the user states."""


def read_layout(content: Any, name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person in the content of a JSON file, in the first of `LAYOUTS` that it is in.

    Raises:
        FormatError: It is in none of them, broken, shows nobody, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    layout = next((layout for layout in LAYOUTS if layout.matches(content)), None)
    if layout is None:
        names = ", ".join(layout.name for layout in LAYOUTS)
        raise FormatError(
            f"{name} holds {described(content)}, which is no layout of keypoints that is read; these are: {names}. "
            "docs/keypoint_files.md shows each"
        )
    return layout.read(content, name, override)


def described(content: Any, depth: int = 3) -> str:
    """Return in words what the content of a JSON file looks like: its keys, and how lists are nested."""
    if isinstance(content, Mapping):
        keys = ", ".join(f"'{key}'" for key in list(content)[:_MOST_KEYS])
        more = f" and {len(content) - _MOST_KEYS} more" if len(content) > _MOST_KEYS else ""
        return f"an object with {keys}{more}" if content else "an empty object"
    if isinstance(content, list):
        if not content:
            return "an empty list"
        inside = described(content[0], depth - 1) if depth else "more lists"
        return f"a list of {len(content)}, the first of which is {inside}"
    return {str: "a text", bool: "a truth value", type(None): "nothing"}.get(type(content), "a number")


def _first(content: Any) -> Any:
    """Return the first entry of nested lists that is neither a list nor empty; None if there is none."""
    while isinstance(content, list):
        content = next((entry for entry in content if entry), None)
    return content


def _list_of(matches: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda content: isinstance(content, list) and matches(_first(content))


def _is_own(content: Any) -> bool:
    return isinstance(content, dict) and "frames" in content and landmark_frames(content) is None


def _is_detection(first: Any) -> bool:
    return isinstance(first, dict) and ("image_id" in first or "keypoints" in first)


def _is_frames_of_people(content: Any) -> bool:
    frames = list(content.values()) if isinstance(content, dict) else content
    return isinstance(frames, list) and bool(frames) and all(is_people(frame) for frame in frames)


def _is_array(content: Any) -> bool:
    return isinstance(content, list) and isinstance(_first(content), int | float) and isinstance(content[0], list)


def _read_array(content: Any, name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints in nested lists: frames, joints, coordinates."""
    return finish([numbers(content, "the list", name)], Source(name), override)


LAYOUTS = (
    Layout("poselift", _is_own, read_keypoints_json),
    Layout("OpenPose", is_people, read_openpose_frame),
    Layout("OpenPose in one file (AlphaPose open and cmu, ComfyUI)", _is_frames_of_people, read_openpose_frames),
    Layout("COCO ground truth", is_truth, read_truth),
    Layout("MMPose demo", is_mmpose_file, read_mmpose),
    Layout("MMPose video", _list_of(is_mmpose_frame), read_mmpose),
    Layout("Kinetics-Skeleton (ST-GCN)", is_stgcn, read_stgcn),
    Layout(
        "COCO or AlphaPose detections",
        _list_of(lambda first: _is_detection(first) and "image_id" in first),
        read_detections,
    ),
    Layout("MMPose people", _list_of(is_mmpose_person), read_mmpose),
    Layout(
        "Ultralytics",
        _list_of(lambda first: is_ultralytics_person(first) or is_ultralytics_text(first)),
        read_ultralytics,
    ),
    Layout(
        "MediaPipe or TensorFlow.js landmarks", lambda content: landmark_frames(content) is not None, read_landmarks
    ),
    Layout("detections", _list_of(_is_detection), read_detections),
    Layout("tracked people", is_tracked, read_tracked),
    Layout("nested lists", _is_array, _read_array),
)
"""Every layout; content that matches several is read in the first."""
