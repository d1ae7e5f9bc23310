"""Reads videos with PyAV: upright pictures with their times, from any second to any other.

Pictures are returned as a player shows them: the rotation that a phone writes beside the pixels is applied, and
interlaced pictures are made whole.
"""

import contextlib
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from poselift.detect.container import LARGEST_PICTURE, RawVideo, Source, name_of, opened, pyav
from poselift.detect.focal_tag import focal_of_tags
from poselift.errors import DetectionError

_LOG = logging.getLogger(__name__)
LONGEST_S = 24 * 3600.0
"""Seconds of the longest videos that are read; two pictures with years between them would be filled up with frames."""
_DEFAULT_FPS = 30.0
"""Frame rate assumed for a single picture, or for a file that gives none."""
_ROUNDING_S = 1e-6
"""Times closer than this are the same."""
_WORTH_A_JUMP_S = 5.0
"""Earlier starts are reached by decoding everything before them, which is as fast."""
_BEFORE_S = 1.0
"""Seconds by which a jump aims before the start, because the first pictures after a jump may be damaged."""


@dataclass(frozen=True)
class Span:
    """A part of a video: the frames at `start_s` and later, and before `stop_s`."""

    start_s: float = 0.0
    """Seconds after the first frame of the video."""
    stop_s: float | None = None
    """Seconds after the first frame of the video; None for the end."""

    def __post_init__(self) -> None:
        """Check that there is something between the two.

        Raises:
            DetectionError: They are negative, no numbers, or the wrong way round.
        """
        if not 0 <= self.start_s <= LONGEST_S:
            raise DetectionError(f"wanted a start (--start) from 0 to {LONGEST_S:g} s, got {self.start_s:g}")
        if self.stop_s is not None and not self.stop_s > self.start_s:
            raise DetectionError(f"wanted an end (--stop) after the start at {self.start_s:g} s, got {self.stop_s:g}")


WHOLE = Span()
"""All of a video."""


@dataclass(frozen=True)
class VideoInfo:
    """Size, rate and length of a video, as its file states them; only the first frame is decoded."""

    width: int
    """Width in pixels as shown, after rotation."""
    height: int
    """Height in pixels as shown, after rotation."""
    fps: float
    """Average frames per second; 30 when the file does not say."""
    frames: int | None
    """Number of frames, as the file claims without counting; None when it does not say."""
    duration_s: float | None
    """Length in seconds, or None when the file does not say."""
    rotation: int
    """Degrees by which the stored picture is turned clockwise to be shown: 0, 90, 180 or 270."""
    focal: tuple[float, str] | None = None
    """Focal length in pixels by the file's metadata, and what they say; None where they do not."""

    def frames_in(self, span: Span) -> int | None:
        """Return about how many frames a part of the video has; None where the file does not say."""
        total = self.frames or (None if self.duration_s is None else max(1, round(self.duration_s * self.fps)))
        if span == WHOLE or (total is None and span.stop_s is None):
            return total
        first = round(span.start_s * self.fps)
        last = total if span.stop_s is None else round(span.stop_s * self.fps)
        return max(1, min(last or 0, total or last or 0) - first)


class Video:
    """An open video, or a part of one, whose pictures are read once and in order."""

    def __init__(self, info: VideoInfo, frames: Iterator[tuple[float, Any]]) -> None:
        """Take what the video is, and PyAV's frames with their times."""
        self.info = info
        self.frames = frames
        """(seconds since the first frame of the video, PyAV's frame); the times strictly increase."""

    def pictures(self, *, longest_side: int | None = None) -> Iterator[tuple[float, np.ndarray]]:
        """Yield (time_s, rgb): seconds since the first frame of the video, and the upright picture (H, W, 3) uint8.

        Args:
            longest_side: Shrink the pictures so that neither side exceeds this many pixels; never enlarges.
        """
        for time_s, frame in self.frames:
            rotation = clockwise(frame)
            width, height = _shown_size(frame, rotation)
            scale = min(1.0, (longest_side or max(width, height)) / max(width, height))
            yield time_s, upright(frame, rotation, max(1, round(width * scale)), max(1, round(height * scale)))


