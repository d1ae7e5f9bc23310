"""Write many numbers as text at once, which Python's formatting takes seconds for: 36,000 frames hold millions."""

from collections.abc import Iterator, Sequence

import numpy as np

_LARGEST = 1e14
"""Larger numbers would not fit whole numbers of 64 bits with the decimals behind them."""
_AT_ONCE = 1 << 18
"""Numbers turned into text at a time, which take some 20 bytes each."""
_ZERO, _POINT, _MINUS = ord("0"), ord("."), ord("-")


def decimal_rows(values: np.ndarray, decimals: int, ends: Sequence[str], *, missing: str = "") -> Iterator[str]:
    """Yield the rows of a table as text, a part of them at a time.

    Args:
        values: (N, C) numbers, rounded to `decimals` and written with all of them: 0.5 becomes 0.5000. NaN is missing.
        decimals: Number of digits behind the point, 1 or more.
        ends: (C,) ASCII text behind the number of each column, such as a comma, and a line end behind the last one.
        missing: ASCII text in the place of NaN.

    Yields:
        The text of some rows.
    """
    step = max(1, _AT_ONCE // max(values.shape[1], 1))
    for first in range(0, len(values), step):
        part = values[first : first + step].astype(np.float64)
        if np.nanmax(np.abs(part), initial=0.0) < _LARGEST:
            yield _digits(part, decimals, ends, missing)
        else:
            rows = (
                "".join(
                    f"{missing if np.isnan(v) else format(v, f'.{decimals}f')}{end}"
                    for v, end in zip(row, ends, strict=True)
                )
                for row in part
            )
            yield "".join(rows)


def _digits(values: np.ndarray, decimals: int, ends: Sequence[str], missing: str) -> str:
    """Return the text of rows. Each number gets the room of the longest in a table of bytes; zero bytes are dropped."""
    absent = np.isnan(values)
    whole = np.rint(np.abs(np.where(absent, 0.0, values)) * 10**decimals).astype(np.int64)
    before = max(len(str(int(whole.max(initial=0)))) - decimals, 1)  # digits before the point
    width = max(1 + before + 1 + decimals, len(missing))
    longest = max(map(len, ends))
    text = np.zeros((*values.shape, width + longest), np.uint8)
    left, small = whole, int(whole.max(initial=0)) < 2**31
    left = left.astype(np.uint32) if small else left  # divided twice as fast
    for place in range(before + 1 + decimals, 0, -1):
        if place == before + 1:
            text[..., place] = _POINT
            continue
        rest = left // 10
        digit = (left - 10 * rest).astype(np.uint8) + np.uint8(_ZERO)
        text[..., place] = digit if place >= before else np.where(left > 0, digit, 0)
        left = rest
    text[..., 0] = np.where((values < 0) & (whole > 0), _MINUS, 0)
    if absent.any():
        text[absent, :width] = np.frombuffer(missing.encode("ascii").ljust(width, b"\0"), np.uint8)
    for column, end in enumerate(ends):
        text[:, column, width : width + len(end)] = np.frombuffer(end.encode("ascii"), np.uint8)
    return text[text != 0].tobytes().decode("ascii")
