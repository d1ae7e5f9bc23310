"""Opens videos with PyAV: files and streams, encoded or raw. What is no video, or asks for too much, is refused.

The content decides, never the ending: FFmpeg knows formats that name other files, such as playlists, and these are not
read.
"""

import contextlib
import os
import select
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from poselift.errors import DetectionError, MissingExtraError, install_hint
from poselift.files import FILE, FOLDER, NOTHING, found_at
from poselift.sequence import check_fps

_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,m4v,mpeg,mpegvideo,mpegts,asf,gif,yuv4mpegpipe,flv,ivf,h264,hevc"
)
"""FFmpeg's names of the formats that are read: those that hold their pictures themselves."""
LARGEST_PICTURE = 8192 * 4320
"""Pixels of the largest pictures that are read, those of 8K; a few bytes can ask for 30 times as much memory."""
PIXEL_FORMATS = ("rgb24", "bgr24", "rgba", "bgra", "gray", "yuv420p", "nv12", "yuyv422", "uyvy422")
"""FFmpeg's names of the layouts of raw pictures that are read."""
_LOOK_UP_S = 0.2
"""How often who waits for standard input looks whether it has been closed."""


class Readable(Protocol):
    """A stream of bytes that is read once, from front to back."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, at least one until the stream ends."""


Source = str | Path | Readable
"""Where a video comes from: the path of a file, or an open stream."""


@dataclass(frozen=True)
class RawVideo:
    """What a stream of raw pictures does not say about itself."""

    pixel_format: str
    """Layout of a picture, one of `PIXEL_FORMATS`."""
    size: tuple[int, int]
    """(width, height) in pixels."""
    fps: float
    """Frames per second."""

    def __post_init__(self) -> None:
        """Check every field."""
        if self.pixel_format not in PIXEL_FORMATS:
            raise DetectionError(
                f"wanted the layout of raw pictures as one of {', '.join(PIXEL_FORMATS)}, got {self.pixel_format!r}"
            )
        if min(self.size) < 1 or self.size[0] * self.size[1] > LARGEST_PICTURE:
            raise DetectionError(
                f"wanted raw pictures of up to {LARGEST_PICTURE:,} pixels, those of 8K; got {self.size[0]} x "
                f"{self.size[1]}"
            )
        check_fps(self.fps, "--fps (fps=...)", error=DetectionError)

    @property
    def options(self) -> dict[str, str]:
        """Options of FFmpeg's reader of raw video."""
        width, height = self.size
        return {
            "pixel_format": self.pixel_format,
            "video_size": f"{width}x{height}",
            "framerate": str(self.fps),
        }


class StandardInput:
    """Standard input as bytes. Python's own buffer is passed by: a thread that waits for it could not be ended."""

    def __init__(self) -> None:
        """Take the descriptor of standard input.

        Raises:
            DetectionError: There is no standard input.
        """
        try:
            self._descriptor = sys.__stdin__.fileno()  # type: ignore[union-attr]
        except (AttributeError, OSError, ValueError) as error:
            raise DetectionError("there is no standard input to read a video from; name a file") from error
        self._closed = False

    def read(self, size: int, /) -> bytes:
        """Return the bytes that are there, up to `size`, or wait for some; nothing at the end, or once closed."""
        while not self._closed:
            # Windows can only wait for sockets.
            if sys.platform == "win32" or select.select([self._descriptor], [], [], _LOOK_UP_S)[0]:
                return os.read(self._descriptor, size)
        return b""

    def close(self) -> None:
        """End the reading, also that of a thread which waits."""
        self._closed = True


class _Stream:
    """What PyAV needs of a stream: an object that can be read and nothing more."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        return self._stream.read(size)


def name_of(source: Source) -> str:
    """Return what messages call a source."""
    if isinstance(source, str | Path):
        return str(source)
    return "standard input" if isinstance(source, StandardInput) else str(getattr(source, "name", "the stream"))


def pyav() -> ModuleType:
    """Return the package `av`.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(f"reading a video needs PyAV; run: {install_hint('video')}") from error
    return av


@contextlib.contextmanager
def opened(source: Source, raw: RawVideo | None = None) -> Iterator[tuple[Any, Any]]:
    """Yield PyAV's container and its first stream that is a video.

    Args:
        source: The file or stream.
        raw: What the pictures are, where the source is nothing but pictures.

    Raises:
        DetectionError: The source is missing, is no video, holds no stream of pictures, or larger ones than
            `LARGEST_PICTURE`.
        MissingExtraError: PyAV is not installed.
    """
    av, name = pyav(), name_of(source)
    options = {"max_pixels": str(LARGEST_PICTURE)} | (raw.options if raw else {"format_whitelist": _CONTAINERS})
    file = _file(source) if isinstance(source, str | Path) else _Stream(source)
    try:
        container = _open(av, file, format="rawvideo" if raw else None, options=options)
    except (av.FFmpegError, OSError) as error:
        hint = (
            "does a player open it?"
            if isinstance(source, str | Path)
            else "an mp4 must be written for streaming (ffmpeg -movflags frag_keyframe+empty_moov), raw pictures need "
            "their layout (--raw rgb24)"
        )
        raise DetectionError(f"cannot read {name} as a video ({error.strerror}); {hint}") from error
    with container:
        streams = [stream for stream in container.streams.video if not _is_cover(stream)]
        if not streams:
            kinds = ", ".join(stream.type for stream in container.streams) or "nothing"
            raise DetectionError(f"{name} holds no video, only: {kinds}")
        _check_codec(name, streams[0])
        yield container, streams[0]


def _open(av: ModuleType, file: Any, **how: Any) -> Any:
    """Open a container, with titles in any encoding where this version of PyAV has that option."""
    try:
        return av.open(file, metadata_errors="ignore", **how)
    except TypeError:
        return av.open(file, **how)


def _file(path: str | Path) -> str:
    """Return the absolute path of a regular file: FFmpeg takes what is before a colon for a protocol."""
    path = Path(path)
    if (at := found_at(path, DetectionError)) != FILE:
        what = {FOLDER: "is a folder", NOTHING: "does not exist; check the name"}.get(at, "is a pipe or a device")
        raise DetectionError(f"wanted a video file, but {path} {what}")
    return str(path.absolute())


def _check_codec(name: str, stream: Any) -> None:
    """Refuse pictures that cannot be decoded or are too large, and set the decoder up."""
    codec = stream.codec_context
    if codec is None:
        raise DetectionError(f"{name} is coded in a way that PyAV cannot decode; convert it to H.264 with ffmpeg")
    if codec.width * codec.height > LARGEST_PICTURE:
        raise DetectionError(
            f"{name} has pictures of {codec.width} x {codec.height} pixels, more than the {LARGEST_PICTURE:,} of "
            f"8K that are read; shrink it: ffmpeg -i {Path(name).name} -vf scale=-2:1080 smaller.mp4"
        )
    codec.options = {"max_pixels": str(LARGEST_PICTURE)}  # of pictures that differ from what the file says
    codec.thread_type = "AUTO"


def _is_cover(stream: Any) -> bool:
    """Return whether a stream is the cover picture of a music file."""
    return "attached_pic" in (stream.disposition.name or "")
