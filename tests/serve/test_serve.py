"""The server as a process: many files at once, hostile ones, broken connections and killed processes."""

import contextlib
import http.client
import io
import json
import os
import signal
import socket
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from poselift.cli import main
from poselift.cli.results import KNOWN_FORMATS
from poselift.cli.serving import available_formats, read_answer
from poselift.formats import read_poses, write_keypoints
from poselift.read import read_keypoints

pytest.importorskip("starlette", reason="needs the serve extra")
pytest.importorskip("uvicorn", reason="needs the serve extra")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them")
LIMIT_MIB = 2


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> bytes:
    """A keypoint file of a few frames."""
    (person,) = read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
    path = tmp_path_factory.mktemp("clip") / "clip.npz"
    write_keypoints(person.with_frames(person.xy[:8], person.confidence[:8], person.fps), path)
    return path.read_bytes()


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory) -> bytes:
    """A keypoint file that takes seconds, in which its process can be killed."""
    (person,) = read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
    xy, scores = (np.concatenate([part, part[::-1]] * 15) for part in (person.xy, person.confidence))
    path = tmp_path_factory.mktemp("clip") / "long.npz"
    write_keypoints(person.with_frames(xy, scores, person.fps), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory, monkeypatch_module):
    import served

    server = served.Server(tmp_path_factory.mktemp("served") / "jobs", "--upload-limit", str(LIMIT_MIB))
    yield server
    status, err = server.end()
    assert status == 128 + signal.SIGTERM
    assert err.splitlines() == ["interrupted; no file was left half-written"]  # and no traceback before
    assert server.children() == []


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).resolve().parent))
        yield patch


def folders(server) -> set[str]:
    return {entry.name for entry in server.folder.iterdir()} - {".lock"}


def errors(content: bytes) -> str:
    answer = json.loads(content)
    assert set(answer) == {"status", "errors"}
    (error,) = answer["errors"]
    assert set(error) == {"kind", "message", "what_to_do", "flags", "input"}
    return error["message"]


def test_a_file_goes_in_and_every_format_comes_out(server, clip, tmp_path):
    job = server.ended(server.put("Läufer.npz", clip, people="all", height="1.8", rig="mixamo"))
    assert (job["state"], job["status"], job["errors"], job["people"]) == ("done", 0, [], 1)
    assert job["command"] == "poselift lift Läufer.npz -o out --people=all --height 1.8 --rig=mixamo"
    formats = available_formats()
    assert set(formats) == set(KNOWN_FORMATS), "the tests need every library of formats"
    names = {file["name"] for file in job["files"]}
    assert names == {f"Läufer.{ending}" for ending in formats} | {
        "Läufer.bvh.json", "Läufer.trc.json", "Läufer_angles.csv", "Läufer_keypoints.npz"
    }  # fmt: skip
    assert any("the body was scaled by" in text and "to 1.8 m" in text for text in job["messages"])
    assert all(file["what"] for file in job["files"])
    for file in job["files"]:
        status, headers, content = server.ask("GET", file["url"])
        assert (status, len(content)) == (200, file["bytes"])
        assert headers["content-disposition"].startswith("attachment")
        assert headers["x-content-type-options"] == "nosniff"
        (tmp_path / file["name"]).write_bytes(content)
    assert len(read_poses(tmp_path / "Läufer.npz")) == 8
    assert b"mixamorig:Hips" in (tmp_path / "Läufer.bvh").read_bytes()
    status, headers, bundle = server.ask("GET", job["everything"])
    with zipfile.ZipFile(io.BytesIO(bundle)) as unpacked:
        assert unpacked.testzip() is None
        assert {name: unpacked.read(name) for name in unpacked.namelist()} == {
            name: (tmp_path / name).read_bytes() for name in names
        }
    status, headers, page = server.ask("GET", job["page"])
    assert page == (tmp_path / "Läufer.html").read_bytes() and headers["content-type"].startswith("text/html")
    assert headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in headers["content-security-policy"]
    kept = sum(path.stat().st_size for path in (server.folder / job["id"]).rglob("*.*") if path.name != "job.json")
    assert job["kept_bytes"] == kept
    assert str(server.folder) not in json.dumps(job)


