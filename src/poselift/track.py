"""From detections, frame by frame and in no order, to one person at a time.

Each frame's people are matched to the people known so far by the distance between their keypoints, in units of the
person's own size, so that neither the resolution nor the distance to the camera matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from poselift.errors import ShapeError

_FAR = 1e6
_FEWEST_JOINTS = 3


@dataclass
class _Track:
    """One person while the clip is gone through."""

    frames: list[int] = field(default_factory=list)
    poses: list[np.ndarray] = field(default_factory=list)

    def add(self, frame: int, pose: np.ndarray) -> None:
        """Append a pose (J, 3), seen in a frame."""
        self.frames.append(frame)
        self.poses.append(pose)

    @property
    def weight(self) -> float:
        """Sum of all confidences: length and visibility in one."""
        return float(sum(pose[:, 2].sum() for pose in self.poses))

    def filled(self, length: int) -> np.ndarray:
        """(length, J, 3): NaN with confidence 0 where the person was not seen."""
        joints = len(self.poses[0])
        out = np.full((length, joints, 3), np.nan, np.float32)
        out[..., 2] = 0.0
        out[self.frames] = np.stack(self.poses)
        return out


def track_people(
    detections: Sequence[np.ndarray], *, reach: float = 0.5, patience: int = 30, shortest: int = 5
) -> tuple[np.ndarray, ...]:
    """Follow each person through a clip.

    Args:
        detections: For each of the T frames (P, J, 3) keypoints x, y, confidence of the P people in it, in any order.
            Confidence 0 or NaN coordinates: the joint was not seen. J is the same everywhere; a frame without people
            may have any J.
        reach: How far a person may move from one frame to the next, in sizes of that person (mean over the joints
            seen in both frames). After frames without a detection the last one counts.
        patience: A person not seen for more frames than this is somebody new when seen again.
        shortest: People seen in fewer frames are dropped as errors of the detector, as long as one person stays. In a
            clip with fewer frames that show anybody, people must be seen in all of these.

    Returns:
        One (T, J, 3) float32 array for each person, those seen longest and clearest (largest sum of confidences)
        first. Frames and joints that do not show the person hold NaN coordinates and confidence 0. Empty when no
        detection has a visible joint.

    Raises:
        ShapeError: A detection is not (P, J, 3), or J changes.
    """
    tracks: list[_Track] = []
    cleaned = _cleaned(detections)
    for frame, people in enumerate(cleaned):
        recent = [track for track in tracks if frame - track.frames[-1] <= patience + 1]
        matches = _matches([track.poses[-1] for track in recent], people, reach)
        for person, pose in enumerate(people):
            if person in matches:
                recent[matches[person]].add(frame, pose)
            else:
                tracks.append(_Track([frame], [pose]))
    tracks.sort(key=lambda track: -track.weight)
    enough = min(shortest, sum(bool(people) for people in cleaned))
    long = [track for track in tracks if len(track.frames) >= enough]
    return tuple(track.filled(len(detections)) for track in long or tracks[:1])


def _cleaned(detections: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """The people of each frame who show at least one joint, with unseen joints as NaN and confidence 0."""
    shapes = {np.shape(people)[1:] for people in detections if len(people)}
    if len(shapes) > 1 or any(len(shape) != 2 or shape[1] != 3 for shape in shapes):
        raise ShapeError(
            f"wanted detections of shape (people, joints, 3) in every frame, got {sorted(shapes)} per frame"
        )
    return [[pose for pose in map(_masked, people) if pose[:, 2].any()] for people in detections]


def _masked(person: np.ndarray) -> np.ndarray:
    pose = np.array(person, np.float32)
    seen = np.isfinite(pose).all(-1) & (pose[:, 2] > 0)
    pose[~seen] = (np.nan, np.nan, 0.0)
    return pose


def _matches(known: list[np.ndarray], people: list[np.ndarray], reach: float) -> dict[int, int]:
    """Index of each person of a frame who is known already to the index of who that is."""
    if not known or not people:
        return {}
    from scipy.optimize import linear_sum_assignment  # takes 0.1 s to import

    costs = np.array([[_apart(old, new) for new in people] for old in known])
    rows, columns = linear_sum_assignment(np.where(costs <= reach, costs, _FAR))
    return {int(j): int(i) for i, j in zip(rows, columns, strict=True) if costs[i, j] <= reach}


def _apart(old: np.ndarray, new: np.ndarray) -> float:
    """Mean distance of two poses in sizes of the larger; of their centers when they share too few joints."""
    size = max(_size(old), _size(new))
    both = (old[:, 2] > 0) & (new[:, 2] > 0)
    if both.sum() >= _FEWEST_JOINTS:
        distance = float(np.linalg.norm(old[both, :2] - new[both, :2], axis=-1).mean())
    else:
        distance = float(np.linalg.norm(np.nanmean(old[:, :2], axis=0) - np.nanmean(new[:, :2], axis=0)))
    return distance / size if size > 0 else (0.0 if distance == 0 else _FAR)


def _size(pose: np.ndarray) -> float:
    """Diagonal of the box around the visible joints."""
    return float(np.linalg.norm(np.nanmax(pose[:, :2], axis=0) - np.nanmin(pose[:, :2], axis=0)))
