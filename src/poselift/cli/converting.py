"""The verb that turns files of poses into other formats."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from poselift.cli.answer import add
from poselift.cli.console import print_plain, say_error
from poselift.cli.motion import describe_readings
from poselift.cli.results import FigureOptions
from poselift.datasets.mocap import load_mocap
from poselift.datasets.motion_file import MOTION_ENDINGS
from poselift.errors import FormatError, PoseliftError
from poselift.files import FOLDER, check_free, check_no_input, files_in, found_at
from poselift.formats import files_of, read_all_poses, save_poses
from poselift.formats.table import POSE_FORMATS, pose_format
from poselift.prepare.convert import convert_poses
from poselift.sequence import WORLD, Poses3D
from poselift.skeleton import get_skeleton

READABLE = tuple(
    dict.fromkeys([*(row.ending for row in POSE_FORMATS.values() if row.read is not None), *MOTION_ENDINGS])
)
"""Endings of the files that can be converted."""


@dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """What is written."""

    to: str | None = None
    """Format of the results of a folder, such as parquet; that of the target's name when not given."""
    of: tuple[str, ...] = ()
    """Formats of the files of a folder that are converted, such as npz; all that can be read when not given."""
    person: int | None = None
    """Number of the person, of files with several; everyone when not given, in files of their own where the format
    holds one person."""
    skeleton_out: str | None = None
    """Joints of the results, such as HALPE_26, BODY_25 or COCO_17; those of the file when not given."""
    rig: Literal["poselift", "mixamo", "vrm", "unity", "unreal", "cmu", "rokoko"] = "poselift"
    """Names, chain and rest pose of the figure in BVH and GLB files (docs/animation.md)."""
    unit_out: Literal["cm", "m", "mm", "in"] = "cm"
    """Unit of length in BVH files. Blender takes the numbers for metres, so that m spares setting its Scale."""
    force: bool = False
    """Overwrite results that exist."""


@dataclass(frozen=True, kw_only=True)
class MotionReading:
    """How motion files (BVH, AMC) are read; what is not given is read from the file or guessed, and printed."""

    unit: str | None = None
    """Unit of length, such as cm, or the metres in it."""
    up: str | None = None
    """The axis that points up: x, y, z, -x, -y or -z."""
    fps: float | None = None
    """Frames per second."""
    joints: Path | None = None
    """File that maps the joints of motion files to those of poselift."""


def convert(
    source: tyro.conf.Positional[Path],
    target: tyro.conf.Positional[Path],
    /,
    options: Annotated[ConvertOptions, tyro.conf.OmitArgPrefixes],
    motion: Annotated[MotionReading, tyro.conf.OmitArgPrefixes],
) -> int:
    """Convert poses between formats: npz, csv, json, parquet, trc and c3d, and BVH and AMC, to any that lift writes.

    Args:
        source: File of poses or motion, or a folder of such files. A folder's files that cannot be read are left out
            with an error, and the status is 1 at the end.
        target: File to write, whose ending is the format; for a folder, the folder to write to.
        options: What is written.
        motion: How motion files are read.
    """
    if options.skeleton_out is not None:  # before anything is read
        get_skeleton(options.skeleton_out)
    if found_at(source) != FOLDER:
        pose_format(target, to="write")
        if options.to is not None or options.of:
            raise FormatError("--to and --of are for folders; the ending of the target is the format")
        _convert_file(source, target, options, motion)
        return 0
    if options.to is None:
        raise FormatError(f"{source} is a folder; say the format of the results (--to csv), and name a folder for them")
    ending = "." + options.to.lower().removeprefix(".")
    pose_format(Path(f"clip{ending}"), to="write")
    files = _files(source, options.of)
    failed = 0
    by_result: dict[Path, Path] = {}
    for file in files:
        result = target / f"{file.stem}{ending}"
        try:
            if (other := by_result.setdefault(result, file)) != file:
                raise FormatError(
                    f"{file} and {other.name} would both be written as {result}; choose one of their formats (--of)"
                )
            _convert_file(file, result, options, motion)
        except PoseliftError as error:
            failed += 1
            say_error(error, file)
    print_plain(f"{len(files) - failed} of {len(files)} files converted")
    return 1 if failed else 0


