"""Evaluation in the world: clips of motion capture lifted and placed as users place them, against where people were.

As in `poselift.measure.mocap`, each clip is seen by virtual cameras at rest, exactly, with noise, or by a simulated
detector. The metrics are those of `poselift.measure.world`. The true floor is where points of the feet stand that the
motion capture marks as planted.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from poselift.datasets.clip import MocapClip
from poselift.errors import DatasetError, RecipeError
from poselift.geometry.camera import Camera
from poselift.lifters.contract import Lifter
from poselift.lifting import lift
from poselift.measure import world
from poselift.measure.metrics import p_mpjpe
from poselift.measure.mocap import MocapProtocol, Observer, clip_cameras, exact_keypoints
from poselift.measure.scores import Scores, lifter_name
from poselift.measure.tally import Cell, Tally
from poselift.prepare.repair import without_log
from poselift.refine import Scene, place
from poselift.refine.bones import bone_lengths, stature
from poselift.refine.focal import assumed_camera
from poselift.refine.gravity import foot_joints
from poselift.sequence import CAMERA, Keypoints2D, Poses3D
from poselift.skeleton import BODY_27, H36M_17

GIVEN, UNKNOWN = "given", "unknown"
UNITS = {
    "w_mpjpe": "mm",
    "wa_mpjpe": "mm",
    "rte": "%",
    "foot_slide": "mm/frame",
    "jitter": "10 m/s³",
    "acceleration_error": "m/s²",
    "p_mpjpe": "mm",
    "up_error": "deg",
    "up_error_median": "deg",
    "up_error_95": "deg",
    "floor_error": "mm",
    "scale_error": "%",
    "root_across": "mm",
    "root_along": "mm",
    "root_bias": "%",
    "under_floor_95": "mm",
    "peaks_kept": "",
    "contact_f1": "",
    "contact_f1_lifted": "",
    "p_mpjpe_lifted": "mm",
    "jitter_lifted": "10 m/s³",
    "acceleration_error_lifted": "m/s²",
}
"""Metrics by name with their units; at 30 frames a second. `root_bias` is signed: positive for people placed too far
away, as a share of the distance. What ends in `lifted` is of the poses before they were placed, relative to the root.
`under_floor_95` is the depth of the lowest joint under the floor that was found, which 5 % of the frames exceed.
`peaks_kept` is the mean speed of joints, relative to the root, where it is truly among the fastest 1 %, as a share of
that before they were placed."""
FAST = 0.99
"""Speeds above this quantile of the true ones are peaks."""
_OVER_ALL = ("up_error_median", "up_error_95", "under_floor_95", "peaks_kept", "contact_f1", "contact_f1_lifted")
_TALLIED = tuple(name for name in UNITS if name not in _OVER_ALL)


@dataclass(frozen=True, kw_only=True)
class WorldProtocol:
    """How motion capture is turned into a benchmark of placing."""

    views: MocapProtocol = field(default_factory=MocapProtocol)
    """The cameras."""
    height: str = GIVEN
    """Whether the person's height is "given" or "unknown"."""
    focal: str = GIVEN
    """Whether the focal length is "given" or "unknown". The virtual cameras have the length of the picture's side."""
    noise_px: float = 0.0
    """Standard deviation of noise on exact keypoints, in pixels of a picture of 1000 by 1000."""

    def __post_init__(self) -> None:
        """Check the choices."""
        if {self.height, self.focal} - {GIVEN, UNKNOWN} or not 0 <= self.noise_px < 100:
            raise RecipeError(
                f"wanted height and focal as given or unknown, and noise from 0 to 100 pixels, got {self.height}, "
                f"{self.focal} and {self.noise_px}"
            )


