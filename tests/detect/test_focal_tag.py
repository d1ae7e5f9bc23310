"""Focal lengths in files that are written here with PyAV, as phones and cameras write them."""

import io
from fractions import Fraction

import numpy as np
import pytest

from poselift.detect import detect_video
from poselift.detect.focal_tag import focal_of_tags, focal_px
from poselift.detect.video import probe

from .test_detect_video import CornerDetector
from .test_video import HEIGHT, WIDTH, _pictures, write_video

APPLE = "com.apple.quicktime.camera.focal_length.35mm_equivalent"


def tagged(path, tags, **options):
    av = pytest.importorskip("av", reason="needs the video extra")
    how = {"movflags": "use_metadata_tags"} if path.suffix != ".mkv" else {}
    with av.open(str(path), "w", options=how) as container:
        container.metadata.update(tags)
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in _pictures(av, [0, 40, 80]):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_the_equivalent_is_by_the_diagonal_and_of_wide_pictures_by_the_longer_side():
    diagonal = np.hypot(36, 24)
    assert focal_px(50, (3600, 2400)) == pytest.approx(5000)
    assert focal_px(26, (4000, 3000)) == pytest.approx(26 / diagonal * 5000)
    wide = 26 / (0.8 * diagonal) * 1920
    assert focal_px(26, (1920, 1080)) == pytest.approx(wide)
    assert focal_px(26, (1080, 1920)) == pytest.approx(wide)


@pytest.mark.parametrize("ending", [".mov", ".mp4", ".mkv"])
def test_a_phone_s_video_says_its_focal_length(tmp_path, ending):
    info = probe(tagged(tmp_path / f"a{ending}", {APPLE: "26", "com.apple.quicktime.make": "Apple"}))
    focal, said = info.focal
    assert focal == pytest.approx(focal_px(26, (WIDTH, HEIGHT)))
    assert said.lower() == f"26 mm in terms of 35 mm film by {APPLE}"


def test_a_picture_that_is_shown_turned_has_the_same_focal_length(tmp_path):
    size = (HEIGHT, WIDTH)
    assert focal_px(26, size) == focal_px(26, size[::-1])
    (person,) = detect_video(tagged(tmp_path / "a.mov", {APPLE: "26"}), detector=CornerDetector())
    assert person.footage.focal_px == pytest.approx(focal_px(26, (WIDTH, HEIGHT)))
    assert "26 mm" in person.footage.focal_source


@pytest.mark.parametrize("ending", [".mov", ".avi", ".mkv"])
def test_single_pictures_keep_their_exif(tmp_path, ending):
    av = pytest.importorskip("av", reason="needs the video extra")
    pillow = pytest.importorskip("PIL.Image")
    image = pillow.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    exif = image.getexif()
    exif.get_ifd(0x8769)[0xA405] = 35
    content = io.BytesIO()
    image.save(content, "JPEG", exif=exif)
    with av.open(str(tmp_path / f"a{ending}"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        for number in range(2):
            packet = av.Packet(content.getvalue())
            packet.pts = packet.dts = number
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 25), True
            container.mux(packet)
    focal, said = probe(tmp_path / f"a{ending}").focal
    assert focal == pytest.approx(focal_px(35, (WIDTH, HEIGHT)))
    assert "FocalLengthIn35mmFilm" in said


@pytest.mark.parametrize("value", ["", "0", "wide", "-26", "26 m", "nan", "1e9", "26/0", "9" * 500, "2"])
def test_values_that_no_lens_has_are_passed_over(value):
    assert focal_of_tags({APPLE: value}, (1920, 1080)) is None


@pytest.mark.parametrize("value", ["26", " 26 ", "26.0", "26 mm", "52/2"])
def test_values_in_several_forms(value):
    assert focal_of_tags({APPLE.upper(): value}, (1920, 1080))[0] == pytest.approx(focal_px(26, (1920, 1080)))


def test_files_without_it_say_nothing(tmp_path):
    assert probe(write_video(tmp_path / "a.mp4", [0, 40])).focal is None
    assert focal_of_tags({"encoder": "Lavf", "FocalLength": "4.2"}, (1920, 1080)) is None
