"""What numbers of keypoint files mean: unseen joints, scores, depths, pixels."""

import logging

import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats.clean import clean


@pytest.fixture
def person() -> np.ndarray:
    """(20, 17, 3) pixels and scores from 0.3 to 1 of somebody at (300, 400) who is 300 px high."""
    rng = np.random.default_rng(0)
    xy = rng.uniform((250, 250), (350, 550), (17, 2)) + rng.normal(0, 3, (20, 17, 2))
    return np.concatenate([xy, rng.uniform(0.3, 1, (20, 17, 1))], axis=-1)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("numbers", [2, 3])
def test_exactly_zero_is_unseen_whatever_the_score(
    person: np.ndarray, numbers: int, caplog: pytest.LogCaptureFixture
) -> None:
    person[3, 4, :2] = person[5, :6, :2] = 0
    first, second = clean([person[:10, :, :numbers], person[10:, :, :numbers]], "clip", None)
    assert np.isnan(first[..., 0]).sum() == 7
    assert np.isnan(first[3, 4, :2]).all()
    np.testing.assert_array_equal(second, person[10:, :, :numbers])
    assert said(caplog) == ["clip: 7 joints at exactly (0, 0) are taken as not seen"]


def test_zero_with_score_zero_goes_without_saying(person: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    person[3, 4] = 0
    (got,) = clean([person], "clip", None)
    assert np.isnan(got[3, 4, :2]).all()
    assert not caplog.records


def test_a_zero_in_one_coordinate_is_a_place(person: np.ndarray) -> None:
    person[3, 4, 0] = 0
    np.testing.assert_array_equal(clean([person], "clip", None)[0], person)


def test_who_passes_through_zero_in_other_units_is_seen(person: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    """Millimetres around a pelvis, and a foot that a walker on a plane puts on the origin."""
    rooted = (person[..., :2] - (300, 400)).round() * 5
    rooted[:, 0] = 0
    np.testing.assert_array_equal(clean([rooted], "clip", None)[0], rooted)
    walker = person[..., :2].round() - (300, 560)
    walker[..., 0] += np.linspace(-900, 900, 20)[:, None].round()
    walker[10, 3] = 0
    np.testing.assert_array_equal(clean([walker], "clip", None)[0], walker)
    assert not said(caplog)
    walker[0, 3] = 0  # the person is 900 away
    assert np.argwhere(np.isnan(clean([walker], "clip", None)[0]).any(-1)).tolist() == [[0, 3]]


def test_a_person_cut_by_the_left_edge_has_unseen_joints(person: np.ndarray) -> None:
    person[:10, :, 0] -= 300
    person[15, 2, :2] = 0
    assert np.argwhere(np.isnan(clean([person], "clip", None)[0][..., 0])).tolist() == [[15, 2]]


@pytest.mark.parametrize(("scale", "divided"), [(8.0, True), (255.0, True), (1.1, True)])
def test_scores_above_one_are_scaled(
    person: np.ndarray, scale: float, divided: bool, caplog: pytest.LogCaptureFixture
) -> None:
    scores = person[..., 2].copy()
    person[..., 2] *= scale
    got = clean([person], "clip", None)[0][..., 2]
    np.testing.assert_allclose(got, np.minimum(scores / np.quantile(scores, 0.95), 1))
    assert "divided by" in said(caplog)[0] and said(caplog)[0].endswith("cut to 1")


def test_a_single_score_above_one_is_cut(person: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    person[3, 4, 2] = 2.05
    got = clean([person], "clip", None)[0]
    assert got[3, 4, 2] == 1
    person[3, 4, 2] = 1
    np.testing.assert_array_equal(got, person)
    assert said(caplog) == ["clip: scores up to 2.05 are cut to 1"]


@pytest.mark.parametrize("joints", [1, 8])
def test_scores_below_zero_are_unseen(person: np.ndarray, joints: int, caplog: pytest.LogCaptureFixture) -> None:
    person[3, :joints, 2] = np.linspace(-0.003, -0.03, joints)
    got = clean([person], "clip", None)[0]
    assert np.isnan(got[..., 0]).sum() == joints
    assert (got[3, :joints, 2] == 0).all()
    assert not said(caplog)


def test_a_mark_below_zero_is_unseen(person: np.ndarray) -> None:
    person[:, :8, 2] = -1
    got = clean([person], "clip", None)[0]
    assert np.isnan(got[:, :8, 0]).all() and not np.isnan(got[:, 8:]).any()


def test_depths_are_no_scores(person: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    person[..., 2] -= 0.6
    np.testing.assert_array_equal(clean([person], "clip", None)[0], person[..., :2])
    assert "depth" in said(caplog)[0]


def test_shares_of_the_picture(person: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    shares = person[..., :2] / (640, 480)
    shares[..., 1] -= 0.6  # the upper edge cuts the head
    np.testing.assert_allclose(clean([shares], "clip", (640, 480))[0], person[..., :2] - (0, 288))
    assert "scaled to 640 x 480" in said(caplog)[0]
    with pytest.raises(
        FormatError, match=r"coordinates from .* are shares of .*--image-size WIDTH HEIGHT, image_size="
    ):
        clean([shares], "clip", None)


def test_small_coordinates_of_both_signs_are_no_shares(person: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    centred = (person[..., :2] - (300, 400)) / 500
    np.testing.assert_array_equal(clean([centred], "clip", (640, 480))[0], centred)
    assert "taken as they are" in said(caplog)[0]


@pytest.mark.parametrize(("size", "warns"), [(None, True), ((1920, 1080), True), ((96, 96), False)])
def test_per_cent(
    person: np.ndarray, size: tuple[int, int] | None, warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    per_cent = person[..., :2] / (6.4, 6.4)
    np.testing.assert_array_equal(clean([per_cent], "clip", size)[0], per_cent)
    assert [message.startswith("clip: no coordinate is above") for message in said(caplog)] == [True] * warns


def test_nobody_is_no_error(person: np.ndarray) -> None:
    assert np.isnan(clean([person * np.nan], "clip", None)[0][..., :2]).all()


@pytest.mark.parametrize("shape", [(20, 17), (20, 17, 4), (0, 17, 2), (20, 0, 2)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(FormatError, match="wanted keypoints"):
        clean([np.ones(shape)], "clip", None)
