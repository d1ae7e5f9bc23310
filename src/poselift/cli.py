"""The command line: one function a verb."""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from poselift.errors import FormatError, MissingExtraError, PoseliftError
from poselift.evaluate import METRICS, MocapProtocol, Scores, evaluate_mocap
from poselift.formats import save_poses
from poselift.lift import lift as lift_keypoints
from poselift.lifter import DEFAULT_LIFTER, Lifter, OnnxLifter, importing_from_here, load_lifter, shipped_lifters
from poselift.output import check_free, written_whole
from poselift.read import is_video, read_keypoints
from poselift.sequence import Keypoints2D
from poselift.viewer import write_viewer

FORMATS = ("npz", "csv", "json", "bvh", "html")
"""Endings of the results, all of them written by default."""

_out = Console()
_err = Console(stderr=True)


def lift(
    inputs: tyro.conf.Positional[tuple[Path, ...]],
    /,
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    lifter: str = DEFAULT_LIFTER,
    skeleton: str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    flip: bool = False,
    detector_model: Path | None = None,
    formats: tuple[str, ...] = FORMATS,
    force: bool = False,
) -> int:
    """Lift videos or keypoint files to 3D motion.

    Args:
        inputs: Videos, folders of OpenPose JSON, or npz, csv or json keypoint files.
        out: Folder for the results: poses (npz, csv, json), BVH, and an HTML page to look at.
        lifter: Name of shipped weights, or the path of an .onnx file.
        skeleton: Joint order of keypoint files, where it cannot be told (COCO_17, BODY_25, ...).
        fps: Frames per second of keypoint files that do not say.
        image_size: Width and height of the picture, for keypoint files that do not say and weights that ask for it.
        flip: Average with the mirror image: a little better, twice the time.
        detector_model: Model file of the 2D detector, where one is needed.
        formats: What to write.
        force: Overwrite results that exist.
    """
    if not inputs:
        raise FormatError("nothing to lift: name at least one video or keypoint file")
    unknown = set(formats) - set(FORMATS)
    if unknown or not formats:
        raise FormatError(f"unknown formats {', '.join(sorted(unknown))}; known: {', '.join(FORMATS)}")
    names = [_name(path) for path in inputs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise FormatError(
            f"several inputs are called {', '.join(sorted(twice))} and would write the same files; "
            "lift them one by one into different folders"
        )
    with importing_from_here():
        network = load_lifter(lifter)
    failed = 0
    for path, name in zip(inputs, names, strict=True):
        try:
            for ending in formats:  # before any work is done
                check_free(out / f"{name}.{ending}", overwrite=force)
            joints, rate = (None, None) if is_video(path) else (skeleton, fps)  # a video knows both itself
            with _progress(f"reading {path.name}") as tick:
                people = read_keypoints(path, skeleton=joints, fps=rate, model=detector_model, progress=tick)
            for number, keypoints in enumerate(people, 1):
                if image_size is not None and not is_video(path):
                    keypoints = replace(keypoints, image_size=image_size)
                base = out / (name if number == 1 else f"{name}_person{number}")
                _lift_one(path, keypoints, network, base, flip, formats, force)
        except PoseliftError as error:
            failed += 1
            _say_error(error, path if len(inputs) > 1 else None)
    return 1 if failed else 0


def _name(path: Path) -> str:
    """What results are called after; "." is a folder with a name of its own."""
    return path.stem if path.stem.strip(".") else path.resolve().stem


def _lift_one(
    path: Path, keypoints: Keypoints2D, network: Lifter, base: Path, flip: bool, formats: Sequence[str], force: bool
) -> None:
    """Lift one person and write every format."""
    with _progress(f"lifting {base.name}") as tick:
        poses = lift_keypoints(keypoints, network, flip_average=flip, progress=tick)
    for ending in formats:
        target = base.parent / f"{base.name}.{ending}"
        if ending == "html":
            video = path if is_video(path) else None
            write_viewer(poses, target, keypoints=keypoints, video=video, title=path.name, overwrite=force)
        else:
            save_poses(poses, target, overwrite=force)
    seen = 100 * keypoints.seen.mean()
    _out.print(
        f"{path.name}: {len(poses)} frames at {poses.fps:g} fps, {keypoints.skeleton.name}, "
        f"{seen:.0f} % of the joints seen -> {base}.{{{','.join(formats)}}}",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


def evaluate(
    lifter: tyro.conf.Positional[str] = DEFAULT_LIFTER,
    /,
    *,
    data: Path,
    split: str = "dev",
    detector_errors: bool = False,
    flip: bool = False,
    cameras: int = 4,
    seed: int = 0,
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
    force: bool = False,
) -> int:
    """Measure a lifter on motion capture seen by fixed virtual cameras.

    Args:
        lifter: Name of shipped weights, or the path of an .onnx file.
        data: Motion capture: a mocap17.npz archive, or BVH or ASF/AMC files.
        split: Part of the archive; "all" for everything.
        detector_errors: See the joints as a simulated detector does, not exactly (needs the lab extra).
        flip: Average with the mirror image.
        cameras: Cameras for each clip.
        seed: Seed of cameras and errors.
        out: Also write the scores as JSON.
        force: Overwrite `out`.
    """
    from poselift.datasets.mocap import load_mocap

    if out is not None:
        check_free(out, overwrite=force)
    clips = load_mocap(data, split=None if split == "all" else split)
    protocol = MocapProtocol(cameras=cameras, seed=seed, flip_average=flip)
    observe = _lab("observe").SimulatedDetector() if detector_errors else None
    logging.getLogger("poselift").setLevel(logging.WARNING)  # what is repaired in each clip is for those who lift
    with _progress("evaluating") as tick:
        with importing_from_here():
            network = load_lifter(lifter)
        scores = evaluate_mocap(network, clips, protocol, observe=observe, progress=tick)
    _print_scores(lifter, scores)
    if out is not None:
        with written_whole(out, overwrite=force) as path:
            path.write_text(json.dumps({"lifter": lifter, "split": split} | scores.as_json(), indent=2) + "\n")
    return 0


def _print_scores(lifter: str, scores: Scores) -> None:
    choices = ", ".join(f"{key} {value}" for key, value in scores.protocol.items())
    table = Table(title=f"{lifter}, {scores.frames} frames, mm", caption=choices)
    table.add_column("joint")
    for name in METRICS:
        table.add_column(name, justify="right")
    for joint in next(iter(scores.per_joint.values())):
        table.add_row(joint, *(f"{scores.per_joint[name][joint]:.1f}" for name in METRICS))
    table.add_section()
    table.add_row("mean", *(f"{scores.mean[name]:.2f}" for name in METRICS), style="bold")
    _out.print(table)


def lifters() -> int:
    """List the weights that come with poselift."""
    table = Table()
    for column in ("name", "frames", "gives", "fps", "parameters", "licence"):
        table.add_column(column)
    for name in shipped_lifters():
        lifter = load_lifter(name)
        assert isinstance(lifter, OnnxLifter)  # all that ship are
        card = lifter.card
        cells = (card.in_frames, len(card.out_frames), card.fps, card.parameters, card.license)
        table.add_row(name, *map(str, cells))
    _out.print(table)
    return 0


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
        data: Motion capture archive.
        out: Folder of the run; a run that was stopped goes on where it was.
    """
    return _lab("command").train(recipe, ["--data", str(data), "--out", str(out)], _progress)


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
    sheets, page, well = _lab("command").reproduce(table, data, out, rows, how, _progress)
    for sheet in sheets:
        _out.print(_sheet_table(sheet))
        for note in sheet.notes:
            _out.print(f"- {note}", markup=False, highlight=False, soft_wrap=True)
    _out.print(f"-> {page}", markup=False, highlight=False, soft_wrap=True)
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
    path = _lab("command").import_weights(lifter, checkpoint, out, overwrite=force)
    _out.print(f"{checkpoint.name} -> {path}, with its card; lift with: poselift lift VIDEO -o DIR --lifter {path}",
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
    rows, path = _lab("command").measure_efficiency(lifters, how, out, _progress)
    table = Table(title="milliseconds of one window; frames/s of ONNX Runtime in bulk", caption=f"more in {path}")
    for column in ("lifter", "parameters", "MMACs", "authors' steps", "onnx", "faster", "frames/s"):
        table.add_column(column, justify="left" if column == "lifter" else "right", overflow="fold")
    for row in rows:
        table.add_row(
            row.lifter, f"{row.parameters:,}", f"{row.macs / 1e6:.1f}", f"{row.latency_ms['published']:.2f}",
            f"{row.latency_ms['onnx']:.2f}", f"{row.speedup('onnx'):.1f}x", f"{row.frames_per_s('onnx'):,.0f}",
        )  # fmt: skip
    _out.print(table)
    return 0


VERBS: dict[str, Callable[..., int]] = {
    "lift": lift,
    "evaluate": evaluate,
    "train": train,
    "reproduce": reproduce,
    "import-weights": import_weights,
    "benchmark": benchmark,
    "lifters": lifters,
}
"""Every verb."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments after the program's name; those of the process when None.

    Returns:
        The exit status: 0 when all went well, 1 when something was refused or broken, 130 when interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    logging.getLogger("poselift").handlers[:] = [RichHandler(console=_err, show_time=False, show_path=False)]
    logging.getLogger("poselift").setLevel(logging.INFO)
    try:
        if arguments[:1] == ["train"] and arguments[1:2] and not arguments[1].startswith("-"):
            return _lab("command").train(arguments[1], arguments[2:], _progress)
        return tyro.extras.subcommand_cli_from_dict(
            VERBS, prog="poselift", description="2D keypoints or video to 3D human motion.", args=arguments
        )
    except PoseliftError as error:
        _say_error(error)
        return 1
    except KeyboardInterrupt:
        _err.print("interrupted; nothing was left half-written")
        return 130


def _lab(module: str) -> Any:
    """A module of the lab, or a word on how to get it."""
    import importlib

    try:
        return importlib.import_module(f"poselift.lab.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("poselift"):
            raise
        raise MissingExtraError(f"this needs {error.name}: pip install 'poselift[lab]'") from error


def _say_error(error: PoseliftError, path: Path | None = None) -> None:
    where = f"{path}: " if path is not None and str(path) not in str(error) else ""
    _err.print("[bold red]error:[/] ", end="")
    _err.print(f"{where}{error}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _progress(title: str) -> Iterator[Callable[..., None]]:
    """A progress bar on a terminal, nothing in a log; the callback takes (done, in all or None)."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total=None, note=None: bar.update(
            task, completed=done, total=total, description=f"{title} {note}" if note else title
        )
