"""Crops of a picture: where they lie, what is in them, and how they follow a person."""

import math

import numpy as np
import pytest

from poselift.detect.crops import Crop, CropFilter, cut, shrink


def ramp(height, width):
    """A picture whose red is the column, green the row, and blue 7 everywhere."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.full_like(rows, 7)], -1).astype(np.uint8)


def test_a_crop_of_two_points():
    crop = Crop.of_points(np.array([50, 80]), np.array([50, 60]))
    assert (crop.x_px, crop.y_px, crop.side_px, crop.angle_rad) == pytest.approx((50, 80, 50, 0))
    lying = Crop.of_points(np.array([50, 80]), np.array([70, 80]))  # the head to the right
    assert lying.angle_rad == pytest.approx(math.pi / 2)
    above = lying.to_picture(np.array([0.5, 0.1]))
    assert above == pytest.approx([70, 80])  # the point is two fifths of the side above the centre


def test_a_straight_crop_holds_its_pixels():
    picture = cut(ramp(100, 120), Crop(60, 50, 40, 0.0), 40, 40)
    assert picture.dtype == np.float32
    assert picture[0, 0] == pytest.approx([40, 30, 7], abs=1e-3)
    assert picture[39, 39] == pytest.approx([79, 69, 7], abs=1e-3)


@pytest.mark.parametrize("angle_rad", [0.0, 0.4, -2.0, math.pi / 2])
def test_what_is_seen_at_a_place_lies_there(angle_rad):
    """A pixel of a crop shows the place to which `to_picture` takes it: places read off the ramp's colors."""
    crop = Crop(61.3, 48.7, 55.5, angle_rad)
    picture = cut(ramp(200, 200), crop, 64, 64)
    rows, columns = np.mgrid[:64, :64] / 64
    places = crop.to_picture(np.stack([columns, rows], -1))
    assert picture[..., :2] == pytest.approx(places, abs=0.02)
    assert picture[..., 2] == pytest.approx(7, abs=1e-3)


def test_beyond_the_picture_its_border_goes_on():
    picture = cut(ramp(20, 30), Crop(0, 0, 100, 0.0), 50, 50)
    assert picture[0, 0] == pytest.approx([0, 0, 7])
    assert picture[49, 49] == pytest.approx([29, 19, 7], abs=1e-3)
    assert picture[49, 0] == pytest.approx([0, 19, 7], abs=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_the_smallest_pictures(shape):
    picture = cut(np.full((*shape, 3), 50, np.uint8), Crop(0.5, 0.5, 3, 0.3), 8, 8)
    assert (picture == 50).all()


def test_a_view_of_a_larger_picture():
    """Pictures may be parts of others, or turned: what counts is what they show."""
    whole = ramp(60, 90)
    crop = Crop(20, 15, 20, 0.2)
    part = whole[10:50, 20:80]
    assert (cut(part, crop, 16, 16) == cut(part.copy(), crop, 16, 16)).all()
    turned = np.rot90(whole)
    assert (cut(turned, crop, 16, 16) == cut(turned.copy(), crop, 16, 16)).all()


@pytest.mark.parametrize("times", [1, 2, 3, 4, 7])
def test_shrinking_keeps_middles_in_place(times):
    small = shrink(ramp(60, 90), times)
    assert small.shape == (60 // times, 90 // times, 3)
    rows, columns = np.mgrid[: small.shape[0], : small.shape[1]]
    middle = (times - 1) / 2
    assert np.abs(small[..., 0] - (columns * times + middle)).max() <= 1
    assert np.abs(small[..., 1] - (rows * times + middle)).max() <= 1


def test_shrinking_sees_no_single_bright_pixels():
    """Every second column is white: what is left must be gray, not a moiré of black and white."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(shrink(stripes, 2).astype(int) - 128).max() <= 1


def test_a_crop_outside_the_picture_is_known():
    assert Crop(50, 50, 20, 0.0).meets(100, 100)
    assert Crop(-10, 50, 20, 0.0).meets(100, 100)
    assert not Crop(-30, 50, 20, 0.0).meets(100, 100)
    assert not Crop(50, 50, 0.5, 0.0).meets(100, 100)
    assert not Crop(50, 50, 900, 0.0).meets(100, 100)
    assert not Crop(math.nan, 50, 20, 0.0).meets(100, 100)


def test_the_filter_holds_still_what_trembles_and_follows_what_moves():
    rng = np.random.default_rng(0)
    still, filter = np.array([[100.0, 200.0], [100.0, 100.0]]), CropFilter()
    trembling = [filter(still + rng.normal(0, 1, (2, 2))) for _ in range(60)]
    assert np.std(trembling[20:], axis=0).max() < 0.35
    filter = CropFilter()
    moving = [filter(still + 10 * frame) for frame in range(60)]
    assert np.abs(moving[-1] - (still + 590)).max() < 10  # less than a frame behind


def test_the_filter_counts_in_sizes_of_the_person():
    rng = np.random.default_rng(0)
    path = np.cumsum(rng.normal(0, 3, (40, 1, 2)), 0) + np.array([[100.0, 200.0], [100.0, 100.0]])
    small, large = CropFilter(), CropFilter()
    for points in path:
        assert large(points * 5) == pytest.approx(small(points) * 5)
