"""MediaPipe Pose (BlazePose) as a `poselift.detect.Detector`: one person, 33 landmarks.

Two ways in, chosen by `open_detector`: the old `solutions` interface (mediapipe before 0.10.30, Python 3.11 and 3.12),
whose package holds the "full" pose model, and the Tasks interface (every mediapipe since 0.10) with a model file.
"""

import contextlib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np

from poselift.errors import DetectionError, MissingExtraError, install_hint
from poselift.skeleton import MEDIAPIPE_33, Skeleton

_LOG = logging.getLogger(__name__)
MODEL_PAGE = "https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker#models"
"""Where Google offers the model files of the Tasks interface."""


class MediaPipeDetector:
    """The pose tracker inside the mediapipe package; needs no other file and no network.

    Landmarks are not smoothed: on 60 fps video smoothing halves the jitter but lags by about half a frame, which puts
    moving joints further from OpenPose's; the lifter sees many frames and averages for itself.
    """

    skeleton: Skeleton = MEDIAPIPE_33
    """Joint order of the landmarks."""

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
        self._found_before = False

    def __call__(self, rgb: np.ndarray, time_s: float) -> np.ndarray:
        """Find the person in the next frame; see `poselift.detect.Detector`."""
        with contextlib.nullcontext() if self._found_before else _quiet():  # the first person brings a warning
            found = self._pose.process(rgb).pose_landmarks
        self._found_before |= found is not None
        return _as_array([found.landmark] if found else [], rgb)

    def close(self) -> None:
        """Stop the tracker."""
        self._pose.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the tracker."""
        self.close()


class MediaPipeTasksDetector:
    """The Tasks interface's PoseLandmarker with a model file that the user names."""

    skeleton: Skeleton = MEDIAPIPE_33
    """Joint order of the landmarks."""

    def __init__(self, model: str | Path) -> None:
        """Load the model.

        Args:
            model: A `pose_landmarker_*.task` file.

        Raises:
            MissingExtraError: mediapipe is not installed.
            DetectionError: The file is missing or is no such model.
        """
        self._mediapipe = _mediapipe()
        model = Path(model)
        if not model.is_file():
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
        self._found_before = False

    def __call__(self, rgb: np.ndarray, time_s: float) -> np.ndarray:
        """Find the person in the next frame; see `poselift.detect.Detector`."""
        # Whole milliseconds that must increase, whatever the frame rate.
        self._last_ms = max(self._last_ms + 1, round(time_s * 1000))
        image = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb, np.uint8)
        )
        with contextlib.nullcontext() if self._found_before else _quiet():
            people = self._landmarker.detect_for_video(image, self._last_ms).pose_landmarks
        self._found_before |= bool(people)
        return _as_array(people, rgb)

    def close(self) -> None:
        """Release the model."""
        self._landmarker.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Release the model."""
        self.close()


def open_detector(model: str | Path | None = None) -> MediaPipeDetector | MediaPipeTasksDetector:
    """The MediaPipe detector for what is installed.

    Args:
        model: A `pose_landmarker_*.task` file; None takes the model inside the mediapipe package.

    Raises:
        MissingExtraError: mediapipe is not installed.
        DetectionError: There is no model in the package, or the file is no model.
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
    """(P, 33, 3): x_px, y_px, visibility. Landmarks come in [0, 1] of the picture, beyond it when outside."""
    height, width = rgb.shape[:2]
    found = [[(mark.x * width, mark.y * height, mark.visibility) for mark in marks] for marks in people]
    people_xyc = np.array(found, np.float32).reshape(-1, len(MEDIAPIPE_33), 3)
    people_xyc[..., 2] = people_xyc[..., 2].clip(0, 1)
    return people_xyc


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what C++ writes to standard error to our debug log.

    MediaPipe greets with warnings about itself that no setting of its own turns off.
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
