"""The path from video to keypoints, with a detector that finds the bright quarter of the test video."""

import logging

import numpy as np
import pytest

from poselift.detect import detect_video
from poselift.errors import DetectionError
from poselift.skeleton import MEDIAPIPE_33

from .test_video import HEIGHT, WIDTH, write_video


class CornerDetector:
    """All joints within ten pixels of the middle of the bright quarter, its brightness as x offset."""

    skeleton = MEDIAPIPE_33

    def __init__(self, *, seen=lambda frame: True, jump_at=()):
        self.seen, self.jump_at = seen, jump_at
        self.times, self.shapes = [], []

    def __call__(self, rgb, time_s):
        frame = len(self.times)
        self.times.append(time_s)
        self.shapes.append(rgb.shape)
        if not self.seen(frame):
            return np.zeros((0, 33, 3), np.float32)
        rows, columns = np.nonzero(rgb[..., 0] > 50)
        middle = np.array([columns.mean() + 0.5, rows.mean() + 0.5, 0.9])
        spread = np.linspace(-5, 5, 33)[:, None] * [1, 1, 0]
        moved = [1000 if frame in self.jump_at else time_s * 10, 0, 0]
        return (middle + spread + moved)[None].astype(np.float32)


def test_positions_are_source_pixels_of_the_upright_picture(tmp_path, monkeypatch):
    monkeypatch.setattr("poselift.detect._LONGEST_SIDE", 32)
    detector = CornerDetector()
    (person,) = detect_video(write_video(tmp_path / "a.mp4", [0, 40, 80], turn=90), detector=detector)
    assert detector.shapes == [(32, 24, 3)] * 3
    assert person.image_size == (HEIGHT, WIDTH)
    assert person.fps == pytest.approx(25)
    assert person.skeleton is MEDIAPIPE_33
    # The quarter sits in the upper right of a 48 x 64 portrait: its middle is (36, 16).
    assert person.xy[0].mean(0) == pytest.approx([36, 16], abs=1.5)
    assert person.confidence == pytest.approx(0.9)


def test_frames_without_the_person_hold_nan_and_zero(tmp_path):
    detector = CornerDetector(seen=lambda frame: frame != 1)
    (person,) = detect_video(write_video(tmp_path / "a.mp4", [0, 40, 80]), detector=detector)
    assert person.seen.all(1).tolist() == [True, False, True]
    assert np.isnan(person.xy[1]).all()
    assert not person.confidence[1].any()


def test_nobody_is_an_error(tmp_path):
    path = write_video(tmp_path / "a.mp4", [0, 40])
    with pytest.raises(DetectionError, match="no person was found in any of the 2 frames"):
        detect_video(path, detector=CornerDetector(seen=lambda frame: False))


def test_uneven_times_become_even(tmp_path):
    times = [0, 40, 80, 120, 400]
    (person,) = detect_video(write_video(tmp_path / "a.mp4", times), detector=CornerDetector())
    assert person.fps == pytest.approx(10)
    x = person.xy[..., 0].mean(1)
    assert x - x[0] == pytest.approx([0, 1, 2, 3, 4], abs=0.05)  # 10 pixels a second, seen at 10 frames a second


def test_small_unevenness_is_left_alone(tmp_path):
    (person,) = detect_video(write_video(tmp_path / "a.mp4", [0, 33, 67, 100]), detector=CornerDetector())
    assert person.fps == pytest.approx(30)
    assert np.diff(person.xy[..., 0].mean(1)) == pytest.approx([0.33, 0.34, 0.33], abs=1e-4)


def test_a_jump_is_left_out_and_logged(tmp_path, caplog):
    detector = CornerDetector(jump_at=(2,))
    with caplog.at_level(logging.WARNING):
        (person,) = detect_video(write_video(tmp_path / "a.mp4", [0, 40, 80, 120]), detector=detector)
    assert person.seen.all(1).tolist() == [True, True, False, True]
    assert "kept the one seen longest (3 frames) and left out 1 frames of 1 other" in caplog.text


def test_one_frame_keeps_the_nominal_rate(tmp_path):
    (person,) = detect_video(write_video(tmp_path / "a.mp4", [0]), detector=CornerDetector())
    assert len(person) == 1
    assert person.fps > 0


def test_progress(tmp_path):
    calls = []
    path = write_video(tmp_path / "a.mp4", [0, 40])
    detect_video(path, detector=CornerDetector(), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
