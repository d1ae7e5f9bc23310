"""Training batches from one's own recordings, fed as `poselift.lift` feeds them.

Keypoints are resampled to the lifter's frame rate, and joints are turned into the axes of a camera that looks straight
at the person, in which person-scale lifters answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.datasets.own import load_own
from poselift.errors import DatasetError, RecipeError, did_you_mean
from poselift.lab.models.lifter import Lifter
from poselift.lab.windows.benchmark import BenchmarkWindows
from poselift.measure.protocols import PROTOCOLS
from poselift.prepare.normalize import PERSON_SCALE
from poselift.prepare.resample import frame_times, resample_keypoints, same_rate


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnConfig:
    """The split of one's own recordings into training and test, and how they are measured."""

    test: tuple[str, ...] = ()
    """Subjects or sequences that are scored and not trained on; if none are named, the last subject by name, or for a
    single subject the last sequence."""
    mirror: bool = True
    """Show every window twice in an epoch, once mirrored."""
    protocol: str = "videopose3d"
    """How the result is measured, a name in `poselift.measure.protocols.PROTOCOLS`."""

    def __post_init__(self) -> None:
        """Check the protocol's name.

        Raises:
            RecipeError: There is no protocol of this name.
        """
        if self.protocol not in PROTOCOLS:
            raise RecipeError(f"data.protocol: unknown protocol; {did_you_mean(self.protocol, PROTOCOLS)}")


def load_split(config: OwnConfig, folder: Path, split: Literal["train", "test"]) -> BenchmarkSet:
    """Load one half of one's own recordings.

    Args:
        config: Subjects or sequences of the test.
        folder: Folder of the recordings (docs/own_data.md).
        split: "train" for the clips to train on, "test" for those that are scored.

    Raises:
        DatasetError: There is no such subject or sequence, or one of the halves would be empty; and everything else
            that `load_own` raises.
    """
    recordings = load_own(folder)
    subjects, sequences = ({getattr(c, part) for c in recordings.clips} for part in ("subject", "sequence"))
    held = config.test or (max(subjects if len(subjects) > 1 else sequences),)
    for name in held:
        if name not in subjects | sequences:
            raise DatasetError(f"{folder} has no '{name}'; {did_you_mean(name, subjects | sequences)}")
    is_test = [bool({clip.subject, clip.sequence} & {*held}) for clip in recordings.clips]
    if all(is_test) or not any(is_test):
        raise DatasetError(f"{folder}: all clips belong to {' '.join(held)}; wanted some to train on and some to score")
    kept = [clip for clip, test in zip(recordings.clips, is_test, strict=True) if test == (split == "test")]
    return replace(recordings, clips=kept, notes=recordings.notes | {"test": " ".join(held)})


def at_rate(clip: BenchmarkClip, fps: float) -> BenchmarkClip:
    """Resample a clip to another frame rate; a frame is valid if both frames around it are."""
    rate = clip.keypoints.fps
    if same_rate(rate, fps) or len(clip) == 1:
        return clip
    times = frame_times(len(clip), rate, fps)
    before = np.floor(times).astype(int)
    after = np.ceil(times).astype(int)
    share = (times - before).astype(np.float32)[:, None, None]
    xyz = clip.xyz[before] * (1 - share) + clip.xyz[after] * share
    keypoints = resample_keypoints(clip.keypoints, fps)
    return replace(clip, keypoints=keypoints, xyz=xyz, valid=clip.valid[before] & clip.valid[after])


class OwnWindows(BenchmarkWindows):
    """All windows of one's own recordings, one for each frame, in the order of `BenchmarkWindows`."""

    normalization = PERSON_SCALE

    def __init__(
        self, clips: Sequence[BenchmarkClip], model: Lifter, *, mirror: bool, seed: int, device: str | torch.device
    ) -> None:
        """Put all frames on the device; arguments and errors as for `BenchmarkWindows`, with clips at any rate."""
        super().__init__([at_rate(clip, model.fps) for clip in clips], model, mirror=mirror, seed=seed, device=device)

    def _targets(self, middles: Tensor) -> Tensor:
        places = self._joints[self._held(middles, self._offsets), self.skeleton.root].mean(1)
        return super()._targets(middles) @ straight_at(places)[:, None]


def straight_at(place: Tensor) -> Tensor:
    """Return rotations (B, 3, 3) to a camera that looks straight at places (B, 3) in camera axes: `points @ rotation`.

    They do not twist about the direction, as `poselift.geometry.rotation.shortest_arc`; places are before the camera.
    """
    x, y, z = torch.nn.functional.normalize(place, dim=-1).unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, zero, x, zero, zero, y, -x, -y, zero], -1).view(-1, 3, 3)
    return torch.eye(3, device=place.device) + cross + cross @ cross / (1 + z)[:, None, None]
