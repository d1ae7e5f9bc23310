"""Foot strikes and offs."""

import numpy as np
import pytest

from poselift.formats.events import foot_events
from poselift.sequence import Poses3D


def walk(contact: np.ndarray, fps: float = 50.0, gap: np.ndarray | None = None) -> Poses3D:
    return Poses3D(np.zeros((len(contact), 17, 3)), "H36M_17", fps, contact=contact, gap=gap)


def stance(*frames: tuple[int, int], length: int = 100) -> np.ndarray:
    at = np.zeros(length)
    for first, last in frames:
        at[first : last + 1] = 0.9
    return at


def test_a_stance_begins_with_the_heel_and_ends_with_the_toe() -> None:
    heel, toe, none = stance((20, 40), (80, 99)), stance((30, 50), (85, 99)), np.zeros(100)
    left = foot_events(walk(np.stack([heel, toe, none, none], -1)))
    assert [(e.side, e.kind, e.frame, e.time_s) for e in left] == [
        ("left", "strike", 20, 0.4), ("left", "off", 51, 1.02), ("left", "strike", 80, 1.6)
    ]  # fmt: skip
    both = foot_events(walk(np.stack([heel, toe, none, stance((0, 9), (60, 70))], -1)))
    assert [(e.side, e.kind, e.frame) for e in both] == [
        ("right", "off", 10), ("left", "strike", 20), ("left", "off", 51), ("right", "strike", 60),
        ("right", "off", 71), ("left", "strike", 80),
    ]  # fmt: skip


def test_flickering_contacts_make_no_events() -> None:
    heel = stance((20, 40))
    heel[30:32] = heel[70] = 0.1
    heel[71] = 0.9
    none = np.zeros(100)
    assert [(e.kind, e.frame) for e in foot_events(walk(np.stack([heel, none, none, none], -1)))] == [
        ("strike", 20), ("off", 41)
    ]  # fmt: skip
    slow = foot_events(walk(np.stack([stance((20, 21)), none, none, none], -1), fps=10.0))
    assert len(slow) == 2  # two frames are 0.2 s here


@pytest.mark.parametrize("gap", [(30, 35), (15, 25), (45, 60)])
def test_nobody_saw_what_happens_at_a_gap(gap: tuple[int, int]) -> None:
    none = np.zeros(100)
    poses = walk(np.stack([stance((20, 50)), none, none, none], -1), gap=stance(gap) > 0)
    wanted = {(30, 35): [("strike", 20), ("off", 51)], (15, 25): [("off", 51)], (45, 60): [("strike", 20)]}[gap]
    assert [(e.kind, e.frame) for e in foot_events(poses)] == wanted


def test_without_contacts_there_are_none() -> None:
    assert foot_events(Poses3D(np.zeros((5, 17, 3)), "H36M_17", 50.0)) == []
