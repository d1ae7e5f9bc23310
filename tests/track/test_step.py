"""In a stream, somebody new where somebody has just vanished waits for a number: mostly it is a detector's error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.track import Tracker

OUTLINE = np.array([(0, 0), (30, 0), (60, 0), (10, 60), (50, 60), (10, 120), (50, 120), (30, -30)], float)
"""A person 150 pixels tall."""
FPS = 25.0
HOLD_S = 0.2
"""Five frames."""


def person(x: float, scale: float = 1.0) -> np.ndarray:
    """(8, 3) a person whose middle is at x; a small scale is a body that has collapsed."""
    middle = OUTLINE.mean(0)
    xy = (OUTLINE - middle) * scale + middle + (x, 200)
    return np.concatenate([xy, np.full((len(OUTLINE), 1), 0.9)], -1).astype(np.float32)


def numbers(tracker: Tracker, frames: list[list[np.ndarray]], begin: int = 0, ids=None) -> list[list[int | None]]:
    """The numbers of the people of each frame."""
    found = []
    for number, people in enumerate(frames, begin):
        stacked = np.stack(people) if people else np.zeros((0, 8, 3), np.float32)
        found.append(tracker.step(stacked, number / FPS, ids))
    return found


BODY, BLOB, FAR = person(100), person(130, 0.1), person(600)


def test_a_body_that_collapses_for_a_moment_is_nobody_new() -> None:
    frames = [[BODY]] * 5 + [[BLOB]] + [[BODY]] * 3 + [[BLOB]] * 3 + [[BODY]] * 5
    assert len({n for (n,) in numbers(Tracker(), frames)}) > 1  # the case is one that matters
    tracker = Tracker(hold_s=HOLD_S)
    found = [n for (n,) in numbers(tracker, frames)]
    assert found == [0] * 5 + [None] + [0] * 3 + [None] * 3 + [0] * 5
    assert tracker.may_continue == {}


def test_frames_that_wait_are_told() -> None:
    tracker = Tracker(hold_s=HOLD_S)
    numbers(tracker, [[BODY]] * 5)
    assert tracker.held == set()
    tracker.step(np.stack([person(900), BLOB]), 5 / FPS)
    assert tracker.held == {0, 1}  # nobody whom it knows is left
    tracker.step(np.stack([BODY]), 6 / FPS)
    assert tracker.held == set()


def test_somebody_as_like_the_one_before_as_somebody_new_waits() -> None:
    """A clip gives them a track of their own at once, and decides later."""
    like = person(115, 0.3)
    in_clip, tracker = Tracker(), Tracker(hold_s=HOLD_S)
    assert numbers(in_clip, [[BODY]] * 5 + [[like]])[-1] == [1]
    assert in_clip.may_continue == {1: (0,)}  # the case is one of doubt
    assert numbers(tracker, [[BODY]] * 5 + [[like], [BODY]])[-2:] == [[None], [0]]
    assert tracker.may_continue == {}


def test_somebody_between_who_is_known_and_who_waits_is_who_is_known() -> None:
    tracker = Tracker(hold_s=HOLD_S)
    found = numbers(tracker, [[BODY]] * 5 + [[person(130, 0.3)], [person(115, 0.4)]])
    assert found[-2:] == [[None], [0]]
    assert tracker.may_continue == {}


def test_a_jump_that_stays_is_somebody_new_after_a_while_who_may_be_the_one_before() -> None:
    """As after a cut: at any place, when nobody else is seen."""
    tracker = Tracker(hold_s=HOLD_S)
    found = [n for (n,) in numbers(tracker, [[BODY]] * 5 + [[FAR]] * 8)]
    assert found == [0] * 5 + [None] * 5 + [1] * 3
    assert tracker.may_continue == {1: (0,)}


def test_after_a_cut_everybody_waits() -> None:
    tracker = Tracker(hold_s=HOLD_S)
    found = numbers(tracker, [[BODY]] * 5 + [[FAR, person(1000)]] * 6)
    assert found[5:] == [[None, None]] * 5 + [[1, 2]]


def test_who_waits_goes_on_waiting_when_the_other_is_back_beside_them() -> None:
    tracker = Tracker(hold_s=HOLD_S)
    found = numbers(tracker, [[BODY]] * 5 + [[FAR]] * 3 + [[BODY, FAR]] * 4)
    assert found[5:] == [[None]] * 3 + [[0, None]] * 2 + [[0, 1]] * 2


def test_the_one_who_waits_is_followed_while_moving() -> None:
    tracker = Tracker(hold_s=HOLD_S)
    moving = [[person(600 + 5 * t)] for t in range(8)]
    assert [n for (n,) in numbers(tracker, [[BODY]] * 5 + moving)] == [0] * 5 + [None] * 5 + [1] * 3


def test_somebody_new_beside_people_who_are_seen_has_a_number_at_once() -> None:
    tracker = Tracker(hold_s=HOLD_S)
    assert numbers(tracker, [[BODY]] * 5 + [[BODY, FAR]] * 2)[-2:] == [[0, 1]] * 2


def test_somebody_new_far_from_who_vanished_has_a_number_at_once_while_others_are_seen() -> None:
    tracker = Tracker(hold_s=HOLD_S)
    found = numbers(tracker, [[BODY, FAR]] * 5 + [[BODY, person(1200)]] * 2)
    assert found[-2:] == [[0, 2]] * 2


def test_somebody_new_at_the_place_of_who_vanished_waits_while_others_are_seen() -> None:
    tracker = Tracker(hold_s=HOLD_S)
    found = numbers(tracker, [[FAR, BODY]] * 5 + [[FAR, BLOB]] * 2 + [[FAR, BODY]] * 2)
    assert found == [[0, 1]] * 5 + [[0, None]] * 2 + [[0, 1]] * 2


def test_who_vanished_long_ago_makes_nobody_wait() -> None:
    tracker = Tracker(hold_s=HOLD_S)
    assert numbers(tracker, [[BODY]] * 5 + [[]] * 6 + [[BLOB]])[-1] == [1]


def test_who_was_waiting_is_forgotten_once_the_other_is_back() -> None:
    """Two moments of collapse, apart by less than the wait, are not one person of that age."""
    tracker = Tracker(hold_s=HOLD_S)
    frames = ([[BLOB]] * 3 + [[BODY]] * 2) * 3
    found = [n for (n,) in numbers(tracker, [[BODY]] * 5 + frames)]
    assert found == [0] * 5 + ([None] * 3 + [0] * 2) * 3


def test_who_has_a_number_from_the_source_does_not_wait() -> None:
    tracker = Tracker(hold_s=HOLD_S)
    numbers(tracker, [[BODY]] * 5, ids=[7])
    assert tracker.step(np.stack([FAR]), 5 / FPS, [8]) == [1]
    assert tracker.held == set()


def test_two_who_wait_do_not_both_become_the_one_who_is_known() -> None:
    tracker = Tracker(hold_s=HOLD_S)
    numbers(tracker, [[BODY]] * 3 + [[person(104, 0.372), person(120, 0.447)]])
    found = tracker.step(np.stack([person(101.6, 0.539), person(110.3, 0.57)]), 4 / FPS)
    assert sorted(found, key=str) == [0, None]


@settings(max_examples=150, deadline=None)
@given(
    frames=st.lists(
        st.lists(st.tuples(st.integers(90, 140), st.sampled_from([0.1, 0.2, 0.3, 0.4, 1.0])), max_size=4), max_size=12
    ),
    hold_s=st.sampled_from([0.0, HOLD_S]),
)
def test_nobody_is_in_a_frame_twice(frames: list[list[tuple[int, float]]], hold_s: float) -> None:
    tracker = Tracker(hold_s=hold_s)
    for found in numbers(tracker, [[BODY]] * 3 + [[person(*one) for one in people] for people in frames]):
        known = [number for number in found if number is not None]
        assert len(set(known)) == len(known) and -1 not in known


@pytest.mark.parametrize("hold_s", [0.0, HOLD_S])
def test_a_person_who_stays_keeps_the_number(hold_s: float) -> None:
    assert numbers(Tracker(hold_s=hold_s), [[person(100 + 3 * t)] for t in range(30)]) == [[0]] * 30
