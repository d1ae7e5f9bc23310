"""Means, spreads and differences of a few runs, and what may be said of them.

All intervals are Student's at 95 %, so one comparison in twenty with nothing behind it looks like something.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import t as student


@dataclass(frozen=True)
class Difference:
    """A difference of errors: below zero is better."""

    mean: float
    """Mean over the seeds."""
    half: float
    """Half of the 95 % interval's width; infinite for one seed."""
    seeds: int
    """Seeds that it is of."""

    def __str__(self) -> str:
        """Mean, and interval where there is one."""
        return f"{self.mean:+.1f}" + (f" ± {self.half:.1f}" if math.isfinite(self.half) else "")

    @property
    def verdict(self) -> str:
        """ "helps" or "hurts" when the interval is on one side of zero."""
        if not math.isfinite(self.half):
            return "one seed, no verdict"
        if abs(self.mean) <= self.half:
            return "within noise"
        return "helps" if self.mean < 0 else "hurts"


def paired(values: Sequence[float]) -> Difference:
    """Of differences between two runs each that share their seed, labels and batches."""
    return Difference(statistics.mean(values), _half(values, 1 / len(values)), len(values))


def against(values: Sequence[float], base: Sequence[float]) -> Difference:
    """Of runs that differ from the base runs in more than luck; the spread is the base runs' alone."""
    mean = statistics.mean(values) - statistics.mean(base)
    return Difference(mean, _half(base, 1 / len(values) + 1 / len(base)), len(values))


def mean_and_spread(values: Sequence[float], digits: int = 1) -> str:
    """Mean and, of two or more, standard deviation."""
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def _half(spread_of: Sequence[float], share: float) -> float:
    if len(spread_of) < 2:
        return math.inf
    return float(student.ppf(0.975, len(spread_of) - 1)) * statistics.stdev(spread_of) * math.sqrt(share)
