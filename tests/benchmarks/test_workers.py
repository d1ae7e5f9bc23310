"""Jobs are done once, in order, by one worker each, and what they need before."""

import fcntl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import workers


@dataclass(frozen=True)
class Task:
    name: str
    needs: str = ""


A, B, AFTER_B = Task("a"), Task("b"), Task("after b", needs="b")


@pytest.fixture
def work(tmp_path):
    """Does jobs, and tells which were done; those named fail."""

    def run(jobs, failing=()):
        done = []

        def do(job):
            if job.name in failing:
                raise RuntimeError("on purpose")
            done.append(job.name)
            return {"number": len(done)}

        workers.work(jobs, tmp_path, do, lambda: None)
        return done

    return run


def test_jobs_are_done_in_order_and_once(work, tmp_path):
    assert work([B, A, AFTER_B]) == ["b", "a", "after b"]
    assert workers.results([A, B], tmp_path) == {B: {"number": 1}, A: {"number": 2}}
    assert work([B, A, AFTER_B, Task("new")]) == ["new"]


def test_a_job_that_failed_says_why_and_stops_only_what_needs_it(work, tmp_path):
    assert work([B, AFTER_B, A], failing="b") == ["a"]
    assert "RuntimeError: on purpose" in workers.error(tmp_path, "b").read_text()
    assert workers.error(tmp_path, "after b") is None
    assert work([B, AFTER_B, A]) == []  # until the command is given again
    workers.run_all([B, AFTER_B, A], tmp_path, processes=0)
    assert work([B, AFTER_B, A]) == ["b", "after b"]


def test_a_job_waits_for_what_it_needs(tmp_path):
    taken = []
    assert workers.next_job([AFTER_B], tmp_path, lambda job: True) == (None, True)
    assert workers.next_job([B, AFTER_B, A], tmp_path, lambda job: taken.append(job) or job is A) == (A, False)
    assert taken == [B, A]  # another has B


def test_a_job_of_another_worker_is_left_alone(work, tmp_path):
    (tmp_path / "a").mkdir()
    with (tmp_path / "a" / "claim").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert work([A, B]) == ["b"]
    assert work([A, B]) == ["a"]


def test_a_worker_that_is_killed_leaves_its_job_to_others(work, tmp_path):
    holds = (
        f"import sys, fcntl; sys.path.insert(0, {str(Path(workers.__file__).parent)!r}); lock = open('claim', 'w'); "
        "fcntl.flock(lock, fcntl.LOCK_EX); print('held', flush=True); input()"
    )
    (tmp_path / "a").mkdir()
    worker = subprocess.Popen([sys.executable, "-c", holds], cwd=tmp_path / "a", stdin=-1, stdout=-1, text=True)
    assert worker.stdout.readline() == "held\n"
    assert work([A]) == []
    worker.kill()
    worker.communicate()
    assert work([A]) == ["a"]
