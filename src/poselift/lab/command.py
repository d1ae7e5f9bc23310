"""The lab's part of the command line."""

import dataclasses
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from poselift.errors import RecipeError
from poselift.lab import card
from poselift.lab.benchmark_data import BenchmarkConfig
from poselift.lab.data import DataConfig
from poselift.lab.efficiency import EfficiencyConfig, Row, cases, markdown, measure
from poselift.lab.engine import Engine
from poselift.lab.models import options
from poselift.lab.noise import NoiseConfig
from poselift.lab.observe import SimulatedDetector
from poselift.lab.pretrain import Pretraining, PretrainRecipe
from poselift.lab.recipe import TrainRecipe
from poselift.lab.recipes import RECIPES, get_recipe
from poselift.lab.reproduce import Changes, Outcome, Sheet, as_json, choose, reproduce_row, sheets
from poselift.lab.reproduce import markdown as page
from poselift.lab.tasks import make_task
from poselift.lab.train import Run
from poselift.lab.views import make_view_task
from poselift.lifter import importing_from_here
from poselift.output import written_whole

Bar = Callable[[str], AbstractContextManager[Callable[..., None]]]


@dataclass(frozen=True, kw_only=True)
class _TrainArguments:
    data: Path
    """Motion capture (a mocap17.npz archive with the splits train and dev), or the folder of a benchmark's archives, or
    of your own recordings."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the run; a run that was stopped goes on where it was."""
    max_minutes: float | None = None
    """Stop with a checkpoint after so many minutes; the same command goes on."""
    recipe: Annotated[TrainRecipe, tyro.conf.arg(name=""), tyro.conf.AvoidSubcommands]
    """Options of the recipe."""


def train(name: str, arguments: Sequence[str], bar: Bar) -> int:
    """Train by a recipe, evaluate, and write the ONNX file with its card.

    SIGTERM and SIGINT stop it with a checkpoint, from which the same command goes on. Under `torchrun` it is one run of
    many processes, of which the first one writes.

    Args:
        name: Name of the recipe.
        arguments: What follows it on the command line.
        bar: Opens a progress bar.

    Returns:
        0, also when it was stopped before the last step.

    Raises:
        RecipeError: There is no such recipe, or an option is out of range.
    """
    recipe = get_recipe(name)
    lifter = _value_of("--lifter", arguments) or recipe.lifter
    fitting = recipe.model if lifter == recipe.lifter else {}
    with importing_from_here():
        recipe = dataclasses.replace(recipe, lifter=lifter, model=options(lifter) | fitting)
    given = tyro.cli(
        _TrainArguments, prog=f"poselift train {name}", args=list(arguments), description=RECIPES[name].__doc__,
        default=_TrainArguments(data=tyro.MISSING, out=tyro.MISSING, recipe=recipe),
    )  # fmt: skip
    task = make_task(given.recipe, given.data, given.out)
    run = Run(given.recipe, task, given.out)
    with _bar_of(run, bar)(f"training {given.recipe.name}") as tick:
        done = run.train(
            lambda step, steps, line: tick(step, steps, _describe(line)), max_minutes=given.max_minutes, signals=True
        )
    if not (done and run.ranks.first):
        return 0
    stamp = {"commit": _commit(), "date": time.strftime("%Y-%m-%d")}
    card.write_weights(run, scores=task.finish(run), data=task.data, license=task.license, **stamp)
    return 0


@dataclass(frozen=True, kw_only=True)
class _PretrainArguments:
    data: Path
    """Motion capture (a mocap17.npz archive with the splits train and dev), or the folder of a benchmark's archives."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the run; a run that was stopped goes on where it was."""
    max_minutes: float | None = None
    """Stop with a checkpoint after so many minutes; the same command goes on."""
    recipe: Annotated[PretrainRecipe, tyro.conf.arg(name=""), tyro.conf.AvoidSubcommands]
    """Options of the pre-training."""


def pretrain(name: str, arguments: Sequence[str], bar: Bar) -> int:
    """Pre-train a lifter's encoder by PoseCLR, and write its weights. It stops and goes on as `train` does.

    Args:
        name: A lifter, or a training recipe, whose lifter, options and data are taken.
        arguments: What follows it on the command line; `--data.dataset` asks for a benchmark.
        bar: Opens a progress bar.

    Returns:
        0, also when it was stopped before the last step.

    Raises:
        RecipeError: There is no such lifter, or an option is out of range.
    """
    like = RECIPES[name]() if name in RECIPES else TrainRecipe(name="", lifter=name)
    on_benchmark = isinstance(like.data, BenchmarkConfig) or _value_of("--data.dataset", arguments) is not None
    with importing_from_here():
        model = options(like.lifter) | like.model
    recipe = PretrainRecipe(
        name=f"{like.lifter.rpartition(':')[2].lower()}.poseclr", lifter=like.lifter, model=model,
        data=like.data if name in RECIPES else BenchmarkConfig() if on_benchmark else DataConfig(),
    )  # fmt: skip
    given = tyro.cli(
        _PretrainArguments, prog=f"poselift pretrain {name}", args=list(arguments), description=pretrain.__doc__,
        default=_PretrainArguments(data=tyro.MISSING, out=tyro.MISSING, recipe=recipe),
    )  # fmt: skip
    run = Pretraining(given.recipe, make_view_task(given.recipe.data, given.data), given.out)
    with _bar_of(run, bar)(f"pre-training {given.recipe.name}") as tick:
        run.pretrain(
            lambda step, steps, line: tick(step, steps, _describe_contrast(line)), max_minutes=given.max_minutes,
            signals=True,
        )  # fmt: skip
    return 0


