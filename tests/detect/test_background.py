"""The background of pictures made here: blurred noise, a window of it, and somebody in front."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from poselift.detect.background import LOOKS_A_SECOND, Background
from poselift.footage import MOVED, Footage

RNG = np.random.default_rng(0)
WORLD = gaussian_filter(RNG.normal(size=(600, 1400)), 3)
WORLD = np.clip(128 + 40 * WORLD / WORLD.std(), 0, 255).astype(np.uint8)
SIZE = (640, 360)
NOBODY = np.zeros((0, 17, 3), np.float32)


def picture(x: float, y: float = 100, noise: float = 0.0) -> np.ndarray:
    """(360, 640, 3) of the world from a place on."""
    part = WORLD[round(y) : round(y) + SIZE[1], round(x) : round(x) + SIZE[0]].astype(float)
    part = part + RNG.normal(0, noise, part.shape) if noise else part
    return np.repeat(np.clip(part, 0, 255).astype(np.uint8)[..., None], 3, 2)


def moved(places, *, fps=10, people=NOBODY, noise=0.0, change=lambda number, rgb: rgb) -> float | None:
    background = Background()
    for number, (x, y) in enumerate(places):
        background.add(number / fps, change(number, picture(x, y, noise)), people)
    return background.moved


def person(x: float, y: float, width: float, height: float) -> np.ndarray:
    """(1, 17, 3) keypoints that fill a box."""
    xy = RNG.uniform(0, 1, (17, 2))
    xy = (xy - xy.min(0)) / np.ptp(xy, axis=0)
    return np.c_[xy * [width, height] + [x, y], np.ones(17)][None].astype(np.float32)


@pytest.mark.parametrize("noise", [0.0, 12.0])
def test_a_camera_at_rest_does_not_move(noise):
    assert moved([(300, 100)] * 30, noise=noise) < 0.003


@pytest.mark.parametrize("step", [(8.0, 0.0), (-8.0, 0.0), (0.0, 4.0)])
def test_a_pan_is_as_long_as_it_is(step):
    x, y = step
    places = [(300 + x * number, 60 + y * number) for number in range(31)]
    assert moved(places) == pytest.approx(30 * np.hypot(x, y) / SIZE[0], rel=0.05)


def test_a_pan_there_and_back_is_measured_at_its_farthest():
    places = [(300 + 120 * np.sin(2 * np.pi * number / 40), 100) for number in range(41)]
    assert moved(places) == pytest.approx(120 / SIZE[0], rel=0.1)


def test_trembling_is_allowed():
    places = [(300 + dx, 100 + dy) for dx, dy in RNG.normal(0, 3, (40, 2))]
    assert Footage(moved=moved(places)).moves is False


def test_zooming_is_movement():
    """The middle stays, everything else goes outward."""

    def zoomed(number: int, rgb: np.ndarray) -> np.ndarray:
        factor = 1 + 0.01 * number
        rows, columns = (((np.arange(side) - side / 2) / factor + side / 2).astype(int) for side in rgb.shape[:2])
        return rgb[rows][:, columns]

    assert moved([(300, 100)] * 31, change=zoomed) > MOVED


def test_somebody_who_walks_past_does_not_count():
    """A box of stripes goes through the picture, and covers a third of it."""

    def walked(number: int, rgb: np.ndarray) -> np.ndarray:
        rgb = rgb.copy()
        rgb[40:340, 10 * number : 10 * number + 200] = WORLD[:300, 900:1100, None]
        return rgb

    background = Background()
    for number in range(40):
        background.add(number / 10, walked(number, picture(300)), person(10 * number, 40, 200, 300))
    assert background.moved < 0.003


def test_a_picture_full_of_somebody_or_of_nothing_says_nothing():
    assert moved([(300, 100)] * 10, people=person(0, 0, 640, 360)) is None
    assert moved([(300, 100)] * 10, change=lambda _, rgb: np.full_like(rgb, 90)) is None
    assert moved([(300, 100)]) is None
    assert Footage().moves is None


def test_light_that_changes_is_no_movement():
    assert moved([(300, 100)] * 20, change=lambda number, rgb: (rgb * (1 - 0.02 * number)).astype(np.uint8)) < 0.003


def test_it_looks_ten_times_a_second_whatever_the_rate(monkeypatch):
    looks = []
    monkeypatch.setattr("poselift.detect.background._look", lambda small, people: looks.append(1) or _Nothing())
    background = Background()
    for number in range(121):
        background.add(number / 60, picture(300), NOBODY)
    assert len(looks) == pytest.approx(2 * LOOKS_A_SECOND, abs=1)


class _Nothing:
    usable = np.zeros(18, bool)


def test_very_small_pictures_and_another_size_are_no_trouble():
    background = Background()
    background.add(0.0, np.zeros((20, 30, 3), np.uint8), NOBODY)
    background.add(0.1, np.zeros((20, 30, 3), np.uint8), NOBODY)
    background.add(0.2, picture(300), NOBODY)
    background.add(0.3, picture(300), NOBODY)
    background.add(0.4, picture(300), NOBODY)
    assert background.moved < 0.003
