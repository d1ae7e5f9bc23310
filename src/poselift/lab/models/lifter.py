"""The base class of the lab's lifters: a torch module that knows the window it needs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from poselift.lab.models.extras import ExtraHeads
from poselift.lab.models.joints import JointAxes, for_joints
from poselift.skeleton import Skeleton


class Lifter(nn.Module, ABC):
    """Base class of the lifters; a lifter from elsewhere need not inherit, only have these attributes and methods.

    `forward` is `head(encode(x))`, so that pre-training can train the encoder without the head.
    """

    config: Any
    """The frozen dataclass that the lifter was made from."""
    skeleton: Skeleton
    """Joints of the input and of the output."""
    fps: float
    """Frames per second of the input."""
    in_frames: int
    """Frames in a window (T)."""
    in_channels: int
    """Numbers for each keypoint: 2 (x, y), or 3 with confidence."""
    out_frames: tuple[int, ...]
    """Indices of the window's frames that the lifter returns (S of them)."""
    head: nn.Module
    """The layer that maps features to joints."""
    extras: ExtraHeads | None
    """Heads for more than joints; None where the config asks for none."""
    resizable: ClassVar[tuple[str, ...]] = ()
    """Options that may differ in a lifter whose weights `resized` can fit to this one."""
    joint_axes: ClassVar[JointAxes] = {}
    """Where the weights have joints; lifters with "skeleton" among `resizable` say it."""

    def __init__(self, config: Any, out_frames: tuple[int, ...]) -> None:
        """Copy the attributes that every lifter has from its config.

        Args:
            config: A config with `skeleton`, `fps`, `in_frames` and `in_channels`.
            out_frames: Indices of the window's frames that the lifter returns.
        """
        super().__init__()
        self.config, self.out_frames, self.extras = config, out_frames, None
        self.skeleton, self.fps = config.skeleton, config.fps
        self.in_frames, self.in_channels = config.in_frames, config.in_channels

    def resized(self, tensors: Mapping[str, Tensor], config: Any) -> dict[str, Tensor]:
        """Fit weights of a lifter of other joints to this lifter; see `poselift.lab.models.joints`.

        Args:
            tensors: Weights of a lifter with `config`, by name.
            config: Options that differ from this one's in what is `resizable` at most.
        """
        if config.skeleton == self.skeleton:
            return dict(tensors)
        return for_joints(tensors, config.skeleton, self.skeleton, self.joint_axes)

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Map normalised keypoints (B, T, J, C) to features (B, S, J, D).

        Raises:
            ShapeError: `x` has another shape.
        """

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised keypoints (B, T, J, C) to joints (B, S, J, 3), root-relative metres in camera axes."""
        return self.head(self.encode(x))

    def answer(self, x: Tensor) -> dict[str, Tensor]:
        """Map normalised keypoints (B, T, J, C) to everything that the lifter gives.

        Returns:
            "joints" as `forward` returns them, and what the config asks for: "spread" (B, S, J) metres, "up" (B, S, 3)
            of length 1, "contact" (B, S, 4) probabilities. `poselift.lifters.contract.Lifter` says what they mean.
        """
        features = self.encode(x)
        joints = {"joints": self.head(features)}
        return joints if self.extras is None else joints | self.extras.finish(self.extras(features))
