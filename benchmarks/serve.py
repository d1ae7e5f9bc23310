"""Many jobs, and one huge file, through `poselift serve`: memory, open files and processes, and what stays.

    OMP_NUM_THREADS=1 python benchmarks/serve.py [--jobs 2000] [--huge 2048] [-o serve.json]

Jobs are small keypoint files, some of them broken, which 20 clients upload while another one asks for the list as
the page does; all are kept until the end. The huge file is made up while it is sent: once it is taken, and twice it is
refused, by its announced size and while it comes.
"""

import argparse
import http.client
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import poselift as pl
from poselift.formats import write_keypoints

PIECE = bytes(1 << 20)
GOOD = (0, 5)
"""Last digits of the jobs that are lifted; the others are broken files."""
TICKS = os.sysconf("SC_CLK_TCK")


def process(pid: int) -> dict[str, float] | None:
    """Memory in MiB, open files and processor time in seconds of a process; None for one that has just ended."""
    try:
        return _process(pid)
    except (OSError, IndexError):
        return None


def _process(pid: int) -> dict[str, float]:
    status = Path(f"/proc/{pid}/status").read_text()
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return {
        "rss_mib": int(status.partition("VmRSS:")[2].split()[0]) / 1024,
        "most_mib": int(status.partition("VmHWM:")[2].split()[0]) / 1024,
        "files": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "cpu_s": (int(stat[11]) + int(stat[12])) / TICKS,
    }


class Server:
    """A server in a process of its own."""

    def __init__(self, folder: Path, *flags: str) -> None:
        command = [sys.executable, "-m", "poselift", "serve", "--port", "0", "-o", str(folder), *flags]
        self.folder = folder
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[2].split(":")[2].strip("/"))

    def ask(self, method: str, path: str, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3600)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def children(self) -> list[int]:
        listed = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return sorted(int(pid) for file in listed for pid in file.read_text().split())

    def measure(self) -> dict:
        """The server and its worker; its other child, a small one, keeps count for `multiprocessing`."""
        found = [one for one in map(process, self.children()) if one]
        worker = max(found, key=lambda one: one["rss_mib"], default=None)
        return process(self.process.pid) | {"children": len(found), "worker": worker}

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def clip(folder: Path) -> bytes:
    """A few frames of the bundled clip of real keypoints."""
    (person,) = pl.read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
    write_keypoints(person.with_frames(person.xy[:6], person.confidence[:6], person.fps), folder / "clip.npz")
    return (folder / "clip.npz").read_bytes()


def many(count: int, folder: Path) -> dict:
    """Upload many jobs, of which 20 wait at any time, and measure at every hundredth."""
    body, server = clip(folder), Server(folder / "jobs")
    found, over, watching, lock = [], threading.Event(), [], threading.Lock()
    states: dict[int, str] = {}

    def watch() -> None:
        while not over.wait(1.0):
            watching.append(server.ask("GET", "/api/jobs?limit=30")[0])

    def lift(number: int) -> None:
        content = body if number % 10 in GOOD else b"broken"
        url = server.ask("POST", f"/api/jobs?name=clip{number}.npz", content)[1]["url"]
        while (job := server.ask("GET", url)[1])["state"] in ("waiting", "running"):
            time.sleep(1.0)
        with lock:
            states[number] = job["state"]
            if len(states) % 100 == 0 or len(states) == 20:
                found.append({"jobs": len(states)} | server.measure())
                print(json.dumps(found[-1]), flush=True)

    watcher, started = threading.Thread(target=watch), time.monotonic()
    watcher.start()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lift, range(count)))
    over.set()
    watcher.join()
    seconds, kept = time.monotonic() - started, server.ask("GET", "/api/jobs?limit=1")[1]["count"]
    wanted = {number: "done" if number % 10 in GOOD else "failed" for number in range(count)}
    ids = [entry.name for entry in (folder / "jobs").iterdir() if not entry.name.startswith(".")]
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda id: server.ask("DELETE", f"/api/jobs/{id}"), ids))
    left = sorted(entry.name for entry in (folder / "jobs").iterdir())
    children = server.children()
    server.end()
    ending = time.monotonic()
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() - ending < 30:
        time.sleep(0.1)  # they end by themselves when the server has
    return {
        "jobs": count, "as wanted": states == wanted, "kept": kept, "seconds": seconds, "measured": found,
        "lists asked for": len(watching), "lists that failed": sum(status != 200 for status in watching),
        "left in the folder after all were removed": left,
        "left processes": [pid for pid in children if Path(f"/proc/{pid}").exists()],
    }  # fmt: skip


def huge(mib: int, folder: Path) -> dict:
    """A huge file that is taken, one that is refused by its announced size, and one that grows beyond the limit."""
    found = {}
    size = {"Content-Length": str(mib << 20)}
    for name, limit, headers in (
        ("taken", mib, size), ("refused at once", 64, size), ("refused while it comes", 64, {}),
    ):  # fmt: skip
        server = Server(folder / "huge", "--upload-limit", str(limit))
        before = server.measure()
        started = time.monotonic()
        try:
            status, answer = server.ask("POST", "/api/jobs?name=huge.mp4", (PIECE for _ in range(mib)), headers)
        except OSError as error:
            status, answer = None, str(error)
        seconds, after = time.monotonic() - started, server.measure()
        if status == 201:
            while (answer := server.ask("GET", answer["url"])[1])["state"] in ("waiting", "running"):
                time.sleep(0.2)
        found[name] = {
            "mib": mib, "limit_mib": limit, "status": status, "seconds": seconds, "rss_before_mib": before["rss_mib"],
            "most_mib": after["most_mib"], "cpu_s": after["cpu_s"] - before["cpu_s"],
            "files_before": before["files"], "files_after": after["files"],
            "errors": answer["errors"] if isinstance(answer, dict) else answer,
        }  # fmt: skip
        if status == 201:
            server.ask("DELETE", answer["url"])
        found[name]["left"] = sorted(entry.name for entry in (folder / "huge").iterdir())
        server.end()
        print(json.dumps({name: found[name]}), flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--huge", type=int, default=2048, help="MiB of the huge file; 0 leaves it out")
    parser.add_argument("-o", "--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = {"python": platform.python_version(), "processor": platform.processor() or platform.machine()}
        if arguments.huge:
            result["huge"] = huge(arguments.huge, Path(folder))
        if arguments.jobs:
            result["many"] = many(arguments.jobs, Path(folder))
            print(json.dumps(result["many"], indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
