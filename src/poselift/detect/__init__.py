"""From a video to 2D keypoints: decode it, detect people, follow one of them, and interpolate to even times."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from poselift.detect.people import open_detector
from poselift.detect.video import VideoInfo, probe, read_frames
from poselift.errors import DetectionError
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton
from poselift.track import track_clip

_LOG = logging.getLogger(__name__)
_LONGEST_SIDE = 1920
"""Larger pictures are shrunk before detection: the networks look at 256 pixels a person, and 4K only costs time."""


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


def detect_video(
    path: str | Path,
    *,
    model: Path | None = None,
    detector: Detector | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[Keypoints2D, ...]:
    """Find the person in a video.

    The people found are split into tracks, and only the longest is returned; the log says how many frames the others
    have. Joints outside the picture keep the place that the detector guesses, with its confidence.

    Args:
        path: The video file. Its rotation is honoured; 4K pictures are shrunk for the detector only.
        model: An `.onnx` file of BlazePose from `scripts/build_detector.py`; None takes the one in the package.
        detector: Another detector, instead of the package's.
        progress: Called after each frame with the number of frames done, and the number that the file claims or None.

    Returns:
        One `Keypoints2D` that spans the whole video, in pixels of the upright source picture. Frames without the person
        hold NaN and confidence 0. `fps` is the average rate; where the frames are not evenly spaced (phones, screen
        recordings) the keypoints are interpolated onto even times, so that frame i is at i / fps seconds.

    Raises:
        DetectionError: The video cannot be read, shows no person, or the model does not load.
        MissingExtraError: PyAV is not installed.
    """
    info = probe(path)
    if detector is None:
        detector = open_detector(model)
    times_s, detections = _detect(path, info, detector, progress)
    tracks = sorted(track_clip(detections, times_s, patience_s=math.inf), key=lambda track: -len(track.frames))
    if not tracks:
        raise DetectionError(
            f"no person was found in any of the {len(times_s)} frames of {path}; "
            "wanted one person, well visible and not small in the picture"
        )
    _log_left_out(path, [len(track.frames) for track in tracks], len(times_s))
    keypoints = np.full((len(times_s), len(detector.skeleton), 3), np.nan, np.float32)
    for frame, place in zip(tracks[0].frames, tracks[0].places, strict=True):
        keypoints[frame] = detections[frame][place]
    keypoints, fps = _evenly_timed(keypoints, times_s, info.fps)
    confidence = np.nan_to_num(keypoints[..., 2])
    return (Keypoints2D(keypoints[..., :2], confidence, detector.skeleton, fps, (info.width, info.height)),)


def _detect(
    path: str | Path, info: VideoInfo, detector: Detector, progress: Callable[[int, int | None], None] | None
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return times (T,) in seconds, and the people (P, J, 3) of each frame in source pixels and confidence."""
    times_s, detections = [], []
    for time_s, rgb in read_frames(path, longest_side=_LONGEST_SIDE):
        people = np.array(detector(rgb, time_s), np.float32)
        people[..., :2] *= np.array([info.width / rgb.shape[1], info.height / rgb.shape[0]], np.float32)
        times_s.append(time_s)
        detections.append(people)
        if progress is not None:
            progress(len(times_s), info.frames)
    return np.array(times_s), detections


def _log_left_out(path: str | Path, lengths: list[int], frames: int) -> None:
    kept, others = lengths[0], sum(lengths[1:])
    _LOG.info("%s: the person is found in %d of %d frames", path, kept, frames)
    if others:
        _LOG.warning(
            "%s: the detector jumped to another person; kept the one seen longest (%d frames) and left out %d frames "
            "of %d other(s)",
            *(path, kept, others, len(lengths) - 1),
        )


def _evenly_timed(keypoints: np.ndarray, times_s: np.ndarray, nominal_fps: float) -> tuple[np.ndarray, float]:
    """Return keypoints at i / fps seconds, and the average rate.

    Times between a frame with the person and one without show nobody; times that fall on a frame keep its keypoints.
    """
    if len(times_s) == 1:
        return keypoints, nominal_fps
    fps = float((len(times_s) - 1) / (times_s[-1] - times_s[0]))
    position = np.interp(np.arange(len(times_s)) / fps, times_s - times_s[0], np.arange(len(times_s))).round(6)
    if np.abs(position - np.arange(len(times_s))).max() < 0.5:
        return keypoints, fps
    _LOG.info("the frames are not evenly spaced; keypoints are interpolated to %.3f frames/s", fps)
    before = np.floor(position).astype(int)
    after = np.ceil(position).astype(int)
    weight = (position - before)[:, None, None]
    return np.where(weight > 0, (1 - weight) * keypoints[before] + weight * keypoints[after], keypoints[before]).astype(
        np.float32
    ), fps
