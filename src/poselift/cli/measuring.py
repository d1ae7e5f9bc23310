"""The verbs that look and measure: evaluate, table, doctor."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from poselift.cli.cards import check_card
from poselift.cli.console import lab_module, progress
from poselift.cli.console import out as console
from poselift.cli.motion import Skipped, print_readings, readings_as_json
from poselift.datasets.clip import BenchmarkSet
from poselift.datasets.load import DATASETS, PROTOCOL, load_benchmark, which_benchmark
from poselift.datasets.mocap import load_mocap, motion_files
from poselift.doctor import doctor as look_at
from poselift.errors import DatasetError, RecipeError, did_you_mean
from poselift.files import check_free, written_whole
from poselift.lifters.contract import Lifter
from poselift.lifters.load import DEFAULT_LIFTER, importing_from_here, load_lifter
from poselift.measure.benchmark import BenchmarkScores, evaluate_benchmark
from poselift.measure.mocap import METRICS, MocapProtocol, Scores, evaluate_mocap
from poselift.measure.protocols import PROTOCOLS, BenchmarkProtocol
from poselift.measure.tables import action_table, print_benchmark
from poselift.measure.tables import table as scores_table


def evaluate(
    lifter: tyro.conf.Positional[str] = DEFAULT_LIFTER,
    /,
    *,
    data: Path | None = None,
    card: bool = False,
    recording: Path | None = None,
    quick: bool = False,
    dataset: str | None = None,
    split: str | None = None,
    keypoints: str | None = None,
    truth: str | None = None,
    protocol: str | None = None,
    choose: tuple[str, ...] = (),
    as_published: bool = False,
    flip: bool = False,
    detector_errors: bool = False,
    cameras: int | None = None,
    seed: int | None = None,
    unit: str | None = None,
    up: str | None = None,
    fps: float | None = None,
    joints: Path | None = None,
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
    force: bool = False,
) -> int:
    """Measure a lifter: on a benchmark, on recordings of your own, or on motion capture seen by virtual cameras.

    Args:
        lifter: Name of shipped weights, the path of an .onnx file, or module:Class.
        data: A folder with the archives of Human3.6M, MPI-INF-3DHP or HumanEva, or with recordings of your own
            (docs/own_data.md); or motion capture: a mocap17.npz archive, BVH or ASF/AMC files, or a folder of those
            (docs/motion_files.md).
        card: Measure all that the weights' card claims again, each score by the protocol on the card, and print claim
            beside measurement; the status is 1 when one does not hold. Takes data, recording, quick and out only.
        recording: With card: the real recording (benchmarks/real_recording.py says what it holds).
        quick: With card: only the scores over few frames.
        dataset: h36m, 3dhp, humaneva, own or mocap; told by the files when not given.
        split: Part of a benchmark: test (default), train or all; of mocap17.npz: dev (default), train or all;
            motion files have none.
        keypoints: Benchmark: which 2D, such as gt (default) or cpn_ft_h36m_dbb.
        truth: 3DHP: which ground truth the archive holds, annot3 or univ_annot3, where it does not say.
        protocol: Benchmark: whose choices, such as videopose3d or posessm; docs/protocols.md has them all.
        choose: Benchmark: choices that differ from the protocol's, such as root=zeroed frames=dense flip_average=on.
        as_published: Benchmark: also what the paper's code does quietly.
        flip: Average with the mirror image.
        detector_errors: Motion capture: as a simulated detector sees it, not exactly (needs the lab extra).
        cameras: Motion capture: cameras for each clip; 4 when not given.
        seed: Motion capture: seed of cameras and errors; 0 when not given.
        unit: Motion files: unit of length, m, dm, cm, mm, inch, ft or cmu, or the metres in it; told from the legs.
        up: Motion files: the axis that points up, such as y or z; told from the motion.
        fps: Motion files: frames per second; the file's own, or 120 for AMC, which does not say.
        joints: Motion files: a file that says which of their joints is which of ours; told by their names.
        out: Also write the scores as JSON.
        force: Overwrite `out`.
    """
    if out is not None:
        check_free(out, overwrite=force)
    motion = {"unit": unit, "up": up, "fps": fps, "joints": joints}
    status = 0
    if card:
        others = {
            "dataset": dataset, "split": split, "keypoints": keypoints, "truth": truth, "protocol": protocol,
            "choose": choose or None, "as_published": as_published or None, "flip": flip or None,
            "detector_errors": detector_errors or None, "cameras": cameras, "seed": seed, **motion,
        }  # fmt: skip
        _refuse("a card, which holds its own protocols", **others)
        return check_card(lifter, data, recording, quick=quick, out=out, force=force)
    _refuse("a measurement without --card", recording=recording, quick=quick or None)
    if data is None:
        raise DatasetError("wanted what to measure on: name it (--data)")
    kind = dataset or _kind(data)
    if kind == "mocap":
        given = {"keypoints": keypoints, "truth": truth, "protocol": protocol, "choose": choose or None}
        _refuse("motion capture", **given, as_published=as_published or None)
        how = MocapProtocol(cameras=4 if cameras is None else cameras, seed=seed or 0, flip_average=flip)
        content, status = _evaluate_mocap(lifter, data, split, how, detector_errors, motion)
    else:
        _refuse("a benchmark", detector_errors=detector_errors or None, cameras=cameras, seed=seed, **motion)
        rules = _protocol(protocol, kind, choose, as_published=as_published, flip=flip)
        part = None if split == "all" else split or "test"
        clips = load_benchmark(data, dataset=kind, keypoints=keypoints or "gt", split=part, truth=truth)
        content = _evaluate_benchmark(lifter, clips, rules)
    if out is not None:
        with written_whole(out, overwrite=force) as path:
            path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return status


def _kind(data: Path) -> str:
    return which_benchmark(data) if data.is_dir() and not motion_files(data) else "mocap"


def _refuse(kind: str, **options: Any) -> None:
    """Refuse options that have no meaning here, so that none is taken in silence."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise RecipeError(f"{', '.join(given)}: not for {kind}; leave it out")


