"""The folder of a server: one folder for each job, with the uploaded file, the results and `job.json`.

Nothing of a job is held in memory, so that thousands of them cost none, and a server that was killed finds all of them
again. `job.json` is written whole, and a folder is renamed before it is deleted, so that a job is there or not.
"""

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from poselift.errors import FormatError, OutputError, PoseliftError
from poselift.files import reason_of
from poselift.serve.job import Job, ResultFile, is_id, new_id
from poselift.serve.limits import GIB, MIB, Limits
from poselift.serve.names import safe_name
from poselift.serve.refusal import Refusal, problem

if sys.platform != "win32":
    import fcntl

INPUT, RESULTS, TEMPORARY, LOG = "input", "results", "temporary", "log"
"""Folders of a job: what was uploaded, the results, temporary files of its process, and what that printed."""
_STATE = "job.json"
_GONE = ".removed-"
_MOST_ATTEMPTS = 2


class Store:
    """The jobs of a server. Its methods may be called from any thread."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        """Open the folder, which is made if it is not there, and clear up what an earlier server left half-done.

        Raises:
            OutputError: The folder cannot be made or written, or another server uses it.
        """
        self.folder, self.limits = folder.resolve(), limits
        self._lock = threading.Lock()
        self._reserved = 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            held = os.open(self.folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise OutputError(f"cannot use {folder}: {reason_of(error)}; name another folder (--out)") from error
        try:
            if sys.platform != "win32":
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(held)
            raise OutputError(f"another server uses {folder}; end it, or name another folder (--out)") from error
        self._held: int | None = held
        self._used = self._clear_up()

    def close(self) -> None:
        """Let other servers use the folder; may be called twice."""
        held, self._held = self._held, None
        if held is not None:
            os.close(held)

    def of(self, job: str, *parts: str) -> Path:
        """Return a path in the folder of a job."""
        return self.folder.joinpath(job, *parts)

    def ids(self) -> list[str]:
        """Return the ids of all jobs, the newest first."""
        return sorted((entry.name for entry in os.scandir(self.folder) if is_id(entry.name)), reverse=True)

    def get(self, id: str) -> Job:
        """Return a job.

        Raises:
            Refusal: There is no such job.
        """
        if is_id(id):
            with contextlib.suppress(FormatError):
                return Job.read(self.of(id, _STATE))
        raise Refusal(404, "FormatError", f"there is no job {id[:60]!r}; it may have been removed")

    def new(self, name: str, options: dict[str, Any], copy_of: Job | None = None) -> Job:
        """Make a job that waits for its upload or, as a copy of another one, has its file already.

        Raises:
            OutputError: The folder cannot be written.
        """
        job = Job(id=new_id(), name=safe_name(name), options=options, state="uploading", created_s=time.time())
        try:
            self.of(job.id, INPUT).mkdir(parents=True)
            if copy_of is not None:
                source, target = self.input(copy_of), self.input(job)
                try:
                    os.link(source, target)
                except OSError:  # a file system without links
                    shutil.copyfile(source, target)
                job = replace(job, bytes=copy_of.bytes)
        except OSError as error:
            self._delete(job.id)
            raise OutputError(f"cannot make a job in {self.folder}: {reason_of(error)}; make room") from error
        job.write(self.of(job.id, _STATE))
        return job

    def input(self, job: Job) -> Path:
        """Return where the uploaded file of a job is."""
        return self.of(job.id, INPUT, job.name)

    def save(self, job: Job) -> bool:
        """Store a job's new state, unless the job was removed; returns whether it is there.

        Raises:
            OutputError: It cannot be written.
        """
        if job.state != "uploading":
            job = replace(job, kept_bytes=_size(self.of(job.id, INPUT)) + _size(self.of(job.id, RESULTS)))
        with self._lock:
            try:
                before = Job.read(self.of(job.id, _STATE))
            except FormatError:
                return False
            job.write(self.of(job.id, _STATE))
            self._used += job.kept_bytes - before.kept_bytes
        return True

    def remove(self, id: str) -> None:
        """Delete a job with its files.

        Raises:
            Refusal: There is no such job.
        """
        job = self.get(id)
        with self._lock:
            self._used -= job.kept_bytes
        self._delete(id)

    def results(self, job: Job) -> tuple[ResultFile, ...]:
        """Return the files that the process of a job has written, by name."""
        files = sorted(path for path in self.of(job.id, RESULTS).glob("[!.]*") if path.is_file())
        return tuple(ResultFile(name=path.name, bytes=path.stat().st_size) for path in files)

    def result(self, job: Job, name: str) -> Path:
        """Return the path of a result by its name.

        Raises:
            Refusal: It is none of the results.
        """
        if any(file.name == name for file in job.files):
            return self.of(job.id, RESULTS, name)
        raise Refusal(404, "FormatError", f"job {job.id} has no file {name[:100]!r}; its `files` say what it has")

    def drop(self, job: Job, *parts: str) -> None:
        """Delete some of a job's folders."""
        for part in parts:
            shutil.rmtree(self.of(job.id, part), ignore_errors=True)

    @contextlib.contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Keep room for an upload while the block runs.

        Args:
            size: Bytes; as many as may come, where it is not known.

        Raises:
            Refusal: There is not enough.
        """
        with self._lock:
            full = self._used + self._reserved + size > self.limits.space_bytes
            free = shutil.disk_usage(self.folder).free - self._reserved - size
            if not full and free >= self.limits.free_bytes:
                self._reserved += size
            elif full:
                raise Refusal(
                    507, "OutputError",
                    f"the jobs here take {self._used / MIB:,.0f} MiB of {self.limits.space_bytes / GIB:g} GiB, and "
                    f"{size / MIB:,.0f} MiB more do not fit; remove some (or start the server with --space-limit GIB)",
                )  # fmt: skip
            else:
                raise Refusal(
                    507, "OutputError",
                    f"{size / MIB:,.0f} MiB more would leave the disk with less than "
                    f"{self.limits.free_bytes / GIB:g} GiB free; make room, or remove some jobs",
                )  # fmt: skip
        try:
            yield
        finally:
            with self._lock:
                self._reserved -= size

    def _clear_up(self) -> int:
        """Delete what was removed or never came whole, let what ran wait again, and return the bytes in use."""
        used = 0
        for entry in list(os.scandir(self.folder)):
            if entry.name.startswith(_GONE):
                shutil.rmtree(entry.path, ignore_errors=True)
            if not is_id(entry.name):
                continue
            try:
                job = self.get(entry.name)
            except Refusal:  # killed between making the folder and writing the state
                self._delete(entry.name)
                continue
            if job.state == "uploading":
                self._delete(job.id)
                continue
            if job.state == "running":
                self.drop(job, RESULTS, TEMPORARY, LOG)
                job = self._again(job)
                job.write(self.of(job.id, _STATE))
            used += job.kept_bytes
        return used

    def _again(self, job: Job) -> Job:
        if job.attempts < _MOST_ATTEMPTS:
            return replace(job, state="waiting", started_s=None)
        message = (
            f"{job.name}: the server ended {job.attempts} times while it was lifted; it may need too much memory: "
            "lift it with `poselift lift`"
        )
        return job.ended("failed", errors=(problem("WorkerEnded", message, input=job.name),))

    def waiting(self) -> list[Job]:
        """Return the jobs that wait, the oldest first."""
        jobs = []
        for id in self.ids():
            with contextlib.suppress(PoseliftError, Refusal):
                jobs.append(self.get(id))
        return sorted((job for job in jobs if job.state == "waiting"), key=lambda job: job.created_s)

    def _delete(self, id: str) -> None:
        """Delete the folder of a job, first by name, so that no half of it is ever seen."""
        gone = self.folder / f"{_GONE}{id}"
        with contextlib.suppress(OSError):
            self.of(id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _size(folder: Path) -> int:
    """Return the bytes of the files in a folder; 0 where it is not there."""
    try:
        return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return 0
