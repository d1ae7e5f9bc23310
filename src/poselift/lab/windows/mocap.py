"""Training batches from motion capture: windows of clips as simulated cameras and detectors see them.

A batch is made in one go, on any device: world joints are drawn from the clips, bodies are reshaped, a camera looks at
each window, and a detector's keypoints (or the exact joints) are converted, calibrated and fed by the same code as in
inference (`poselift.prepare.feed`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from poselift.datasets.clip import MocapClip
from poselift.errors import DatasetError, RecipeError
from poselift.lab.observe.bodies import (  # fmt: skip
    bend_trunk,
    bones_of,
    commonness,
    indices,
    joints_of,
    mirror,
    mix_parts,
    named,
    scale_bones,
    turn_limbs,
)
from poselift.lab.observe.cameras import CameraConfig, project, view
from poselift.lab.observe.detector import detect
from poselift.lab.observe.noise import DETECTOR_SKELETON, NoiseConfig, corrupt
from poselift.lab.windows.batch import WHOLE, Batch, Share
from poselift.lab.windows.fraction import part_of
from poselift.prepare.convert import convert_arrays
from poselift.prepare.feed import Feed
from poselift.prepare.normalize import PERSON_SCALE, calibrate
from poselift.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """How windows are drawn from clips, and how they are observed."""

    camera: CameraConfig = field(default_factory=CameraConfig)
    """Positions of the cameras."""
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    """Errors of the detector."""
    exact: float = 0.3
    """Share of windows with exact 2D joints of the lifter's own skeleton and full confidence."""
    own_joints: float = 0.2
    """Share of windows with detector errors on the lifter's own joints; the rest have converted detector joints."""
    short: float = 0.35
    """Share of windows in which the clip begins or ends."""
    bone_scale: float = 0.1
    """Standard deviation of the logarithm of each bone's length factor, equal on both sides."""
    speed: tuple[float, float] = (0.7, 1.4)
    """Least and greatest speed of the motion."""
    mirror: bool = True
    """Show half of the windows mirrored."""
    mix: float = 0.5
    """Share of windows with one or both legs of another window; the share with arms of another is the same."""
    turn: float = 0.5
    """Share of windows in which arms and legs are turned, by one angle for the whole window."""
    turn_rad: float = 0.3
    """Standard deviation of the turns of upper arms and forearms about each axis; thighs and shins have half."""
    bend: float = 0.4
    """Share of windows in which the trunk is bent, by one angle for the whole window."""
    bend_rad: float = 0.3
    """Standard deviation of that angle."""
    balance: float = 0.5
    """0 draws subjects by their recorded time; 1 gives every subject the same share."""
    rare: float = 0.5
    """0 draws poses as often as they were recorded; 1 gives every kind of pose the same share."""
    fraction: float = 1.0
    """Share of the recorded time that is trained on, spread over the subjects; see `poselift.lab.windows.fraction`."""
    fraction_seed: int = 0
    """Seed of the choice of these clips."""

    def __post_init__(self) -> None:
        """Check the shares and the speeds.

        Raises:
            RecipeError: A value is out of range; the message names it.
        """
        for name in ("exact", "own_joints", "short", "mix", "turn", "bend"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"data.{name}: wanted a share in [0, 1], got {getattr(self, name)}")
        if self.exact + self.own_joints > 1:
            raise RecipeError(f"data.own_joints: wanted at most 1 - data.exact, got {self.own_joints} and {self.exact}")
        if not 0 < self.speed[0] <= self.speed[1]:
            raise RecipeError(f"data.speed: wanted two positive speeds, the lower one first, got {self.speed}")
        if not 0 < self.fraction <= 1:
            raise RecipeError(f"data.fraction: wanted a share above 0 and up to 1, got {self.fraction}")


