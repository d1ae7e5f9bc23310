"""Means, spreads and differences of a few runs, and verdicts on them.

All intervals are Student's at 95 %, so one in twenty comparisons looks like a difference although there is none.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import t as student


@dataclass(frozen=True)
class Difference:
    """A difference of errors; below zero is better."""

    mean: float
    """Mean over the seeds."""
    half: float
    """Half of the 95 % interval's width; infinite for one seed."""
    seeds: int
    """Number of seeds."""

    def __str__(self) -> str:
        """Return the mean, and the interval where there is one."""
        return f"{self.mean:+.1f}" + (f" ± {self.half:.1f}" if math.isfinite(self.half) else "")

    @property
    def verdict(self) -> str:
        """ "helps" or "hurts" when the interval lies on one side of zero, else why there is no verdict."""
        if not math.isfinite(self.half):
            return "one seed, no verdict"
        if abs(self.mean) <= self.half:
            return "within noise"
        return "helps" if self.mean < 0 else "hurts"


def paired(values: Sequence[float]) -> Difference:
    """Return the mean of differences between two runs that share their seed, labels and batches."""
    return Difference(statistics.mean(values), _half(values, 1 / len(values)), len(values))


def against(values: Sequence[float], base: Sequence[float]) -> Difference:
    """Return the difference of runs from the base runs; its interval comes from the base runs' spread alone."""
    mean = statistics.mean(values) - statistics.mean(base)
    return Difference(mean, _half(base, 1 / len(values) + 1 / len(base)), len(values))


def mean_and_spread(values: Sequence[float], digits: int = 1) -> str:
    """Return the mean and, for two or more values, the standard deviation."""
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def _half(spread_of: Sequence[float], share: float) -> float:
    """Return half the width of the 95 % interval of a mean whose variance is `share` times that of the values."""
    if len(spread_of) < 2:
        return math.inf
    return float(student.ppf(0.975, len(spread_of) - 1)) * statistics.stdev(spread_of) * math.sqrt(share)