def evaluate_world(
    lifter: Lifter,
    clips: Sequence[MocapClip],
    protocol: WorldProtocol,
    *,
    observe: Observer | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Lift every clip from every camera, place it, and compare with where the person was.

    Args:
        lifter: A lifter of `H36M_17` or `BODY_27`.
        clips: Motion capture of one of these skeletons, z up.
        protocol: Cameras, and what is given.
        observe: Simulated detector; exact 2D, with the protocol's noise, when None.
        progress: Called with (clips done, clips in all).

    Raises:
        DatasetError: The clips or the lifter have other joints, or there are no clips.
    """
    known = (H36M_17, BODY_27)
    if not clips or any(clip.skeleton not in known for clip in clips) or lifter.skeleton not in known:
        raise DatasetError("wanted motion capture, and a lifter, of H36M_17 or BODY_27 to measure in the world")
    clips = clips[:: protocol.views.every]
    tally, frames = Tally(dict.fromkeys(_TALLIED, ("all",)), "frames"), 0
    ups, depths, speeds, contacts = [], [], [], {"contact_f1": np.zeros(3), "contact_f1_lifted": np.zeros(3)}
    for done, clip in enumerate(clips):
        body = clip.in_joints(H36M_17) if clip.skeleton == BODY_27 else clip
        for number, camera in enumerate(clip_cameras(body, protocol.views)):
            keypoints = _observed(clip, camera, number, protocol, observe)
            scene, lifted = _placed(lifter, keypoints, body, protocol, camera)
            found = placing_errors(scene, clip, camera) | _lifted_errors(lifted, clip, camera)
            speeds.append(_speeds(scene.people[0], lifted, clip))
            depths.append(-scene.people[0].absolute()[..., 2].min(1))
            contacts["contact_f1"] += _contact_counts(scene.people[0], clip)
            contacts["contact_f1_lifted"] += _contact_counts(lifted, clip)
            for name, errors in found.items():
                tally.add(Cell(clip.subject, "", clip.name), name, errors.reshape(-1, 1))
            ups.append(found["up_error"].mean())
            frames += len(clip)
        if progress:
            progress(done + 1, len(clips))
    means = tally.means()
    means |= {"up_error_median": float(np.median(ups)), "up_error_95": float(np.percentile(ups, 95))}
    means["under_floor_95"] = 1000 * max(float(np.percentile(np.concatenate(depths), 95)), 0.0)
    means["peaks_kept"] = _kept(np.concatenate(speeds, 1))
    means |= {name: 2 * hit / (2 * hit + wrong + missed) for name, (hit, wrong, missed) in contacts.items() if hit}
    detector = getattr(observe, "description", "simulated") if observe else f"exact 2D, {protocol.noise_px:g} px noise"
    choices: dict[str, Any] = {**asdict(protocol.views), "height": protocol.height, "focal": protocol.focal}
    choices |= {"keypoints": detector, "errors": getattr(observe, "errors", None), "fps": world.FPS}
    return Scores(
        lifter=lifter_name(lifter),
        dataset="motion capture",
        choices=choices,
        counts={"sequences": len(clips), "subjects": len({clip.subject for clip in clips}), "frames": frames},
        mean={name: means[name] for name in UNITS if name in means},
        per_joint={},
        per_action={},
        per_subject=tally.table(lambda cell: cell.subject),
        per_sequence=tally.table(lambda cell: f"{cell.subject} {cell.sequence}"),
        per_cell={},
        units=dict(UNITS),
    )


def placing_errors(scene: Scene, clip: MocapClip, camera: Camera) -> dict[str, np.ndarray]:
    """Return the errors of one clip's first person, each an array with the metric's unit; empty where there are none.

    Args:
        scene: The clip, placed from what `camera` saw.
        clip: The truth.
        camera: The true camera, with its place in the clip's world.
    """
    poses, body = scene.people[0], [*range(len(H36M_17))]
    found = scene.camera.to_camera(poses.absolute().astype(np.float64))
    true = camera.to_camera(np.where(clip.known[:, None], clip.xyz, np.nan).astype(np.float64))
    pred, truth = world.at_30_fps(found, clip.fps), world.at_30_fps(true, clip.fps)
    along, across = world.along_and_across(found[:, 0], true[:, 0])
    errors = {
        "w_mpjpe": 1000 * world.w_mpjpe(pred[:, body], truth[:, body]).mean(1),
        "wa_mpjpe": 1000 * world.wa_mpjpe(pred[:, body], truth[:, body]).mean(1),
        "rte": 100 * world.rte(pred[:, 0], truth[:, 0]),
        "jitter": world.jitter(pred[:, body]).mean(1),
        "acceleration_error": world.acceleration_error(pred[:, body] - pred[:, :1], truth[:, body] - truth[:, :1]).mean(
            1
        ),
        "p_mpjpe": 1000 * p_mpjpe(found[:, body], true[:, body]).mean(1),
        "root_across": 1000 * across,
        "root_along": 1000 * np.abs(along),
        "root_bias": 100 * along / np.linalg.norm(true[:, 0], axis=1),
        "scale_error": np.full(len(clip), 100 * abs(height_of(poses) / true_height(clip) - 1)),
    }
    feet = foot_joints(H36M_17 if H36M_17 in (poses.skeleton, clip.skeleton) else BODY_27)
    errors["foot_slide"] = 1000 * world.foot_slide(pred[:, feet], truth[:, feet])
    cos = (scene.camera.R[:, 2] @ camera.R[:, 2]).clip(-1, 1)
    errors["up_error"] = np.full(len(clip), np.rad2deg(np.arccos(cos)))
    if clip.contact is not None and clip.skeleton == BODY_27 and (stands := clip.contact == 1).any():
        floor = np.nanmedian(clip.xyz[:, foot_joints(BODY_27)][..., 2][stands])
        assert poses.path is not None
        errors["floor_error"] = 1000 * np.abs(poses.path[:, 2] - (clip.xyz[:, 0, 2] - floor))
    return errors


def _lifted_errors(poses: Poses3D, clip: MocapClip, camera: Camera) -> dict[str, np.ndarray]:
    """Return the errors of poses in camera axes that were not placed."""
    body = [*range(len(H36M_17))]
    true = camera.to_camera(clip.xyz[:, body].astype(np.float64))
    pred, truth = (world.at_30_fps(xyz - xyz[:, :1], clip.fps) for xyz in (poses.xyz[:, body], true))
    return {
        "p_mpjpe_lifted": 1000 * p_mpjpe(poses.xyz[:, body].astype(np.float64), true).mean(1),
        "jitter_lifted": world.jitter(pred).mean(1),
        "acceleration_error_lifted": world.acceleration_error(pred, truth).mean(1),
    }


def _speeds(placed: Poses3D, lifted: Poses3D, clip: MocapClip) -> np.ndarray:
    """Return the speeds (3, N) in m/s of all joints relative to the root: placed, lifted and true."""
    body = [*range(1, len(H36M_17))]
    three = [placed.xyz[:, body], lifted.xyz[:, body], clip.xyz[:, body] - clip.xyz[:, :1]]
    return np.stack([np.linalg.norm(xyz[2:] - xyz[:-2], axis=-1).ravel() * clip.fps / 2 for xyz in three])


def _kept(speeds: np.ndarray) -> float:
    """Return the mean placed speed as a share of the lifted one, of speeds (3, N), where the true ones are peaks."""
    placed, lifted, true = speeds[:, np.isfinite(speeds).all(0)]
    fast = true >= np.quantile(true, FAST) if len(true) else np.zeros(0, bool)
    return float(placed[fast].mean() / lifted[fast].mean()) if fast.any() else float("nan")


def _contact_counts(poses: Poses3D, clip: MocapClip) -> np.ndarray:
    """Return how many contacts are found, wrongly found, and missed, of those that are known."""
    if poses.contact is None or clip.contact is None:
        return np.zeros(3)
    found, true, known = poses.contact >= 0.5, clip.contact == 1, clip.contact >= 0
    return np.array([(pair & known).sum() for pair in (found & true, found & ~true, ~found & true)], np.float64)


def true_height(clip: MocapClip) -> float:
    """Return the height of a clip's body in metres, by `poselift.refine.bones.stature`."""
    xyz = clip.xyz[:, : len(H36M_17)]
    return height_of(Poses3D(xyz - xyz[:, :1], H36M_17, clip.fps))


def height_of(poses: Poses3D) -> float:
    """Return the height in metres of the body that poses have."""
    return stature(bone_lengths(poses), poses.skeleton)


def _observed(
    clip: MocapClip, camera: Camera, number: int, protocol: WorldProtocol, observe: Observer | None
) -> Keypoints2D:
    """Return what is seen of a clip from the camera of a number."""
    seed = zlib.crc32(f"{protocol.views.seed} {number} {clip.name}".encode())
    if observe:
        return observe(camera.to_camera(clip.xyz), clip.fps, seed)
    exact = exact_keypoints(clip, camera)
    noise = np.random.default_rng(seed).normal(0, protocol.noise_px, exact.xy.shape)
    return replace(exact, xy=exact.xy + noise.astype(np.float32))


def _placed(
    lifter: Lifter, keypoints: Keypoints2D, body: MocapClip, protocol: WorldProtocol, camera: Camera
) -> tuple[Scene, Poses3D]:
    """Return the scene of one person, and the poses in the axes of the camera that is assumed."""
    size = keypoints.image_size or (1000, 1000)
    assert camera.K is not None
    seen_by = Camera.from_focal(float(camera.K[0, 0]), size) if protocol.focal == GIVEN else assumed_camera(size)
    with without_log():
        poses = lift(
            keypoints, lifter, frame=CAMERA, camera=seen_by, check=False,
            flip_average=protocol.views.flip_average,
        )  # fmt: skip
    height = true_height(body) if protocol.height == GIVEN else None
    return place([(keypoints, poses)], height_m=height, still=True), poses  # as the background of a video would tell
