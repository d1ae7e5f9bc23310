"""The verbs that measure and check: evaluate, table, doctor."""

from dataclasses import dataclass, fields, replace
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from poselift.cli.answer import add, record
from poselift.cli.console import ResultFile, lab_module, print_plain, progress
from poselift.cli.console import out as console
from poselift.cli.motion import Skipped, describe_readings
from poselift.datasets.clip import BenchmarkSet
from poselift.datasets.load import DATASETS, MOCAP, PROTOCOL, load_benchmark, which_benchmark, which_data
from poselift.datasets.mocap import load_mocap
from poselift.doctor import doctor as look_at
from poselift.errors import DatasetError, FormatError, RecipeError, did_you_mean
from poselift.files import FOLDER, found_at, read_json
from poselift.formats import frame_files
from poselift.lifters.load import DEFAULT_LIFTER, load_lifter
from poselift.measure.benchmark import evaluate_benchmark
from poselift.measure.mocap import MocapProtocol, evaluate_mocap
from poselift.measure.placing import GIVEN, UNKNOWN, WorldProtocol, evaluate_world
from poselift.measure.protocols import PROTOCOLS, BenchmarkProtocol
from poselift.measure.scores import Scores
from poselift.measure.tables import action_table, compare, scores_view
from poselift.measure.tables import table as scores_table


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """The data to measure on."""

    data: Path
    """Folder with archives of Human3.6M, MPI-INF-3DHP or HumanEva, or with your own recordings (docs/own_data.md).
    Or motion capture: a mocap17.npz archive, BVH or ASF/AMC files, or a folder of these (docs/motion_files.md)."""
    dataset: str | None = None
    """Data set: h36m, 3dhp, humaneva, own or mocap; found from the files when not given."""
    split: str | None = None
    """Part of the data: test (default), train or all of a benchmark; dev (default), train or all of mocap17.npz."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    """Options for benchmarks and recordings of your own."""

    keypoints: str | None = None
    """Name of the benchmark's 2D keypoints, such as cpn_ft_h36m_dbb; gt when not given."""
    truth: str | None = None
    """Ground truth in the archive of 3DHP, annot3 or univ_annot3; the one that the archive names when not given."""
    protocol: str | None = None
    """Protocol, such as videopose3d (all in docs/protocols.md); the usual one of the data set when not given."""
    choose: tuple[str, ...] = ()
    """Choices to change in the protocol, such as root=zeroed frames=dense flip_average=on; none when not given."""
    as_published: bool = False
    """Also do what the paper's code does without the paper saying so."""


@dataclass(frozen=True, kw_only=True)
class MotionOptions:
    """Options for motion capture, which is seen by virtual cameras."""

    cameras: int | None = None
    """Number of cameras for each clip; 4 when not given."""
    seed: int | None = None
    """Seed of the cameras and of the simulated errors; 0 when not given."""
    detector_errors: bool = False
    """Give the lifter 2D with the errors of a simulated detector, not exact 2D (needs the lab extra)."""
    unit: str | None = None
    """Unit of motion files: m, dm, cm, mm, inch, ft, cmu or its metres; guessed from the legs when not given."""
    up: str | None = None
    """Axis of motion files that points up, such as y or z; guessed from the motion when not given."""
    fps: float | None = None
    """Frames per second of motion files; the file's own when not given, or 120 for AMC, which has none."""
    joints: Path | None = None
    """File that maps the joints of motion files to those of poselift; they are matched by name when not given."""
    world: bool = False
    """Place what was lifted in the world, as `poselift lift` does, and measure where people are there."""
    noise: float = 0.0
    """With --world: standard deviation of noise on exact 2D, in pixels of a picture of 1000 by 1000."""
    unknown: tuple[Literal["height", "focal"], ...] = ()
    """With --world: what is not given: height, focal or both; usual ones are then assumed."""