def _open(lifter: str) -> Lifter:
    with importing_from_here():
        return load_lifter(lifter)


def _evaluate_mocap(
    lifter: str, data: Path, split: str | None, protocol: MocapProtocol, errors: bool, motion: dict[str, Any]
) -> tuple[dict[str, Any], int]:
    archive, skipped = data.suffix.lower() == ".npz", Skipped()
    split = split or ("dev" if archive else "all")
    given: dict[str, Any] = {name: value for name, value in motion.items() if value is not None}
    given |= {} if archive else {"skipped": skipped}
    clips = load_mocap(data, split=None if split == "all" else split, **given)
    clips = clips if archive else skipped.without_velocity(clips, data)
    print_readings(clips)
    observe = lab_module("observe.detector").SimulatedDetector() if errors else None
    with progress("evaluating") as tick:
        scores = evaluate_mocap(_open(lifter), clips, protocol, observe=observe, progress=tick)
    _print_scores(lifter, scores)
    content = {"lifter": lifter, "split": split} | readings_as_json(clips) | scores.as_json()
    return content, 1 if skipped.count else 0


def _evaluate_benchmark(lifter: str, clips: BenchmarkSet, protocol: BenchmarkProtocol) -> dict[str, Any]:
    with progress("evaluating") as tick:
        scores = evaluate_benchmark(_open(lifter), clips, protocol, progress=tick)
    print_benchmark(scores, console)
    return scores.as_json()