@contextlib.contextmanager
def open_video(source: Source, span: Span = WHOLE, raw: RawVideo | None = None) -> Iterator[Video]:
    """Open a video and decode its first frame.

    Args:
        source: Any file that FFmpeg reads (mp4, mov, mkv, webm, avi, gif ...), or a stream.
        span: The part to read. Where the file can jump there, what is before is not decoded.
        raw: What the pictures are, where the source is nothing but pictures.

    Yields:
        The video. Its reading raises what this function raises.

    Raises:
        DetectionError: The source is missing, is no video, holds no picture that can be decoded or none in the span, or
            is beyond `LARGEST_PICTURE` or `LONGEST_S`.
        MissingExtraError: PyAV is not installed.
    """
    with contextlib.ExitStack() as stack:
        name = name_of(source)
        container, stream = stack.enter_context(opened(source, raw))
        frames = _decoded(name, container, stream)
        first = next(frames)
        info = _info(name, container, stream, first)
        timed = _timed(name, itertools.chain([first], frames), first.time or 0.0, 1 / info.fps)
        if span.start_s >= _WORTH_A_JUMP_S and isinstance(source, str | Path) and first.time is not None:
            jumped = stack.enter_context(opened(source, raw))
            timed = _after_jump(name, *jumped, first.time, span.start_s) or timed
        yield Video(info, _within(name, timed, span))


def probe(source: Source) -> VideoInfo:
    """Read a video's size, rate and length; source and errors are those of `open_video`."""
    with open_video(source) as video:
        return video.info


def read_frames(
    source: Source, *, longest_side: int | None = None, span: Span = WHOLE
) -> Iterator[tuple[float, np.ndarray]]:
    """Decode a video frame by frame.

    Args:
        source: The file or stream.
        longest_side: Shrink the pictures so that neither side exceeds this many pixels; never enlarges.
        span: The part to read.

    Yields:
        (time_s, rgb): seconds since the first frame of the video, strictly increasing, and the upright picture,
        (H, W, 3) uint8.

    Raises:
        DetectionError: As for `open_video`.
        MissingExtraError: PyAV is not installed.
    """
    with open_video(source, span) as video:
        yield from video.pictures(longest_side=longest_side)


def _info(name: str, container: Any, stream: Any, frame: Any) -> VideoInfo:
    """Return what a file says, and its first frame shows."""
    rotation = clockwise(frame)
    duration = stream.duration * stream.time_base if stream.duration else None
    if duration is None and container.duration:
        duration = container.duration / 1e6
    _check_length(name, float(duration or 0))
    return VideoInfo(
        *_shown_size(frame, rotation), _rate(stream), stream.frames or None,
        None if duration is None else float(duration), rotation, _focal(container, stream, frame),
    )  # fmt: skip


def _focal(container: Any, stream: Any, frame: Any) -> tuple[float, str] | None:
    """Return the focal length in pixels that the stream, the file or the first picture says, and how it says it."""
    size = (frame.width, frame.height)
    for holder in (stream, container, frame):
        if (found := focal_of_tags(getattr(holder, "metadata", {}), size)) is not None:
            return found
    return None


def _within(name: str, frames: Iterator[tuple[float, Any]], span: Span) -> Iterator[tuple[float, Any]]:
    """Yield the frames of a span.

    Raises:
        DetectionError: There are none.
    """
    found, last = False, 0.0
    for time_s, frame in frames:
        last = time_s
        if span.stop_s is not None and time_s >= span.stop_s - _ROUNDING_S:
            break
        if time_s >= span.start_s - _ROUNDING_S:
            found = True
            yield time_s, frame
    if not found:
        raise DetectionError(
            f"{name} has no frame from {span.start_s:g} s on"
            f"{'' if span.stop_s is None else f' and before {span.stop_s:g} s'}; its last frame that was read is at "
            f"{last:.3f} s (--start, --stop)"
        )


def _check_length(name: str, seconds: float) -> None:
    """Raise a DetectionError for a video that is longer than `LONGEST_S`."""
    if seconds > LONGEST_S:
        raise DetectionError(
            f"{name} is {seconds / 3600:,.0f} hours long by its times, more than the {LONGEST_S / 3600:.0f} that are "
            f"read; cut it, or give it new times: ffmpeg -i {Path(name).name} -vf setpts=N/30/TB -r 30 new.mp4"
        )


def _decoded(name: str, container: Any, stream: Any) -> Iterator[Any]:
    """Yield every frame that can be decoded, made whole; damaged parts are left out with a warning.

    Raises:
        DetectionError: No frame can be decoded.
    """
    return _made_whole(name, _pictures(name, container, stream))


