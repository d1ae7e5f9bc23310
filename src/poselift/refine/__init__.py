"""Refinement: people of one clip placed in one world, metric, upright, travelling, on the floor.

place: camera -> poses in its axes -> smooth -> bones -> (focal length) -> paths -> floor and paths on it -> world ->
feet

Each step returns what it changed, and all of it is the scene's report. Each file is one step; this one is the chain.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from poselift.errors import ShapeError
from poselift.geometry.camera import Camera
from poselift.refine.feet import feet_on_floor
from poselift.refine.focal import scene_camera
from poselift.refine.gravity import Feet, Ground, feet_of, find_ground, find_up, with_angles
from poselift.refine.horizon import with_focal_of_horizon
from poselift.refine.known import BoneLengths, bones_of
from poselift.refine.moving import background_of, say_carried, say_moving, unrest
from poselift.refine.path import Seen, find_path
from poselift.refine.report import StepReport
from poselift.refine.say import say_ground, say_path
from poselift.refine.scale import heights_of, sized
from poselift.refine.scene import Report, Scene, world_camera
from poselift.refine.smooth import smooth_joints
from poselift.refine.steps import with_focal_of_steps
from poselift.refine.view import View, check_pair, expect_pair
from poselift.sequence import WORLD, Keypoints2D, Poses3D

__all__ = ["Report", "Scene", "StepReport", "place"]

ROUNDS = 2
"""How often paths and floor are found from each other; a third changes nothing that can be measured."""


def place(
    people: Sequence[tuple[Keypoints2D, Poses3D]],
    *,
    height_m: float | Sequence[float | None] | None = None,
    bone_lengths_m: BoneLengths | Sequence[BoneLengths | None] | None = None,
    focal_px: float | None = None,
    pitch_deg: float | None = None,
    roll_deg: float | None = None,
    contacts: bool = True,
    still: bool | None = None,
) -> Scene:
    """Place the people of one clip in one world, as seen by a camera at rest.

    Args:
        people: Of each person, the keypoints and what `poselift.lift` made of them. `lift(..., frame="camera",
            camera=...)` is a little more exact than poses in the frame "turned_camera". Poses with `up`, `contact` and
            `spread` (weights of `BODY_27`) are placed better; what is lacking is said.
        height_m: Height from sole to crown in metres: one for all, or one for each person, None for those of whom it is
            not known. An adult's mean is taken for them.
        bone_lengths_m: Lengths of bones in metres, between centres of joints, by name: "thigh", "shank", "upper_arm",
            "forearm" (also "left_thigh" and so on; sides are averaged) and "hip_width"; one table for all, or one or
            None for each person. Bones given have their length whatever the height is; without a height, they also
            decide the size of the body.
        focal_px: Focal length in pixels; when None, that of the poses' camera, or else a usual one, which is said.
        pitch_deg: Degrees by which the camera looks down; found from the clip when None.
        roll_deg: Degrees by which the camera is turned clockwise; found from the clip when None.
        contacts: Feet that touch the ground are at rest on it. False for treadmills, and where it is not so.
        still: Whether the camera is at rest; when None, the background of the video tells
            (`Keypoints2D.footage`), or else planted feet that move.

    Returns:
        The scene: camera, people in the frame "world", and the report. Before a camera that moves nobody is placed:
        people are then in the frame "camera", without a path, and the report says why.

    Raises:
        KindError: Something else than pairs of keypoints and poses.
        FormatError: The picture's size is not known, or poses are in the world already.
        ShapeError: Keypoints and poses do not fit, or a height, a bone or a focal length is out of range or unknown.
        SkeletonError: The poses lack a bone whose length is given.
    """
    if not people:
        raise ShapeError("nobody to place: wanted a sequence of (keypoints, poses), one pair for each person")
    for pair in people:
        check_pair(*expect_pair(pair))
    camera, said = scene_camera(people, focal_px)
    heights, bones = heights_of(height_m, len(people)), bones_of(bone_lengths_m, len(people))
    steps, views = [said], [View.of(*pair, camera) for pair in people]
    for number, view in enumerate(views):
        poses, smoothed = smooth_joints(view.poses)
        poses, report = sized(poses, heights[number], bones[number])
        views[number] = replace(view, poses=poses)
        steps += [_of(poses, smoothed), _of(poses, report)]
    footage = background_of([keypoints for keypoints, _ in people])
    if (still is None and footage is not None and footage.moves) or still is False:
        return _not_placed(views, camera, [*steps, say_moving(footage if still is None else None, None)])
    for estimate in (with_focal_of_steps, with_focal_of_horizon) if contacts else ():
        views, camera, found = estimate(views, camera)
        steps += [found] if found else []
    feet = [feet_of(view.poses, view.poses.xyz.astype(np.float64)) for view in views]
    seen = [view.seen(camera) for view in views]
    paths = [find_path(person) for person in seen]
    if contacts and (speed := unrest(_walked(feet, paths, seen))) is not None:
        if still is None and footage is None:
            return _not_placed(views, camera, [*steps, say_moving(None, speed)])
        contacts = False
        steps.append(say_carried(speed))
    if not contacts:
        feet = [each.unused() for each in feet]
    paths, ground = _on_one_floor([view.poses for view in views], seen, feet, paths, (pitch_deg, roll_deg))
    seconds = sum(len(view.poses) / view.poses.fps for view in views)
    steps.append(say_ground(ground, feet, paths, contacts=contacts, seconds=seconds))
    placed = world_camera(ground, paths[0][_first_frame(views[0].poses)], camera)
    steps += [_of(view.poses, say_path(view, path, camera)) for view, path in zip(views, paths, strict=True)]
    everyone = []
    for view, path in zip(views, paths, strict=True):
        poses, changes = feet_on_floor(_in_world(view.poses, path, placed), contacts=contacts)
        everyone.append(poses)
        steps += [_of(poses, change) for change in changes]
    return Scene(placed, tuple(everyone), Report(tuple(steps)))


def _not_placed(views: Sequence[View], camera: Camera, steps: Sequence[StepReport]) -> Scene:
    """Return a scene of people who are relative to their pelvis, in the axes of a camera that moves."""
    return Scene(camera, tuple(replace(view.poses, path=None) for view in views), Report(tuple(steps)))


def _on_one_floor(
    people: Sequence[Poses3D],
    seen: Sequence[Seen],
    feet: Sequence[Feet],
    paths: list[np.ndarray],
    given: tuple[float | None, float | None],
) -> tuple[list[np.ndarray], Ground]:
    """Return everybody's path (T, 3) in camera axes, and the floor that their feet stand on.

    Args:
        people: Poses in camera axes.
        seen: The same people, as the camera sees them.
        feet: Their feet.
        paths: Paths that were found without contacts.
        given: Pitch and roll of the camera in degrees; None where they are to be found.
    """
    told = find_up([(poses, person.joints) for poses, person in zip(people, seen, strict=True)])
    up = with_angles(told, *given)
    ground = find_ground(up, _walked(feet, paths, seen), fixed=None not in given)
    for _ in range(ROUNDS):
        ground = with_angles(ground, *given)
        paths = [find_path(person, foot, ground, path) for person, foot, path in zip(seen, feet, paths, strict=True)]
        ground = find_ground(up, _walked(feet, paths, seen), fixed=None not in given)
    return paths, with_angles(ground, *given)


def _of(poses: Poses3D, report: StepReport) -> StepReport:
    """Return a report that says of which person it is, where there are several."""
    return report if poses.person is None else replace(report, says=f"person {poses.person}: {report.says}")


def _walked(
    feet: Sequence[Feet], paths: Sequence[np.ndarray], seen: Sequence[Seen]
) -> list[tuple[Feet, np.ndarray, float]]:
    """Return feet, path and frame rate of each person."""
    return [(each, path, person.fps) for each, path, person in zip(feet, paths, seen, strict=True)]


def _first_frame(poses: Poses3D) -> int:
    """Return the first frame that is no gap."""
    return 0 if poses.gap is None or poses.gap.all() else int(np.argmin(poses.gap))


def _in_world(poses: Poses3D, path: np.ndarray, camera: Camera) -> Poses3D:
    """Return poses in camera axes, and a path (T, 3), in the world's axes."""
    up = np.tile(np.array([0, 0, 1], np.float32), (len(poses), 1))
    return replace(poses, xyz=poses.xyz @ camera.R, path=camera.to_world(path), up=up, camera=camera, frame=WORLD)
