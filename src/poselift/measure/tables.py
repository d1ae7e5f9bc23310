"""Benchmark results side by side, and what keeps them from being compared."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from poselift.errors import DatasetError
from poselift.measure.benchmark import UNITS, BenchmarkScores

ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases", "Sitting",
    "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether", "Jog", "Box", "ThrowCatch", "Gestures",
)  # fmt: skip
"""Actions of Human3.6M and HumanEva-I in the order of the papers' columns."""


def compare(results: Sequence[BenchmarkScores]) -> dict[str, list[Any]]:
    """The choices in which results differ.

    Args:
        results: Two or more.

    Returns:
        Choice: its value in each result, None where it has none. Empty when the results are comparable.
    """
    made = [{"data set": result.dataset} | result.choices | {"scored": _size(result)} for result in results]
    names = dict.fromkeys(name for choices in made for name in choices)
    values = {name: [_plain(choices.get(name)) for choices in made] for name in names}
    return {name: found for name, found in values.items() if any(value != found[0] for value in found)}


def table(results: Sequence[BenchmarkScores], metrics: Sequence[str] = tuple(UNITS)) -> Table:
    """Results one below the other. Where they were measured differently, each row says how, and the title says so.

    Args:
        results: One or more.
        metrics: Names of the columns, of `UNITS`.

    Raises:
        DatasetError: No results, or no such metric.
    """
    _check(results, metrics)
    columns = {f"{name}, {UNITS[name]}": [result.mean.get(name) for result in results] for name in metrics}
    return _side_by_side(results, columns, results[0].dataset)


def action_table(results: Sequence[BenchmarkScores], metric: str = "mpjpe") -> Table:
    """One metric by action, in the order of the papers' columns, with the result at the end.

    Args:
        results: One or more; measured differently, each row says how.
        metric: One of `UNITS`.

    Raises:
        DatasetError: No results, or no such metric.
    """
    _check(results, [metric])
    known = {action: place for place, action in enumerate(ACTIONS)}
    rows = [result.per_action.get(metric, {}) for result in results]
    actions = sorted(dict.fromkeys(name for row in rows for name in row), key=lambda name: known.get(name, len(known)))
    columns = {name: [row.get(name) for row in rows] for name in actions}
    columns["result"] = [result.mean.get(metric) for result in results]
    return _side_by_side(results, columns, f"{results[0].dataset}, {metric}, {UNITS[metric]}")


def scores_view(scores: BenchmarkScores) -> RenderableType:
    """Everything about one result: its number for each metric, by joint, action, subject and sequence, and how it came.

    Args:
        scores: The result.

    Returns:
        What `rich` prints.
    """
    parts: list[RenderableType] = [table([scores])]
    sections = {"action": scores.per_action, "subject": scores.per_subject, "sequence": scores.per_sequence}
    for name, section in ({"joint": scores.per_joint} | sections).items():
        parts.append(_section(name, section, scores))
    counts = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in scores.counts.items())
    parts.append(Text("\n".join([counts, *(f"note: {remark}" for remark in scores.remarks)])))
    return Group(*parts)


def print_benchmark(scores: BenchmarkScores, console: Console | None = None) -> None:
    """Show `scores_view` on a console, standard output when None."""
    (console or Console()).print(scores_view(scores))


def _section(name: str, section: dict[str, dict[str, float]], scores: BenchmarkScores) -> Table:
    """One of a result's tables: parts down, metrics across."""
    made = Table()
    made.add_column(name)
    metrics = [metric for metric in UNITS if metric in scores.mean]
    for metric in metrics:
        made.add_column(f"{metric}, {UNITS[metric]}", justify="right")
    for part in dict.fromkeys(part for metric in metrics for part in section[metric]):
        made.add_row(Text(part), *(_number(section[metric].get(part)) for metric in metrics))
    return made


def _check(results: Sequence[BenchmarkScores], metrics: Sequence[str]) -> None:
    if not results:
        raise DatasetError("there are no results to show; measure a lifter first")
    if odd := [name for name in metrics if name not in UNITS]:
        raise DatasetError(f"no metric {', '.join(odd)}; known: {', '.join(UNITS)}")


def _side_by_side(results: Sequence[BenchmarkScores], columns: dict[str, list[float | None]], title: str) -> Table:
    """A row for each result: its lifter, the choices in which the results differ, and its numbers."""
    differing = compare(results)
    made = Table(title=Text(f"{title}: NOT COMPARABLE, measured differently" if differing else title))
    made.add_column("lifter")
    for name in differing:
        made.add_column(Text(name), style="yellow")
    for name in columns:
        made.add_column(Text(name), justify="right")
    for row, result in enumerate(results):
        how = [_text(values[row]) for values in differing.values()]
        made.add_row(Text(result.lifter), *how, *(_number(values[row]) for values in columns.values()))
    shared = [f"{name} {_text(_plain(v))}" for name, v in results[0].choices.items() if name not in differing]
    made.caption = Text(", ".join(([] if "scored" in differing else [_size(results[0])]) + shared))
    return made


def _size(result: BenchmarkScores) -> str:
    """What was scored; results of other frames are no more comparable than those of other metrics."""
    return ", ".join(f"{result.counts[name]} {name}" for name in ("frames", "sequences", "actions"))


def _plain(value: Any) -> Any:
    """The same for what came from JSON and what did not."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _text(value: Any) -> Text:
    """A choice as words; `Text`, because names may hold what rich takes for markup."""
    if value is None:
        return Text("-")
    return Text({True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
