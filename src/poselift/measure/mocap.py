"""Evaluation on motion capture: any lifter on clips seen by fixed cameras, every metric, per joint.

Each clip is seen by virtual cameras drawn from a seed, lifted as users lift it (the whole clip, in dense windows), and
compared frame by frame. Every choice that changes the numbers is part of the result.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from poselift.datasets.clip import MocapClip
from poselift.errors import DatasetError, RecipeError
from poselift.geometry.camera import Camera, look_at
from poselift.lifters.contract import Lifter
from poselift.lifting import lift, turn_to
from poselift.measure.anatomy import LIMB_METRICS, Anatomy
from poselift.measure.anatomy import UNITS as ANGLES
from poselift.measure.certainty import UNITS as CERTAINTIES
from poselift.measure.certainty import Certainty
from poselift.measure.comparison import compare_joints
from poselift.measure.metrics import mpjpe, mpjve, n_mpjpe, p_mpjpe
from poselift.measure.scores import UNITS, Scores, lifter_name
from poselift.measure.tally import Cell, Tally
from poselift.prepare.repair import without_log
from poselift.sequence import TURNED_CAMERA, Keypoints2D, Poses3D
from poselift.skeleton import BODY_27, H36M_17

DISTANCES = ("mpjpe", "p_mpjpe", "n_mpjpe", "mpjve")
"""Metrics by joint: distances in millimetres, velocities in millimetres a frame at 50 fps, whatever the clips' rate."""
METRICS = (*DISTANCES, *LIMB_METRICS)
"""Metrics measured of every lifter; of lifters with feet and face also those of `poselift.measure.anatomy`."""

Observer = Callable[[np.ndarray, float, int], Keypoints2D]
"""From (joints in camera axes (T, J, 3) metres, fps, seed) to the keypoints that a detector finds."""


@dataclass(frozen=True, kw_only=True)
class MocapProtocol:
    """How motion capture is turned into a benchmark."""

    cameras: int = 4
    """Number of cameras around each clip."""
    seed: int = 0
    """Seed of the cameras."""
    elevation_deg: tuple[float, float] = (-10.0, 35.0)
    """Least and greatest angle of the cameras above the person."""
    distance: tuple[float, float] = (2.5, 6.0)
    """Least and greatest distance in metres, beyond the space that the person crosses."""
    roll_deg: float = 3.0
    """Standard deviation of the cameras' roll."""
    flip_average: bool = False
    """Average with the result of the mirror image."""
    every: int = 1
    """1 to measure on all clips, N for the first and each N-th after it."""

    def __post_init__(self) -> None:
        """Check that there are cameras to draw."""
        if self.cameras < 1 or self.seed < 0 or self.every < 1:
            raise RecipeError(
                f"wanted cameras >= 1 and seed >= 0 and every >= 1, got cameras={self.cameras}, seed={self.seed} and "
                f"every={self.every}"
            )


