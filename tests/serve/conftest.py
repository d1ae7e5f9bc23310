"""Folders of jobs, and the line that lifts them in processes of their own."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from poselift.serve.job import Job
from poselift.serve.limits import Limits
from poselift.serve.line import Line
from poselift.serve.store import Store

HERE = Path(__file__).resolve().parent


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with contextlib.closing(Store(tmp_path / "jobs", Limits())) as store:
        yield store


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Line]]:
    """Start lines; they are ended when the test is."""
    monkeypatch.syspath_prepend(str(HERE))
    import runs

    started: list[Line] = []

    def start(store: Store) -> Line:
        started.append(Line(store, runs.run, runs.read, ("csv",)))
        return started[-1]

    yield start
    for line in started:
        line.close()


@pytest.fixture(scope="session")
def uploaded() -> Callable[[Store, str], Job]:
    """Make a job whose file has come."""

    def make(store: Store, name: str) -> Job:
        job = store.new(name, {"people": "all"})
        store.input(job).write_bytes(b"1")
        job = replace(job, bytes=1)
        store.save(job)
        return job

    return make


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """Wait until something is so."""

    def wait(condition: Callable[[], object]) -> None:
        for _ in range(90_000):  # a hang ends; a busy machine may take its time
            if condition():
                return
            time.sleep(0.02)
        raise AssertionError("it never came so far")

    return wait


@pytest.fixture(scope="session")
def is_gone() -> Callable[[int], bool]:
    """Tell whether a process has ended; one that nobody has waited for has."""

    def gone(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            return Path("/proc/self").exists()

    return gone
