"""Reproduce a paper's table: train and measure each row by its recipe, and show the paper's numbers beside ours.

A row is a folder with the run (see `poselift.lab.train`) and, once it is measured, `scores.json`. Rows that have this
file are not trained again; rows that were stopped are resumed; when a row fails, the others go on.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from poselift.errors import CheckpointError, FormatError, PoseliftError, RecipeError, did_you_mean
from poselift.files import found_at, read_json, written_whole
from poselift.lab.recipes import get_recipe
from poselift.lab.recipes.tables import TABLES, Block, PaperTable, Row
from poselift.lab.run.recipe import TrainRecipe, is_recipe, recipe_json, shortened
from poselift.lab.tasks import BenchmarkTask
from poselift.lab.train import Run
from poselift.lab.windows.benchmark import BenchmarkConfig
from poselift.measure.scores import Scores
from poselift.measure.tables import compare

logger = logging.getLogger(__name__)

_SILENT = ("device", "log_every", "evaluate_every", "checkpoint_every")
"""Options that do not change a result."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Changes to the recipes of all rows; None keeps what the recipe says."""

    steps: int | None = None
    """Number of steps, to try a table out."""
    epochs: int | None = None
    """Number of epochs."""
    batch_size: int | None = None
    """Windows in a batch."""
    lr: float | None = None
    """Greatest learning rate; smaller batches need a smaller one."""
    device: str = "auto"
    """"cpu", "cuda", or "auto" for a GPU where there is one."""
    keypoints: str | None = None
    """Which 2D of the benchmark, in training and test: the end of the archive's name, such as gt."""
    truth: Literal["annot3", "univ_annot3"] | None = None
    """Ground truth that MPI-INF-3DHP's archive was made from."""
    as_published: bool = False
    """Choose the weights on the test subjects, as the papers' code does, after measuring every epoch."""

    def apply(self, recipe: TrainRecipe) -> TrainRecipe:
        """Return the recipe with these changes.

        Raises:
            RecipeError: The recipe does not train on a benchmark, or a number is out of range.
        """
        data = recipe.data
        if not isinstance(data, BenchmarkConfig):
            raise RecipeError(f"{recipe.name} is trained on no benchmark")
        if self.truth is not None and data.dataset == "3dhp":
            data = replace(data, truth=self.truth)
        if self.keypoints is not None:
            data = replace(data, keypoints=self.keypoints)
        if self.as_published:
            recipe, data = replace(recipe, evaluate_every=1), replace(data, as_published=True)
        size = recipe.batch_size if self.batch_size is None else self.batch_size
        optim = recipe.optim if self.lr is None else replace(recipe.optim, lr=self.lr)
        recipe = replace(recipe, data=data, batch_size=size, optim=optim, device=self.device)
        return shortened(recipe, steps=self.steps, epochs=self.epochs)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one recipe, or why it failed."""

    scores: Scores | None = None
    """The scores; None when the recipe failed."""
    parameters: int = 0
    """Number of the network's parameters."""
    changed: str = ""
    """How the training differed from the recipe, in words; empty when it did not."""
    error: str = ""
    """Why the recipe failed; empty when it did not."""


Tick = Callable[..., None]
"""Called with (steps or clips done, their total, a note)."""


def choose(table: str, rows: Sequence[str] = ()) -> tuple[PaperTable, list[str]]:
    """Return a table by name, and the names of the recipes of some of its rows, in the table's order.

    Args:
        table: A key of `TABLES`.
        rows: Labels of rows or names of recipes; all rows when empty.

    Raises:
        RecipeError: There is no such table or row.
    """
    if table not in TABLES:
        raise RecipeError(f"unknown table '{table}'; {did_you_mean(table, TABLES)}")
    chosen = TABLES[table]
    known = {name: row.recipe for block in chosen.blocks for row in block.rows for name in (row.label, row.recipe)}
    if odd := [row for row in rows if row not in known]:
        raise RecipeError(f"{table} has no row '{odd[0]}'; {did_you_mean(odd[0], known)}")
    wanted = {
        row.recipe for block in chosen.blocks for row in block.rows if not rows or {row.label, row.recipe} & {*rows}
    }
    return chosen, [name for name in chosen.recipes() if name in wanted]


