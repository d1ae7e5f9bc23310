"""Reads a camera with PyAV, by the system's own driver."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from poselift.detect.container import pyav
from poselift.detect.video import clockwise, upright
from poselift.errors import DetectionError

_DRIVERS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}"), "win32": ("dshow", "video={}")}
"""By system, FFmpeg's driver of cameras, and the name of the camera with a number."""


def is_camera(name: str) -> bool:
    """Return whether a name is that of a camera: a number, or the path of a device."""
    return name.isdigit() or name.startswith(("/dev/video", "video="))


def camera_pictures(
    name: str,
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    driver: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (time_s, rgb): seconds since the first picture, by the clock when it came, and (H, W, 3) uint8.

    Args:
        name: Number of the camera, from 0, or its name: the path of a device on Linux, `video=NAME` on Windows.
        size: (width, height) to ask for; the camera's own when None.
        fps: Pictures a second to ask for.
        driver: FFmpeg's name of the driver, when it is not the system's usual one.
        clock: Returns seconds since any fixed moment.

    Raises:
        DetectionError: The camera cannot be opened, or stops.
        MissingExtraError: PyAV is not installed.
    """
    av = pyav()
    usual, numbered = _DRIVERS.get(sys.platform, _DRIVERS["linux"])
    options = {} if size is None else {"video_size": f"{size[0]}x{size[1]}"}
    options |= {} if fps is None else {"framerate": f"{fps:g}"}
    try:
        container = av.open(numbered.format(name) if name.isdigit() else name, format=driver or usual, options=options)
    except (av.FFmpegError, OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DetectionError(
            f"cannot open the camera {name} ({why}); is it there, free, and may this user read it? Another camera is "
            "--input 1, another size --size WIDTH HEIGHT"
        ) from error
    with container:
        yield from _timed(av, name, container, clock)


def _timed(av: Any, name: str, container: Any, clock: Callable[[], float]) -> Iterator[tuple[float, np.ndarray]]:
    start_s: float | None = None
    try:
        for frame in container.decode(video=0):
            now_s = clock()
            start_s = now_s if start_s is None else start_s
            rotation = clockwise(frame)
            width, height = (frame.width, frame.height) if rotation % 180 == 0 else (frame.height, frame.width)
            yield now_s - start_s, upright(frame, rotation, width, height)
    except av.FFmpegError as error:
        raise DetectionError(f"the camera {name} has stopped ({error.strerror})") from error
