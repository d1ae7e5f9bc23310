"""MediaPipe Pose (BlazePose) as a `poselift.detect.Detector`: one person, 33 landmarks.

`open_detector` chooses between two interfaces: the old `solutions` (mediapipe before 0.10.30, Python 3.11 and 3.12),
with the "full" pose model inside the package, and Tasks (every mediapipe since 0.10), with a model file.
"""

import contextlib
import logging
import os
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np

from poselift.errors import DetectionError, MissingExtraError, install_hint
from poselift.files import FILE, found_at
from poselift.skeleton import MEDIAPIPE_33, Skeleton

_LOG = logging.getLogger(__name__)
MODEL_PAGE = "https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker#models"
"""Where Google offers the model files of the Tasks interface."""


class _Landmarks(ABC):
    """A network that finds the landmarks of people; a context that closes it."""

    skeleton: Skeleton = MEDIAPIPE_33
    """Skeleton of the landmarks."""
    _found_before = False

    @abstractmethod
    def _find(self, rgb: np.ndarray, time_s: float) -> list[Any]:
        """Return the landmarks of each person in a picture."""

    @abstractmethod
    def close(self) -> None:
        """Release the network."""

    def __call__(self, rgb: np.ndarray, time_s: float) -> np.ndarray:
        """Find the person in the next frame; see `poselift.detect.Detector`."""
        with contextlib.nullcontext() if self._found_before else _quiet():  # the first person brings a warning
            people = self._find(rgb, time_s)
        self._found_before |= bool(people)
        return _as_array(people, rgb)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Release the network."""
        self.close()


class MediaPipeDetector(_Landmarks):
    """The pose tracker inside the mediapipe package; needs no other file and no network.

    Landmarks are not smoothed: on 60 fps video smoothing halves the jitter but lags by about half a frame, which puts
    moving joints further from OpenPose's; the lifter sees many frames and averages for itself.
    """

    def __init__(self) -> None:
        """Start the tracker.

        Raises:
            MissingExtraError: mediapipe is not installed.
            DetectionError: This mediapipe has no built-in pose model.
        """
        mediapipe = _mediapipe()
        if not hasattr(mediapipe, "solutions"):
            raise DetectionError(
                f"mediapipe {mediapipe.__version__} holds no pose model; download a pose_landmarker .task file from "
                f"{MODEL_PAGE} and name it as the detector's model, or use Python 3.11 or 3.12, where "
                f"a mediapipe with a model inside comes by {install_hint('video')}"
            )
        with _quiet():
            self._pose = mediapipe.solutions.pose.Pose(
                static_image_mode=False, model_complexity=1, smooth_landmarks=False
            )
            self._pose.process(np.zeros((64, 64, 3), np.uint8))  # waits until the networks are loaded

    def _find(self, rgb: np.ndarray, time_s: float) -> list[Any]:
        found = self._pose.process(rgb).pose_landmarks
        return [found.landmark] if found else []

    def close(self) -> None:
        """Stop the tracker."""
        self._pose.close()


class MediaPipeTasksDetector(_Landmarks):
    """The Tasks interface's PoseLandmarker with a model file that the user names."""

    def __init__(self, model: str | Path) -> None:
        """Load the model.

        Args:
            model: A `pose_landmarker_*.task` file.

        Raises:
            MissingExtraError: mediapipe is not installed.
            DetectionError: The file is missing or is not such a model.
        """
        self._mediapipe = _mediapipe()
        model = Path(model)
        if found_at(model, DetectionError) != FILE:
            raise DetectionError(f"the detector's model {model} is not a file; get a pose_landmarker from {MODEL_PAGE}")
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(model)), running_mode=vision.RunningMode.VIDEO
        )
        try:
            with _quiet():
                self._landmarker = vision.PoseLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            raise DetectionError(
                f"{model} is no pose_landmarker model that mediapipe {self._mediapipe.__version__} can load "
                f"({error}); get one from {MODEL_PAGE}"
            ) from error
        self._last_ms = -1

    def _find(self, rgb: np.ndarray, time_s: float) -> list[Any]:
        # Whole milliseconds that must increase, whatever the frame rate.
        self._last_ms = max(self._last_ms + 1, round(time_s * 1000))
        image = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb, np.uint8)
        )
        return self._landmarker.detect_for_video(image, self._last_ms).pose_landmarks

    def close(self) -> None:
        """Release the model."""
        self._landmarker.close()


def open_detector(model: str | Path | None = None) -> MediaPipeDetector | MediaPipeTasksDetector:
    """Open the MediaPipe detector of the installed package, or of a model file.

    Args:
        model: A `pose_landmarker_*.task` file; None takes the model inside the mediapipe package.

    Raises:
        MissingExtraError: mediapipe is not installed.
        DetectionError: There is no model in the package, or the file is not a model.
    """
    return MediaPipeDetector() if model is None else MediaPipeTasksDetector(model)


def _mediapipe() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mediapipe
    except ImportError as error:
        raise MissingExtraError(f"finding people in a video needs mediapipe; run: {install_hint('video')}") from error
    return mediapipe


def _as_array(people: list[Any], rgb: np.ndarray) -> np.ndarray:
    """Return (P, 33, 3): x_px, y_px, visibility, from landmarks in [0, 1] of the picture, or beyond when outside it."""
    height, width = rgb.shape[:2]
    found = [[(mark.x * width, mark.y * height, mark.visibility) for mark in marks] for marks in people]
    people_xyc = np.array(found, np.float32).reshape(-1, len(MEDIAPIPE_33), 3)
    people_xyc[..., 2] = people_xyc[..., 2].clip(0, 1)
    return people_xyc


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what C++ writes to standard error to the debug log.

    MediaPipe starts with warnings about itself that none of its settings turns off.
    """
    try:
        kept = os.dup(2)
    except OSError:  # a process without standard error
        yield
        return
    with tempfile.TemporaryFile() as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            sink.seek(0)
            for line in sink.read().decode(errors="replace").splitlines():
                _LOG.debug("%s", line)
