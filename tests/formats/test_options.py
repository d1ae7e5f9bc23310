import pytest

from poselift.errors import FormatError
from poselift.formats.options import UNITS, FileOptions


def test_units_pinned():
    assert {unit: round(FileOptions(unit=unit).units_per_m, 4) for unit in UNITS} == {
        "cm": 100, "m": 1, "mm": 1000, "in": 39.3701,
    }  # fmt: skip
    for unit in UNITS:  # a micrometre shows
        assert 10.0 ** -FileOptions(unit=unit).decimals <= UNITS[unit] * 1e-6 * 1.0001


@pytest.mark.parametrize(
    ("choice", "message"),
    [({"rig": "mixamoo"}, "unknown rig 'mixamoo'; did you mean 'mixamo'"), ({"unit": "km"}, "unknown unit 'km'")],
)
def test_unknown_choices_are_refused(choice, message):
    with pytest.raises(FormatError, match=message):
        FileOptions(**choice)