def clip_cameras(clip: MocapClip, protocol: MocapProtocol) -> list[Camera]:
    """Return a clip's fixed cameras: evenly around it with jitter, aimed at the person's mean position.

    Args:
        clip: Motion capture, z up.
        protocol: Ranges and seed. A clip's cameras depend on its name and the seed only.

    Returns:
        `protocol.cameras` cameras with a 1000 by 1000 pixel picture.
    """
    rng = np.random.default_rng((protocol.seed, zlib.crc32(clip.name.encode())))
    centre = clip.xyz[:, clip.skeleton.root].mean(0).astype(np.float64)
    crossed = float(np.nanmax(np.linalg.norm(clip.xyz - centre.astype(np.float32), axis=-1)))
    first = rng.uniform(0, 2 * np.pi)
    found = []
    for i in range(protocol.cameras):
        azimuth = first + 2 * np.pi * (i + rng.uniform(-0.3, 0.3)) / protocol.cameras
        elevation = np.deg2rad(rng.uniform(*protocol.elevation_deg))
        distance = rng.uniform(*protocol.distance) + max(crossed - 1, 0)
        away = [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
        R, t = look_at(
            centre + distance * np.array(away), centre, np.deg2rad(np.clip(rng.normal(), -2, 2) * protocol.roll_deg)
        )
        found.append(Camera(R, t, np.array([[1000.0, 0, 500], [0, 1000.0, 500], [0, 0, 1]])))
    return found


def exact_keypoints(clip: MocapClip, camera: Camera) -> Keypoints2D:
    """Return the clip's joints as a perfect detector finds them."""
    return Keypoints2D(camera.project(clip.xyz), None, clip.skeleton, clip.fps, (1000, 1000))


def evaluate_mocap(
    lifter: Lifter,
    clips: Sequence[MocapClip],
    protocol: MocapProtocol,
    *,
    observe: Observer | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Lift every clip from every camera and compare with the truth.

    Args:
        lifter: Any lifter that shares joints with the clips. If its skeleton is another one, the joints that both have
            are compared (`poselift.measure.comparison`). Of clips with feet and face, the 17 joints of the body are
            compared, so that the result does not depend on what else the lifter gives; feet and head are measured
            apart.
        clips: Motion capture.
        protocol: Cameras and options.
        observe: Simulated detector; exact 2D when None.
        progress: Called with (clips done, clips in all).

    Returns:
        The scores.

    Raises:
        DatasetError: There are no clips, they have several skeletons, or one is too short to have a velocity.
        SkeletonError: Lifter and clips share too few joints.
    """
    if len({clip.skeleton for clip in clips}) != 1:
        names = ", ".join(sorted({clip.skeleton.name for clip in clips}))
        raise DatasetError(f"wanted clips of one skeleton, got {names or 'no clips'}")
    if short := [clip.name for clip in clips if len(clip) < 2]:
        raise DatasetError(f"wanted clips of two frames or more; leave out {', '.join(short)}")
    clips = clips[:: protocol.every]
    bodies = [clip.in_joints(H36M_17) if clip.skeleton == BODY_27 else clip for clip in clips]
    comparison = compare_joints(lifter.skeleton, bodies[0].skeleton)
    tally, anatomy = Tally(dict.fromkeys(DISTANCES, comparison.skeleton.joints), "frames"), Anatomy()
    certainty, frames = Certainty(), 0
    for done, (clip, body) in enumerate(zip(clips, bodies, strict=True)):
        cell = Cell(clip.subject, "", clip.name)
        for number, camera in enumerate(clip_cameras(body, protocol)):
            poses = _lifted(lifter, clip, (number, camera), protocol, observe)
            truth = comparison.of_truth(camera.to_camera(body.xyz))
            truth = truth - truth[:, comparison.skeleton.root, None]
            pred = comparison.of_lifter(poses.xyz)
            for name, errors in _errors(pred, truth, clip.fps).items():
                tally.add(cell, name, 1000 * errors)
            anatomy.add_limbs(pred, truth, comparison.skeleton)
            if clip.skeleton == lifter.skeleton == BODY_27:
                _add_extremities(anatomy, poses, clip, camera)
            if lifter.skeleton in (clip.skeleton, body.skeleton):
                _add_certainty(certainty, poses, clip, camera)
            frames += len(clip)
        if progress:
            progress(done + 1, len(clips))
    detector = getattr(observe, "description", "simulated") if observe else "exact 2D"
    choices = asdict(protocol) | {"keypoints": detector, "errors": getattr(observe, "errors", None)}
    return _scores(lifter, clips, (tally, anatomy, certainty), frames, choices | comparison.choices)


def certainty_on(
    lifter: Lifter, clips: Sequence[MocapClip], protocol: MocapProtocol, observe: Observer | None
) -> Certainty:
    """Lift every clip from every camera, and return what the lifter says of its own errors beside the truth.

    Args:
        lifter: A lifter of the clips' joints, or of those of `H36M_17` in clips of `BODY_27`.
        clips: Motion capture.
        protocol: Cameras and options.
        observe: Simulated detector; exact 2D when None.
    """
    found = Certainty()
    for clip in clips[:: protocol.every]:
        body = clip.in_joints(H36M_17) if clip.skeleton == BODY_27 else clip
        for number, camera in enumerate(clip_cameras(body, protocol)):
            _add_certainty(found, _lifted(lifter, clip, (number, camera), protocol, observe), clip, camera)
    return found


def _lifted(
    lifter: Lifter, clip: MocapClip, view: tuple[int, Camera], protocol: MocapProtocol, observe: Observer | None
) -> Poses3D:
    """Return the poses of a clip from the camera of a number, as it is seen exactly or by a simulated detector."""
    number, camera = view
    seed = zlib.crc32(f"{protocol.seed} {number} {clip.name}".encode())
    seen = observe(camera.to_camera(clip.xyz), clip.fps, seed) if observe else exact_keypoints(clip, camera)
    with without_log():
        return lift(seen, lifter, flip_average=protocol.flip_average, check=False)


def _add_certainty(certainty: Certainty, poses: Poses3D, clip: MocapClip, camera: Camera) -> None:
    """Add a view; the truth is turned into the frame of the poses, frame by frame, by the direction to the pelvis."""
    clip = clip.in_joints(poses.skeleton)
    there = camera.to_camera(np.where(clip.known[:, None], clip.xyz, np.float32(np.nan)))
    root, up = there[:, clip.skeleton.root], np.tile(camera.R[:, 2], (len(clip), 1))
    truth = there - root[:, None]
    if poses.frame == TURNED_CAMERA:
        back = turn_to(root)[:, 0].swapaxes(-1, -2)
        truth, up = truth @ back, (up[:, None] @ back)[:, 0]
    certainty.add(poses, truth, up, clip.contact)


def _add_extremities(anatomy: Anatomy, poses: Poses3D, clip: MocapClip, camera: Camera) -> None:
    """Add the feet and the head of a view, where they are known and may be trusted."""
    truth = camera.to_camera(np.where(clip.known[:, None], clip.xyz, np.float32(np.nan)))
    truth = truth - truth[:, BODY_27.root, None]
    seen = np.zeros(poses.xyz.shape[:2], bool) if poses.observed is None else poses.observed > 0
    anatomy.add_extremities(poses.xyz, truth, camera.R[:, 2], seen)


def _errors(pred: np.ndarray, truth: np.ndarray, fps: float) -> dict[str, np.ndarray]:
    """Return the errors of each metric (T or T - 1, J) of root-relative joints (T, J, 3), in metres."""
    return {
        "mpjpe": mpjpe(pred, truth),
        "p_mpjpe": p_mpjpe(pred, truth),
        "n_mpjpe": n_mpjpe(pred, truth),
        "mpjve": mpjve(pred, truth, fps) / 50,
    }


def _scores(
    lifter: Lifter,
    clips: Sequence[MocapClip],
    found: tuple[Tally, Anatomy, Certainty],
    frames: int,
    choices: dict[str, Any],
) -> Scores:
    tally, anatomy, certainty = found
    return Scores(
        lifter=lifter_name(lifter),
        dataset="motion capture",
        choices=choices,
        counts={"sequences": len(clips), "subjects": len({clip.subject for clip in clips}), "frames": frames},
        mean=tally.means() | anatomy.means() | certainty.means(),
        per_joint=tally.per_joint(),
        per_action={},
        per_subject=tally.table(lambda cell: cell.subject),
        per_sequence=tally.table(lambda cell: f"{cell.subject} {cell.sequence}"),
        per_cell={},
        units=UNITS | ANGLES | CERTAINTIES | {"mpjve": "mm/frame at 50 fps"},
    )
