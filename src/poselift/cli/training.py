"""The verbs of the lab: train, import weights, measure costs. This module needs torch; only these verbs import it."""

import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table
from rich.text import Text

from poselift.cli.answer import add, record
from poselift.cli.console import out as console
from poselift.cli.console import print_plain, progress
from poselift.errors import RecipeError
from poselift.files import written_whole
from poselift.lab.export import card
from poselift.lab.export.efficiency import EfficiencyConfig, cases, measure
from poselift.lab.export.report import PUSHES, markdown, measure_pushes, numbers, peak_memory, plot_svg, surroundings
from poselift.lab.models import options
from poselift.lab.poseclr.pretrain import Pretraining, PretrainRecipe
from poselift.lab.poseclr.views import make_view_task
from poselift.lab.recipes import RECIPES, get_recipe
from poselift.lab.reproduce import Changes, Outcome, Sheet, as_json, choose, reproduce_row, sheets
from poselift.lab.reproduce import markdown as page
from poselift.lab.run.commit import commit
from poselift.lab.run.engine import Engine
from poselift.lab.run.recipe import TrainRecipe
from poselift.lab.tasks import make_task
from poselift.lab.train import Run, write_weights
from poselift.lab.windows.benchmark import BenchmarkConfig
from poselift.lab.windows.mocap import DataConfig
from poselift.measure.wide import Stacked

Bar = Callable[[str], AbstractContextManager[Callable[..., None]]]
"""Opens a progress bar with a title; yields a callback that takes the number done, the number in all and a note."""


@dataclass(frozen=True, kw_only=True)
class _TrainArguments:
    data: Path
    """Motion capture archive with the splits train and dev, or folder of a benchmark or of recordings of your own."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the run; a run that was stopped there is resumed."""
    max_minutes: float | None = None
    """Minutes after which the run stops with a checkpoint (the same command resumes it); no limit when not given."""
    keypoints: str | None = None
    """Name of a benchmark's 2D keypoints, such as gt; short for --data.keypoints."""
    recipe: Annotated[TrainRecipe, tyro.conf.arg(name=""), tyro.conf.AvoidSubcommands]
    """Options of the recipe."""


def train(name: str, arguments: Sequence[str]) -> int:
    """Train by a recipe, evaluate, and write the ONNX file with its card.

    SIGTERM, SIGINT and SIGHUP stop the run with a checkpoint; the same command resumes it. Under `torchrun`, many
    processes share the run, and the first one writes its files.

    Args:
        name: Name of the recipe.
        arguments: Arguments after the name on the command line.

    Returns:
        0, also when it was stopped before the last step.

    Raises:
        RecipeError: There is no such recipe, or an option is out of range.
    """
    recipe = get_recipe(name)
    lifter = _value_of("--lifter", arguments) or recipe.lifter
    fitting = recipe.model if lifter == recipe.lifter else {}
    recipe = dataclasses.replace(recipe, lifter=lifter, model=options(lifter) | fitting)
    given = tyro.cli(
        _TrainArguments, prog=f"poselift train {name}", args=list(arguments), description=RECIPES[name].__doc__,
        default=_TrainArguments(data=tyro.MISSING, out=tyro.MISSING, recipe=recipe),
    )  # fmt: skip
    recipe = _seen_by(given.keypoints, given.recipe, arguments)
    task = make_task(recipe, given.data, given.out)
    run = Run(recipe, task, given.out)
    with _bar_of(run)(f"training {recipe.name}") as tick:
        done = run.train(
            lambda step, steps, line: tick(step, steps, _describe(line)), max_minutes=given.max_minutes, signals=True
        )
    record(out=given.out, finished=bool(done))
    if not (done and run.ranks.first):
        return 0
    with progress(f"measuring {recipe.name}") as tick:
        scores = task.finish(run, tick)
    record(weights=write_weights(run, scores=scores, data=task.data, license=task.license, **_stamp()))
    return 0


def _seen_by(keypoints: str | None, recipe: TrainRecipe, arguments: Sequence[str]) -> TrainRecipe:
    """Return the recipe with other keypoints of its benchmark; unchanged when None."""
    if keypoints is None:
        return recipe
    if not isinstance(recipe.data, BenchmarkConfig):
        raise RecipeError(f"--keypoints: {recipe.name} is trained on no benchmark and has only one kind; leave it out")
    if _value_of("--data.keypoints", arguments) not in (None, keypoints):
        raise RecipeError(f"wanted --keypoints or --data.keypoints, got both ({keypoints} and {recipe.data.keypoints})")
    return dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, keypoints=keypoints))


