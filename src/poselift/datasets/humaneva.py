"""Read HumanEva-I from the archives of VideoPose3D: 15 joints, three cameras, chunks of valid motion capture.

`data_3d_humaneva15.npz` holds world metres, `data_2d_humaneva15_<keypoints>.npz` pixels of 640 by 480.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from poselift.datasets import positions
from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.errors import DatasetError, did_you_mean
from poselift.geometry.camera import Camera
from poselift.geometry.studio import studio_cameras
from poselift.skeleton import HUMANEVA_15

OWNER = (
    "the owners of HumanEva: register at http://humaneva.is.tue.mpg.de, then convert the data as DATASETS.md of "
    "github.com/facebookresearch/VideoPose3D says"
)
FPS = 60.0
TRAIN = ("Train/S1", "Train/S2", "Train/S3")
TEST = ("Validate/S1", "Validate/S2", "Validate/S3")
ACTIONS = ("Walking", "Jog", "Box", "Gestures", "ThrowCatch")
EVALUATED = ("Walking", "Jog", "Box")
"""The actions that papers report."""


def load_humaneva(
    folder: str | Path,
    *,
    keypoints: str = "gt",
    subjects: str | Sequence[str] | None = None,
    actions: str | Sequence[str] | None = EVALUATED,
) -> BenchmarkSet:
    """Read HumanEva-I, or a part of it: each chunk comes three times, once for each camera.

    The archives hold no invalid frames; where a converter left them in as NaN, they are cut out here in the same way.

    Args:
        folder: Path of the folder with the archives.
        keypoints: The 2D keypoints: the end of the name of `data_2d_humaneva15_<keypoints>.npz`, such as ``"gt"``
            (exact) or ``"detectron_pt_coco"``. A third number for each joint is taken as its confidence.
        subjects: ``"train"`` (Train/S1 to S3), ``"test"`` (Validate/S1 to S3), names such as ``"Validate/S2"``, or
            None for all six. Unlabeled recordings have no 3D and are left out.
        actions: Classes of actions, named in full; the three that papers report by default, None for all five.

    Returns:
        Clips by subject, chunk (in the order of the 3D archive) and camera: pixels, and metres in camera axes from the
        camera's centre. Every frame counts. Chunks that a detector found nothing in are left out, and noted.

    Raises:
        MissingData: A file, a subject, or a recording is missing.
        UntrustedPickle: A file holds more than arrays and plain containers.
        DatasetError: A file is damaged or not what it claims, a name is unknown, or 2D is shorter than 3D.
    """
    folder = Path(folder)
    people, split = positions.among_subjects(subjects, TRAIN, TEST, "subject of HumanEva with 3D")
    classes = positions.among(actions, ACTIONS, "action of HumanEva")
    path = folder / "data_3d_humaneva15.npz"
    world, _ = positions.read_positions(path, "positions_3d", OWNER)
    detections = positions.read_detections(folder, "data_2d_humaneva15_", keypoints, OWNER)
    cameras = studio_cameras("humaneva")
    clips: list[BenchmarkClip] = []
    unseen: list[str] = []
    for person in people:
        for name, joints in positions.entry(world, person, None, path).items():
            if action_of(name) in classes:
                found = _clips(joints, person, name, detections, cameras[person.split("/")[1]])
                clips += [clip for clip in found if isinstance(clip, BenchmarkClip)]
                unseen += [clip for clip in found if isinstance(clip, str)]
    positions.check_metres(clips, path)
    notes = {
        "keypoints": keypoints,
        "split": split,
        "subjects": ", ".join(people),
        "actions": ", ".join(action for action in ACTIONS if any(clip.action == action for clip in clips)),
        "ground truth": "metres in camera axes",
        "left out, not detected": "; ".join(unseen) or "none",
    }
    return BenchmarkSet("HumanEva-I", clips, notes)


def action_of(recording: str) -> str:
    """Return the class of the action of a chunk, ``"Walking"`` for ``"Walking 1 chunk0"``.

    Raises:
        DatasetError: The class is none of the five.
    """
    action = recording.split(" ")[0]
    if action not in ACTIONS:
        raise DatasetError(f"recording '{recording}' is of no action of HumanEva; {did_you_mean(action, ACTIONS)}")
    return action


def valid_runs(xyz: np.ndarray) -> dict[int, slice]:
    """Return the runs of frames in which every joint is known, by their number among all runs.

    Args:
        xyz: (T, J, 3), NaN where a joint is not known.

    Returns:
        {number: frames}. The runs in which a joint is missing are counted too, as in the chunks' names.
    """
    finite = np.isfinite(xyz).all((1, 2))
    runs = [list(frames) for _, frames in groupby(range(len(xyz)), key=lambda frame: finite[frame])]
    return {number: slice(run[0], run[-1] + 1) for number, run in enumerate(runs) if finite[run[0]]}


def _clips(
    joints: object, person: str, name: str, detections: positions.Detections, cameras: Sequence[Camera]
) -> list[BenchmarkClip | str]:
    """Return the clips of one recording, one for each chunk and camera; where a camera saw nothing, the clip's name."""
    world = positions.numbers(joints, len(HUMANEVA_15), (3,), f"{person} '{name}' in data_3d_humaneva15.npz")
    seen = detections.views(person, name, len(world), cameras, FPS)
    runs = valid_runs(world)
    clips: list[BenchmarkClip | str] = []
    for number, frames in runs.items():
        chunk = name if len(world) == frames.stop - frames.start else f"{name} chunk{number}"
        xyz = world[frames]
        valid = np.ones(len(xyz), bool)
        for camera, keypoints in zip(cameras, seen, strict=True):
            if keypoints is None:
                clips.append(f"{person} {chunk} {camera.name}")
                continue
            confidence = None if keypoints.confidence is None else keypoints.confidence[frames]
            part = keypoints.with_frames(keypoints.xy[frames], confidence, FPS)
            points = camera.to_camera(xyz)
            clips.append(BenchmarkClip(person, action_of(name), chunk, camera.name, part, points, HUMANEVA_15, valid))
    return clips
