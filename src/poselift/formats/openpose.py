"""Read OpenPose's JSON: a folder with one file for each frame, or one such file."""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError
from poselift.files import files_in, read_json
from poselift.formats.clip import Override, Source
from poselift.formats.detections import follow, frame_numbers, split_name
from poselift.formats.person import joints_key, person_of
from poselift.sequence import Keypoints2D

_PEOPLE = ("people", "bodies")
"""Keys of the list of people in OpenPose's files and in AlphaPose's `cmu` form."""
_CUT_OFF = 0.05
"""Share of the files before the last that may be broken: a frame in twenty is bridged well."""
_NAMED = 5
_log = logging.getLogger("poselift")


def is_people(content: Any) -> bool:
    """Return whether this is the content of one of OpenPose's files: ``{"people": [...]}``."""
    return isinstance(content, dict) and any(isinstance(content.get(key), list) for key in _PEOPLE)


def is_frame(content: Any) -> bool:
    """Return whether this is the content of a file of one frame: OpenPose's, or a list of people as MMPose saves it."""
    people = isinstance(content, list) and all(joints_key(person) is not None for person in content)
    return people or (isinstance(content, dict) and any(key in content for key in _PEOPLE))


def read_openpose(folder: Path, override: Override) -> tuple[Keypoints2D, ...]:
    """Read the keypoints of each person in a folder of OpenPose JSON.

    The frame number is the last number in each file name. BODY_25 and BODY_25B have equally many joints; they are
    distinguished by the places of the joints, and the choice is logged. Joints with an x or y of exactly 0 were not
    seen. `person_id` identifies people, if it distinguishes them. Hidden files are not read, and JSON files that are no
    frames are left out. The last file of a clip, and at most one in twenty, may be cut off: the frame is empty then.

    Args:
        folder: Path of the folder of `*_keypoints.json`, or else of any `*.json`, one file for each frame.
        override: Frame rate, which the files do not hold; and the skeleton, else it is identified from the data.

    Raises:
        FormatError: There are no files, one is broken or has no number in its name, they are of several clips, no
            person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    files = _files(folder, "*_keypoints.json") or _files(folder, "*.json")
    if not files:
        raise FormatError(f"{folder} holds no .json files of OpenPose, one a frame, and no .txt labels of Ultralytics")
    contents, broken = _contents(files)
    people = {file: people_of(content, str(file)) for file, content in contents.items()}
    numbers = frame_numbers([file.stem for file in people], str(folder)) if len(files) > 1 else [0]
    frames: dict[int, np.ndarray] = {}
    ids: dict[int, list[int | None]] = {}
    for number, (file, (found, names)) in zip(numbers, people.items(), strict=True):
        if number in frames:
            raise FormatError(f"{folder} holds two files for frame {number}, one of them {file.name}; keep one of them")
        frames[number], ids[number] = found, names
    for number in _cut_off(broken, list(people), frames):
        frames[number], ids[number] = np.empty((0, 0, 3)), []
    return follow(frames, ids, Source(str(folder)), override)


def _files(folder: Path, pattern: str) -> list[Path]:
    return [file for file in files_in(folder, pattern) if not file.name.startswith(".")]


def _contents(files: Sequence[Path]) -> tuple[dict[Path, Any], dict[Path, FormatError]]:
    """Return the content of each file that holds a frame, and the error of each that cannot be read.

    Raises:
        FormatError: No file holds a frame.
    """
    contents: dict[Path, Any] = {}
    broken: dict[Path, FormatError] = {}
    others: list[Path] = []
    for file in files:
        try:
            content = read_json(file)
        except FormatError as error:
            broken[file] = error
            continue
        if is_frame(content):
            contents[file] = content
        else:
            others.append(file)
    if not contents:
        raise next(iter(broken.values()), _no_openpose(str(files[0])))
    if others:
        _log.warning("%s: left out, as they are no frames: %s", files[0].parent, _named(others))
    return contents, broken


def _cut_off(broken: Mapping[Path, FormatError], whole: Sequence[Path], frames: Collection[int]) -> list[int]:
    """Return the frame numbers of files that cannot be read; those that are not named as the frames are left out.

    Raises:
        FormatError: There are more of them than a run of OpenPose that was stopped leaves.
    """
    rest = split_name(whole[0].stem)[1]
    named = [file for file in broken if split_name(file.stem)[1] == rest]
    numbers = frame_numbers([file.stem for file in named], str(whole[0].parent))
    inside = [file for file, number in zip(named, numbers, strict=True) if number < max(frames)]
    if len(named) - len(inside) > 1 or len(inside) > _CUT_OFF * len(whole):
        raise broken[named[0]]
    if named:
        _log.warning("%s: taken as frames without people, as they are cut off: %s", whole[0].parent, _named(named))
    if others := [file for file in broken if file not in named]:
        _log.warning("%s: left out, as they are no frames: %s", whole[0].parent, _named(others))
    return [number for number in numbers if number not in frames]


def _named(files: Sequence[Path]) -> str:
    return ", ".join(file.name for file in files[:_NAMED]) + (
        f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    )


def read_openpose_frame(content: dict[str, Any], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return clips of one frame from the content of one OpenPose file; the errors are those of `read_openpose`."""
    people, ids = people_of(content, name)
    return follow({0: people}, {0: ids}, Source(name), override)


