"""Show results side by side, and what makes them not comparable."""

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from poselift.errors import DatasetError
from poselift.measure.scores import UNITS, Scores
from poselift.measure.wide import Stacked

ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases", "Sitting",
    "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether", "Jog", "Box", "ThrowCatch", "Gestures",
)  # fmt: skip
"""Actions of Human3.6M and HumanEva-I in the order of the papers' columns."""

_SHORT = {"acceleration": "accel.", "bone_length": "bones"}
"""Short headings by metric, so that all columns fit beside each other."""
_MOST = 4
"""Largest number of differing choices that have columns; of more, all but the data set are printed below the table."""
_WIDEST = 24
"""Largest number of letters of a choice in a column; longer ones are printed below the table."""
_LONG = 60
"""Largest number of letters of a choice that shares a line below the table; longer ones have their own line."""


def compare(results: Sequence[Scores]) -> dict[str, list[Any]]:
    """Find the choices in which results differ.

    Args:
        results: Two or more.

    Returns:
        For each choice its value in each result, None where it has none. Empty when the results are comparable.
    """
    made = [{"data set": result.dataset} | result.choices | {"scored": _size(result)} for result in results]
    names = dict.fromkeys(name for choices in made for name in choices)
    values = {name: [choices.get(name) for choices in made] for name in names}
    return {name: found for name, found in values.items() if any(value != found[0] for value in found)}


def table(results: Sequence[Scores], metrics: Sequence[str] = tuple(UNITS)) -> Stacked:
    """Make a table with a row for each result. If they were measured differently, rows and title say so.

    Args:
        results: One or more.
        metrics: Names of the columns, of `UNITS`; those that no result has are left out. A metric that the results
            have in different units has a column for each unit.

    Raises:
        DatasetError: No results, or no such metric.
    """
    _check(results, metrics)
    columns: dict[str, list[float | None]] = {}
    for name in metrics:
        found = [(_heading(name, result), result.mean.get(name)) for result in results]
        for heading in dict.fromkeys(heading for heading, value in found if value is not None):
            columns[heading] = [value if own == heading else None for own, value in found]
    return _side_by_side(results, columns, results[0].dataset)


def action_table(results: Sequence[Scores], metric: str = "mpjpe") -> Stacked:
    """Make a table of one metric by action, in the order of the papers' columns, with the result at the end.

    Args:
        results: One or more; if they were measured differently, each row says how.
        metric: One of `UNITS`.

    Raises:
        DatasetError: No results, no such metric, or no actions.
    """
    _check(results, [metric])
    known = {action: place for place, action in enumerate(ACTIONS)}
    rows = [result.per_action.get(metric, {}) for result in results]
    actions = sorted(dict.fromkeys(name for row in rows for name in row), key=lambda name: known.get(name, len(known)))
    if not actions:
        raise DatasetError(f"these results have no {metric} by action; show them without actions")
    columns = {name: [row.get(name) for row in rows] for name in actions}
    columns["result"] = [result.mean.get(metric) for result in results]
    return _side_by_side(results, columns, f"{results[0].dataset}, {metric}, {_unit(metric, results[0])}")


def scores_view(scores: Scores) -> RenderableType:
    """Show one result in full: by sequence, joint, action and subject, then the means, and how it was measured.

    Args:
        scores: The result.

    Returns:
        Something that `rich` prints; the most important part comes last, where a terminal still shows it.
    """
    sections = {
        "sequence": scores.per_sequence,
        "joint": scores.per_joint,
        "action": scores.per_action,
        "subject": scores.per_subject,
    }
    parts: list[RenderableType] = [_section(name, section, scores) for name, section in sections.items() if section]
    parts.append(table([scores]))
    others = {name: value for name, value in scores.mean.items() if name not in UNITS}
    if others:
        words = (f"{_named(name)} {_number(value)} {scores.units.get(name, '')}" for name, value in others.items())
        parts.append(Text(", ".join(words)))
    counts = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in scores.counts.items())
    parts.append(Text("\n".join([counts, *(f"note: {remark}" for remark in scores.remarks)])))
    return Group(*parts)