@dataclass(frozen=True, kw_only=True)
class _PretrainArguments:
    data: Path
    """Motion capture (a mocap17.npz archive with the splits train and dev), or a folder with a benchmark's archives."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the run; a run that was stopped there is resumed."""
    max_minutes: float | None = None
    """Minutes after which the run stops with a checkpoint (the same command resumes it); no limit when not given."""
    recipe: Annotated[PretrainRecipe, tyro.conf.arg(name=""), tyro.conf.AvoidSubcommands]
    """Options of the pre-training."""


def pretrain(name: str, arguments: Sequence[str]) -> int:
    """Pre-train a lifter's encoder by PoseCLR, and write its weights. A run stops and resumes as in `train`.

    Args:
        name: Name of a lifter, or of a training recipe to take the lifter, its options and the data from.
        arguments: Arguments after the name on the command line; `--data.dataset` asks for a benchmark.

    Returns:
        0, also when it was stopped before the last step.

    Raises:
        RecipeError: There is no such lifter, or an option is out of range.
    """
    like = RECIPES[name]() if name in RECIPES else TrainRecipe(name="", lifter=name)
    on_benchmark = isinstance(like.data, BenchmarkConfig) or _value_of("--data.dataset", arguments) is not None
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
    with _bar_of(run)(f"pre-training {given.recipe.name}") as tick:
        done = run.pretrain(
            lambda step, steps, line: tick(step, steps, _describe_contrast(line)), max_minutes=given.max_minutes,
            signals=True,
        )  # fmt: skip
    record(out=given.out, finished=done)
    return 0


def train_verb(
    recipe: tyro.conf.Positional[str],
    /,
    *,
    data: Path,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
) -> int:
    """Train a lifter by a recipe; `poselift train RECIPE --help` lists every option it holds.

    Args:
        recipe: Name of the recipe, such as nanohtnet_mocap.
        data: Motion capture archive, or folder with a benchmark's archives, as the recipe needs.
        out: Folder of the run; a run that was stopped there is resumed.
    """
    return train(recipe, ["--data", str(data), "--out", str(out)])


def pretrain_verb(
    lifter: tyro.conf.Positional[str],
    /,
    *,
    data: Path,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
) -> int:
    """Pre-train a lifter's encoder by PoseCLR, without 3D; `poselift pretrain LIFTER --help` lists every option.

    Args:
        lifter: Name of a lifter, module:Class, or name of a training recipe to take the lifter and its options from.
        data: Motion capture archive, or folder with a benchmark's archives (with --data.dataset).
        out: Folder of the run; a run that was stopped there is resumed.
    """
    return pretrain(lifter, ["--data", str(data), "--out", str(out)])


def reproduce(
    table: tyro.conf.Positional[str],
    /,
    *,
    data: Path,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    rows: tuple[str, ...] = (),
    changes: Annotated[Changes, tyro.conf.OmitArgPrefixes],
) -> int:
    """Train and measure every row of a paper's table, and show the paper's numbers beside yours.

    Finished rows are not trained again, and stopped rows are resumed. A row that fails does not stop the others.

    Args:
        table: Name of the table, such as h36m_convformer; docs/reproduce.md lists them.
        data: Folder with the benchmark's archives.
        out: Folder for the rows and for TABLE.json and TABLE.md, which are replaced.
        rows: Labels of rows, or names of recipes; all rows when not given.
        changes: Changes to the recipes; each row of the result lists its own.
    """
    chosen, recipes = choose(table, rows)
    stamp, outcomes = _stamp(), dict[str, Outcome]()
    for number, name in enumerate(recipes, 1):
        with progress(f"{name} ({number} of {len(recipes)})") as tick:
            outcomes[name] = reproduce_row(name, data, out / name, changes, **stamp, tick=tick)
    found = sheets(chosen, outcomes)
    answer = as_json(chosen, found, outcomes)
    content = json.dumps(answer | stamp, indent=2) + "\n"
    record(table=answer["table"], sheets=answer["sheets"], outcomes=answer["results"])
    record(files=[out / f"{table}.{ending}" for ending in ("json", "md")])
    for ending, text in (("json", content), ("md", page(found))):
        with written_whole(out / f"{table}.{ending}", overwrite=True) as path:
            path.write_text(text, encoding="utf-8")
    for sheet in found:
        console.print(_sheet_table(sheet))
        for note in sheet.notes:
            print_plain(f"- {note}")
    print_plain(f"-> {out / f'{table}.md'}")
    return 1 if any(outcome.error for outcome in outcomes.values()) else 0