def reproduce(
    table: str, data: Path, out: Path, rows: Sequence[str], how: dict[str, Any], bar: Bar
) -> tuple[list[Sheet], Path, bool]:
    """Train and measure the rows of a paper's table; see `poselift.lab.reproduce`.

    Args:
        table: Name of the table.
        data: Folder of the archives.
        out: Folder for the rows' folders and for TABLE.json and TABLE.md, which are replaced.
        rows: Labels of rows or names of recipes; all when empty.
        how: Fields of `Changes`.
        bar: Opens a progress bar.

    Returns:
        The table as text, the Markdown page, and whether all went well.

    Raises:
        RecipeError: There is no such table or row.
        OutputError: A file cannot be written.
    """
    chosen, recipes = choose(table, rows)
    changes, stamp = Changes(**how), {"commit": _commit(), "date": time.strftime("%Y-%m-%d")}
    outcomes: dict[str, Outcome] = {}
    for number, name in enumerate(recipes, 1):
        with bar(f"{name} ({number} of {len(recipes)})") as tick:
            outcomes[name] = reproduce_row(name, data, out / name, changes, **stamp, tick=tick)
    found = sheets(chosen, outcomes)
    out.mkdir(parents=True, exist_ok=True)
    content = json.dumps(as_json(chosen, found, outcomes) | stamp, indent=2) + "\n"
    for ending, text in (("json", content), ("md", page(found))):
        with written_whole(out / f"{table}.{ending}", overwrite=True) as path:
            path.write_text(text, encoding="utf-8")
    return found, out / f"{table}.md", not any(outcome.error for outcome in outcomes.values())


def import_weights(name: str, path: Path, out: Path, *, overwrite: bool) -> Path:
    """Bring the authors' weights into our form; see `poselift.lab.card.import_weights`."""
    return card.import_weights(name, path, out, date=time.strftime("%Y-%m-%d"), overwrite=overwrite)


def measure_efficiency(names: Sequence[str], how: dict[str, Any], out: Path, bar: Bar) -> tuple[list[Row], Path]:
    """Measure lifters and write the dated page; see `poselift.lab.efficiency`.

    Args:
        names: Lifters; the whole table when empty.
        how: Fields of `EfficiencyConfig`.
        out: Folder for the page; a page of the same day is replaced.
        bar: Opens a progress bar.

    Returns:
        The rows, and the page.

    Raises:
        RecipeError: There is no lifter of a name, or an option is out of range.
    """
    config, rows, date = EfficiencyConfig(**how), [], time.strftime("%Y-%m-%d")
    with importing_from_here(), bar("measuring") as tick:
        chosen = cases(names)
        for done, (name, changes) in enumerate(chosen):
            tick(done, len(chosen), name)
            rows.append(measure(name, changes, config))
    command = " ".join(["poselift benchmark", *names, f"--threads {config.threads} --batch {config.batch}"])
    path = out / f"{date}-efficiency.md"
    out.mkdir(parents=True, exist_ok=True)
    with written_whole(path, overwrite=True) as temporary:
        page = markdown(rows, config, command=command, commit=_commit(), date=date)
        temporary.write_text(page, encoding="utf-8")
    return rows, path


def simulated_detector(errors: dict[str, Any]) -> SimulatedDetector:
    """The simulated detector with the errors that a card names.

    Raises:
        RecipeError: They are not those of this version.
    """
    try:
        return SimulatedDetector(NoiseConfig(**errors))
    except TypeError as error:
        raise RecipeError(f"detector errors of another version of poselift: {error}") from error


def sizes_of(recipe: dict[str, Any]) -> dict[str, Any]:
    """Parameters and multiply-accumulates of the lifter of a recipe that stands on a card."""
    with importing_from_here():
        return card.sizes_of(recipe)


def _bar_of(run: Engine, bar: Bar) -> Bar:
    """A progress bar for the first process alone."""
    return bar if run.ranks.first else lambda title: nullcontext(lambda *done: None)


def _value_of(option: str, arguments: Sequence[str]) -> str | None:
    """What follows `option` on the command line, or stands in it after "="."""
    for argument, after in zip(arguments, (*arguments[1:], None), strict=True):
        if argument == option:
            return after
        if argument.startswith(f"{option}="):
            return argument.removeprefix(f"{option}=")
    return None


def _describe(line: dict[str, Any]) -> str:
    scored = next(
        (f", {part} P-MPJPE {line[key]:.1f} mm" for part in ("dev", "test") if (key := f"{part}_p_mpjpe") in line), ""
    )
    return f"loss {line['loss_mm']:.1f} mm, {line['windows_per_s']:.0f} windows/s{scored}"


def _describe_contrast(line: dict[str, Any]) -> str:
    return f"loss {line['loss']:.3f}, accuracy {line['accuracy']:.2f}, spread {line['spread']:.2f}"


def _commit() -> str:
    """The checkout's commit, "unknown" outside of one; marked when files differ from it."""
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)  # installed inside somebody's repository is not in it
        return _git("describe", "--always", "--dirty", "--abbrev=12") or "unknown"
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(*arguments: str) -> str:
    here = Path(__file__).parent
    done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
