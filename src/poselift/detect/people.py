"""Everybody in a video, 33 landmarks each: MoveNet finds people now and then, BlazePose follows each in a crop.

The two networks run on ONNX Runtime and are in the package. A person is searched for every half a second, and at once
when somebody is lost. Who is who is for `poselift.track` to say: here a person is only a place to look at next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from poselift.detect.blazepose import HIPS, TOP, BlazePose
from poselift.detect.crops import Crop, CropFilter
from poselift.detect.movenet import MoveNet
from poselift.detect.network import shipped_network
from poselift.skeleton import COCO_17, MEDIAPIPE_33, Skeleton

_SIDES = ("left", "right")
_BODY = (
    "nose",
    *(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in _SIDES),
)
"""Joints by which people are compared; both networks give them."""
_OF_COCO, _OF_BLAZEPOSE = COCO_17.indices(_BODY), MEDIAPIPE_33.indices(_BODY)
_EXCHANGED = [_OF_COCO.index(COCO_17.flipped[joint]) for joint in _OF_COCO]
"""Order of these joints when left and right are exchanged."""
_COCO_SHOULDERS, _COCO_HIPS = (COCO_17.indices([f"{side}_{joint}" for side in _SIDES]) for joint in ("shoulder", "hip"))

_LEAST_SCORE = 0.17
"""MoveNet's score of a person; pictures of nobody have 0.08 at most."""
_LEAST_KEYPOINT = 0.15
_LOWER_HIPS, _REACH, _TRUNKS = 0.1, 1.05, 1.6
"""The first crop of a person: BlazePose's hips are 0.1 trunks below COCO's; the upper point is 1.05 as far from them as
the farthest keypoint, or 1.6 trunks. With these it is nearest to the crop that MediaPipe's own detector gives."""
_LOOKS = (1.0, 1.15)
"""The first crop of a person, and how much wider the second is, if BlazePose sees nobody in the first."""
_NEW_PRESENCE, _PRESENCE = 0.7, 0.5
"""BlazePose's presence of somebody who is new, and of somebody who is followed."""
_CLOSE = 0.12
"""Joints that are so many sizes of a person apart count 1/e in the similarity of two people."""
_KNOWN, _CAUGHT, _SAME = 0.3, 0.25, 0.45
"""Least similarities of: somebody found to a person who is followed; a new person's landmarks to the keypoints found;
two people who are one."""
_SLACK, _SPEED = 0.25, 3.0
"""After t seconds a body is at most 0.25 + 3 t sizes away from where it was expected; else the crop caught another."""
_STEADY_S = 0.15
"""Time over which a person's velocity is averaged."""

_SEARCH_S, _URGENT_S, _URGENT_FOR_S = 0.5, 0.1, 1.0
"""Seconds between two searches; while nobody is followed or somebody was lost lately; how long that is lately."""
_LONGEST_PX = (256, 384, 512)
"""Sizes of the picture that is searched."""
_TALL_PX = 80
"""A person is found reliably from so many pixels on, from the nose to the ankles."""
_EVERY = 4
"""Each fourth search is in the largest picture, in case smaller people have come."""
MOST_PEOPLE = 12
"""People followed at the same time; each costs as much as the first."""


@dataclass(eq=False, slots=True)
class _Person:
    """Somebody who is followed."""

    landmarks: np.ndarray
    """(33, 3) landmarks in the last frame."""
    crop: Crop
    """Where to look in the next one."""
    filter: CropFilter
    body: np.ndarray
    """(13, 2) joints to compare in the last frame, in pixels."""
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    """(2,) pixels a second."""
    fit: float = 0.0
    """Similarity of the body in the last frame to what was expected."""


