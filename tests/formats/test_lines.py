import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats.lines import Lines


@pytest.fixture
def lines(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone  two\r\n\n # a note\n\tthree \xff\n")
    return Lines(tmp_path / "a.txt")


def test_words_of_lines_that_have_any(lines):
    assert [(lines.number, words) for words in lines.words()] == [(1, ["one", "two"]), (4, ["three", "\ufffd"])]


def test_errors_name_file_and_line(lines):
    next(lines.words())
    assert "a.txt:1: wanted a, got b; the file is broken" in str(lines.error("a", "b"))


@pytest.mark.parametrize("words", ["1", "1 2 3", "1 x", "1 nan", "1 inf", "1 1e9", "1 -1e300", ""])
def test_numbers_are_as_many_as_wanted_and_no_larger_than_sensible(lines, words):
    np.testing.assert_array_equal(lines.numbers(["1", "-2.5e3"], 2, "a pair"), [1, -2500])
    with pytest.raises(FormatError, match=f"a.txt:0: wanted 2 finite numbers for a pair, got '{words}'"):
        lines.numbers(words.split(), 2, "a pair")
