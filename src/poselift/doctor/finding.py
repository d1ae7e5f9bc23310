"""What the doctor says: one thing that is wrong or worth knowing, what it does to the result, and what to do."""

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
    """Name of what was looked at: order, sides, swaps, up, units, rate, picture, confidence, missing, jitter, ..."""
    wrong: str
    """What was found, with its numbers."""
    effect: str
    """What becomes of it when it is lifted or trained on."""
    advice: str
    """What to do, with the flag where there is one."""
    where: str = ""
    """Which person or clips; empty when there is only one."""


def worst(findings: list[Finding]) -> Severity | None:
    """The greatest severity among findings; None when there are none."""
    return next((severity for severity in SEVERITIES if any(f.severity == severity for f in findings)), None)
