"""Training batches from motion capture: windows of clips as simulated cameras and detectors see them.

A batch is made in one go, on any device: world joints are drawn from the clips, bodies are reshaped, a camera looks at
each window, and a detector's keypoints (or the exact joints) are converted, calibrated and fed by the same code as in
inference (`poselift.prepare.feed`).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from poselift.datasets.clip import MocapClip
from poselift.errors import DatasetError
from poselift.lab.observe.bodies import commonness, named
from poselift.lab.observe.cameras import project, view
from poselift.lab.observe.detector import detect, detect_body
from poselift.lab.observe.landmarks import SEEN, draw_detectors
from poselift.lab.observe.noise import DETECTOR_SKELETON, corrupt
from poselift.lab.windows.batch import WHOLE, Batch, Share
from poselift.lab.windows.changes import Changes, Labels
from poselift.lab.windows.config import DataConfig
from poselift.lab.windows.fraction import part_of
from poselift.prepare.convert import convert_arrays
from poselift.prepare.feed import Feed
from poselift.prepare.normalize import PERSON_SCALE, calibrate
from poselift.sequence import CONTACTS
from poselift.skeleton import BODY_27, H36M_17, Skeleton

__all__ = ["DataConfig", "MocapWindows"]


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
        self.stride, self._clip_fps = clips[0].fps / fps, clips[0].fps
        lengths = torch.tensor([len(clip) for clip in clips], device=device)
        self._lengths, self._starts = lengths, lengths.cumsum(0) - lengths
        self._frames = torch.cat([torch.from_numpy(_finite(clip)) for clip in clips]).flatten(1).to(device)
        self._there, self._trusted = (torch.from_numpy(np.stack(known)).to(device) for known in _known(clips))
        self._contact = torch.from_numpy(np.concatenate([_contact(clip) for clip in clips])).to(device)
        weights = torch.from_numpy(_frame_weights(clips, config))
        self._chance = (weights.cumsum(0) / weights.sum()).to(device)

    @property
    def windows(self) -> int:
        """Number of windows in an epoch, one for each frame; nominal, as they are drawn with replacement."""
        return len(self._frames)

    def batch(self, size: int, generator: torch.Generator, step: int = 0, share: Share = WHOLE) -> Batch:
        """Draw a share of `size` windows; the same generator state gives the same ones, whatever the step."""
        size = share.size(size)
        clip, time = self._choose(size, generator)
        world, inside = self._at(clip, time)
        inside = inside & self._short_clips(size, generator)
        world, labels = self._reshape_bodies(world, self._labels(clip, time), generator)
        return self._see(world, inside, generator, labels)

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
        world, labels = self._reshape_bodies(world, self._labels(clip, time), generator)
        seen = []
        for _ in range(count):
            order = torch.randperm(size, generator=generator, device=world.device)
            shown = inside & self._short_clips(size, generator)
            seen.append(self._see(world[order], shown[order], generator, labels.of(order)).inputs[order.argsort()])
        ends = time[:, [0, -1]].clip(min=0).minimum(self._lengths[clip, None] - 1)
        return torch.stack(seen, 1), clip, ends / self._clip_fps

    def _see(self, world: Tensor, inside: Tensor, generator: torch.Generator, labels: Labels | None = None) -> Batch:
        """Make a batch of world joints (B, T, J, 3) seen by a camera and a detector; frames not `inside` are unseen."""
        points, straight, up = view(world, self.skeleton.root, self.config.camera, generator)
        there = None if labels is None else labels.there
        seen = [convert_arrays(*part, self.skeleton) for part in self.detections(points, generator, there)]
        xy, confidence = (torch.cat(parts) for parts in zip(*seen, strict=True))
        # A window is calibrated as the clip that it would be in use.
        clip = self._feed.join(xy, calibrate(confidence * inside[..., None]))
        inputs = self._feed.windows(clip, inside)
        root = self.skeleton.root
        joints = points[:, self.out_frames]
        targets = (joints - joints[:, :, root : root + 1]) @ straight.transpose(1, 2)[:, None]
        up = up[:, None].expand(-1, len(self.out_frames), -1)
        if labels is None:
            return Batch(inputs, targets, up=up)
        known = (labels.there & labels.trusted)[:, None].expand(-1, len(self.out_frames), -1)
        contact = torch.where(inside[..., None], labels.contact, -1)[:, self.out_frames]
        return Batch(inputs, targets, known, up, contact)

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

    def _labels(self, clip: Tensor, time: Tensor) -> Labels:
        """Return what is known of these clips (B,) at these frames (B, T) with fractions."""
        nearest = time.round().long().clip(min=0).minimum(self._lengths[clip, None] - 1)
        contact = self._contact[self._starts[clip, None] + nearest].float()
        return Labels(self._there[clip], self._trusted[clip], contact)

    def _short_clips(self, size: int, generator: torch.Generator) -> Tensor:
        """Return a mask (B, T) of the frames seen: in some windows only a stretch around the yielded frames."""
        device = generator.device
        time = torch.arange(self.in_frames, device=device)
        reach = self.in_frames * torch.rand((2, size, 1), generator=generator, device=device) ** 2
        keep = (time >= self.out_frames[0] - reach[0]) & (time <= self.out_frames[-1] + reach[1])
        return keep | (torch.rand((size, 1), generator=generator, device=device) >= self.config.short)

    def _reshape_bodies(self, world: Tensor, labels: Labels, generator: torch.Generator) -> tuple[Tensor, Labels]:
        """Change poses and limb lengths of world joints (B, T, J, 3), and mirror some windows, labels alike."""
        changes = Changes.draw(len(world), self.skeleton, self.config, generator)
        return changes.bodies(world), changes.labels(labels)

    def detections(
        self, points: Tensor, generator: torch.Generator, there: Tensor | None = None
    ) -> list[tuple[Tensor, Tensor, Skeleton]]:
        """Simulate what detectors find of joints in camera axes, in three parts of the batch.

        Args:
            points: (B, T, J, 3) joints, metres, camera axes.
            generator: Source of randomness.
            there: (B, J) bool: the joint is known; all are when None.

        Returns:
            For the windows with exact 2D, those with errors on the lifter's own joints, and those seen as a detector's
            joints: positions on the image plane (B', T, J', 2), confidence (B', T, J'), and the joint order.
        """
        config, size = self.config, len(points)
        exact, own = round(size * config.exact), round(size * config.own_joints)
        metre = 1 / points[:, :, self.skeleton.root, 2].mean(1).clip(min=0.1)
        xy = project(points[: exact + own])
        sure = torch.ones(xy[:exact].shape[:3], device=xy.device)
        places, scores = corrupt(xy[exact:], metre[exact : exact + own], self.skeleton, config.noise, generator)
        if there is None:
            there = torch.ones(points.shape[::2], dtype=torch.bool, device=points.device)
        if self.skeleton == BODY_27:
            shown = self._shown(there, generator)[:, None]
            sure, scores = sure * shown[:exact], scores * shown[exact : exact + own]
        found = self._detected(points[exact + own :], there[exact + own :], generator)
        return [(xy[:exact], sure, self.skeleton), (places, scores, self.skeleton), found]

    def _shown(self, there: Tensor, generator: torch.Generator) -> Tensor:
        """Return (B, J) bool: the lifter's own joints that a window shows; in some, the 17 of the body alone."""
        whole = torch.rand((len(there), 1), generator=generator, device=there.device) >= self.config.bodies_alone
        body = torch.arange(len(self.skeleton), device=there.device) < len(H36M_17)
        return there & (whole | body)

    def _detected(self, points: Tensor, there: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Skeleton]:
        """Return what detectors find of joints (B, T, J, 3): places and confidence, and their order."""
        noise, device = self.config.noise, points.device
        if self.skeleton == BODY_27:
            kinds = draw_detectors(len(points), generator)
            return *detect_body(points, there, kinds, noise, generator), SEEN
        found, confidence = detect(points, noise, generator)
        has_crown = torch.rand((len(found), 1, 1), generator=generator, device=device) < 0.5  # else COCO's joints
        confidence = confidence * (has_crown | ~named(DETECTOR_SKELETON, ("head_top", "upper_neck"), device))
        return found, confidence, DETECTOR_SKELETON


