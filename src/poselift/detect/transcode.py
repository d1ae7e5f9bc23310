"""Writes a small copy of a video that every browser plays."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from poselift.detect.container import pyav
from poselift.detect.video import WHOLE, Span, Video, clockwise, open_video, upright
from poselift.errors import OutputError
from poselift.files import written_whole

_TICKS = 90_000
"""Units of time in a second."""


def transcode(
    path: str | Path,
    out: str | Path,
    *,
    height: int = 480,
    fps: float | None = None,
    span: Span = WHOLE,
    bits_a_second: float | None = None,
    overwrite: bool = False,
) -> None:
    """Write a small H.264 mp4 that every browser plays: yuv420p, no sound, upright, starting at time 0.

    Args:
        path: The video file.
        out: The mp4 to write.
        height: Height in pixels; a smaller video keeps its own. Both sides are rounded down to even numbers.
        fps: Constant frames per second, by leaving out or repeating pictures; None keeps the source's times.
        span: The part to write; its first frame gets time 0.
        bits_a_second: The highest rate, averaged over a few seconds; None for what a steady quality takes.
        overwrite: Replace `out` if it exists.

    Raises:
        DetectionError: The video cannot be read.
        OutputError: `out` cannot be written.
        MissingExtraError: PyAV is not installed.
    """
    av = pyav()
    with open_video(path, span) as video, written_whole(out, overwrite=overwrite) as temporary:
        scale = min(1.0, height / video.info.height)
        size = tuple(max(2, int(side * scale) // 2 * 2) for side in (video.info.width, video.info.height))
        try:
            with av.open(str(temporary.absolute()), "w", format="mp4", options={"movflags": "+faststart"}) as container:
                _encode(container, video, size, fps, bits_a_second)
        except av.FFmpegError as error:
            raise OutputError(f"could not write {out}: {error.strerror}; no file was left there") from error


def _encode(
    container: Any, video: Video, size: tuple[int, ...], fps: float | None, bits_a_second: float | None
) -> None:
    """Encode the pictures of a video at `size` (width, height) into an open mp4."""
    av = pyav()
    stream = container.add_stream("libx264", rate=round(fps or video.info.fps) or 1)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    # No B-frames: times start at 0. Short groups: the viewer seeks while the user drags the time line.
    options = {"crf": "28", "preset": "veryfast", "bf": "0", "g": "15"}
    if bits_a_second is not None:
        options |= {"maxrate": str(round(bits_a_second)), "bufsize": str(round(4 * bits_a_second)), "g": "60"}
    stream.options = options
    stream.codec_context.time_base = stream.time_base = Fraction(1, _TICKS)
    for time_s, frame in _retimed(_from_zero(video.frames), fps):
        picture = av.VideoFrame.from_ndarray(upright(frame, clockwise(frame), *size), format="rgb24")
        picture.pts, picture.time_base = round(time_s * _TICKS), stream.time_base
        for packet in stream.encode(picture):
            container.mux(packet)
    for packet in stream.encode(None):
        container.mux(packet)


def _from_zero(frames: Iterator[tuple[float, Any]]) -> Iterator[tuple[float, Any]]:
    """Yield `frames` with times since the first of them."""
    first = None
    for time_s, frame in frames:
        first = time_s if first is None else first
        yield time_s - first, frame


def _retimed(frames: Iterator[tuple[float, Any]], fps: float | None) -> Iterator[tuple[float, Any]]:
    """Yield `frames` at a constant rate: at each tick the latest one shown."""
    if fps is None:
        yield from frames
        return
    slack = 1e-3 / fps  # keeps equal rates equal
    count, last = 0, None
    for time_s, frame in frames:
        while last is not None and count / fps < time_s - slack:
            yield count / fps, last[1]
            count += 1
        last = (time_s, frame)
    if last is not None and count / fps <= last[0] + slack:
        yield count / fps, last[1]
