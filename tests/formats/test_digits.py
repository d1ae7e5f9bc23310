"""Numbers as text: what Python's own formatting writes, much faster."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poselift.formats.digits import decimal_rows

numbers = st.floats(-1e16, 1e16) | st.floats(-2, 2) | st.just(float("nan")) | st.integers(-9, 9).map(lambda n: n / 8)


@settings(max_examples=25)
@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=5), st.integers(1, 6))
def test_numbers_are_those_that_python_writes(rows: list[tuple[float, ...]], decimals: int) -> None:
    text = "".join(decimal_rows(np.array(rows), decimals, [", ", "],[", "\n"], missing="null"))
    lines = text.splitlines()
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        first, rest = line.split(", ")
        for cell, value in zip((first, *rest.split("],[")), row, strict=True):
            if np.isnan(value):
                assert cell == "null"
                continue
            assert len(cell.partition(".")[2]) == decimals
            assert float(cell) == pytest.approx(value, rel=1e-15, abs=0.5001 * 10.0**-decimals)
            assert cell.lstrip("-").partition(".")[0] == "0" or not cell.lstrip("-").startswith("0")


def test_literals() -> None:
    values = np.array([[0.0, -0.00004, 0.00005], [12.5, -1, 99.99999], [np.nan, 3, -0.5]])
    text = "".join(decimal_rows(values, 4, [",", ",", "\n"]))
    assert text == "0.0000,0.0000,0.0000\n12.5000,-1.0000,100.0000\n,3.0000,-0.5000\n"  # halves go to the even digit


def test_long_tables_come_in_parts() -> None:
    values = np.arange(600_000.0).reshape(-1, 2) / 10
    parts = list(decimal_rows(values, 1, [" ", "\n"]))
    assert len(parts) > 1
    np.testing.assert_array_equal(np.array("".join(parts).split(), float).reshape(-1, 2), values)
