"""The evaluation path: any lifter on motion capture seen by fixed cameras, every metric, per joint.

Each clip is seen by virtual cameras drawn from a seed, lifted the way users lift (whole clip, dense windows), and
compared frame by frame. Every choice that moves the numbers is part of the result.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from poselift.datasets.clip import MocapClip
from poselift.errors import DatasetError, RecipeError
from poselift.geometry.camera import Camera, look_at
from poselift.lifters.contract import Lifter
from poselift.lifting import lift
from poselift.measure.metrics import mpjpe, mpjve, n_mpjpe, p_mpjpe
from poselift.prepare.swaps import untold
from poselift.sequence import Keypoints2D

METRICS = ("mpjpe", "p_mpjpe", "n_mpjpe", "mpjve")

Observer = Callable[[np.ndarray, float, int], Keypoints2D]
"""(joints in camera axes (T, J, 3) metres, fps, seed) to what a detector sees of them."""


@dataclass(frozen=True, kw_only=True)
class MocapProtocol:
    """How motion capture is turned into a benchmark."""

    cameras: int = 4
    """Cameras for each clip, all around."""
    seed: int = 0
    """Seed of the cameras."""
    elevation_deg: tuple[float, float] = (-10.0, 35.0)
    """Least and greatest angle of the cameras above the person."""
    distance: tuple[float, float] = (2.5, 6.0)
    """Least and greatest distance in metres, beyond the space that the person crosses."""
    roll_deg: float = 3.0
    """Standard deviation of the cameras' roll."""
    flip_average: bool = False
    """Average with the mirror image."""
    every: int = 1
    """1 to measure on all clips, N for the first and each N-th after it."""

    def __post_init__(self) -> None:
        """Check that there are cameras to draw."""
        if self.cameras < 1 or self.seed < 0 or self.every < 1:
            raise RecipeError(
                f"wanted cameras >= 1 and seed >= 0 and every >= 1, got cameras={self.cameras}, seed={self.seed} and "
                f"every={self.every}"
            )


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Result of an evaluation. Errors in millimetres, velocities in millimetres a frame at 50 fps."""

    protocol: dict
    """Every choice that was made."""
    frames: int
    """Frames compared, over all cameras."""
    mean: dict[str, float]
    """Metric: mean over frames and joints, the root (always zero) included as in the papers."""
    per_joint: dict[str, dict[str, float]]
    """Metric: joint name: mean over frames."""
    per_subject: dict[str, dict[str, float]]
    """Metric: subject: mean over frames and joints."""

    def as_json(self) -> dict:
        """Plain containers for a JSON file."""
        return asdict(self)


def clip_cameras(clip: MocapClip, protocol: MocapProtocol) -> list[Camera]:
    """The fixed cameras of a clip: evenly around with jitter, aimed at where the person is on average.

    Args:
        clip: Motion capture, z up.
        protocol: Ranges and seed. A clip's cameras depend on its name and the seed only.

    Returns:
        `protocol.cameras` cameras with a 1000 by 1000 pixel picture.
    """
    rng = np.random.default_rng((protocol.seed, zlib.crc32(clip.name.encode())))
    centre = clip.xyz[:, clip.skeleton.root].mean(0).astype(np.float64)
    crossed = float(np.linalg.norm(clip.xyz - centre.astype(np.float32), axis=-1).max())
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
    """The clip's joints as a perfect detector sees them."""
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
        lifter: Any lifter with the clips' skeleton.
        clips: Motion capture.
        protocol: Cameras and options.
        observe: Simulated detector; exact 2D when None.
        progress: Called with (clips done, clips in all).

    Returns:
        The scores.

    Raises:
        DatasetError: There are no clips, their skeleton is another, or one is too short to have a velocity.
    """
    if not clips or any(clip.skeleton != lifter.skeleton for clip in clips):
        raise DatasetError(f"wanted clips of {lifter.skeleton.name}, got {len(clips)} or others")
    if short := [clip.name for clip in clips if len(clip) < 2]:
        raise DatasetError(f"wanted clips of two frames or more; leave out {', '.join(short)}")
    clips = clips[:: protocol.every]
    subjects: list[str] = []
    errors: dict[str, list[np.ndarray]] = {name: [] for name in METRICS}
    for done, clip in enumerate(clips):
        for number, camera in enumerate(clip_cameras(clip, protocol)):
            seen = exact_keypoints(clip, camera)
            if observe:
                seed = zlib.crc32(f"{protocol.seed} {number} {clip.name}".encode())
                seen = observe(camera.to_camera(clip.xyz), clip.fps, seed)
            with untold():
                poses = lift(seen, lifter, flip_average=protocol.flip_average)
            for name, error in _errors(poses.xyz, clip, camera).items():
                errors[name].append(1000 * error)
            subjects.append(clip.subject)
        if progress:
            progress(done + 1, len(clips))
    detector = getattr(observe, "description", "simulated") if observe else "exact 2D"
    made = asdict(protocol) | {"keypoints": detector, "errors": getattr(observe, "errors", None)}
    return _summary(errors, subjects, clips[0].skeleton.joints, made)


def _errors(xyz: np.ndarray, clip: MocapClip, camera: Camera) -> dict[str, np.ndarray]:
    """Metric: errors (T or T - 1, J) in metres."""
    truth = camera.to_camera(clip.xyz)
    truth = truth - truth[:, clip.skeleton.root : clip.skeleton.root + 1]
    return {
        "mpjpe": mpjpe(xyz, truth),
        "p_mpjpe": p_mpjpe(xyz, truth),
        "n_mpjpe": n_mpjpe(xyz, truth),
        "mpjve": mpjve(xyz, truth, clip.fps) / 50,
    }


def _summary(
    errors: dict[str, list[np.ndarray]], subjects: list[str], joints: tuple[str, ...], protocol: dict
) -> Scores:
    mean, per_joint, per_subject = {}, {}, {}
    for name, parts in errors.items():
        stacked = np.concatenate(parts)
        mean[name] = round(float(stacked.mean()), 3)
        per_joint[name] = {j: round(float(e), 3) for j, e in zip(joints, stacked.mean(0), strict=True)}
        owner = np.repeat(subjects, [len(part) for part in parts])
        per_subject[name] = {s: round(float(stacked[owner == s].mean()), 3) for s in sorted(set(subjects))}
    frames = sum(len(part) for part in errors["mpjpe"])
    return Scores(protocol=protocol, frames=frames, mean=mean, per_joint=per_joint, per_subject=per_subject)
