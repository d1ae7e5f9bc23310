"""The points that 2D detectors look for on a body of `BODY_27` joints, and which detector looks for which of them.

A body without feet or face (17 joints) has what `noise.detector_joints` makes up; here the real ones are seen, where
the recording has them.

Motion capture has no marker on the nose: its joint lies about 8 cm inside the tip, and eyes and ears stand around it as
in a real face (`FACE_AHEAD`). Detectors see the face where it is, so that nose, eyes and ears are moved there for them.
The targets stay where the archive has them: the first 17 joints mean the same in every archive and weight.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from poselift.lab.observe.bodies import indices, named
from poselift.lab.observe.noise import NoiseConfig, made_up, symmetric_shifts, trunk_axes
from poselift.skeleton import BODY_25, BODY_25B, BODY_27, COCO_17, COCO_23, HALPE_26, MEDIAPIPE_33, Skeleton

SEEN = Skeleton("what detectors see", (*BODY_25B.joints, "neck", "pelvis"), (*BODY_25B.parents, -1, -1))
"""All joints that a detector of `DETECTORS` looks for and a conversion to `BODY_27` uses."""

FACE_AHEAD = (0.0, 0.020, 0.085)
"""Metres left, up and forward of the joint `nose` of motion capture to the tip of a nose."""
_CROWN_ABOVE = (0.0, 0.055, 0.017)
"""Metres left, up and forward of the joint `head_top` of motion capture to the crown."""
_GAZE_TILT = 0.207
"""Height of the eyes above the ears, by their distance forward of them."""


@dataclass(frozen=True, kw_only=True)
class Detector:
    """A kind of 2D detector: which points it looks for, and where its hips lie."""

    name: str
    """Name, that of its skeleton; COCO_23 stands for the 133 joints of COCO-WholeBody."""
    skeleton: Skeleton
    """Joint order of its keypoints."""
    share: float
    """Share of training windows that are seen by it."""
    hips: tuple[float, float] = (0.0, 0.0)
    """Metres outward and up from our hips to its own; other displacements are drawn at random. BlazePose's were
    measured against OpenPose's on two cameras of the Pose2Sim demo: 1.3 and 2.5 % of the height lower, by 3 to 8 %
    narrower."""

    @property
    def joints(self) -> tuple[str, ...]:
        """Names of the points in `SEEN` that it gives."""
        theirs = {name.replace("foot_index", "big_toe") for name in self.skeleton.joints}
        return tuple(name for name in SEEN.joints if name in theirs)


DETECTORS: dict[str, Detector] = {
    detector.name: detector
    for detector in (
        Detector(name="COCO_17", skeleton=COCO_17, share=0.25),
        Detector(name="BODY_25B", skeleton=BODY_25B, share=0.15),
        Detector(name="BODY_25", skeleton=BODY_25, share=0.1),
        Detector(name="HALPE_26", skeleton=HALPE_26, share=0.15),
        Detector(name="COCO_23", skeleton=COCO_23, share=0.1),
        Detector(name="MEDIAPIPE_33", skeleton=MEDIAPIPE_33, share=0.25, hips=(-0.005, -0.03)),
    )
}
"""Every kind of detector by name."""


def draw_detectors(size: int, generator: torch.Generator) -> Tensor:
    """Draw a kind of detector for each of `size` windows, by their shares: (B,) places in `DETECTORS`."""
    shares = torch.tensor([detector.share for detector in DETECTORS.values()], device=generator.device)
    drawn = torch.rand(size, generator=generator, device=generator.device)
    return torch.searchsorted(shares.cumsum(0) / shares.sum(), drawn).clip(max=len(DETECTORS) - 1)


@cache
def looked_for(device: torch.device) -> Tensor:
    """Return (D, K) bool: whether each detector looks for each joint of `SEEN`."""
    return torch.tensor([[name in d.joints for name in SEEN.joints] for d in DETECTORS.values()], device=device)


def head_axes(points: Tensor) -> Tensor:
    """Return the head's left, up and forward axes (B, T, 3 axes, 3) of `BODY_27` joints (B, T, 27, 3)."""
    ears, eyes = (_pair(points, part) for part in ("ear", "eye"))
    left = torch.nn.functional.normalize(ears[0] - ears[1], dim=-1)
    gaze = (eyes[0] + eyes[1] - ears[0] - ears[1]) / 2
    gaze = gaze - (gaze * left).sum(-1, keepdim=True) * left
    gaze = torch.nn.functional.normalize(gaze, dim=-1)
    above = torch.linalg.cross(gaze, left)
    cos = (1 + _GAZE_TILT**2) ** -0.5
    up, front = cos * (above + _GAZE_TILT * gaze), cos * (gaze - _GAZE_TILT * above)
    return torch.stack([left, up, front], -2)