def evaluate(
    lifter: tyro.conf.Positional[str] = DEFAULT_LIFTER,
    /,
    *,
    data: Annotated[DataOptions, tyro.conf.OmitArgPrefixes],
    benchmark: Annotated[BenchmarkOptions, tyro.conf.OmitArgPrefixes],
    motion: Annotated[MotionOptions, tyro.conf.OmitArgPrefixes],
    flip: bool = False,
    result: Annotated[ResultFile, tyro.conf.OmitArgPrefixes],
) -> int:
    """Measure a lifter on a benchmark, on recordings of your own, or on motion capture seen by virtual cameras.

    Args:
        lifter: Name of shipped weights, path of an .onnx file, or module:Class.
        data: The data to measure on.
        benchmark: Options for benchmarks and recordings of your own.
        motion: Options for motion capture, which is seen by virtual cameras.
        flip: Average with the mirror image.
        result: File for the scores as JSON; `poselift table` puts such files side by side.
    """
    result.check(data.data)
    kind = data.dataset or which_data(data.data)
    readings, status = tuple[str, ...](), 0
    if kind == MOCAP:
        _refuse("motion capture", benchmark)
        scores, readings, status = _evaluate_mocap(lifter, data, motion, flip)
    else:
        _refuse("a benchmark", motion)
        protocol = _protocol(kind, benchmark, flip)
        clips = load_benchmark(
            data.data, dataset=kind, keypoints=benchmark.keypoints, split=data.split, truth=benchmark.truth
        )
        with progress("evaluating") as tick:
            scores = evaluate_benchmark(load_lifter(lifter), clips, protocol, progress=tick)
    console.print(scores_view(scores))
    content = replace(scores, remarks=(*scores.remarks, *readings)).as_json()
    result.write(content)
    record(scores=content)
    return status


def _refuse(kind: str, options: BenchmarkOptions | MotionOptions) -> None:
    """Raise an error for options that do not apply to this kind of data."""
    given = [field.name for field in fields(options) if getattr(options, field.name) != field.default]
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise RecipeError(f"{flags}: not for {kind}; leave it out")


def _evaluate_mocap(
    lifter: str, data: DataOptions, motion: MotionOptions, flip: bool
) -> tuple[Scores, tuple[str, ...], int]:
    """Return the scores, how motion files were read, and the exit status: 1 when a file could not be used."""
    cameras = 4 if motion.cameras is None else motion.cameras
    protocol = MocapProtocol(cameras=cameras, seed=motion.seed or 0, flip_average=flip)
    if not motion.world and (motion.noise or motion.unknown):
        raise RecipeError("--noise and --unknown are for --world; give it too, or leave them out")
    if motion.noise and motion.detector_errors:
        raise RecipeError("--noise is for exact 2D and --detector-errors has errors of its own; give one of them")
    archive, skipped = data.data.suffix.lower() == ".npz", Skipped()
    split = data.split or ("dev" if archive else "all")
    names = ("unit", "up", "fps", "joints")
    given: dict[str, Any] = {name: value for name in names if (value := getattr(motion, name)) is not None}
    given |= {} if archive else {"skipped": skipped}
    clips = load_mocap(data.data, split=None if split == "all" else split, **given)
    clips = clips if archive else skipped.without_velocity(clips, data.data)
    readings = describe_readings(clips)
    for line in readings:
        print_plain(line)
    observe = lab_module("observe.detector").SimulatedDetector() if motion.detector_errors else None
    with progress("evaluating") as tick:
        if motion.world:
            given = {name: UNKNOWN if name in motion.unknown else GIVEN for name in ("height", "focal")}
            placed = WorldProtocol(views=protocol, noise_px=motion.noise, **given)
            scores = evaluate_world(load_lifter(lifter), clips, placed, observe=observe, progress=tick)
        else:
            scores = evaluate_mocap(load_lifter(lifter), clips, protocol, observe=observe, progress=tick)
    scores = replace(scores, dataset=data.data.resolve().name, choices=scores.choices | {"data: split": split})
    return scores, readings, 1 if skipped.count else 0


