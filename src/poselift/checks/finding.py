"""Findings: one thing that is wrong or worth knowing, what it does to the result, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""The worst first. An error makes results wrong; a warning may, or makes them worse; the rest is good to know."""


@dataclass(frozen=True)
class Finding:
    """One finding."""

    severity: Severity
    """How bad it is."""
    check: str
    """Name of the check: order, sides, swaps, up, units, rate, picture, confidence, missing, jitter, ..."""
    wrong: str
    """What was found, with its numbers."""
    effect: str
    """What happens when the data are lifted or trained on."""
    advice: str
    """What to do, with the flag where there is one."""
    where: str = ""
    """The person or the clips that it is about; empty when there is only one."""


def worst(findings: list[Finding]) -> Severity | None:
    """Return the greatest severity among findings; None when there are none."""
    return next((severity for severity in SEVERITIES if any(f.severity == severity for f in findings)), None)
