"""Training batches from a benchmark: one window for each frame, as in the papers.

The device holds every frame of the set once; windows are gathered, fed (`poselift.prepare.feed`) and mirrored when
their batch is made, so that neither overlap nor mirroring costs memory.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.datasets.load import load_benchmark
from poselift.errors import DatasetError, FormatError, RecipeError, did_you_mean
from poselift.lab.models.lifter import Lifter
from poselift.lab.windows.batch import WHOLE, Batch, Share
from poselift.measure.protocols import PROTOCOLS, BenchmarkProtocol
from poselift.prepare.convert import convert
from poselift.prepare.feed import Feed
from poselift.prepare.flip import flip
from poselift.prepare.normalize import SCREEN
from poselift.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkConfig:
    """The benchmark that a lifter is trained and measured on, and how."""

    dataset: Literal["h36m", "3dhp", "humaneva"] = "h36m"
    """Human3.6M, MPI-INF-3DHP or HumanEva-I."""
    keypoints: str = "cpn_ft_h36m_dbb"
    """2D keypoints in training and test: the end of the archive's name. MPI-INF-3DHP has only exact ones."""
    truth: Literal["annot3", "univ_annot3"] | None = None
    """Ground truth that MPI-INF-3DHP's archive was made from, if it is not that of the published scripts."""
    mirror: bool = True
    """Show every window twice in an epoch, once mirrored."""
    protocol: str = "posessm"
    """How the result is measured, a name in `poselift.measure.protocols.PROTOCOLS`."""
    as_published: bool = False
    """Do what the paper's code does quietly: keep the weights of the epoch that is best on the test subjects, and
    average P-MPJPE over batches where it does. Off, the last epoch's weights are measured, frame by frame."""

    def __post_init__(self) -> None:
        """Check the protocol's name.

        Raises:
            RecipeError: There is no protocol of this name.
        """
        if self.protocol not in PROTOCOLS:
            raise RecipeError(f"data.protocol: unknown protocol; {did_you_mean(self.protocol, PROTOCOLS)}")

    def choices(self) -> BenchmarkProtocol:
        """Return the protocol, with what the paper's code does quietly if `as_published` is set."""
        make = PROTOCOLS[self.protocol]
        if not self.as_published:
            return make()
        made = make(as_published=True) if "as_published" in signature(make).parameters else make()
        return replace(made, checkpoint="best on test")

    def load(self, folder: Path, split: Literal["train", "test"]) -> BenchmarkSet:
        """Load one half of the benchmark: the subjects for training, or those for the test.

        Raises:
            DatasetError: As for `poselift.datasets.load.load_benchmark`.
        """
        return load_benchmark(folder, dataset=self.dataset, keypoints=self.keypoints, split=split, truth=self.truth)


