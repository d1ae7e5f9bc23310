"""A paper's table again: each row trained and measured by its recipe, and the paper's numbers beside ours.

A row is a folder: the run (see `poselift.lab.train`) and `scores.json`, once it is measured. Rows that have theirs are
not trained again; rows that were stopped go on; a row that fails leaves the others alone.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from poselift.errors import CheckpointError, PoseliftError, RecipeError, did_you_mean
from poselift.files import written_whole
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
    """What is done otherwise than the recipes say, in all rows."""

    steps: int | None = None
    """Train so many steps, for a try-out."""
    epochs: int | None = None
    """Train so many epochs."""
    batch_size: int | None = None
    """Windows in a batch."""
    lr: float | None = None
    """Greatest learning rate; smaller batches want a smaller one."""
    device: str = "auto"
    """"cpu", "cuda", or "auto" for a GPU where there is one."""
    keypoints: str | None = None
    """Which 2D of the benchmark, in training and test: the end of the archive's name, such as gt."""
    truth: Literal["annot3", "univ_annot3"] | None = None
    """Which ground truth MPI-INF-3DHP's archive was made from."""
    as_published: bool = False
    """Choose the weights on the test subjects, as the papers' code does, after measuring every epoch."""

    def apply(self, recipe: TrainRecipe) -> TrainRecipe:
        """The recipe with these changes.

        Raises:
            RecipeError: It is of no benchmark, or a number is out of range.
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
    """What came of one recipe."""

    scores: Scores | None = None
    """The result; None when it failed."""
    parameters: int = 0
    """Weights of the network."""
    changed: str = ""
    """How the training differed from the recipe's, in words; empty when it did not."""
    error: str = ""
    """Why it failed."""


Tick = Callable[..., None]
"""Called with (done, in all, note)."""


def choose(table: str, rows: Sequence[str] = ()) -> tuple[PaperTable, list[str]]:
    """A table by name, and the recipes of some of its rows.

    Args:
        table: A key of `TABLES`.
        rows: Labels of rows or names of recipes; all when empty.

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
        changes: What is done otherwise.
        commit: Commit of the code.
        date: The day.
        tick: Told how far it is.

    Returns:
        What came of it; errors are in it, and logged.
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
    except (PoseliftError, OSError, MemoryError, RuntimeError) as error:  # torch tells of memory by RuntimeError
        if not isinstance(error, PoseliftError):  # nobody has written these words for users
            logger.exception("%s failed", name)
        return Outcome(error=str(error) or type(error).__name__)


def _measured(recipe: TrainRecipe, data: Path, out: Path, tick: Tick) -> dict[str, Any]:
    """Train to the end and measure."""
    assert isinstance(recipe.data, BenchmarkConfig)  # `Changes.apply` has looked
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
    """What a finished row has left, None when there is nothing.

    Raises:
        CheckpointError: It is of another recipe, or no scores at all.
    """
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        same = is_recipe(content["recipe"], recipe)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} holds no scores; remove it, or use a new --out folder") from error
    if not same:
        raise CheckpointError(f"{path} was measured with other options; use a new --out folder")
    return content


def _changed(recipe: TrainRecipe, full: TrainRecipe, content: dict[str, Any]) -> str:
    """How a recipe differs from the one of the table."""
    ours, theirs = _flat(recipe), _flat(full)
    found = []
    if recipe.epochs != full.epochs:
        found.append(f"{content['steps']} steps, not {full.epochs} epochs of {content['epoch_steps']}")
    for name, value in ours.items():
        if name not in (*_SILENT, "steps", "epochs") and value != theirs[name]:
            found.append(f"{name.replace('_', ' ')} {value}, not {theirs[name]}")
    return "; ".join(found)


def _flat(recipe: TrainRecipe) -> dict[str, Any]:
    """Options by name, those of the parts among them."""
    options: dict[str, Any] = {}
    for name, value in recipe_json(recipe).items():
        options |= value if isinstance(value, dict) else {name: value}
    return options


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A part of a table with the paper's numbers and ours, as text."""

    title: str
    """What it shows; says when its rows were measured differently."""
    heads: list[str]
    """What stands above the columns."""
    lines: list[list[str]]
    """For each row the paper's line, and ours where it was asked for."""
    notes: list[str]
    """What a reader should know."""


def sheets(table: PaperTable, outcomes: dict[str, Outcome]) -> list[Sheet]:
    """A table with the paper's numbers and ours, part by part.

    Args:
        table: The table.
        outcomes: Recipe: what came of it; rows of other recipes show the paper's numbers alone.

    Returns:
        The parts in which there is something of ours.
    """
    blocks = [block for block in table.blocks if any(row.recipe in outcomes for row in block.rows)]
    return [_sheet(table, block, outcomes) for block in blocks]


def _sheet(table: PaperTable, block: Block, outcomes: dict[str, Outcome]) -> Sheet:
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
    """Our line: whose it is, and a number for each column."""
    scores = outcome.scores
    if scores is None:
        return ["failed", *["-"] * len(block.columns)]
    values = [(column, column.value(scores, outcome.parameters)) for column in block.columns]
    numbers = ["-" if value is None else f"{value:.{column.digits}f}" for column, value in values]
    return ["ours, changed" if outcome.changed else "ours", *numbers]


def _remarks(row: Row, outcome: Outcome) -> list[str]:
    if outcome.error:
        return [f"{row.label} failed: {outcome.error}"]
    return [f"{row.label}: {outcome.changed}"] if outcome.changed else []


def markdown(found: Sequence[Sheet]) -> str:
    """The sheets as a page of Markdown."""
    parts = []
    for sheet in found:
        rows = [sheet.heads, ["---"] * len(sheet.heads), *sheet.lines]
        parts += [f"## {sheet.title}\n", *("| " + " | ".join(row) + " |" for row in rows), ""]
        parts += [*(f"- {note}" for note in sheet.notes), ""]
    return "\n".join(parts)


def as_json(table: PaperTable, found: Sequence[Sheet], outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """The sheets and every result behind them, in plain containers."""
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
