"""Video reading and writing, on small files encoded here."""

import builtins
import logging
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from poselift.detect import container
from poselift.detect.video import LONGEST_S, probe, read_frames
from poselift.errors import DetectionError, MissingExtraError, install_hint

WIDTH, HEIGHT = 64, 48
TURNS = {  # degrees clockwise: the matrix a b c d of the QuickTime track header, x' = a x + c y, y' = b x + d y
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}


def write_video(path: Path, times_ms: list[int], *, turn: int = 0, audio: bool = False) -> Path:
    """An mp4 whose stored picture is black with a bright upper left quarter; brightness grows with the frame."""
    av = pytest.importorskip("av", reason="needs the video extra")
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac" if audio else "libx264", rate=44100 if audio else 25)
        if not audio:
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.options = {"bf": "0", "crf": "10"}
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for frame in _silence(av) if audio else _pictures(av, times_ms):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    if turn:
        old, new = (_matrix(TURNS[degrees]) for degrees in (0, turn))
        at = data.index(old, data.index(b"tkhd"))
        path.write_bytes(data[:at] + new + data[at + len(old) :])
    return path


def _matrix(entries: tuple[int, ...]) -> bytes:
    a, b, c, d = (int(entry * 0x10000).to_bytes(4, "big", signed=True) for entry in entries)
    zero = bytes(4)
    return a + b + zero + c + d + zero


def _pictures(av, times_ms):
    for i, time_ms in enumerate(times_ms):
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        picture[: HEIGHT // 2, : WIDTH // 2] = min(100 + 10 * i, 250)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
        yield frame


def _silence(av):
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
    frame.sample_rate, frame.pts = 44100, 0
    yield frame


def test_info_of_a_plain_video(tmp_path):
    info = probe(write_video(tmp_path / "a.mp4", list(range(0, 400, 40))))
    assert (info.width, info.height, info.frames, info.rotation) == (WIDTH, HEIGHT, 10, 0)
    assert info.fps == pytest.approx(25)
    assert info.duration_s == pytest.approx(0.4, abs=0.05)


def test_a_playlist_is_no_video(tmp_path):
    """FFmpeg tells formats by their content, and would open the file that this one names."""
    write_video(tmp_path / "inner.mp4", [0, 40])
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile inner.mp4\n")
    with pytest.raises(DetectionError, match="cannot read .*list.mp4 as a video"):
        probe(tmp_path / "list.mp4")


def test_another_ending_and_a_colon_in_the_name_do_no_harm(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_video(tmp_path / "clip.avi", [0, 40]).rename("http:clip.avi")
    assert len(list(read_frames(path.name))) == 2


def test_metadata_that_is_no_text_is_passed_over(tmp_path):
    av = pytest.importorskip("av", reason="needs the video extra")
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "holiday"
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in _pictures(av, [0, 40]):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert b"holiday" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"holiday", b"h\xff\xfeiday"))
    assert probe(path).width == WIDTH
    assert len(list(read_frames(path))) == 2