def test_twenty_files_at_once_are_all_lifted_and_nothing_is_left_open(server, clip):
    server.ended(server.put("warm.npz", clip))
    for job in server.json("GET", "/api/jobs")["jobs"]:
        server.json("DELETE", job["url"])
    files, processes = server.open_files(), server.children()
    names = [f"clip{number}.npz" for number in range(8)] + ["fake.mp4", "text.json", "clip.xyz", "none"] * 3
    bodies = [clip] * 8 + [b"no video" * 100, b"{", b"x", b"x"] * 3
    with ThreadPoolExecutor(20) as pool:
        jobs = list(pool.map(server.put, names, bodies))
    assert len({job["id"] for job in jobs}) == 20
    ended = [server.ended(job) for job in jobs]
    assert [job["name"] for job in ended] == names
    assert [job["state"] for job in ended] == ["done"] * 8 + ["failed"] * 12
    said = [job["errors"][0]["message"] for job in ended[8:]]
    assert said[0].startswith("cannot read fake.mp4 as a video (") and "does a player open it?" in said[0]
    assert "text.json is broken JSON" in said[1] and "unknown" in said[2] and "none" in said[3]
    assert server.json("GET", "/api/jobs?limit=5")["count"] == 20
    newest = server.json("GET", "/api/jobs?limit=5")["jobs"]
    older = server.json("GET", f"/api/jobs?limit=5&before={newest[-1]['id']}")["jobs"]
    assert not {job["id"] for job in newest} & {job["id"] for job in older} and len(older) == 5
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda job: server.json("DELETE", job["url"]), jobs))
    assert folders(server) == set()
    assert len(server.children()) <= len(processes) and server.open_files() <= files + 2


def test_what_lift_says_of_a_file_is_what_lift_prints(server, capsys, tmp_path, monkeypatch):
    (tmp_path / "fake.mp4").write_bytes(b"no video" * 100)
    monkeypatch.chdir(tmp_path)
    assert main(["lift", "fake.mp4", "-o", "out"]) == 1
    job = server.ended(server.put("fake.mp4", b"no video" * 100))
    assert capsys.readouterr().err == f"error: {job['errors'][0]['message']}\n"
    (said,) = read_answer(1, "", f"error: {job['errors'][0]['message']}\n")["errors"]
    assert job["errors"][0] | {"kind": ""} == said | {"kind": ""}


def pieces(count: int):
    for _ in range(count):
        yield bytes(1 << 20)


