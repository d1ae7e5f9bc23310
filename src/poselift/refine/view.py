"""One person as the scene's camera sees them: keypoints in the joints of the poses, poses in the camera's axes."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from poselift.errors import FormatError, ShapeError, check_kind
from poselift.geometry.camera import Camera
from poselift.geometry.rotation import shortest_arc
from poselift.prepare.convert import convert
from poselift.prepare.normalize import calibrate
from poselift.prepare.repair import find_faults
from poselift.refine.path import Seen
from poselift.sequence import CAMERA, TURNED_CAMERA, Keypoints2D, Poses3D, expect_keypoints, expect_poses

WINDOW_S = 1.62
"""Seconds over which the person's place is averaged, to turn poses out of the axes of a camera turned to the person:
the window of the weights with 81 frames at 50 per second, which are the ones with feet."""
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class View:
    """One person before the scene's camera."""

    keypoints: Keypoints2D
    """In the joints of the poses, repaired as `poselift.lift` does."""
    poses: Poses3D
    """In the axes of the scene's camera."""

    @staticmethod
    def of(keypoints: Keypoints2D, poses: Poses3D, camera: Camera) -> "View":
        """Return a person as a camera sees them; raises what the conversion of keypoints raises."""
        own = convert(keypoints, poses.skeleton)
        own = own if poses.about.get("repair") == "off" else find_faults(own).mended(own)
        return View(own, in_camera_axes(poses, own, camera))

    def seen(self, camera: Camera) -> Seen:
        """Return what the path is found from; the lens's distortion is taken out of the pixels."""
        xy, scores = self.keypoints.filled()
        if camera.K is None:
            raise ShapeError("wanted a camera with intrinsics K, to place people before it")
        pixels = xy.astype(np.float64)
        if camera.dist is not None:
            pixels = camera.rays(pixels)[..., :2] @ camera.K[:2, :2].T + camera.K[:2, 2]
        poses = self.poses
        confidence = calibrate(scores) if poses.observed is None else poses.observed * (scores > 0)
        if poses.gap is not None:
            confidence = confidence * ~poses.gap[:, None]
        return Seen(poses.xyz.astype(np.float64), pixels, confidence, poses.spread, camera.K, poses.fps)


def expect_pair(value: object) -> tuple[Keypoints2D, Poses3D]:
    """Return a pair of keypoints and poses, after checking that it is one.

    Raises:
        KindError: It is something else.
    """
    advice = "give a list with (keypoints, poses) for each person: place([(keypoints, poses)])"
    check_kind(value, tuple, advice)
    if not isinstance(value, tuple) or len(value) != 2:
        raise ShapeError(f"wanted pairs of keypoints and poses, got {value!r:.60}; {advice}")
    expect_keypoints(value[0])
    expect_poses(value[1])
    return value[0], value[1]


def check_pair(keypoints: Keypoints2D, poses: Poses3D) -> None:
    """Refuse keypoints and poses that are not of one person at one rate.

    Raises:
        ShapeError: They differ in frames or rate, or no joint is seen.
        FormatError: The poses are in the world already.
    """
    if len(keypoints) != len(poses) or abs(keypoints.fps - poses.fps) > 0.01 * poses.fps:
        raise ShapeError(
            f"wanted keypoints and the poses lifted from them, got {len(keypoints)} frames at {keypoints.fps:g} fps "
            f"and {len(poses)} at {poses.fps:g}"
        )
    if poses.frame not in (CAMERA, TURNED_CAMERA):
        raise FormatError(f"wanted poses in camera axes, got the frame {poses.frame!r}: they are placed already")
    if not keypoints.seen.any():
        raise ShapeError("no joint was seen in any frame: there is nobody to place; check the detector's output")


def in_camera_axes(poses: Poses3D, keypoints: Keypoints2D, camera: Camera) -> Poses3D:
    """Return poses in the axes of a camera, whose directions to the person tell how far others are turned from them.

    Args:
        poses: In the axes of a camera, or of one that is turned to the person.
        keypoints: The person in the joints of the poses.
        camera: The camera, of which R and t are not used.
    """
    before = poses.camera
    own = None if before is None else before.K
    if poses.frame == CAMERA and (own is None or camera.K is None or np.allclose(own, camera.K, atol=_SAME)):
        return replace(poses, camera=camera)
    places = _places(keypoints)
    turn = _turned_from(camera.rays(places)).swapaxes(-1, -2)
    if poses.frame == CAMERA and before is not None:
        turn = _turned_from(before.rays(places)) @ turn
    turned: dict[str, Any] = {"xyz": poses.xyz @ turn}
    if poses.up is not None:
        turned["up"] = (poses.up[:, None] @ turn)[:, 0]
    return replace(poses, **turned, frame=CAMERA, camera=camera)


def _turned_from(rays: np.ndarray) -> np.ndarray:
    """Return rotations (T, 3, 3), for rows, from a camera to one turned to look along rays (T, 3)."""
    return shortest_arc(np.array([0.0, 0.0, 1.0]), rays)


def _places(keypoints: Keypoints2D) -> np.ndarray:
    """Return where in the picture the person is around each frame, (T, 2) pixels."""
    root = keypoints.skeleton.root
    seen = keypoints.seen
    there = seen[:, root] if seen[:, root].any() else seen.any(1)
    xy = (
        keypoints.xy[:, root] if seen[:, root].any() else np.nanmean(np.where(seen[..., None], keypoints.xy, np.nan), 1)
    )
    frames = np.arange(len(keypoints))
    places = np.stack([np.interp(frames, frames[there], xy[there, axis].astype(np.float64)) for axis in (0, 1)], 1)
    half = round(WINDOW_S * keypoints.fps / 2)
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(places, 0)])
    first, after = np.maximum(frames - half, 0), np.minimum(frames + half + 1, len(frames))
    return (total[after] - total[first]) / (after - first)[:, None]
