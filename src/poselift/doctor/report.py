"""Findings as text."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from poselift.checks.finding import SEVERITIES, Finding

_STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}


def report(title: str, findings: list[Finding]) -> RenderableType:
    """Return findings for `rich` to print: the worst first, each with its effect on the result and advice.

    Args:
        title: Name of the file or data set.
        findings: Findings about it.
    """
    if not findings:
        return Text(f"{title}: nothing is wrong", style="green")
    rows = Table.grid(padding=(0, 1))
    for finding in sorted(findings, key=lambda found: SEVERITIES.index(found.severity)):
        text = Text()
        text.append(f"{finding.check}: ", style="bold")
        text.append(f"{finding.wrong}\n" + (f"in {finding.where}\n" if finding.where else ""))
        text.append(f"then: {finding.effect}\nadvice: {finding.advice}", style="dim")
        rows.add_row(Text(finding.severity, style=_STYLES[finding.severity]), text)
    counts = [(severity, sum(f.severity == severity for f in findings)) for severity in SEVERITIES]
    summary = ", ".join(f"{count} {severity}" for severity, count in counts if count)
    return Group(Text(f"{title}: {summary}", style="bold"), rows)
