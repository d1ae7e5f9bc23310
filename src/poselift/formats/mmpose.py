"""Read the JSON that MMPose's inferencer and its demos save."""

from collections.abc import Iterator
from typing import Any

from poselift.errors import FormatError
from poselift.formats.clip import Override, Source
from poselift.formats.detections import follow_people, number_of
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, H36M_17, HALPE_26, MPII_16

_DATASETS = {"coco": COCO_17, "h36m": H36M_17, "halpe26": HALPE_26, "mpii": MPII_16}
"""Joint orders by the name of the data set that a network was trained on; others show in the places of the joints."""


def is_mmpose_file(content: Any) -> bool:
    """Return whether this is what the demos save: ``{"meta_info": {...}, "instance_info": [...]}``."""
    return isinstance(content, dict) and isinstance(content.get("instance_info"), list)


def is_mmpose_frame(first: Any) -> bool:
    """Return whether an entry is a frame of the list for a video: ``{"frame_id": 0, "instances": [...]}``."""
    return isinstance(first, dict) and isinstance(first.get("instances"), list)


def is_mmpose_person(first: Any) -> bool:
    """Return whether an entry is a person: ``{"keypoints": [[x, y], ...], "keypoint_scores": [...]}``."""
    return isinstance(first, dict) and {"keypoints", "keypoint_scores"} <= first.keys()


def read_mmpose(content: Any, name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person.

    Args:
        content: A list of frames; of people, which is one frame; of lists of people; or any of them under
            `instance_info`, beside `meta_info`, which names the data set whose joint order it is.
        name: Name of the file in error messages.
        override: What the user states.

    Raises:
        FormatError: An entry is broken, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    skeleton = None
    if isinstance(content, dict):
        meta, content = content.get("meta_info"), content["instance_info"]
        dataset = str(meta.get("dataset_name", "")).lower() if isinstance(meta, dict) else ""
        skeleton = _DATASETS.get(dataset)
    return follow_people(_frames(content, name), Source(name, skeleton), override)


def _frames(content: list[Any], name: str) -> Iterator[tuple[int, list[Any]]]:
    if any(is_mmpose_person(entry) for entry in content):
        content = [content]
    for place, entry in enumerate(content):
        people = entry.get("instances") if isinstance(entry, dict) else entry
        if isinstance(people, list) and len(people) == 1 and isinstance(people[0], list):
            people = people[0]  # a batch of one picture
        if not isinstance(people, list):
            raise FormatError(f"{name}, entry {place}: wanted a frame with a list 'instances'")
        yield number_of(entry, place) if isinstance(entry, dict) else place, people
