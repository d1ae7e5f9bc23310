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
    model: str | Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[Keypoints2D, ...]:
    """Read the 2D keypoints of every person in a file.

    Args:
        path: A video (needs the `video` extra); a folder of OpenPose JSON; or an npz, csv or json of keypoints.
        skeleton: Joint order of the file; identified from the file when None. Not for videos.
        fps: Frames per second, for files that do not say. Not for videos.
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
        return read_keypoints_file(path, skeleton=skeleton, fps=fps)
    if skeleton is not None or fps is not None:
        raise FormatError(f"{path} is a video: its skeleton and frame rate are known; leave out --skeleton and --fps")
    from poselift.detect import detect_video  # the detector is heavy and optional

    return detect_video(path, model=None if model is None else Path(model), progress=progress)