def _files(folder: Path, endings: Sequence[str]) -> list[Path]:
    """Return the files of a folder that are to be converted, without notes that lie beside others."""
    wanted = {f".{ending.lower().removeprefix('.')}" for ending in endings} or set(READABLE)
    if unknown := sorted(wanted - set(READABLE)):
        raise FormatError(f"{', '.join(unknown)} cannot be read (--of); known: {', '.join(READABLE)}")
    everything = files_in(folder, "*")
    notes = {beside for file in everything for beside in files_of(file)[1:]}
    found = [
        file
        for file in everything
        if file.suffix.lower() in wanted and file not in notes and found_at(file) != FOLDER
        if not file.name.startswith(".")
    ]
    if not found:
        raise FormatError(f"no files of poses in {folder}; wanted some of {', '.join(sorted(wanted))}")
    return found


def _convert_file(source: Path, target: Path, options: ConvertOptions, motion: MotionReading) -> None:
    """Convert one file and print what was written and what the format does not hold."""
    row = pose_format(target, to="write")
    people = _read(source, motion)
    if options.person is not None:
        numbers = ", ".join(str(poses.person) for poses in people)
        people = tuple(poses for poses in people if poses.person == options.person)
        if not people:
            raise FormatError(f"{source} has no person {options.person} (--person); it has {numbers}")
    if options.skeleton_out is not None:
        people = tuple(convert_poses(poses, options.skeleton_out) for poses in people)
    results: list[tuple[Path, tuple[Poses3D, ...]]] = [(target, people)]
    if len(people) > 1 and not (row.several and (row.read is not None or _of_one_clip(people))):
        results = [(target.with_stem(f"{target.stem}_person{poses.person}"), (poses,)) for poses in people]
    for path, _ in results:
        for file in files_of(path):
            check_no_input(file, [source], "name another target")
            check_free(file, overwrite=options.force)
    figure = FigureOptions(rig=options.rig, unit=options.unit_out).of(row.ending.removeprefix("."))
    for path, content in results:
        save_poses(content, path, overwrite=options.force, **figure)
        frames = max(map(len, content))
        who = f"{len(content)} people, {frames} frames" if len(content) > 1 else f"{frames} frames"
        lost = list(dict.fromkeys(name for poses in content for name in row.lost(poses)))
        add(
            "results",
            {
                "source": source, "files": files_of(path), "people": [poses.person for poses in content],
                "frames": frames, "fps": content[0].fps, "skeleton": content[0].skeleton.name, "lost": lost,
            },
        )  # fmt: skip
        missing = f"; {row.ending} has no place for {', '.join(lost)}" if lost and row.read is not None else ""
        print_plain(f"{source} -> {path}: {who} at {content[0].fps:g} fps, {content[0].skeleton.name}{missing}")


def _of_one_clip(people: Sequence[Poses3D]) -> bool:
    """Return whether people can be shown on one page: as many frames of each, at one rate, from one moment on."""
    return len({(len(poses), poses.fps, poses.start_s) for poses in people}) == 1


def _read(path: Path, motion: MotionReading) -> tuple[Poses3D, ...]:
    """Return everyone in a file of poses or motion."""
    if path.suffix.lower() not in READABLE:
        raise FormatError(f"{path}: unknown ending '{path.suffix}'; known: {', '.join(READABLE)}")
    given = {name: value for name, value in vars(motion).items() if value is not None}
    if path.suffix.lower() not in MOTION_ENDINGS:
        if given:
            flags = ", ".join(f"--{name}" for name in given)
            raise FormatError(f"{path} says its unit, axes, rate and joints itself; leave out {flags}")
        return read_all_poses(path)
    (clip,) = clips = load_mocap(path, **given)
    for line in describe_readings(clips):
        print_plain(line)
    root = clip.xyz[:, clip.skeleton.root]
    poses = Poses3D(
        clip.xyz - root[:, None], clip.skeleton, clip.fps, WORLD, path=root, about={"converted from": path.name}
    )
    return (poses,)