def test_files_above_the_limit_are_refused_and_leave_nothing(server):
    before, size = folders(server), (LIMIT_MIB << 20) + 1
    for body, headers in (
        (pieces(LIMIT_MIB + 1), {"Content_Length": str((LIMIT_MIB + 1) << 20)}),  # said at once
        (pieces(LIMIT_MIB + 1), {}),  # found out while it comes
        (bytes(size), {}),
    ):
        status, _, content = server.ask("POST", "/api/jobs?name=huge.mp4", body, **headers)
        assert status == 413
        assert "files of up to 2 MiB are taken" in errors(content) and "--upload-limit" in errors(content)
    with socket.create_connection(("127.0.0.1", server.port)) as plain:  # as curl asks before it sends
        plain.sendall(
            b"POST /api/jobs?name=huge.mp4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2147483648\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert plain.recv(100).startswith(b"HTTP/1.1 413")
    assert folders(server) == before


def test_a_broken_off_upload_leaves_nothing(server, until):
    before, files = folders(server), server.open_files()
    for ending in (b"Content-Length: 1000000\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"):
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            plain.sendall(b"POST /api/jobs?name=clip.npz HTTP/1.1\r\nHost: localhost\r\n" + ending)
            until(lambda: folders(server) != before)
            (job,) = (server.json("GET", f"/api/jobs/{id}") for id in folders(server) - before)
            assert job["state"] == "uploading"
            assert server.ask("DELETE", job["url"])[0] == 409
        until(lambda: folders(server) == before)
    until(lambda: server.open_files() <= files)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../../tmp/x.npz", "x.npz"),
        ("/etc/passwd", "passwd"),
        ("..%2f..%2fx.npz", "..%2f..%2fx.npz".lstrip(".")),
        ("a\0b.npz", "ab.npz"),
        ("x" * 3000 + ".npz", "x" * 100 + ".npz"),
        ("NUL.npz", "_NUL.npz"),
        ("走る.npz", "走る.npz"),
    ],
)
def test_names_cannot_leave_the_folder(server, name, kept):
    job = server.ended(server.put(name, b"no keypoints"))
    assert job["name"] == kept and kept in job["errors"][0]["message"]
    assert [path.name for path in (server.folder / job["id"] / "input").iterdir()] == [kept]
    assert server.json("DELETE", job["url"]) == {"id": job["id"], "removed": True}


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "/../../etc/passwd", "//etc/passwd", "/api/jobs/..", "/api/jobs/%2e%2e/files/x",
        "/api/jobs/{id}/files/..%2fjob.json", "/api/jobs/{id}/files/%2e%2e%2finput%2fclip.npz",
        "/api/jobs/{id}/files/../job.json", "/api/jobs/{id}/files/job.json", "/api/jobs/{id}/files//etc/passwd",
        "/api/jobs/{id}/files/%00", "/api/jobs/{id}/files/", "/api/jobs/{id}/input/clip.npz", "/api/jobs/{id}%2f..",
        "/web/page.html", "/.lock", "/docs", "/openapi.json",
    ],
)  # fmt: skip
def test_files_of_the_server_cannot_be_reached(server, clip, path, kept_job):
    status, _, content = server.ask("GET", path.format(id=kept_job["id"]))
    assert status == 404
    errors(content)


@pytest.fixture(scope="module")
def kept_job(server, clip):
    return server.ended(server.put("clip.npz", clip))


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "said"),
    [
        ("POST", "/api/jobs", {}, 400, "wanted the name of the file"),
        ("POST", "/api/jobs?name=a.npz&out=/etc", {}, 400, "unknown option 'out'"),
        ("POST", "/api/jobs?name=a.npz&lifter=/tmp/x.onnx", {}, 400, "wanted lifter as one of"),
        ("POST", "/api/jobs?name=a.npz", {"Content_Type": "multipart/form-data; boundary=x"}, 415, "curl -T"),
        ("GET", "/api/jobs?limit=many", {}, 400, "wanted `limit`"),
        ("DELETE", "/api/jobs", {}, 405, "does not take this method"),
        ("POST", "/api/jobs?name=a.npz", {"Host": "evil.com"}, 421, "is not called 'evil.com'"),
        ("POST", "/api/jobs?name=a.npz", {"Origin": "http://evil.com"}, 403, "pages of other sites"),
        ("GET", "/api/jobs", {"Sec_Fetch_Site": "cross-site"}, 403, "pages of other sites"),
    ],
)
def test_requests_that_are_refused(server, method, path, headers, status, said):
    before = folders(server)
    got, _, content = server.ask(method, path, b"1" if method == "POST" else None, **headers)
    assert got == status and said in errors(content)
    assert folders(server) == before


def test_an_empty_file_is_refused(server):
    status, _, content = server.ask("POST", "/api/jobs?name=a.npz", b"")
    assert status == 400 and "the file is empty" in errors(content)


def test_a_job_is_lifted_again_with_other_options(server, kept_job):
    again = server.ended(server.json("POST", f"{kept_job['url']}/again?people=largest&height=2"))
    assert again["options"] == {"people": "largest", "height": [2]} and again["state"] == "done"
    assert again["id"] != kept_job["id"] and server.json("GET", kept_job["url"]) == kept_job
    status, _, content = server.ask("POST", f"{kept_job['url']}/again?people=nobody")
    assert status == 400 and "wanted --people" in errors(content)


