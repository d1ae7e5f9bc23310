"""Leave out frames in which something jumps away and back.

Of all ways to leave out frames, the cheapest is taken: a frame left out costs 1, and a jump between frames that stay
costs `price`. So a moment between two jumps is left out, and a single jump stays.
"""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def kept(count: int, price: float, jumps: Callable[[int], np.ndarray]) -> np.ndarray:
    """Return the frames (N,) bool to keep.

    Args:
        count: Number of frames (N).
        price: Cost of a jump, in frames; up to twice as many are left out between two jumps.
        jumps: Returns for a lag whether there is a jump (N - lag,) from each frame to the one `lag` later.
    """
    longest = min(_longest(price), count - 1)
    found = np.array([np.concatenate([np.ones(lag, bool), jumps(lag)]) for lag in range(1, longest + 1)])
    paid = price * found + np.arange(longest)[:, None]  # (lags, N) from the frame `lag` before to this one
    paid[1:] += price * found[1:]  # nothing is gained by leaving frames out if the body does not come back
    cost, came = np.arange(count, dtype=np.float64), np.full(count, -1)  # all before it left out
    for frame in range(1, count):
        lags = min(longest, frame)
        ways = cost[frame - lags : frame][::-1] + paid[:lags, frame]
        best = int(ways.argmin())
        if ways[best] < cost[frame]:
            cost[frame], came[frame] = ways[best], frame - 1 - best
    stays, frame = np.zeros(count, bool), int((cost + np.arange(count)[::-1]).argmin())
    while frame >= 0:
        stays[frame], frame = True, int(came[frame])
    return stays


def around(jumps: np.ndarray, price: float, count: int) -> list[slice]:
    """Return the stretches of frames that matter to `kept`, so that long clips cost no more than these.

    Args:
        jumps: (M,) frames from which there may be a jump to the next.
        price: Cost of a jump, in frames.
        count: Number of frames.
    """
    reach = _longest(price) + 1
    apart = np.flatnonzero(np.diff(jumps) > 2 * reach) + 1
    parts = [part for part in np.split(jumps, apart) if len(part)]
    return [slice(max(part[0] - reach, 0), min(part[-1] + reach + 2, count)) for part in parts]


def longest_steps(times_s: np.ndarray, lag: int, most_s: float) -> np.ndarray:
    """Return the longest pause (N - lag,) in seconds from each frame to the one `lag` later, `most_s` at most.

    So much time there was to get there: what is left out in between is said to be elsewhere, and not on the way.

    Args:
        times_s: (N,) times of the frames.
        lag: Number of steps from a frame to another.
        most_s: The most that counts.
    """
    return np.minimum(sliding_window_view(np.diff(times_s), lag).max(-1), most_s)


def _longest(price: float) -> int:
    """Return the greatest number of frames from one that is kept to the next."""
    return int(2 * price) + 1
