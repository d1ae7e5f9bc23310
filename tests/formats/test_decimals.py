import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.formats.decimals import decimal_rows

NUMBERS = st.floats(-1e6, 1e6)


@given(rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=5), decimals=st.integers(1, 6))
def test_rows_are_those_of_python(rows, decimals):
    """Python rounds the decimal value of a number, this its product with a power of ten: the last digit may differ."""
    written = decimal_rows(np.array(rows), decimals)
    assert len(written) == len(rows)
    for line, row in zip(written, rows, strict=True):
        words = line.decode("ascii").split(" ")
        assert [len(word.partition(".")[2]) for word in words] == [decimals] * 3
        np.testing.assert_allclose([float(word) for word in words], row, rtol=1e-14, atol=0.500001 * 10.0**-decimals)
        assert [word.lstrip("-") for word in words] == [f"{abs(float(word)):.{decimals}f}" for word in words]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, b"0.00"), (-0.0, b"0.00"), (-0.004, b"0.00"), (0.5, b"0.50"), (-12.346, b"-12.35"), (1000.0, b"1000.00")],
)
def test_numbers_pinned(value, text):
    assert decimal_rows(np.array([[value, 7.25]]), 2) == [text + b" 7.25"]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e14])
def test_numbers_that_have_no_decimals(value):
    with pytest.raises(ValueError, match="finite numbers below 1e11"):
        decimal_rows(np.array([[value]]), 4)
