"""Writes poses as a video or a picture."""

import logging
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from poselift.detect.container import pyav
from poselift.detect.video import Span, open_video, probe
from poselift.errors import DetectionError, FormatError, OutputError, ShapeError
from poselift.files import check_free, written_whole
from poselift.render.page import Page, pillow
from poselift.render.placement import Placement, place
from poselift.render.stage import set_stage
from poselift.sequence import Keypoints2D, Poses3D, expect_poses

ENDINGS = (".mp4", ".png")
"""Endings of the files that are written."""
_SMALLEST, _LARGEST = 120, 2160
_SLACK = 0.25
"""A picture that comes this part of a frame late still belongs to the frame."""
_MOST_STILLS = 20
_log = logging.getLogger(__name__)


def render(
    poses: Poses3D | Sequence[Poses3D],
    path: str | Path,
    *,
    video: str | Path | None = None,
    keypoints: Keypoints2D | Sequence[Keypoints2D] | None = None,
    frames: Sequence[int] | None = None,
    height: int = 480,
    title: str | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a video (.mp4) of poses, or a picture (.png) of some frames one below the other.

    On the left is the video with the figure over it, where the poses have a camera and a path, or else moved and scaled
    to the keypoints; a caption says which. Without a video it is drawn on a dark ground, and where nothing says where
    the figure is in the picture, it is seen from the front instead. On the right it is seen from the side.

    Args:
        poses: One person, or several over the same frames.
        path: The file.
        video: The video that the poses came from, from `start_s` on.
        keypoints: The keypoints that they were lifted from, of each person.
        frames: Numbers of the frames of a picture, from 0; the middle one when None.
        height: Height of the panels in pixels.
        title: What the frames are called; the file's name when None.
        overwrite: Replace an existing file.
        progress: Called with (frames done, frames in all).

    Raises:
        KindError: Somebody is no `Poses3D`.
        FormatError: `path` has another ending.
        ShapeError: People or keypoints are of other frames, a frame is not there, or the height is out of range.
        DetectionError: The video cannot be read.
        OutputError: The file exists, or cannot be written.
        MissingExtraError: Pillow or PyAV is not installed.
    """
    people = tuple(poses) if isinstance(poses, list | tuple) and poses else (poses,)
    for person in people:
        expect_poses(person)
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise FormatError(f"{path}: wanted a name that ends in {' or '.join(ENDINGS)}, got '{path.suffix}'")
    check_free(path, overwrite=overwrite)
    pillow()
    shown = _chosen(people[0], frames, still=path.suffix.lower() == ".png")
    page = _page(people, keypoints, video, height, path.stem if title is None else title)
    pictures = _drawn(page, shown, video, progress)
    with written_whole(path, overwrite=overwrite) as temporary:
        if path.suffix.lower() == ".png":
            image, _, _ = pillow()
            image.fromarray(np.concatenate(list(pictures))).save(temporary, format="PNG")
        else:
            _encode(temporary, path, page.size, people[0].fps, pictures)


def _chosen(poses: Poses3D, frames: Sequence[int] | None, *, still: bool) -> list[int]:
    """Return the frames to draw."""
    if frames is None:
        return [len(poses) // 2] if still else list(range(len(poses)))
    if wrong := [frame for frame in frames if not 0 <= frame < len(poses)]:
        raise ShapeError(f"wanted frames from 0 to {len(poses) - 1} (--frames), got {wrong[0]}")
    if not frames or (still and len(frames) > _MOST_STILLS):
        raise ShapeError(f"wanted 1 to {_MOST_STILLS} frames for a picture (--frames), got {len(frames)}")
    return sorted(frames)


def _page(
    people: Sequence[Poses3D],
    keypoints: Keypoints2D | Sequence[Keypoints2D] | None,
    video: str | Path | None,
    height: int,
    title: str,
) -> Page:
    """Return what all frames share, and log how the figure came into the picture."""
    if not _SMALLEST <= height <= _LARGEST:
        raise ShapeError(f"wanted a height from {_SMALLEST} to {_LARGEST} pixels (--height), got {height}")
    first = people[0]
    if any(len(poses) != len(first) or abs(poses.fps - first.fps) > 1e-6 * first.fps for poses in people):
        lengths = ", ".join(str(len(poses)) for poses in people)
        raise ShapeError(f"wanted people over the same frames, got {lengths}; render them one by one")
    own = (
        [None] * len(people) if keypoints is None else [keypoints] if isinstance(keypoints, Keypoints2D) else keypoints
    )
    if len(own) != len(people):
        raise ShapeError(f"wanted the keypoints of each of {len(people)} people, got those of {len(own)}")
    placements = [place(poses, given) for poses, given in zip(people, own, strict=True)]
    sizes = [_picture_of(poses, given) for poses, given in zip(people, own, strict=True)]
    size = next((found for found in sizes if found is not None), None)
    if video is not None:
        size = (info := probe(video)).width, info.height
        placements = [_scaled(found, source, size) for found, source in zip(placements, sizes, strict=True)]
    hows = dict.fromkeys(placement.how for placement in placements if placement is not None)
    front = None
    if not hows and video is None or size is None:
        front, caption, size = set_stage(people, 0.0), "as the camera looks, not in perspective", (height, height)
    elif hows:
        caption = ", ".join(hows)
    else:
        caption = "the file has no camera and path"
        _log.warning(
            "nothing says where the figure is in the picture: the poses have no camera and path, and no keypoints were "
            "given (--keypoints); it is only shown from the side"
        )
    return Page(people, placements, size, set_stage(people, np.pi / 2), front, title, caption, height)


def _picture_of(poses: Poses3D, keypoints: Keypoints2D | None) -> tuple[int, int] | None:
    """Return the size of the picture that poses are placed in."""
    if poses.camera is not None and poses.camera.image_size is not None:
        return poses.camera.image_size
    return None if keypoints is None else keypoints.image_size


def _scaled(placement: Placement | None, source: tuple[int, int] | None, size: tuple[int, int]) -> Placement | None:
    """Return a placement in pixels of a video that is not as large as the picture that it was made for."""
    if placement is None or source is None or source == size:
        return placement
    scale = np.array(size) / source
    if abs(scale[0] / scale[1] - 1) > 0.02:
        raise ShapeError(
            f"the poses are of a picture of {source[0]} x {source[1]} pixels, and the video has {size[0]} x {size[1]}; "
            "give the video that they came from"
        )
    radii = None if placement.radii is None else placement.radii * scale
    return Placement((placement.xy + 0.5) * scale - 0.5, radii, placement.how)


def _drawn(
    page: Page, frames: list[int], video: str | Path | None, progress: Callable[[int, int], None] | None
) -> Iterator[np.ndarray]:
    """Yield the pictures of some frames, in order."""
    first = page.people[0]
    times = [first.start_s + frame / first.fps for frame in frames]
    pictures = iter([None] * len(frames)) if video is None else _at(video, times, first.fps, max(page.panel))
    for done, (frame, picture) in enumerate(zip(frames, pictures, strict=True), 1):
        yield page.draw(frame, picture)
        if progress is not None:
            progress(done, len(frames))


def _at(video: str | Path, times: list[float], fps: float, longest_side: int) -> Iterator[np.ndarray]:
    """Yield the picture of a video that is shown at each of some increasing times; after its end the last one."""
    slack = _SLACK / fps
    last = None
    with open_video(video, Span(max(0.0, times[0] - 1.0 / fps - slack))) as opened:
        pictures = opened.pictures(longest_side=2 * longest_side)
        ahead = next(pictures, None)
        for time_s in times:
            while ahead is not None and ahead[0] <= time_s + slack:
                last, ahead = ahead[1], next(pictures, None)
            if last is None and ahead is not None:
                last = ahead[1]
            if last is None:
                raise DetectionError(
                    f"{video} has no picture at {time_s:.2f} s; give the video that the poses came from"
                )
            yield last


def _encode(temporary: Path, path: Path, size: tuple[int, int], fps: float, pictures: Iterator[np.ndarray]) -> None:
    """Write pictures (H, W, 3) as H.264 that every player plays."""
    av = pyav()
    try:
        with av.open(str(temporary.absolute()), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            stream.options = {"crf": "20", "preset": "veryfast"}
            for picture in pictures:
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode(None):
                container.mux(packet)
    except av.FFmpegError as error:
        raise OutputError(f"could not write {path}: {error.strerror}; no file was left there") from error
