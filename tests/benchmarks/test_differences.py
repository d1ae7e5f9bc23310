"""Intervals by hand, and what is said of them."""

import math

import pytest
from differences import against, mean_and_spread, paired


def test_an_interval_by_hand():
    """Three differences: 4.303 times their standard deviation, over the root of three."""
    gap = paired([-1.0, -2.0, -3.0])
    assert (gap.mean, gap.seeds) == (-2, 3)
    assert gap.half == pytest.approx(4.302653 / math.sqrt(3), rel=1e-5)
    assert str(gap) == "-2.0 ± 2.5"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([-1.0, -2.0, -3.0], "within noise"),
        ([-1.8, -2.0, -2.2], "helps"),
        ([1.8, 2.0, 2.2], "hurts"),
        ([-1.9, -2.1], "helps"),
        ([-1.5, -2.5], "within noise"),  # two seeds: nine standard deviations
        ([-40.0], "one seed, no verdict"),
        ([0.0, 0.0, 0.0], "within noise"),
    ],
)
def test_verdicts(values, verdict):
    assert paired(values).verdict == verdict


def test_a_row_is_measured_against_the_bases_own_spread():
    """One run against three that lie 1 mm apart: a new run lies within 4.303 * sqrt(4 / 3) of their mean."""
    base = [40.0, 41.0, 42.0]
    gap = against([45.0], base)
    assert (gap.mean, gap.seeds) == (4, 1)
    assert gap.half == pytest.approx(4.302653 * math.sqrt(4 / 3), rel=1e-5)
    assert gap.verdict == "within noise"
    assert against([47.0], base).verdict == "hurts"
    assert against([35.0], base).verdict == "helps"
    assert against([35.0], [41.0]).verdict == "one seed, no verdict"


def test_mean_and_spread():
    assert mean_and_spread([40.0]) == "40.0"
    assert mean_and_spread([40.0, 41.0, 42.0]) == "41.0 ± 1.0"
    assert mean_and_spread([1.234], 2) == "1.23"