def _pictures(name: str, container: Any, stream: Any) -> Iterator[Any]:
    av = pyav()
    count = damaged = 0
    try:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                damaged += 1
                continue
            count += len(frames)
            yield from frames
    except av.FFmpegError as error:
        _LOG.warning("%s: reading stopped after %d frames (%s)", name, count, error.strerror)
    if damaged:
        _LOG.warning("%s: %d parts are damaged and were left out", name, damaged)
    if not count:
        raise DetectionError(
            f"{name} holds no picture that can be decoded; is the file complete, and are its pictures no larger than "
            f"8K ({LARGEST_PICTURE:,} pixels)?"
        )


def _made_whole(name: str, frames: Iterator[Any]) -> Iterator[Any]:
    """Yield frames, from the first interlaced one on through a filter that makes interlaced ones whole."""
    for frame in frames:
        if frame.interlaced_frame:
            _LOG.info("%s: its pictures are interlaced; they are made whole", name)
            yield from _deinterlaced(itertools.chain([frame], frames))
            return
        yield frame


def _deinterlaced(frames: Iterator[Any]) -> Iterator[Any]:
    """Yield one whole picture for each frame, at its time; frames that are not interlaced stay as they are."""
    av = pyav()
    graph = shape = None
    for frame in frames:
        if graph is None or shape != (frame.width, frame.height, frame.format.name):
            if graph is not None:
                yield from _drained(av, graph)
            graph, shape = _filter(av, frame), (frame.width, frame.height, frame.format.name)
        graph.push(frame)
        yield from _pulled(av, graph)
    if graph is not None:
        yield from _drained(av, graph)


def _filter(av: Any, frame: Any) -> Any:
    """Return a graph of filters for frames like this one."""
    graph = av.filter.Graph()
    start = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=frame.time_base
    )
    whole = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    end = graph.add("buffersink")
    start.link_to(whole)
    whole.link_to(end)
    graph.configure()
    return graph


def _pulled(av: Any, graph: Any) -> Iterator[Any]:
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def _drained(av: Any, graph: Any) -> Iterator[Any]:
    graph.push(None)
    yield from _pulled(av, graph)


def _timed(name: str, frames: Iterator[Any], origin: float, step: float | None) -> Iterator[tuple[float, Any]]:
    """Yield (seconds since `origin`, frame); the times strictly increase.

    Some writers repeat or lose times; then the nominal `step` is the best guess.
    """
    last: float | None = None
    step = step or 1 / _DEFAULT_FPS
    for frame in frames:
        guess = 0.0 if last is None else last + step
        time_s = guess if frame.time is None else frame.time - origin
        last = time_s if last is None or time_s > last else guess
        _check_length(name, last)
        yield last, frame


def _after_jump(
    name: str, container: Any, stream: Any, origin: float, start_s: float
) -> Iterator[tuple[float, Any]] | None:
    """Return the timed frames from a little before a time on; None where the file does not lead there."""
    av = pyav()
    aim = origin + start_s - _BEFORE_S
    try:
        container.seek(round(aim / stream.time_base), stream=stream, backward=True)
        frames = _pictures(name, container, stream)
        first = next(frames)
    except (av.FFmpegError, DetectionError):
        return None
    if first.time is None or first.time > aim + _ROUNDING_S:
        return None
    return _timed(name, _made_whole(name, itertools.chain([first], frames)), origin, 1 / _rate(stream))


def _rate(stream: Any) -> float:
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    return rate if rate > 0 else _DEFAULT_FPS


def clockwise(frame: Any) -> int:
    """Return the degrees, in steps of 90, by which to turn the stored picture clockwise."""
    return -round(frame.rotation / 90) * 90 % 360


def _shown_size(frame: Any, rotation: int) -> tuple[int, int]:
    return (frame.height, frame.width) if rotation in (90, 270) else (frame.width, frame.height)


def upright(frame: Any, rotation: int, width: int, height: int) -> np.ndarray:
    """Return the picture as shown, (height, width, 3) uint8 RGB."""
    stored = (height, width) if rotation in (90, 270) else (width, height)
    shrinks = stored[0] < frame.width
    rgb = frame.to_ndarray(
        format="rgb24", width=stored[0], height=stored[1], interpolation="AREA" if shrinks else "BILINEAR"
    )
    return np.ascontiguousarray(np.rot90(rgb, -rotation // 90))