def _finite(clip: MocapClip) -> np.ndarray:
    """Return the joints (T, J, 3) of a clip with those that it lacks at their parents' places."""
    xyz = clip.xyz.copy()
    for joint in clip.skeleton.topological:
        if np.isnan(xyz[:, joint]).any():
            xyz[:, joint] = xyz[:, clip.skeleton.parents[joint]]
    return xyz


def _known(clips: Sequence[MocapClip]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return for each clip the joints (J,) whose places are known, and those that may be trusted."""
    there = [np.isfinite(clip.xyz).all((0, 2)) for clip in clips]
    trusted = [np.ones(len(clip.skeleton), bool) if clip.trusted is None else clip.trusted for clip in clips]
    return there, trusted


def _contact(clip: MocapClip) -> np.ndarray:
    """Return the contacts (T, 4) int8 of a clip, -1 where nothing is known."""
    return np.full((len(clip), len(CONTACTS)), -1, np.int8) if clip.contact is None else clip.contact


def _frame_weights(clips: Sequence[MocapClip], config: DataConfig) -> np.ndarray:
    """Return each frame's chance to be the middle of a window, (N,) over all clips, float64, not normalised.

    Subjects and kinds of poses are balanced over everything; then each source gets its share.
    """
    total: dict[str, int] = {}
    for clip in clips:
        total[clip.subject] = total.get(clip.subject, 0) + len(clip)
    weights = np.concatenate([np.full(len(clip), total[clip.subject] ** -config.balance) for clip in clips])
    if config.rare:
        skeleton = H36M_17 if clips[0].skeleton == BODY_27 else clips[0].skeleton  # eyes and feet may be unknown
        frames = np.concatenate([clip.xyz[:, : len(skeleton)] for clip in clips])
        weights = weights * commonness(frames, skeleton) ** -config.rare
    if config.sources:
        names = np.concatenate([np.full(len(clip), clip.source) for clip in clips])
        for name, share in config.sources.items():
            chosen = names == name
            weights[chosen] *= share / max(weights[chosen].sum(), 1e-300)
    return weights
