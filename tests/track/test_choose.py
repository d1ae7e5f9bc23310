"""Pieces are given to whom they fit best, and what another choice would change is found."""

import numpy as np

from poselift.track.choose import choose

NEW = 8.0


def table(count: int, **costs: float) -> np.ndarray:
    """Costs of pieces following each other: `a_b=1` for the second following the first."""
    cost = np.full((count, count), np.inf)
    for pair, value in costs.items():
        before, after = (ord(name) - ord("a") for name in pair.split("_"))
        cost[before, after] = value
    return cost


def clear(*yes: bool) -> np.ndarray:
    return np.array(yes)


def test_each_piece_follows_the_one_that_costs_least_in_all() -> None:
    cost = table(4, a_c=-2, a_d=-3, b_c=3, b_d=-2.5)
    made = choose(cost, NEW, 1.0, clear(True, True, True, True))
    assert made.following == {0: 2, 1: 3}
    assert made.doubts == {}


def test_a_link_that_another_nearly_replaces_is_left_out_and_named() -> None:
    cost = table(5, a_c=-2, b_d=-2, a_d=-1.8, b_c=-1.9, d_e=-9)
    made = choose(cost, NEW, 1.0, clear(True, True, True, True, True))
    assert made.following == {3: 4}
    assert made.doubts == {2: [0, 1], 3: [1, 0]}


def test_whose_an_unclear_piece_is_makes_no_doubt() -> None:
    """The piece c, one detection made of two people, may be the first one's or the second one's."""
    cost = table(5, a_d=-3, b_e=-3, a_c=1.3, c_d=2.9, b_c=0.9, c_e=2.3, a_e=9, b_d=9)
    made = choose(cost, NEW, 1.5, clear(True, True, False, True, True))
    assert made.doubts == {}
    assert made.following == {0: 3, 1: 2, 2: 4}
    sure = choose(cost, NEW, 1.5, clear(True, True, True, True, True))
    assert set(sure.doubts) == {2, 3, 4}


def test_a_doubt_behind_the_next_best_choice_is_found() -> None:
    """Next best is to leave out the unclear piece c; only the one after that exchanges people."""
    cost = table(5, a_c=-1, c_d=-1, a_d=-9, b_e=-3, a_e=-5, b_d=-6)
    made = choose(cost, NEW, 3.0, clear(True, True, False, True, True))
    assert made.doubts == {3: [0, 1], 4: [1, 0]}


def test_somebody_who_may_be_new_is_doubtful() -> None:
    assert choose(table(2, a_b=7.5), NEW, 1.0, clear(True, True)).doubts == {1: [0]}
    assert choose(table(2, a_b=6.5), NEW, 1.0, clear(True, True)).following == {0: 1}
    assert choose(table(2, a_b=8.5), NEW, 1.0, clear(True, True)).following == {}


def test_a_piece_that_may_be_either_of_two_people_is_left_out_of_both() -> None:
    """The unclear piece c is a hair likelier to be the first one's; the clear pieces on both sides are no doubt."""
    cost = table(5, a_c=0.9, c_d=0.9, b_c=1.2, c_e=1.0, a_d=-3, b_e=-3)
    trusting = choose(cost, NEW, 1.0, clear(True, True, False, True, True), vague=0.0)
    assert 2 in trusting.following.values()
    careful = choose(cost, NEW, 1.0, clear(True, True, False, True, True), vague=0.7)
    assert careful.following == {0: 3, 1: 4}
    assert careful.doubts == {2: [0, 1]}


def test_what_is_left_out_may_be_the_last_or_the_first_of_a_person() -> None:
    last = choose(table(3, a_c=1, b_c=1.5), NEW, 1.0, clear(True, True, False), vague=0.7)
    assert (last.following, last.doubts) == ({}, {2: [0, 1]})
    sure = choose(table(3, a_c=1, b_c=2.5), NEW, 1.0, clear(True, True, False), vague=0.7)
    assert (sure.following, sure.doubts) == ({0: 2}, {})