def reproduce_row(name: str, data: Path, out: Path, changes: Changes, *, commit: str, date: str, tick: Tick) -> Outcome:
    """Train and measure by one recipe, or read what was measured before.

    Args:
        name: Name of the recipe.
        data: Folder of the archives.
        out: Folder of the row.
        changes: Changes to the recipe.
        commit: Commit of the code.
        date: Day of the measurement.
        tick: Called with the progress.

    Returns:
        The result. An error does not end the call: the result holds its message, and unexpected ones are logged.
    """
    try:
        recipe = changes.apply(get_recipe(name))
        content = _stored(out / "scores.json", recipe)
        if content is None:
            content = _measured(recipe, data, out, tick) | {"commit": commit, "date": date}
            with written_whole(out / "scores.json", overwrite=True) as path:
                path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        scores = Scores.from_json(content["scores"])
        return Outcome(
            scores=scores, parameters=content["parameters"], changed=_changed(recipe, get_recipe(name), content)
        )
    except (PoseliftError, OSError, MemoryError, RuntimeError) as error:  # torch raises RuntimeError for lack of memory
        if not isinstance(error, PoseliftError):  # the message was not written for users, so the traceback is logged
            logger.exception("%s failed", name)
        return Outcome(error=str(error) or type(error).__name__)


def _measured(recipe: TrainRecipe, data: Path, out: Path, tick: Tick) -> dict[str, Any]:
    """Train to the end, measure, and return the content of `scores.json`."""
    assert isinstance(recipe.data, BenchmarkConfig)  # `Changes.apply` has checked it
    task = BenchmarkTask(recipe, recipe.data, data, out)
    run = Run(recipe, task, out)
    run.train(lambda step, steps, line: tick(step, steps, f"loss {line['loss_mm']:.1f} mm"))
    task.keep(run)
    scores = task.measure(run.lifter, lambda done, clips: tick(done, clips, "measuring"))
    return {
        "recipe": recipe_json(recipe),
        "steps": run.steps,
        "epoch_steps": run.epoch_steps,
        "parameters": sum(p.numel() for p in run.average.parameters()),
        "training_seconds": round(run.seconds, 1),
        "device": str(run.device),
        "scores": replace(scores, lifter=recipe.name).as_json(),
    }


def _stored(path: Path, recipe: TrainRecipe) -> dict[str, Any] | None:
    """Return the content of a finished row's `scores.json`; None when there is no such file.

    Raises:
        CheckpointError: The file is of another recipe, or holds no scores.
    """
    if not found_at(path, CheckpointError):
        return None
    try:
        content = read_json(path)
        same = is_recipe(content["recipe"], recipe)
    except (FormatError, LookupError, TypeError) as error:
        raise CheckpointError(f"{path} holds no scores; remove it, or use a new --out folder") from error
    if not same:
        raise CheckpointError(f"{path} was measured with other options; use a new --out folder")
    return content


def _changed(recipe: TrainRecipe, full: TrainRecipe, content: dict[str, Any]) -> str:
    """Say in words how a recipe differs from the table's, `full`; empty when it does not."""
    ours, theirs = _flat(recipe), _flat(full)
    found = []
    if recipe.epochs != full.epochs:
        found.append(f"{content['steps']} steps, not {full.epochs} epochs of {content['epoch_steps']}")
    for name, value in ours.items():
        if name not in (*_SILENT, "steps", "epochs") and value != theirs[name]:
            found.append(f"{name.replace('_', ' ')} {value}, not {theirs[name]}")
    return "; ".join(found)