def _protocol(dataset: str, options: BenchmarkOptions, flip: bool) -> BenchmarkProtocol:
    """Return the named protocol, or the data set's usual one, with the choices of the command line."""
    if dataset not in DATASETS:
        raise DatasetError(f"unknown data set '{dataset}'; {did_you_mean(dataset, (*DATASETS, MOCAP))}")
    name = options.protocol or PROTOCOL[dataset]
    if name not in PROTOCOLS:
        raise RecipeError(f"unknown protocol '{name}'; {did_you_mean(name, PROTOCOLS)}")
    make = PROTOCOLS[name]
    if options.as_published and "as_published" not in signature(make).parameters:
        raise RecipeError(f"{name} does nothing that its paper leaves out; leave out --as-published")
    protocol = make(as_published=True) if options.as_published else make()
    changes: dict[str, Any] = {"flip_average": True} if flip else {}
    known = {field.name: field for field in fields(BenchmarkProtocol)}
    for choice in options.choose:
        key, given, value = choice.partition("=")
        if key not in known or not given:
            raise RecipeError(f"--choose: wanted FIELD=VALUE, got '{choice}'; {did_you_mean(key, known)}")
        changes[key] = _value(value, getattr(protocol, key), choice)
    return replace(protocol, **changes)


def _value(text: str, like: Any, choice: str) -> Any:
    """Return the value of a protocol's field given as text, in the type of `like`."""
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


def table(
    results: tyro.conf.Positional[tuple[Path, ...]],
    /,
    *,
    metric: str = "mpjpe",
    actions: bool = False,
) -> int:
    """Put results of `poselift evaluate --out` side by side, and name the differences that make them incomparable.

    Args:
        results: JSON files that evaluate wrote.
        metric: Name of the metric to show with --actions.
        actions: Show a column for each action, as in the papers, instead of one for each metric.
    """
    scores = [_read_scores(path) for path in results]
    console.print(action_table(scores, metric) if actions else scores_table(scores))
    record(
        results=[{"file": path, **result.as_json()} for path, result in zip(results, scores, strict=True)],
        differences=compare(scores),
    )
    return 0


def _read_scores(path: Path) -> Scores:
    try:
        return Scores.from_json(read_json(path))
    except (DatasetError, FormatError) as error:
        raise DatasetError(f"{path} is no result of poselift evaluate: {error}") from error


def doctor(
    inputs: tyro.conf.Positional[tuple[Path, ...]],
    /,
    *,
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None,
    dataset: str | None = None,
    keypoints: str | None = None,
    truth: str | None = None,
    skeleton: str | None = None,
    fps: float | None = None,
    detector_model: Path | None = None,
    force: bool = False,
) -> int:
    """Check keypoints, videos or data sets before they are lifted or trained on, and print what will go wrong.

    Args:
        inputs: Files that lift takes, and folders with a benchmark's archives or recordings of your own.
        out: Folder for a drawing (SVG) of each person with the joints' names; nothing is drawn when not given.
        dataset: Name of the data set: h36m, 3dhp, humaneva or own; found from the files when not given.
        keypoints: Name of the benchmark's 2D keypoints; gt when not given.
        truth: Ground truth in the archive of 3DHP; the one that the archive names when not given.
        skeleton: Skeleton of keypoint files, such as COCO_17; found from the file when not given.
        fps: Frame rate of keypoint files in frames per second; the file's own when not given.
        detector_model: BlazePose file of the 2D detector for videos; the one in the package when not given.
        force: Overwrite drawings.
    """
    if dataset is not None and dataset not in DATASETS:
        raise DatasetError(f"unknown data set '{dataset}'; {did_you_mean(dataset, DATASETS)}")
    things: list[Path | BenchmarkSet] = []
    for path in inputs:
        archives = found_at(path) == FOLDER and not frame_files(path)
        kind = dataset or (which_benchmark(path) if archives else None)
        things.append(
            load_benchmark(path, dataset=kind, keypoints=keypoints, split="all", truth=truth) if kind else path
        )
    return look_at(
        things, out, skeleton=skeleton, fps=fps, detector_model=detector_model, force=force, console=console,
        tell=lambda name, findings, drawings: add(
            "inputs", {"input": name, "findings": list(findings), "drawings": list(drawings)}
        ),
    )  # fmt: skip
