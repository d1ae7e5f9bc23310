"""Jobs for the workers of one machine: each in a folder of its own, in the order in which they are worth most.

`run_all` starts workers of one thread; each takes the first job that nobody has and that lacks nothing, until all are
done. A job that is done is not done again when the same command is given again. Claims are locks on files, which end
with their process, so workers may be killed, and more may be started.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from poselift.files import written_whole


class Job(Protocol):
    """Anything to do."""

    @property
    def name(self) -> str:
        """Its folder."""

    @property
    def needs(self) -> str:
        """Name of the job that must be done before; empty for none."""


AnyJob = TypeVar("AnyJob", bound=Job)


def write(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def result(out: Path, name: str) -> dict[str, Any] | None:
    """What a job gave; None when it is not done."""
    path = out / name / "result.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def results(jobs: Sequence[AnyJob], out: Path) -> dict[AnyJob, dict[str, Any]]:
    """What the jobs gave that are done."""
    return {job: found for job in jobs if (found := result(out, job.name)) is not None}


def next_job(jobs: Sequence[AnyJob], out: Path, mine: Callable[[AnyJob], bool]) -> tuple[AnyJob | None, bool]:
    """The first job that can be done, and when there is none, whether one is left that waits for another.

    Args:
        jobs: All jobs, what is needed before what needs it.
        out: The benchmark's folder.
        mine: Tries to claim a job.
    """
    done = {job.name for job in jobs if result(out, job.name) is not None}
    hopeless: set[str] = set()
    waits = False
    for job in jobs:
        if job.name in done:
            continue
        if error(out, job.name) or job.needs in hopeless:
            hopeless.add(job.name)
        elif job.needs and job.needs not in done:
            waits = True
        elif mine(job):
            return job, False
    return None, waits


def error(out: Path, name: str) -> Path | None:
    """Where it stands why a job failed; None when it did not."""
    path = out / name / "error.txt"
    return path if path.exists() else None


def work(jobs: Sequence[AnyJob], out: Path, do: Callable[[AnyJob], dict[str, Any]], after: Callable[[], None]) -> None:
    """Do jobs until none is left that this worker could do.

    Args:
        jobs: All jobs.
        out: The benchmark's folder.
        do: Does one, and gives its result.
        after: Called after each.
    """
    while True:
        with _claims(out) as mine:
            job, waits = next_job(jobs, out, mine)
            if job is None and not waits:
                return
            if job is None:
                time.sleep(1)
                continue
            try:
                write(out / job.name / "result.json", json.dumps(do(job)) + "\n")
            except Exception:  # one broken job must not stop the others
                write(out / job.name / "error.txt", traceback.format_exc())
            failed = error(out, job.name)
            print(
                f"{time.strftime('%H:%M:%S')} {job.name}: {f'failed, see {failed}' if failed else 'done'}", flush=True
            )
            after()


def run_all(jobs: Sequence[Job], out: Path, processes: int) -> None:
    """Start workers with this program's own arguments, and wait; what stops this process stops them.

    Args:
        jobs: All jobs; those that failed before are tried again.
        out: The benchmark's folder.
        processes: Workers.
    """
    for job in jobs:
        (out / job.name / "error.txt").unlink(missing_ok=True)
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    workers = [subprocess.Popen([sys.executable, *sys.argv, "--worker"], env=one_thread) for _ in range(processes)]
    try:
        for worker in workers:
            worker.wait()
    finally:
        for worker in workers:
            with suppress(ProcessLookupError):
                worker.terminate()
            worker.wait()


@contextmanager
def _claims(out: Path) -> Iterator[Callable[[Job], bool]]:
    """A function that claims a job; what it has claimed is free again at the end."""
    held = []

    def mine(job: Job) -> bool:
        (out / job.name).mkdir(parents=True, exist_ok=True)
        lock = (out / job.name / "claim").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        held.append(lock)
        return result(out, job.name) is None  # another may have done it since we looked

    try:
        yield mine
    finally:
        for lock in held:
            lock.close()
