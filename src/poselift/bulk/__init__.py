"""Many clips at once: find them -> plan shards -> lift windows of many clips together, a process a core -> write.

::

    from poselift.bulk import Settings, lift_many

    summary = lift_many(["corpus"], "out", Settings(), workers=2)     # out/poses-00000.parquet, ..., failed.jsonl
    people = pl.read_all_poses("out/poses-00000.parquet")             # people[0].about["clip"]

A run that was interrupted or killed goes on where it was when it is given again: shards that are there stay.
"""

import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from poselift.bulk.cluster import lift_on_ray, need_ray
from poselift.bulk.crew import Crew, Progress
from poselift.bulk.plan import FAILED, Shard, planned, write_failures
from poselift.bulk.settings import Settings
from poselift.bulk.sources import find_clips
from poselift.bulk.work import Report, Worker
from poselift.errors import MissingExtraError, OutputError, ShapeError, did_you_mean, install_hint

if sys.platform != "win32":
    import fcntl

__all__ = ["Engine", "Settings", "Summary", "cores", "lift_many"]

Engine = Literal["process", "ray"]
"""What lifts: processes of this machine, or actors of Ray Data."""
_LOCK = ".lift-many.lock"
_FAILURES_S = 10.0
"""Seconds between two writings of the file of failures."""


@dataclass
class Summary:
    """What a run has come to, with what runs before it did in the same folder."""

    clips: int = 0
    """Clips that were found."""
    shards: int = 0
    """Files that they go to."""
    others: Mapping[str, int] = field(default_factory=dict)
    """By ending, files that were left out because keypoints have other endings."""
    workers: int = 1
    """Processes that lifted; no more than there were shards to lift. 0 for as many as a cluster has cores."""
    kept: int = 0
    """Shards that a run before had written."""
    lifted: int = 0
    """Clips that are lifted by now."""
    people: int = 0
    """People in them."""
    frames: int = 0
    """Poses of these people."""
    left_out: int = 0
    """People who only passed by."""
    failed: list[Mapping[str, str]] = field(default_factory=list)
    """Broken clips: clip, path, error, message."""
    said: Counter[str] = field(default_factory=Counter)
    """What was said of clips, and how often."""
    new_frames: int = 0
    """Poses that this run has lifted."""
    seconds: float = 0.0
    """Seconds that this run has taken."""
    processor_s: float = 0.0
    """Processor time of its workers in seconds."""
    network_s: float = 0.0
    """Of it, in the network."""

    def add(self, report: Report) -> None:
        """Add what became of a shard."""
        self.lifted += report.clips
        self.people += report.people
        self.frames += report.frames
        self.left_out += report.left_out
        self.failed += report.failed
        self.said.update(report.said)
        self.processor_s += report.seconds
        self.network_s += report.network_s

    @property
    def done(self) -> int:
        """Clips that are lifted or broken."""
        return self.lifted + len(self.failed)


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lift_many(
    inputs: Iterable[str | Path],
    out: str | Path,
    settings: Settings | None = None,
    *,
    workers: int | None = None,
    engine: Engine = "process",
    address: str | None = None,
    force: bool = False,
    progress: Callable[[Summary], None] | None = None,
) -> Summary:
    """Lift many clips into Parquet shards, and go on with a run that did not end.

    Args:
        inputs: Folders, lists of paths, Parquet files of keypoints, or keypoint files (`poselift.bulk.sources`).
        out: Folder of the results: `poses-00000.parquet` and so on, `failed.jsonl` where clips are broken, and
            `manifest.json`.
        settings: What is done with each clip.
        workers: Number of processes; that of the cores when None. 1 works in this process. With more, a program that
            calls this must be importable (`if __name__ == "__main__":`), because processes are spawned. With "ray",
            the most actors.
        engine: "process" for processes of this machine, "ray" for actors of a cluster (`poselift.bulk.cluster`).
        address: With "ray": address of a running cluster; None begins one on this machine.
        force: Begin anew in a folder that holds another run, whose results are deleted.
        progress: Called as frames are lifted, with what there is so far.

    Returns:
        The summary; `failed` is empty when every clip was lifted.

    Raises:
        FormatError: An input is not there, there are no clips, names come twice, or the manifest is broken.
        OutputExistsError: The folder holds a run over other clips or with other settings.
        OutputError: Results cannot be written, or another run writes into the folder.
        CheckpointError: The weights are not there, or broken.
        MissingExtraError: pyarrow is not installed, or Ray with `engine="ray"`.
    """
    _need_pyarrow()
    if engine not in get_args(Engine):
        raise ShapeError(f"unknown engine '{engine}'; {did_you_mean(engine, get_args(Engine))}")
    if engine == "ray":
        need_ray()
    elif address is not None:
        raise ShapeError(f"an address ({address}) is for the engine ray; leave it out, or choose that engine")
    if workers is not None and workers < 1:
        raise ShapeError(f"wanted 1 or more workers, got {workers}")
    out, settings, started = Path(out), settings or Settings(), time.monotonic()
    found = find_clips([Path(path) for path in inputs], leave=out)
    identity = settings.identity()
    with _folder_to_ourselves(out):
        shards = planned(found.clips, out, identity, force=force)
        summary = Summary(len(found.clips), len(shards), found.others)
        reports: dict[int, Report] = {}
        for number, shard in enumerate(shards):
            if (notes := shard.done()) is not None:
                reports[number] = Report.of(notes)
                summary.add(reports[number])
        summary.kept = len(reports)
        todo = [number for number in range(len(shards)) if number not in reports]
        missing, written = [shards[number] for number in todo], -_FAILURES_S
        if engine == "ray":
            events = lift_on_ray(missing, settings, address=address, workers=workers)
            summary.workers = workers or 0
        else:
            summary.workers = min(workers or cores(), max(len(todo), 1))
            events = _lift(missing, settings, summary.workers)
        try:
            for event in events:
                if isinstance(event, Progress):
                    summary.new_frames += event.frames
                else:
                    place, report = event
                    reports[todo[place]] = report
                    summary.add(report)
                    if report.failed and time.monotonic() - written > _FAILURES_S:
                        _write_failures(out, reports)
                        written = time.monotonic()
                summary.seconds = time.monotonic() - started
                if progress is not None:
                    progress(summary)
        finally:
            _write_failures(out, reports)
    summary.failed = _failures(reports)
    summary.seconds = time.monotonic() - started
    return summary


