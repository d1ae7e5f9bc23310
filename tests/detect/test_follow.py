"""Tracks from detections: a person does not jump."""

import numpy as np
import pytest

from poselift.detect.follow import follow

BODY = np.random.default_rng(0).uniform(0, 100, (33, 3)).astype(np.float32)
"""A body about 100 pixels high."""


def body(x: float) -> np.ndarray:
    return BODY + np.array([x, 0, 0], np.float32)


def frames_of(places: list[list[float]], fps: float = 30) -> list[list[int]]:
    people = [np.array([body(x) for x in row], np.float32).reshape(-1, 33, 3) for row in places]
    return [track.frames for track in follow(people, np.arange(len(places)) / fps)]


def test_nobody_gives_no_track():
    assert frames_of([[], []]) == []


def test_a_walk_with_gaps_is_one_track():
    assert frames_of([[0], [5], [], [15], [20]]) == [[0, 1, 3, 4]]


def test_a_jump_starts_another_track_and_the_longest_comes_first():
    assert frames_of([[0], [1], [900], [901], [902]]) == [[2, 3, 4], [0, 1]]


def test_coming_back_continues_the_first_track():
    assert frames_of([[0], [1], [900], [1], [0]]) == [[0, 1, 3, 4], [2]]


def test_two_people_stay_apart_whatever_their_order():
    places = [[0, 400], [402, 3], [6, 404], [9]]
    people = [np.array([body(x) for x in row], np.float32) for row in places]
    first, second = follow(people, np.arange(4) / 30)
    assert [round(float(points[:, 0].min() - BODY[:, 0].min())) for points in first.keypoints] == [0, 3, 6, 9]
    assert [round(float(points[:, 0].min() - BODY[:, 0].min())) for points in second.keypoints] == [400, 402, 404]


@pytest.mark.parametrize(("fps", "tracks"), [(60, 2), (5, 1)])
def test_what_a_body_can_cover_depends_on_the_time(fps, tracks):
    assert len(frames_of([[0], [120]], fps)) == tracks


def test_a_wild_limb_is_no_jump():
    wild = body(0)
    wild[:5, 0] += 2000
    assert len(follow([body(0)[None], wild[None], body(0)[None]], np.arange(3) / 30)) == 1
