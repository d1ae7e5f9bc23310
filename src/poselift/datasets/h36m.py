"""Read Human3.6M from the archives of VideoPose3D, which most lifting repositories share.

`data_3d_h36m.npz` holds 32 joints in world metres, `data_2d_h36m_<keypoints>.npz` pixels in four cameras.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from poselift.datasets import positions
from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.errors import DatasetError, did_you_mean
from poselift.geometry.camera import Camera, StudioDistortion
from poselift.geometry.studio import studio_cameras
from poselift.skeleton import H36M_17

OWNER = (
    "the owners of Human3.6M: register at http://vision.imar.ro/human3.6m, then convert the data and fetch detections "
    "as DATASETS.md of github.com/facebookresearch/VideoPose3D says"
)
FPS = 50.0
TRAIN = ("S1", "S5", "S6", "S7", "S8")
TEST = ("S9", "S11")
ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases", "Sitting",
    "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether",
)  # fmt: skip
"""The classes of actions, in the order of the papers' tables."""
JOINTS_32 = (
    "pelvis right_hip right_knee right_ankle right_toe right_toe_end left_hip left_knee left_ankle left_toe "
    "left_toe_end pelvis_again spine thorax nose head_top left_clavicle left_shoulder left_elbow left_wrist left_thumb "
    "left_thumb_end left_hand left_hand_end right_clavicle right_shoulder right_elbow right_wrist right_thumb "
    "right_thumb_end right_hand right_hand_end"
).split()
"""The joints of the motion capture; those that `H36M_17` has are called by its names."""
KEPT = tuple(JOINTS_32.index(name) for name in H36M_17.joints)
"""Indices of the joints of `H36M_17` among the 32."""


def load_h36m(
    folder: str | Path,
    *,
    keypoints: str = "gt",
    subjects: str | Sequence[str] | None = None,
    actions: str | Sequence[str] | None = None,
) -> BenchmarkSet:
    """Read Human3.6M, or a part of it: each recording comes four times, once for each camera.

    Videos longer than the motion capture are cut. Subjects without 3D (S2, S3, S4) are left out.

    Args:
        folder: Path of the folder with the archives.
        keypoints: The 2D keypoints: the end of the name of `data_2d_h36m_<keypoints>.npz`, such as ``"gt"`` (exact) or
            ``"cpn_ft_h36m_dbb"``. A third number for each joint is taken as its confidence.
        subjects: ``"train"`` (S1, S5, S6, S7, S8), ``"test"`` (S9, S11), names, or None for all seven.
        actions: Classes of actions, as in `ACTIONS`, named in full; None for all.

    Returns:
        Clips by subject, recording (in the order of the 2D archive, as the field evaluates) and camera: pixels, and
        metres in camera axes from the camera's centre. Every frame counts.

    Raises:
        MissingData: A file, a subject, or a recording is missing.
        UntrustedPickle: A file holds more than arrays and plain containers.
        DatasetError: A file is damaged or not what it claims, a name is unknown, or 2D is shorter than 3D.
    """
    folder = Path(folder)
    people, split = positions.among_subjects(subjects, TRAIN, TEST, "subject of Human3.6M with 3D")
    classes = positions.among(actions, ACTIONS, "action of Human3.6M")
    path = folder / "data_3d_h36m.npz"
    world, _ = positions.read_positions(path, "positions_3d", OWNER)
    detections = positions.read_detections(folder, "data_2d_h36m_", keypoints, OWNER)
    cameras = studio_cameras("h36m")
    clips: list[BenchmarkClip] = []
    for person in people:
        recordings = positions.entry(world, person, None, path)
        order = detections.recordings(person)
        for name in sorted(recordings, key=lambda name: order.index(name) if name in order else len(order)):
            if action_of(name) in classes:
                clips += _clips(recordings[name], person, name, detections, cameras[person])
    positions.check_metres(clips, path)
    found = [action for action in ACTIONS if any(clip.action == action for clip in clips)]
    notes = {
        "keypoints": keypoints,
        "split": split,
        "subjects": ", ".join(people),
        "actions": f"{len(found)} of {len(ACTIONS)}" + ("" if len(found) == len(ACTIONS) else f": {', '.join(found)}"),
        "ground truth": "metres in camera axes",
    }
    return BenchmarkSet("Human3.6M", clips, notes)


def action_of(recording: str) -> str:
    """Return the class of the action of a recording, ``"Walking"`` for ``"Walking 1"``.

    Raises:
        DatasetError: The class is none of the fifteen.
    """
    action = recording.split(" ")[0]
    if action not in ACTIONS:
        raise DatasetError(f"recording '{recording}' is of no action of Human3.6M; {did_you_mean(action, ACTIONS)}")
    return action


def project_h36m(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Project points in the axes of one of the data set's cameras to pixels, with the camera's own nonlinear model.

    The exact keypoints (``gt``) are made this way. The slopes x/z and y/z are cut to [-1, 1] before the distortion.

    Args:
        points: (*, 3) metres, camera axes.
        camera: One of ``studio_cameras("h36m")``.

    Returns:
        (*, 2) pixels; NaN for points that are not in front of the camera.

    Raises:
        DatasetError: The camera is not one of the data set's.
    """
    if not isinstance(camera.dist, StudioDistortion):
        raise DatasetError(f"camera {camera.name} has no lens of the studio; wanted one of studio_cameras('h36m')")
    return camera.pixels(points)


def _clips(
    joints: object, person: str, name: str, detections: positions.Detections, cameras: Sequence[Camera]
) -> list[BenchmarkClip]:
    """Return the clips of one recording, one for each camera."""
    where = f"{person} '{name}' in data_3d_h36m.npz"
    world = positions.numbers(joints, len(JOINTS_32), (3,), where)[:, KEPT]
    if not np.isfinite(world).all():
        raise DatasetError(f"{where} holds NaN or infinite joints; get the archive again")
    seen = detections.views(person, name, len(world), cameras, FPS)
    clips = []
    for camera, keypoints in zip(cameras, seen, strict=True):
        if keypoints is None:
            raise DatasetError(f"{person} '{name}' in {detections.path} has nothing from camera {camera.name}")
        xyz = camera.to_camera(world)
        valid = np.ones(len(world), bool)
        clips.append(BenchmarkClip(person, action_of(name), name, camera.name, keypoints, xyz, H36M_17, valid))
    return clips