def _protocol(
    name: str | None, dataset: str, choices: Sequence[str], *, as_published: bool, flip: bool
) -> BenchmarkProtocol:
    """The named protocol, or the data set's usual one, with the choices that differ."""
    if dataset not in DATASETS:
        raise DatasetError(f"unknown data set '{dataset}'; {did_you_mean(dataset, (*DATASETS, 'mocap'))}")
    name = name or PROTOCOL[dataset]
    if name not in PROTOCOLS:
        raise RecipeError(f"unknown protocol '{name}'; {did_you_mean(name, PROTOCOLS)}")
    if as_published:
        try:
            protocol = PROTOCOLS[name](as_published=True)
        except TypeError as error:
            raise RecipeError(f"{name} does nothing quietly; leave out --as-published") from error
    else:
        protocol = PROTOCOLS[name]()
    changes: dict[str, Any] = {"flip_average": True} if flip else {}
    known = {field.name: field for field in fields(BenchmarkProtocol)}
    for choice in choices:
        key, given, value = choice.partition("=")
        if key not in known or not given:
            raise RecipeError(f"--choose: wanted FIELD=VALUE, got '{choice}'; {did_you_mean(key, known)}")
        changes[key] = _value(value, getattr(protocol, key), choice)
    return replace(protocol, **changes)


def _value(text: str, like: Any, choice: str) -> Any:
    """A protocol's field from the command line, of the type that it has."""
    if isinstance(like, bool):
        if text not in ("on", "off"):
            raise RecipeError(f"--choose: wanted on or off, got '{choice}'")
        return text == "on"
    if isinstance(like, int | float):
        try:
            return type(like)(text)
        except ValueError as error:
            raise RecipeError(f"--choose: wanted a number, got '{choice}'") from error
    if like is None:  # joints
        return tuple(text.split(","))
    if isinstance(like, tuple):
        raise RecipeError(f"--choose: '{choice}' cannot be given here; use poselift.measure.benchmark from Python")
    return text


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
    console.print(table)


def table(
    results: tyro.conf.Positional[tuple[Path, ...]],
    /,
    *,
    metric: str = "mpjpe",
    actions: bool = False,
) -> int:
    """Put results of `poselift evaluate --out` side by side; what keeps them from being compared is said.

    Args:
        results: JSON files.
        metric: With `actions`: which one.
        actions: A column for each action, as in the papers, instead of one for each metric.
    """
    scores = [_read_scores(path) for path in results]
    console.print(action_table(scores, metric) if actions else scores_table(scores))
    return 0


def _read_scores(path: Path) -> BenchmarkScores:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is no result of poselift evaluate: {error}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is no result of poselift evaluate; measure the lifter again")
    return BenchmarkScores.from_json(content)


def doctor(
    inputs: tyro.conf.Positional[tuple[Path, ...]],
    /,
    *,
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
    dataset: str | None = None,
    keypoints: str = "gt",
    truth: str | None = None,
    skeleton: str | None = None,
    fps: float | None = None,
    detector_model: Path | None = None,
    force: bool = False,
) -> int:
    """Look at keypoints, videos or data sets before they are lifted or trained on, and say what will go wrong.

    Args:
        inputs: What lift takes, and folders with a benchmark's archives or recordings of your own.
        out: Folder for a drawing (SVG) of each person with the joints' names.
        dataset: h36m, 3dhp, humaneva or own, for folders that do not tell.
        keypoints: Benchmark: which 2D.
        truth: 3DHP: which ground truth the archive holds.
        skeleton: Joint order of keypoint files, where it cannot be told.
        fps: Frames per second of keypoint files that do not say.
        detector_model: Model file of the 2D detector, where one is needed.
        force: Overwrite drawings.
    """
    if dataset is not None and dataset not in DATASETS:
        raise DatasetError(f"unknown data set '{dataset}'; {did_you_mean(dataset, DATASETS)}")
    things: list[Path | BenchmarkSet] = []
    for path in inputs:
        kind = dataset or (which_benchmark(path) if path.is_dir() and not any(path.glob("*.json")) else None)
        things.append(
            load_benchmark(path, dataset=kind, keypoints=keypoints, split=None, truth=truth) if kind else path
        )
    return look_at(
        things, out, skeleton=skeleton, fps=fps, detector_model=detector_model, force=force, console=console
    )  # fmt: skip