def _lift(shards: Sequence[Shard], settings: Settings, workers: int) -> Iterator[Progress | tuple[int, Report]]:
    """Lift shards, in this process if there is one worker; yields what happens."""
    if workers > 1:
        yield from Crew(settings, workers).lift(shards)
        return
    worker = Worker(settings)
    for number, shard in enumerate(shards):
        frames: list[int] = []
        report = worker.lift(shard, lambda _, count, frames=frames: frames.append(count))  # type: ignore[misc]
        yield Progress(sum(frames))
        yield number, report


def _failures(reports: Mapping[int, Report]) -> list[Mapping[str, str]]:
    return [line for _, report in sorted(reports.items()) for line in report.failed]


def _write_failures(out: Path, reports: Mapping[int, Report]) -> None:
    write_failures(out / FAILED, _failures(reports))


@contextlib.contextmanager
def _folder_to_ourselves(out: Path) -> Iterator[None]:
    """Make the folder of the results, and keep other runs out of it until the block ends.

    Raises:
        OutputError: Another run is there, or the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = os.open(out / _LOCK, os.O_CREAT | os.O_RDWR, 0o666)
    except OSError as error:
        raise OutputError(f"could not write into {out}: {error.strerror or error}; choose another folder") from error
    try:
        if sys.platform != "win32":
            _lock(lock, out)
        yield
    finally:
        os.close(lock)


def _lock(descriptor: int, out: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(f"another run writes into {out}; wait for it, or choose another folder") from error
    except OSError:  # a file system without locks
        return


def _need_pyarrow() -> None:
    import importlib.util

    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError(f"lifting many clips needs pyarrow; run: {install_hint('bulk')}")
