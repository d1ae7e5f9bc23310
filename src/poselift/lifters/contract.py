"""The contract that every lifter keeps."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from poselift.errors import SkeletonError
from poselift.prepare.normalize import PERSON_SCALE
from poselift.sequence import CAMERA, TURNED_CAMERA
from poselift.skeleton import Skeleton


@runtime_checkable
class Lifter(Protocol):
    """A network that turns windows of 2D keypoints into 3D joints.

    It may also have `normalization`, one of `poselift.prepare.normalize.NORMALIZATIONS`; without that attribute,
    `PERSON_SCALE` is used.

    A lifter that knows more than joints also has `answer(windows)`, which takes what `__call__` takes and returns
    float32 arrays by name: "joints", and any of

    ========= ========= ==========================================================================================
    "spread"  (B, S, J) metres: the expected distance of a joint from where it is lifted to, relative to the root;
                        the distances follow `poselift.sequence.spread_quantile`
    "up"      (B, S, 3) of length 1: the direction away from the ground, in the axes of the joints
    "contact" (B, S, 4) probability that each of `poselift.sequence.CONTACTS` stands still on the ground
    ========= ========= ==========================================================================================
    """

    @property
    def skeleton(self) -> Skeleton:
        """Joint order of input and output."""

    @property
    def in_frames(self) -> int:
        """Number of frames in a window (T)."""

    @property
    def out_frames(self) -> tuple[int, ...]:
        """Places in the window of the S frames that it yields."""

    @property
    def fps(self) -> float:
        """Frames per second it was trained at."""

    @property
    def in_channels(self) -> int:
        """2 (x, y), or 3 with confidence."""

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Lift (B, T, J, C) float32 normalised keypoints to (B, S, J, 3) float32 metres, root-relative, camera axes."""


def check_lifter(lifter: Any) -> None:
    """Check that an object keeps the contract of `Lifter`.

    Raises:
        SkeletonError: It does not; the message says which part is missing.
    """
    if isinstance(lifter, str):
        raise SkeletonError(f"wanted a lifter, got the name '{lifter}'; open it with load_lifter('{lifter}')")
    if not isinstance(lifter, Lifter):
        wanted = ("skeleton", "in_frames", "out_frames", "fps", "in_channels", "__call__")
        missing = [name for name in wanted if not hasattr(lifter, name)]
        raise SkeletonError(f"{type(lifter).__name__} is no lifter: it lacks {', '.join(missing)}")


def frame_of(lifter: Lifter) -> str:
    """Return the frame in which a lifter answers, one of `poselift.sequence.FRAMES`.

    A person-scale lifter does not know where in the picture the person is, so that its answer holds for a camera turned
    to look straight at the person.
    """
    return TURNED_CAMERA if getattr(lifter, "normalization", PERSON_SCALE) == PERSON_SCALE else CAMERA
