"""The verb that lifts many clips."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from poselift.bulk import Engine, Settings, Summary
from poselift.bulk import lift_many as lift_clips
from poselift.bulk.plan import FAILED
from poselift.cli.answer import RESULTS, record
from poselift.cli.console import err, print_plain, progress, say_error
from poselift.errors import FormatError
from poselift.lifters.load import AUTO
from poselift.people import PASSING_S

_NAMED = 5
_NOTES = 8


@dataclass(frozen=True, kw_only=True)
class ManyOptions:
    """How clips are read and lifted, all alike."""

    lifter: str = AUTO
    """Name of shipped weights, path of an .onnx file, or module:Class; auto chooses shipped weights for each clip."""
    flip: bool = False
    """Average with the mirror image, which is a little more accurate and takes twice the time."""
    check: bool = True
    """Check keypoints first: a clip with errors is not lifted, and stands in failed.jsonl. --no-check lifts it."""
    world: bool = False
    """Place the people of each clip in one world, as lift does; it takes more time than lifting."""
    skeleton_out: str | None = None
    """Joints of the results, such as HALPE_26; those of the weights when not given."""
    skeleton: str | None = None
    """Skeleton of the keypoints, such as COCO_17; found from each file when not given."""
    fps: float | None = None
    """Frame rate of the keypoints; each file's own when not given."""
    image_size: tuple[int, int] | None = None
    """Width and height of the picture in pixels; each file's own when not given."""
    shortest: float = PASSING_S
    """People who are seen for less than so many seconds, or half of a short clip, have passed by and are left out."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Where results go, and how the machine is used."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the results. A run that did not end goes on when the same command is given again."""
    workers: int | None = None
    """Number of processes, each with one thread; the number of cores when not given. With --engine ray, the most
    actors."""
    engine: Engine = "process"
    """What lifts: processes of this machine, or actors of a Ray cluster, on many machines that share the folders."""
    address: str | None = None
    """With --engine ray: address of a running cluster, such as auto or HOST:6379; one on this machine is begun when not
    given."""
    force: bool = False
    """Begin anew in a folder that holds another run, and delete its results."""


def lift_many(
    inputs: tyro.conf.Positional[tuple[Path, ...]],
    /,
    many: Annotated[ManyOptions, tyro.conf.OmitArgPrefixes],
    run: Annotated[RunOptions, tyro.conf.OmitArgPrefixes],
) -> int:
    """Lift many keypoint files to Parquet shards, and go on after an interruption.

    Args:
        inputs: Folders with keypoint files (searched with the folders in them), text files that list paths, Parquet
            files of keypoints (docs/scale.md), or keypoint files.
        many: How clips are read and lifted.
        run: Where results go.
    """
    if not inputs:
        raise FormatError("nothing to lift: name a folder, a list, or Parquet files of keypoints")
    settings = Settings(
        lifter=many.lifter, flip=many.flip, check=many.check, skeleton=many.skeleton, fps=many.fps,
        image_size=many.image_size, shortest_s=many.shortest, skeleton_out=many.skeleton_out, world=many.world,
    )  # fmt: skip
    with _shown() as show:
        summary = lift_clips(
            inputs, run.out, settings, workers=run.workers, engine=run.engine, address=run.address, force=run.force,
            progress=show,
        )  # fmt: skip
    _report(summary, run.out)
    return 1 if summary.failed else 0


@contextmanager
def _shown() -> Iterator[Callable[[Summary], None]]:
    """Show clips done, frames a second and failures: by a bar on a terminal, by lines in a log."""
    with progress("lifting clips") as tick:

        def show(summary: Summary) -> None:
            rate = summary.new_frames / max(summary.seconds, 1e-9)
            tick(summary.done, summary.clips, f"{rate:,.0f} frames/s, {len(summary.failed)} failed")

        yield show


def _report(summary: Summary, out: Path) -> None:
    """Print what was lifted, how fast, what was said of clips, and the first failures."""
    record(out=out, **{key: getattr(summary, key) for key in RESULTS["lift-many"] if key != "out"})
    if summary.others:
        named = ", ".join(f"{count} {ending}" for ending, count in sorted(summary.others.items()))
        print_plain(f"left out, as keypoints have other endings: {named}")
    before = f" ({summary.kept} of {summary.shards} files were there already)" if summary.kept else ""
    print_plain(
        f"{summary.lifted:,} of {summary.clips:,} clips lifted: {summary.frames:,} poses of {summary.people:,} people "
        f"in {summary.shards:,} files in {out}{before}"
    )
    if summary.left_out:
        print_plain(f"{summary.left_out:,} people only passed by and are left out (--shortest 0 keeps them)")
    if summary.new_frames:
        rate, each_us = summary.new_frames / summary.seconds, 1e6 * summary.processor_s / summary.new_frames
        workers = f"{summary.workers} worker{'s' * (summary.workers > 1)}" if summary.workers else "a cluster"
        print_plain(
            f"{summary.new_frames:,} poses in {summary.seconds:.1f} s, {rate:,.0f} a second with {workers}; "
            f"{each_us:.1f} microseconds of processor time each, "
            f"{100 * summary.network_s / summary.processor_s:.0f} % of it in the network"
        )
    for text, count in summary.said.most_common(_NOTES):
        print_plain(f"in {count:,} clip{'s' * (count > 1)}: {text}", err)
    if summary.failed:
        for line in summary.failed[:_NAMED]:
            say_error(FormatError(f"{line['clip']}: {line['message']}"))
        print_plain(
            f"{len(summary.failed):,} clip{'s' * (len(summary.failed) > 1)} failed; {out / FAILED} says why", err
        )
