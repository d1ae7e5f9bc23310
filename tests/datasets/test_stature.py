import numpy as np
import pytest

from poselift.datasets import stature as module
from poselift.datasets.stature import UNITS_M, guess_unit, leg_length, stature, unit_metres
from poselift.errors import FormatError


def test_leg_and_stature_of_a_body(body):
    assert leg_length(body[None]) == pytest.approx(np.hypot(0.04, 0.45) + np.hypot(0.06, 0.42))
    assert 1.65 < stature(body[None]) < 1.75  # its crown is at 1.67 m, its ankle at 0.08 m
    assert stature(2 * body[None]) == pytest.approx(2 * stature(body[None]))


def test_stature_does_not_depend_on_the_pose(walk):
    assert stature(walk(40).xyz) == pytest.approx(stature(walk(1).xyz), abs=1e-3)


@pytest.mark.parametrize(
    ("leg", "unit"),
    [(0.85, "m"), (85, "cm"), (850, "mm"), (33.5, "inch"), (15.1, "cmu"), (52.7, "cm"), (42, "cm"), (0.5, "m")],
)
def test_the_unit_makes_the_legs_a_persons(leg, unit):
    assert guess_unit(leg) == unit


def test_no_length_of_legs_fits_two_units():
    legs = np.geomspace(0.001, 10000, 20000)
    fitting = [
        [unit for unit, (least, most) in module._GUESSED.items() if least <= leg * UNITS_M[unit] <= most]
        for leg in legs
    ]
    assert max(map(len, fitting)) == 1
    assert {unit for units in fitting for unit in units} == {"m", "cm", "mm", "inch", "cmu"}


@pytest.mark.parametrize(
    ("leg", "hint"), [(2.79, "0.85 m in ft"), (8.5, "0.85 m in dm"), (170, "1.7 m in cm"), (0, "")]
)
def test_legs_that_tell_no_unit_are_refused_with_what_they_could_be(leg, hint):
    with pytest.raises(FormatError, match=r"fit no unit .* \(unit, --unit\)") as error:
        guess_unit(leg)
    assert hint in str(error.value)


def test_units_by_name_and_by_number():
    assert unit_metres("inch") == ("inch", 0.0254)
    assert unit_metres("0.025") == unit_metres(0.025) == ("0.025 m", 0.025)
    for wrong in ("centimetre", "0", "-1", "nan", "inf", 0.0):
        with pytest.raises(FormatError, match=r"wanted a unit of length .* \(unit, --unit\), got '"):
            unit_metres(wrong)