class MocapWindows:
    """Draws batches of observed windows from clips, endlessly."""

    normalization = PERSON_SCALE
    """How the keypoints are normalised."""

    def __init__(
        self,
        clips: Sequence[MocapClip],
        *,
        in_frames: int,
        out_frames: Sequence[int],
        in_channels: int,
        fps: float,
        config: DataConfig,
        device: str | torch.device = "cpu",
    ) -> None:
        """Put all clips on the device.

        Args:
            clips: Motion capture, all of one skeleton and rate.
            in_frames: Number of frames in a window.
            out_frames: Places in the window that have targets.
            in_channels: Number of input channels: 2, or 3 with confidence.
            fps: Frame rate of the windows.
            config: How windows are drawn and observed.
            device: Where batches are made.

        Raises:
            DatasetError: There are no clips, or they differ in skeleton or rate.
        """
        if not clips or len({(c.skeleton, c.fps) for c in clips}) != 1:
            raise DatasetError(f"wanted clips of one skeleton and frame rate, got {len(clips)} mixed or none")
        clips = part_of(clips, config.fraction, config.fraction_seed)
        self.skeleton: Skeleton = clips[0].skeleton
        self.in_frames, self.config = in_frames, config
        self._feed = Feed(self.skeleton, in_channels, self.normalization)
        self.out_frames = torch.tensor(list(out_frames), device=device)
        self._turned = torch.tensor([_mobility(name) for name in self.skeleton.joints], device=device)
        self.stride, self._clip_fps = clips[0].fps / fps, clips[0].fps
        lengths = torch.tensor([len(clip) for clip in clips], device=device)
        self._lengths, self._starts = lengths, lengths.cumsum(0) - lengths
        self._frames = torch.cat([torch.from_numpy(clip.xyz) for clip in clips]).flatten(1).to(device)
        weights = torch.from_numpy(_frame_weights(clips, config))
        self._chance = (weights.cumsum(0) / weights.sum()).to(device)

    @property
    def windows(self) -> int:
        """Number of windows in an epoch, one for each frame; nominal, as they are drawn with replacement."""
        return len(self._frames)

    def batch(self, size: int, generator: torch.Generator, step: int = 0, share: Share = WHOLE) -> Batch:
        """Draw a share of `size` windows; the same generator state gives the same ones, whatever the step."""
        world, inside = self._draw(share.size(size), generator)
        return self._see(self._reshape_bodies(world, generator), inside, generator)

    def views(self, size: int, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Draw `size` windows, each seen by several independent cameras and detectors.

        The body is reshaped once; the camera, the kind of detector, its errors, and the stretch of the window that is
        seen are drawn for each view, so that none of them shows which views belong together.

        Args:
            size: Number of windows (B).
            count: Number of views of each (V).
            generator: Source of randomness; the same state gives the same views.

        Returns:
            Inputs (B, V, T, J, C); the clip's number (B,); times of the window's first and last frame (B, 2), seconds
            from the clip's beginning.
        """
        clip, time = self._choose(size, generator)
        world, inside = self._at(clip, time)
        world = self._reshape_bodies(world, generator)
        seen = []
        for _ in range(count):
            order = torch.randperm(size, generator=generator, device=world.device)
            shown = inside & self._short_clips(size, generator)
            seen.append(self._see(world[order], shown[order], generator).inputs[order.argsort()])
        ends = time[:, [0, -1]].clip(min=0).minimum(self._lengths[clip, None] - 1)
        return torch.stack(seen, 1), clip, ends / self._clip_fps

    def _see(self, world: Tensor, inside: Tensor, generator: torch.Generator) -> Batch:
        """Make a batch of world joints (B, T, J, 3) seen by a camera and a detector; frames not `inside` are unseen."""
        points, straight, up = view(world, self.skeleton.root, self.config.camera, generator)
        seen = [convert_arrays(*part, self.skeleton) for part in self.detections(points, generator)]
        xy, confidence = (torch.cat(parts) for parts in zip(*seen, strict=True))
        # A window is calibrated as the clip that it would be in use.
        clip = self._feed.join(xy, calibrate(confidence * inside[..., None]))
        inputs = self._feed.windows(clip, inside)
        root = self.skeleton.root
        joints = points[:, self.out_frames]
        targets = (joints - joints[:, :, root : root + 1]) @ straight.transpose(1, 2)[:, None]
        return Batch(inputs, targets, up=up[:, None].expand(-1, len(self.out_frames), -1))

    def _draw(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw random windows: world joints (B, T, J, 3), and a mask (B, T) of the frames that are seen."""
        world, inside = self._at(*self._choose(size, generator))
        return world, inside & self._short_clips(size, generator)

    def _choose(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Choose random windows: clips (B,), and frames (B, T) with fractions, also beyond the clip's ends."""
        device, config = generator.device, self.config
        chance = torch.rand(size, generator=generator, device=device, dtype=self._chance.dtype)
        frame = torch.searchsorted(self._chance, chance).clip(max=len(self._frames) - 1)
        clip = torch.searchsorted(self._starts, frame, right=True) - 1
        low, high = config.speed
        speed = self.stride * low * (high / low) ** torch.rand(size, generator=generator, device=device)
        length = self._lengths[clip]
        middle = frame - self._starts[clip] + torch.rand(size, generator=generator, device=device) - 0.5
        middle = middle.clip(min=0).minimum(length - 1)
        half = (self.in_frames - 1) // 2
        offset = torch.arange(-half, self.in_frames - half, device=device)
        return clip, middle[:, None] + offset * speed[:, None]

    def _at(self, clip: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return world joints (B, T, J, 3) at these frames, and a mask (B, T) of those inside the clip."""
        length = self._lengths[clip]
        inside = (time >= 0) & (time <= length[:, None] - 1)
        time = time.clip(min=0).minimum(length[:, None] - 1)
        before = time.long()
        after = (before + 1).minimum(length[:, None] - 1)
        base = self._starts[clip][:, None]
        start, end = (self._frames.index_select(0, (base + frame).flatten()) for frame in (before, after))
        share = (time - before).flatten()[:, None]
        return torch.lerp(start, end, share).view(*time.shape, -1, 3), inside

    def _short_clips(self, size: int, generator: torch.Generator) -> Tensor:
        """Return a mask (B, T) of the frames seen: in some windows only a stretch around the yielded frames."""
        device = generator.device
        time = torch.arange(self.in_frames, device=device)
        reach = self.in_frames * torch.rand((2, size, 1), generator=generator, device=device) ** 2
        keep = (time >= self.out_frames[0] - reach[0]) & (time <= self.out_frames[-1] + reach[1])
        return keep | (torch.rand((size, 1), generator=generator, device=device) >= self.config.short)

    def _reshape_bodies(self, world: Tensor, generator: torch.Generator) -> Tensor:
        """Change poses and limb lengths of world joints (B, T, J, 3), and mirror some windows."""
        size, device, config = len(world), world.device, self.config
        bones = bones_of(world, self.skeleton)
        if config.mix and size > 1:
            both, one = torch.rand((2, 2, size, 1), generator=generator, device=device)
            sides = torch.rand((2, size, 2), generator=generator, device=device) < 0.5
            legs, arms = (both < config.mix) & (sides | (one < 0.5))
            bones = mix_parts(bones, legs, arms, self.skeleton)
        if config.turn:
            turned = torch.rand((size, 1, 1), generator=generator, device=device) < config.turn
            turns = torch.randn((size, len(self.skeleton), 3), generator=generator, device=device)
            bones = turn_limbs(bones, config.turn_rad * turned * self._turned[:, None] * turns, self.skeleton)
        if config.bend:
            bent = torch.rand(size, generator=generator, device=device) < config.bend
            angle = bent * config.bend_rad * torch.randn(size, generator=generator, device=device)
            heading = torch.pi * torch.rand(size, generator=generator, device=device)
            tilted = torch.rand(size, generator=generator, device=device) < 0.5
            bones = bend_trunk(bones, angle, heading, tilted, self.skeleton)
        factors = torch.randn((size, len(self.skeleton)), generator=generator, device=device)
        left, right = (indices(side, device) for side in zip(*self.skeleton.pairs, strict=True))
        factors.index_copy_(1, right, factors.index_select(1, left))
        world = joints_of(scale_bones(bones, (config.bone_scale * factors).exp(), self.skeleton), self.skeleton)
        if config.mirror:
            world = mirror(world, torch.rand(size, generator=generator, device=device) < 0.5, self.skeleton)
        return world

    def detections(self, points: Tensor, generator: torch.Generator) -> list[tuple[Tensor, Tensor, Skeleton]]:
        """Simulate what detectors find of joints in camera axes (B, T, J, 3), in three parts of the batch.

        Returns:
            For the windows with exact 2D, those with errors on the lifter's own joints, and those seen as a detector's
            joints: positions on the image plane (B', T, J', 2), confidence (B', T, J'), and the joint order.
        """
        config, size = self.config, len(points)
        exact, own = round(size * config.exact), round(size * config.own_joints)
        metre = 1 / points[:, :, self.skeleton.root, 2].mean(1).clip(min=0.1)
        xy = project(points[: exact + own])
        sure = torch.ones(xy[:exact].shape[:3], device=xy.device)
        noisy = corrupt(xy[exact:], metre[exact : exact + own], self.skeleton, config.noise, generator)
        found, confidence = detect(points[exact + own :], config.noise, generator)
        has_crown = torch.rand((len(found), 1, 1), generator=generator, device=xy.device) < 0.5  # else COCO's joints
        confidence = confidence * (has_crown | ~named(DETECTOR_SKELETON, ("head_top", "upper_neck"), xy.device))
        return [(xy[:exact], sure, self.skeleton), (*noisy, self.skeleton), (found, confidence, DETECTOR_SKELETON)]


def _mobility(joint: str) -> float:
    """Return how far the bone that ends at a joint is turned, relative to an arm's bones."""
    return 1.0 if "elbow" in joint or "wrist" in joint else 0.5 if "knee" in joint or "ankle" in joint else 0.0


def _frame_weights(clips: Sequence[MocapClip], config: DataConfig) -> np.ndarray:
    """Return each frame's chance to be the middle of a window, (N,) over all clips, float64, not normalised."""
    frames = np.concatenate([clip.xyz for clip in clips])
    total: dict[str, int] = {}
    for clip in clips:
        total[clip.subject] = total.get(clip.subject, 0) + len(clip)
    weights = np.concatenate([np.full(len(clip), total[clip.subject] ** -config.balance) for clip in clips])
    return weights * commonness(frames, clips[0].skeleton) ** -config.rare if config.rare else weights
