"""The small copy of a video that a page carries."""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

from poselift.sequence import Poses3D

_LOG = logging.getLogger(__name__)
LONGEST_EMBEDDED_S = 600.0
"""Seconds of the longest video that is embedded: a page is one file, which a browser holds in memory."""
LARGEST_PAGE_BYTES = 20_000_000
"""Size to which a page with a long video is held, by a coarser copy; without room for one it is left out."""
_BYTES_A_FRAME = 290
"""What a frame of a person takes in a page besides the video, with keypoints, spread and angles."""
_LEAST_RATE = 60_000
"""Bits a second below which a copy shows nothing."""
_FINE_RATE = 400_000
"""Bits a second from which on a copy has its full height."""
_AMPLE_RATE = 3_000_000
"""Bits a second that no copy takes."""
_LANDSCAPE_HEIGHT_PX = 480
_PORTRAIT_HEIGHT_PX = 720


@dataclass(frozen=True, eq=False)
class SmallCopy:
    """A small copy of a video, to be embedded in pages."""

    mp4: bytes
    """The file."""
    size: tuple[int, int]
    """(width, height) of the original in pixels, in which keypoints are."""


def small_copy(video: str | Path, poses: Poses3D, people: int = 1) -> SmallCopy | None:
    """Return a small copy of the part of a video that poses were lifted from; None if it is too long to embed.

    Args:
        video: The video.
        poses: One person's; their start, length and rate say which part is copied.
        people: How many are on the page: with the copy, it takes no more than `LARGEST_PAGE_BYTES`, about.

    Raises:
        DetectionError: The video cannot be read.
        MissingExtraError: PyAV is not installed.
    """
    from poselift.detect.transcode import transcode
    from poselift.detect.video import Span, probe

    seconds = len(poses) / poses.fps
    room = LARGEST_PAGE_BYTES - _BYTES_A_FRAME * len(poses) * people
    rate = room * 8 * 3 / 4 / seconds  # base64 writes three bytes as four
    if seconds > LONGEST_EMBEDDED_S or rate < _LEAST_RATE:
        _LOG.info(
            "%s: %.0f s of video are not embedded in the page, which holds %.0f s at most and about %.0f MB with the "
            "poses; it shows the keypoints",
            *(video, seconds, LONGEST_EMBEDDED_S, LARGEST_PAGE_BYTES / 1e6),
        )
        return None
    info, half = probe(video), 0.5 / poses.fps
    span = Span(max(0.0, poses.start_s - half), poses.start_s + seconds - half)
    height = _LANDSCAPE_HEIGHT_PX if info.width >= info.height else _PORTRAIT_HEIGHT_PX
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.mp4"
        limit = None if rate > _AMPLE_RATE else rate
        transcode(video, small, height=height if rate >= _FINE_RATE else height // 2, span=span, bits_a_second=limit)
        return SmallCopy(small.read_bytes(), (info.width, info.height))
