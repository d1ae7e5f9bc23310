"""The child process in which jobs run, and how its parent starts, bounds and ends it.

It runs one job after the other, so that libraries are imported once, and is replaced after a video, whose decoders are
code of others, after many files, and after any job that it did not survive. It leads a process group of its own, so
that processes which it started end with it; it ignores Ctrl-C, which is for its parent, and ends when that is gone.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

from poselift.read import is_video

Tick = Callable[[str, int, int | None], None]
"""Takes what is being done, how much of it is done, and how much there is, or None."""
Run = Callable[[list[str], Tick], int]
"""Runs `poselift` with some arguments and returns its exit status; a function that a new process can import."""

_MOST_JOBS = 200
"""Jobs after which a worker is replaced."""
_MOST_BYTES = 1 << 30
"""Memory that a worker may have held before it is replaced."""
_LEAVE_S = 10.0
_OUT_OF_MEMORY = 77
"""Status of a worker that was refused memory."""


@dataclass(frozen=True)
class Task:
    """What a worker is to do."""

    arguments: list[str]
    """Those of `poselift`."""
    folder: Path
    """The folder to work in."""
    temporary: Path
    """An empty folder for temporary files."""
    log: Path
    """Folder for `out` and `err`, what is printed."""


@dataclass(frozen=True)
class Progress:
    """How far a job is."""

    step: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Answer:
    """A job has ended with this exit status."""

    status: int
    bytes: int
    """The most memory that the worker has held so far; 0 where the system does not say."""


class Died(Exception):
    """The worker ended before its job did."""

    def __init__(self, code: int | None) -> None:
        """Store its exit code, which is negative for a signal."""
        super().__init__(code)
        self.out_of_memory = code == _OUT_OF_MEMORY
        self.how = f"by signal {-code}" if code is not None and code < 0 else f"with status {code}"


class Worker:
    """A worker as its parent sees it. Only one thread may use it."""

    def __init__(self, run: Run, memory_bytes: int) -> None:
        """Start the process.

        Args:
            run: What it does with arguments.
            memory_bytes: Address space that it may have.
        """
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, run, memory_bytes), name="poselift-worker")
        self._process.start()
        theirs.close()
        self._jobs = 0
        self._used_up = self._gone = False

    @property
    def pid(self) -> int | None:
        """The id of the process."""
        return self._process.pid

    @property
    def fit(self) -> bool:
        """Whether it can do another job."""
        return not self._used_up and not self._gone and self._process.is_alive()

    def begin(self, task: Task) -> None:
        """Begin a job.

        Raises:
            Died: The process is gone.
        """
        self._jobs += 1
        self._used_up = self._jobs >= _MOST_JOBS or any(is_video(word) for word in task.arguments[:2])
        try:
            self._pipe.send(task)
        except OSError as error:
            raise self._died() from error

    def listen(self, seconds: float) -> Progress | Answer | None:
        """Return what the worker says, or None where it says nothing for some seconds.

        Raises:
            Died: The process is gone.
        """
        try:
            if not wait([self._pipe], seconds):
                return None
            said = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error
        if isinstance(said, Answer):
            self._used_up |= said.bytes > _MOST_BYTES
            return said
        assert isinstance(said, Progress)
        return said

    def kill(self) -> None:
        """End the process at once, with those that it started, also where it has ended already; may be called twice."""
        if self._gone:
            return
        self._gone = True
        self._process.kill()
        if sys.platform != "win32" and self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)  # it leads its group, which outlives it
        self._process.join()
        self._process.close()
        self._pipe.close()

    def _died(self) -> Died:
        self._process.join(_LEAVE_S)
        code = self._process.exitcode
        self.kill()
        return Died(code)


def _serve(pipe: Connection, run: Run, memory_bytes: int) -> None:
    """Do the jobs that come through a pipe until it is closed, or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        os.setpgid(0, 0)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _bound(memory_bytes)
    try:
        while True:
            task = pipe.recv()
            with _into(task):
                status = run(task.arguments, lambda step, done, total: pipe.send(Progress(step, done, total)))
            pipe.send(Answer(status, _most_held()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)  # anything else may ask for memory again


@contextlib.contextmanager
def _into(task: Task) -> Iterator[None]:
    """Work in a task's folder, with its folder for temporary files and its files for what is printed."""
    task.temporary.mkdir(exist_ok=True)
    task.log.mkdir(exist_ok=True)
    os.chdir(task.folder)
    tempfile.tempdir = str(task.temporary)
    for number, name in ((1, "out"), (2, "err")):  # by descriptor: libraries in C print, too
        descriptor = os.open(task.log / name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.chdir(task.folder.anchor)  # so that the folder can be deleted on Windows
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(nowhere, number)
        os.close(nowhere)


def _bound(memory_bytes: int) -> None:
    """Bound the memory of this process; macOS and Windows do not, and there the limit on time alone bounds a job."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _most_held() -> int:
    """Return the most memory that this process has held, in bytes; 0 where the system does not say."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, `ru_maxrss` begins with what the parent held when it started this process
        kib = status.read_text(encoding="ascii", errors="replace").partition("VmHWM:")[2].split()[:1]
        return 1024 * int(kib[0]) if kib else 0
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)


def _leave_with_parent() -> None:
    """Wait in a thread until the parent is gone, and then end this process with those that it started."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    parent.join()
    if sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
