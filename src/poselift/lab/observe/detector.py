"""The simulated detector as an observer for `poselift.measure.mocap`, for whole clips and with fixed seeds."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from poselift.errors import RecipeError
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
        parts = [self._detect(part[None], generator) for part in points.split(_WINDOW)]  # new errors every 100 frames
        xy, confidence = torch.cat([xy for xy, _ in parts]), torch.cat([c for _, c in parts])
        xy = torch.where(confidence[..., None] > 0, 1000 * xy + 500, torch.nan)
        return Keypoints2D(xy.numpy(), confidence.numpy(), DETECTOR_SKELETON, fps, (1000, 1000))

    def _detect(self, points: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return keypoints (T, 25, 2) at distance 1 and confidence (T, 25) of joints (1, T, 17, 3) in camera axes."""
        metre = 1 / points[:, :, H36M_17.root, 2].mean(1).clip(min=0.1)
        xy = project(detector_joints(points, self.config, generator))
        xy, confidence = corrupt(xy, metre, DETECTOR_SKELETON, self.config, generator)
        confidence = hide_faces(confidence, points, DETECTOR_SKELETON, self.config, generator)
        confidence[..., [j for j, n in enumerate(DETECTOR_SKELETON.joints) if "toe" in n or "heel" in n]] = 0
        return xy[0], confidence[0]


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
