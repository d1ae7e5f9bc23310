"""Jobs run one by one in a process of their own; whatever becomes of it, the line goes on."""

import os
import signal
import sys
from dataclasses import replace

import pytest

from poselift.serve.refusal import Refusal
from poselift.serve.store import INPUT, RESULTS
from poselift.serve.worker import Progress

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds memory")


def over(store, job):
    return lambda: store.get(job.id).state in ("done", "failed", "stopped")


def parts(store, job):
    return sorted(entry.name for entry in store.of(job.id).iterdir())


def worker_pid(line) -> int:
    return line._worker.pid


def grandchild(store, job) -> int:
    return int(store.of(job.id, RESULTS, "child").read_text())


def test_jobs_are_lifted_in_their_order_by_one_process(store, lines, uploaded, until):
    jobs = [uploaded(store, name) for name in ("a.json", "fail.json", "b.json")]
    line = lines(store)
    for job in jobs:
        line.put(job)
    until(over(store, jobs[-1]))
    a, broken, b = (store.get(job.id) for job in jobs)
    assert [job.state for job in (a, broken, b)] == ["done", "failed", "done"]
    assert a.started_s < a.ended_s <= broken.started_s < broken.ended_s <= b.started_s
    assert [file.name for file in a.files] == ["a.csv"] and a.messages == ("read a.json",) and a.status == 0
    assert broken.files == () and broken.status == 1 and "mend it (--fps)" in broken.errors[0]["message"]
    assert parts(store, a) == [INPUT, "job.json", RESULTS] and parts(store, broken) == [INPUT, "job.json"]
    assert a.kept_bytes == 5 and broken.kept_bytes == 1
    assert (line.place(a.id), line.progress(a.id)) == (None, None)


@linux
def test_what_ends_its_process_fails_and_the_line_goes_on(store, lines, uploaded, until, is_gone):
    names = ("wait.json", "crash.json", "fault.json", "full.json", "a.json")
    jobs = [uploaded(store, name) for name in names]
    store.limits = replace(store.limits, memory_bytes=2 << 30)
    line = lines(store)
    for job in jobs:
        line.put(job)
    killed = jobs[0]
    until(lambda: store.of(killed.id, RESULTS, "child").exists() and line.progress(killed.id) is not None)
    assert line.progress(killed.id) == Progress("reading wait.json", 3, 4)
    assert [line.place(job.id) for job in jobs] == [None, 1, 2, 3, 4]
    child = grandchild(store, killed)
    os.kill(worker_pid(line), signal.SIGKILL)
    until(over(store, jobs[-1]))
    killed, crashed, fault, full, fine = (store.get(job.id) for job in jobs)
    assert "ended by signal 9" in killed.errors[0]["message"] and killed.errors[0]["kind"] == "WorkerEnded"
    assert "ended by signal 6" in crashed.errors[0]["message"]
    assert "ended with status 1" in fault.errors[0]["message"]
    assert "needs more than 2 GiB of memory" in full.errors[0]["message"] and full.errors[0]["kind"] == "MemoryLimit"
    assert full.errors[0]["flags"] == ["--start", "--stop", "--memory-limit"]
    for job in (killed, crashed, fault, full):
        assert (job.state, job.status, job.files) == ("failed", None, ())
        assert job.messages == (f"read {job.name}",)
        assert parts(store, job) == [INPUT, "job.json"]
    assert fine.state == "done"
    until(lambda: is_gone(child))


@posix
def test_a_job_is_stopped_and_one_that_takes_too_long_is_ended(store, lines, uploaded, until, is_gone):
    line = lines(store)
    stopped, waiting = (line.put(uploaded(store, name)) for name in ("wait.json", "a.json"))
    until(lambda: line.progress(stopped.id) is not None and store.of(stopped.id, RESULTS, "child").exists())
    child = grandchild(store, stopped)
    assert line.stop(waiting.id).state == "stopped"
    assert line.stop(stopped.id).state == "stopped"
    until(lambda: is_gone(child))
    assert parts(store, stopped) == [INPUT, "job.json"]
    store.limits = replace(store.limits, job_s=3)
    late = line.put(uploaded(store, "wait.json"))
    until(over(store, late))
    error = store.get(late.id).errors[0]
    assert error["kind"] == "TimeLimit" and "not lifted within 0.05 minutes" in error["message"]
    assert store.get(waiting.id).state == "stopped" and line.stop(waiting.id).state == "stopped"
    with pytest.raises(Refusal):
        line.stop("nothing")


@posix
def test_a_line_that_ends_leaves_its_jobs_to_the_next(store, lines, uploaded, until, is_gone):
    jobs = [uploaded(store, name) for name in ("wait.json", "a.json")]
    line = lines(store)
    for job in jobs:
        line.put(job)
    until(lambda: store.of(jobs[0].id, RESULTS, "child").exists())
    child, worker = grandchild(store, jobs[0]), worker_pid(line)
    line.close()
    assert not line.alive
    until(lambda: is_gone(child) and is_gone(worker))
    assert [(store.get(job.id).state, store.get(job.id).attempts) for job in jobs] == [("waiting", 0)] * 2
    assert parts(store, jobs[0]) == [INPUT, "job.json"]
    store.remove(jobs[0].id)  # somebody has deleted it meanwhile
    lines(store)
    until(over(store, jobs[1]))
    assert store.get(jobs[1].id).state == "done"


def test_a_worker_that_died_while_idle_is_replaced(store, lines, uploaded, until):
    line = lines(store)
    first = line.put(uploaded(store, "a.json"))
    until(over(store, first))
    process = line._worker._process
    process.kill()
    process.join(10)  # a signal takes its time; whoever dies with a job in hand is another test
    second = line.put(uploaded(store, "b.json"))
    until(over(store, second))
    assert store.get(second.id).state == "done"


def test_a_worker_is_replaced_after_a_video(store, lines, uploaded, until):
    line = lines(store)
    pids = []
    for name in ("a.mp4", "b.json", "c.json"):
        job = line.put(uploaded(store, name))
        until(over(store, job))
        pids.append(worker_pid(line))
    assert pids[0] != pids[1] == pids[2]