def points_seen(
    points: Tensor, there: Tensor, kinds: Tensor, config: NoiseConfig, generator: torch.Generator
) -> Tensor:
    """Return the 3D points that detectors look for.

    Args:
        points: (B, T, 27, 3) joints of `BODY_27`, metres, any right-handed frame; any numbers where not known.
        there: (B, 27) bool: the joint is known. A face that is not known is made up, feet are left at the ankles.
        kinds: (B,) places in `DETECTORS`.
        config: Sizes of the displacements.
        generator: Source of randomness.

    Returns:
        (B, T, K, 3) metres, same frame, in the order of `SEEN`.
    """
    axes = trunk_axes(points)
    made = made_up(points, axes, generator) | {
        name: points[:, :, BODY_27.index(name)] for name in SEEN.joints if _is_foot(name)
    }
    made["neck"] = (made["left_shoulder"] + made["right_shoulder"]) / 2
    seen = torch.stack([made[name] for name in SEEN.joints], 2)
    seen = _place_face(seen, points, there)
    shifts = symmetric_shifts(len(points), SEEN, config, generator) * _shift_sizes(points.device)[:, None]
    return seen + (shifts + _hip_offsets(points.device)[kinds])[:, None] @ axes


def hide_far_side(
    confidence: Tensor, points: Tensor, there: Tensor, config: NoiseConfig, generator: torch.Generator
) -> Tensor:
    """Multiply the confidence of nose and eyes by 0 or 0.3 where the head is turned away, and that of the far ear.

    Args:
        confidence: (B, T, K) of `SEEN`.
        points: (B, T, 27, 3) joints of `BODY_27` in camera axes, any unit.
        there: (B, 27) bool: the joint is known; a head that is not known is turned as the trunk is.
        config: How large the detector's errors are.
        generator: Source of randomness.

    Returns:
        (B, T, K) confidence.
    """
    known = _face_known(there)[:, None, None, None]
    axes = torch.where(known, head_axes(points), trunk_axes(points))
    side, front = axes[..., 0, 2], axes[..., 2, 2]  # 1 when the left ear, or the nose, is straight behind the head
    turn, chosen, kept, limit = torch.rand((4, len(points), 1), generator=generator, device=points.device)
    away = front > 0.6 * turn - 0.1
    far = (side[..., None] > 0.3 + 0.6 * limit[..., None]) & named(SEEN, ("left_ear",), points.device)
    far = far | ((side[..., None] < -0.3 - 0.6 * limit[..., None]) & named(SEEN, ("right_ear",), points.device))
    hidden = (away[..., None] & named(SEEN, ("nose", "eye"), points.device)) | far
    hidden = hidden & (chosen < config.turned_faces)[..., None]
    doubtful = 0.3 * (kept < 0.4)  # the others are lost
    return torch.where(hidden, confidence * doubtful[..., None], confidence)


_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")


def _face_known(there: Tensor) -> Tensor:
    """Return (B,) bool: whether nose, eyes and ears are known, of (B, 27) bool."""
    return there.index_select(1, indices(BODY_27.indices(_FACE), there.device)).all(1)


def _place_face(seen: Tensor, points: Tensor, there: Tensor) -> Tensor:
    """Put the face of points of `SEEN` (B, T, K, 3) where it is on the bodies whose eyes and ears are known."""
    axes = head_axes(points)
    ahead, above = (axes.new_tensor(offset) @ axes for offset in (FACE_AHEAD, _CROWN_ABOVE))  # (B, T, 3)
    known = _face_known(there)[:, None, None, None]
    placed = seen.clone()
    for names, offset in ((_FACE, ahead), (("head_top",), above)):
        here, mine = indices(SEEN.indices(names), seen.device), indices(BODY_27.indices(names), seen.device)
        own = seen.index_select(2, here)
        placed.index_copy_(2, here, torch.where(known, points.index_select(2, mine) + offset[:, :, None], own))
    return placed


@cache
def _shift_sizes(device: torch.device) -> Tensor:
    """Return the factor (K,) by which joints of `SEEN` are displaced less than hips and shoulders are."""
    face, feet = named(SEEN, ("eye", "ear", "nose"), device), named(SEEN, ("toe", "heel"), device)
    return torch.where(face, 0.3, torch.where(feet, 0.5, 1.0))


@cache
def _hip_offsets(device: torch.device) -> Tensor:
    """Return the constant displacements (D, K, 3) left, up and forward of each detector's hips."""
    offsets = torch.zeros(len(DETECTORS), len(SEEN), 3)
    for place, detector in enumerate(DETECTORS.values()):
        outward, up = detector.hips
        for sign, side in ((1, "left"), (-1, "right")):
            offsets[place, SEEN.index(f"{side}_hip")] = torch.tensor([sign * outward, up, 0.0])
    return offsets.to(device)


def _is_foot(joint: str) -> bool:
    return "toe" in joint or "heel" in joint


def _pair(points: Tensor, part: str) -> list[Tensor]:
    """Return the left and right points (B, T, 3) of a part."""
    return [points[:, :, BODY_27.index(f"{side}_{part}")] for side in ("left", "right")]
