"""Read 2D keypoints from a keypoint file, a folder of such files, or a video."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from poselift.errors import FormatError
from poselift.formats import read_keypoints_file
from poselift.people import ALL, PASSING_S, check_choice, choose_people, log_doubts, numbered, without_passers_by
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton

if TYPE_CHECKING:
    from poselift.detect import Detector, Keep

VIDEO_ENDINGS = (
    *(".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".gif", ".ts", ".m2ts", ".mts"),
    *(".3gp", ".flv", ".y4m"),
)
"""Files with these endings are taken as videos."""
STANDARD_INPUT = "-"
"""The path that stands for standard input, which is taken as a video."""


def is_video(path: str | Path) -> bool:
    """Return whether a path is taken as a video: by its ending, or as it is standard input."""
    return str(path) == STANDARD_INPUT or Path(path).suffix.lower() in VIDEO_ENDINGS


@dataclass(frozen=True, kw_only=True)
class VideoReading:
    """How a video is read; keypoint files take none of it."""

    model: Path | None = None
    """Model file of the 2D detector; the model that comes with it when None."""
    detector: "Detector | None" = None
    """Another detector than ours."""
    start_s: float = 0.0
    """Seconds after the first frame at which to begin."""
    stop_s: float | None = None
    """Seconds after the first frame before which to end; the end of the video when None."""
    raw: str | None = None
    """Layout of the pictures on standard input that are raw, such as rgb24; None for encoded video and y4m."""


def read_keypoints(
    path: str | Path,
    *,
    people: str | int = ALL,
    skeleton: Skeleton | str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    frame_step: float | None = None,
    model: str | Path | None = None,
    detector: "Detector | None" = None,
    start_s: float = 0.0,
    stop_s: float | None = None,
    raw: str | None = None,
    shortest_s: float = PASSING_S,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[Keypoints2D, ...]:
    """Read the 2D keypoints of the people in a file.

    Args:
        path: A video (needs the `video` extra), "-" for a video on standard input, or a keypoint file or folder;
            docs/keypoint_files.md shows which.
        people: "all", "largest", the number of a person, "x,y" for the person nearest to this pixel in the first frame
            that shows anybody, or "x,y@SECONDS" for another frame (`poselift.people.choose_people`).
        skeleton: Joint order of the file; identified from the file when None. Not for videos.
        fps: Frames per second, for files that do not say, and raw pictures. Not for other videos.
        image_size: (width, height) of the picture in pixels, for files that do not say, and raw pictures. Not for other
            videos.
        frame_step: By how much the frame numbers of a file grow from one frame to the next, where that is not 1. Not
            for videos.
        model: Path of a model file for the detector of videos; the one that comes with it when None.
        detector: Another detector for videos than ours (`poselift.detect.Detector`).
        start_s: Seconds after the first frame of a video at which to begin.
        stop_s: Seconds after the first frame of a video before which to end; its end when None.
        raw: Layout of the pictures on standard input that are raw, such as "rgb24"; they need `image_size` and `fps`.
        shortest_s: People who are seen for less than so many seconds have passed by, and are left out. The log says
            when and where they were. In short clips half of the time is enough.
        progress: Called with (frames done, frames in all or None) while a video is read.

    Returns:
        One sequence for each person, the longest first. Several people are numbered from 1 (`Keypoints2D.person`).

    Raises:
        FormatError: The file is broken, or in a format that poselift does not read; or nobody is the person wanted.
        SkeletonError: The joint order cannot be identified, or contradicts `skeleton`.
        DetectionError: The video cannot be read, or shows no person.
        MissingExtraError: The path is a video, and the `video` extra is not installed.
    """
    check_choice(people)  # before anything is read
    video = VideoReading(
        model=None if model is None else Path(model), detector=detector, start_s=start_s, stop_s=stop_s, raw=raw
    )
    everyone = read_everyone(
        path, skeleton=skeleton, fps=fps, image_size=image_size, frame_step=frame_step, video=video,
        shortest_s=shortest_s, progress=progress,
    )  # fmt: skip
    return choose_people(everyone, people, str(path))


def read_everyone(
    path: str | Path,
    *,
    skeleton: Skeleton | str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    frame_step: float | None = None,
    video: VideoReading | None = None,
    shortest_s: float = PASSING_S,
    keep: "Keep | None" = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> tuple[Keypoints2D, ...]:
    """Read everyone in a file who did not just pass by; arguments and errors as for `read_keypoints`.

    Args:
        path: The file.
        skeleton: Joint order.
        fps: Frames per second.
        image_size: (width, height) of the picture.
        frame_step: Growth of frame numbers.
        video: How a video is read.
        shortest_s: Seconds for which people must be seen.
        keep: Called with everyone before they are returned, and whether all was read; also with what was detected
            until then when a video's reading is interrupted.
        progress: Called while a video is read.
    """
    path, video = Path(path), video or VideoReading()
    if not shortest_s >= 0:
        raise FormatError(
            f"wanted the shortest time for which people are seen in seconds (--shortest), got {shortest_s}"
        )
    if is_video(path):
        given: dict[str, object] = {"--skeleton": skeleton, "--frame-step": frame_step}
        given |= {} if video.raw else {"--fps": fps, "--image-size": image_size}
        _refuse(given, f"{path} is a video: its skeleton, frame rate and size are known")
        return _from_video(path, video, fps, image_size, shortest_s, keep, progress)
    given = {"--start": video.start_s or None, "--stop": video.stop_s, "--raw": video.raw}
    _refuse(given, f"{path} is no video")
    everyone = read_keypoints_file(path, skeleton=skeleton, fps=fps, image_size=image_size, frame_step=frame_step)
    everyone = numbered(without_passers_by(everyone, str(path), shortest_s))
    log_doubts(everyone, str(path))
    if keep is not None:
        keep(everyone, True)
    return everyone


def _refuse(given: dict[str, object], because: str) -> None:
    """Raise an error for options that do not go with a source."""
    if names := [name for name, value in given.items() if value is not None]:
        raise FormatError(f"{because}; leave out {' and '.join(names)}")


def _from_video(
    path: Path,
    video: VideoReading,
    fps: float | None,
    image_size: tuple[int, int] | None,
    shortest_s: float,
    keep: "Keep | None",
    progress: Callable[[int, int | None], None] | None,
) -> tuple[Keypoints2D, ...]:
    """Return everyone in a video, or in the one on standard input."""
    from poselift.detect import detect_video  # the detector is heavy and optional
    from poselift.detect.container import RawVideo, StandardInput
    from poselift.detect.video import Span

    raw = None
    if video.raw is not None:
        if str(path) != STANDARD_INPUT or fps is None or image_size is None:
            raise FormatError(
                "raw pictures (--raw) come from standard input, and need --image-size WIDTH HEIGHT and --fps: "
                "... | poselift lift - --raw rgb24 --image-size 1280 720 --fps 30"
            )
        raw = RawVideo(video.raw, image_size, fps)
    return detect_video(
        StandardInput() if str(path) == STANDARD_INPUT else path, model=video.model, detector=video.detector,
        span=Span(video.start_s, video.stop_s), raw=raw, shortest_s=shortest_s, keep=keep, progress=progress,
    )  # fmt: skip