def test_pictures_beyond_the_limit_are_refused(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", [0, 40])
    monkeypatch.setattr(container, "LARGEST_PICTURE", WIDTH * HEIGHT)
    assert probe(path).width == WIDTH
    monkeypatch.setattr(container, "LARGEST_PICTURE", WIDTH * HEIGHT - 1)
    with pytest.raises(DetectionError, match="pictures of 64 x 48 pixels, more than the 3,071 .*-vf scale"):
        probe(path)


def test_a_few_bytes_that_ask_for_gigabytes_are_refused(tmp_path):
    pytest.importorskip("av", reason="needs the video extra")
    size = (30000).to_bytes(2, "little") * 2
    picture = b"\x2c" + bytes(4) + size + b"\x00" + b"\x02\x02\x44\x01\x00"
    (tmp_path / "huge.gif").write_bytes(b"GIF89a" + size + b"\x80\x00\x00" + bytes(6) + picture + b";")
    with pytest.raises(DetectionError, match="larger than 8K|30000 x 30000"):
        probe(tmp_path / "huge.gif")


def test_videos_beyond_the_limit_are_refused(tmp_path):
    late_ms = round(1000 * LONGEST_S) + 1000
    path = write_video(tmp_path / "a.mp4", [0, 40, late_ms])
    message = "a.mp4 is 24 hours long by its times, more than the 24 .* -vf setpts"
    with pytest.raises(DetectionError, match=message):
        list(read_frames(path))
    with pytest.raises(DetectionError, match=message):
        probe(path)


def test_a_coding_that_is_not_known_is_named(tmp_path):
    path = write_video(tmp_path / "a.mp4", [0, 40])
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(DetectionError, match="coded in a way that PyAV cannot decode"):
        probe(path)


def test_frames_and_times(tmp_path):
    frames = list(read_frames(write_video(tmp_path / "a.mp4", [0, 40, 80, 200, 210])))
    assert [time for time, _ in frames] == pytest.approx([0, 0.04, 0.08, 0.2, 0.21])
    levels = [int(rgb[10, 10, 0]) for _, rgb in frames]
    assert levels == pytest.approx([100, 110, 120, 130, 140], abs=4)
    assert all(rgb.shape == (HEIGHT, WIDTH, 3) and rgb.dtype == np.uint8 for _, rgb in frames)


def test_times_count_from_the_first_frame(tmp_path):
    times = [time for time, _ in read_frames(write_video(tmp_path / "a.mp4", [1000, 1040, 1080]))]
    assert times == pytest.approx([0, 0.04, 0.08])


# Where the stored upper left quarter is seen after a clockwise turn: (rows, columns) as halves.
@pytest.mark.parametrize(("turn", "corner"), [(0, (0, 0)), (90, (0, 1)), (180, (1, 1)), (270, (1, 0))])
def test_rotation_is_applied(tmp_path, turn, corner):
    path = write_video(tmp_path / "a.mp4", [0, 40], turn=turn)
    info = probe(path)
    portrait = turn in (90, 270)
    assert info.rotation == turn
    assert (info.width, info.height) == ((HEIGHT, WIDTH) if portrait else (WIDTH, HEIGHT))
    _, rgb = next(read_frames(path))
    assert rgb.shape[:2] == (info.height, info.width)
    assert rgb.flags.c_contiguous
    assert _bright_corner(rgb) == corner


def _bright_corner(rgb: np.ndarray) -> tuple[int, int]:
    height, width = rgb.shape[:2]
    quarters = rgb[: height // 2 * 2, : width // 2 * 2].reshape(2, height // 2, 2, width // 2, 3).mean((1, 3, 4))
    row, column = np.unravel_index(quarters.argmax(), (2, 2))
    assert np.sort(quarters.ravel())[-2] < 20
    return int(row), int(column)


def test_longest_side_shrinks_and_never_enlarges(tmp_path):
    path = write_video(tmp_path / "a.mp4", [0, 40], turn=90)
    assert next(read_frames(path, longest_side=32))[1].shape == (32, 24, 3)
    assert next(read_frames(path, longest_side=1000))[1].shape == (64, 48, 3)


@pytest.mark.parametrize("content", [b"", b"hello\n" * 50, bytes(range(256)) * 20])
def test_not_a_video(tmp_path, content):
    pytest.importorskip("av", reason="needs the video extra")
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    for read in (probe, lambda p: next(read_frames(p))):
        with pytest.raises(DetectionError, match="cannot read .*a.mp4 as a video"):
            read(path)


def test_missing_folder_and_sound(tmp_path):
    pytest.importorskip("av", reason="needs the video extra")
    with pytest.raises(DetectionError, match="does not exist"):
        probe(tmp_path / "none.mp4")
    with pytest.raises(DetectionError, match="is a folder"):
        probe(tmp_path)
    with pytest.raises(DetectionError, match="no video, only: audio"):
        probe(write_video(tmp_path / "sound.mp4", [], audio=True))


def test_zero_frames(tmp_path):
    path = write_video(tmp_path / "a.mp4", [0])
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    path.write_bytes(data[:start] + bytes(len(data[start : data.index(b"moov")])) + data[data.index(b"moov") :])
    with pytest.raises(DetectionError, match="no picture that can be decoded"):
        list(read_frames(path))


def test_damaged_end_keeps_the_start(tmp_path, caplog):
    path = write_video(tmp_path / "a.mp4", list(range(0, 2000, 40)))
    data = path.read_bytes()
    moov = data.index(b"moov")
    path.write_bytes(data[: moov - 404] + b"\xff" * 400 + data[moov - 4 :])
    with caplog.at_level(logging.WARNING):
        count = len(list(read_frames(path)))
    assert 0 < count < 50
    assert "damaged" in caplog.text


def test_missing_pyav_names_the_command(tmp_path, monkeypatch):
    real = builtins.__import__

    def without_av(name, *args, **kwargs):
        if name == "av":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_av)
    with pytest.raises(MissingExtraError, match=re.escape(install_hint("video"))):
        probe(tmp_path / "a.mp4")
