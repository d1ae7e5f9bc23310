"""Reads and writes video files with PyAV: upright pictures with their times, and a small copy for a web page.

Pictures are returned as a player shows them: the rotation that a phone writes beside the pixels is applied.
"""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from poselift.errors import DetectionError, MissingExtraError, OutputError, install_hint
from poselift.files import FILE, FOLDER, NOTHING, found_at, written_whole

_LOG = logging.getLogger(__name__)
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,m4v,mpeg,mpegvideo,mpegts,asf,gif"
"""FFmpeg's names of the formats that are read, whatever the ending says: those that hold their pictures themselves.

FFmpeg tells a format by its content and knows some that name other files, such as playlists.
"""
LARGEST_PICTURE = 8192 * 4320
"""Pixels of the largest pictures that are read, those of 8K; a few bytes can ask for 30 times as much memory."""
LONGEST_S = 24 * 3600.0
"""Seconds of the longest videos that are read; two pictures with years between them would be filled up with frames."""
_DEFAULT_FPS = 30.0
"""Frame rate assumed for a single picture, or for a file that gives none."""


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


def probe(path: str | Path) -> VideoInfo:
    """Read a video's size, rate and length.

    Args:
        path: Any file that FFmpeg reads: mp4, mov, mkv, webm, avi, gif ...

    Raises:
        DetectionError: The file is missing, is no video, holds no picture, or is beyond `LARGEST_PICTURE` or
            `LONGEST_S`.
        MissingExtraError: PyAV is not installed.
    """
    with _opened(path) as (container, stream):
        frame = next(_decoded(path, container, stream))
        rotation = _clockwise(frame)
        size = _shown_size(frame, rotation)
        duration = stream.duration * stream.time_base if stream.duration else None
        if duration is None and container.duration:
            duration = container.duration / 1e6
        _check_length(path, float(duration or 0))
        return VideoInfo(
            *size, _rate(stream), stream.frames or None, None if duration is None else float(duration), rotation
        )


def read_frames(path: str | Path, *, longest_side: int | None = None) -> Iterator[tuple[float, np.ndarray]]:
    """Decode a video frame by frame.

    Args:
        path: The video file.
        longest_side: Shrink the pictures so that neither side exceeds this many pixels; never enlarges.

    Yields:
        (time_s, rgb): seconds since the first frame, strictly increasing, and the upright picture, (H, W, 3) uint8.

    Raises:
        DetectionError: The file is missing, is no video, holds no picture that can be decoded, or is beyond
            `LARGEST_PICTURE` or `LONGEST_S`.
        MissingExtraError: PyAV is not installed.
    """
    for time_s, frame in _timed_frames(path):
        rotation = _clockwise(frame)
        width, height = _shown_size(frame, rotation)
        scale = min(1.0, (longest_side or max(width, height)) / max(width, height))
        yield time_s, _upright(frame, rotation, max(1, round(width * scale)), max(1, round(height * scale)))


