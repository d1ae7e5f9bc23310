"""The verbs of the lab: train, import, measure what it costs. It is loaded only when one of them is used."""

from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.table import Table
from rich.text import Text

from poselift.cli.console import lab_module, progress
from poselift.cli.console import out as console


def train(
    recipe: tyro.conf.Positional[str],
    /,
    *,
    data: Path,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
) -> int:
    """Train a lifter by a recipe; `poselift train RECIPE --help` lists every option it holds.

    Args:
        recipe: Name of the recipe, such as nanohtnet_mocap.
        data: Motion capture archive, or the folder of a benchmark's archives, as the recipe asks.
        out: Folder of the run; a run that was stopped goes on where it was.
    """
    return lab_module("command").train(recipe, ["--data", str(data), "--out", str(out)], progress)


def pretrain(
    lifter: tyro.conf.Positional[str],
    /,
    *,
    data: Path,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
) -> int:
    """Pre-train a lifter's encoder by PoseCLR, without 3D; `poselift pretrain LIFTER --help` lists every option.

    Args:
        lifter: A lifter, module:Class, or a training recipe, whose lifter and options are taken.
        data: Motion capture archive, or the folder of a benchmark's archives (with --data.dataset).
        out: Folder of the run; a run that was stopped goes on where it was.
    """
    return lab_module("command").pretrain(lifter, ["--data", str(data), "--out", str(out)], progress)


def reproduce(
    table: tyro.conf.Positional[str],
    /,
    *,
    data: Path,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    rows: tuple[str, ...] = (),
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    device: str = "auto",
    truth: Literal["annot3", "univ_annot3"] | None = None,
    as_published: bool = False,
) -> int:
    """Train and measure every row of a paper's table, and show the paper's numbers beside yours.

    Rows that are done are not done again, rows that were stopped go on; one that fails leaves the others alone.

    Args:
        table: Name of the table, such as h36m_convformer; docs/reproduce.md lists them.
        data: Folder of the benchmark's archives.
        out: Folder for the rows and the table.
        rows: Labels of rows, or names of recipes; all when none.
        steps: Train so many steps only, to try it out.
        epochs: Train so many epochs.
        batch_size: Windows in a batch, where the recipe's is too large.
        lr: Greatest learning rate; smaller batches want a smaller one.
        device: "cpu", "cuda", or "auto".
        truth: Which ground truth MPI-INF-3DHP's archive was made from.
        as_published: Choose the weights on the test subjects, as the papers' code does.
    """
    how = {
        "steps": steps, "epochs": epochs, "batch_size": batch_size, "lr": lr,
        "device": device, "truth": truth, "as_published": as_published,
    }  # fmt: skip
    sheets, page, well = lab_module("command").reproduce(table, data, out, rows, how, progress)
    for sheet in sheets:
        console.print(_sheet_table(sheet))
        for note in sheet.notes:
            console.print(f"- {note}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"-> {page}", markup=False, highlight=False, soft_wrap=True)
    return 0 if well else 1


def _sheet_table(sheet: Any) -> Table:
    table = Table(title=Text(sheet.title), title_justify="left")
    for number, head in enumerate(sheet.heads):
        table.add_column(Text(head), justify="left" if number < 2 else "right")
    for line in sheet.lines:
        table.add_row(*map(Text, line))
    return table


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
        lifter: Which model it is of: posessm, nanohtnet or htnet.
        checkpoint: The authors' .pth file. It is read as tensors only; nothing in it is run.
        out: Folder for the results.
        force: Overwrite results that exist.
    """
    path = lab_module("command").import_weights(lifter, checkpoint, out, overwrite=force)
    console.print(f"{checkpoint.name} -> {path}, with its card; lift with: poselift lift VIDEO -o DIR --lifter {path}",
        markup=False, highlight=False, soft_wrap=True)  # fmt: skip
    return 0


def benchmark(
    lifters: tyro.conf.Positional[tuple[str, ...]] = (),
    /,
    *,
    threads: int = 1,
    batch: int = 256,
    rounds: int = 8,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("benchmarks"),
) -> int:
    """Measure what lifters cost: parameters, operations, latency and speed in bulk, in torch and in ONNX Runtime.

    Args:
        lifters: Names, or module:Class; all of the papers' when none.
        threads: Threads to run on.
        batch: Windows at a time for bulk work.
        rounds: Turns of each form; more is steadier.
        out: Folder for the page with the date.
    """
    how = {"threads": threads, "batch": batch, "rounds": rounds}
    rows, path = lab_module("command").measure_efficiency(lifters, how, out, progress)
    table = Table(title="milliseconds of one window; frames/s of ONNX Runtime in bulk", caption=f"more in {path}")
    for column in ("lifter", "parameters", "MMACs", "authors' steps", "onnx", "faster", "frames/s"):
        table.add_column(column, justify="left" if column == "lifter" else "right", overflow="fold")
    for row in rows:
        table.add_row(
            row.lifter, f"{row.parameters:,}", f"{row.macs / 1e6:.1f}", f"{row.latency_ms['published']:.2f}",
            f"{row.latency_ms['onnx']:.2f}", f"{row.speedup('onnx'):.1f}x", f"{row.frames_per_s('onnx'):,.0f}",
        )  # fmt: skip
    console.print(table)
    return 0
