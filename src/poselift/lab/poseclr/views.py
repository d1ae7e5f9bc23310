"""Views of one moment, which contrastive pre-training compares; 3D joints are never used as labels here.

Motion capture is viewed by virtual cameras and detectors (`MocapWindows.views`), a benchmark by its own synchronised
cameras.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from poselift.datasets.clip import BenchmarkClip, MocapClip
from poselift.datasets.mocap import load_mocap
from poselift.errors import DatasetError, RecipeError
from poselift.lab.models.lifter import Lifter
from poselift.lab.poseclr.bank import Moments
from poselift.lab.windows.benchmark import BenchmarkConfig, BenchmarkWindows
from poselift.lab.windows.mocap import DataConfig, MocapWindows
from poselift.lab.windows.own import OwnConfig
from poselift.prepare.flip import flip


@dataclass(frozen=True, eq=False)
class Views:
    """Windows of the same moments from several cameras."""

    inputs: Tensor
    """(B, V, T, J, C) normalised keypoints."""
    moments: Moments
    """The B moments."""


class ViewSource(Protocol):
    """A source of views."""

    def batch(self, size: int, generator: torch.Generator) -> Views:
        """Draw views of `size` random moments; the same generator state gives the same views."""


class MocapViews:
    """Views of motion capture from virtual cameras."""

    def __init__(
        self, clips: Sequence[MocapClip], model: Lifter, count: int, config: DataConfig, device: torch.device
    ) -> None:
        """Put all clips on the device.

        Args:
            clips: Motion capture, all of one skeleton and frame rate.
            model: The lifter that the windows are for.
            count: Views of each moment (V).
            config: How windows are drawn and observed, as in training.
            device: The device that views are made on.
        """
        self._count = count
        self._windows = MocapWindows(
            [clip.in_joints(model.skeleton) for clip in clips], in_frames=model.in_frames, out_frames=model.out_frames,
            in_channels=model.in_channels, fps=model.fps, config=config, device=device,
        )  # fmt: skip

    def batch(self, size: int, generator: torch.Generator) -> Views:
        """Draw views of `size` random moments."""
        inputs, clip, span_s = self._windows.views(size, self._count, generator)
        return Views(inputs, Moments(clip, span_s))


class CameraViews:
    """Views of a benchmark's recordings from the cameras that recorded them at the same time."""

    def __init__(
        self,
        clips: Sequence[BenchmarkClip],
        model: Lifter,
        count: int,
        *,
        mirror: bool = True,
        device: str | torch.device = "cpu",
    ) -> None:
        """Group the clips into recordings, by subject and sequence.

        Args:
            clips: The clips.
            model: The lifter that the windows are for.
            count: Views of each moment (V), from different cameras that are drawn anew each time.
            mirror: Mirror half of the moments, in all their views.
            device: The device that views are made on.

        Raises:
            DatasetError: No recording has so many cameras, or cameras of a recording differ in length or frame rate;
                and all that `BenchmarkWindows` raises.
        """
        groups: dict[tuple[str, str], list[BenchmarkClip]] = {}
        for clip in clips:
            groups.setdefault((clip.subject, clip.sequence), []).append(clip)
        kept = [group for group in groups.values() if len(group) >= count]
        if not kept:
            most = max(map(len, groups.values()), default=0)
            raise DatasetError(
                f"wanted {count} cameras of a recording at the same time, got {most}; use --views {most}"
            )
        for group in kept:
            if len({(len(clip), clip.keypoints.fps) for clip in group}) > 1:
                where = f"{group[0].subject} {group[0].sequence}"
                raise DatasetError(f"{where}: wanted cameras that ran together, got clips of different lengths")
        self._count, self._mirror, self._skeleton = count, mirror, model.skeleton
        self._windows = BenchmarkWindows([clip for group in kept for clip in group], model, mirror=False, device=device)
        self._cameras = torch.tensor([len(group) for group in kept], device=device)
        self._lengths = torch.tensor([len(group[0]) for group in kept], device=device)
        self._fps = torch.tensor([group[0].keypoints.fps for group in kept], device=device)
        self._first = (self._cameras * self._lengths).cumsum(0) - self._cameras * self._lengths
        self._reach = (
            torch.tensor([0, model.in_frames - 1], device=device) - model.out_frames[len(model.out_frames) // 2]
        )

    def batch(self, size: int, generator: torch.Generator) -> Views:
        """Draw views of `size` random moments."""
        device = generator.device
        ends = self._lengths.cumsum(0)
        chosen = (torch.rand(size, generator=generator, device=device) * ends[-1]).long().clip(max=int(ends[-1]) - 1)
        recording = torch.searchsorted(ends, chosen, right=True)
        frame = chosen - (ends - self._lengths)[recording]
        random = torch.rand((size, int(self._cameras.max())), generator=generator, device=device)
        absent = torch.arange(random.shape[1], device=device) >= self._cameras[recording, None]
        cameras = random.masked_fill(absent, 2).argsort(1)[:, : self._count]
        length = self._lengths[recording, None]
        inputs = self._windows.around(self._first[recording, None] + cameras * length + frame[:, None])
        if self._mirror:
            mirrored = torch.rand((size, 1, 1, 1, 1), generator=generator, device=device) < 0.5
            inputs = torch.where(mirrored, flip(inputs, self._skeleton), inputs)
        span = (frame[:, None] + self._reach).clip(min=0).minimum(length - 1)
        return Views(inputs, Moments(recording, span / self._fps[recording, None]))


class ViewTask(Protocol):
    """The data that a pre-training learns from, and the data that it is scored by."""

    data: str
    """Description of the data."""

    def views(self, model: Lifter, count: int, device: torch.device) -> ViewSource:
        """Return a source of `count` views of each moment to learn from."""

    def unseen(self, model: Lifter, device: torch.device) -> ViewSource:
        """Return a source of two views of each moment, of people that the pre-training does not see."""


class MocapViewTask:
    """An archive of motion capture with the splits train and dev."""

    def __init__(self, config: DataConfig, archive: Path) -> None:
        """Read the archive.

        Raises:
            MissingData: There is no such archive; and everything else that `load_mocap` raises.
        """
        self.config = config
        self.clips, self.dev = (load_mocap(archive, split=split) for split in ("train", "dev"))
        self.data = f"{archive.name}, split train"

    def views(self, model: Lifter, count: int, device: torch.device) -> MocapViews:
        """Return views of the split train, observed as in training."""
        return MocapViews(self.clips, model, count, self.config, device)

    def unseen(self, model: Lifter, device: torch.device) -> MocapViews:
        """Return two views of each moment of the split dev, as it was recorded and without detector errors."""
        return MocapViews(self.dev, model, 2, as_recorded(self.config), device)


class BenchmarkViewTask:
    """A benchmark: the training subjects to learn from, and the test subjects to score by."""

    def __init__(self, config: BenchmarkConfig, folder: Path) -> None:
        """Store the arguments; the archives in `folder` are read when they are needed."""
        self.config, self.folder = config, folder
        self.data = f"{config.dataset}, {config.keypoints}: training subjects"

    def views(self, model: Lifter, count: int, device: torch.device) -> CameraViews:
        """Return views of the training subjects."""
        clips = self.config.load(self.folder, "train").clips
        return CameraViews(clips, model, count, mirror=self.config.mirror, device=device)

    def unseen(self, model: Lifter, device: torch.device) -> CameraViews:
        """Return two views of each moment of the test subjects."""
        return CameraViews(self.config.load(self.folder, "test").clips, model, 2, mirror=False, device=device)


def make_view_task(config: DataConfig | BenchmarkConfig | OwnConfig, data: Path) -> ViewTask:
    """Return the task of a config: `data` is the archive of motion capture, or the folder of the benchmark's archives.

    Raises:
        RecipeError: The config is of recordings of your own, for which there is no pre-training.
    """
    if isinstance(config, OwnConfig):
        raise RecipeError("your own recordings are not pre-trained on; name a recipe of motion capture or a benchmark")
    if isinstance(config, BenchmarkConfig):
        return BenchmarkViewTask(config, data)
    return MocapViewTask(config, data)


def as_recorded(config: DataConfig) -> DataConfig:
    """Return a config with the same cameras, but with bodies, poses and speeds as recorded, and exact whole windows."""
    return replace(
        config, exact=1.0, own_joints=0.0, short=0.0, bone_scale=0.0, speed=(1.0, 1.0), mirror=False,
        mix=0.0, turn=0.0, bend=0.0, rare=0.0, fraction=1.0,
    )  # fmt: skip