def test_a_killed_worker_fails_its_job_and_nobody_elses(server, long_clip, clip, until):
    first, second = server.put("long.npz", long_clip), server.put("clip.npz", clip)
    until(lambda: server.json("GET", first["url"])["progress"])
    worker = max(server.children())
    os.kill(worker, signal.SIGKILL)
    first, second = server.ended(first), server.ended(second)
    assert (first["state"], second["state"]) == ("failed", "done")
    assert "ended by signal 9" in first["errors"][0]["message"] and first["files"] == []
    assert sorted(path.name for path in (server.folder / first["id"]).iterdir()) == ["input", "job.json"]


def test_a_running_job_is_removed_with_all_its_files(server, long_clip, until):
    job = server.put("long.npz", long_clip)
    until(lambda: server.json("GET", job["url"])["progress"])
    assert server.json("DELETE", job["url"]) == {"id": job["id"], "removed": True}
    assert job["id"] not in folders(server)
    assert server.ask("GET", job["url"])[0] == 404


def test_a_killed_server_loses_nothing(tmp_path, clip, long_clip, monkeypatch_module, until, is_gone):
    import served

    server = served.Server(tmp_path / "jobs")
    done = server.ended(server.put("a.npz", clip))
    running, waiting = server.put("long.npz", long_clip), server.put("b.npz", clip)
    with (
        contextlib.suppress(OSError, http.client.HTTPException),
        socket.create_connection(("127.0.0.1", server.port)) as plain,
    ):
        plain.sendall(b"POST /api/jobs?name=c.npz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        until(lambda: len(folders(server)) == 4)
        until(lambda: server.json("GET", running["url"])["progress"])
        children = server.children()
        server.end(signal.SIGKILL)
    until(lambda: all(map(is_gone, children)))
    server.start()
    assert server.json("GET", done["url"]) == done
    assert server.ended(running)["state"] == server.ended(waiting)["state"] == "done"
    assert folders(server) == {job["id"] for job in (done, running, waiting)}
    assert server.end()[0] == 128 + signal.SIGTERM


def test_others_need_the_token(tmp_path, monkeypatch_module):
    import served

    server = served.Server(tmp_path / "jobs", "--host", "0.0.0.0", "--names", "lab-pc")
    assert server.url.startswith(f"http://lab-pc:{server.port}/?token=")
    token = server.url.partition("token=")[2]
    assert server.ask("GET", "/api/jobs")[0] == 401
    assert server.ask("GET", "/api/jobs", Authorization=f"Bearer {token}", Host=f"lab-pc:{server.port}")[0] == 200
    assert server.ask("GET", "/api/jobs", Authorization=f"Bearer {token}", Host="evil.com")[0] == 421
    assert (server.folder / "token").stat().st_mode & 0o777 == 0o600
    server.end()


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_a_missing_library_is_said_with_its_command(missing, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["serve", "-o", str(tmp_path / "jobs")]) == 1
    said = capsys.readouterr().err.replace("\n", " ")
    assert f"serving needs {missing}; run: pip install" in said and "[serve]" in said
    assert not (tmp_path / "jobs").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--port", "70000"], "wanted --port from 0 to 65535"),
        (["--upload-limit", "0"], "wanted --upload-limit above 0"),
        (["--host", "203.0.113.7"], "cannot listen at 203.0.113.7"),
    ],
)
def test_wrong_flags_are_refused(flags, said, tmp_path, capsys):
    assert main(["serve", "-o", str(tmp_path / "jobs"), *flags]) == 1
    assert said in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "jobs").exists()


def test_a_port_that_is_taken_is_refused(server, tmp_path, capsys):
    assert main(["serve", "-o", str(tmp_path / "jobs"), "--port", str(server.port)]) == 1
    assert "choose another port (--port)" in capsys.readouterr().err
