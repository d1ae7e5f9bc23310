"""The small copy of a video, on small files encoded here."""

from importlib import resources

import pytest

from poselift.detect.transcode import transcode
from poselift.detect.video import Span, probe, read_frames
from poselift.errors import OutputExistsError

from .test_video import HEIGHT, _bright_corner, write_video


def test_transcode_is_small_even_upright_and_keeps_times(tmp_path):
    av = pytest.importorskip("av", reason="needs the video extra")
    path = write_video(tmp_path / "a.mp4", [0, 40, 80, 200, 210], turn=90)
    out = tmp_path / "b.mp4"
    transcode(path, out, height=34)
    info = probe(out)
    assert (info.width, info.height, info.rotation) == (24, 34, 0)
    frames = list(read_frames(out))
    assert [time for time, _ in frames] == pytest.approx([0, 0.04, 0.08, 0.2, 0.21], abs=1e-3)
    assert _bright_corner(frames[0][1]) == (0, 1)
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.start_time) == ("h264", "yuv420p", 0)
        assert not stream.codec_context.has_b_frames
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "a browser needs the index first"


def test_transcode_never_enlarges_and_never_overwrites(tmp_path):
    path = write_video(tmp_path / "a.mp4", [0, 40])
    out = tmp_path / "b.mp4"
    transcode(path, out)
    assert probe(out).height == HEIGHT
    with pytest.raises(OutputExistsError):
        transcode(path, out)
    transcode(path, out, height=20, overwrite=True)
    assert probe(out).height == 20
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize(
    ("fps", "levels"),
    [(25, [100, 110, 120, 120, 120, 130]), (12.5, [100, 120, 120]), (50, [100, 100, 110, 110, *[120] * 6, 130])],
)
def test_transcode_to_a_constant_rate(tmp_path, fps, levels):
    path = write_video(tmp_path / "a.mp4", [0, 40, 80, 200])
    out = tmp_path / "b.mp4"
    transcode(path, out, fps=fps)
    frames = list(read_frames(out))
    assert [time for time, _ in frames] == pytest.approx([i / fps for i in range(len(levels))], abs=1e-3)
    assert [int(rgb[10, 10, 0]) for _, rgb in frames] == pytest.approx(levels, abs=6)


def test_transcode_of_a_part_starts_at_zero(tmp_path):
    path, out = write_video(tmp_path / "a.mp4", [0, 40, 80, 120, 160]), tmp_path / "b.mp4"
    transcode(path, out, span=Span(0.08, 0.16))
    frames = list(read_frames(out))
    assert [time for time, _ in frames] == pytest.approx([0, 0.04], abs=1e-3)
    assert [int(rgb[10, 10, 0]) for _, rgb in frames] == pytest.approx([120, 130], abs=6)


def test_transcode_holds_a_rate(tmp_path):
    pytest.importorskip("av", reason="needs the video extra")
    video = resources.files("poselift") / "data" / "demo_video.mp4"
    sizes = []
    for rate in (None, 40_000):
        out = tmp_path / f"{rate}.mp4"
        transcode(str(video), out, bits_a_second=rate)
        sizes.append(out.stat().st_size)
        assert len(list(read_frames(out))) == 30
    assert sizes[1] < 4 * 40_000 / 8 < sizes[0]  # a second may take what four seconds are given
