"""People are told apart, followed through gaps and crossings, and errors of the detector are dropped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.errors import ShapeError
from poselift.track import Tracker, track_clip, track_people

OUTLINE = np.array([(0, 0), (30, 0), (60, 0), (10, 60), (50, 60), (10, 120), (50, 120), (30, -30)], float)
"""A person 150 pixels tall."""
NOBODY = np.empty((0, 0, 3))


def walk(frames: int, start: float, step: float, confidence: float = 0.9, y: float = 200) -> np.ndarray:
    """(T, 8, 3) a person walking sideways."""
    xy = OUTLINE + np.stack([start + step * np.arange(frames), np.full(frames, y)], -1)[:, None]
    return np.concatenate([xy, np.full((frames, len(OUTLINE), 1), confidence)], -1).astype(np.float32)


def assert_is(track: np.ndarray, person: np.ndarray, frames: slice = slice(None)) -> None:
    np.testing.assert_array_equal(track[frames], person[frames])


def one_by_one(person: np.ndarray, hidden: slice = slice(0)) -> list[np.ndarray]:
    """A clip of one person, who is out of sight in some frames."""
    detections = list(person[:, None])
    detections[hidden] = [NOBODY] * len(detections[hidden])
    return detections


def keypoints_of(detections: list[np.ndarray], fps: float) -> tuple[np.ndarray, ...]:
    return tuple(person.keypoints for person in track_people(detections, fps))


def people_at(*rows: list[float]) -> list[np.ndarray]:
    """For each frame one person at each x."""
    return [np.concatenate([walk(1, x, 0) for x in row]) if row else NOBODY for row in rows]


def frames_of(*rows: list[float], fps: float = 30, **options) -> list[list[int]]:
    return [track.frames for track in track_clip(people_at(*rows), np.arange(len(rows)) / fps, **options)]


@settings(max_examples=30, deadline=None)
@given(order=st.lists(st.permutations([0, 1, 2]), min_size=20, max_size=20))
def test_people_are_followed_in_whatever_order_they_come(order: list[list[int]]) -> None:
    people = [walk(20, 0, 5, 0.9), walk(20, 300, -3, 0.6), walk(20, 700, 0, 0.3)]
    tracks = keypoints_of([np.stack([people[i][t] for i in order[t]]) for t in range(20)], 30)
    assert len(tracks) == 3
    for track, person in zip(tracks, people, strict=True):
        assert_is(track, person)


def test_assert_is_notices_another_person() -> None:
    with pytest.raises(AssertionError):
        assert_is(walk(5, 0, 1), walk(5, 0, 2))


def test_people_who_cross_keep_their_tracks() -> None:
    right, left = walk(41, 0, 10, 0.9, y=200), walk(41, 400, -10, 0.5, y=230)
    tracks = keypoints_of(list(np.stack([left, right], 1)), 30)
    assert len(tracks) == 2
    assert_is(tracks[0], right)
    assert_is(tracks[1], left)


@pytest.mark.parametrize("fps", [25, 60, 240])
def test_a_person_out_of_sight_for_a_while_is_the_same_person(fps: int) -> None:
    person = walk(2 * fps, 0, 60 / fps)
    hidden = slice(fps // 2, fps // 2 + round(0.9 * fps))
    (track,) = keypoints_of(one_by_one(person, hidden), fps)
    assert np.isnan(track[hidden, :, :2]).all()
    assert (track[hidden, :, 2] == 0).all()
    assert_is(track, person, slice(hidden.stop, None))


@pytest.mark.parametrize("fps", [25, 60])
def test_a_person_who_returns_is_recognised_and_this_is_said(fps: int, caplog: pytest.LogCaptureFixture) -> None:
    """Back at the same place, with the same body."""
    person = walk(6 * fps, 0, 0)
    hidden = slice(fps, 5 * fps)
    (track,) = track_clip(one_by_one(person, hidden), np.arange(len(person)) / fps)
    assert track.away == ((fps - 1, 5 * fps),)
    assert len(keypoints_of(one_by_one(person, hidden), fps)) == 1
    assert f"first seen in frame 0 is out of sight from frame {fps - 1} to {5 * fps}: taken for the same" in caplog.text


def test_somebody_of_another_build_is_no_return() -> None:
    person = walk(180, 0, 0)
    legs = person[90:, 3:7, 1]
    person[90:, 3:7, 1] += 1.5 * (legs - legs.min())
    person[90:, 1] = person[90:, 0] + (15, 0, 0)  # narrow shoulders
    assert [track.frames[0] for track in track_clip(one_by_one(person, slice(30, 120)), np.arange(180) / 30)] == [
        0,
        120,
    ]


def test_nobody_is_recognised_after_half_a_minute() -> None:
    times_s = np.concatenate([np.arange(30), 1000 + np.arange(30)]) / 30
    assert len(track_clip(list(walk(60, 0, 0)[:, None]), times_s)) == 2


def test_where_it_is_doubtful_who_is_who_the_tracks_are_split_and_marked() -> None:
    """Two people of one build stand in one place, and nobody is found for a second."""
    people = np.stack([walk(150, 195, 0), walk(150, 205, 0)], 1)
    people[90:, :, :, 0] = people[90:, :, :, 0].mean(1, keepdims=True) + np.float32([[-8], [8]])
    people[90:, :, :, 1] += np.float32([[-8], [8]])
    detections = list(people)
    detections[60:90] = [NOBODY] * 30
    tracks = track_clip(detections, np.arange(150) / 30)
    assert [track.frames[0] for track in tracks] == [0, 0, 90, 90]
    assert [sorted(track.may_continue) for track in tracks] == [[], [], [0, 1], [0, 1]]
    people = track_people(detections, 30)
    late = [bool(np.isnan(person.keypoints[0, :, 0]).all()) for person in people]
    assert sorted(late) == [False, False, True, True]
    for person, starts_late in zip(people, late, strict=True):
        assert sorted(person.may_continue) == ([place for place in range(4) if not late[place]] if starts_late else [])


def test_a_jump_across_the_picture_is_somebody_else() -> None:
    person = walk(20, 0, 0)
    person[10:, :, 0] += 500
    tracks = keypoints_of(one_by_one(person), 30)
    assert len(tracks) == 2
    assert np.isnan(tracks[0][10:, :, :2]).all() != np.isnan(tracks[1][10:, :, :2]).all()


@pytest.mark.parametrize(("fps", "tracks"), [(60, 2), (5, 1)])
def test_what_a_body_can_cover_depends_on_the_time(fps: float, tracks: int) -> None:
    assert len(frames_of([0], [180], fps=fps)) == tracks


def test_a_walk_with_gaps_is_one_track_and_coming_back_continues_it() -> None:
    assert frames_of([0], [5], [], [15], [20]) == [[0, 1, 3, 4]]
    assert frames_of([0], [1], [1500], [1], [0]) == [[0, 1, 3, 4], [2]]


def test_a_wild_limb_is_no_jump() -> None:
    person = walk(3, 0, 0)
    person[1, :3, 0] += 2000
    assert len(keypoints_of(one_by_one(person), 30)) == 1


def test_a_wild_limb_does_not_exchange_people() -> None:
    left, right = walk(3, 0, 0), walk(3, 60, 0)
    left[1, :3, 0] += 200
    numbers = [track.places for track in track_clip(list(np.stack([left, right], 1)), np.arange(3) / 30)]
    assert numbers == [[0, 0, 0], [1, 1, 1]]


def test_nobody_is_pulled_away_from_where_they_are() -> None:
    """The newcomer, left of the first, is within its reach; and the first within that of one last seen on the right."""
    assert frames_of([0, 250], [0], [0], [0], [10, -150], fps=10) == [[0, 1, 2, 3, 4], [0], [4]]


def test_short_detections_are_dropped_but_never_all() -> None:
    person, ghost = walk(30, 0, 3), walk(30, 800, 0)
    detections = [person[t : t + 1] if t % 10 else np.stack([ghost[t], person[t]]) for t in range(30)]
    for t in (10, 20):
        detections[t] = detections[t][::-1] + (0, 400 * (t == 20), 0) * (np.arange(2) == 1)[:, None, None]
    tracks = keypoints_of(detections, 30)
    assert len(tracks) == 1
    assert_is(tracks[0], person)
    flicker = [walk(1, 1000 * t, 0) for t in range(12)]
    assert len(keypoints_of(flicker, 30)) == 1


@pytest.mark.parametrize(("fps", "frames", "people"), [(30, 4, 1), (30, 5, 2), (240, 30, 1), (240, 40, 2), (5, 2, 1)])
def test_how_long_people_must_be_seen(fps: float, frames: int, people: int) -> None:
    """A sixth of a second, and three frames."""
    person, other = walk(60, 0, 0), walk(60, 800, 0)
    detections = [np.stack([person[t], other[t]]) if t < frames else person[t : t + 1] for t in range(60)]
    assert len(keypoints_of(detections, fps)) == people


def test_everybody_in_one_picture_is_kept() -> None:
    picture = np.concatenate([walk(1, 0, 0, 0.4), walk(1, 400, 0, 0.8), walk(1, 800, 0, 0.6)])
    tracks = keypoints_of([picture], 30)
    assert [round(float(track[0, 0, 2]), 1) for track in tracks] == [0.8, 0.6, 0.4]


def test_size_and_resolution_do_not_matter() -> None:
    people = np.stack([walk(30, 0, 10), walk(30, 400, -10, 0.5, y=230)], 1)
    scaled = people * np.float32([0.01, 0.01, 1])
    assert len(keypoints_of(list(people), 30)) == len(keypoints_of(list(scaled), 30)) == 2


def test_few_common_joints_are_matched_by_the_center() -> None:
    people = np.stack([walk(20, 0, 1), walk(20, 200, 1)], 1)
    people[::2, :, :4, 2] = 0
    people[1::2, :, 4:, 2] = 0
    people[1::2] = people[1::2, ::-1]
    tracks = track_clip(list(people), np.arange(20) / 30)
    assert [track.places for track in tracks] == [[0, 1] * 10, [1, 0] * 10]


def test_zero_coordinates_without_confidence_are_unseen() -> None:
    person = walk(10, 100, 1)
    person[3, 2] = 0
    (track,) = keypoints_of(one_by_one(person), 30)
    assert np.isnan(track[3, 2, :2]).all()
    assert np.isfinite(np.delete(track[3], 2, axis=0)).all()


def test_nobody_gives_nobody() -> None:
    assert keypoints_of([], 30) == ()
    assert keypoints_of([NOBODY, np.zeros((1, 8, 3))], 30) == ()


@pytest.mark.parametrize(
    "detections", [[np.zeros((1, 8, 2))], [np.ones((1, 8, 3)), np.ones((1, 9, 3))], [np.ones((8, 3))]]
)
def test_other_shapes_are_refused(detections: list[np.ndarray]) -> None:
    with pytest.raises(ShapeError, match=r"\(people, joints, 3\)"):
        keypoints_of(detections, 30)


CROSSING = [[0, 300], [50, 250], [100, 200], [], [], [200, 100], [250, 50], [300, 0]]
"""Two people pass each other while they are out of sight, seen eight times a second."""


def places_of(*rows: list[float], ids: list[list[int | None]], fps: float = 8) -> list[list[float]]:
    """Where each person was, by the numbers of a file."""
    tracks = track_clip(people_at(*rows), np.arange(len(rows)) / fps, ids)
    return [[rows[frame][place] for frame, place in zip(t.frames, t.places, strict=True)] for t in tracks]


def test_ids_decide_who_is_who() -> None:
    bare = [[None] * len(row) for row in CROSSING]
    assert places_of(*CROSSING, ids=bare) == [[0, 50, 100, 200, 250, 300], [300, 250, 200, 100, 50, 0]]
    ids = [[4, 0], [4, 0], [4, 0], [], [], [0, 4], [0, 4], [0, 4]]  # they turn round
    assert places_of(*CROSSING, ids=ids) == [[0, 50, 100, 100, 50, 0], [300, 250, 200, 200, 250, 300]]


def test_ids_decide_over_distance_and_time() -> None:
    rows = [[0], *[[]] * 99, [5000]]
    assert places_of(*rows, ids=[[7], *[[]] * 99, [7]]) == [[0, 5000]]
    assert places_of([0], [0], ids=[[1], [2]]) == [[0], [0]]
    assert places_of([0], [1], [5000], ids=[[1], [None], [1]]) == [[0, 1, 5000]]


@pytest.mark.parametrize("id", [0, -1, None])
def test_where_all_ids_are_0_or_below_there_was_no_tracker(id: int | None) -> None:
    assert places_of([0], [5000], ids=[[id], [id]]) == [[0], [5000]]


def test_ids_that_tell_nobody_apart_are_not_believed() -> None:
    rows = [[0, 300], [0, 300], [300], [0], [0, 300]]
    assert places_of(*rows, ids=[[1] * len(row) for row in rows]) == [[0] * 4, [300] * 4]
    ids = [[1, 1], [1, 2], [2], [1], [1, 2]]  # but for once, they do
    assert places_of([0, 300], [300, 0], [0], [300], [300, 0], ids=ids) == [[0] * 4, [300] * 4]


def test_who_has_no_id_or_another_s_is_recognised_by_the_place() -> None:
    rows = [[0, 300]] * 7
    ids = [[None, 2], [1, 2], [1, None], [2, 2], [-1, -1], [1, 2], [1, 2]]
    assert places_of(*rows, ids=ids, fps=30) == [[0] * 7, [300] * 7]


def test_a_stream_is_followed_frame_by_frame() -> None:
    tracker = Tracker()
    assert tracker.step(NOBODY, 0.0) == []
    assert tracker.step(people_at([0, 300])[0], 0.1) == [0, 1]
    unseen = np.zeros((1, 8, 3))
    assert tracker.step(np.concatenate([unseen, *people_at([310, 900, 5])]), 0.2) == [None, 1, 2, 0]
    assert tracker.step(people_at([5])[0], 5.0) == [3]
    assert tracker.step(people_at([5, 2000])[0], 5.1, [None, 8]) == [3, 4]
    assert tracker.step(people_at([5])[0], 60.0, [8]) == [4]
    with pytest.raises(ShapeError, match="an id, or None, for each of 1 people, got 2"):
        tracker.step(people_at([5])[0], 60.1, [8, 9])
    with pytest.raises(ShapeError, match=r"\(people, joints, 3\) with 8 joints as before, got \(1, 9, 3\)"):
        tracker.step(np.ones((1, 9, 3)), 60.1)
