"""The folder of jobs: nothing is half there, and nothing is lost when a server ends in any way."""

import json
import sys
from collections import namedtuple
from dataclasses import replace

import pytest

from poselift.errors import OutputError
from poselift.serve import store as storing
from poselift.serve.job import Job
from poselift.serve.limits import MIB, Limits
from poselift.serve.refusal import Refusal
from poselift.serve.store import INPUT, LOG, RESULTS, TEMPORARY, Store


def reopened(store: Store, limits: Limits | None = None) -> Store:
    store.close()
    return Store(store.folder, limits or Limits())


def test_a_job_is_read_as_it_was_written(store, uploaded):
    job = uploaded(store, "clip.json")
    done = job.ended("done", status=0, errors=({"kind": "x", "message": "y"},), messages=("a",), result={"people": []})
    assert store.save(done)
    assert replace(store.get(job.id), kept_bytes=0) == done
    assert store.get(job.id).kept_bytes == 1


def test_jobs_are_listed_with_the_newest_first(store, uploaded):
    jobs = [uploaded(store, "clip.json").id for _ in range(20)]
    (store.folder / "notes.txt").write_text("none of ours")
    assert store.ids() == jobs[::-1]


@pytest.mark.parametrize(
    "id", ["", ".", "..", "../jobs", "/etc", "20260101-000000-000000-0123456789ab", "\0", "x" * 999]
)
def test_only_ids_are_looked_up(store, id):
    with pytest.raises(Refusal) as told:
        store.get(id)
    assert told.value.status == 404


def test_a_removed_job_is_gone_and_stays_gone(store, uploaded):
    job = uploaded(store, "clip.json")
    store.remove(job.id)
    assert not store.save(job.ended("done"))
    assert [entry.name for entry in store.folder.iterdir()] == [".lock"]
    with pytest.raises(Refusal):
        store.remove(job.id)


def test_only_results_are_given_out(store, uploaded):
    job = uploaded(store, "clip.json")
    store.of(job.id, RESULTS).mkdir()
    for name in ("clip.csv", ".clip.poselift-0123abcd.csv"):
        store.of(job.id, RESULTS, name).write_text("1")
    job = replace(job, files=store.results(job))
    assert [file.name for file in job.files] == ["clip.csv"]
    assert store.result(job, "clip.csv").read_text() == "1"
    for name in (
        "../job.json",
        "../input/clip.json",
        "/etc/passwd",
        "",
        ".",
        "clip.csv\0",
        ".clip.poselift-0123abcd.csv",
    ):
        with pytest.raises(Refusal):
            store.result(job, name)


def test_what_a_killed_server_left_is_cleared_up(store, uploaded):
    jobs = {state: uploaded(store, f"{state}.json") for state in ("uploading", "waiting", "running", "done", "broken")}
    for state in ("waiting", "running", "done"):
        store.save(replace(jobs[state], state=state, attempts=1))
        for part in (RESULTS, TEMPORARY, LOG):
            store.of(jobs[state].id, part).mkdir()
            store.of(jobs[state].id, part, "clip.csv").write_text("half")
    store.of(jobs["broken"].id, "job.json").write_text('{"id": ')
    (store.folder / ".removed-1").mkdir()
    again = reopened(store)
    assert [job.name for job in again.waiting()] == ["waiting.json", "running.json"]
    assert again.input(jobs["running"]).read_bytes() == b"1"
    assert sorted(entry.name for entry in again.of(jobs["running"].id).iterdir()) == [INPUT, "job.json"]
    assert again.of(jobs["done"].id, RESULTS, "clip.csv").exists()
    left = {jobs[state].id for state in ("waiting", "running", "done")}
    assert {entry.name for entry in again.folder.iterdir()} == left | {".lock"}
    again.close()


def test_a_file_that_ends_the_server_again_and_again_is_given_up(store, uploaded):
    job = uploaded(store, "clip.json")
    store.save(replace(job, state="running", attempts=2))
    again = reopened(store)
    found = again.get(job.id)
    assert found.state == "failed" and "the server ended 2 times" in found.errors[0]["message"]
    again.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
def test_two_servers_do_not_share_a_folder(store):
    with pytest.raises(OutputError, match="another server uses"):
        Store(store.folder, Limits())
    reopened(store).close()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="name another folder"):
        Store(tmp_path / "file" / "jobs", Limits())


def test_room_is_kept_for_what_comes(store, uploaded):
    store = reopened(store, Limits(space_bytes=10 * MIB))
    with store.room(6 * MIB), pytest.raises(Refusal, match="remove some") as told:
        store.room(6 * MIB).__enter__()
    assert told.value.status == 507
    job = uploaded(store, "clip.json")
    store.input(job).write_bytes(bytes(6 * MIB))
    store.save(replace(job, state="waiting"))
    again = reopened(store, Limits(space_bytes=10 * MIB))
    for one in (store, again):  # known at once, and after a restart
        with pytest.raises(Refusal, match="take 6 MiB"):
            one.room(6 * MIB).__enter__()
    again.remove(job.id)
    with again.room(6 * MIB):
        pass
    again.close()


def test_the_disk_is_not_filled(store, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(storing.shutil, "disk_usage", lambda path: usage(100 << 30, 98 << 30, 2 << 30))
    with store.room(1000 * MIB), pytest.raises(Refusal, match="less than 1 GiB free"):
        store.room(100 * MIB).__enter__()


def test_a_copy_has_the_file_of_its_original(store, uploaded):
    job = uploaded(store, "clip.json")
    copy = store.new(job.name, {"people": "1"}, copy_of=job)
    store.remove(job.id)
    assert store.input(copy).read_bytes() == b"1" and copy.bytes == 1


def test_the_state_on_disk_is_plain(store, uploaded):
    job = uploaded(store, "../ä.json")
    content = json.loads(store.of(job.id, "job.json").read_text("utf-8"))
    assert (content["name"], content["state"]) == ("ä.json", "uploading")
    assert set(content) == set(Job.__dataclass_fields__)
