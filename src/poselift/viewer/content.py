"""What a page shows, as containers for JSON: everybody's joints in one room, the camera, the picture, the angles."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from poselift.errors import ShapeError
from poselift.geometry.camera import Camera, StudioDistortion
from poselift.refine.angles import joint_angles
from poselift.sequence import CAMERA, CONTACTS, WORLD, Keypoints2D, Poses3D
from poselift.skeleton import Skeleton
from poselift.viewer.packing import FINEST_DEGREES, FINEST_M, FINEST_PX, FINEST_SHARE, packed

VERSION = 2
"""Of this layout; pages compare with pages of the same one."""
_DOWN = np.array([1.0, -1.0, -1.0])
"""Turns axes with y up into those of the page: x right, y down, z away from the camera."""


def content(
    people: Sequence[Poses3D],
    keypoints: Sequence[Keypoints2D | None],
    video_size: tuple[int, int] | None,
    title: str,
) -> dict[str, Any]:
    """Return what a page holds of people who share their frames.

    Args:
        people: One or more people of one clip.
        keypoints: Those of each person, or None.
        video_size: (width, height) in pixels of the video that is embedded.
        title: Heading.

    Raises:
        ShapeError: People differ in frames, rate, start or axes.
    """
    first = people[0]
    for other in people[1:]:
        for name, mine, theirs in (
            ("number of frames", len(first), len(other)),
            ("frame rate", first.fps, other.fps),
            ("start_s", first.start_s, other.start_s),
            ("frame", first.frame, other.frame),
        ):
            if mine != theirs:
                raise ShapeError(f"wanted people of one clip on one page, got the {name} {mine} and {theirs}")
    placed = first.frame in (WORLD, CAMERA) and all(person.path is not None for person in people)
    return {
        "version": VERSION,
        "title": title,
        "fps": float(first.fps),
        "frames": len(first),
        "start": float(first.start_s),
        "placed": placed,
        "world": placed and first.frame == WORLD,
        "camera": _camera(first) if placed else None,
        "picture": _picture(keypoints, video_size),
        "people": [_person(*pair) for pair in zip(people, keypoints, strict=True)],
    }


def _person(poses: Poses3D, keypoints: Keypoints2D | None) -> dict[str, Any]:
    radius = poses.radius(0.5)
    return _figure(poses.skeleton) | {
        "number": poses.person,
        "doubt": _doubt(poses),
        "xyz": packed(poses.y_up() * _DOWN, FINEST_M),
        "path": None if poses.path is None else packed(poses.y_up(poses.path) * _DOWN, FINEST_M),
        "observed": None if poses.observed is None else packed(poses.observed, FINEST_SHARE),
        "radius": None if radius is None else packed(radius, FINEST_M),
        "up": None if poses.up is None else packed(poses.y_up(poses.up) * _DOWN, FINEST_M),
        "contact": None if poses.contact is None else packed(poses.contact, FINEST_SHARE),
        "contacts": _contact_joints(poses.skeleton),
        "gaps": poses.gaps,
        "unseen": poses.unseen,
        "keypoints": None if keypoints is None else _keypoints(keypoints),
        "angles": _angles(poses),
    }


def _camera(poses: Poses3D) -> dict[str, Any] | None:
    """Return the camera in the axes of the page; None where it is not known, or does not say what it sees."""
    camera = poses.camera
    if camera is None or camera.K is None or camera.image_size is None:
        return None
    if poses.frame == CAMERA:
        camera = Camera(np.eye(3), np.zeros(3), camera.K, camera.dist, image_size=camera.image_size)
    to_page = poses.y_up(np.eye(3)) * _DOWN  # its rows are the axes of the poses, seen in the page
    lens: Any = camera.dist
    if isinstance(lens, StudioDistortion):
        lens = {"radial": lens.radial.tolist(), "tangential": lens.tangential.tolist()}
    elif lens is not None:
        lens = lens.tolist()
    return {
        "R": (camera.R @ to_page).tolist(),
        "t": camera.t.tolist(),
        "K": np.asarray(camera.K).tolist(),
        "lens": lens,
        "size": list(camera.image_size or ()),
    }


def _figure(skeleton: Skeleton) -> dict[str, Any]:
    """Return joint names and the bones to draw: the tree's, and across hips and shoulders that no trunk joint links."""
    bones = list(skeleton.bones)
    for part, trunk in (("hip", {"pelvis"}), ("shoulder", {"neck", "upper_neck", "thorax"})):
        ends = [f"{side}_{part}" for side in ("left", "right")]
        if all(end in skeleton for end in ends) and not any(joint in skeleton for joint in trunk):
            left, right = skeleton.indices(ends)
            bones.append((left, right))
    return {"joints": skeleton.joints, "bones": bones}


def _contact_joints(skeleton: Skeleton) -> list[int]:
    """Return for each of `CONTACTS` the joint at which it is drawn: itself, else the ankle; -1 where it has neither."""
    places = [(name, f"{name.partition('_')[0]}_ankle") for name in CONTACTS]
    return [next((skeleton.index(joint) for joint in names if joint in skeleton), -1) for names in places]


def _angles(poses: Poses3D) -> dict[str, Any] | None:
    """Return the joint angles that the skeleton has; None without limbs."""
    if not poses.skeleton.limbs:
        return None
    angles = joint_angles(poses)
    return {"names": angles.names, "degrees": packed(angles.degrees, FINEST_DEGREES)}


def _keypoints(keypoints: Keypoints2D) -> dict[str, Any]:
    xy = np.where(keypoints.seen[..., None], keypoints.xy, np.nan)
    confidence = keypoints.confidence
    return _figure(keypoints.skeleton) | {
        "xy": packed(xy, FINEST_PX),
        "confidence": None if confidence is None else packed(confidence, FINEST_SHARE),
    }


def _picture(everyone: Sequence[Keypoints2D | None], video_size: tuple[int, int] | None) -> dict[str, Any] | None:
    """Return the box to show in pixels: the picture where its size is known, else all keypoints with a margin."""
    known = [keypoints for keypoints in everyone if keypoints is not None]
    size = next((keypoints.image_size for keypoints in known if keypoints.image_size is not None), video_size)
    if size is not None:
        return {"box": [0.0, 0.0, float(size[0]), float(size[1])], "whole": True}
    if not known:
        return None
    seen = np.concatenate([keypoints.xy[keypoints.seen] for keypoints in known])
    if not len(seen):
        return {"box": [0.0, 0.0, 1.0, 1.0], "whole": False}
    low, high = seen.min(0), seen.max(0)
    margin = max(0.08 * float((high - low).max()), 1.0)
    return {"box": [*(low - margin).tolist(), *(high - low + 2 * margin).tolist()], "whole": False}


def _doubt(poses: Poses3D) -> str:
    """Return in words of whom the person may be the continuation; empty without doubt."""
    numbers = " or ".join(f"person {number}" for number in poses.may_continue)
    return numbers and f"may be the continuation of {numbers}"
