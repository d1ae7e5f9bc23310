"""The simulated detector: batches of windows for training, whole clips with fixed seeds for evaluation."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from poselift.errors import RecipeError
from poselift.lab.observe.bodies import named
from poselift.lab.observe.cameras import project
from poselift.lab.observe.noise import DETECTOR_SKELETON, NoiseConfig, corrupt, detector_joints, hide_faces
from poselift.sequence import Keypoints2D
from poselift.skeleton import H36M_17

_WINDOW = 100


@dataclass(frozen=True)
class SimulatedDetector:
    """Turns joints in camera axes into a detector's keypoints, with a detector's errors."""

    config: NoiseConfig = field(default_factory=NoiseConfig)
    """How large the detector's errors are."""

    @property
    def description(self) -> str:
        """The detector's description, which is printed with the scores."""
        return f"simulated {DETECTOR_SKELETON.name} detector"

    @property
    def errors(self) -> dict[str, Any]:
        """The fields of `config`, which are recorded with the scores."""
        return asdict(self.config)

    def __call__(self, joints: np.ndarray, fps: float, seed: int) -> Keypoints2D:
        """Detect the keypoints of a clip.

        Args:
            joints: (T, 17, 3) metres, camera axes, in the order of `H36M_17`.
            fps: Frames per second.
            seed: The same seed gives the same errors.

        Returns:
            Keypoints in pixels of a 1000 by 1000 picture, NaN where the detector finds none.
        """
        generator = torch.Generator().manual_seed(seed)
        points = torch.from_numpy(np.ascontiguousarray(joints, np.float32))
        # Errors change every two seconds.
        parts = [detect(part[None], self.config, generator) for part in points.split(_WINDOW)]
        xy, confidence = (torch.cat(found, 1)[0] for found in zip(*parts, strict=True))
        xy = torch.where(confidence[..., None] > 0, 1000 * xy + 500, torch.nan)
        return Keypoints2D(xy.numpy(), confidence.numpy(), DETECTOR_SKELETON, fps, (1000, 1000))


def detect(points: Tensor, config: NoiseConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Detect people as a 2D detector would: the one observation that both training and evaluation use.

    Args:
        points: (B, T, 17, 3) metres, camera axes, `H36M_17`.
        config: How bad the detector is.
        generator: Source of randomness.

    Returns:
        (B, T, 25, 2) places on the image plane at distance 1, and (B, T, 25) confidence, 0 where nothing was found, in
        the order of `DETECTOR_SKELETON`. Its feet are never found.
    """
    metre = 1 / points[:, :, H36M_17.root, 2].mean(1).clip(min=0.1)
    xy = project(detector_joints(points, config, generator))
    xy, confidence = corrupt(xy, metre, DETECTOR_SKELETON, config, generator)
    confidence = hide_faces(confidence, points, DETECTOR_SKELETON, config, generator)
    return xy, confidence * ~named(DETECTOR_SKELETON, ("toe", "heel"), xy.device)


def simulated_detector(errors: dict[str, Any]) -> SimulatedDetector:
    """Return the simulated detector with the errors that a card records.

    Args:
        errors: Fields of `NoiseConfig`.

    Raises:
        RecipeError: A field is unknown to this version of poselift.
    """
    try:
        return SimulatedDetector(NoiseConfig(**errors))
    except TypeError as error:
        raise RecipeError(
            f"these detector errors are of another version of poselift ({error}); measure with that version"
        ) from error
