"""Read the ground truth of COCO and of data sets that are laid out like it, as labelling tools export it."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from poselift.errors import FormatError
from poselift.formats.clip import Override, Source
from poselift.formats.detections import follow_people, frame_number, frame_numbers
from poselift.formats.fields import numbers
from poselift.formats.joint_names import place_joints
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton


def is_truth(content: Any) -> bool:
    """Return whether this is ground truth: ``{"images": [...], "annotations": [...]}``."""
    return isinstance(content, dict) and all(isinstance(content.get(key), list) for key in ("images", "annotations"))


def read_truth(content: dict[str, Any], name: str, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person; joints with the flag v = 0 were not seen, the others are sure.

    A frame's number is the last one in the name of its picture, or its place in `images` where not all have one. The
    names of joints in `categories` say the joint order. `track_id` identifies people, if it distinguishes them.

    Raises:
        FormatError: An annotation is broken or of an unknown picture, no person is seen, or there is no frame rate.
        SkeletonError: The joints fit no skeleton, or could be of several.
    """
    images = {image["id"]: image for image in content["images"] if isinstance(image, dict) and _is_id(image.get("id"))}
    files = [str(image.get("file_name", "")) for image in images.values()]
    named = all(frame_number(file) is not None for file in files)
    order = dict(zip(images, frame_numbers(files, name) if named else range(len(files)), strict=True))
    sizes = [(image.get("width"), image.get("height")) for image in images.values()]
    width, height = sizes[0] if sizes and sizes.count(sizes[0]) == len(sizes) else (None, None)
    size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
    skeleton, places = _joint_order(content, name, override)

    def frames() -> Iterator[tuple[int, list[Any]]]:
        yield from ((number, []) for number in order.values())
        for place, entry in enumerate(content["annotations"]):
            if isinstance(entry, dict) and entry.get("keypoints"):
                if not _is_id(entry.get("image_id")) or entry["image_id"] not in order:
                    raise FormatError(f"{name}, annotation {place}: there is no image {entry.get('image_id')!r}")
                joints = _joints(entry["keypoints"], places, f"{name}, annotation {place}")
                yield order[entry["image_id"]], [entry | {"keypoints": joints}]

    return follow_people(frames(), Source(name, skeleton, image_size=size), override)


def _is_id(content: object) -> bool:
    return isinstance(content, int | str)


def _joint_order(content: dict[str, Any], name: str, override: Override) -> tuple[Skeleton | None, list[int] | None]:
    """Return the skeleton of the joints that `categories` names, and their places; None where it names none."""
    categories = [entry for entry in content.get("categories") or [] if isinstance(entry, dict)]
    names = next((entry["keypoints"] for entry in categories if isinstance(entry.get("keypoints"), list)), None)
    if not names or override.skeleton is not None:
        return None, None
    return place_joints([str(joint) for joint in names], name)


def _joints(content: Any, places: list[int] | None, name: str) -> list[list[float]]:
    """Return joints (J, 3) with confidence 0 or 1 in place of the flag."""
    flat = numbers(content, "'keypoints'", name)
    if flat.ndim != 1 or flat.size % 3:
        raise FormatError(f"{name}: wanted x, y, v of each joint in 'keypoints', got {flat.shape} numbers")
    joints = flat.reshape(-1, 3)
    joints[:, 2] = joints[:, 2] > 0
    if places is not None:
        if max(places) >= len(joints):
            raise FormatError(f"{name}: 'categories' names {max(places) + 1} joints, got {len(joints)}")
        joints = np.where(np.array(places)[:, None] >= 0, joints[places], 0.0)
    return joints.tolist()
