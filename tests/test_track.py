"""People are told apart, followed through gaps and crossings, and errors of the detector are dropped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.errors import ShapeError
from poselift.track import track_people

OUTLINE = np.array([(0, 0), (30, 0), (60, 0), (10, 60), (50, 60), (10, 120), (50, 120), (30, -30)], float)


def walk(frames: int, start: float, step: float, confidence: float = 0.9, y: float = 200) -> np.ndarray:
    """(T, 8, 3) a person walking sideways."""
    xy = OUTLINE + np.stack([start + step * np.arange(frames), np.full(frames, y)], -1)[:, None]
    return np.concatenate([xy, np.full((frames, len(OUTLINE), 1), confidence)], -1).astype(np.float32)


def assert_is(track: np.ndarray, person: np.ndarray, frames: slice = slice(None)) -> None:
    np.testing.assert_array_equal(track[frames], person[frames])


@settings(max_examples=30, deadline=None)
@given(order=st.lists(st.permutations([0, 1, 2]), min_size=20, max_size=20))
def test_people_are_followed_in_whatever_order_they_come(order: list[list[int]]) -> None:
    people = [walk(20, 0, 5, 0.9), walk(20, 300, -3, 0.6), walk(20, 700, 0, 0.3)]
    tracks = track_people([np.stack([people[i][t] for i in order[t]]) for t in range(20)])
    assert len(tracks) == 3
    for track, person in zip(tracks, people, strict=True):
        assert_is(track, person)


def test_assert_is_notices_another_person() -> None:
    with pytest.raises(AssertionError):
        assert_is(walk(5, 0, 1), walk(5, 0, 2))


def test_people_who_cross_keep_their_tracks() -> None:
    right, left = walk(41, 0, 10, 0.9, y=200), walk(41, 400, -10, 0.5, y=230)
    tracks = track_people(list(np.stack([left, right], 1)))
    assert len(tracks) == 2
    assert_is(tracks[0], right)
    assert_is(tracks[1], left)


def test_a_person_out_of_sight_for_a_while_is_the_same_person() -> None:
    person = walk(40, 0, 2)
    detections = [person[t : t + 1] for t in range(40)]
    detections[10:20] = [np.empty((0, 0, 3))] * 10
    tracks = track_people(detections)
    assert len(tracks) == 1
    assert np.isnan(tracks[0][10:20, :, :2]).all()
    assert (tracks[0][10:20, :, 2] == 0).all()
    assert_is(tracks[0], person, slice(20, None))


def test_a_person_out_of_sight_for_long_is_somebody_new() -> None:
    person = walk(60, 0, 0)
    detections = [person[t : t + 1] for t in range(60)]
    detections[10:50] = [np.empty((0, 0, 3))] * 40
    assert len(track_people(detections)) == 2
    assert len(track_people(detections, patience=40)) == 1


def test_a_jump_across_the_picture_is_somebody_else() -> None:
    person = walk(20, 0, 0)
    person[10:, :, 0] += 500
    tracks = track_people([person[t : t + 1] for t in range(20)])
    assert len(tracks) == 2
    assert np.isnan(tracks[0][10:, :, :2]).all() != np.isnan(tracks[1][10:, :, :2]).all()


def test_short_detections_are_dropped_but_never_all() -> None:
    person, ghost = walk(30, 0, 3), walk(30, 800, 0)
    detections = [person[t : t + 1] if t % 10 else np.stack([ghost[t], person[t]]) for t in range(30)]
    for t in (10, 20):
        detections[t] = detections[t][::-1] + (0, 400 * (t == 20), 0) * (np.arange(2) == 1)[:, None, None]
    tracks = track_people(detections, patience=2)
    assert len(tracks) == 1
    assert_is(tracks[0], person)
    flicker = [walk(1, 1000 * t, 0) for t in range(12)]
    assert len(track_people(flicker)) == 1


def test_everybody_in_one_picture_is_kept() -> None:
    picture = np.concatenate([walk(1, 0, 0, 0.4), walk(1, 400, 0, 0.8), walk(1, 800, 0, 0.6)])
    tracks = track_people([picture])
    assert [round(float(track[0, 0, 2]), 1) for track in tracks] == [0.8, 0.6, 0.4]


def test_size_and_resolution_do_not_matter() -> None:
    people = np.stack([walk(30, 0, 10), walk(30, 400, -10, 0.5, y=230)], 1)
    scaled = people * np.float32([0.01, 0.01, 1])
    assert len(track_people(list(people))) == len(track_people(list(scaled))) == 2


def test_few_common_joints_are_matched_by_the_center() -> None:
    person = walk(20, 0, 1)
    person[::2, :4, 2] = 0
    person[1::2, 4:, 2] = 0
    tracks = track_people([person[t : t + 1] for t in range(20)])
    assert len(tracks) == 1


def test_zero_coordinates_without_confidence_are_unseen() -> None:
    person = walk(10, 100, 1)
    person[3, 2] = 0
    (track,) = track_people([person[t : t + 1] for t in range(10)])
    assert np.isnan(track[3, 2, :2]).all()
    assert np.isfinite(np.delete(track[3], 2, axis=0)).all()


def test_nobody_gives_nobody() -> None:
    assert track_people([]) == ()
    assert track_people([np.empty((0, 0, 3)), np.zeros((1, 8, 3))]) == ()


@pytest.mark.parametrize(
    "detections", [[np.zeros((1, 8, 2))], [np.ones((1, 8, 3)), np.ones((1, 9, 3))], [np.ones((8, 3))]]
)
def test_other_shapes_are_refused(detections: list[np.ndarray]) -> None:
    with pytest.raises(ShapeError, match=r"\(people, joints, 3\)"):
        track_people(detections)
