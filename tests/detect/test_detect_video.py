"""The path from video to keypoints, with a detector that finds the bright quarter of the test video."""

import threading

import numpy as np
import pytest

from poselift.detect import detect_video
from poselift.detect.video import Span
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


def test_a_jump_is_somebody_else_and_a_flicker_is_nobody(tmp_path):
    detector = CornerDetector(jump_at=(2,))
    (person,) = detect_video(write_video(tmp_path / "a.mp4", [0, 40, 80, 120]), detector=detector)
    assert person.seen.all(1).tolist() == [True, True, False, True]
    assert person.person is None


class Crowd:
    """People whose hips walk along lines: each (first second, last second, x, pixels a second, height in pixels)."""

    skeleton = MEDIAPIPE_33

    def __init__(self, *walks):
        self.walks = walks
        rng = np.random.default_rng(0)
        shape = rng.uniform(-0.5, 0.5, (33, 2))
        self.shape = (shape - (shape.min(0) + shape.max(0)) / 2).astype(np.float32)

    def __call__(self, rgb, time_s):
        there = [
            np.c_[self.shape * height + (x + speed * (time_s - first), 500), np.full(33, 0.9)]
            for first, last, x, speed, height in self.walks
            if first <= time_s < last
        ]
        return np.array(there, np.float32).reshape(-1, 33, 3)


def of_seconds(path, seconds, fps=10):
    return write_video(path, [1000 * frame // fps for frame in range(round(seconds * fps))])


def test_everybody_is_found_numbered_by_how_long_they_are_seen(tmp_path):
    crowd = Crowd((0, 2, 100, 0, 80), (0, 4, 1000, 0, 80), (1, 4, 2000, 10, 80))
    people = detect_video(of_seconds(tmp_path / "a.mp4", 4), detector=crowd)
    assert [person.person for person in people] == [1, 2, 3]
    assert [int(person.seen.all(1).sum()) for person in people] == [40, 30, 20]
    assert [len(person) for person in people] == [40] * 3
    assert [np.nanmean(person.xy[..., 0]) for person in people] == pytest.approx([1000, 2014.5, 100], abs=9)
    assert np.diff(people[1].xy[10:, :, 0].mean(1)) == pytest.approx(1, abs=0.01)


def test_seven_people_are_seven(tmp_path):
    crowd = Crowd(*((0, 2, 1000 * place, 0, 80) for place in range(7)))
    people = detect_video(of_seconds(tmp_path / "a.mp4", 2), detector=crowd)
    assert [person.person for person in people] == list(range(1, 8))
    assert all(person.seen.all() for person in people)


def test_passers_by_are_left_out_and_named_unless_they_are_wanted(tmp_path, caplog):
    crowd = Crowd((0, 4, 100, 0, 80), (1.5, 2.2, 2000, 0, 80))
    path = of_seconds(tmp_path / "a.mp4", 4)
    (person,) = detect_video(path, detector=crowd)
    assert person.person is None, "somebody who is alone needs no number"
    assert "1 person(s) seen for less than 1 s passed by and are left out (--shortest 0 keeps them)" in caplog.text
    assert "0.70 s from 1.50 s on, first at pixel 2000,500" in caplog.text
    assert [person.person for person in detect_video(path, detector=crowd, shortest_s=0.5)] == [1, 2]


def test_in_a_short_clip_half_of_the_time_is_enough(tmp_path):
    path = of_seconds(tmp_path / "a.mp4", 1)
    people = detect_video(path, detector=Crowd((0, 1, 100, 0, 80), (0.3, 0.9, 2000, 0, 80)))
    assert len(people) == 2


def test_small_people_are_lifted_with_a_warning(tmp_path, caplog):
    (person,) = detect_video(of_seconds(tmp_path / "a.mp4", 1), detector=Crowd((0, 1, 100, 0, 30)))
    assert person.seen.all()
    assert "the person is about 29 pixels high; below 64 the joints are rough" in caplog.text


def test_a_part_keeps_the_clock_of_the_whole(tmp_path):
    path = of_seconds(tmp_path / "a.mp4", 4)
    (person,) = detect_video(path, detector=Crowd((0, 4, 0, 100, 80)), span=Span(1.0, 3.0))
    (whole,) = detect_video(path, detector=Crowd((0, 4, 0, 100, 80)))
    assert (len(person), person.start_s) == (20, 1.0)
    np.testing.assert_allclose(person.xy, whole.xy[10:30], atol=1e-3)


class Interrupting(Crowd):
    """Ctrl-C after some frames."""

    def __call__(self, rgb, time_s):
        if time_s > 2:
            raise KeyboardInterrupt
        return super().__call__(rgb, time_s)


def test_what_was_detected_is_kept_when_the_work_is_interrupted(tmp_path):
    path, kept = of_seconds(tmp_path / "a.mp4", 4), []
    walks = (0, 4, 100, 0, 80), (0, 4, 900, 0, 80)
    with pytest.raises(KeyboardInterrupt):
        detect_video(path, detector=Interrupting(*walks), keep=lambda *given: kept.append(given))
    ((people, complete),) = kept
    assert not complete
    assert [(person.person, len(person)) for person in people] == [(1, 21), (2, 21)]
    assert people[0].xy == pytest.approx(detect_video(path, detector=Crowd(*walks))[0].xy[:21])


def test_nothing_is_kept_where_nobody_was_seen_before_the_interruption(tmp_path):
    path, kept = of_seconds(tmp_path / "a.mp4", 4), []
    with pytest.raises(KeyboardInterrupt):
        detect_video(path, detector=Interrupting(), keep=lambda *given: kept.append(given))
    assert kept == []


def test_what_was_kept_is_what_is_returned(tmp_path):
    kept = []
    path = of_seconds(tmp_path / "a.mp4", 1)
    people = detect_video(path, detector=Crowd((0, 1, 0, 0, 80)), keep=lambda *given: kept.append(given))
    assert kept == [(people, True)]


def test_a_broken_detector_ends_the_decoding(tmp_path):
    class Broken(Crowd):
        def __call__(self, rgb, time_s):
            raise ZeroDivisionError

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        detect_video(of_seconds(tmp_path / "a.mp4", 4), detector=Broken())
    assert threading.active_count() == before


def test_one_frame_keeps_the_nominal_rate(tmp_path):
    (person,) = detect_video(write_video(tmp_path / "a.mp4", [0]), detector=CornerDetector())
    assert len(person) == 1
    assert person.fps > 0


def test_progress(tmp_path):
    calls = []
    path = write_video(tmp_path / "a.mp4", [0, 40])
    detect_video(path, detector=CornerDetector(), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
