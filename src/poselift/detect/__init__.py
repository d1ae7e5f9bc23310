"""From a video to 2D keypoints: decode it, detect people, follow each of them, and interpolate to even times."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from poselift.detect.ahead import ahead
from poselift.detect.container import RawVideo, Source, name_of
from poselift.detect.detections import Detections
from poselift.detect.people import open_detector
from poselift.detect.video import WHOLE, Span, Video, open_video
from poselift.errors import DetectionError
from poselift.people import PASSING_S
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton

_LONGEST_SIDE = 1920
"""Larger pictures are shrunk before detection: the networks look at 256 pixels a person, and 4K only costs time."""
_AHEAD = 4
"""Number of pictures that are decoded ahead; more would only take memory."""


class Detector(Protocol):
    """Finds people in the pictures of one video, called once a frame, in order."""

    skeleton: Skeleton
    """Skeleton of the keypoints that it returns."""

    def __call__(self, rgb: np.ndarray, time_s: float) -> np.ndarray:
        """Find the people in the next frame.

        Args:
            rgb: (H, W, 3) uint8 picture.
            time_s: Seconds since the first frame, increasing.

        Returns:
            (P, J, 3) float32: x and y in pixels of `rgb`, confidence in [0, 1]; P is 0 when nobody is there.
        """


Keep = Callable[[tuple[Keypoints2D, ...], bool], object]
"""Takes everyone who was detected, and whether the video was seen to its end."""


def detect_video(
    source: Source,
    *,
    model: Path | None = None,
    detector: Detector | None = None,
    span: Span = WHOLE,
    raw: RawVideo | None = None,
    shortest_s: float = PASSING_S,
    keep: Keep | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[Keypoints2D, ...]:
    """Find the people in a video.

    Pictures are decoded in a thread of their own, a few ahead of the detector, and none is kept. Joints outside the
    picture keep the place the detector guesses, with its confidence.

    Args:
        source: The video file, or a stream that is read once. Its rotation is honoured, interlaced pictures are made
            whole, and 4K pictures are shrunk for the detector only.
        model: Another file of our detector's network, such as the heavy one; None takes the one in the package.
        detector: Another detector, instead of ours.
        span: The part to look at. `start_s` of the result is the time of its first frame.
        raw: What the pictures are, where the source is nothing but pictures.
        shortest_s: People who are seen for less have passed by, and are left out; the log says when and where.
        keep: Called with everyone who was detected before they are returned, and also when Ctrl-C or a signal ends the
            work; then with what was detected until then, if it shows anybody.
        progress: Called after each frame with the number of frames done, and about how many there are or None.

    Returns:
        One `Keypoints2D` for each person, those seen longest first, each over the whole span and in pixels of the
        upright source picture. Frames without the person hold NaN and confidence 0. `fps` is the average rate; where
        the frames are not evenly spaced (phones, screen recordings) the keypoints are interpolated onto even times, so
        that frame i is at start_s + i / fps seconds. `footage` says the focal length of the file's metadata, and
        whether the background moves.

    Raises:
        DetectionError: The video cannot be read, shows no person, or the model does not load.
        MissingExtraError: PyAV is not installed.
    """
    name = name_of(source)
    usable = open_detector(model) if detector is None else detector
    with open_video(source, span, raw) as video:
        found = Detections(
            name, usable.skeleton, (video.info.width, video.info.height), video.info.fps, video.info.focal
        )
        try:
            _detect(video, source, usable, found, lambda done: progress and progress(done, video.info.frames_in(span)))
        except KeyboardInterrupt:
            if keep is not None and (people := found.follow(shortest_s)):
                keep(people, False)
            raise
    people = found.follow(shortest_s)
    if not people:
        raise DetectionError(
            f"no person was found in any of the {len(found.frames)} frames of {name}; wanted people who are well "
            "visible and not small in the picture"
        )
    if keep is not None:
        keep(people, True)
    return people


def _detect(
    video: Video, source: Source, detector: Detector, found: Detections, progress: Callable[[int], object]
) -> None:
    """Find the people in each picture of a video."""
    pictures = ahead(video.pictures(longest_side=_LONGEST_SIDE), _AHEAD, getattr(source, "close", None))
    try:
        for time_s, rgb in pictures:
            people = detector(rgb, time_s)
            found.add(time_s, people, (rgb.shape[1], rgb.shape[0]))
            found.background.add(time_s, rgb, people)
            progress(len(found.frames))
    finally:
        pictures.close()