def transcode(
    path: str | Path, out: str | Path, *, height: int = 480, fps: float | None = None, overwrite: bool = False
) -> None:
    """Write a small H.264 mp4 that every browser plays: yuv420p, no sound, upright, starting at time 0.

    Args:
        path: The video file.
        out: The mp4 to write.
        height: Height in pixels; a smaller video keeps its own. Both sides are rounded down to even numbers.
        fps: Constant frames per second, by leaving out or repeating pictures; None keeps the source's times.
        overwrite: Replace `out` if it exists.

    Raises:
        DetectionError: The video cannot be read.
        OutputError: `out` cannot be written.
        MissingExtraError: PyAV is not installed.
    """
    av = _pyav()
    info = probe(path)
    scale = min(1.0, height / info.height)
    size = tuple(max(2, int(side * scale) // 2 * 2) for side in (info.width, info.height))
    with written_whole(out, overwrite=overwrite) as temporary:
        try:
            with av.open(str(temporary.absolute()), "w", format="mp4", options={"movflags": "+faststart"}) as container:
                _encode(container, path, size, fps, info.fps)
        except av.FFmpegError as error:
            raise OutputError(f"could not write {out}: {error.strerror}; no file was left there") from error


def _encode(container: Any, path: str | Path, size: tuple[int, ...], fps: float | None, rate: float) -> None:
    """Encode the pictures of `path` at `size` (width, height) into an open mp4."""
    av = _pyav()
    ticks = 90_000  # a second
    stream = container.add_stream("libx264", rate=round(fps or rate) or 1)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    # No B-frames: times start at 0. Short groups: the viewer seeks while the user drags the time line.
    stream.options = {"crf": "28", "preset": "veryfast", "bf": "0", "g": "15"}
    stream.codec_context.time_base = stream.time_base = Fraction(1, ticks)
    for time_s, frame in _retimed(_timed_frames(path), fps):
        picture = av.VideoFrame.from_ndarray(_upright(frame, _clockwise(frame), *size), format="rgb24")
        picture.pts, picture.time_base = round(time_s * ticks), stream.time_base
        for packet in stream.encode(picture):
            container.mux(packet)
    for packet in stream.encode(None):
        container.mux(packet)


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


def _pyav() -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(f"reading a video needs PyAV; run: {install_hint('video')}") from error
    return av


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, Any]]:
    """Yield the container and its first real video stream."""
    av = _pyav()
    path = Path(path)
    if (at := found_at(path, DetectionError)) != FILE:
        what = {FOLDER: "is a folder", NOTHING: "does not exist"}.get(at, "is a pipe or a device")
        raise DetectionError(f"wanted a video file, but {path} {what}")
    options = {"format_whitelist": _CONTAINERS, "max_pixels": str(LARGEST_PICTURE)}
    try:  # absolute: FFmpeg takes what is before a colon for a protocol
        container = av.open(str(path.absolute()), options=options, metadata_errors="ignore")
    except (av.FFmpegError, OSError) as error:
        raise DetectionError(f"cannot read {path} as a video ({error.strerror}); does a player open it?") from error
    with container:
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not streams:
            raise DetectionError(f"{path} holds no video, only: {', '.join(s.type for s in container.streams)}")
        codec = streams[0].codec_context
        if codec is None:
            raise DetectionError(f"{path} is coded in a way that PyAV cannot decode; convert it to H.264 with ffmpeg")
        if codec.width * codec.height > LARGEST_PICTURE:
            raise DetectionError(
                f"{path} has pictures of {codec.width} x {codec.height} pixels, more than the {LARGEST_PICTURE:,} of "
                f"8K that are read; shrink it: ffmpeg -i {path.name} -vf scale=-2:1080 smaller.mp4"
            )
        codec.options = {"max_pixels": str(LARGEST_PICTURE)}  # of pictures that differ from what the file says
        codec.thread_type = "AUTO"
        yield container, streams[0]


def _check_length(path: str | Path, seconds: float) -> None:
    """Raise a DetectionError for a video that is longer than `LONGEST_S`."""
    if seconds > LONGEST_S:
        raise DetectionError(
            f"{path} is {seconds / 3600:,.0f} hours long by its times, more than the {LONGEST_S / 3600:.0f} that are "
            f"read; cut it, or give it new times: ffmpeg -i {Path(path).name} -vf setpts=N/30/TB -r 30 new.mp4"
        )


def _is_cover(stream: Any) -> bool:
    """Return whether a stream is the cover picture of a music file."""
    return "attached_pic" in (stream.disposition.name or "")


def _decoded(path: str | Path, container: Any, stream: Any) -> Iterator[Any]:
    """Yield every frame that can be decoded; damaged parts are left out with a warning.

    Raises:
        DetectionError: No frame can be decoded.
    """
    av = _pyav()
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
        _LOG.warning("%s: reading stopped after %d frames (%s)", path, count, error.strerror)
    if damaged:
        _LOG.warning("%s: %d parts are damaged and were left out", path, damaged)
    if not count:
        raise DetectionError(
            f"{path} holds no picture that can be decoded; is the file complete, and are its pictures no larger than "
            f"8K ({LARGEST_PICTURE:,} pixels)?"
        )


def _timed_frames(path: str | Path) -> Iterator[tuple[float, Any]]:
    """Yield (seconds since the first frame, frame); the times strictly increase."""
    with _opened(path) as (container, stream):
        step = 1 / _rate(stream)
        start: float | None = None
        last = -step
        for frame in _decoded(path, container, stream):
            if start is None:
                start = frame.time or 0.0
            time_s = last + step if frame.time is None else frame.time - start
            # Some writers repeat or lose times; then the nominal rate is the best guess.
            last = time_s if time_s > last else last + step
            _check_length(path, last)
            yield last, frame


def _rate(stream: Any) -> float:
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    return rate if rate > 0 else _DEFAULT_FPS


def _clockwise(frame: Any) -> int:
    """Return the degrees, in steps of 90, by which to turn the stored picture clockwise."""
    return -round(frame.rotation / 90) * 90 % 360


def _shown_size(frame: Any, rotation: int) -> tuple[int, int]:
    return (frame.height, frame.width) if rotation in (90, 270) else (frame.width, frame.height)


def _upright(frame: Any, rotation: int, width: int, height: int) -> np.ndarray:
    """Return the picture as shown, (height, width, 3) uint8 RGB."""
    stored = (height, width) if rotation in (90, 270) else (width, height)
    shrinks = stored[0] < frame.width
    rgb = frame.to_ndarray(
        format="rgb24", width=stored[0], height=stored[1], interpolation="AREA" if shrinks else "BILINEAR"
    )
    return np.ascontiguousarray(np.rot90(rgb, -rotation // 90))
