"""Read 2D keypoints from a keypoint file, a folder of such files, or a video."""

from collections.abc import Callable
from pathlib import Path

from poselift.errors import FormatError
from poselift.formats import read_keypoints_file
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton

VIDEO_ENDINGS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".gif", ".ts", ".3gp")
"""Files with these endings are taken as videos."""


def is_video(path: str | Path) -> bool:
    """Return whether a path is taken as a video, by its ending."""
    return Path(path).suffix.lower() in VIDEO_ENDINGS


def read_keypoints(
    path: str | Path,
    *,
    skeleton: Skeleton | str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    frame_step: float | None = None,
    model: str | Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[Keypoints2D, ...]:
    """Read the 2D keypoints of every person in a file.

    Args:
        path: A video (needs the `video` extra), or a keypoint file or folder; docs/keypoint_files.md shows which.
        skeleton: Joint order of the file; identified from the file when None. Not for videos.
        fps: Frames per second, for files that do not say. Not for videos.
        image_size: (width, height) of the picture in pixels, for files that do not say. Not for videos.
        frame_step: By how much the frame numbers of a file grow from one frame to the next, where that is not 1. Not
            for videos.
        model: Path of the detector's model, where the installed detector needs one (videos on Python 3.13).
        progress: Called with (frames done, frames in all or None) while a video is read.

    Returns:
        One sequence for each person, the longest first.

    Raises:
        FormatError: The file is broken, or in a format that poselift does not read.
        SkeletonError: The joint order cannot be identified, or contradicts `skeleton`.
        DetectionError: The video cannot be read, or shows no person.
        MissingExtraError: The path is a video, and the `video` extra is not installed.
    """
    path = Path(path)
    if not is_video(path):
        return read_keypoints_file(path, skeleton=skeleton, fps=fps, image_size=image_size, frame_step=frame_step)
    if any(given is not None for given in (skeleton, fps, image_size, frame_step)):
        raise FormatError(
            f"{path} is a video: its skeleton, frame rate and size are known; leave out --skeleton and --fps, "
            "--image-size and --frame-step"
        )
    from poselift.detect import detect_video  # the detector is heavy and optional

    return detect_video(path, model=None if model is None else Path(model), progress=progress)
