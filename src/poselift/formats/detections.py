"""Follow people through formats that list each frame's people in no order."""

import re
from collections.abc import Mapping

import numpy as np

from poselift.errors import FormatError
from poselift.formats.clip import Override, Source, finish, frame_rate
from poselift.formats.fields import frame_rows
from poselift.sequence import Keypoints2D
from poselift.track import Ids, track_people

_NUMBER = re.compile(r"\d+")


def frame_number(name: str) -> int | None:
    """Return the last whole number in a name, such as 12 in `cam01_000012_keypoints`; None when there is none."""
    found = _NUMBER.findall(name)
    return int(found[-1]) if found else None


def follow(
    frames: Mapping[int, np.ndarray], ids: Mapping[int, Ids], source: Source, override: Override
) -> tuple[Keypoints2D, ...]:
    """Return one clip for each person, ordered by the sum of confidences, largest first.

    Args:
        frames: Frame number to (P, J, 3) keypoints of its people. Missing numbers become frames without people.
        ids: Frame number to the number that the file gives each of its people, None where it gives none. The numbers
            identify people if they distinguish them; see `poselift.track.track_clip`.
        source: What the file says.
        override: What the user states.

    Raises:
        FormatError: No person is seen, J changes, the frame numbers jump, or there is no frame rate.
        ShapeError: The user's frame rate is not positive.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    if not frames:
        raise FormatError(f"{source.name} holds no frames")
    rows, length = frame_rows(list(frames), source.name)
    detections: list[np.ndarray] = [np.empty((0, 0, 3))] * length
    numbers: list[Ids] = [[]] * length
    for row, (number, people) in zip(rows, frames.items(), strict=True):
        detections[row], numbers[row] = people, ids[number]
    counts = sorted({people.shape[1] for people in detections if len(people)})
    if len(counts) > 1:
        raise FormatError(f"{source.name}: people have {' and '.join(map(str, counts))} joints; wanted one joint count")
    if any(np.isinf(people).any() for people in frames.values()):
        raise FormatError(f"{source.name}: keypoints hold infinite numbers; the file is damaged")
    tracks = track_people(detections, frame_rate(length, source, override), numbers)
    if not tracks:
        raise FormatError(f"{source.name}: nobody is seen in any of {len(frames)} frames")
    return finish(tracks, source, override)
