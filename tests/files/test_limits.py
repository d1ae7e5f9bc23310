"""How large files may be, and how that is said and changed."""

import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.files.limits import ARRAY, DOCUMENT, VARIABLE, Limit

SMALL = Limit("small things", 2)


def test_what_is_larger_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    SMALL.check(2 * 2**20, "a.txt")
    wanted = r"a\.txt has 7 MiB; the limit for small things is 2 MiB\. .* set POSELIFT_LIMITS=4"
    with pytest.raises(FormatError, match=wanted):
        SMALL.check(7 * 2**20, "a.txt")
    monkeypatch.setenv(VARIABLE, "4")
    SMALL.check(7 * 2**20, "a.txt")
    monkeypatch.setenv(VARIABLE, "inf")
    SMALL.check(1e30, "a.txt")


@pytest.mark.parametrize("factor", ["", "much", "0", "-1", "nan"])
def test_a_factor_that_is_none_is_refused(monkeypatch, factor):
    monkeypatch.setenv(VARIABLE, factor)
    with pytest.raises(FormatError, match="wanted POSELIFT_LIMITS as a number above 0"):
        SMALL.check(1, "a.txt")


def test_what_people_have_is_far_below(monkeypatch):
    """An hour of 17 joints at 30 frames a second, as text of 9 letters a number and as float32."""
    monkeypatch.delenv(VARIABLE, raising=False)
    hour = 3600 * 30 * 17 * 3
    assert 5 * hour * 9 < DOCUMENT.bytes
    assert 5 * hour * np.float32().nbytes < ARRAY.bytes
