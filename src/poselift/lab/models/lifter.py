"""What every lifter in the lab is: a torch module that knows its window."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from poselift.skeleton import Skeleton


class Lifter(nn.Module, ABC):
    """Base of the lifters; a lifter from elsewhere needs only the same attributes and methods.

    `forward` is `head(encode(x))`, so that pre-training can attach at the seam.
    """

    config: Any
    """The frozen dataclass it was made from."""
    skeleton: Skeleton
    """Joints in and out."""
    fps: float
    """Frames per second it is fed."""
    in_frames: int
    """Frames in a window (T)."""
    in_channels: int
    """2 (x, y), or 3 with confidence."""
    out_frames: tuple[int, ...]
    """Places in the window that it yields (S of them)."""
    head: nn.Module
    """Features to joints."""

    def __init__(self, config: Any, out_frames: tuple[int, ...]) -> None:
        """Say of the lifter what its config says.

        Args:
            config: With `skeleton`, `fps`, `in_frames` and `in_channels`.
            out_frames: Places in the window that it yields.
        """
        super().__init__()
        self.config, self.out_frames = config, out_frames
        self.skeleton, self.fps = config.skeleton, config.fps
        self.in_frames, self.in_channels = config.in_frames, config.in_channels

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """(B, T, J, C) normalised keypoints to features (B, S, J, D).

        Raises:
            ShapeError: `x` has another shape.
        """

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, J, C) normalised keypoints to joints (B, S, J, 3), root-relative metres in camera axes."""
        return self.head(self.encode(x))