def read_openpose_frames(frames: Any, name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person from one file with the people of all frames.

    Args:
        frames: A list of frames as OpenPose writes them into files (ComfyUI), or an object with the picture's name for
            each (AlphaPose's `open` and `cmu` forms).
        name: Name of the file in error messages.
        override: What the user states.

    Raises:
        FormatError: A frame is broken, a name has no number, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    contents = frames if isinstance(frames, list) else list(frames.values())
    numbers = range(len(contents)) if isinstance(frames, list) else frame_numbers(list(frames), name)
    found = {
        number: people_of(frame, f"{name}, frame {number}") for number, frame in zip(numbers, contents, strict=True)
    }
    people = {number: shown for number, (shown, _) in found.items()}
    ids = {number: names for number, (_, names) in found.items()}
    return follow(people, ids, Source(name, image_size=_canvas(contents[0])), override)


def _canvas(content: Any) -> tuple[int, int] | None:
    """Return the size of the picture that ComfyUI writes."""
    width, height = (content.get(f"canvas_{side}") for side in ("width", "height"))
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def people_of(content: Any, name: str) -> tuple[np.ndarray, list[int | None]]:
    """Return (P, J, 3) x, y, confidence of the people in one file, and their numbers; (0, 0, 3) when there are none.

    Raises:
        FormatError: The content is not in OpenPose's layout.
    """
    people = content
    if isinstance(content, dict):
        people = next((content[key] for key in _PEOPLE if isinstance(content.get(key), list)), None)
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise _no_openpose(name)
    found, ids = [], []
    for person in people:
        if joints_key(person) is None or person[str(joints_key(person))]:  # OpenPose may list a hand without a body
            pose, number = person_of(person, name)
            found.append(_without_edge(pose))
            ids.append(number)
    if len({len(person) for person in found}) > 1:
        raise FormatError(f"{name}: its people have different numbers of joints")
    return np.stack(found) if found else np.empty((0, 0, 3)), ids


def _no_openpose(name: str) -> FormatError:
    return FormatError(f"{name} is not OpenPose JSON; wanted a list 'people' of objects with 'pose_keypoints_2d'")


def _without_edge(person: np.ndarray) -> np.ndarray:
    """Drop joints with an x or y of exactly 0: they were not seen, or put at the picture's edge, even if confident."""
    return np.where((person[:, :2] == 0).any(-1, keepdims=True), 0.0, person)
