"""`poselift serve` as a process of its own, and a client of it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import poselift

SOURCE = Path(poselift.__file__).parents[1]


class Server:
    """A server on a free port, and what it has said."""

    def __init__(self, folder: Path, *flags: str):
        self.folder, self.flags = folder, flags
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-W", "error", "-m", "poselift", "serve", "--port", "0", "-o", str(self.folder)]
        self.process = subprocess.Popen(
            [*command, *self.flags],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])},
        )  # fmt: skip
        said = self.process.stdout.readline()
        assert said.startswith("serving at http://"), said + self.process.stderr.read()
        self.url = said.split()[2]
        self.port = int(self.url.split(":")[2].split("/")[0])

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it by a signal; its status, and what it printed to standard error."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=1800)
        return self.process.returncode, err

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1800)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Content of an answer, which went well."""
        status, _, content = self.ask(method, path, body, **headers)
        assert status in (200, 201), content
        return json.loads(content)

    def put(self, name: str, body: Any, **options: str) -> dict[str, Any]:
        """Upload a file; the job that was made."""
        more = "".join(f"&{key}={quote(text)}" for key, text in options.items())
        return self.json("POST", f"/api/jobs?name={quote(name, safe='')}{more}", body)

    def ended(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job once it has ended."""
        for _ in range(36000):
            found = self.json("GET", job["url"])
            if found["state"] in ("done", "failed", "stopped"):
                return found
            time.sleep(0.05)
        raise AssertionError("it never ended")

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def children(self) -> list[int]:
        """Ids of the processes that it started and that live: workers, and one of `multiprocessing`."""
        found = []
        for file in Path("/proc").glob("[0-9]*/stat"):
            try:
                pid, _, rest = file.read_text().partition(" (")
            except OSError:  # it has ended
                continue
            state, parent = rest.rpartition(") ")[2].split()[:2]
            if int(parent) == self.process.pid and state != "Z":
                found.append(int(pid))
        return found
