"""Checks of one person's 2D keypoints before they are lifted: what `lift` says at the door, and what the doctor says.

None of them runs a network, so that they cost little beside lifting.
"""

from collections.abc import Iterable
from dataclasses import replace

from poselift.checks.body import Body
from poselift.checks.finding import SEVERITIES, Finding, Severity, worst
from poselift.checks.keypoints import check_keypoints
from poselift.sequence import Keypoints2D, expect_keypoints

__all__ = ["Finding", "Severity", "check", "number_people", "worst", "worst_first"]


def check(keypoints: Keypoints2D, *, rate_known: bool = True) -> list[Finding]:
    """Return what is wrong with one person's keypoints, the worst first; empty when nothing is.

    Args:
        keypoints: Any skeleton, one frame or more.
        rate_known: Whether the keypoints' `fps` is true; if not, checks that need it are left out.

    Raises:
        KindError: `keypoints` is something else.
    """
    expect_keypoints(keypoints)
    return worst_first(check_keypoints(Body(keypoints, rate_known)))


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order of `SEVERITIES`."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def number_people(people: list[list[Finding]]) -> list[Finding]:
    """Return the findings of everyone in a file, each with the person's number where there are several."""
    if len(people) == 1:
        return people[0]
    return [
        replace(finding, where=f"person {number}") for number, found in enumerate(people, 1) for finding in found
    ]  # fmt: skip