class BenchmarkWindows:
    """All windows of a benchmark, in a new order each epoch that depends only on the seed and the epoch."""

    normalization = SCREEN
    """How the keypoints are normalised."""

    def __init__(
        self,
        clips: Sequence[BenchmarkClip],
        model: Lifter,
        *,
        mirror: bool = True,
        seed: int = 0,
        device: str | torch.device = "cpu",
    ) -> None:
        """Put all frames on the device.

        Args:
            clips: The clips, with 3D joints of the model's skeleton and the picture's size.
            model: The model that the windows are for: its frames in and out, channels and skeleton.
            mirror: Show every window twice in an epoch, once mirrored.
            seed: Seed of the order.
            device: Where batches are made.

        Raises:
            DatasetError: Clips have another skeleton or no picture's size, or there is no frame to train on.
            SkeletonError: The keypoints cannot be converted.
        """
        self.skeleton: Skeleton = model.skeleton
        self._mirror, self._seed, self._device = mirror, seed, torch.device(device)
        lengths = np.array([len(clip) for clip in clips], np.int64)
        ends = lengths.cumsum()
        self._feed = Feed(model.skeleton, model.in_channels, self.normalization)
        keypoints, joints = (np.empty((lengths.sum(), len(self.skeleton), 3), np.float32) for _ in range(2))
        for clip, end in zip(clips, ends.tolist(), strict=True):
            part = slice(end - len(clip), end)
            keypoints[part], joints[part] = self._read(clip), clip.xyz
        self._keypoints, self._joints = (torch.from_numpy(array).to(device) for array in (keypoints, joints))
        self._starts = torch.from_numpy(ends - lengths).to(device)
        self._lasts = torch.from_numpy(ends - 1).to(device)
        places = torch.tensor(model.out_frames, device=device)
        middle = model.out_frames[len(model.out_frames) // 2]
        self._offsets = torch.arange(model.in_frames, device=device) - middle
        self._yielded = places - middle
        valid = np.concatenate([clip.valid for clip in clips]) if len(clips) else np.zeros(0, bool)
        self._middles = self._whole(torch.from_numpy(valid).to(device))
        if not len(self._middles):
            raise DatasetError(f"{len(clips)} clips hold no valid frame to train on; wanted one at least")
        self._epoch, self._order = -1, torch.zeros(0, dtype=torch.int64)

    @property
    def windows(self) -> int:
        """Number of windows in an epoch."""
        return len(self._middles) * (2 if self._mirror else 1)

    def batch(self, size: int, generator: torch.Generator, step: int = 0, share: Share = WHOLE) -> Batch:
        """Make a share of a step's batch. An epoch has each window once, and its last batch may be smaller.

        Args:
            size: Number of windows in a batch.
            generator: Not used: only the order is random here.
            step: The step, from 0.
            share: The part of the batch.
        """
        epoch, place = divmod(step, math.ceil(self.windows / size))
        if epoch != self._epoch:
            seed = int(np.random.SeedSequence((self._seed, epoch)).generate_state(1)[0])
            self._order = torch.randperm(self.windows, generator=torch.Generator().manual_seed(seed))
            self._epoch = epoch
        chosen = self._order[place * size : (place + 1) * size]
        return self.gather(chosen[share.of(len(chosen))])

    def gather(self, chosen: Tensor) -> Batch:
        """Make the windows of these numbers (B,); the second half are the mirrored ones, in the same order."""
        chosen = chosen.to(self._device)
        middles = self._middles[chosen % len(self._middles)]
        inputs, targets = self.around(middles), self._targets(middles)
        mirrored = (chosen >= len(self._middles))[:, None, None, None]
        if self._mirror:
            inputs, targets = (torch.where(mirrored, flip(x, self.skeleton), x) for x in (inputs, targets))
        return Batch(inputs, targets)

    def around(self, middles: Tensor) -> Tensor:
        """Return the input (*, T, J, C) of the windows around frames (*), counted through all clips; never mirrored."""
        flat = middles.flatten()
        held = self._held(flat, self._offsets)
        inside = held == flat[:, None] + self._offsets
        return self._feed.windows(self._keypoints[held], inside).unflatten(0, middles.shape)

    def _targets(self, middles: Tensor) -> Tensor:
        """Return targets (B, S, J, 3), metres, root-relative, in the frame in which the lifter answers."""
        joints = self._joints[self._held(middles, self._yielded)]
        return joints - joints[:, :, self.skeleton.root, None]

    def _read(self, clip: BenchmarkClip) -> np.ndarray:
        """Return a clip's keypoints (T, J, 3) as evaluation and `poselift.lift` feed them."""
        where = f"{clip.subject} {clip.sequence} {clip.camera}"
        if clip.skeleton != self.skeleton:
            raise DatasetError(f"{where}: wanted 3D joints of {self.skeleton.name}, got {clip.skeleton.name}")
        try:
            return self._feed.clip(convert(clip.keypoints, self.skeleton))
        except FormatError as error:
            raise DatasetError(f"{where}: {error}") from error

    def _held(self, middles: Tensor, offsets: Tensor) -> Tensor:
        """Return the frames (B, T) around each middle one, held at the ends of its clip."""
        clip = torch.searchsorted(self._starts, middles, right=True) - 1
        return (middles[:, None] + offsets).clamp(self._starts[clip, None], self._lasts[clip, None])

    def _whole(self, valid: Tensor) -> Tensor:
        """Return the numbers of the frames whose windows have a valid target in every place."""
        found = torch.arange(len(valid), device=valid.device)
        for offset in self._yielded:
            found = found[valid[self._held(found, offset[None])[:, 0]]]
        return found