def _sheet_table(sheet: Sheet) -> Stacked:
    table = Table(title=Text(sheet.title), title_justify="left")
    for number, head in enumerate(sheet.heads):
        table.add_column(Text(head), justify="left" if number < 2 else "right", no_wrap=number > 1)
    for line in sheet.lines:
        table.add_row(*map(Text, line))
    return Stacked(table, keep=2)


def import_weights(
    lifter: tyro.conf.Positional[str],
    checkpoint: tyro.conf.Positional[Path],
    /,
    *,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    force: bool = False,
) -> int:
    """Turn a checkpoint of a paper's authors into weights of ours: ONNX for lifting, safetensors for training.

    Args:
        lifter: Name of the model that the checkpoint belongs to: posessm, nanohtnet or htnet.
        checkpoint: The authors' .pth file. Only tensors are read from it; no code in it is run.
        out: Folder for the results.
        force: Overwrite results that exist.
    """
    path = card.import_weights(lifter, checkpoint, out, date=_stamp()["date"], overwrite=force)
    add("files", path)
    print_plain(f"{checkpoint.name} -> {path}, with its card; lift with: poselift lift VIDEO -o DIR --lifter {path}")
    return 0


def benchmark(
    lifters: tyro.conf.Positional[tuple[str, ...]] = (),
    /,
    *,
    threads: int = 1,
    batch: int = 256,
    rounds: int = 8,
    pushes: int = 1000,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("benchmarks"),
) -> int:
    """Measure what lifters cost: operations, latency, speed in bulk against plain products, pushes, memory and size.

    Args:
        lifters: Names of lifters, or module:Class; all lifters of the papers when not given.
        threads: Number of threads to run on.
        batch: Number of windows in a batch, for the speed in bulk.
        rounds: Number of times that each form is measured; more rounds vary less.
        pushes: Number of frames that are pushed to each stream of the shipped weights; 0 leaves streams and memory out.
        out: Folder for the page, the same as JSON, and the plot, named by the date; those of the same day are replaced.
    """
    if pushes < 0:
        raise RecipeError(f"wanted a number of pushes of 0 or more (--pushes), got {pushes}")
    config, rows, stamp = EfficiencyConfig(threads=threads, batch=batch, rounds=rounds), [], _stamp()
    with progress("measuring") as tick:
        chosen = cases(lifters)
        for done, (name, changes) in enumerate(chosen):
            tick(done, len(chosen), name)
            rows.append(measure(name, changes, config))
    streams = measure_pushes(pushes) if pushes else []
    memory = {name: peak_memory(name, batch) for name in dict.fromkeys(name for name, _, _ in PUSHES) if pushes}
    command = " ".join(["poselift benchmark", *lifters, f"--threads {threads} --batch {batch}"])
    about, measured = stamp | {"command": command} | surroundings(), (rows, streams, memory, config)
    path = out / f"{stamp['date']}-efficiency.md"
    title = f"Share of the rate of plain matrix products, batch of {batch}, {about['machine']}"
    for ending, text in (
        (".md", markdown(*measured, about)),
        (".json", json.dumps(numbers(*measured, about), indent=1) + "\n"),
        (".svg", plot_svg(rows, title)),
    ):
        with written_whole(path.with_suffix(ending), overwrite=True) as temporary:
            temporary.write_text(text, encoding="utf-8")
    files = [path.with_suffix(ending) for ending in (".md", ".json", ".svg")]
    record(rows=rows, config=config, streams=streams, memory=memory, files=files)
    table = Table(title="milliseconds of one window; frames/s of ONNX Runtime in bulk", caption=f"more in {path}")
    for column in ("lifter", "parameters", "MMACs", "authors' steps", "onnx", "faster", "frames/s", "of products"):
        table.add_column(column, justify="left" if column == "lifter" else "right", overflow="fold")
    for row in rows:
        table.add_row(
            row.lifter, f"{row.parameters:,}", f"{row.macs / 1e6:.1f}", f"{row.latency_ms['published']:.2f}",
            f"{row.latency_ms['onnx']:.2f}", f"{row.speedup('onnx'):.1f}x", f"{row.frames_per_s('onnx'):,.0f}",
            f"{100 * row.fraction():.0f} %",
        )  # fmt: skip
    console.print(table)
    return 0


def _bar_of(run: Engine) -> Bar:
    """Return what opens a progress bar in the first process, and nothing in the others."""
    return progress if run.ranks.first else lambda title: nullcontext(lambda *done: None)


def _stamp() -> dict[str, str]:
    """Return the commit and the date, for cards and pages."""
    return {"commit": commit(), "date": time.strftime("%Y-%m-%d")}


def _value_of(option: str, arguments: Sequence[str]) -> str | None:
    """Return the value of `option` on the command line, given after a space or after "="; None when not given."""
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
