"""The line in which jobs wait, and the thread that lifts them, one after the other, in a worker."""

import contextlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from poselift.errors import OutputError
from poselift.files import reason_of
from poselift.serve.job import Job
from poselift.serve.options import arguments
from poselift.serve.refusal import Refusal, problem
from poselift.serve.store import INPUT, LOG, RESULTS, TEMPORARY, Store
from poselift.serve.worker import Answer, Died, Progress, Run, Task, Worker

Read = Callable[[int, str, str], dict[str, Any]]
"""Takes a status and what was printed to standard output and standard error; returns what `--json` prints."""

_LOOK_S = 0.2
"""Seconds between looks at the clock and at what is asked."""
_IDLE_S = 60.0
"""Seconds without a job after which the worker, which takes memory, is ended."""
_MOST_PRINTED, _MOST_MESSAGES = 1 << 22, 500
"""Bytes of what a job printed that are read, and lines of it that are kept."""


class Line:
    """Lifts the jobs of a store in the order in which they came."""

    def __init__(self, store: Store, run: Run, read: Read, formats: tuple[str, ...]) -> None:
        """Start the thread; jobs that waited when an earlier server ended are done first.

        Args:
            store: The jobs.
            run: Runs `poselift lift` in the worker.
            read: Makes of what was printed what is known of the results.
            formats: Endings of the results.
        """
        self._store, self._run, self._read, self._formats = store, run, read, formats
        self._worker: Worker | None = None
        self._changed = threading.Condition()
        self._waiting = [job.id for job in store.waiting()]
        self._running: str | None = None
        self._progress: Progress | None = None
        self._to_stop: set[str] = set()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="poselift-line", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether jobs are lifted; a fault of ours ends the thread."""
        return self._thread.is_alive()

    def put(self, job: Job) -> Job:
        """Let a job wait."""
        job = replace(job, state="waiting")
        self._store.save(job)
        with self._changed:
            self._waiting.append(job.id)
            self._changed.notify_all()
        return job

    def place(self, id: str) -> int | None:
        """Return how many jobs are before one that waits, with the running one; None for one that does not wait."""
        with self._changed:
            return self._waiting.index(id) + (self._running is not None) if id in self._waiting else None

    def progress(self, id: str) -> Progress | None:
        """Return how far a job is; None for one that does not run, or has not said yet."""
        with self._changed:
            return self._progress if self._running == id else None

    def stop(self, id: str) -> Job:
        """End a job that waits or runs, and return it when it has ended.

        Raises:
            Refusal: There is no such job.
        """
        with self._changed:
            if id in self._waiting:
                self._waiting.remove(id)
                job = self._store.get(id).ended("stopped")
                self._store.save(job)
                return job
            if self._running == id:
                self._to_stop.add(id)
                self._changed.wait_for(lambda: self._running != id or not self.alive)
        return self._store.get(id)

    def close(self) -> None:
        """End the worker; the job that runs waits again for the next server."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _work(self) -> None:
        try:
            while (job := self._next()) is not None:
                try:
                    self._lift(job)
                finally:
                    with self._changed:
                        self._running = self._progress = None
                        self._to_stop.discard(job.id)
                        self._changed.notify_all()
        finally:
            self._end_worker()

    def _next(self) -> Job | None:
        """Return the next job, which counts as running then; None when the server ends."""
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._closing or self._waiting, _IDLE_S):
                    self._end_worker()
                    continue
                if self._closing:
                    return None
                id = self._waiting.pop(0)
                try:
                    job = self._store.get(id)
                except Refusal:  # somebody has deleted its folder
                    continue
                job = replace(job, state="running", started_s=time.time(), attempts=job.attempts + 1)
                with contextlib.suppress(OutputError):
                    self._store.save(job)
                self._running = id
                return job

    def _lift(self, job: Job) -> None:
        """Lift one job to its end, or to that of the server."""
        store = self._store
        store.drop(job, RESULTS, TEMPORARY, LOG)
        log = store.of(job.id, LOG)
        words = ["lift", job.name, "--out", f"../{RESULTS}", "--angles"]
        words += [f"--keypoints-out=../{RESULTS}/{Path(job.name).stem}_keypoints.npz"]
        words += ["--formats", *self._formats, *arguments(job.options), "--json"]
        task = Task(words, store.of(job.id, INPUT), store.of(job.id, TEMPORARY), log)
        try:
            answer = self._wait(job, task)
        except Died as death:
            ended = self._failed(job, log, self._why(job, death))
        except OSError as error:
            said = f"{job.name}: no process could be started ({reason_of(error)}); lift it again when there is memory"
            ended = self._failed(job, log, problem("WorkerEnded", said, input=job.name))
        else:
            if answer is None:  # the server ends
                store.drop(job, RESULTS, TEMPORARY, LOG)
                store.save(replace(job, state="waiting", started_s=None, attempts=job.attempts - 1))
                return
            if isinstance(answer, Job):
                ended = answer
            else:
                known = self._known(answer.status, log)
                ended = job.ended("failed" if answer.status else "done", status=answer.status, attempts=0, **known)
        if ended.state == "done":
            ended = replace(ended, files=store.results(job))
        store.drop(job, TEMPORARY, LOG, *([] if ended.state == "done" else [RESULTS]))
        self._save(ended)

    def _save(self, job: Job) -> None:
        """Store how a job ended; without room for that, that there was none."""
        try:
            self._store.save(job)
        except OutputError as error:
            self._store.drop(job, RESULTS)
            said = problem("OutputError", str(error), input=job.name)
            with contextlib.suppress(OutputError):
                self._store.save(job.ended("failed", files=(), result={}, errors=(said,)))

    def _wait(self, job: Job, task: Task) -> Answer | Job | None:
        """Wait for a job: its answer, the job as it was ended here, or None when the server ends.

        Raises:
            Died: The worker ended.
        """
        worker = self._begin(task)
        end_s = time.monotonic() + self._store.limits.job_s
        while True:
            said = worker.listen(_LOOK_S)
            if isinstance(said, Answer):
                return said
            with self._changed:
                if said is not None:
                    self._progress = said
                stopped, closing = job.id in self._to_stop, self._closing
            if stopped or closing or time.monotonic() > end_s:
                self._end_worker()
                if stopped:
                    return job.ended("stopped", attempts=0)
                return None if closing else self._failed(job, task.log, self._too_long(job))

    def _begin(self, task: Task) -> Worker:
        """Give a task to the worker, or to a new one where that cannot do another job or has ended meanwhile."""
        if self._worker is not None and self._worker.fit:
            with contextlib.suppress(Died):
                self._worker.begin(task)
                return self._worker
        self._end_worker()
        self._worker = Worker(self._run, self._store.limits.memory_bytes)
        self._worker.begin(task)
        return self._worker

    def _end_worker(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def _failed(self, job: Job, log: Path, error: dict[str, Any]) -> Job:
        known = self._known(1, log)
        return job.ended("failed", attempts=0, messages=known["messages"], errors=(error,))

    def _too_long(self, job: Job) -> dict[str, Any]:
        minutes = self._store.limits.job_s / 60
        message = (
            f"{job.name}: not lifted within {minutes:g} minutes, and ended; lift a part of it (--start, --stop), or "
            "start the server with a longer --time-limit"
        )
        return problem("TimeLimit", message, input=job.name)

    def _why(self, job: Job, death: Died) -> dict[str, Any]:
        self._worker = None
        if death.out_of_memory:
            gib = self._store.limits.memory_bytes / 2**30
            message = (
                f"{job.name}: needs more than {gib:g} GiB of memory; lift a part of it (--start, --stop), or start the "
                "server with a higher --memory-limit"
            )
            return problem("MemoryLimit", message, input=job.name)
        message = (
            f"{job.name}: the process that lifted it ended {death.how}; there may be too little memory, or the file is "
            "damaged: lift it again, or a part of it"
        )
        return problem("WorkerEnded", message, input=job.name)

    def _known(self, status: int, log: Path) -> dict[str, Any]:
        """Return what is known of the results from what was printed."""
        said = self._read(status, *(_printed(log / name) for name in ("out", "err")))
        messages = tuple(said["messages"][:_MOST_MESSAGES])
        return {"errors": tuple(said["errors"]), "messages": messages, "result": said["result"]}


def _printed(file: Path) -> str:
    """Return the end of what was printed into a file."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - _MOST_PRINTED))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return re.sub("\r\n?", "\n", text)