class PeopleDetector:
    """Finds and follows everybody in one video; a `poselift.detect.Detector`."""

    skeleton: Skeleton = MEDIAPIPE_33
    """Skeleton of the landmarks."""

    def __init__(self, model: str | Path | None = None, *, most: int = MOST_PEOPLE, threads: int = 1) -> None:
        """Open the networks.

        Args:
            model: An `.onnx` file of BlazePose from `scripts/build_detector.py`: lite is faster, heavy slower. None
                takes the full one, which is in the package.
            most: Number of people followed at the same time.
            threads: Number of threads that the networks use. One is the cheapest: two take half as much time again
                from the processor to be a third faster.

        Raises:
            DetectionError: The file is missing, broken or another network.
        """
        path = shipped_network("blazepose_full") if model is None else Path(model)
        self._blazepose = BlazePose(path, threads=threads)
        self._movenet = MoveNet(shipped_network("movenet_multipose"), threads=threads)
        self._most = most
        self._forget()

    def _forget(self) -> None:
        """Be as new."""
        self._people: list[_Person] = []
        self._time_s = self._searched_s = self._lost_s = -np.inf
        self._searches = 0

    def __call__(self, rgb: np.ndarray, time_s: float) -> np.ndarray:
        """Find everybody in the next frame; see `poselift.detect.Detector`.

        A frame that is not later than the one before starts another video.
        """
        if time_s <= self._time_s:
            self._forget()
        step_s, self._time_s = time_s - self._time_s, time_s
        before = len(self._people)
        self._people = _apart(self._follow(rgb, step_s))
        if len(self._people) < before:
            self._lost_s = time_s
        if self._must_search(lost=len(self._people) < before):
            self._people = _apart(self._people + self._search(rgb))[: self._most]
        landmarks = [person.landmarks for person in self._people]
        return np.array(landmarks, np.float32).reshape(-1, len(self.skeleton), 3)

    def _follow(self, rgb: np.ndarray, step_s: float) -> list[_Person]:
        """Look for each person where they were; return those who are there."""
        height, width = rgb.shape[:2]
        people = [person for person in self._people if person.crop.meets(width, height)]
        seen = self._blazepose(rgb, [person.crop for person in people])
        followed = []
        for person, points, presence in zip(people, seen.points, seen.presence, strict=True):
            body = points[_OF_BLAZEPOSE, :2]
            expected = person.body + person.velocity * step_s
            if presence < _PRESENCE or _distances(expected, body).mean() > _SLACK + _SPEED * step_s:
                continue
            moved = (body - person.body).mean(0) / step_s
            person.velocity += min(step_s / _STEADY_S, 1.0) * (moved - person.velocity)
            person.fit, person.body, person.landmarks = _similarity(expected, body), body, points[: len(self.skeleton)]
            person.crop = Crop.of_points(*person.filter(points[[HIPS, TOP], :2]))
            followed.append(person)
        return followed

    def _must_search(self, *, lost: bool) -> bool:
        since_s = self._time_s - self._searched_s
        urgent = not self._people or self._time_s - self._lost_s <= _URGENT_FOR_S
        return lost or since_s >= (_URGENT_S if urgent else _SEARCH_S)

    def _search(self, rgb: np.ndarray) -> list[_Person]:
        """Look for people in the whole picture; return those who are not followed yet."""
        longest_px = self._search_size(rgb)
        self._searched_s = self._time_s
        self._searches += 1
        found = self._movenet(rgb, longest_px, least_score=_LEAST_SCORE, most=self._most).keypoints
        new = [
            keypoints
            for keypoints in found
            if all(_similarity(keypoints[_OF_COCO, :2], person.body) < _KNOWN for person in self._people)
        ]
        return self._settled(rgb, new)

    def _search_size(self, rgb: np.ndarray) -> int:
        """Return the longer side of the picture to search: large enough for the smallest person who is followed."""
        if self._searches % _EVERY == 0:
            return _LONGEST_PX[-1]
        shares = [np.ptp(person.body[:, 1]) / max(rgb.shape[:2]) for person in self._people]
        if not shares:
            return _LONGEST_PX[self._searches % 2 * (len(_LONGEST_PX) - 1)]
        return next((side for side in _LONGEST_PX if side * min(shares) >= _TALL_PX), _LONGEST_PX[-1])

    def _settled(self, rgb: np.ndarray, found: Sequence[np.ndarray]) -> list[_Person]:
        """Return people from keypoints (17, 3): those whom BlazePose sees at the same place."""
        height, width = rgb.shape[:2]
        people: list[_Person] = []
        for widened in _LOOKS:
            looks = [(keypoints, _first_crop(keypoints, widened)) for keypoints in found]
            looks = [(keypoints, crop) for keypoints, crop in looks if crop.meets(width, height)]
            seen = self._blazepose(rgb, [crop for _, crop in looks])
            found = []
            for (keypoints, _), points, presence in zip(looks, seen.points, seen.presence, strict=True):
                body = points[_OF_BLAZEPOSE, :2]
                if presence < _NEW_PRESENCE or _similarity(keypoints[_OF_COCO, :2], body) < _CAUGHT:
                    found.append(keypoints)
                    continue
                filter = CropFilter()
                crop = Crop.of_points(*filter(points[[HIPS, TOP], :2]))
                people.append(_Person(points[: len(self.skeleton)], crop, filter, body))
        return people


def open_detector(model: str | Path | None = None) -> PeopleDetector:
    """Open the detector of the package, or with another file of BlazePose; see `PeopleDetector`.

    Raises:
        DetectionError: The file is missing, broken or another network.
    """
    return PeopleDetector(model)


def _first_crop(keypoints: np.ndarray, widened: float) -> Crop:
    """Return a crop for a person's keypoints (17, 3): the shoulders above the hips, all that is seen inside."""
    hips, shoulders = (keypoints[joints, :2].mean(0) for joints in (_COCO_HIPS, _COCO_SHOULDERS))
    trunk = shoulders - hips
    hips = hips - _LOWER_HIPS * trunk
    length = max(float(np.linalg.norm(trunk)), 1.0)
    seen = keypoints[keypoints[:, 2] > _LEAST_KEYPOINT, :2]
    reach = max(np.linalg.norm(seen - hips, axis=-1), default=0.0)
    return Crop.of_points(hips, hips + trunk / length * widened * max(_REACH * reach, _TRUNKS * length))


def _apart(people: list[_Person]) -> list[_Person]:
    """Return the people, of those who have become one only the one that moved as expected; new ones count least."""
    kept: list[_Person] = []
    for person in sorted(people, key=lambda person: -person.fit):
        if all(_similarity(person.body, other.body) < _SAME for other in kept):
            kept.append(person)
    return [person for person in people if person in kept]


def _size(*bodies: np.ndarray) -> float:
    """Return the longest side of the boxes around bodies (J, 2), in pixels."""
    return max(1.0, *(float(np.ptp(body, axis=0).max()) for body in bodies))


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the distances of the joints after the nose of two bodies (J, 2), in sizes of the larger one.

    Where the bodies fit better if left and right of one are exchanged, they are: networks confuse them.
    """
    size = _size(first, second)
    ways = [np.linalg.norm(first - way, axis=-1)[1:] / size for way in (second, second[_EXCHANGED])]
    return min(ways, key=lambda distances: float(distances.sum()))


def _similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Return how alike two bodies (J, 2) are: 1 for the same, near 0 for others."""
    return float(np.exp(-np.square(_distances(first, second) / _CLOSE)).mean())
