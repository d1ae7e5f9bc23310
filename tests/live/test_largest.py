"""The largest person of each frame is one stream."""

import numpy as np

from poselift.live.largest import LargestPerson


def person(x: float, size: float, confidence: float = 0.9) -> np.ndarray:
    """(4, 3) the corners of a square."""
    corners = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], np.float32) * size + (x, 0)
    return np.concatenate([corners, np.full((4, 1), confidence)], 1).astype(np.float32)


def taken(largest: LargestPerson, *people: np.ndarray) -> int | None:
    """The place of the person who was taken; None for nobody."""
    frame = np.stack(people)
    found = largest(frame)
    places = [place for place, one in enumerate(frame) if np.array_equal(one, found, equal_nan=True)]
    return places[0] if places else None


def test_the_largest_is_taken_in_whatever_order_they_come() -> None:
    assert taken(LargestPerson(), person(0, 50), person(300, 100), person(600, 80)) == 1
    assert taken(LargestPerson(), person(300, 100), person(0, 50)) == 0


def test_it_stays_with_a_person_while_another_is_hardly_larger() -> None:
    largest = LargestPerson()
    assert taken(largest, person(0, 100), person(300, 90)) == 0
    assert taken(largest, person(5, 95), person(300, 120)) == 0
    assert taken(largest, person(5, 95), person(300, 150)) == 1
    assert taken(largest, person(5, 120), person(300, 150)) == 1


def test_joints_that_were_not_seen_do_not_count() -> None:
    hidden = person(0, 500)
    hidden[1:, 2] = 0
    infinite = person(900, 500)
    infinite[1:] = np.nan
    assert taken(LargestPerson(), hidden, person(300, 100), infinite) == 1


def test_nobody_gives_nothing() -> None:
    largest = LargestPerson()
    assert not largest(np.zeros((0, 4, 3))).any()
    assert not largest(person(0, 100, confidence=0.0)[None]).any()
    assert taken(largest, person(0, 100)) == 0
