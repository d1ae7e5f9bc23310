"""The simulated detector: batches of windows for training, whole clips with fixed seeds for evaluation."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from poselift.errors import RecipeError, did_you_mean
from poselift.lab.observe.bodies import indices, named
from poselift.lab.observe.cameras import project
from poselift.lab.observe.landmarks import DETECTORS, SEEN, hide_far_side, looked_for, points_seen
from poselift.lab.observe.noise import DETECTOR_SKELETON, NoiseConfig, corrupt, detector_joints, hide_faces
from poselift.sequence import Keypoints2D
from poselift.skeleton import BODY_27, H36M_17

_WINDOW = 100


@dataclass(frozen=True)
class SimulatedDetector:
    """Turns joints in camera axes into a detector's keypoints, with a detector's errors."""

    config: NoiseConfig = field(default_factory=NoiseConfig)
    """How large the detector's errors are."""
    kind: str = DETECTOR_SKELETON.name
    """Which points it looks for, one of `poselift.lab.observe.landmarks.DETECTORS`. Bodies of 17 joints are seen by
    the first kind alone, without feet."""

    def __post_init__(self) -> None:
        """Check the kind.

        Raises:
            RecipeError: There is no such kind of detector.
        """
        if self.kind not in DETECTORS:
            raise RecipeError(f"unknown detector '{self.kind}'; {did_you_mean(self.kind, DETECTORS)}")

    @property
    def description(self) -> str:
        """The detector's description, which is printed with the scores."""
        return f"simulated {self.kind} detector"

    @property
    def errors(self) -> dict[str, Any]:
        """The fields of `config`, which are recorded with the scores, and the kind where it is not the first one."""
        return asdict(self.config) | ({} if self.kind == DETECTOR_SKELETON.name else {"kind": self.kind})

    def __call__(self, joints: np.ndarray, fps: float, seed: int) -> Keypoints2D:
        """Detect the keypoints of a clip.

        Args:
            joints: (T, 17, 3) metres, camera axes, in the order of `H36M_17`; or (T, 27, 3) in that of `BODY_27`, NaN
                where the recording has no such joint.
            fps: Frames per second.
            seed: The same seed gives the same errors.

        Returns:
            Keypoints in pixels of a 1000 by 1000 picture, NaN where the detector finds none.
        """
        if joints.shape[1] == len(H36M_17) and self.kind != DETECTOR_SKELETON.name:
            raise RecipeError(f"bodies of 17 joints are seen as {DETECTOR_SKELETON.name} alone, got {self.kind}")
        generator = torch.Generator().manual_seed(seed)
        points = torch.from_numpy(np.ascontiguousarray(joints, np.float32))
        # Errors change every two seconds.
        parts = [self._detect(part[None], generator) for part in points.split(_WINDOW)]
        xy, confidence = (torch.cat(found, 1)[0] for found in zip(*parts, strict=True))
        xy = torch.where(confidence[..., None] > 0, 1000 * xy + 500, torch.nan)
        skeleton = DETECTOR_SKELETON if joints.shape[1] == len(H36M_17) else SEEN
        return Keypoints2D(xy.numpy(), confidence.numpy(), skeleton, fps, (1000, 1000))

    def _detect(self, points: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return what is found of a stretch of a clip: places (1, T, K, 2) and confidence (1, T, K)."""
        if points.shape[2] == len(H36M_17):
            return detect(points, self.config, generator)
        there = points.isfinite().all(-1).all(1)
        kinds = torch.tensor([list(DETECTORS).index(self.kind)])
        return detect_body(points.nan_to_num(), there, kinds, self.config, generator)


def detect_body(
    points: Tensor, there: Tensor, kinds: Tensor, config: NoiseConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Detect people of 27 joints as several kinds of 2D detectors would, in training and in evaluation.

    Args:
        points: (B, T, 27, 3) metres, camera axes, `BODY_27`; any numbers where not known.
        there: (B, 27) bool: the joint is known.
        kinds: (B,) kinds of detectors, places in `poselift.lab.observe.landmarks.DETECTORS`.
        config: How bad the detectors are.
        generator: Source of randomness.

    Returns:
        (B, T, K, 2) places on the image plane at distance 1, and (B, T, K) confidence, 0 where nothing was found or the
        detector does not look for the point, in the order of `poselift.lab.observe.landmarks.SEEN`.
    """
    metre = 1 / points[:, :, BODY_27.root, 2].mean(1).clip(min=0.1)
    xy = project(points_seen(points, there, kinds, config, generator))
    xy, confidence = corrupt(xy, metre, SEEN, config, generator)
    confidence = hide_far_side(confidence, points, there, config, generator)
    return xy, confidence * (looked_for(points.device)[kinds] & _found(there))[:, None]


def _found(there: Tensor) -> Tensor:
    """Return (B, K) bool: the joints of `SEEN` that a body with these joints (B, 27) has; a face is made up."""
    feet = [name for name in SEEN.joints if "toe" in name or "heel" in name]
    found = torch.ones((len(there), len(SEEN)), dtype=torch.bool, device=there.device)
    own = there.index_select(1, indices(BODY_27.indices(feet), there.device))
    return found.index_copy_(1, indices(SEEN.indices(feet), there.device), own)


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
        errors: Fields of `NoiseConfig`; "kind" for another detector than BODY_25B's.

    Raises:
        RecipeError: A field is unknown to this version of poselift.
    """
    fields = dict(errors)
    kind = fields.pop("kind", DETECTOR_SKELETON.name)
    try:
        return SimulatedDetector(NoiseConfig(**fields), kind)
    except TypeError as error:
        raise RecipeError(
            f"these detector errors are of another version of poselift ({error}); measure with that version"
        ) from error
