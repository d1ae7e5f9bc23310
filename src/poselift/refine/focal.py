"""The focal length of the scene's camera: given, or a stated guess. It decides how far away people are."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from poselift.errors import FormatError, ShapeError
from poselift.footage import Footage
from poselift.geometry.camera import Camera
from poselift.refine.report import StepReport
from poselift.sequence import Keypoints2D, Poses3D

USUAL_FOCAL = 0.85
"""Focal length, as a share of the picture's longer side, where nothing is known: that of a phone's main camera when it
takes a video (28 to 30 mm in terms of 35 mm film). The real recording of our tests has 0.87, webcams have about 0.75,
cameras at the edge of a sports field 2 and more."""
SHORTEST_FOCAL, LONGEST_FOCAL = 0.2, 20.0
"""Focal lengths that are believed, as shares of the longer side: a fisheye's, and a long telephoto lens's."""


ASSUMED = "assumed focal length"
"""Name of a camera whose focal length is a guess; files keep it."""
TOLD = "focal length from metadata"
"""Name of a camera whose focal length the video's metadata say; files keep it."""


def assumed_camera(image_size: tuple[int, int]) -> Camera:
    """Return a camera with a usual focal length, for people of whose camera nothing is known."""
    return replace(Camera.from_focal(usual_focal(image_size), image_size), name=ASSUMED)


def likely_camera(people: Sequence[Keypoints2D], image_size: tuple[int, int]) -> Camera:
    """Return a camera with the focal length that the video's metadata say, or else with a usual one.

    Args:
        people: Everybody in a clip.
        image_size: (width, height) of the picture in pixels.
    """
    footage = _footage(people)
    if footage is None or footage.focal_px is None or not _is_possible(footage.focal_px, image_size):
        return assumed_camera(image_size)
    return replace(Camera.from_focal(footage.focal_px, image_size), name=TOLD)


def usual_focal(image_size: tuple[int, int]) -> float:
    """Return the focal length in pixels that is assumed where nothing is known."""
    return USUAL_FOCAL * max(image_size)


def focal_of_fov(fov_deg: float, image_size: tuple[int, int]) -> float:
    """Return the focal length in pixels of a horizontal field of view in degrees.

    Raises:
        ShapeError: The angle is not between 1 and 170 degrees.
    """
    if not 1 <= fov_deg <= 170:
        raise ShapeError(f"wanted a horizontal field of view from 1 to 170 degrees (--fov), got {fov_deg:g}")
    return float(image_size[0] / 2 / np.tan(np.deg2rad(fov_deg) / 2))


def fov_of_focal(focal_px: float, image_size: tuple[int, int]) -> float:
    """Return the horizontal field of view in degrees of a focal length in pixels."""
    return float(2 * np.rad2deg(np.arctan(image_size[0] / 2 / focal_px)))


def camera_of(focal_px: float, image_size: tuple[int, int]) -> Camera:
    """Return a camera of this focal length in pixels, at the origin, that looks through the middle of the picture.

    Raises:
        ShapeError: The focal length is out of range.
    """
    if not _is_possible(focal_px, image_size):
        low, high = (share * max(image_size) for share in (SHORTEST_FOCAL, LONGEST_FOCAL))
        raise ShapeError(
            f"wanted a focal length in pixels from {low:.0f} to {high:.0f} for a picture of {image_size[0]} x "
            f"{image_size[1]} (focal_px, --focal), got {focal_px:g}"
        )
    return Camera.from_focal(float(focal_px), image_size)


def scene_camera(people: Sequence[tuple[Keypoints2D, Poses3D]], focal_px: float | None) -> tuple[Camera, StepReport]:
    """Return the scene's camera, at the origin, and where its focal length is from.

    Args:
        people: Keypoints with the picture's size, and poses, whose camera is taken where it has intrinsics.
        focal_px: Focal length in pixels; None when it is not known.

    Raises:
        FormatError: The picture's size is not known, or people were seen in pictures of several sizes.
        ShapeError: The focal length is out of range.
    """
    cameras = [poses.camera for _, poses in people if poses.camera is not None and poses.camera.K is not None]
    sizes = {keypoints.image_size for keypoints, _ in people} - {None}
    sizes |= {camera.image_size for camera in cameras} - {None}
    if len(sizes) > 1:
        raise FormatError(f"wanted people of one clip, got pictures of several sizes: {', '.join(map(str, sizes))}")
    footage = _footage([keypoints for keypoints, _ in people])
    if focal_px is None and cameras:
        return _at_rest(cameras[0]), _said(cameras[0], footage)
    size = next(iter(sizes), None)
    if size is None:
        raise FormatError(
            "to place people in the world, the picture's size must be known, and the keypoints come without it; give "
            "image_size (--image-size WIDTH HEIGHT)"
        )
    if focal_px is None:
        camera = likely_camera([keypoints for keypoints, _ in people], size)
    else:
        camera = camera_of(focal_px, size)
    return camera, _said(camera, footage)


def _at_rest(camera: Camera) -> Camera:
    return Camera(np.eye(3), np.zeros(3), camera.K, camera.dist, camera.name, camera.image_size)


def _is_possible(focal_px: float, image_size: tuple[int, int]) -> bool:
    return SHORTEST_FOCAL * max(image_size) <= focal_px <= LONGEST_FOCAL * max(image_size)


def _footage(people: Sequence[Keypoints2D]) -> Footage | None:
    """Return what the video of a clip says of its camera, of which everybody has the same."""
    return next((person.footage for person in people if person.footage is not None), None)


def _said(camera: Camera, footage: Footage | None) -> StepReport:
    assert camera.K is not None
    focal, guessed, told = float(camera.K[0, 0]), camera.name == ASSUMED, camera.name == TOLD
    view = "" if camera.image_size is None else f", {fov_of_focal(focal, camera.image_size):.0f} degrees across"
    effect = "10 % more of it puts people 10 % farther away, and makes the way they go in depth as much longer"
    source = "a usual one" if guessed else "given"
    if told:
        source = "from metadata" + (f": {footage.focal_source}" if footage and footage.focal_source else "")
        effect += "; a stabilized video may show less than the lens does, and then has a longer one (--focal, --fov)"
    warnings = (f"The focal length is a guess ({focal:.0f} px); --focal or --fov says what it is.",) if guessed else ()
    return StepReport(
        name="camera",
        says=f"focal length {focal:.0f} px ({source}{view}); {effect}.",
        values={"focal_px": focal, "guessed": float(guessed), "from_metadata": float(told)},
        warnings=warnings,
    )


def say_focal(what: str, focal_px: float, error: float, assumed_px: float) -> StepReport:
    """Return the report on a focal length that was estimated.

    Args:
        what: What it follows from.
        focal_px: The focal length in pixels.
        error: Its ordinary error, as a share.
        assumed_px: The focal length that was assumed before, in pixels.
    """
    return StepReport(
        name="focal",
        says=f"{what} say {focal_px:.0f} px, within about {100 * error:.0f} %, in place of {assumed_px:.0f}.",
        values={"focal_px": focal_px, "error": error},
        warnings=(f"The focal length is estimated ({focal_px:.0f} px); --focal or --fov says what it is.",),
    )
