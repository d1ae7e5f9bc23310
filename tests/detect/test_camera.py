"""Cameras: the driver that makes pictures by itself stands in for one."""

import numpy as np
import pytest

from poselift.detect.camera import camera_pictures, is_camera
from poselift.errors import DetectionError

av = pytest.importorskip("av", reason="needs the video extra")


@pytest.mark.skipif("lavfi" not in av.formats_available, reason="this PyAV makes no pictures")
def test_pictures_carry_the_time_at_which_they_came():
    moments = iter([50.0, 50.04, 50.09, 50.2])
    source = "testsrc=size=64x48:rate=30:duration=0.12"
    found = list(camera_pictures(source, driver="lavfi", clock=lambda: next(moments)))
    np.testing.assert_allclose([time_s for time_s, _ in found], [0.0, 0.04, 0.09, 0.2][: len(found)], atol=1e-9)
    assert len(found) >= 3
    assert all(rgb.shape == (48, 64, 3) and rgb.dtype == np.uint8 and np.ptp(rgb) > 100 for _, rgb in found)


def test_a_camera_that_is_not_there_is_refused_with_what_to_do():
    with pytest.raises(DetectionError, match=r"cannot open the camera 97 .*--input 1"):
        next(camera_pictures("97"))


@pytest.mark.parametrize(
    ("name", "camera"), [("0", True), ("/dev/video2", True), ("video=Webcam", True), ("clip.mp4", False), ("-", False)]
)
def test_names_of_cameras(name, camera):
    assert is_camera(name) == camera
