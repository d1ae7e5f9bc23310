"""Run jobs by several workers on one machine; each job has a folder of its own.

`run_all` starts workers with one thread each. A worker takes the first job that no other worker has and whose needs are
done, until none is left. Jobs that are done are not done again when the same command is given again. Workers claim jobs
by locks on files, which end with the process, so workers may be killed, and more may be started.
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
    """A job."""

    @property
    def name(self) -> str:
        """Name of the job, and of its folder."""

    @property
    def needs(self) -> str:
        """Name of the job that must be done before this one; empty for none."""


AnyJob = TypeVar("AnyJob", bound=Job)


def write(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def result(out: Path, name: str) -> dict[str, Any] | None:
    """Return the result of a job; None when it is not done."""
    path = out / name / "result.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def results(jobs: Sequence[AnyJob], out: Path) -> dict[AnyJob, dict[str, Any]]:
    """Return the results of the jobs that are done."""
    return {job: found for job in jobs if (found := result(out, job.name)) is not None}


def next_job(jobs: Sequence[AnyJob], out: Path, claim: Callable[[AnyJob], bool]) -> tuple[AnyJob | None, bool]:
    """Return the first job that can be done, or None; and for None, whether a job is left that waits for another.

    Args:
        jobs: All jobs, each after the one that it needs.
        out: The benchmark's folder.
        claim: Tries to claim a job; returns whether it could.
    """
    done = {job.name for job in jobs if result(out, job.name) is not None}
    failed: set[str] = set()
    waits = False
    for job in jobs:
        if job.name in done:
            continue
        if error(out, job.name) or job.needs in failed:
            failed.add(job.name)
        elif job.needs and job.needs not in done:
            waits = True
        elif claim(job):
            return job, False
    return None, waits


def error(out: Path, name: str) -> Path | None:
    """Return the path of the file with a job's traceback; None when the job has not failed."""
    path = out / name / "error.txt"
    return path if path.exists() else None


def work(jobs: Sequence[AnyJob], out: Path, do: Callable[[AnyJob], dict[str, Any]], after: Callable[[], None]) -> None:
    """Do jobs until none is left that this worker could do.

    Args:
        jobs: All jobs.
        out: The benchmark's folder.
        do: Does a job and returns its result.
        after: Called after each job.
    """
    while True:
        with _claims(out) as claim:
            job, waits = next_job(jobs, out, claim)
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
    """Start workers with this program's own arguments, and wait for them; stopping this process stops them too.

    Args:
        jobs: All jobs; those that failed before are tried again.
        out: The benchmark's folder.
        processes: Number of workers.
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
    """Yield a function that claims a job; the claims end with the context."""
    held = []

    def claim(job: Job) -> bool:
        (out / job.name).mkdir(parents=True, exist_ok=True)
        lock = (out / job.name / "claim").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        held.append(lock)
        return result(out, job.name) is None  # another worker may just have done it

    try:
        yield claim
    finally:
        for lock in held:
            lock.close()
