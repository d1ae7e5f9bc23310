"""Follow people through formats that list each frame's people in no order."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from poselift.errors import FormatError
from poselift.formats.axes import one_person
from poselift.formats.clean import clean
from poselift.formats.clip import Override, Source, frame_rate, picture_size, settle
from poselift.formats.fields import LARGEST_NUMBER, frame_rows
from poselift.formats.person import person_of
from poselift.sequence import Keypoints2D
from poselift.track import Ids, track_people

_NUMBER = re.compile(r"[0-9]+")
_ENDING = re.compile(r"\.(jp2|jpg2|mp4|m4v|3gp|mp2|mpeg[24]|m2ts|cr[23]|rw2|sr2)$", re.IGNORECASE)
"""Endings of pictures and videos that hold a digit, which is no frame number."""
_TIME = re.compile(r"[+-]?\d*\.(?=0*[1-9])\d*")
_NUMBERS = ("frame_id", "frame_index", "frame", "frame_number", "frame_num", "frameId", "image_id", "image_name")
"""What the number of a frame is called."""


def frame_numbers(names: Sequence[str], source: str) -> list[int]:
    """Return the frame number of each name, which is the last whole number in it: 12 in `cam01_000012_keypoints`.

    Args:
        names: Names of files or pictures of one clip, or frame numbers as text.
        source: Name of the data in error messages.

    Raises:
        FormatError: A name holds no number, or a time; or the names differ in more than the number, so that they are of
            several clips.
    """
    found: list[int] = []
    of_clip: dict[str, str] = {}  # the rest of a name: the first name that has it
    for name in names:
        number, rest = split_name(name)
        if not number or _TIME.fullmatch(name):
            got = "a time: number the frames one by one" if number else "none"
            raise FormatError(f"{source}: wanted a whole number in the name of each frame, got {got}, in '{name}'")
        if len(number.lstrip("0")) > len(str(LARGEST_NUMBER)):
            raise FormatError(f"{source}: wanted frame numbers up to {LARGEST_NUMBER}, got one of {len(number)} digits")
        found.append(int(number))
        of_clip.setdefault(rest, name)
    if len(of_clip) > 1:
        first, second, *_ = of_clip.values()
        raise FormatError(
            f"{source} holds frames of {len(of_clip)} clips, such as '{first}' and '{second}'; "
            "put each camera and each take into its own folder or file"
        )
    return found


def frame_number(name: str) -> int | None:
    """Return the last whole number in one name; None if there is none that can be a frame's."""
    number = split_name(name)[0]
    return int(number) if number and len(number.lstrip("0")) <= len(str(LARGEST_NUMBER)) else None


def split_name(name: str) -> tuple[str, str]:
    """Return the frame number in a name, empty if there is none, and the rest, which the frames of a clip share."""
    bare = _ENDING.sub("", name)
    found = list(_NUMBER.finditer(bare))[-1:]
    return (found[0][0], f"{bare[: found[0].start()]}#{bare[found[0].end() :]}") if found else ("", bare)


def follow(
    frames: Mapping[int, np.ndarray], ids: Mapping[int, Ids] | None, source: Source, override: Override
) -> tuple[Keypoints2D, ...]:
    """Return one clip for each person, ordered by the sum of confidences, largest first.

    Args:
        frames: Frame number to (P, J, 2 or 3) keypoints of its people, as `poselift.formats.clean.clean` takes them.
            Missing numbers become frames without people.
        ids: Frame number to the number that the file gives each of its people, None where it gives none. The numbers
            identify people if they distinguish them; see `poselift.track.track_clip`. None if the file gives no ids.
        source: What the file says.
        override: What the user states.

    Raises:
        FormatError: No person is seen, J changes, the frame numbers jump or are none, or there is no frame rate.
        ShapeError: The user's frame rate is not positive.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    if not frames:
        raise FormatError(f"{source.name} holds no frames")
    rows, length = frame_rows(list(frames), source.name, override.frame_step)
    present = [people for people in frames.values() if len(people)]
    counts = sorted({people.shape[1] for people in present})
    if len(counts) > 1:
        raise FormatError(f"{source.name}: people have {' and '.join(map(str, counts))} joints; wanted one joint count")
    if not present:
        raise FormatError(f"{source.name}: nobody is seen in any of {len(frames)} frames")
    present = clean(present, source.name, picture_size(source, override))
    if length == 1 and one_person(present[0]):
        raise FormatError(
            f"{source.name}: all {len(present[0])} people are in one frame and stand in the same place; "
            "wanted the number of the frame as the last number of its name"
        )
    scored, cleaned = present[0].shape[2] == 3, iter(present)
    detections: list[np.ndarray] = [np.empty((0, 0, 3))] * length
    numbers: list[Ids] = [[]] * length
    for row, (number, people) in zip(rows, frames.items(), strict=True):
        if len(people):
            shown = next(cleaned)
            detections[row] = shown if scored else np.pad(shown, ((0, 0), (0, 0), (0, 1)), constant_values=1)
            numbers[row] = ids[number] if ids else [None] * len(people)
    tracks = track_people(detections, frame_rate(length, source, override), numbers)
    if not tracks:
        raise FormatError(f"{source.name}: nobody is seen in any of {len(frames)} frames")
    everyone = [track.keypoints if scored else track.keypoints[..., :2] for track in tracks]
    doubts = [tuple(place + 1 for place in track.may_continue) for track in tracks]
    return settle(everyone, source, override, doubts)


def follow_people(
    frames: Iterable[tuple[int, Iterable[Any]]], source: Source, override: Override
) -> tuple[Keypoints2D, ...]:
    """Return one clip for each person of a file that lists the people of each frame; errors as `follow`.

    Args:
        frames: Number of each frame, and its people as `poselift.formats.person.person_of` takes them. A number that
            comes again brings more people of that frame.
        source: What the file says.
        override: What the user states.

    Raises:
        FormatError: A person's joints are broken.
    """
    people: dict[int, list[np.ndarray]] = {}
    ids: dict[int, list[int | None]] = {}
    for number, entries in frames:
        poses, names = people.setdefault(number, []), ids.setdefault(number, [])
        for place, entry in enumerate(entries):
            pose, name = person_of(entry, f"{source.name}, frame {number}, person {place}")
            poses.append(pose)
            names.append(name)
    counts = sorted({len(pose) for poses in people.values() for pose in poses})
    if len(counts) > 1:
        raise FormatError(f"{source.name}: people have {' and '.join(map(str, counts))} joints; wanted one joint count")
    stacked = {number: np.stack(poses) if poses else np.empty((0, 0, 3)) for number, poses in people.items()}
    return follow(stacked, ids, source, override)


def number_of(entry: Mapping[str, Any], place: int) -> int:
    """Return the number of a frame that an object says, under any of its usual names, or else its place in the list."""
    for key in _NUMBERS:
        value = entry.get(key)
        number = frame_number(value) if isinstance(value, str) else value
        if isinstance(number, int | float) and not isinstance(number, bool) and float(number).is_integer():
            return int(number)
    return place