def _named(metric: str) -> str:
    """Return the name of a metric in words."""
    return metric.replace("_", " ").replace("p mpjpe", "P-MPJPE").replace("mpjpe", "MPJPE")


def _unit(metric: str, scores: Scores) -> str:
    return scores.units.get(metric, UNITS[metric])


def _heading(metric: str, scores: Scores) -> str:
    return f"{_SHORT.get(metric, metric)}\n{_unit(metric, scores)}".replace(" at ", "\nat ")


def _section(name: str, section: dict[str, dict[str, float]], scores: Scores) -> Stacked:
    """Make one of a result's tables, with a row for each part and a column for each metric."""
    made = _empty(name)
    metrics = [metric for metric in UNITS if metric in scores.mean]
    for metric in metrics:
        made.add_column(_heading(metric, scores), justify="right", no_wrap=True)
    rows = [section.get(metric, {}) for metric in metrics]
    for part in dict.fromkeys(part for row in rows for part in row):
        made.add_row(Text(part), *(_number(row.get(part)) for row in rows))
    return Stacked(made)


def _empty(first: str) -> Table:
    """Make a table of narrow columns; only the first one is folded when there is no room."""
    made = Table(box=SIMPLE_HEAD, padding=0, title_justify="left", caption_justify="left")
    made.add_column(first, overflow="fold", min_width=8)
    return made


def _check(results: Sequence[Scores], metrics: Sequence[str]) -> None:
    if not results:
        raise DatasetError("there are no results to show; measure a lifter first")
    if odd := [name for name in metrics if name not in UNITS]:
        raise DatasetError(f"no metric {', '.join(odd)}; known: {', '.join(UNITS)}")


def _side_by_side(results: Sequence[Scores], columns: dict[str, list[float | None]], title: str) -> Stacked:
    """Make a table of a row for each result: its lifter, the choices in which results differ, and its numbers."""
    differing = compare(results)
    beside = {name: found for name, found in differing.items() if name == "data set" or len(differing) <= _MOST}
    made = _empty("lifter")
    made.title = Text(f"{title}: NOT COMPARABLE, measured differently" if differing else title)
    for name in beside:
        made.add_column(Text(name), style="yellow", overflow="fold")
    for name in columns:
        made.add_column(Text(name), justify="right", no_wrap=True)
    long: list[str] = []
    for row, result in enumerate(results):
        how = [_short(_words(values[row]), long) for values in beside.values()]
        made.add_row(Text(result.lifter), *how, *(_number(values[row]) for values in columns.values()))
    shared = [f"{name} {_words(value)}" for name, value in results[0].choices.items() if name not in differing]
    same = [] if "scored" in differing else [_size(results[0])]
    lines = [", ".join(same + [words for words in shared if len(words) <= _LONG])]
    lines += [words for words in shared if len(words) > _LONG]
    below = {name: found for name, found in differing.items() if name not in beside}
    lines += [f"differs: {name}: {'; '.join(map(_words, found))}" for name, found in below.items()]
    made.caption = Text("\n".join(lines + [f"({number}) {words}" for number, words in enumerate(long, 1)]))
    return Stacked(made, keep=1 + len(beside))


def _size(result: Scores) -> str:
    """Return how much was scored, in words; results over different frames are not comparable."""
    counts = result.counts
    return ", ".join(f"{counts[name]} {name}" for name in ("frames", "sequences", "actions") if name in counts)


def _words(value: Any) -> str:
    """Return a choice in words."""
    if value is None or isinstance(value, bool):
        return {None: "-", True: "yes", False: "no"}[value]
    if isinstance(value, dict):
        return f"({', '.join(f'{name} {_words(part)}' for name, part in value.items())})"
    return str(value)


def _short(words: str, long: list[str]) -> Text:
    """Return the content of a column: the words, or if they are too long their number in the list `long`."""
    if len(words) > _WIDEST:
        if words not in long:
            long.append(words)
        words = f"({long.index(words) + 1})"
    return Text(words)  # names may hold what rich takes for markup


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
