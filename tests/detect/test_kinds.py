"""Kinds of videos as cameras, editors and broadcasters write them, encoded here: each is read whole and exactly."""

import io
import os
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from poselift.detect import detect_video
from poselift.detect.container import PIXEL_FORMATS, RawVideo, StandardInput, opened
from poselift.detect.video import Span, open_video, probe, read_frames
from poselift.errors import DetectionError

from .test_detect_video import CornerDetector
from .test_video import write_video

WIDTH, HEIGHT, FPS = 96, 64, 25


def grey(frame: int) -> np.ndarray:
    """Picture number `frame`: one grey, which tells the pictures of a second apart, with a moving bright bar."""
    picture = np.full((HEIGHT, WIDTH, 3), 40 + 6 * (frame % 25), np.uint8)
    picture[:, 8 * (frame // 25) : 8 * (frame // 25) + 8] = 230
    return picture


def number(rgb: np.ndarray) -> int:
    """The number of the picture that `grey` painted."""
    second = int(rgb[:, :, 0].mean(0).reshape(-1, 8).mean(1).argmax())
    return 25 * second + round((float(np.median(rgb[..., 0])) - 40) / 6)


def encode(path: Path, frames: int, codec: str, pix_fmt: str = "yuv420p", paint=grey, **options: str) -> Path:
    av = pytest.importorskip("av", reason="needs the video extra")
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        first = paint(0)
        stream.width, stream.height, stream.pix_fmt = first.shape[1], first.shape[0], pix_fmt
        stream.options = options
        for i in range(frames):
            picture = av.VideoFrame.from_ndarray(paint(i), format="rgb24")
            picture.pts, picture.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


KINDS = {
    "h264 with B-frames": ("a.mp4", "libx264", "yuv420p", {"g": "50", "bf": "3", "crf": "8"}),
    "h264 with open groups": ("a.mkv", "libx264", "yuv420p", {"g": "25", "bf": "3", "x264-params": "open-gop=1"}),
    "h264 in a transport stream": ("a.ts", "libx264", "yuv420p", {"g": "30", "bf": "2", "crf": "8"}),
    "hevc": ("a.mp4", "libx265", "yuv420p", {"crf": "8", "x265-params": "log-level=none:keyint=40"}),
    "hevc of 10 bits": ("a.mov", "libx265", "yuv420p10le", {"crf": "8", "x265-params": "log-level=none:keyint=40"}),
    "vp9": ("a.webm", "libvpx-vp9", "yuv420p", {"crf": "10", "b:v": "0", "g": "30", "deadline": "realtime"}),
    "prores of 10 bits": ("a.mov", "prores_ks", "yuv422p10le", {}),
    "mpeg2": ("a.mpg", "mpeg2video", "yuv420p", {"b": "4000000", "g": "15", "bf": "2"}),
    "motion jpeg": ("a.avi", "mjpeg", "yuvj420p", {"q": "2"}),
}


@pytest.fixture(params=KINDS)
def kind(request, tmp_path):
    name, codec, pix_fmt, options = KINDS[request.param]
    return encode(tmp_path / name, 200, codec, pix_fmt, **options)


def test_every_picture_is_read_once_and_any_part_exactly(kind):
    whole = [(time_s, number(rgb)) for time_s, rgb in read_frames(kind)]
    assert [found for _, found in whole] == list(range(200))
    assert [time_s for time_s, _ in whole] == pytest.approx(np.arange(200) / FPS, abs=2e-3)
    for start, stop in ((0.0, 0.2), (1.0, 1.5), (5.5, 6.0), (6.02, None), (7.96, 9.0)):
        part = [(time_s, number(rgb)) for time_s, rgb in read_frames(kind, span=Span(start, stop))]
        wanted = [pair for pair in whole if start - 1e-6 <= pair[0] < (stop or 99) - 1e-6]
        assert [found for _, found in part] == [found for _, found in wanted]
        assert [time_s for time_s, _ in part] == pytest.approx([time_s for time_s, _ in wanted], abs=1e-6)


def test_a_late_start_does_not_decode_what_is_before(tmp_path, monkeypatch):
    from poselift.detect import video

    path, decoded = encode(tmp_path / "a.mp4", 400, "libx264", g="25"), []
    before = video._made_whole

    def counting(name, frames):
        for frame in before(name, frames):
            decoded.append(frame.time)
            yield frame

    monkeypatch.setattr(video, "_made_whole", counting)
    assert len(list(read_frames(path, span=Span(14.0, 15.0)))) == 25
    assert len(decoded) < 100


def test_a_part_that_is_not_there_is_named(tmp_path):
    path = encode(tmp_path / "a.mp4", 50, "libx264")
    with pytest.raises(DetectionError, match=r"no frame from 9 s on; its last frame that was read is at 1\.960 s"):
        list(read_frames(path, span=Span(9.0)))
    for start, stop, words in ((-1.0, None, "a start"), (float("nan"), None, "a start"), (2.0, 2.0, "an end")):
        with pytest.raises(DetectionError, match=f"wanted {words}"):
            Span(start, stop)


def test_the_frames_of_a_part_are_estimated(tmp_path):
    info = probe(encode(tmp_path / "a.mkv", 200, "libx264"))
    assert info.frames is None and info.frames_in(Span()) == pytest.approx(200, abs=2)
    assert info.frames_in(Span(2.0)) == pytest.approx(150, abs=2)
    assert info.frames_in(Span(2.0, 4.0)) == 50
    assert info.frames_in(Span(7.0, 99.0)) == pytest.approx(25, abs=2)


def comb(rgb: np.ndarray) -> float:
    """How much neighbouring lines differ more than lines two apart."""
    lines = rgb[..., 0].astype(float)
    return np.abs(lines[1:-1] - lines[2:]).mean() - np.abs(lines[:-2] - lines[2:]).mean()


def moving(frame: int) -> np.ndarray:
    """An interlaced picture of a bar that moves 12 pixels a field."""
    picture = np.zeros((128, 256, 3), np.uint8)
    for field in (0, 1):
        at = 10 + 12 * (2 * frame + field)
        picture[field::2, at : at + 40] = 220
    return picture


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_interlaced_pictures_are_made_whole(tmp_path, codec):
    options = {"x264-params": "tff=1", "crf": "5"} if codec == "libx264" else {"flags": "+ildct+ilme", "b": "9000000"}
    path = encode(tmp_path / "a.mkv", 8, codec, paint=moving, **options)
    with opened(path) as (container, _):
        frames = list(container.decode(video=0))
    if not any(frame.interlaced_frame for frame in frames):
        pytest.skip("this encoder did not mark its pictures as interlaced")
    stored = [frame.to_ndarray(format="rgb24") for frame in frames]
    read = list(read_frames(path))
    assert [time_s for time_s, _ in read] == pytest.approx(np.arange(8) / FPS, abs=2e-3)
    assert min(comb(rgb) for rgb in stored) > 5
    assert max(comb(rgb) for _, rgb in read) < 0.5 * min(comb(rgb) for rgb in stored)
    places = [
        float((rgb[..., 0] > 110).mean(0) @ np.arange(256)) / (rgb[..., 0] > 110).mean(0).sum() for _, rgb in read
    ]
    assert np.diff(places) == pytest.approx(24, abs=3), "every picture is that of its own time"


def test_4k_is_shrunk_for_the_detector_only(tmp_path):
    def large(frame):
        picture = np.zeros((2160, 3840, 3), np.uint8)
        picture[:1080, :1920] = 200
        return picture

    path = encode(tmp_path / "a.mp4", 2, "libx264", paint=large, preset="ultrafast")
    detector = CornerDetector()
    (person,) = detect_video(path, detector=detector)
    assert detector.shapes[0] == (1080, 1920, 3)
    assert person.image_size == (3840, 2160)
    assert person.xy[0].mean(0) == pytest.approx([960, 540], abs=3)


class Pipe:
    """A stream that gives a few bytes at a time and cannot be searched."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, 1000))


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.y4m", "rawvideo")])
def test_a_stream_is_read_from_front_to_back(tmp_path, name, codec):
    path = encode(tmp_path / name, 60, "wrapped_avframe" if name == "a.y4m" else codec)
    with open_video(Pipe(path.read_bytes()), Span(1.0)) as video:
        assert (video.info.width, video.info.height) == (WIDTH, HEIGHT)
        assert [number(rgb) for _, rgb in video.pictures()] == list(range(25, 60))


def test_raw_pictures_are_read_by_their_layout():
    pictures = [grey(frame) for frame in range(30)]
    data = b"".join(picture[..., ::-1].tobytes() for picture in pictures)
    with open_video(Pipe(data), raw=RawVideo("bgr24", (WIDTH, HEIGHT), 10.0)) as video:
        frames = list(video.pictures())
        assert video.info.fps == 10
    assert [time_s for time_s, _ in frames] == pytest.approx(np.arange(30) / 10)
    np.testing.assert_array_equal([rgb for _, rgb in frames], pictures)


@pytest.mark.parametrize("layout", PIXEL_FORMATS)
def test_every_layout_of_raw_pictures_is_known(layout):
    av = pytest.importorskip("av", reason="needs the video extra")
    frame = av.VideoFrame.from_ndarray(grey(3), format="rgb24").reformat(format=layout)
    data = b"".join(bytes(plane) for plane in frame.planes)
    with open_video(Pipe(data), raw=RawVideo(layout, (WIDTH, HEIGHT), 30.0)) as video:
        ((_, rgb),) = video.pictures()
    assert np.abs(rgb.astype(int) - grey(3)).mean() < 4


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (("rgb25", (4, 4), 30.0), "layout of raw pictures as one of rgb24"),
        (("rgb24", (0, 4), 30.0), "up to 35,389,440 pixels"),
        (("rgb24", (90_000, 90_000), 30.0), "got 90000 x 90000"),
        (("rgb24", (4, 4), 0.0), "wanted a frame rate"),
    ],
)
def test_raw_pictures_that_cannot_be_are_refused(fields, words):
    with pytest.raises(DetectionError, match=words):
        RawVideo(*fields)


@pytest.mark.parametrize("content", [b"", b"hello\n" * 500, bytes(range(256)) * 20])
def test_a_stream_that_is_no_video_is_refused(content):
    pytest.importorskip("av", reason="needs the video extra")
    with pytest.raises(DetectionError, match=r"cannot read the stream as a video .*--raw rgb24"):
        probe(Pipe(content))


def test_standard_input_can_be_left_while_it_waits():
    """A thread waits for bytes that never come."""
    code = (
        "import threading\nfrom poselift.detect.container import StandardInput\n"
        "stdin = StandardInput()\nthread = threading.Thread(target=stdin.read, args=(9,))\n"
        "thread.start()\nstdin.close()\nthread.join()\nprint('left', stdin.read(9))\n"
    )
    reader, writer = os.pipe()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=reader, capture_output=True, text=True, timeout=60,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
    finally:
        os.close(reader)
        os.close(writer)
    assert done.stdout == "left b''\n", done.stderr


def test_without_standard_input_there_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "__stdin__", None)
    with pytest.raises(DetectionError, match="no standard input"):
        StandardInput()


@pytest.mark.parametrize("text", ["#EXTM3U\n#EXTINF:1,\ninner.ts\n", "ffconcat version 1.0\nfile inner.mp4\n"])
def test_playlists_are_no_videos_whatever_they_are_called(tmp_path, text):
    write_video(tmp_path / "inner.mp4", [0, 40])
    for name in ("list.mp4", "list.ts"):
        (tmp_path / name).write_text(text)
        with pytest.raises(DetectionError, match="as a video"):
            probe(tmp_path / name)
    with pytest.raises(DetectionError, match="as a video"):
        probe(Pipe(text.encode()))


def test_nothing_goes_on_after_the_reading(tmp_path):
    before = threading.active_count()
    detect_video(write_video(tmp_path / "a.mp4", [0, 40, 80]), detector=CornerDetector())
    assert threading.active_count() == before
