"""One person of a stream: whoever is largest in the picture."""

import numpy as np

from poselift.track.step import masked

_STAYS = 1.5
"""Somebody else is taken who is larger by this factor than whoever was taken before."""


class LargestPerson:
    """Chooses, frame by frame, the person who is largest in the picture, and stays with them while others are similar.

    For one person before the camera: nothing numbers people, so a detector that loses the person for a moment makes
    nobody new of it.
    """

    def __init__(self) -> None:
        """Start without frames."""
        self._box: np.ndarray | None = None
        """(2, 2) pixels: least and greatest x and y of whoever was taken last."""

    def __call__(self, people: np.ndarray) -> np.ndarray:
        """Return the keypoints of the largest person.

        Args:
            people: (P, J, 3) x, y and confidence; NaN or confidence 0 where a joint was not seen. P may be 0.

        Returns:
            (J, 3) of one of them; all 0 where nobody has a joint that was seen.
        """
        poses = masked(people)
        boxes = {place: _box(pose) for place, pose in enumerate(poses) if pose[:, 2].any()}
        if not boxes:
            return np.zeros(people.shape[1:], np.float32)
        chosen = max(boxes, key=lambda place: self._size(boxes[place]))
        self._box = boxes[chosen]
        return np.asarray(people[chosen])

    def _size(self, box: np.ndarray) -> float:
        """Return the longer side of a box (2, 2); whoever stands where the last one stood seems larger."""
        size = float((box[1] - box[0]).max())
        if self._box is None:
            return size
        middle = box.mean(0)
        stays = bool(((self._box[0] <= middle) & (middle <= self._box[1])).all())
        return size * _STAYS if stays else size


def _box(pose: np.ndarray) -> np.ndarray:
    return np.stack([np.nanmin(pose[:, :2], 0), np.nanmax(pose[:, :2], 0)])