def _flat(recipe: TrainRecipe) -> dict[str, Any]:
    """Return all options of a recipe by name, including those of its groups."""
    options: dict[str, Any] = {}
    for name, value in recipe_json(recipe).items():
        options |= value if isinstance(value, dict) else {name: value}
    return options


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A part of a table with the paper's numbers and ours, as text."""

    title: str
    """Title of the part; it says so when the rows were measured differently."""
    heads: list[str]
    """Heads of the columns."""
    lines: list[list[str]]
    """The cells of each line: for each row the paper's line, then ours if the row was asked for."""
    notes: list[str]
    """Notes below the part, such as how it was measured."""


def sheets(table: PaperTable, outcomes: dict[str, Outcome]) -> list[Sheet]:
    """Put our numbers beside the paper's, part by part.

    Args:
        table: The table.
        outcomes: Results by the name of the recipe; rows of other recipes show the paper's numbers alone.

    Returns:
        The parts of the table in which a row has a result.
    """
    blocks = [block for block in table.blocks if any(row.recipe in outcomes for row in block.rows)]
    return [_sheet(table, block, outcomes) for block in blocks]


def _sheet(table: PaperTable, block: Block, outcomes: dict[str, Outcome]) -> Sheet:
    """Return one part of a table with the paper's numbers and ours."""
    found = [o.scores for row in block.rows if (o := outcomes.get(row.recipe)) is not None and o.scores is not None]
    differing = compare(found) if found else {}
    title = f"{table.title}: {block.title}"
    notes = [f"paper: {table.measured}"]
    if found:
        shared = [f"{key} {value}" for key, value in found[0].choices.items() if key not in differing]
        notes.append(f"ours: {', '.join(shared)}")
    if differing:
        title += ": NOT COMPARABLE, measured differently"
        for key, values in differing.items():
            notes.append(f"differs: {key}: {'; '.join(map(str, values))}")
    lines: list[list[str]] = []
    for row in block.rows:  # the paper's line, then ours
        lines.append([row.label, "paper", *row.words(len(block.columns))])
        outcome = outcomes.get(row.recipe)
        if outcome is not None:
            lines.append([row.label, *_ours(outcome, block)])
            notes += _remarks(row, outcome)
    return Sheet(title=title, heads=["", "", *(column.head for column in block.columns)], lines=lines, notes=notes)


def _ours(outcome: Outcome, block: Block) -> list[str]:
    """Return the cells of our line after its label: "ours", and a number for each column."""
    scores = outcome.scores
    if scores is None:
        return ["failed", *["-"] * len(block.columns)]
    values = [(column, column.value(scores, outcome.parameters)) for column in block.columns]
    numbers = ["-" if value is None else f"{value:.{column.digits}f}" for column, value in values]
    return ["ours, changed" if outcome.changed else "ours", *numbers]


def _remarks(row: Row, outcome: Outcome) -> list[str]:
    """Return a note if a row failed, or if its recipe was changed."""
    if outcome.error:
        return [f"{row.label} failed: {outcome.error}"]
    return [f"{row.label}: {outcome.changed}"] if outcome.changed else []


def markdown(found: Sequence[Sheet]) -> str:
    """Return the sheets as a page of Markdown."""
    parts = []
    for sheet in found:
        rows = [sheet.heads, ["---"] * len(sheet.heads), *sheet.lines]
        parts += [f"## {sheet.title}\n", *("| " + " | ".join(row) + " |" for row in rows), ""]
        parts += [*(f"- {note}" for note in sheet.notes), ""]
    return "\n".join(parts)


def as_json(table: PaperTable, found: Sequence[Sheet], outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """Return the sheets and the results behind them in JSON's containers."""
    return {
        "table": table.title,
        "sheets": [vars(sheet) for sheet in found],
        "results": {
            name: {
                "parameters": outcome.parameters, "changed": outcome.changed, "error": outcome.error,
                "scores": outcome.scores.as_json() if outcome.scores else None,
            }
            for name, outcome in outcomes.items()
        },
    }  # fmt: skip
